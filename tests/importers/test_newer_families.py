"""What newer families' configs become: compressed and sparse attention, shared keys, norms."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsv3calc.errors import InvalidInput
from dsv3calc.importers.huggingface import import_config
from dsv3calc.reading.source import Source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.layers import layer_groups
from dsv3calc.schema.model import Model

CONFIGS = Path(__file__).with_name("configs")
DEPTH = 6


def config(name, **changes):
    return json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8")) | changes


def imported(data):
    source = Source("config.json", json.dumps(data, indent=2))
    return convert(source, import_config(source).data, Model)


def layers(model):
    """List attention and feed-forward of each layer."""
    places = layer_groups(model.num_hidden_layers, [group.layers for group in model.groups])
    return [(model.groups[place].attention, model.groups[place].feed_forward) for place in places]


def attention(name, **changes):
    return [each for each, _ in layers(imported(config(name, **changes)))]


def refused(data):
    with pytest.raises(InvalidInput) as caught:
        import_config(Source("config.json", json.dumps(data)))
    return [problem.what for problem in caught.value.problems]


# --- DeepSeek-V4 ----------------------------------------------------------------------------


def test_deepseek_v4_ratios_give_the_kind_of_each_layer():
    found = attention("deepseek_v4")
    assert [each.compress_ratio for each in found] == [None, 4, 128, 4, 128, 4]
    assert [each.overlap for each in found] == [False, True, False, True, False, True]
    assert [each.indexer is not None for each in found] == [False, True, False, True, False, True]
    by_type = {None: "sliding", 4: "compressed_sparse", 128: "heavily_compressed"}
    types = [f"{by_type[each.compress_ratio]}_attention" for each in found]
    assert attention("deepseek_v4", layer_types=types, compress_ratios=None) == found


def test_deepseek_v4_prediction_module_has_a_window_and_a_routing_bias():
    model = imported(config("deepseek_v4"))
    assert model.mtp.group is None
    assert model.mtp.layer.attention.compress_ratio is None
    assert model.mtp.layer.feed_forward.routing_bias
    assert (model.mtp.stored, model.mtp.stores_embedding_and_head) == (True, False)
    ratios = [0, 4, 128, 4, 128, 0, 0]
    again = imported(config("deepseek_v4", compress_ratios=ratios, num_hash_layers=0))
    assert again.groups[again.mtp.group].attention.compress_ratio is None


def test_deepseek_v4_routes_by_a_table_first():
    model = imported(config("deepseek_v4"))
    found = [(feeds.routing_table, feeds.routing_bias) for _, feeds in layers(model)]
    assert found == [(1000, False)] * 2 + [(None, True)] * 4
    assert [each.hc_mult for each in model.additions] == [4]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"compress_ratios": [0, 4, 128]}, "compress_ratios is a list"),
        ({"compress_ratios": [0, 4, 8, 4, 8, 4, 0]}, "compress_ratios holds 8"),
        (
            {"compress_ratios": [0, 4, 4, 4, 4, 4, 4]},
            "compress_ratios gives a prediction module the ratio 4",
        ),
        ({"num_key_value_heads": 2}, "more than one key-value head"),
    ],
)
def test_deepseek_v4_files_that_are_refused(changes, what):
    assert refused(config("deepseek_v4", **changes)) == [what]


# --- selected keys --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"indexer_types": None, "index_topk_pattern": "FFFSSF"},
        {"indexer_types": None, "index_topk_freq": 3, "index_skip_topk_offset": 3},
    ],
)
def test_glm_layers_that_take_over_the_keys_of_an_earlier_indexer(changes):
    found = attention("glm_moe_dsa", **changes)
    assert [each.indexer.shared for each in found] == [False, False, False, True, True, False]


def test_glm_without_a_pattern_has_an_indexer_in_every_layer():
    found = attention("glm_moe_dsa", indexer_types=None)
    assert not any(each.indexer.shared for each in found)
    assert refused(config("glm_moe_dsa", indexer_types=None, index_topk_pattern="FX")) == [
        "index_topk_pattern is 'FX'"
    ]


def test_minimax_m3_blocks_are_selected_where_the_file_says():
    found = attention("minimax_m3_vl_text")
    assert [each.indexer is not None for each in found] == [False, False, True, True, True, True]
    assert (found[2].indexer.index_block_size, found[2].indexer.index_topk_blocks) == (8, 4)
    flat = {
        "sparse_attention_config": None,
        "index_n_heads": 2,
        "index_head_dim": 16,
        "index_block_size": 8,
        "index_topk_blocks": 4,
        "layer_types": ["full_attention"] * 2 + ["minimax_m3_sparse"] * 4,
    }
    assert attention("minimax_m3_vl_text", **flat) == found
    wide = refused(config("minimax_m3_vl_text", shared_intermediate_size=96))
    assert wide == ["a shared expert of 96 beside routed ones of 48"]


def test_mistral_large_4_layers_without_rotary_channels_and_without_a_latent():
    found = attention("mistral_large4_text")
    widths = [(each.qk_nope_head_dim, each.qk_rope_head_dim) for each in found]
    assert widths == [(16, 8)] * 3 + [(24, 0)] + [(16, 8)] * 2
    assert [each.latent for each in found] == ["own"] * 5 + ["earlier-layer"]
    assert [each.indexer.shared for each in found] == [False] * 5 + [True]
    assert refused(config("mistral_large4_text", kv_source_layers=[0, 0, 1, 3, 4, 5])) == [
        "kv_source_layers is a list"
    ]


# --- shared keys and other widths -----------------------------------------------------------


def test_gemma_3n_shares_keys_and_values_of_the_last_layers():
    found = attention("gemma3n_text", num_kv_shared_layers=3)
    assert [each.key_values for each in found] == ["own"] * 3 + ["earlier-layer"] * 3
    model = imported(config("gemma3n_text"))
    tags = [type(each).__struct_config__.tag for each in model.additions]
    assert tags == ["altup", "laurel", "per_layer_input"]
    # layers of a kind that no earlier layer has cannot share
    what = refused(config("gemma3n_text", num_kv_shared_layers=4))
    assert what == ["4 layers of 6 share keys and values"]


def test_gemma_4_layers_that_see_everything_have_other_heads():
    found = attention("gemma4_text")
    assert [each.head_dim for each in found] == [32, 32, 64] * 2
    assert [each.num_key_value_heads for each in found] == [2, 2, 1] * 2
    assert found[2].key_values == "projected-as-keys"
    plain = attention("gemma4_text", attention_k_eq_v=False)
    assert (plain[2].num_key_value_heads, plain[2].key_values) == (2, "own")


def test_gemma_4_dense_models_and_their_wide_feed_forwards():
    changes = {
        "enable_moe_block": False,
        "hidden_size_per_layer_input": 16,
        "num_kv_shared_layers": 3,
        "use_double_wide_mlp": True,
    }
    model = imported(config("gemma4_text", **changes))
    assert [feeds.intermediate_size for _, feeds in layers(model)] == [128] * 3 + [256] * 3
    assert {group.block_norms for group in model.groups} == {4}
    assert [each.hidden_size_per_layer_input for each in model.additions] == [16]


def test_mimo_windows_hold_the_query_too():
    found = attention("mimo_v2_flash")
    assert [each.span for each in found] == ["full"] + ["sliding"] * 4 + ["full"]
    assert {(each.num_key_value_heads, each.v_head_dim) for each in found} == {(2, 16), (4, 16)}
    assert found[1].sliding_window == 17
    assert [each.attention_sinks for each in found] == [False] + [True] * 4 + [False]
    assert attention("mimo_v2_flash", sliding_window_size=None)[1].sliding_window == 16


# --- norms, biases, positions ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "norm", "norm_bias", "block_norms"),
    [
        ("olmo2", "rms", False, 2),
        ("cohere", "layer", False, 1),
        ("gpt2", "layer", True, 2),
        ("gptj", "layer", True, 1),
        ("gpt_neox", "layer", True, 2),
        ("starcoder2", "layer", True, 2),
        ("stablelm", "layer", True, 2),
        ("gemma4_text", "rms", False, 7),
    ],
)
def test_norms(name, norm, norm_bias, block_norms):
    model = imported(config(name))
    assert (model.norm, model.norm_bias) == (norm, norm_bias)
    assert {group.block_norms for group in model.groups} == {block_norms}


def test_learned_positions_stand_in_two_of_the_old_families():
    for name in ("gpt2", "gpt_bigcode"):
        assert [each.positions for each in imported(config(name)).additions] == [256]
    assert not imported(config("gptj")).additions
    assert imported(config("gptj")).head_bias


@pytest.mark.parametrize(
    ("name", "biases"),
    [
        ("gpt2", (True, True, True)),
        ("gptj", (False, False, True)),
        ("gpt_neox", (True, True, True)),
        ("starcoder2", (True, True, True)),
        ("stablelm", (True, False, False)),
        ("seed_oss", (True, False, False)),
        ("phi3", (False, False, False)),
    ],
)
def test_biases(name, biases):
    for attends, feeds in layers(imported(config(name))):
        assert (attends.attention_bias, attends.output_bias, feeds.mlp_bias) == biases


def test_a_window_that_is_longer_than_the_context_never_binds():
    assert {each.span for each in attention("phi3")} == {"full"}
    assert {each.sliding_window for each in attention("phi3", sliding_window=128)} == {128}


@pytest.mark.parametrize("name", ["olmo3", "cohere2", "exaone4"])
def test_windows_between_layers_that_see_everything(name):
    found = attention(name)
    assert [each.sliding_window for each in found] == [32, 32, None] * 2
    by_rule = attention(name, layer_types=None, sliding_window_pattern=None)
    assert [each.sliding_window for each in by_rule] == [32, 32, 32, None, 32, 32]


def test_hunyuan_lists_must_hold_one_value():
    uneven = [2, 2, 2, 2, 2, 4]
    assert refused(config("hunyuan_v1_moe", moe_topk=uneven)) == [
        "moe_topk differs from layer to layer"
    ]
    assert imported(config("hunyuan_v1_moe", moe_topk=2)) == imported(config("hunyuan_v1_moe"))


def test_ernie_mixtures_stand_between_two_layers():
    changes = {"moe_layer_start_index": 2, "moe_layer_end_index": 4}
    model = imported(config("ernie4_5_moe", **changes))
    kinds = [type(feeds).__name__ for _, feeds in layers(model)]
    assert kinds == ["Dense"] * 2 + ["MoE"] * 3 + ["Dense"]


def test_an_architecture_that_names_no_class_is_an_assumption():
    source = Source("config.json", json.dumps(config("olmo2", architectures=["?"])))
    assert "architectures '?' names no class" in " ".join(import_config(source).assumptions)


# --- language models inside others ----------------------------------------------------------


def test_qwen_3_vl_is_tied_as_the_outer_file_says():
    assert imported(config("qwen3_vl")).tie_word_embeddings
    assert not imported(config("qwen3_vl_moe")).tie_word_embeddings
    loose = config("qwen3_vl")
    del loose["tie_word_embeddings"]
    assert not imported(loose).tie_word_embeddings


def test_mistral_3_is_tied_as_the_inner_file_says():
    found = import_config(Source("config.json", json.dumps(config("mistral3"))))
    assert not found.data["tie_word_embeddings"]
    assert "tie_word_embeddings is that of text_config, false" in " ".join(found.assumptions)
    inner = config("ministral3")
    for outside in ("mistral3", "ministral3"):
        data = config("mistral3", model_type=outside, text_config=inner)
        assert imported(data).model_type == "ministral3"


def test_kimi_k2_5_holds_a_kimi_k2():
    model = imported(config("kimi_k25"))
    assert model.model_type == "kimi_k2"
    other = config("kimi_k25", text_config=config("deepseek_v3"))
    assert imported(other).model_type == "deepseek_v3"
    assert refused(config("kimi_k25", text_config=config("llama"))) == [
        "text_config is of model_type 'llama'"
    ]


def test_the_reference_form_of_deepseek_v4_is_the_same_model():
    assert imported(config("deepseek_ref")).groups == imported(config("deepseek_v4")).groups


# --- Step -----------------------------------------------------------------------------------


def test_step_has_more_heads_in_a_window_and_gates_each():
    found = attention("step3p5")
    assert [each.num_attention_heads for each in found] == [4, 6, 6] * 2
    assert {each.output_gate for each in found} == {"head"}
    assert imported(config("step3p7")).groups == imported(config("step3p5")).groups
    by_key = {"attention_other_setting": None, "num_sliding_attention_heads": 6}
    assert attention("step3p5", **by_key) == found


def test_step_lists_hold_the_prediction_modules_too():
    model = imported(config("step3p5"))
    assert [type(feeds).__name__ for _, feeds in layers(model)] == ["Dense"] * 2 + ["MoE"] * 4
    assert model.mtp.stored
    module = model.groups[model.mtp.group]
    assert (module.attention.span, type(module.feed_forward).__name__) == ("sliding", "Dense")
    assert refused(config("step3p5", moe_layers_enum="two")) == ["moe_layers_enum is 'two'"]
