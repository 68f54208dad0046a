"""How a hidden state is written on a link: width of an element, and what is sent with it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import msgspec


class TransferFormat(msgspec.Struct, frozen=True, kw_only=True):
    """A format of a sent hidden state.

    Every ``group_size`` elements share ``scale_bits`` (the two ends of the range, where a format
    keeps both). ``kind`` and ``citation`` say where the figures come from, as in a preset.
    """

    name: str
    title: str
    bits: int
    group_size: int
    scale_bits: int
    kind: str
    citation: str
    url: str = ""
    read: str = "2026-11-23"

    def without_scales(self) -> TransferFormat:
        """Return the format as papers count it: its elements alone."""
        return msgspec.structs.replace(
            self, name=f"{self.name} without scales", group_size=1, scale_bits=0
        )


_REPORT = "https://arxiv.org/abs/2412.19437"
_DEEPEP = "https://github.com/deepseek-ai/DeepEP"
_LOGFMT = (
    "deepseek-ai/DeepEP, low-latency combine with LogFMT: the smallest and the largest value of "
    "128 elements in BF16; arXiv:2505.09343 section 3.2 names the tile, not how they are stored"
)

FORMATS = {
    each.name: each
    for each in (
        TransferFormat(
            name="bf16",
            title="BF16",
            bits=16,
            group_size=1,
            scale_bits=0,
            kind="paper",
            citation="arXiv:2412.19437v1, section 3.3.3: combine stays in BF16",
            url=_REPORT,
        ),
        TransferFormat(
            name="fp8",
            title="FP8, an FP32 scale for each tile of 1x128",
            bits=8,
            group_size=128,
            scale_bits=32,
            kind="paper",
            citation="arXiv:2412.19437v1, sections 3.3.2 and 3.3.3 (1x128 tiles); the FP32 scales "
            "are those of the tests of deepseek-ai/DeepEP",
            url=_REPORT,
        ),
        TransferFormat(
            name="e5m6",
            title="E5M6, 12 bits, a scale for each tile of 1x128",
            bits=12,
            group_size=128,
            scale_bits=32,
            kind="assumed",
            citation="12 bits: arXiv:2412.19437v1, section 3.3.3; assumed: scales, powers of two, "
            "are sent as FP32 like FP8's (8 bits would be enough)",
            url=_REPORT,
        ),
        TransferFormat(
            name="logfmt-8",
            title="LogFMT, 8 bits, two BF16 for each tile of 1x128",
            bits=8,
            group_size=128,
            scale_bits=32,
            kind="derived",
            citation=_LOGFMT,
            url=_DEEPEP,
        ),
        TransferFormat(
            name="logfmt-10",
            title="LogFMT, 10 bits, two BF16 for each tile of 1x128",
            bits=10,
            group_size=128,
            scale_bits=32,
            kind="derived",
            citation=_LOGFMT,
            url=_DEEPEP,
        ),
    )
}
"""Name -> format."""
