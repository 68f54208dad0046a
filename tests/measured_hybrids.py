"""Small models whose parameters, cache and FLOPs were measured on real tensors.

Each is the config of that name in ``importers/configs``, built by transformers 5.24: parameters
without buffers, bytes of the cache in BF16 after 200 tokens, FLOPs that torch counted of a prefill
of 200 tokens and of one token more.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import NamedTuple


class Measured(NamedTuple):
    """What was measured of one small model."""

    parameters: int
    cache: int
    prefill: int
    decode: int


MEASURED = {
    "qwen3_next": Measured(4_683_928, 1_220_608, 1_964_892_160, 7_587_840),
    "qwen3_5_moe": Measured(4_683_928, 1_220_608, 1_964_892_160, 7_587_840),
    "qwen3_5_moe_text": Measured(4_683_928, 1_220_608, 1_964_892_160, 7_587_840),
}

ALIKE = {"qwen3_5": "qwen3_5_moe", "qwen3_5_text": "qwen3_5_moe_text"}
"""Types that differ from a measured one in the feed-forward alone."""
