"""Assertions of other projects' suites, on the small models of their tests.

Those on models that are shipped are goldens, in presets/goldens/peers.
"""

# SPDX-License-Identifier: Apache-2.0
import json

import pytest

import dsv3calc

SOURCES = {
    "sources": {"peer": {"kind": "assumed", "citation": "a test", "read": "2026-11-29"}},
    "provenance": {"default": "peer"},
}


@pytest.fixture
def model(tmp_path):
    def written(**fields):
        path = tmp_path / "peer.yaml"
        fields = {"name": "peer", "title": "peer", "precision": "bf16"} | fields | SOURCES
        path.write_text(json.dumps(fields))  # JSON is YAML, and has no anchors
        return str(path)

    return written


def gqa(heads, key_values, head_dim, **more):
    return {"type": "gqa", "num_attention_heads": heads, "num_key_value_heads": key_values,
            "head_dim": head_dim} | more  # fmt: skip


def test_verl_packed_batch_of_gemma_3(tmp_path):
    """volcengine/verl at b178a3cd, tests/utils/test_flops_counter.py, 512, 1,024 and 2,048 tokens.

    It asserts 279,084,659,638,272. It counts the embedding's lookup as a product, 6 V h for each
    of 3,584 tokens, and halves S W of window layers, where the band less its corner has
    S W - W²/2 pairs: 40 layers of 2,048 tokens, 16 heads of 256.
    """
    path = tmp_path / "gemma.json"
    path.write_text(json.dumps({
        "model_type": "gemma3_text", "vocab_size": 262208, "hidden_size": 3840,
        "intermediate_size": 15360, "num_hidden_layers": 48, "num_attention_heads": 16,
        "num_key_value_heads": 8, "head_dim": 256, "sliding_window": 1024, "layer_types": None,
        "sliding_window_pattern": 6,
    }))  # fmt: skip
    found = dsv3calc.query(f"flops {path} --seq 512,1024,2048 --attention half")
    lookups = 6 * 262208 * 3840 * 3584
    assert found["flops.total"] == 258_463_531_794_432
    bands = 1_030_792_151_040
    assert found["flops.total"] == 279_084_659_638_272 - lookups + bands


def test_llm_analysis_full_recomputation(model):
    """cli99/llm-analysis at d841e40a, outputs_train of megatron-lm-175b: 4 x forward."""
    path = model(
        hidden_size=12288, vocab_size=50272, num_hidden_layers=96, tie_word_embeddings=True,
        groups=[{
            "attention": gqa(96, 96, 128),
            "feed_forward": {"type": "dense", "intermediate_size": 49152, "gated": False},
            "block_norms": 0,
        }],
    )  # fmt: skip
    query = f"flops {path} --seq 2048 --batch 4 --attention full --recompute full"
    assert dsv3calc.query(query)["flops.total"] == 11_756_880_267_313_152


def test_maxtext_chunked_attention(model):
    """AI-Hypercomputer/maxtext at e591f30c, tests/unit/flop_calculation_test.py, Llama 4's mix."""
    dense = {"type": "dense", "intermediate_size": 1024}
    chunked = {"span": "chunked", "attention_chunk_size": 1024}
    path = model(
        hidden_size=512, vocab_size=1000, num_hidden_layers=16, tie_word_embeddings=False,
        groups=[
            {"layers": "0:4", "attention": gqa(16, 16, 128), "feed_forward": dense},
            {"layers": "4:", "attention": gqa(16, 16, 128, **chunked), "feed_forward": dense},
        ],
    )  # fmt: skip
    found = dsv3calc.query(f"flops {path} --seq 4096 --batch 2 --attention half")
    assert found["flops.components.attention_core"] == 2_886_218_022_912


def test_bridge_bytes_of_experts(model):
    """NVIDIA-NeMo/Megatron-Bridge at 067f987d, test_theoretical_memory_utils.py: 61,068 bytes.

    It leaves out routers, 256 parameters, and halves norms over tp, 144: 6.75 bytes each.
    """
    heads = gqa(4, 4, 4)
    experts = {"type": "moe", "n_routed_experts": 8, "num_experts_per_tok": 1,
               "moe_intermediate_size": 32, "n_shared_experts": 0, "gated": False}  # fmt: skip
    dense = {"type": "dense", "intermediate_size": 64, "gated": False}
    path = model(
        hidden_size=16, vocab_size=32, num_hidden_layers=4, tie_word_embeddings=True, norm="layer",
        norm_bias=True,
        groups=[
            {"layers": "0::2", "attention": heads, "feed_forward": experts},
            {"layers": "1::2", "attention": heads, "feed_forward": dense},
        ],
    )  # fmt: skip
    found = dsv3calc.query(
        f"memory {path} --hardware h100 --tp 2 --cp 2 --dp 8 --ep 4 --etp 1 --zero 1 "
        "--micro-batch 2 --seq 8 --sequence-parallel --recompute selective"
    )
    states = sum(found[f"memory.worst.{part}"] for part in ("weights", "gradients", "optimizer"))
    assert states == 61_068 + (256 + 144) * 27 // 4
