"""Assertions of other projects' suites, on the small models of their tests.

Those on models that are shipped are goldens, in presets/goldens/peers. Servers of TensorRT-LLM are
scored in tests/accounting/memory/test_engines.py. Not here is how many H800 train R1
(hiyouga/LlamaFactory issue 6824): nobody else says, so it would be only our own figure.
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


QWEN3_30B = {
    "hidden_size": 2048, "vocab_size": 151936, "num_hidden_layers": 48,
    "tie_word_embeddings": False,
    "groups": [{
        "layers": "rest",
        "attention": gqa(32, 4, 128, qk_norm="head"),
        "feed_forward": {
            "type": "moe", "moe_intermediate_size": 768, "n_routed_experts": 128,
            "num_experts_per_tok": 8, "n_shared_experts": 0,
        },
    }],
}  # fmt: skip
LLAMA_2_7B = {
    "hidden_size": 4096, "vocab_size": 32000, "num_hidden_layers": 32,
    "tie_word_embeddings": False,
    "groups": [{
        "layers": "rest",
        "attention": gqa(32, 32, 128),
        "feed_forward": {"type": "dense", "intermediate_size": 11008},
    }],
}  # fmt: skip


def test_cache_of_qwen3_30b_in_fp8(model):
    """vllm-project/vllm issue 25350: 48 x 2 x 4 x 128 bytes; 10.12 GiB for 221,000 tokens."""
    asked = "--kv-dtype fp8 --context 221000 --fit 10.55GiB --page-size 16"
    found = dsv3calc.query(f"kv {model(**QWEN3_30B)} {asked}")
    assert found["kv_cache.bytes_per_token"] == 49_152
    assert round(found["kv_cache.bytes"] / 2**30, 2) == 10.12
    # the log has 230,528 tokens, of a memory that it rounds to 10.55 GiB
    assert found["kv_cache.fit.tokens"] == 230_464


def test_experts_that_tensor_parallelism_divides_within_blocks(model):
    """vllm-project/vllm issue 25292: Qwen3-30B-A3B-FP8, 768 / 4 is no multiple of 128."""
    served = f"memory {model(**QWEN3_30B)} --serve --hardware h100 --precision fp8-deepseek-v3"
    assert dsv3calc.query(f"{served} --tp 4 --etp 4")["serving.loadable"] == 0
    assert dsv3calc.query(f"{served} --tp 4 --ep 4")["serving.loadable"] == 1


def test_r1_on_a100():
    """deepseek-ai/DeepSeek-R1 issue 460: the A100 has no FP8 units, which is told."""
    found = dsv3calc.answer("memory deepseek-v3 --serve --hardware a100-80g --tp 8")
    assert any("has no fp8 peak" in text for text in found.warnings)


def test_torchtitan_counts_qwen3_30b(model):
    """pytorch/torchtitan pull request 4300: 37,578,559,488 FLOP a token at 8,192 tokens."""
    asked = f"flops {model(**QWEN3_30B)} --seq 8192 --as torchtitan"
    assert dsv3calc.query(asked)["flops.per_token"] == 37_578_559_488


def test_scores_that_selective_recomputation_saves(model):
    """NVIDIA/Megatron-LM issues 1225, 464: 2 x 32 heads x 32 layers x 4,096² bytes, or nothing."""
    path = model(**LLAMA_2_7B)

    def kept(kernel, policy):
        asked = f"--hardware h100 --seq 4096 --attention-kernel {kernel} --recompute {policy}"
        return dsv3calc.query(f"memory {path} --tp 1 {asked}")["memory.worst.activations"]

    assert kept("unfused", "none") - kept("unfused", "selective") == 2 * 32 * 32 * 4096**2
    # a fused kernel keeps the logarithm of a sum, 4 bytes for each head and token
    assert kept("flash", "none") - kept("flash", "selective") == 4 * 32 * 32 * 4096


def test_a_cache_in_q8_0(tmp_path):
    """gpustack/gpustack issue 2101: 8 bits and a 16-bit scale for 32, 34 bytes, by hand."""
    path = tmp_path / "q8_0.yaml"
    form = {"name": "q8_0", "title": "q8_0", "bits": 8, "group_size": 32, "scale_bits": 16}
    path.write_text(json.dumps(form | SOURCES))
    found = dsv3calc.query(f"kv gemma-3-27b --context 85000 --kv-dtype {path}")
    layer = 2 * 16 * 128 // 32 * 34
    assert found["kv_cache.bytes"] == (10 * 85_000 + 52 * 1024) * layer == 3_930_935_296


def test_fp32_weights_that_accelerate_multiplies(model):
    """huggingface/accelerate pull request 1876: Adam takes four times these bytes."""
    found = dsv3calc.query(f"params {model(**LLAMA_2_7B)} --precision fp32")
    assert found["weights.bytes"] == 4 * 6_738_415_616 == 26_953_662_464


def test_an_untied_embedding_counted_as_a_product(model):
    """tenstorrent/tt-metal pull request 50114: MFU 35 % becomes 33.2 %, for TinyLlama."""
    path = model(
        hidden_size=2048, vocab_size=32000, num_hidden_layers=22, tie_word_embeddings=False,
        groups=[{
            "layers": "rest",
            "attention": gqa(32, 4, 64),
            "feed_forward": {"type": "dense", "intermediate_size": 5632},
        }],
    )  # fmt: skip
    found = dsv3calc.query(f"flops {path} --seq 2048 --attention full")["flops.per_token"]
    assert found / (found + 6 * 32000 * 2048) == pytest.approx(33.2 / 35, rel=2e-3)


def test_megatron_weights_and_optimizer_with_a_shared_expert(model):
    """NVIDIA/Megatron-LM at 1ab94968, test_weight_and_optimizer_memory.py: 3,195 bytes.

    It takes the mean of the two stages, each with the tied embedding.
    """
    heads = gqa(2, 2, 4)
    experts = {"type": "moe", "n_routed_experts": 4, "num_experts_per_tok": 1,
               "moe_intermediate_size": 16, "n_shared_experts": 1,
               "shared_expert_intermediate_size": 8, "gated": False}  # fmt: skip
    dense = {"type": "dense", "intermediate_size": 16, "gated": False}
    path = model(
        hidden_size=8, vocab_size=32, num_hidden_layers=2, tie_word_embeddings=True,
        groups=[
            {"layers": "0:1", "attention": heads, "feed_forward": dense},
            {"layers": "1:2", "attention": heads, "feed_forward": experts},
        ],
    )  # fmt: skip
    found = dsv3calc.query(
        f"memory {path} --hardware h100 --tp 2 --pp 2 --ep 2 --etp 4 --dp 16 --zero 1 "
        "--micro-batch 1 --seq 8"
    )
    states = [
        sum(found[f"memory.rank.{rank}.{part}"] for part in ("weights", "gradients", "optimizer"))
        for rank in (0, 1)
    ]
    assert sum(states) / 2 == 3195


def test_calculon_activations_of_the_530b_model(model):
    """calculon-ai/calculon at caa4b11f, calculon/llm/validation.py: 23.076171875 GiB, first rank.

    It leaves out the mask of the dropout after the embedding, s b h / t of each micro-batch.
    """
    path = model(
        hidden_size=20480, vocab_size=51200, num_hidden_layers=105, tie_word_embeddings=True,
        norm="layer", norm_bias=True,
        groups=[{
            "layers": "rest",
            "attention": gqa(128, 128, 160, attention_bias=True, output_bias=True),
            "feed_forward": {
                "type": "dense", "intermediate_size": 81920, "gated": False, "mlp_bias": True,
            },
        }],
    )  # fmt: skip
    found = dsv3calc.query(
        f"memory {path} --hardware a100-80g --tp 8 --pp 35 --dp 1 --schedule interleaved "
        "--virtual-pipeline 3 --micro-batch 1 --global-batch 280 --seq 2048 --dropout "
        "--attention-kernel unfused --recipe megatron-bf16 --recompute selective "
        "--sequence-parallel"
    )
    masks = 70 * 2048 * 20480 // 8  # the first chunk of the first of 35 stages has 70 in flight
    assert found["memory.rank.0.activations"] - masks == 23.076171875 * 2**30


def test_logits_in_two_widths():
    """A TypeScript test of Llama 3 8B at 8,192 tokens: BF16 logits and an FP32 copy, 6 bytes.

    That is what an eager loss keeps from its forward to its backward pass.
    """
    found = dsv3calc.query(
        "memory llama-3.1-8b --dp 1 --hardware h200 --seq 8192 --set setup.memory.loss=eager"
    )
    assert found["memory.buffers.logits_of_micro_batch"] == 6_304_038_912
