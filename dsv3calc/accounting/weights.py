"""Bytes of weights: elements by data type under a precision, with the scales of block formats."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.parameters import counted_tensors, tensor_elements
from dsv3calc.formulas import precision
from dsv3calc.ledger.line import Line, combined, computed, field, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import UNTAGGED, Tags
from dsv3calc.model.architecture import Architecture, architecture_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import Format, Precision, Scale


SCALES = "scales"
"""The component of the scales of block formats, whichever tensor they belong to."""


def format_of(precision_: Precision, tensor: Tensor) -> tuple[str, Format]:
    """Return the name and the format in which a precision stores a tensor.

    A tensor of one layer group goes before one of all, and a tensor by name before its class.
    """
    table = precision_.weights
    own = tensor.weight_class
    keys: tuple[str, ...] = (own,)
    if precision_.by_tensor:
        each = f"{own}.{tensor.name}"
        keys = (f"{tensor.place}.{each}", f"{tensor.place}.{own}", each, own)
    name = next((table[key] for key in keys if key in table), table["default"])
    return name, precision_.formats[name]


class WeightLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``PREFIX.bytes`` [B] over ``.bytes_by_dtype.*``, and ``.elements`` [elements] alike."""

    bytes: Line
    elements: Line


def weight_lines(
    model: Model, precision_: Precision, inclusions: frozenset[str], convention: str
) -> WeightLines:
    """Count the bytes of a model's weights under a precision, scales always among them."""
    arch = architecture_of(model)
    key = ("weights", precision_.name, inclusions, convention)
    return arch.cached(
        key, precision_, lambda: _weight_lines(arch, precision_, inclusions, convention)
    )


def _weight_lines(
    arch: Architecture, precision_: Precision, inclusions: frozenset[str], convention: str
) -> WeightLines:
    tensors = counted_tensors(arch, inclusions)
    return stored_lines("weights", tensors, precision_, convention)


def stored_lines(
    prefix: str, tensors: Sequence[Tensor], precision_: Precision, convention: str = ""
) -> WeightLines:
    """Count elements and bytes of tensors by data type, with the scales of block formats."""
    by_dtype: dict[str, list[Line]] = {}
    bits: dict[str, Line] = {}
    for tensor in tensors:
        key, form = format_of(precision_, tensor)
        place = f"{prefix}.elements_by_dtype"
        suffix = f"{tensor.place}.{tensor.component}.{tensor.name}"
        scope = (f"precision.formats.{key}", form)
        by_dtype.setdefault(form.dtype, []).append(
            tensor_elements(f"{place}.{form.dtype}.{suffix}", tensor)
        )
        bits.setdefault(form.dtype, field(scope, "bits", "bit"))
        for number, scale in enumerate(form.scales if tensor.in_features is not None else ()):
            where = f"{scope[0]}.more_scales.{number - 1}" if number else f"{scope[0]}.scale"
            which = f"scales.{number}" if number else "scales"
            scale_scope = (where, scale)
            scales = block_values(
                f"{place}.{scale.dtype}.{suffix}.{which}",
                scale_scope,
                tensor,
                layers=tensor.layers,
                tags=Tags(component=SCALES, tensor=tensor.name, group=tensor.tags.group),
            )
            by_dtype.setdefault(scale.dtype, []).append(scales)
            bits.setdefault(scale.dtype, field(scale_scope, "bits", "bit"))
            if scale.zero_point_bits:
                points = f"zero_point_{scale.zero_point_bits}bit"
                by_dtype.setdefault(points, []).append(
                    total(f"{place}.{points}.{suffix}.zero_points", (scales,))
                )
                bits.setdefault(points, field(scale_scope, "zero_point_bits", "bit"))
    elements = []
    amounts = []
    for dtype, parts in by_dtype.items():
        tags = Tags(dtype=dtype)
        line = total(f"{prefix}.elements_by_dtype.{dtype}", parts, tags=tags)
        elements.append(line)
        amounts.append(
            computed(
                f"{prefix}.bytes_by_dtype.{dtype}",
                precision.stored_bytes,
                tags=tags,
                elements=line,
                bits=bits[dtype],
            )
        )
    return WeightLines(
        bytes=total(f"{prefix}.bytes", amounts, unit="B", convention=convention),
        elements=total(f"{prefix}.elements", elements, unit="elements", convention=convention),
    )


def block_values(
    name: str,
    scope: tuple[str, Scale],
    tensor: Tensor,
    *,
    layers: Line,
    tags: Tags = UNTAGGED,
) -> Line:
    """Count what is stored for the blocks of a matrix: a scale of each, or several values."""
    several = scope[1].count > 1
    blocks = computed(
        f"{name}.blocks" if several else name,
        precision.block_scales,
        scope,
        tags=UNTAGGED if several else tags,
        layers=layers,
        copies=tensor.copies,
        out_features=tensor.out_features,
        in_features=tensor.in_features,
    )
    if not several:
        return blocks
    parts = (blocks, field(scope, "count", "1"))
    return combined(name, "product", parts, unit="elements", tags=tags)


def scale_elements(weights: WeightLines) -> Line:
    """Return the scales among stored elements, as the line that the checkpoint variant adds."""
    scales = [line for line in weights.elements.published() if line.tags.component == SCALES]
    tags = Tags(component=SCALES)
    return total("parameters.components.scales", scales, unit="elements", tags=tags)
