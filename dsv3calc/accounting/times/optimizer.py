"""The optimizer's step: what it reads and writes of the states that GPUs hold."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.sharding import Rules
from dsv3calc.accounting.memory.states import layer_tensors
from dsv3calc.accounting.parameters import tensor_elements
from dsv3calc.formulas import kernel_times
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.accounting.times.share import Share
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.memory import Recipe

_WEIGHT_BITS = given("optimizer.weight_bits", 16, "bit", "a weight is written in BF16")


def optimizer_bytes(share: Share, recipe: Recipe) -> Iterator[tuple[Line, Line]]:
    """Yield what a step of the optimizer moves of one layer of each place, and its layers.

    A GPU works on the part of the states that ZeRO leaves it.
    """
    arch = share.run.arch
    views = [*arch.groups]
    if share.run.conventions.mtp == "in" and arch.mtp is not None:
        views.append(arch.mtp)
    for view in views:
        tensors = [*layer_tensors(view, share.layout, Rules())]
        if view is arch.mtp:
            tensors += arch.mtp_tensors
        yield _moved(share, recipe, view.prefix, tensors, view), view.layers
    tied = arch.model.tie_word_embeddings
    outer = [tensor for tensor in arch.outer if not (tied and tensor.name == "head")]
    yield _moved(share, recipe, "model", outer, None), ONE


def _moved(
    share: Share, recipe: Recipe, place: str, tensors: Iterable[Tensor], view: GroupView | None
) -> Line:
    name = f"time.optimizer.{place}"
    held = [
        combined(
            f"{name}.elements.{tensor.component}.{tensor.name}",
            "ratio",
            (
                tensor_elements(f"{name}.whole.{tensor.component}.{tensor.name}", tensor, ONE),
                share.sharding.divisor(tensor, view, "optimizer"),
            ),
            unit="elements",
        )
        for tensor in tensors
        if tensor.weight_class != "routing_bias"  # a buffer: no gradient reaches it
    ]
    return computed(
        f"{name}.moved",
        kernel_times.adam_bytes,
        ("recipe", recipe),
        elements=total(f"{name}.elements", held, unit="elements"),
        bits=_WEIGHT_BITS,
    )
