"""Tables of ``flops``: components, the total, and the three ways of counting attention."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import Cell, Table, View, show, show_share

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

LABELS = {
    "attention_projections": "attention projections",
    "attention_core": "attention core",
    "mixer_projections": "mixer projections",
    "mixer_core": "mixer core",
    "indexer": "DSA indexer",
    "compressor": "compressors",
    "hyper_connections": "hyper-connections",
    "altup": "AltUp",
    "laurel": "LAuReL",
    "per_layer_input": "per-layer inputs",
    "dense_ffn": "dense feed-forward",
    "latent_projections": "latent projections",
    "routed_experts": "routed experts",
    "shared_experts": "shared experts",
    "router": "router",
    "head": "head",
    "mtp": "MTP modules",
}
COUNTS = {
    "causal": "causal, exact",
    "full": "full, masked pairs too",
    "half": "half, S²/2",
}


STEP = {
    "flops.total": "verification",
    "flops.drafts": "drafts",
    "flops.step": "both",
    "flops.tokens_per_step": "tokens that a step yields",
    "flops.per_output_token": "FLOPs of each of them",
}


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    column = answer.columns[0]
    named = column.ledger.named()
    total, tokens = named["flops.total"], named["flops.tokens"]
    query = answer.query
    heading = (
        f"{column.title}: {query['phase']}, batch {query['batch']:,}, "
        f"{_sequences(query['sequence'])}, {query['past']:,} cached"
    )
    rows = []
    if total.rule == "sum":
        components = [(line.tags.component, line) for line in total.parts if line.value]
        rows = [
            [LABELS.get(name, name), *_cells(line, tokens, exact), show_share(line, total)]
            for name, line in components
        ]
    rows.append(["total", *_cells(total, tokens, exact), show_share(total, total)])
    tables = [Table("", ["component", "FLOPs", "per token", "share"], rows)]
    counts = [(count, named.get(f"flops.by_attention.{count}")) for count in COUNTS]
    if len({line.value for _, line in counts if line is not None}) > 1:
        tables.append(
            Table(
                "",
                ["attention counted", "FLOPs", "per token"],
                [
                    [COUNTS[count], *_cells(line, tokens, exact)]
                    for count, line in counts
                    if line is not None
                ],
            )
        )
    if "flops.step" in named:
        shown = [(name, words) for name, words in STEP.items() if name in named]
        steps = [[words, show(named[name], exact=exact)] for name, words in shown]
        tables.append(Table("", ["speculation", "of a step"], steps))
    counted_as = query.get("library") or query.get("convention")
    convention = f"as {counted_as}: {total.convention}" if counted_as else total.convention
    return View([heading, convention], tables)


MOST_LENGTHS = 8
"""Lengths of a packed batch that the heading names."""


def _sequences(given: int | list[int]) -> str:
    if isinstance(given, int):
        return f"{given:,} new {'token' if given == 1 else 'tokens'} each"
    listed = ", ".join(f"{length:,}" for length in given[:MOST_LENGTHS])
    more = f" and {len(given) - MOST_LENGTHS} more" if len(given) > MOST_LENGTHS else ""
    return f"packed sequences of {listed}{more} tokens"


def _cells(line: Line, tokens: Line, exact: bool) -> list[str]:  # noqa: FBT001
    if exact:
        whole, rest = divmod(line.value, tokens.value)
        per_token = f"{whole:,} FLOP" if not rest else f"{line.value:,}/{tokens.value:,} FLOP"
    else:
        per_token = format_quantity(line.value / tokens.value, "FLOP")
    return [show(line, exact=exact), Cell(per_token, None, (line, tokens))]
