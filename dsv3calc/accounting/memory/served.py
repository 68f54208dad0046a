"""What a server runs: presets and the numbers of the workload."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from dsv3calc.accounting.traffic.exchange import Exchange
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.schema.setup import SetupBlocks, SetupMemory
    from dsv3calc.schema.workload import Conventions


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What is served, and how: presets and the numbers of the workload.

    ``batch`` sequences of ``context`` tokens are those of one attention replica, ``tokens`` what a
    pass of it computes. ``memory_share`` is in millionths of what the engine takes it of, or None.
    ``blocks`` says what happens to parts of blocks. ``absorbed`` keeps a BF16 copy of MLA's
    ``kv_b_proj`` beside the weights.
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
