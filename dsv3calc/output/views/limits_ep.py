"""Table of ``limits ep``: the limit as asked for, and as the other convention counts it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View, show

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

ROWS = (
    ("all_to_all_time", "dispatch and combine"),
    ("time_per_layer", "per layer, two micro-batches"),
    ("tpot", "per output token"),
    ("tokens_per_second", "tokens per second, at most"),
    ("messages_per_second", "messages of a device a second"),
    ("proxy_seconds", "  time for one of a node's, one thread"),
    ("nic_bandwidth", "bandwidth that the host's traffic leaves"),
    ("in_network_share", "bytes with multicast and reduction"),
    ("in_network_tpot", "  per output token with them"),
    ("transfer_ratio", "combine, bytes over BF16"),
    ("codec_factor", "  its time with encoding and decoding"),
    ("codec_break_even", "  codec overhead, at most"),
    ("compute_time", "computation of a layer, at peaks"),
    ("compute_over_exchange", "  divided by communication"),
    ("tpot_with_computation", "per output token with computation"),
    ("mtp_gain", "gain of multi-token prediction"),
    ("tokens_per_second_with_mtp", "tokens per second with it, at most"),
)
OTHERS = ("isca25", "as-configured")


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    column = answer.columns[0]
    named = column.ledger.named()
    query = answer.query
    prefixes = {query["convention"]: "limits.ep"}
    for other in OTHERS:
        prefix = f"limits.ep.{other.replace('-', '_')}"
        if other != query["convention"] and f"{prefix}.tpot" in named:
            prefixes[other] = prefix
    rows = []
    for name, words in ROWS:
        lines = [named.get(f"{prefix}.{name}") for prefix in prefixes.values()]
        if lines[0] is not None:
            rows.append([words, *(show(line, exact=exact) for line in lines)])
    heading = [
        f"{column.title}: limit of expert parallelism on {query['hardware']}",
        (
            f"{query['link']} link, {query['bandwidth']} bandwidth, "
            f"{query['tokens']:,} tokens per device"
        ),
    ]
    return View(heading, [Table("", ["lower bound on time", *prefixes], rows)])
