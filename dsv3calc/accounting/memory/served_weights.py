"""Weights that a server holds: as stored, and what kernels keep beside them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.blocks import padding, undivided
from dsv3calc.accounting.memory.buffers import SCOPE
from dsv3calc.accounting.parameters import tensor_elements
from dsv3calc.accounting.weights import format_of
from dsv3calc.formulas import memory, server
from dsv3calc.ledger.line import Line, computed, given, total
from dsv3calc.model.operator import ONE, Tensor
from dsv3calc.model.saved import BF16

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.memory.served import Serving
    from dsv3calc.accounting.memory.states import States
    from dsv3calc.model.layer import GroupView


def served_weights(
    name: str, states: States, tensors: Sequence[Tensor], view: GroupView, serving: Serving
) -> Line:
    """Count the weights of a layer on a GPU, with the copies that kernels keep."""
    weights = states.of(name, tensors, view)["weights"]
    copies = _repacked(name, states, tensors, view, serving)
    copies += [
        padding(name, each, states.sharding)
        for each in undivided(view, tensors, states.sharding, serving.precision)
        if serving.blocks.policy(each.key) == "pad"
    ]
    up = view.attention.expansion
    if serving.absorbed and up is not None:
        copies.append(_absorbed(name, states, up, view))
    return total(f"{name}.all_weights", [weights, *copies]) if copies else weights


def _repacked(
    name: str, states: States, tensors: Sequence[Tensor], view: GroupView, serving: Serving
) -> list[Line]:
    """Give what kernels take beside the stored weights of some formats."""
    return [
        computed(
            f"{name}.repacked.{form}",
            server.repacked_bytes,
            stored_bytes=states.of(
                f"{name}.repacked_of.{form}",
                [each for each in tensors if format_of(states.precision, each)[0] == form],
                view,
            )["weights"],
            repacked=given(f"{SCOPE}.repacked.{form}", share, "ratio"),
        )
        for form, share in serving.software.repacked.items()
    ]


def _absorbed(name: str, states: States, up: Tensor, view: GroupView) -> Line:
    return computed(
        f"{name}.absorbed_kv_b_proj",
        memory.shard_bytes,
        convention="a copy in BF16, for attention against the latent",
        elements=tensor_elements(f"{name}.elements.absorbed", up, ONE),
        bits=BF16,
        divisor=states.sharding.divisor(up, view, "weights"),
    )
