"""Block-quantised weights that a layout divides into parts that are no whole blocks.

A scale belongs to a block of a weight. Where a GPU's part of the weight ends within a block, an
engine refuses to load it, pads the part to whole blocks, or loads it as it is.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.weights import format_of
from dsv3calc.formulas import memory
from dsv3calc.ledger.line import Line, combined, computed, field
from dsv3calc.ledger.tags import Tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.accounting.memory.sharding import Sharding
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.precision import Format, Precision


class Undivided(msgspec.Struct, frozen=True, eq=False):
    """A tensor of a layer whose ``width`` in ``parts`` is no whole number of blocks.

    ``across`` is its other dimension, ``block`` the width of a block.
    """

    tensor: Tensor
    view: GroupView
    key: str
    form: Format
    width: Line
    across: Line
    parts: Line
    block: Line

    @property
    def words(self) -> str:
        """What does not divide, in words."""
        parts = self.parts.value
        return (
            f"{self.tensor.component.replace('_', ' ')}, "
            f"{self.width.value:,} wide, in {parts:,} parts of {self.width.value // parts:,}: "
            f"not whole blocks of {self.block.value:,}"
        )


def undivided(
    view: GroupView, tensors: Iterable[Tensor], sharding: Sharding, precision: Precision
) -> Iterator[Undivided]:
    """Yield those tensors of a layer that are divided within a block.

    What a product reduces after it is divided over its input, another over its output. Where the
    parts are those of several layouts, tensors are yielded that some may divide within a block.
    """
    reduced = {
        (tensor.component, tensor.name): bool(operator.after)
        for operator in view.operators()
        for tensor in operator.matrices
    }
    for tensor in tensors:
        key, form = format_of(precision, tensor)
        if form.scale is None or tensor.in_features is None:
            continue
        parts = _parts(tensor, view, sharding)
        if type(parts.value) is int and parts.value == 1:
            continue
        width, across, side = tensor.out_features, tensor.in_features, "rows"
        if reduced.get((tensor.component, tensor.name)):
            width, across, side = across, width, "columns"
        block = field((f"precision.formats.{key}.scale", form.scale), side)
        if block.value < width.value and not _is_whole(width.value, parts.value, block.value):
            yield Undivided(tensor, view, key, form, width, across, parts, block)


def _is_whole(width: int, parts: Any, block: int) -> bool:
    """Tell whether parts are known to be whole blocks; of several layouts it is not known."""
    return type(parts) is int and width // parts % block == 0


def _parts(tensor: Tensor, view: GroupView, sharding: Sharding) -> Line:
    """Return the parts that a tensor's width is divided into: experts whole over ep count once."""
    if tensor.division == "experts":
        return degree(sharding.layout, "etp")
    return sharding.shards(tensor, view)[1]


def padding(name: str, each: Undivided, sharding: Sharding) -> Line:
    """Count the bytes of a tensor on a GPU that fill its part up to whole blocks."""
    copies = each.tensor.copies
    if each.tensor.division == "experts":
        factors = (copies, degree(sharding.layout, "ep"))
        copies = combined(f"{name}.copies", "ratio", factors, unit="1")
    return computed(
        f"{name}.padding.{each.tensor.component}.{each.tensor.name}",
        memory.block_padding,
        convention="to whole blocks",
        tags=Tags(quantity="padding", tensor=each.tensor.name, group=each.view.prefix),
        width=each.width,
        across=each.across,
        divisor=each.parts,
        block=each.block,
        copies=copies,
        bits=field((f"precision.formats.{each.key}", each.form), "bits", "bit"),
    )
