"""Presets of hybrid models against counts of the classes that transformers builds from their files.

Parameters with routing biases, cache a token and state a sequence as the library keeps it, and
what publishers state. Kimi-K3 has no class: its numbers are sums of a reading of its file.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
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
    "jamba-v0.1": Counted(51_570_323_328, 11_841_875_840, 16_384, 16_515_072),
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
    [
        ("qwen3.5-397b-a17b", 396_802_360_816),
        ("qwen3.5-27b", 27_356_728_560),
        ("gemma-4-26b-a4b", 25_805_933_872),
        ("minimax-m3", 427_040_132_864 + 57 * 128),  # with the routing biases
    ],
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


def test_copies_of_the_state_for_prefix_caching():
    """One state at the end and one for each whole interval, in cache, batch and what fits."""
    plain = dsv3calc.query("kv qwen3.5-27b --context 100000 --batch 3")
    copied = dsv3calc.query("kv qwen3.5-27b --context 100000 --batch 3 --state-interval 16384")
    state = plain["state.bytes_per_sequence"]
    assert copied["state.bytes_per_sequence"] == state
    assert copied["state.copies_bytes_per_sequence"] == 6 * state
    assert copied["kv_cache.bytes"] - plain["kv_cache.bytes"] == 3 * 6 * state
    asked = "kv qwen3.5-27b --context 100000 --fit 40GiB"
    fewer = dsv3calc.query(f"{asked} --state-interval 1024")["kv_cache.fit.sequences"]
    each = 100_000 * 65_536 + 98 * state
    assert fewer == 40 * 2**30 // each < dsv3calc.query(asked)["kv_cache.fit.sequences"]


def test_a_server_keeps_states_beside_the_cache():
    asked = "memory qwen3.5-27b --serve --tp 4 --hardware h200 --context 65536 --batch 8"
    served = dsv3calc.query(asked)
    state = dsv3calc.query("kv qwen3.5-27b")["state.bytes_per_sequence"]
    assert served["serving.state_bytes_per_sequence"] == state // 4
    assert served["serving.kv_bytes_per_sequence"] == 65_536 * 65_536 // 4 + state // 4
    left = served["serving.kv_pool"] - 8 * state // 4
    assert served["serving.kv_tokens"] == left // (65_536 // 4) // 64 * 64
    copied = dsv3calc.query(f"{asked} --state-interval 8192")
    assert copied["serving.kv_bytes"] - served["serving.kv_bytes"] == 8 * 8 * state // 4


def test_a_windowed_layer_is_full_at_its_window():
    found = dsv3calc.query("kv gemma-3-27b --context 128Ki")
    windows = found["kv_cache.window_bytes_per_sequence"]
    grown = 131_072 * found["kv_cache.growing_bytes_per_token"]
    assert found["kv_cache.bytes_per_sequence"] == grown + windows


def test_a_model_of_state_alone_holds_any_context():
    """Mamba-2: no token takes anything, in what fits as in a server."""
    config = Path(__file__).with_name("configs") / "mamba2.json"
    answer = dsv3calc.answer(f"kv {config} --fit 1GiB")
    ledger = answer.columns[0].ledger
    assert ledger["kv_cache.bytes_per_token"] == 0
    assert ledger["kv_cache.bytes"] == ledger["state.bytes_per_sequence"]
    assert any("any number of tokens fits" in text for text in answer.warnings)
    served = dsv3calc.query(f"memory {config} --serve --tp 2 --hardware h800")
    assert served["serving.kv_bytes_per_sequence"] == ledger["state.bytes_per_sequence"] // 2
