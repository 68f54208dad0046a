"""What each family's config becomes: the small configs beside this file against written groups."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import json
from pathlib import Path

import newer_types
import pytest
from measured_hybrids import MEASURED, OTHERWISE

from dsv3calc.errors import InvalidInput
from dsv3calc.importers.families import MODULES, family
from dsv3calc.importers.huggingface import import_config
from dsv3calc.reading.source import Source, read_source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.model import Model

CONFIGS = Path(__file__).with_name("configs")


def config(name, **changes):
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    return data | changes


def imported(data):
    source = Source("config.json", json.dumps(data, indent=2))
    found = import_config(source)
    convert(source, copy.deepcopy(found.data), Model)  # what a caller does with it
    return found


def groups(data):
    return imported(data).data["groups"]


def gqa(head_dim, **options):
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": head_dim}
    return {"type": "gqa"} | heads | options


def sliding(window):
    return {"span": "sliding", "sliding_window": window}


def dense(width, **options):
    return {"type": "dense", "intermediate_size": width} | options


def moe(width, *, routed=8, active=2, shared=0, **options):
    return {
        "type": "moe",
        "n_routed_experts": routed,
        "num_experts_per_tok": active,
        "moe_intermediate_size": width,
        "n_shared_experts": shared,
    } | options


def mla(q_lora_rank=32, **options):
    return {
        "type": "mla",
        "num_attention_heads": 4,
        "q_lora_rank": q_lora_rank,
        "kv_lora_rank": 16,
        "qk_nope_head_dim": 16,
        "qk_rope_head_dim": 8,
        "v_head_dim": 16,
    } | options


LIMITED = {"n_group": 4, "topk_group": 2}
BIASED = {"attention_bias": True, "output_bias": True}
INDEXER = {"index_n_heads": 4, "index_head_dim": 16, "index_topk": 32}
OSS = BIASED | {"attention_sinks": True}
OSS_EXPERTS = moe(64, router_bias=True, expert_bias=True)
V3_EXPERTS = moe(24, routed=16, active=4, shared=1, routing_bias=True, **LIMITED)
CHUNKED = gqa(32, span="chunked", attention_chunk_size=32)
FOUR_HEADS = gqa(16) | {"num_key_value_heads": 4}
GLM = gqa(32, attention_bias=True, qk_norm="head")
GEMMA2 = [
    ("0::2", gqa(32, **sliding(32)), dense(128), 4),
    ("1::2", gqa(32), dense(128), 4),
]
GEMMA3 = [
    ("rest", gqa(32, qk_norm="head", **sliding(32)), dense(128), 4),
    ("5::6", gqa(32, qk_norm="head"), dense(128), 4),
]
LLAMA4 = [
    ("0::2", CHUNKED, dense(128)),
    ("1::4", CHUNKED, moe(48, shared=1)),
    ("3::4", gqa(32), moe(48, shared=1)),
]

EXPECTED = {
    "llama": [(gqa(16), dense(128))],
    "mistral": [(gqa(16, **sliding(32)), dense(128))],
    "mixtral": [(gqa(16), moe(128))],
    "qwen": [(FOUR_HEADS | {"attention_bias": True}, dense(128))],
    "qwen2": [(gqa(16, attention_bias=True), dense(128))],
    "qwen2_moe": [
        (
            gqa(16, attention_bias=True),
            moe(24, shared=1, shared_expert_intermediate_size=48, shared_expert_gate=True),
        )
    ],
    "qwen3": [(gqa(32, qk_norm="head"), dense(128))],
    "qwen3_moe": [(gqa(32, qk_norm="head"), moe(24))],
    "deepseek": [("0:1", FOUR_HEADS, dense(128)), ("1:", FOUR_HEADS, moe(24, shared=2))],
    "deepseek_v2": [
        ("0:2", mla(None), dense(96)),
        ("2:", mla(None), moe(24, routed=16, active=4, shared=1, **LIMITED)),
    ],
    "deepseek_v3": [("0:2", mla(), dense(96)), ("2:", mla(), V3_EXPERTS)],
    "deepseek_v32": [
        ("0:2", mla(indexer=INDEXER), dense(96)),
        ("2:", mla(indexer=INDEXER), V3_EXPERTS),
    ],
    "kimi_k2": [
        ("0:2", mla(), dense(96)),
        ("2:", mla(), moe(24, routed=16, active=4, shared=1, routing_bias=True)),
    ],
    "glm4_moe": [
        ("0:2", GLM, dense(128)),
        ("2:", GLM, moe(24, shared=1, routing_bias=True)),
    ],
    "gpt_oss": [
        ("0::2", gqa(32, **OSS, **sliding(32)), OSS_EXPERTS),
        ("1::2", gqa(32, **OSS), OSS_EXPERTS),
    ],
    "gemma2": GEMMA2,
    "gemma3": GEMMA3,
    "gemma3_text": GEMMA3,
    "llama4": LLAMA4,
    "llama4_text": LLAMA4,
    "olmoe": [(gqa(16, qk_norm="hidden"), moe(48))],
    "phimoe": [(gqa(16, **BIASED, **sliding(128)), moe(48))],
    "dbrx": [(gqa(16), moe(48))],
    "minimax_m2": [(gqa(32, qk_norm="hidden"), moe(48, routing_bias=True))],
}


def written(expected):
    found = []
    for entry in expected:
        group = {"layers": entry[0]} if isinstance(entry[0], str) else {}
        attention, feed_forward, *norms = [part for part in entry if not isinstance(part, str)]
        group |= {"attention": attention, "feed_forward": feed_forward}
        found.append(group | ({"block_norms": norms[0]} if norms else {}))
    return found


def test_every_supported_model_type_has_a_small_config():
    names = {path.stem for path in CONFIGS.glob("*.json")}
    known = set(EXPECTED) | set(MEASURED) | OTHERWISE | newer_types.TYPES
    assert known == set(MODULES) == names


@pytest.mark.parametrize("name", EXPECTED)
def test_layer_groups(name):
    assert groups(config(name)) == written(EXPECTED[name])


@pytest.mark.parametrize("name", EXPECTED)
def test_the_model_around_the_layers(name):
    source = read_source(CONFIGS / f"{name}.json")
    found = import_config(source)
    model = convert(source, found.data, Model)
    assert model.hidden_size == 64
    assert model.num_hidden_layers == {"gemma3": 14, "gemma3_text": 14}.get(
        name, 8 if name.startswith("llama4") else 6
    )
    assert model.name == name
    assert model.model_type == {"gemma3": "gemma3_text", "llama4": "llama4_text"}.get(name, name)
    assert model.tie_word_embeddings == name.startswith("gemma")
    assert model.head_bias == (name == "phimoe")
    assert (model.norm, model.norm_bias) == {
        "phimoe": ("layer", True),
        "dbrx": ("layer", False),
    }.get(name, ("rms", False))
    assert not set(found.ignored) & {"hidden_size", "num_experts_per_tok", "layer_types"}


@pytest.mark.parametrize("name", MODULES)
def test_every_table_can_be_read(name):
    table = family(name)
    assert table.read is not None or table.text
    assert table.architectures


@pytest.mark.parametrize(
    ("name", "modules", "group", "stored"),
    [("deepseek_v3", 1, 1, True), ("glm4_moe", 1, 1, True), ("minimax_m2", 3, 0, False)],
)
def test_prediction_modules_repeat_the_last_kind_of_layer(name, modules, group, stored):
    expected = {
        "num_nextn_predict_layers": modules,
        "group": group,
        "stores_embedding_and_head": stored,
    }
    assert imported(config(name)).data["mtp"] == expected | ({} if stored else {"stored": False})


def test_no_prediction_modules():
    assert "mtp" not in imported(config("kimi_k2")).data
    assert "mtp" not in imported(config("minimax_m2", use_mtp=False)).data
    assert "mtp" not in imported(config("deepseek_v3", num_nextn_predict_layers=0)).data


BLOCKS = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}
PACKED = {
    "quant_method": "compressed-tensors",
    "config_groups": {
        "group_0": {
            "input_activations": None,
            "weights": {
                "group_size": 32,
                "num_bits": 4,
                "strategy": "group",
                "symmetric": True,
                "type": "int",
            },
        }
    },
    "ignore": [
        "lm_head",
        "re:.*self_attn.*",
        "re:.*shared_experts.*",
        "re:.*mlp\\.(gate|up|gate_up|down)_proj.*",
    ],
}


@pytest.mark.parametrize(
    ("name", "changes", "precision"),
    [
        ("deepseek_v3", {}, "fp8-deepseek-v3"),
        ("gpt_oss", {}, "mxfp4"),
        ("deepseek_v4", BLOCKS | {"expert_dtype": "fp4"}, "fp4-fp8-deepseek-v4"),
        ("deepseek_v4", BLOCKS | {"expert_dtype": "fp8"}, "fp8-deepseek-v4"),
        ("llama", {}, "bf16"),
        ("llama", {"torch_dtype": "float16"}, "fp16"),
        ("llama", {"torch_dtype": "float32"}, "fp32"),
        ("llama", {"quantization_config": None}, "bf16"),
    ],
)
def test_precision(name, changes, precision):
    found = imported(config(name, **changes))
    assert found.data["precision"] == precision
    assert not any(text.startswith("precision") for text in found.assumptions)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"torch_dtype": None}, "precision = bf16: config.json names no dtype"),
        (
            {
                "quantization_config": {"quant_method": "awq", "bits": 4},
                "hidden_size": 128,
                "intermediate_size": 256,
            },
            "precision = int4: group_size is not",
        ),
        (
            {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}},
            "precision = fp8-deepseek-v3: ",
        ),
    ],
)
def test_a_precision_that_is_an_assumption(changes, text):
    found = imported(config("llama", **changes))
    assert any(text in assumption for assumption in found.assumptions)
    assert found.data["provenance"]["precision"] == "assumed_precision"


@pytest.mark.parametrize(
    "changes",
    [
        {"torch_dtype": "float8"},
        {"quantization_config": {"quant_method": "gptq", "bits": 5}},
        {"quantization_config": {"quant_method": "compressed-tensors"}},
        {"quantization_config": {"quant_method": {}}},
    ],
)
def test_a_storage_that_no_preset_describes_is_refused(changes):
    with pytest.raises(InvalidInput, match="precision"):
        imported(config("llama", **changes))


def test_four_bit_experts_of_kimi():
    found = imported(config("deepseek_v3", quantization_config=PACKED, moe_intermediate_size=32))
    stored = found.data["precision"]
    experts = stored["formats"][stored["weights"]["routed_experts"]]
    assert (experts["bits"], experts["scale"]["columns"], experts["scale"]["bits"]) == (4, 32, 16)
    rest = stored["formats"][stored["weights"]["default"]]
    assert rest["bits"] == 16


@pytest.mark.parametrize(
    "changes",
    [
        {"config_groups": {}},
        {"config_groups": {"group_0": None}},
        {"config_groups": {"group_0": {"weights": None}}},
    ],
)
def test_other_packed_files_are_refused(changes):
    with pytest.raises(InvalidInput, match="no precision can express this quantisation"):
        imported(config("deepseek_v3", quantization_config=PACKED | changes))


def test_experts_of_an_unknown_type_are_refused():
    with pytest.raises(InvalidInput, match="expert_dtype 'int3'"):
        imported(config("deepseek_v4", **BLOCKS, expert_dtype="int3"))


def test_experts_of_no_stated_type_are_an_assumption():
    found = imported(config("deepseek_v4", **BLOCKS, expert_dtype=None))
    assert found.data["precision"] == "fp8-deepseek-v4"
    assert any("no expert_dtype" in text for text in found.assumptions)


# --- what single keys do --------------------------------------------------------------------


def test_llama_biases():
    (group,) = groups(config("llama", attention_bias=True, mlp_bias=True))
    assert group["attention"] == gqa(16, **BIASED)
    assert group["feed_forward"] == dense(128, mlp_bias=True)


def test_the_first_llama_files_omit_their_key_value_heads():
    data = config("llama")
    for key in ("num_key_value_heads", "attention_bias", "mlp_bias", "max_position_embeddings"):
        del data[key]
    data["max_sequence_length"] = 2048
    found = imported(data)
    assert found.data["groups"][0]["attention"] == FOUR_HEADS
    assert found.data["max_position_embeddings"] == 2048
    text = (
        "num_key_value_heads is not in the file; 4 is used: num_attention_heads, as in the "
        "modelling code"
    )
    assert text in found.assumptions
    field = "groups.0.attention.num_key_value_heads"
    assert found.data["provenance"][field] == "assumed_num_key_value_heads"
    assert found.data["sources"]["assumed_num_key_value_heads"]["kind"] == "assumed"


@pytest.mark.parametrize("name", ["llama", "mistral", "mixtral", "qwen2"])
def test_a_null_head_dim_is_computed_without_an_assumption(name):
    found = imported(config(name, head_dim=None))
    assert found.data["groups"][0]["attention"]["head_dim"] == 16
    assert found.assumptions == []


def test_a_head_dim_that_is_not_hidden_size_over_heads():
    assert groups(config("llama", head_dim=48))[0]["attention"]["head_dim"] == 48


def test_a_null_window_is_full_attention():
    assert groups(config("mistral", sliding_window=None))[0]["attention"] == gqa(16)


def test_qwen_without_no_bias():
    (group,) = groups(config("qwen", no_bias=False))
    assert group["attention"] == FOUR_HEADS | BIASED
    assert group["feed_forward"] == dense(128, mlp_bias=True)


def test_qwen2_windows_from_a_layer_on():
    full = gqa(16, attention_bias=True)
    found = groups(config("qwen2", use_sliding_window=True))
    assert [(group["layers"], group["attention"]) for group in found] == [
        ("0:4", full),
        ("4:", full | sliding(32)),
    ]
    types = ["full_attention", "sliding_attention"] * 3
    found = groups(config("qwen2", use_sliding_window=True, layer_types=types))
    assert [group["layers"] for group in found] == ["0::2", "1::2"]


def test_qwen3_moe_windows_everywhere_and_dense_layers():
    found = groups(config("qwen3_moe", use_sliding_window=True))
    assert [group["attention"] for group in found] == [gqa(32, qk_norm="head", **sliding(32))]
    found = groups(config("qwen3_moe", decoder_sparse_step=2, mlp_only_layers=[5]))
    assert [(group["layers"], group["feed_forward"]["type"]) for group in found] == [
        ("rest", "dense"),
        ("1:4:2", "moe"),
    ]


def test_a_greedy_router_knows_no_groups():
    found = groups(config("deepseek_v2", topk_method="greedy"))
    assert found[1]["feed_forward"] == moe(24, routed=16, active=4, shared=1)


def test_moe_layer_frequency():
    found = groups(config("deepseek", moe_layer_freq=2, num_hidden_layers=8))
    assert [(group["layers"], group["feed_forward"]["type"]) for group in found] == [
        ("rest", "dense"),
        ("2::2", "moe"),
    ]


def test_deepseek_biases_and_absent_shared_experts():
    found = groups(config("deepseek_v3", attention_bias=True, n_shared_experts=None))
    assert found[0]["attention"] == mla(attention_bias=True)
    assert found[1]["feed_forward"]["n_shared_experts"] == 0


def test_a_config_saved_by_transformers_5():
    data = config("deepseek_v32", mlp_layer_types=["dense"] + ["sparse"] * 5)
    data["layer_types"] = ["indexed_attention"] * 6
    for key in ("moe_layer_freq", "topk_method", "torch_dtype", "rope_theta"):
        del data[key]
    data |= {"dtype": "bfloat16", "rope_parameters": {}, "head_dim": 8, "qk_head_dim": 24}
    found = groups(data)
    assert [group["layers"] for group in found] == ["0:1", "1:"]
    assert found[1]["feed_forward"] == V3_EXPERTS


def test_gemma3_by_pattern_and_by_layer_types():
    data = config("gemma3_text", sliding_window_pattern=2, num_hidden_layers=4)
    assert [group["layers"] for group in groups(data)] == ["0::2", "1::2"]
    types = ["sliding_attention"] * 3 + ["full_attention"]
    data = config("gemma3_text", num_hidden_layers=4, layer_types=types)
    assert [group["layers"] for group in groups(data)] == ["0:3", "3:"]


def test_llama4_lists_win_over_intervals():
    data = config("llama4_text", no_rope_layers=[1, 0] * 4, moe_layers=[0, 1, 2, 3])
    assert [
        (group["layers"], group["attention"].get("span", "full")) for group in groups(data)
    ] == [
        ("0:3:2", "chunked"),
        ("1:4:2", "full"),
        ("4::2", "chunked"),
        ("5::2", "full"),
    ]
    data = config("llama4_text", layer_types=["full_attention"] * 8, interleave_moe_layer_step=1)
    assert groups(data) == written([(gqa(32), moe(48, shared=1))])
    assert groups(config("llama4_text", attention_chunk_size=None))[0]["attention"] == gqa(32)


def test_the_vision_tower_is_left_out_aloud():
    found = imported(config("gemma3"))
    assert "vision_config is left out: only the language model is counted" in found.assumptions
    assert "image_token_index" in found.ignored
    assert "text_config.rope_theta" in found.ignored


def test_a_name_from_the_folder():
    source = Source("/models/Some Model-7B/config.json", json.dumps(config("llama")))
    assert import_config(source).data["name"] == "some-model-7b"
    source = Source("<stdin>", json.dumps(config("gpt_oss")))
    assert import_config(source).data["name"] == "gpt-oss"
