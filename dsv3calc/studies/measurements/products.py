"""Rows of matrix products and of routed experts."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas.expert_times import (
    expert_activation_bytes,
    expert_flops,
    expert_rows,
    expert_weight_bytes,
)
from dsv3calc.formulas.kernel_times import cast_bytes, product_bytes
from dsv3calc.formulas.kernels import gemm_flops
from dsv3calc.numbers.ops import minimum
from dsv3calc.studies.measurements.cases import (
    TRACED,
    Case,
    NotExpressed,
    Point,
    compute_part,
    format_of,
    number,
    positive,
    repeated,
    times,
)

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.measurement import Row

BF16_BITS = 16
MASKED = "masked"
"""The kernel of experts after a low-latency dispatch, whose rows lie padded."""


def _library(row: Row) -> str:
    """Return the library that a row's product belongs to, empty for TensorRT-LLM's."""
    if "weight-gradient" in row.what:
        return "weight-gradient"
    if "DeepGEMM" in row.what or compute_part(row) < 1:
        return "deepgemm"
    return "sglang" if "/sglang/" in row.ref else ""


def _rows_of(row: Row) -> list[float]:
    """Return M of each product, all groups together."""
    for table in (row.series, row.value):
        found = table.get("m", table.get("m_total_padded"))
        if found is not None:
            return positive("m", found if isinstance(found, list) else [found])
    return [number(row, "value.m_per_group") * number(row, "value.groups")]


def products(row: Row, device: Hardware) -> list[Case]:
    """Express a row of dense or grouped matrix products."""
    if "best shape" in row.what:
        raise NotExpressed("the best of a search: no shape")
    columns, depth = number(row, "value.n"), number(row, "value.k")
    rows = _rows_of(row)
    groups = number(row, "value.groups") if "groups" in row.value else 1
    seconds = times(row, "latency", "duration")
    rows = repeated(rows, len(seconds))
    traced = compute_part(row)
    library = _library(row)
    form = format_of("fp8_block" if traced < 1 and row.prec == "FP8" else row.prec)
    casts = form.activation_bits < BF16_BITS and library in ("", "sglang")
    points = [
        {
            "flops": gemm_flops(1, m, columns, depth) / traced,  # type: ignore[arg-type]
            "moved": product_bytes(
                groups, m / groups, columns, depth,  # type: ignore[arg-type]
                form.activation_bits, form.weight_bits, max(BF16_BITS, form.activation_bits),
            ),
            "serial_steps": depth,
            "pass_bytes": cast_bytes(m, depth, form.activation_bits) if casts else 0,  # type: ignore[arg-type]
        }
        for m in rows
    ]  # fmt: skip
    kind = TRACED if traced < 1 else "dense" if groups == 1 else "grouped"
    return [
        Case(
            row=row, device=device, kind=kind, form="kernel", entry=("gemm", form.key),
            library=library, computes_in=form.computes_in, points=points, seconds=seconds,
            sizes={"M": rows, "N": [columns], "K": [depth]},
        )
    ]  # fmt: skip


def experts(row: Row, device: Hardware) -> list[Case]:
    """Express a row of the routed experts of a layer."""
    if "groups" in row.value or "hidden" not in row.value:
        return products(row, device)
    distribution = str(row.value.get("distribution", ""))
    if distribution not in ("balanced", "uniform"):
        raise NotExpressed("the load of the most loaded GPU is not stated")
    wide = "DeepEP layout" in row.what
    if wide and "generation" not in row.id and "masked" not in row.what:
        raise NotExpressed("the load after a normal dispatch is not stated")
    if "min_latency" in str(row.value.get("kernel", "")):
        raise NotExpressed("a kernel for few tokens, which does not do the stated work")
    form = format_of(row.prec)
    hidden, inter = number(row, "value.hidden"), number(row, "value.inter")
    inter /= number(row, "layout.moe_tp") if "moe_tp" in row.layout else 1
    count, chosen = number(row, "value.experts"), number(row, "value.topk")
    ep = number(row, "layout.ep")
    tokens = positive("num_tokens_global", row.series.get("num_tokens_global", []))
    seconds = times(row, "latency")
    points: list[Point] = []
    for group_tokens in repeated(tokens, len(seconds)):
        here = expert_rows(group_tokens, chosen, ep, 1)  # type: ignore[arg-type]
        hit = minimum(count / ep, here)  # an even share of the rows for each expert
        points.append(
            {
                "flops": expert_flops(here, hidden, inter),  # type: ignore[arg-type]
                "moved": expert_weight_bytes(hit, hidden, inter, form.weight_bits),  # type: ignore[arg-type]
                "serial_steps": 0,
                "pass_bytes": 0
                if wide
                else expert_activation_bytes(here, group_tokens, hidden, inter),  # type: ignore[arg-type]
            }
        )
    return [
        Case(
            row=row, device=device, kind=MASKED if wide else "fused", form="kernel",
            entry=("experts", form.key), library=MASKED if wide else "",
            computes_in=form.computes_in, points=points, seconds=seconds,
            sizes={"tokens": tokens, "EP": [ep]},
        )
    ]  # fmt: skip
