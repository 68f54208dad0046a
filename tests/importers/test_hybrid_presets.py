"""Presets of hybrid models against counts of the classes that transformers builds from their files.

Parameters with routing biases, cache a token and state a sequence as the library keeps it, and
what publishers state. Kimi-K3 has no class: its numbers are sums of a reading of its file.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import NamedTuple

import pytest

import dsv3calc


class Counted(NamedTuple):
    """Parameters, those active without the input embedding, cache a token, state a sequence."""

    total: int
    active: int
    growing: int
    state: int


COUNTED = {
    "qwen3-next-80b-a3b": Counted(79_674_391_296, 3_563_764_480, 24_576, 77_856_768),
    "qwen3.5-397b-a17b": Counted(396_346_350_336, 16_331_922_176, 30_720, 193_167_360),
    "qwen3.5-27b": Counted(26_895_998_464, 25_624_600_064, 65_536, 154_927_104),
    "kimi-linear-48b-a3b": Counted(49_122_681_728, 3_106_972_544, 8_064, 43_909_120),
    "kimi-k3": Counted(2_779_484_476_000, 104_189_612_640, 27_648, 454_459_392),
    "nemotron-3-super-120b-a12b": Counted(120_668_707_840, 12_233_366_528, 8_192, 171_048_960),
    "granite-4.0-h-small": Counted(32_207_337_984, 8_803_121_664, 16_384, 153_427_968),
}


@pytest.mark.parametrize("name", COUNTED)
def test_a_preset_is_the_model_that_was_counted(name):
    counted = COUNTED[name]
    parameters = dsv3calc.query(f"params {name}")
    assert parameters["parameters.total"] == counted.total
    assert parameters["parameters.active_without_embedding"] == counted.active
    cache = dsv3calc.query(f"kv {name} --as transformers")
    assert cache["kv_cache.growing_bytes_per_token"] == counted.growing
    assert cache["state.bytes_per_sequence"] == counted.state


@pytest.mark.parametrize(
    ("name", "whole"),
    [("qwen3.5-397b-a17b", 396_802_360_816), ("qwen3.5-27b", 27_356_728_560)],
)
def test_the_whole_with_its_tower(name, whole):
    assert dsv3calc.query(f"params {name}")["parameters.whole"] == whole


def test_prediction_modules():
    """Qwen's are built by transformers; Nemotron's is a reading, 512 routing biases included."""
    for name, modules in (
        ("qwen3-next-80b-a3b", 1_650_471_424),
        ("qwen3.5-397b-a17b", 6_595_568_128),
        ("nemotron-3-super-120b-a12b", 2_942_324_736 + 512),
    ):
        assert dsv3calc.query(f"params {name}")["parameters.mtp"] == modules


def test_what_publishers_state_as_active():
    """NVIDIA counts no input embedding, MiniMax neither embedding nor head."""
    nano = dsv3calc.query("params nemotron-3-nano-30b-a3b")
    assert nano["parameters.active_without_embedding"] == 3_227_754_816
    text = dsv3calc.query("params minimax-text-01")
    assert text["parameters.total"] == 456_089_655_296
    head = text["parameters.components.head"]
    assert text["parameters.active_without_embedding"] - head == 45_944_920_064


def test_engines_keep_a_column_less_and_lightning_in_fp32():
    columns = dsv3calc.query("kv qwen3-next-80b-a3b")["state.bytes_per_sequence"]
    assert columns == 75_497_472 + 2_359_296 * 3 // 4
    engines = dsv3calc.query("kv minimax-text-01")["state.bytes_per_sequence"]
    library = dsv3calc.query("kv minimax-text-01 --as transformers")["state.bytes_per_sequence"]
    assert engines == 2 * library == 70 * 64 * 128 * 128 * 4
    small = "--set state_dtype=bfloat16"
    assert dsv3calc.query(f"kv minimax-text-01 {small}")["state.bytes_per_sequence"] == library


def test_a_token_costs_as_much_at_any_depth_of_the_context():
    """6 FLOP an element of the state, in the 36 linear layers."""
    near, far = (
        dsv3calc.query(f"flops qwen3-next-80b-a3b --phase decode --context {past}")
        for past in (127, 1_000_000)
    )
    convolution = 36 * 2 * 4 * 8192
    assert near["flops.components.mixer_core"] == 113_246_208 + convolution
    assert far["flops.components.mixer_core"] == near["flops.components.mixer_core"]
    assert far["flops.components.attention_core"] > near["flops.components.attention_core"]
