"""Types that are another type's model in other words, or a list of blocks: equal counts."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.errors import InvalidInput
from dsv3calc.importers.huggingface import import_config
from dsv3calc.reading.source import Source

CONFIGS = Path(__file__).with_name("configs")


def config(name, **changes):
    return json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8")) | changes


def run(data):
    return import_config(Source("config.json", json.dumps(data, indent=2)))


def problems(data):
    with pytest.raises(InvalidInput) as caught:
        run(data)
    return caught.value.problems


def total(tmp_path, data):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(data))
    return dsv3calc.params(str(path))["parameters.total"]


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("internlm2", "llama"),
        ("mimo", "qwen2"),
        ("minimax_m3", "minimax_m3_vl_text"),
        ("qwen2_5_vl", "qwen2"),
        ("qwen2_5_vl_text", "qwen2"),
        ("qwen3_omni_moe", "qwen3_moe"),
        ("qwen3_omni_moe_text", "qwen3_moe"),
    ],
)
def test_the_layers_of_another_type(name, like):
    assert run(config(name)).data["groups"] == run(config(like)).data["groups"]


def test_an_older_file_has_its_language_model_beside_the_tower():
    nested = config("qwen2_5_vl")
    text = nested.pop("text_config") | {"vision_config": {}, "image_token_id": 9}
    flat = nested | text | {"model_type": "qwen2_5_vl"}
    assert run(flat).data["groups"] == run(config("qwen2")).data["groups"]
    assert problems(flat | {"frobnicate": 1})[0].what == "unknown key 'frobnicate'"
    assert problems(flat | {"hidden_size": 0})[0].path == "hidden_size"


def test_models_beside_the_thinker_are_told():
    found = run(config("qwen3_omni_moe"))
    told = [text for text in found.assumptions if "left out" in text]
    assert [text.split()[0] for text in told] == [
        "talker_config",
        "code2wav_config",
        "vision_config",
        "audio_config",
    ]
    (problem,) = problems(config("qwen3_omni_moe", thinker_config=[]))
    assert problem.what == "thinker_config is a list"


def test_prediction_modules_of_mimo():
    """A projection of two hidden states, three norms, and a layer of the 6."""
    model = dsv3calc.params(str(CONFIGS / "mimo.json"), variant="checkpoint")
    layer = (dsv3calc.params(str(CONFIGS / "mimo.json"))["parameters.total"] - 2 * 64_000 - 64) // 6
    whole = model["parameters.total"]
    assert whole - (350_784 + 2 * 64 * 64 + 3 * 64 + layer) == 0


def test_ling_mini_has_the_elements_of_its_checkpoint(tmp_path):
    sizes = {
        "hidden_size": 2048,
        "intermediate_size": 5120,
        "moe_intermediate_size": 512,
        "num_attention_heads": 16,
        "num_experts": 256,
        "num_experts_per_tok": 8,
        "num_hidden_layers": 20,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "n_group": 8,
        "topk_group": 4,
        "vocab_size": 157184,
    }
    assert total(tmp_path, config("bailing_moe_v2", **sizes)) == 16_255_643_392


def test_the_width_of_all_shared_experts_may_be_given():
    plain = run(config("bailing_moe_v2", num_shared_experts=2)).data["groups"][1]["feed_forward"]
    assert plain["n_shared_experts"] == 2
    width = {"moe_shared_expert_intermediate_size": 48}
    wide = run(config("bailing_moe_v2", num_shared_experts=2, **width)).data["groups"][1]
    assert wide["feed_forward"]["shared_expert_intermediate_size"] == 48


# --- blocks ---------------------------------------------------------------------------------


def test_blocks_of_nemotron_nas(tmp_path):
    """Queries of 64, a key and a value of a head for each group, widths of 256 and 512."""
    attention = [2 * 64 * 64 + 2 * 64 * 64 // 2, 2 * 64 * 64 + 2 * 64 * 64 // 4, 0]
    attention.append(attention[0])
    feeds = [3 * 64 * 256, 3 * 64 * 512, 3 * 64 * 256, 0]
    norms = 64 * (2 + 2 + 1 + 1 + 1)
    expected = 2 * 1000 * 64 + sum(attention) + sum(feeds) + norms
    assert total(tmp_path, config("nemotron-nas")) == expected


def test_nemotron_super_49b_has_the_widths_of_its_llama():
    blocks = config("nemotron-nas")["block_configs"]
    blocks[0]["ffn"]["ffn_mult"] = 5.25
    found = run(config("nemotron-nas", hidden_size=8192, block_configs=blocks)).data
    assert found["groups"][0]["feed_forward"]["intermediate_size"] == 28672


@pytest.mark.parametrize(
    ("part", "changes", "what"),
    [
        ("attention", {"replace_with_linear": True}, "a linear layer in place of it"),
        ("attention", {"num_sink_tokens": 4}, "num_sink_tokens 4 is not counted"),
        ("attention", {"n_heads_in_group": 3}, "3 does not divide 4 heads"),
        ("attention", {"n_heads_in_group": None}, "n_heads_in_group is null, not a whole number"),
        ("ffn", {"ffn_mult": -1}, "ffn_mult is -1"),
        ("ffn", {"ffn_mult": "6"}, "ffn_mult is '6'"),
        ("ffn", {"sparsify": [1]}, "sparsify a list is not counted"),
        ("ffn", {"frobnicate": 1}, "unknown key 'frobnicate'"),
    ],
)
def test_blocks_that_are_not_counted_are_refused_at_their_line(part, changes, what):
    data = config("nemotron-nas")
    data["block_configs"][1][part] |= changes
    (problem,) = problems(data)
    assert problem.what == what
    line = json.dumps(data, indent=2).splitlines()[problem.line - 1]
    assert f'"{next(iter(changes))}"' in line


@pytest.mark.parametrize("blocks", [None, [], [1, 2, 3, 4], {}])
def test_a_list_that_is_none_of_blocks(blocks):
    assert len(problems(config("nemotron-nas", block_configs=blocks))) == 1


# --- layers that differ in single sizes -------------------------------------------------------


def test_gemma_4_as_the_library_writes_it():
    """per_layer_config in place of global_head_dim and num_global_key_value_heads."""
    data = config("gemma4_text")
    wide, shared = data.pop("global_head_dim"), data.pop("num_global_key_value_heads", None)
    types = data["layer_types"]
    full = [layer for layer, name in enumerate(types) if name == "full_attention"]
    sizes = {"head_dim": wide} | ({"num_key_value_heads": shared} if shared else {})
    written = data | {"per_layer_config": {f"{layer:02}": sizes for layer in full}}
    assert run(written).data["groups"] == run(config("gemma4_text")).data["groups"]
    for wrong in ({"00": {"head_dim": 8}}, {"99": sizes}, {"00": {"width": 8}}, {"0": 3}, []):
        assert problems(written | {"per_layer_config": wrong})


def test_step_as_the_library_writes_it():
    data = config("step3p7_text")
    modules = data["num_nextn_predict_layers"]
    depth = data["num_hidden_layers"]
    types = data["layer_types"]
    written = data | {"layer_types": types[:depth], "mtp_layer_types": types[depth:]}
    assert len(written["mtp_layer_types"]) in (0, modules)
    heads = data["attention_other_setting"]["num_attention_heads"]
    sliding = [n for n, name in enumerate(types[:depth]) if name == "sliding_attention"]
    written["per_layer_config"] = {f"{n}": {"num_attention_heads": heads} for n in sliding}
    if not written["mtp_layer_types"]:
        written["mtp_layer_types"] = None
    assert run(written).data["groups"] == run(data).data["groups"]
    other = {"0": {"num_attention_heads": 7}}
    assert problems(written | {"per_layer_config": other})[0].path == "per_layer_config"
