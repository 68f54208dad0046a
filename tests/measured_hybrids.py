"""Small models whose parameters, cache and FLOPs were measured on real tensors.

Each is the config of that name in ``importers/configs``, built by transformers 5.24: parameters
without buffers, bytes of the cache in BF16 after some tokens, FLOPs that torch counted of a prefill
of these tokens and of one token more.
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
    tokens: int = 200


_QWEN = Measured(4_683_928, 1_220_608, 1_964_892_160, 7_587_840)
_MINIMAX = Measured(47_373_946_880, 25_165_824, 3_448_321_867_776, 26_906_460_160, 128)
"""As large as the library's default, and not built with real tensors but in their shapes."""

MEASURED = {
    "qwen3_next": _QWEN,
    "qwen3_5_moe": _QWEN,
    "qwen3_5_moe_text": _QWEN,
    "nemotron_h": Measured(3_234_144, 1_286_144, 1_936_654_336, 6_862_848),
    "kimi_linear": Measured(18_953_440, 6_816_768, 10_895_982_592, 246_368_768),
    "bailing_hybrid": Measured(7_506_836, 1_602_560, 3_805_040_640, 225_028_608),
    "falcon_h1": Measured(1_815_344, 741_376, 1_493_766_144, 4_048_896),
    "jamba": Measured(8_447_056, 360_448, 2_574_831_616, 12_903_424),
    "mamba2": Measured(1_326_896, 540_672, 1_014_743_040, 2_662_400),
    "granitemoehybrid": Measured(3_503_176, 907_264, 1_774_819_328, 5_252_096),
    "minimax": _MINIMAX,
    "minimax_text_01": _MINIMAX,
    "minimax_m1": _MINIMAX,
    "gemma": Measured(261_184, 204_800, 186_163_200, 932_864),
    "glm": Measured(276_544, 102_400, 125_542_400, 628_736),
    "glm4": Measured(277_056, 102_400, 125_542_400, 628_736),
    "arcee": Measured(243_264, 102_400, 112_435_200, 563_200),
    "solar_open": Measured(394_816, 204_800, 169_779_200, 850_944),
    "exaone_moe": Measured(377_664, 99_584, 173_875_200, 660_992),
    "hy_v3": Measured(377_664, 204_800, 173_875_200, 871_424),
    "mamba": Measured(194_880, 36_864, 77_221_888, 390_144),
    "falcon_mamba": Measured(194_880, 36_864, 77_221_888, 390_144),
    "bamba": Measured(330_056, 79_360, 166_979_072, 609_536),
    "phi": Measured(245_864, 102_400, 112_435_200, 563_200),
    "opt": Measured(230_912, 204_800, 118_988_800, 595_968),
    "falcon": Measured(171_136, 51_200, 109_158_400, 546_816),
    "apertus": Measured(276_168, 102_400, 125_542_400, 628_736),
    "bloom": Measured(264_192, 204_800, 145_203_200, 727_040),
    "mpt": Measured(261_184, 204_800, 145_203_200, 727_040),
    "lfm2": Measured(450_688, 52_736, 200_399_872, 1_004_032),
    "lfm2_moe": Measured(526_464, 52_736, 142_236_672, 713_216),
    "nemotron": Measured(350_848, 153_600, 175_513_600, 879_104),
    "granitemoe": Measured(584_000, 153_600, 161_996_800, 811_520),
    "granitemoeshared": Measured(694_592, 153_600, 206_233_600, 1_032_704),
    "afmoe": Measured(635_648, 67_072, 200_908_800, 833_024),  # less 32 that no gradient trains
    "youtu": Measured(363_104, 57_600, 221_593_600, 6_025_088),
    "minicpm3": Measured(363_104, 57_600, 221_593_600, 6_025_088),
    "mistral4": Measured(660_064, 57_600, 204_185_600, 5_938_048),
}

OTHERWISE = {
    "bailing_moe_v2",
    "baichuan",
    "internlm2",
    "glm4v_moe",
    "glm4v_moe_text",
    "mimo",
    "mistral_params",
    "minimax_m3",
    "nemotron-nas",
    "qwen2_5_vl",
    "qwen2_5_vl_text",
    "qwen3_omni_moe",
    "qwen3_omni_moe_text",
    "kimi_k3",
    "longcat_flash",
    "qwen3_5",
    "qwen3_5_text",
}
"""Types of which other tests hold the numbers."""
