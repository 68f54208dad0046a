"""Families of hybrid models: small configs against what was measured on real tensors."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
from measured_hybrids import MEASURED

import dsv3calc
from dsv3calc.importers.huggingface import import_config
from dsv3calc.reading.source import Source

CONFIGS = Path(__file__).with_name("configs")


@pytest.mark.parametrize("name", MEASURED)
def test_a_small_model_is_counted_as_it_was_measured(name):
    path, measured = CONFIGS / f"{name}.json", MEASURED[name]
    found = dsv3calc.query(f"params {path} --variant trainable")
    assert found["parameters.total"] == measured.parameters
    library = "--as transformers"
    tokens = measured.tokens
    cache = dsv3calc.query(f"kv {path} --context {tokens} {library}")
    assert cache["kv_cache.bytes"] == measured.cache
    prefill = dsv3calc.query(f"flops {path} --phase prefill --seq {tokens} {library}")
    assert prefill["flops.total"] == measured.prefill
    past = 127 if tokens == 128 else tokens
    decode = dsv3calc.query(f"flops {path} --phase decode --context {past} {library}")
    assert decode["flops.total"] == measured.decode


_DEPTH = {"num_hidden_layers": 32, "num_attention_heads": 32}
_LFM2 = {"block_dim": 2048, "conv_dim": 2048, "conv_dim_out": 2048, "block_multiple_of": 256}
FULL_SIZE = {
    "apertus": ({"num_key_value_heads": 8, "intermediate_size": 21504, "vocab_size": 131072}, _DEPTH
                | {"hidden_size": 4096}, 8_053_338_176),
    "baichuan": ({"intermediate_size": 11008, "vocab_size": 125696, "hidden_size": 4096}, _DEPTH,
                 7_505_973_248),
    "bloom": ({"n_layer": 70, "n_head": 112}, {"n_embed": 14336, "vocab_size": 250880},
              176_247_271_424),
    "mpt": ({"n_layers": 32, "n_heads": 32}, {"d_model": 4096, "vocab_size": 50432},
            6_649_286_656),
    "lfm2": (_LFM2 | {"full_attn_idxs": [2, 5, 8, 10, 12, 14], "block_ff_dim": 12288},
             _DEPTH | {"num_hidden_layers": 16, "num_key_value_heads": 8, "hidden_size": 2048}
             | {"vocab_size": 65536}, 1_170_340_608),
}  # fmt: skip
"""Changes that make the small config that of Apertus-8B, Baichuan2-7B, BLOOM, MPT-7B, LFM2-1.2B,
and its parameters: where transformers has the class, those of the model built on the meta device,
else a count by hand from the shapes of the modelling code."""


@pytest.mark.parametrize("name", FULL_SIZE)
def test_a_model_of_full_size_has_the_parameters_of_another_count(name, tmp_path):
    changes, more, parameters = FULL_SIZE[name]
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    path = tmp_path / "config.json"
    path.write_text(json.dumps(data | changes | more), encoding="utf-8")
    assert dsv3calc.query(f"params {path}")["parameters.total"] == parameters


def test_mistrals_own_files_are_the_same_models(tmp_path):
    """A small file of each form, and Mistral Large 3 by hand: 673 billion, as its card says."""
    own = json.loads((CONFIGS / "mistral_params.json").read_text(encoding="utf-8"))
    groups = [
        import_config(Source("config.json", (CONFIGS / f"{name}.json").read_text())).data["groups"]
        for name in ("mistral_params", "mistral4")
    ]
    assert groups[0] == groups[1]
    sizes = {"dim": 7168, "hidden_dim": 16384, "n_heads": 128, "n_layers": 61, "vocab_size": 131072}
    sizes |= {"kv_lora_rank": 512, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "v_head_dim": 128}
    experts = {"expert_hidden_dim": 4096, "first_k_dense_replace": 3, "num_experts": 128}
    path = tmp_path / "params.json"
    large = own | sizes | {"qk_rope_head_dim": 64, "moe": own["moe"] | experts}
    path.write_text(json.dumps(large), encoding="utf-8")
    attention = 7168 * (1536 + 576 + 128 * 128) + 1536 * (128 * 192 + 1) + 512 * (128 * 256 + 1)
    sparse = 129 * 3 * 7168 * 4096 + 128 * 7168
    layers = 61 * (attention + 2 * 7168) + 3 * 3 * 7168 * 16384 + 58 * sparse
    total = dsv3calc.query(f"params {path}")["parameters.total"]
    assert total == 2 * 131072 * 7168 + layers + 7168
    assert round(total / 1e9) == 673


@pytest.mark.parametrize("name", ["qwen3_5", "qwen3_5_text"])
def test_dense_qwen_differs_in_the_feed_forward_alone(name):
    """One of 320 channels for 8 experts and a shared one of 64, its gate, and the router."""
    dense, sparse = (
        dsv3calc.query(f"params {CONFIGS / f'{each}.json'}")["parameters.total"]
        for each in (name, "qwen3_5_moe")
    )
    assert dense - sparse == 4 * 256 * (3 * 320 - 9 * 3 * 64 - 1 - 8)


def test_longcat():
    """Measured as the others, less what transformers allocates for experts without weights.

    On real tensors a choice without weights costs nothing: torch counted fewer FLOPs of a token
    than of three experts with weights, by whole experts.
    """
    path = CONFIGS / "longcat_flash.json"
    found = dsv3calc.query(f"params {path} --variant trainable")
    expert = 3 * 256 * 64
    unused = 2 * 4 * 2 * 256 * 64
    assert found["parameters.total"] == 5_909_120 - unused
    active = dsv3calc.query(f"params {path}")
    assert active["parameters.total"] - active["parameters.active"] == 2 * (8 - 2) * expert
    cache = dsv3calc.query(f"kv {path} --context 200 --as transformers")
    assert cache["kv_cache.bytes"] == 921_600
    decode = dsv3calc.query(f"flops {path} --phase decode --context 200 --as transformers")
    saved, rest = divmod(decode["flops.total"] - 850_663_424, 2 * expert)
    assert (rest, 0 <= saved <= 2 * 3) == (0, True)
    expected = dsv3calc.query(f"flops {path} --phase decode --context 200")
    routed = expected["flops.components.routed_experts"]
    assert routed == 2 * 2 * 2 * expert  # two layers, of 3 choices 2 with weights


def test_kimi_k3_has_what_kimi_linear_lacks():
    """Counted by hand, as published descriptions have it: there is no class to build."""
    found = dsv3calc.query(f"params {CONFIGS / 'kimi_k3.json'} --by tensor")
    layers, hidden, latent, experts = 4, 256, 64, 8
    width = 32 * 128
    components = {
        "attention_residuals": (2 * 2 * layers + 2) * hidden,
        "latent_projections": 3 * 2 * hidden * latent,
        "routed_experts": 3 * experts * 3 * latent * 64,
        "shared_experts": 3 * 3 * hidden * 2 * 64,
    }
    for name, count in components.items():
        assert found[f"parameters.components.{name}"] == count
    one_matrix = found["parameters.components.mixer.g_proj"]
    assert one_matrix == 3 * width * hidden
    query, key_value = 96 * hidden + 4 * 192 * 96, 576 * hidden + 4 * 256 * 512
    gate = output = 4 * 128 * hidden
    assert found["parameters.components.attention"] == query + key_value + output + gate
