"""Buffers of fused gradient accumulation: a tensor for each shape of weight, kept for all steps.

Products add their weight gradients to the FP32 gradients as they run. What they give back is a
tensor that nothing is written to: one for each shape and data type, which stays.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import memory, stages
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.ledger.tags import about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import GROUPED, PRODUCT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.accounting.memory.sharding import Sharding
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator, Tensor
    from dsv3calc.schema.model import Model

_BITS = given("gradient_buffers.bits", 16, "bit", "BF16, as the weights")
_OTHERWISE = ("router", "indexer")
"""Components whose products accumulate no gradient that way."""


class GradientBuffers:
    """The buffers of the weights of a model's layers, by the groups of layers that need them.

    ``views`` are the layer groups, that of an MTP module last where it is trained.
    """

    __slots__ = ("_sharding", "_sums")

    def __init__(self, model: Model, views: Sequence[GroupView], sharding: Sharding) -> None:
        self._sharding = sharding
        users: dict[Any, list[int]] = {}
        lines: dict[Any, Line] = {}
        arch = architecture_of(model)
        for index, view in enumerate(views):
            more = arch.mtp_projection if view is arch.mtp else ()
            for weight, row_parallel in _weights(view, [*view.operators(), *more]):
                key = (row_parallel, *map(_shape, weight))
                if key not in users:
                    users[key] = []
                    lines[key] = self._bytes(len(users), weight, view)
                if index not in users[key]:
                    users[key].append(index)
        together: dict[tuple[int, ...], list[Line]] = {}
        for key, using in users.items():
            together.setdefault(tuple(using), []).append(lines[key])
        self._sums = [
            (using, total(f"memory.gradient_buffers.{number}", shapes, unit="B"))
            for number, (using, shapes) in enumerate(together.items())
        ]

    def _bytes(self, number: int, weight: Sequence[Tensor], view: GroupView) -> Line:
        """Return the bytes of a weight, of one of its copies where a layer has several."""
        parts = []
        for tensor in weight:
            name = f"memory.gradient_buffers.shape.{number}.{view.prefix}.{tensor.name}"
            assert tensor.in_features is not None  # noqa: S101 - products have matrices
            sides = (tensor.out_features, tensor.in_features)
            parts.append(
                computed(
                    name,
                    memory.shard_bytes,
                    elements=combined(f"{name}.elements", "product", sides, unit="elements"),
                    bits=_BITS,
                    divisor=degree(self._sharding.layout, "etp")
                    if tensor.division == "experts"
                    else self._sharding.shards(tensor, view)[1],
                )
            )
        return total(f"memory.gradient_buffers.shape.{number}", parts)

    def of_rank(self, name: str, held: Sequence[Line]) -> Line:
        """Give the bytes of a rank's buffers; ``held`` counts its layers of each group.

        Returns
        -------
        Line ``NAME.gradient_buffers`` [B].
        """
        parts = []
        for number, (using, line) in enumerate(self._sums):
            count = total(f"{name}.users.{number}", [held[index] for index in using])
            parts += [computed(f"{name}.used.{number}", stages.any_of, amount_here=count), line]
        return combined(
            f"{name}.gradient_buffers",
            "sum_of_products",
            parts,
            unit="B",
            convention="fused accumulation: a BF16 tensor for each shape of weight",
            tags=about("gradient_buffers"),
        )


def _weights(view: GroupView, operators: Sequence[Operator]) -> Iterator[tuple[list[Tensor], bool]]:
    """Yield the matrices that are kept as one weight, and whether tp divides their input."""
    joined: list[Tensor] = []
    for operator in operators:
        if operator.kind not in (PRODUCT, GROUPED) or operator.component in _OTHERWISE:
            continue
        if operator.name in view.attention.joined:
            joined += operator.matrices
        elif operator.matrices:
            yield list(operator.matrices), bool(operator.after)
    if joined:
        yield joined, False


def _shape(tensor: Tensor) -> tuple[Any, ...]:
    """Return what tells shapes apart, whatever the degrees of parallelism are."""
    assert tensor.in_features is not None  # noqa: S101 - products have matrices
    return tensor.division, tensor.out_features.value, tensor.in_features.value
