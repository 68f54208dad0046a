"""Presets with sparse, compressed or shared attention: what torch and their publishers count."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

import dsv3calc

# bytes that a token adds, on average: 2 entries in 4 tokens or one in 128, and index rows
GROWING = {
    ("deepseek-v4-pro", "bf16-index-bf16"): 9848,
    ("deepseek-v4-pro", "fp8-v4"): 5511.4375,
    ("deepseek-v4-pro", "fp8-v4-mxfp4-index"): 5031.4375,
    ("deepseek-v4-flash", "bf16-index-bf16"): 6880,
    ("deepseek-v4-flash", "fp8-v4"): 3850.25,
    ("deepseek-v4-flash", "fp8-v4-mxfp4-index"): 3514.25,
}
# what transformers' cache of DeepSeek-V4 held, layer by layer, at so many tokens
TRANSFORMERS = {
    "deepseek-v4-pro": {
        100: 14016000,
        128: 9654272,
        1000: 24818688,
        1001: 25035776,
        4096: 48731136,
    },
    "deepseek-v4-flash": {
        100: 9698560,
        128: 7055360,
        1000: 17297920,
        1001: 17446400,
        4096: 34355200,
    },
}


@pytest.mark.parametrize(("model", "kv_format"), GROWING)
def test_bytes_that_a_token_adds(model, kv_format):
    found = dsv3calc.query(f"kv {model} --context 1Mi --kv-dtype {kv_format}")
    assert found["kv_cache.growing_bytes_per_token"] == GROWING[model, kv_format]


@pytest.mark.parametrize("model", TRANSFORMERS)
def test_cache_of_transformers(model):
    for tokens, held in TRANSFORMERS[model].items():
        found = dsv3calc.query(f"kv {model} --context {tokens} --as transformers")
        assert found["kv_cache.bytes"] == held


@pytest.mark.parametrize("model", TRANSFORMERS)
def test_a_whole_sequence_is_what_grows_windows_and_state(model):
    found = dsv3calc.query(f"kv {model} --context 1Mi --kv-dtype bf16-index-bf16")
    layers = {"deepseek-v4-pro": 61, "deepseek-v4-flash": 43}[model]
    window = layers * 128 * 512 * 2
    growing = found["kv_cache.growing_bytes_per_token"] * 2**20
    assert found["kv_cache.bytes"] == growing + window + found["state.bytes_per_sequence"]


def test_state_of_compressors_by_hand():
    # values and weights in FP32: 8 tokens of two widths (CSA, its indexer), 128 of one (HCA)
    csa, hca = 2 * 8 * 2 * (512 + 128), 2 * 128 * 512
    found = dsv3calc.query("kv deepseek-v4-flash --context 1Mi")
    assert found["state.bytes_per_sequence"] == 4 * (21 * csa + 20 * hca)


def test_served_formats_are_for_compressed_attention_alone():
    with pytest.raises(dsv3calc.UsageError, match="compressed attention alone; deepseek-v3 has"):
        dsv3calc.query("kv deepseek-v3 --kv-dtype fp8-v4")


def test_gemma_shares_projections_and_windows():
    found = dsv3calc.query("params gemma-4-26b-a4b")
    assert found["parameters.total"] == 25_233_141_760
    assert found["parameters.active"] == 3_822_530_560


def test_streams_are_sent_between_stages():
    def sent(model, width):
        found = dsv3calc.query(f"traffic {model} --hardware h200 --pp 2 --dp 8 --global-batch 8")
        return found["traffic.collectives.pipeline.scale_out_bytes"] / (4096 * width * 2)

    assert sent("deepseek-v4-flash", 4 * 4096) == sent("deepseek-v3.2", 7168)


def test_megatron_refuses_what_stands_beside_layers_by_name():
    with pytest.raises(dsv3calc.UsageError, match="knows no hyper_connections"):
        dsv3calc.query("memory deepseek-v4-flash --hardware h200 --tp 8 --dp 8 --as megatron")
