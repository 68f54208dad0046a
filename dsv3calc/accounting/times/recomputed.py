"""What runs again before the backward pass, kernel by kernel, under a policy of recomputation."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.times.kernels import MODEL
from dsv3calc.ledger.line import Line, combined, total
from dsv3calc.model.operator import CORE, GROUPED, NO_PRODUCT, ONE, PRODUCT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.accounting.times.kernel_time import KernelTime
    from dsv3calc.accounting.times.kernels import Kernel
    from dsv3calc.schema.memory import Recompute

_AGAIN = {
    "core_attn": ("core",),
    "mla_up_proj": ("q_b_proj", "kv_b_proj", "rotary"),
    "mlp_act": ("mlp_act", "shared_act"),
    "mlp": ("up_proj", "mlp_act", "down_proj"),
    "shared_experts": ("shared_experts.up_proj", "shared_act", "shared_experts.down_proj"),
    "moe": (
        "router", "experts", "shared_experts.up_proj", "shared_act", "shared_experts.down_proj",
    ),
}  # fmt: skip
"""Module of a policy of recomputation -> the kernels that run again before the backward pass."""

_SAVED = {GROUPED: "grouped_products", CORE: "attention"}
"""Kind of a kernel -> the saved operation that keeps its output."""


def recomputed(
    kernels: Iterable[KernelTime], recompute: Recompute
) -> Iterator[tuple[KernelTime, Line]]:
    """Yield the kernels of a place that run again, each with the share of it that does.

    Where a policy lists what is kept, all else runs again: of ``alternate_products`` every second
    matrix of a layer.
    """
    matrices = 0
    for each in kernels:
        kernel = each.kernel
        if kernel.place == MODEL:
            continue
        if not recompute.saved_operations:
            if _is_in_a_module(kernel, recompute):
                yield each, ONE
            continue
        if kernel.first.kind != PRODUCT:
            if _SAVED.get(kernel.first.kind) not in recompute.saved_operations:
                yield each, ONE
            continue
        own = [tensor for operator in kernel.operators for tensor in operator.matrices]
        again = [
            tensor.out_features
            for number, tensor in enumerate(own, matrices)
            if _runs_again(number, recompute)
        ]
        matrices += len(own)
        if again:
            name = f"recompute.{kernel.place}.{kernel.name}"
            columns = total(f"{name}.columns", [tensor.out_features for tensor in own])
            parts = (total(f"{name}.columns_again", again), columns)
            yield each, combined(f"{name}.share", "ratio", parts, unit="ratio")


def _is_in_a_module(kernel: Kernel, recompute: Recompute) -> bool:
    if "full" in recompute.modules:
        return True
    if "layernorm" in recompute.modules and kernel.first.component == "norms":
        return True
    return any(kernel.name in _AGAIN.get(module, ()) for module in recompute.modules)


def _runs_again(number: int, recompute: Recompute) -> bool:
    """Tell whether a matrix of a layer runs again; they are numbered from 0."""
    if "products" in recompute.saved_operations:
        return False
    return "alternate_products" not in recompute.saved_operations or number % 2 == 1


def activation_again(kernel: Kernel, recompute: Recompute) -> bool:
    """Tell whether the activation function within a kernel of experts runs again by itself."""
    if kernel.first.kind != GROUPED or "moe_act" not in recompute.modules:
        return False
    whole = _is_in_a_module(kernel, recompute)
    return not whole and any(each.kind in NO_PRODUCT for each in kernel.operators)
