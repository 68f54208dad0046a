"""What a server runs: presets and the numbers of the workload."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import served_batches
from dsv3calc.ledger.line import computed, given

if TYPE_CHECKING:
    from dsv3calc.accounting.traffic.exchange import Exchange
    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.schema.setup import SetupBlocks, SetupMemory
    from dsv3calc.schema.workload import Conventions


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What is served, and how: presets and the numbers of the workload.

    ``batch`` sequences of ``context`` tokens are those of one attention replica, ``tokens`` what a
    pass of it computes. ``memory_share`` is in millionths of what the engine takes it of, or None.
    ``concurrency`` are the sequences of the instance, where those are given and not ``batch``.
    ``blocks`` says what happens to parts of blocks. ``absorbed`` keeps a BF16 copy of MLA's
    ``kv_b_proj`` beside the weights. ``experts_on_host`` says that the host holds routed experts.
    """

    precision: Precision
    kv_format: KVFormat
    software: SetupMemory
    blocks: SetupBlocks
    conventions: Conventions
    exchange: Exchange
    context: Any
    batch: Any
    tokens: Any
    memory_share: Any
    page_size: Any
    state_interval: Any = None
    absorbed: bool = False
    low_latency: bool = False
    mtp: bool = False
    imbalance: Any = 1
    concurrency: Any = None
    experts_on_host: bool = False

    def sequences(self, layout: Layout) -> Line:
        """Give the sequences of one attention replica: the fullest one's, as others are padded."""
        if self.concurrency is None:
            words = "sequences of one attention replica"
            return given("workload.batch", self.batch, "1", words)
        return computed(
            "serving.padded_batch",
            served_batches.fullest_part,
            convention="replicas are padded to the largest",
            batch=given("concurrency", self.concurrency, "1", "sequences of the instance"),
            batch_parts=degree(layout, "dp"),
        )
