"""Lines of a column of ``compare`` that follow from a model, its formats and the workloads."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.parameters import PARAMETER_VARIANTS, parameter_lines
from dsv3calc.accounting.weights import weight_lines
from dsv3calc.ledger.line import Line, combined, total

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.workload import Conventions, Workload
    from dsv3calc.studies.preset_loader import PresetLoader

WEIGHT_PRECISIONS = ("bf16", "fp8-deepseek-v3", "int4")
"""Precisions under which every design's weights are shown beside its own."""


def parameter_rows(model: Model, variant: str) -> list[Line]:
    """Count the parameters of a variant, and the share that a token uses."""
    counted = parameter_lines(model, PARAMETER_VARIANTS[variant][0], variant)
    share = combined(
        "parameters.active_share",
        "ratio",
        (counted.active, counted.total),
        unit="ratio",
        convention="active over total: 1 is dense",
    )
    return [*counted, share]


def weight_rows(
    loader: PresetLoader, design: Preset[Model], precision: Preset[Any], variant: str
) -> list[Line]:
    """Count the bytes of the weights in the column's precision and in others."""
    inclusions = PARAMETER_VARIANTS[variant][0]
    lines = [*weight_lines(design.value, precision.value, inclusions, precision.name)]
    for name in WEIGHT_PRECISIONS:
        other = loader.precision(name, design)
        stored = weight_lines(design.value, other.value, inclusions, name).bytes
        lines.append(_under(stored, f"weights.in.{name}"))
    return lines


def _under(line: Line, prefix: str) -> Line:
    """Return a weights line and its parts under another prefix: names in a ledger are unique."""
    parts = [part.renamed(f"{prefix}.bytes_by_dtype.{part.tags.dtype}") for part in line.parts]
    return total(f"{prefix}.bytes", parts, unit="B", convention=line.convention)


def flops_rows(
    model: Model, workloads: dict[str, Workload], conventions: Conventions
) -> list[Line]:
    """Count the FLOPs of a token in training, under each count of attention, and in decode."""
    train, decode = (
        flops_lines(model, workloads[phase], conventions, f"flops.{phase}")
        for phase in ("train", "decode")
    )
    each = [
        combined(
            f"flops.train.per_token_by_attention.{count}",
            "ratio",
            (whole, train.tokens),
            unit="FLOP/token",
            convention=whole.convention,
        )
        for count, whole in train.by_attention.items()
    ]
    return [*train, *each, *decode]
