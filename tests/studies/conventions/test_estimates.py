"""What libraries estimate themselves, by the formulas of their code written out again here."""

import pytest

import dsv3calc
from dsv3calc.errors import UsageError


def vllm_attention(model, tokens, pairs):
    """Projections and cores of vllm/v1/metrics/perf.py at 00cee63e, class AttentionMetrics."""
    hidden, heads, key_values, width, layers = model
    projections = 2 * tokens * hidden * width * layers * (2 * heads + 2 * key_values)
    return projections + 4 * heads * width * pairs * layers


@pytest.mark.parametrize(
    ("phase", "tokens", "context", "logits"), [("prefill", 4096, 4096, 1), ("decode", 1, 4097, 1)]
)
def test_vllm_counts_a_dense_model(phase, tokens, context, logits):
    llama = (4096, 32, 8, 128, 32)
    expected = vllm_attention(llama, tokens, tokens * context)
    expected += 2 * 4096 * 3 * 14336 * tokens * 32
    expected += 2 * logits * 4096 * 128256
    found = dsv3calc.query(f"flops llama-3.1-8b --phase {phase} --as vllm")
    assert found["flops.total"] == expected


@pytest.mark.parametrize(
    ("phase", "tokens", "context"), [("prefill", 4096, 4096), ("decode", 1, 4097)]
)
def test_vllm_clamps_the_context_of_windows(phase, tokens, context):
    """Gemma 3 27B: 52 layers with a window of 1,024 and 10 without."""
    shape = (5376, 32, 16, 128)
    expected = vllm_attention((*shape, 10), tokens, tokens * context)
    expected += vllm_attention((*shape, 52), tokens, tokens * min(context, 1024))
    expected += 2 * 5376 * 3 * 21504 * tokens * 62
    expected += 2 * 5376 * 262208
    found = dsv3calc.query(f"flops gemma-3-27b --phase {phase} --as vllm")
    assert found["flops.total"] == expected


def test_vllm_expands_mla_in_decoding():
    tokens, context, layers, heads = 2, 8193, 61, 128
    expected = (
        2
        * tokens
        * layers
        * (7168 * 1536 + 1536 * heads * 192 + 7168 * 576 + 512 * heads * 256 + heads * 128 * 7168)
    )
    expected += 2 * heads * tokens * context * (192 + 128) * layers
    expected += 2 * 7168 * 3 * 18432 * tokens * 3
    expected += 2 * 7168 * 3 * 2048 * 9 * tokens * 58
    expected += 2 * tokens * 7168 * 129280
    asked = "flops deepseek-v3 --phase decode --batch 2 --context 8192 --as vllm"
    assert dsv3calc.query(asked)["flops.total"] == expected


@pytest.mark.parametrize(
    ("phase", "tokens", "pairs"), [("prefill", 4096, 4096 * 4097 // 2), ("decode", 1, 4097)]
)
def test_sglang_counts_a_dense_model(phase, tokens, pairs):
    """sgl-project/sglang, scheduler_metrics_mixin.py: no head, the mean of causal pairs."""
    linear = (2 * 4096 * 128 * (2 * 32 + 2 * 8) + 6 * 4096 * 14336) * 32
    expected = tokens * linear + 4 * 32 * 128 * 32 * pairs
    found = dsv3calc.query(f"flops llama-3.1-8b --phase {phase} --as sglang")
    assert found["flops.total"] == expected


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("flops deepseek-v3 --as vllm", "--phase train: its estimate is of a server's passes"),
        (
            "flops deepseek-v3.2 --phase decode --as vllm",
            "attention of the span 'selected'",
        ),
        ("flops qwen3-next-80b-a3b --phase decode --as vllm", "does not know layers of"),
        ("flops deepseek-v3 --phase decode --as sglang", "does not know MLA"),
        ("flops mixtral-8x7b --phase decode --as sglang", "does not know router"),
        ("flops gemma-3-27b --phase decode --as sglang", "the span 'sliding'"),
        ("kv deepseek-v3 --as torchtitan", "does not change what kv counts"),
        ("kv deepseek-v3 --as vllm", "does not change what kv counts"),
        ("params deepseek-v3 --as nanogpt", "does not change what params counts"),
        ("compare llama-3.1-8b --as accelerate", "does not change what compare counts"),
        ("params deepseek-v3 --as accelerate", "training in fp32, bf16, fp16 alone"),
    ],
)
def test_what_an_estimate_does_not_say_is_refused(query, words):
    with pytest.raises(UsageError) as refused:
        dsv3calc.answer(query)
    assert words in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize(("precision", "width"), [("fp32", 4), ("bf16", 2)])
def test_accelerate_leaves_the_head_out_and_multiplies_by_four(precision, width):
    """The model that it loads is LlamaModel: 128,256 x 4,096 of the head fewer."""
    found = dsv3calc.query(f"params llama-3.1-8b --as accelerate --precision {precision}")
    parameters = 8_030_261_248 - 128_256 * 4096
    assert found["parameters.total"] == parameters
    assert found["weights.bytes"] == width * parameters
    assert found["weights.training_with_adam"] == 4 * width * parameters
