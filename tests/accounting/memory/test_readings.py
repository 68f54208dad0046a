"""Weights, gradients and optimizer states beside what an allocator had: readings, no equalities.

``mem-allocated-bytes`` of the functional tests of NVIDIA/Megatron-LM at d98e8a64,
tests/functional_tests/test_cases/CASE/golden_values_*.json, arguments in model_config.yaml beside
them: what torch had allocated after a step on the last rank. It has small tensors besides, and the
buffers of the libraries, so that it is the larger number.
"""

import msgspec
import pytest
from footprints import CITED, footprint_of, layout_of, rank_of

import dsv3calc
from dsv3calc.accounting.memory.sharding import CLASSES
from dsv3calc.schema.model import GQA, Dense, LayerGroup, Model

WITHIN = 1.10


def gpt3_7b():
    """L32 h4096 a32 GQA8, 4h wide with GELU, 131,072 tokens padded to 131,584 rows, untied."""
    return Model(
        name="gpt3-7b",
        title="gpt3_7b of the functional tests",
        hidden_size=4096,
        vocab_size=131_584,
        num_hidden_layers=32,
        groups=[
            LayerGroup(
                attention=GQA(num_attention_heads=32, num_key_value_heads=8, head_dim=128),
                feed_forward=Dense(intermediate_size=4 * 4096, gated=False),
            )
        ],
        **CITED,
    )


def v3_proxy():
    """V3's widths, 3 dense and 11 MoE layers of 64 experts, some 256,000 tokens."""
    v3 = dsv3calc.load_model("deepseek-v3")
    dense, sparse = v3.groups
    moe = msgspec.structs.replace(sparse.feed_forward, n_routed_experts=64)
    return msgspec.structs.replace(
        v3,
        num_hidden_layers=14,
        vocab_size=256_000,
        groups=[dense, msgspec.structs.replace(sparse, feed_forward=moe)],
    )


READINGS = {
    "gpt/gpt3_7b_tp4_pp1_memory_speed, H100": (
        gpt3_7b, False, {"tp": 4, "dp": 2}, 20_663_519_232
    ),
    "gpt/gpt3_7b_tp4_pp1_memory_speed, A100": (
        gpt3_7b, False, {"tp": 4, "dp": 2}, 20_634_103_808
    ),
    "gpt/gpt3_7b_tp1_pp4_memory_speed, H100": (
        gpt3_7b, False,
        {"pp": 4, "dp": 2, "schedule": "interleaved", "virtual_pipeline": 8}, 24_808_996_864,
    ),
    "gpt/gpt3_7b_tp1_pp4_memory_speed, A100": (
        gpt3_7b, False,
        {"pp": 4, "dp": 2, "schedule": "interleaved", "virtual_pipeline": 8}, 24_510_808_064,
    ),
    # layout Et*2|(tt|)*5t|tmL; its number of GPUs is not written down: 64 are assumed, dp 8
    "mixtral/deepseekv3_proxy_flex_tp1pp4emp16etp1cp1_release, H100": (
        v3_proxy, True,
        {"tp": 2, "pp": 4, "dp": 8, "ep": 16, "sequence_parallel": True,
         "schedule": "interleaved", "virtual_pipeline": 2, "layer_split": [2, 2, 2, 2, 2, 2, 1, 1]},
        33_395_759_104,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("model", "mtp", "layout", "read"), READINGS.values(), ids=READINGS)
def test_states_are_within_a_tenth_of_what_was_allocated(model, mtp, layout, read):
    footprint = footprint_of(model(), layout_of(zero=1, **layout), mtp=mtp)
    last = rank_of(footprint, footprint.layout.pp - 1)
    held = sum(last.lines[what].value for what in CLASSES)
    assert held < read < WITHIN * held


def test_the_models_of_the_readings_have_their_sizes():
    """Of the 7B, by hand; the proxy's last rank has three MoE layers, MTP, head and embedding."""
    footprint = footprint_of(gpt3_7b(), layout_of())
    elements = 32 * (176_160_768 + 2 * 4096) + 2 * 131_584 * 4096 + 4096
    assert rank_of(footprint, 0).lines["weights"].value == 2 * elements
    *_, layout, _ = READINGS["mixtral/deepseekv3_proxy_flex_tp1pp4emp16etp1cp1_release, H100"]
    last = rank_of(footprint_of(v3_proxy(), layout_of(zero=1, **layout), mtp=True), 3)
    counts = [line.value for line in last.lines["weights"].parts[::2]]
    assert counts == [0, 3, 1, 1, 1, 1]
