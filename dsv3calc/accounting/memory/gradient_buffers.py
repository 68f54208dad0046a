"""Buffers of fused gradient accumulation: a tensor for each shape of weight, kept for all steps.

Products add their weight gradients to the FP32 gradients as they run. What they give back is a
tensor that nothing is written to: one for each shape and data type, which stays. Two weights share
it where the parts of them that a GPU holds have the same shape, which may depend on the layout.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import architecture as shapes
from dsv3calc.formulas import memory, stages
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.ledger.tags import about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import GROUPED, ONE, PRODUCT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dsv3calc.accounting.memory.sharding import Sharding
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator, Tensor
    from dsv3calc.schema.model import Model

_NAME = "memory.gradient_buffers"
_HEADS: dict[str, Callable[[GroupView], Line | None]] = {
    "key_value": lambda view: view.attention.key_value_heads,
    "groups": lambda view: view.mixer.groups,
}
"""Division -> the heads beyond which tensor parallelism divides no further."""

_BITS = given("gradient_buffers.bits", 16, "bit", "BF16, as the weights")
_OTHERWISE = ("router", "indexer")
"""Components whose products accumulate no gradient that way."""

_WHOLE = "whole"
Side = dict[Any, int]
"""A side of a weight: how it is divided -> features."""

_Rival = tuple[tuple[int, ...], Line]
_Sum = tuple[tuple[int, ...], Line, list[_Rival]]


class _Weight(msgspec.Struct, frozen=True):
    """Matrices that are kept as one weight, and where: its layer group, none for the head.

    ``copies`` of it are stacked.
    """

    tensors: list[Tensor]
    view: GroupView | None
    row_parallel: bool = False
    copies: Line | None = None


class _Buffer(msgspec.Struct, eq=False):
    """The buffer of a shape: which layers use it, and earlier buffers that may be the same.

    ``sides`` are output and input features, ``rows`` and ``columns`` those of a GPU. Where weights
    are ``stacked`` there is a third side. ``rivals`` are the users of an earlier buffer, and
    whether it has the same shape.
    """

    sides: tuple[Side, Side]
    stacked: bool
    size: Line
    rows: Line
    columns: Line
    users: list[int] = msgspec.field(default_factory=list)
    rivals: list[_Rival] = msgspec.field(default_factory=list)


class GradientBuffers:
    """The buffers of a model's weights, by the groups of layers that need them.

    ``views`` are the layer groups, that of an MTP module last where it is trained; the head's
    weight comes after them. ``stacked`` tells that the experts of a GPU are one weight.
    """

    __slots__ = ("_sharding", "_sums")

    def __init__(
        self, model: Model, views: Sequence[GroupView], sharding: Sharding, *, stacked: bool
    ) -> None:
        self._sharding = sharding
        found: dict[Any, _Buffer] = {}
        for user, weight in _weights_of(model, views, stacked=stacked):
            sides = self._sides(weight)
            key = (
                weight.copies and weight.copies.value,
                *(tuple(sorted(side.items(), key=str)) for side in sides),
            )
            if key not in found:
                found[key] = self._buffer(f"{_NAME}.shape.{len(found) + 1}", weight, sides)
            if user not in found[key].users:
                found[key].users.append(user)
        self._sums = list(_by_users(_distinct(list(found.values()))))

    def _division(self, tensor: Tensor, view: GroupView | None) -> tuple[Any, Line]:
        """Return how a matrix is divided, whatever the degrees are, and into how many parts."""
        if tensor.division == "experts":
            return "etp", degree(self._sharding.layout, "etp")
        place, parts = self._sharding.shards(tensor, view)
        if parts is ONE:
            return _WHOLE, ONE
        if view is not None and tensor.division in _HEADS:
            heads = _HEADS[tensor.division](view)
            return (tensor.division, heads and heads.value), parts
        return place, parts

    def _sides(self, weight: _Weight) -> tuple[Side, Side]:
        """Return output and input features of a weight by the way in which they are divided."""
        rows: Side = {}
        columns: Side = {}
        for tensor in weight.tensors:
            axis, _ = self._division(tensor, weight.view)
            out, into = (_WHOLE, axis) if weight.row_parallel else (axis, _WHOLE)
            rows[out] = rows.get(out, 0) + tensor.out_features.value
            columns[into] = _columns_of(tensor).value
        return rows, columns

    def _buffer(self, name: str, weight: _Weight, sides: tuple[Side, Side]) -> _Buffer:
        """Make the lines of a shape: its bytes, its rows and columns on a GPU."""
        sizes, rows, columns = [], [], ONE
        for tensor in weight.tensors:
            where = f"{name}.{tensor.tags.group or 'model'}.{tensor.name}"
            _, parts = self._division(tensor, weight.view)
            out, into = tensor.out_features, _columns_of(tensor)
            elements, divisor = [out, into], parts
            if weight.copies is not None:
                elements = [weight.copies, *elements]
                _, divisor = self._sharding.shards(tensor, weight.view)
            sizes.append(
                computed(
                    where,
                    memory.shard_bytes,
                    elements=combined(f"{where}.elements", "product", elements, unit="elements"),
                    bits=_BITS,
                    divisor=divisor,
                )
            )
            rows.append(out if weight.row_parallel else _divided(f"{where}.rows", out, parts))
            columns = _divided(f"{where}.columns", into, parts) if weight.row_parallel else into
        return _Buffer(
            sides,
            weight.copies is not None,
            total(name, sizes),
            total(f"{name}.rows", rows),
            columns,
        )

    def of_rank(self, name: str, held: Sequence[Line]) -> Line:
        """Give the bytes of a rank's buffers.

        ``held`` counts its layers of each group, and its heads after them.

        Returns
        -------
        Line ``NAME.gradient_buffers`` [B].
        """
        used: dict[tuple[int, ...], Line] = {}

        def use(users: tuple[int, ...]) -> Line:
            if users not in used:
                where = f"{name}.users.{len(used)}"
                count = total(where, [held[index] for index in users])
                used[users] = computed(f"{where}.any", stages.any_of, amount_here=count)
            return used[users]

        parts = []
        for number, (users, size, rivals) in enumerate(self._sums):
            factors = [use(users)]
            for other, (rival, same) in enumerate(rivals):
                where = f"{name}.shape.{number}.{other}"
                both = combined(f"{where}.same", "product", (use(rival), same), unit="1")
                factors.append(combined(f"{where}.new", "difference", (ONE, both), unit="1"))
            counted = factors[0]
            if rivals:
                counted = combined(f"{name}.shape.{number}", "product", factors, unit="1")
            parts += [counted, size]
        return combined(
            f"{name}.gradient_buffers",
            "sum_of_products",
            parts,
            unit="B",
            convention="fused accumulation: a BF16 tensor for each shape of weight",
            tags=about("gradient_buffers"),
        )


def _distinct(buffers: Sequence[_Buffer]) -> Sequence[_Buffer]:
    """Compare shapes: where an earlier one is the same, on every rank that has both, it is used."""
    for number, (one, other) in enumerate(combinations(buffers, 2)):
        if not _may_be_same(one, other):
            continue
        name = f"{_NAME}.pair.{number}"
        same = computed(
            f"{name}.same",
            shapes.same_shape,
            shape_rows=one.rows,
            shape_columns=one.columns,
            other_rows=other.rows,
            other_columns=other.columns,
        )
        if set(other.users) <= set(one.users):
            new = combined(f"{name}.new", "difference", (ONE, same), unit="1")
            other.size = combined(f"{name}.size", "product", (new, other.size), unit="B")
        else:
            other.rivals.append((tuple(one.users), same))
    return buffers


def _by_users(buffers: Sequence[_Buffer]) -> Iterator[_Sum]:
    """Add up the buffers that the same layers use, and yield those apart that have rivals."""
    together: dict[tuple[int, ...], list[Line]] = {}
    for buffer in buffers:
        if buffer.rivals:
            yield tuple(buffer.users), buffer.size, buffer.rivals
        else:
            together.setdefault(tuple(buffer.users), []).append(buffer.size)
    for number, (users, sizes) in enumerate(together.items()):
        yield users, total(f"{_NAME}.{number}", sizes, unit="B"), []


def _columns_of(tensor: Tensor) -> Line:
    assert tensor.in_features is not None  # noqa: S101 - products have matrices
    return tensor.in_features


def _divided(name: str, features: Line, parts: Line) -> Line:
    return features if parts is ONE else combined(name, "ratio", (features, parts))


def _may_be_same(one: _Buffer, other: _Buffer) -> bool:
    """Tell whether two shapes are the same under some layout."""
    if one.stacked or other.stacked:
        return False
    degrees: dict[Any, int] = {}
    for side, opposite in zip(one.sides, other.sides, strict=True):
        if len(side) > 1 or len(opposite) > 1:
            continue  # divided in several ways: their numbers tell
        ((axis, features),), ((across, others),) = side.items(), opposite.items()
        if axis == across:
            if features != others:
                return False
        elif _WHOLE in (axis, across):
            if axis == _WHOLE:
                axis, features, others = across, others, features
            if features % others or degrees.setdefault(axis, features // others) != (
                features // others
            ):
                return False
    return True


def _weights_of(
    model: Model, views: Sequence[GroupView], *, stacked: bool
) -> Iterator[tuple[int, _Weight]]:
    """Yield the weights of the layer groups with the number of each, and that of the head."""
    arch = architecture_of(model)
    for index, view in enumerate(views):
        more = arch.mtp_projection if view is arch.mtp else ()
        for weight in _weights(view, [*view.operators(), *more], stacked=stacked):
            yield index, weight
    embedding, head, *_ = arch.outer
    yield len(views), _Weight([embedding if model.tie_word_embeddings else head], None)


def _weights(view: GroupView, operators: Sequence[Operator], *, stacked: bool) -> Iterator[_Weight]:
    """Yield the matrices of a layer that are kept as one weight."""
    joined: list[Tensor] = []
    for operator in operators:
        if operator.kind not in (PRODUCT, GROUPED) or operator.component in _OTHERWISE:
            continue
        if operator.name in view.attention.joined:
            joined += operator.matrices
        elif operator.matrices:
            piled = stacked and operator.kind == GROUPED
            copies = operator.matrices[0].copies if piled else None
            yield _Weight(list(operator.matrices), view, bool(operator.after), copies)
    if joined:
        yield _Weight(joined, view)
