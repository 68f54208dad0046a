"""Tables of ``host``: experts in a host's memory, cached contexts, states of training."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View, show

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

SECTIONS = (
    (
        "experts in the host's memory, all else on one device",
        (
            ("experts.bytes", "experts"),
            ("experts.host_left", "  free on the host"),
            ("experts.resident_bytes", "on the device, with the cache"),
            ("experts.device_left", "  free on the device"),
            ("experts.bytes_per_token", "experts of one token"),
            ("experts.host_seconds", "  read by the host at its peak"),
            ("experts.device_seconds", "read by the device at its peak"),
            ("experts.tpot.bound", "time per output token, at least"),
            ("experts.tokens_per_second.bound", "  tokens/s, at most"),
            ("experts.tpot.estimate", "time per output token as fitted"),
            ("experts.tokens_per_second.estimate", "  tokens/s"),
            ("experts.prefill_tokens_per_second.bf16", "prefill by the CPUs' BF16 peak, tokens/s"),
            ("experts.prefill_tokens_per_second.int8", "prefill by the CPUs' INT8 peak, tokens/s"),
        ),
    ),
    (
        "cached contexts of a node",
        (
            ("cache.bytes_per_token", "cache of a token"),
            ("cache.break_even_bandwidth", "reloading is faster from"),
            ("cache.recompute_seconds", "recomputing the context"),
            ("cache.reload_seconds.dram", "  reloaded from the host's memory"),
            ("cache.speed_up.dram", "    speed-up"),
            ("cache.reload_seconds.storage", "  reloaded from the storage"),
            ("cache.speed_up.storage", "    speed-up"),
            ("cache.prefill_nodes_share", "prefill nodes, over those without a cache"),
            ("cache.reload_bandwidth", "reloads of a node"),
            ("cache.retained_bytes", "capacity for a node"),
        ),
    ),
    (
        "states of training that a device keeps in the host's memory",
        (
            ("states.optimizer.bytes", "optimizer"),
            ("states.optimizer.seconds", "  to move it, each way"),
            ("states.optimizer.exposed", "  not hidden"),
            ("states.average.bytes", "average of the weights"),
            ("states.average.seconds", "  to move it, each way"),
            ("states.average.exposed", "  not hidden"),
            ("states.activations.held", "activations"),
            ("states.activations.bytes", "  moved in a step, each way"),
            ("states.activations.seconds", "  to move them"),
            ("states.activations.exposed", "  not hidden"),
            ("states.host_bytes", "optimizer and average in a host, at most"),
        ),
    ),
)


def build(answer: Answer, *, exact: bool) -> View:
    """Build a table for each part that was answered."""
    column = answer.columns[0]
    named = column.ledger.named()
    tables = []
    for title, rows in SECTIONS:
        shown = [
            [words, show(named[f"host.{name}"], exact=exact)]
            for name, words in rows
            if f"host.{name}" in named
        ]
        if shown:
            tables.append(Table("", [title, ""], shown))
    query = answer.query
    heading = [
        f"{column.title}: the host of {query['hardware']}",
        f"{query['precision']}, {query['context']:,} tokens of context",
    ]
    return View(heading, tables)
