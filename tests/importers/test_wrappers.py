"""Files that nest a language model: ties as both objects mean them, towers counted apart."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.__main__ import run as run_program
from dsv3calc.errors import InvalidInput
from dsv3calc.importers.huggingface import import_config
from dsv3calc.reading.source import Source

CONFIGS = Path(__file__).with_name("configs")


def qwen_vision(out, hidden=1152, depth=27, inner=4304, levels=3):
    return {
        "deepstack_visual_indexes": [*range(levels)],
        "depth": depth,
        "hidden_size": hidden,
        "in_channels": 3,
        "intermediate_size": inner,
        "num_position_embeddings": 2304,
        "out_hidden_size": out,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }


PIXTRAL = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "intermediate_size": 4096,
    "num_channels": 3,
    "patch_size": 14,
}
MOONVIT = {
    "init_pos_emb_height": 64,
    "init_pos_emb_width": 64,
    "mm_hidden_size": 1152,
    "mm_projector_type": "patchmerger",
    "patch_size": 14,
    "text_hidden_size": 7168,
    "vt_hidden_size": 1152,
    "vt_intermediate_size": 4304,
    "vt_num_hidden_layers": 27,
}
VISION = {
    "qwen3_vl": qwen_vision(2048, 1024, 24, 4096),
    "qwen3_vl_moe": qwen_vision(4096),
    "qwen3_5": qwen_vision(5120, levels=0),
    "qwen3_5_moe": qwen_vision(2048, levels=0),
    "kimi_k25": MOONVIT,
    "mistral3": PIXTRAL,
}


def config(name, **changes):
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8")) | changes
    if name in VISION:
        data["vision_config"] = dict(VISION[name])
    return data | ({"spatial_merge_size": 2} if name == "mistral3" else {})


def run(data):
    return import_config(Source("config.json", json.dumps(data, indent=2)))


@pytest.mark.parametrize(
    ("name", "tower"),
    [
        ("qwen3_vl", 406_957_056),
        ("qwen3_vl_moe", 576_388_336),
        ("qwen3_5", 460_730_096),
        ("qwen3_5_moe", 446_571_248),
        ("kimi_k25", 416_866_032 + 54_277_888),
        ("kimi_k3", 401_214_464 + 46_144_512),  # no class: what its index leaves for a tower
    ],
)
def test_a_tower_is_counted_apart(name, tower, tmp_path):
    """Parameters of the classes that transformers 5.24 builds from these vision configs."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config(name)), encoding="utf-8")
    found = dsv3calc.query(f"params {path}")
    assert found["parameters.towers"] == found["parameters.towers.vision"] == tower
    assert found["parameters.whole"] == found["parameters.total"] + tower
    inside = config(name)["text_config"]
    alone = run(inside | {"tie_word_embeddings": config(name).get("tie_word_embeddings", False)})
    assert "towers" not in alone.data
    assert alone.data["groups"] == run(config(name)).data["groups"]


_GEMMA = {"hidden_size": 1152, "head_dim": 72, "num_attention_heads": 16, "num_hidden_layers": 27}
_GEMMA |= {"num_key_value_heads": 16, "intermediate_size": 4304, "patch_size": 16}
_GEMMA |= {"position_embedding_size": 10240, "attention_bias": False, "use_clipped_linears": False}
_MERGE = {"spatial_merge_size": 2, "temporal_patch_size": 2}
_MINIMAX = {"hidden_size": 1280, "num_hidden_layers": 32, "intermediate_size": 5120}
_MINIMAX |= {"patch_size": 14, "num_channels": 3, "img_token_compression_config": _MERGE}
_AROUND = {"projector_hidden_size": 6144, "multimodal_projector_bias": True}


@pytest.mark.parametrize(
    ("name", "vision", "around", "text", "expected"),
    [
        ("gemma4", _GEMMA, {}, 2816, 569_548_080 + 3_244_032),
        ("minimax_m3_vl", _MINIMAX, _AROUND, 6144, 631_185_920 + 234_381_312),
    ],
)
def test_a_tower_of_published_size_is_that_of_the_class(name, vision, around, text, expected):
    """Tower and projector as transformers 5.24 builds them; none where a size is missing."""
    data = config(name) | around | {"vision_config": vision}
    data["text_config"] |= {"hidden_size": text}
    assert run(data).data["towers"] == [{"name": "vision", "parameters": expected}]
    for key in vision:
        less = {other: value for other, value in vision.items() if other != key}
        assert "towers" not in run(data | {"vision_config": less}).data


@pytest.mark.parametrize(("hidden", "projector"), [(5120, 35_652_608), (3072, 16_778_240)])
def test_the_projector_of_mistral_ends_at_the_text(hidden, projector):
    data = config("mistral3")
    data["text_config"] |= {"hidden_size": hidden}
    (tower,) = run(data).data["towers"]
    assert tower == {"name": "vision", "parameters": 403_305_472 + projector}


def test_a_file_around_a_ministral_has_its_own_type_outside_too():
    inside = config("ministral3")
    outside = {"model_type": "ministral3", "text_config": inside, "spatial_merge_size": 2}
    alone, nested = run(inside), run(outside | {"vision_config": PIXTRAL})
    assert nested.data["groups"] == alone.data["groups"]
    assert "towers" in nested.data
    assert "towers" not in alone.data


def test_a_tower_of_which_a_number_is_missing_is_left_out_and_told():
    data = config("qwen3_vl")
    del data["vision_config"]["depth"]
    found = run(data)
    assert "towers" not in found.data
    assert any(text.startswith("vision_config is left out") for text in found.assumptions)


@pytest.mark.parametrize("wrong", ["27", -1, None, 2**60, [27], True, 2.5])
def test_a_tower_of_which_a_number_is_wrong_is_no_defect(wrong):
    data = config("qwen3_vl")
    data["vision_config"]["depth"] = wrong
    assert "towers" not in run(data).data


def test_the_outer_file_says_whether_embeddings_are_tied():
    assert run(config("qwen3_vl")).data["tie_word_embeddings"] is True
    assert run(config("qwen3_vl_moe")).data["tie_word_embeddings"] is False


def test_in_mistral_the_text_config_says_it():
    found = run(config("mistral3"))
    assert found.data["tie_word_embeddings"] is False
    assert any(
        text.startswith("tie_word_embeddings is that of text_config") for text in found.assumptions
    )


def test_in_qwen3_vl_what_stands_beside_it_says_it():
    data = config("qwen3_vl_moe")
    data["text_config"]["tie_word_embeddings"] = not data["tie_word_embeddings"]
    assert run(data).data["tie_word_embeddings"] is data["tie_word_embeddings"]


def test_elsewhere_a_contradiction_is_refused_at_its_line():
    data = config("qwen3_5")
    data["text_config"]["tie_word_embeddings"] = True
    with pytest.raises(InvalidInput) as caught:
        run(data)
    (problem,) = caught.value.problems
    assert problem.what == "tie_word_embeddings contradicts that of text_config"
    assert problem.source_line.strip().startswith('"tie_word_embeddings": false')


def test_a_text_of_another_type():
    data = config("kimi_k25")
    data["text_config"]["model_type"] = "llama"
    with pytest.raises(InvalidInput) as caught:
        run(data)
    assert caught.value.problems[0].valid == "kimi_k2, deepseek_v3"


# --- a file that contradicts itself ---------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes", "whats"),
    [
        (
            "kimi_linear",
            {"linear_attn_config": {"full_attn_layers": [4, 5], "kda_layers": [1, 2, 4],
                                    "head_dim": 128, "num_heads": 32, "short_conv_kernel_size": 4}},
            ["full_attn_layers holds 5"],
        ),
        (
            "kimi_linear",
            {"linear_attn_config": {"full_attn_layers": [4], "kda_layers": [1, 2],
                                    "head_dim": 128, "num_heads": 32, "short_conv_kernel_size": 4}},
            ["layer 3 is neither here nor in kda_layers"],
        ),
        ("nemotron_h", {"hybrid_override_pattern": "MEMEMEM"},
         ["hybrid_override_pattern has 7 letters for 8 layers"]),
        ("nemotron_h", {"hybrid_override_pattern": "MEMEMEMX", "mamba_num_heads": 0},
         ["hybrid_override_pattern has 'X'", "mamba_num_heads is 0"]),
        ("falcon_h1", {"mamba_d_head": 16},
         ["8 heads of 16 channels are not the 256 inner channels"]),
        ("mamba2", {"num_heads": 4}, ["4 heads of 64 channels are not expand x hidden_size, 512"]),
        ("jamba", {"attn_layer_offset": 9},
         ["attn_layer_offset 9 is not below attn_layer_period 8"]),
        ("qwen3_next", {"linear_num_key_heads": 3}, ["3 key heads do not divide 4 heads"]),
        ("granitemoehybrid", {"mamba_n_groups": 3}, ["3 groups do not divide 8 heads"]),
    ],
)  # fmt: skip
def test_every_problem_is_told_at_its_line(name, changes, whats):
    with pytest.raises(InvalidInput) as caught:
        run(config(name, **changes))
    problems = caught.value.problems
    assert sorted(problem.what for problem in problems) == sorted(whats)
    assert all(problem.line is not None for problem in problems)


def test_a_number_that_no_json_has_is_read_where_no_count_depends_on_it():
    text = json.dumps(config("mamba2"), indent=2)
    assert "Infinity" in text
    assert "time_step_limit" in import_config(Source("config.json", text)).ignored
    with pytest.raises(InvalidInput, match="state_size is Infinity"):
        run(config("mamba2", state_size=float("inf")))


@pytest.mark.parametrize(
    ("name", "changes", "kinds"),
    [
        ("granitemoehybrid", {"layer_types": ["mamba"] * 4}, {"mamba2"}),
        ("granitemoehybrid", {"layer_types": ["attention"] * 4, "num_local_experts": 0}, {"gqa"}),
        ("nemotron_h", {"hybrid_override_pattern": "M-M-M-M-"}, {"mamba2", None}),
        ("nemotron_h", {"hybrid_override_pattern": "*E*E*E*E"}, {"gqa", None}),
    ],
)
def test_keys_of_a_part_that_no_layer_has_are_no_problem(name, changes, kinds):
    found = run(config(name, **changes)).data["groups"]
    mixes = [group.get("attention") or group.get("mixer") or {} for group in found]
    assert {part.get("type") for part in mixes} == kinds


def test_a_list_of_kinds_says_how_many_layers_there_are():
    data = config("nemotron_h", layers_block_type=["linear_attention", "moe", "full_attention"])
    del data["hybrid_override_pattern"]
    del data["num_hidden_layers"]
    assert run(data).data["num_hidden_layers"] == 3


@pytest.mark.parametrize("command", ["diff {} llama-3.1-8b", "presets show {}", "kv {}"])
def test_every_command_reads_such_a_file(command, capsys):
    assert run_program(command.format(CONFIGS / "mamba2.json").split()) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("name", ["kimi_k3", "gpt2", "nemotron_h", "falcon_h1"])
def test_rows_of_layers_sum_to_the_total(name):
    answer = dsv3calc.answer(f"params {CONFIGS / f'{name}.json'} --by layer")
    total = answer.columns[0].ledger["parameters.total"]
    assert sum(row["total"] for row in answer.rows) == total
    assert len({tuple(row) for row in answer.rows}) == 1


def test_a_key_beside_text_config_has_its_own_place():
    assert run(config("qwen3_5_moe")).keys["tie_word_embeddings"] == ("tie_word_embeddings",)


def test_glm_4_5_v_holds_a_glm_4_5_without_norms_of_queries_and_keys():
    found = run(config("glm4v_moe"))
    assert found.data["groups"] == run(config("glm4_moe") | {"use_qk_norm": False}).data["groups"]
    assert any("vision_config is left out" in text for text in found.assumptions)


def test_a_tower_beyond_all_counts_is_left_out():
    data = config("kimi_k3")
    data["vision_config"] |= {"patch_size": 10**6}
    assert "towers" not in run(data).data


def test_a_family_that_is_known_and_not_counted_says_why():
    for name, why in (("zamba2", "share the weights"), ("qwen4_exp", "n-gram embeddings")):
        with pytest.raises(InvalidInput) as caught:
            run({"model_type": name})
        assert why in caught.value.problems[0].why
