"""Table of ``compare``: quantities down, designs across, ratios to the baseline beside."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Cell, Table, View, show

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_BOUNDS = (
    ("compute_time", "compute"),
    ("memory_time", "memory"),
    ("intensity", "FLOP per byte"),
    ("ridge", "  at the ridge"),
    ("tokens_per_gpu_second", "tokens per GPU-s"),
)
BOUND_PHASES = {"prefill bounds/token": "prefill", "decode bounds/token": "decode"}
"""Section of bounds -> its phase."""

ROWS = (
    (
        "parameters",
        (
            ("parameters.total", "total"),
            ("parameters.active", "active per token"),
            ("parameters.active_share", "active share"),
        ),
    ),
    (
        "weights",
        (
            ("weights.bytes", "{precision}"),
            ("weights.in.bf16.bytes", "bf16"),
            ("weights.in.fp8-deepseek-v3.bytes", "fp8 (deepseek-v3)"),
            ("weights.in.int4.bytes", "int4"),
        ),
    ),
    (
        "training per token",
        (
            ("flops.train.per_token_by_attention.causal", "causal attention"),
            ("flops.train.per_token_by_attention.full", "full, masked too"),
            ("flops.train.per_token_by_attention.half", "half, S²/2"),
        ),
    ),
    ("decode per token", (("flops.decode.per_token", "{context:,} cached"),)),
    (
        "KV cache, {kv_dtype}",
        (
            ("kv_cache.bytes_per_token", "per token"),
            ("state.bytes_per_sequence", "state"),
            ("kv_cache.bytes_per_sequence", "{context:,} tokens"),
            ("kv_cache.bytes", "batch of {batch:,}"),
        ),
    ),
    *(
        (section, tuple((f"roofline.{phase}.{name}", words) for name, words in _BOUNDS))
        for section, phase in BOUND_PHASES.items()
    ),
)
"""Section -> the lines shown in it and their labels."""

_WHERE_PRESENT = ("state.bytes_per_sequence",)
"""Lines that are shown where one of the designs has something of it."""

WITHOUT_RATIO = (
    "parameters.active_share",
    "state.bytes_per_sequence",
    *(f"roofline.{phase}.ridge" for phase in BOUND_PHASES.values()),
)
"""Lines that are a share, that many designs have none of, or that a device alone decides."""


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    query = answer.query
    query = {"precision": "own precision", **query}
    named = [column.ledger.named() for column in answer.columns]
    rows: list[list[str]] = []
    for section, quantities in ROWS:
        found = []
        for name, label in quantities:
            if not any(name in lines for lines in named):
                continue
            if name in _WHERE_PRESENT and not any(lines[name].value for lines in named):
                continue
            if name == "kv_cache.bytes" and query["batch"] == 1:
                continue
            found.append(
                [f"  {label.format_map(query)}", *(_cell(lines, name, exact) for lines in named)]
            )
        if found:
            words = section.format_map(query)
            if section in BOUND_PHASES:
                phase = BOUND_PHASES[section]
                found.append(["  bound by", *(_binding(lines, phase) for lines in named)])
            rows += [[words], *found]
    heading = (
        f"batch {query['batch']:,}; training and prefill of {query['sequence']:,} tokens, "
        f"decode at {query['context']:,}; ratios to {query['baseline']}"
    )
    if "hardware" in query:
        heading = f"{query['hardware']}, {heading}"
    headings = ["", *(column.title for column in answer.columns)]
    return View(heading, [Table("", headings, rows)])


def _cell(lines: dict[str, Line], name: str, exact: bool) -> str:  # noqa: FBT001
    text = show(lines.get(name), exact=exact)
    ratio = lines.get(f"ratio_to_baseline.{name}")
    if ratio is None or name in WITHOUT_RATIO:
        return text
    return Cell(f"{text} ({_times(ratio.value)})", lines[name])


def _times(value: float) -> str:
    if 0.1 <= value < 10:  # noqa: PLR2004 - where two decimals say enough
        return f"{value:.2f}x"
    if 0.001 <= value < 1000:  # noqa: PLR2004
        return f"{value:.3g}x" if value >= 1 else f"{value:.2g}x"
    return f"{value:.1e}x"


def _binding(lines: dict[str, Line], phase: str) -> str:
    compute, memory = (
        lines[f"roofline.{phase}.{kind}_time"].value for kind in ("compute", "memory")
    )
    return "compute" if compute >= memory else "memory"
