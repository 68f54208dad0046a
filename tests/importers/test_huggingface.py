"""What is refused, where and with which advice; what may be ignored."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.errors import InvalidInput
from dsv3calc.importers.families import MODULES
from dsv3calc.importers.huggingface import import_config
from dsv3calc.reading.source import Source

CONFIGS = Path(__file__).with_name("configs")


def config(name, **changes):
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    return data | changes


def run(data, **options):
    return import_config(Source("config.json", json.dumps(data, indent=2)), **options)


def problems(data, **options):
    with pytest.raises(InvalidInput) as caught:
        run(data, **options)
    return caught.value.problems


def problem(data, **options):
    (found,) = problems(data, **options)
    return found


# --- keys -----------------------------------------------------------------------------------


def test_an_unknown_key_is_an_error_with_its_place():
    data = config("llama", frobnicate=3)
    found = problem(data)
    lines = json.dumps(data, indent=2).splitlines()
    assert found.what == "unknown key 'frobnicate'"
    assert lines[found.line - 1].strip().startswith('"frobnicate"')
    assert found.column == 3
    assert found.next.startswith("--ignore-key frobnicate")


def test_an_unknown_key_may_be_ignored_by_name():
    found = run(config("llama", frobnicate=3), ignore_keys=["frobnicate"])
    assert "frobnicate" in found.ignored
    assert found.data["groups"] == run(config("llama")).data["groups"]


def test_ignoring_a_key_that_is_needed_makes_it_missing():
    assert problem(config("llama"), ignore_keys=["vocab_size"]).what == "vocab_size is missing"


def test_a_misspelt_key_is_missing_and_unknown_at_once():
    data = config("llama")
    data["hiden_size"] = data.pop("hidden_size")
    missing, unknown = problems(data)
    assert missing.what == "hidden_size is missing"
    assert unknown.suggestion == "hidden_size"


def test_rope_and_the_like_are_ignored_by_name():
    found = run(config("llama", rope_scaling={"rope_type": "yarn", "factor": 4}))
    assert {"rope_theta", "rope_scaling", "eos_token_id", "use_cache"} <= set(found.ignored)


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("mamba_d_state", "state-space"),
        ("n_shared_experts", "shared experts"),
        ("lora_rank", "low-rank adapters"),
        ("sliding_window", "sliding-window"),
        ("kv_lora_rank", "latent attention"),
    ],
)
def test_a_key_that_may_switch_something_on_says_so(key, part):
    assert part in problem(config("llama", **{key: 16})).why


@pytest.mark.parametrize("name", sorted(MODULES))
def test_an_empty_config_reports_all_that_is_missing(name):
    found = problems({"model_type": name})
    assert len({one.what for one in found}) == len(found)
    assert all(one.what.endswith("is missing") for one in found)
    assert name in MODULES


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_key_is_read_as_another_when_all_are_wrong(name):
    data = dict.fromkeys(config(name), "wrong") | {"model_type": name}
    assert problems(data)


# --- values ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["7K", "4096", True, 1.5, None, [64], {"a": 1}, 0, -1, 2**50])
def test_a_size_is_a_whole_json_number(value):
    found = problem(config("llama", vocab_size=value))
    assert found.path == "vocab_size"
    assert found.valid == "a whole number from 1 to 2^40"


@pytest.mark.parametrize(
    ("value", "shown"), [(float("inf"), "Infinity"), (float("nan"), "NaN"), (1.5, "1.5")]
)
def test_a_number_that_is_not_whole_is_told_as_it_stands_in_the_file(value, shown):
    found = problem(config("llama", num_hidden_layers=value))
    assert found.what == f"num_hidden_layers is {shown}, not a whole number"


def test_a_whole_number_written_as_a_float():
    assert run(config("llama", vocab_size=1e3)).data["vocab_size"] == 1000


@pytest.mark.parametrize("value", ["true", 1, None])
def test_a_flag_is_true_or_false(value):
    assert problem(config("llama", attention_bias=value)).valid == "true or false"


def test_every_problem_in_one_run_in_file_order():
    found = problems(config("llama", hidden_size="7K", vocab_size=True, mlp_bias=0, extra=1))
    assert [one.path for one in found] == ["hidden_size", "vocab_size", "mlp_bias", "extra"]


def test_heads_that_do_not_divide():
    found = problem(config("llama", num_attention_heads=6))
    assert found.what == "6 heads do not divide hidden_size 64"
    assert "key-value heads do not divide" in problem(config("llama", num_key_value_heads=3)).what


def test_the_schemas_checks_point_at_the_configs_keys():
    assert problem(config("mixtral", num_experts_per_tok=9)).path == "num_experts_per_tok"
    found = problem(config("dbrx", ffn_config={**config("dbrx")["ffn_config"], "moe_top_k": 9}))
    assert found.path == "ffn_config.moe_top_k"
    assert problem(config("deepseek_v3", n_group=3)).path == "n_group"


@pytest.mark.parametrize(
    ("name", "changes", "path"),
    [
        ("llama", {"hidden_act": "swiglu"}, "hidden_act"),
        ("llama", {"is_encoder_decoder": True}, "is_encoder_decoder"),
        ("llama", {"architectures": ["LlamaForSequenceClassification"]}, "architectures"),
        ("llama", {"num_hidden_layers": 10**6}, "num_hidden_layers"),
        ("llama", {"quantization_config": "fp8"}, "quantization_config"),
        ("mistral", {"attention_bias": True}, "attention_bias"),
        ("qwen", {"intermediate_size": 255}, "intermediate_size"),
        ("qwen", {"kv_channels": 24}, "kv_channels"),
        ("qwen", {"use_cache_quantization": True}, "use_cache_quantization"),
        ("qwen2", {"attention_bias": False}, "attention_bias"),
        ("qwen2", {"layer_types": ["sliding_attention"] * 6}, "layer_types"),
        ("qwen3_moe", {"mlp_only_layers": [6]}, "mlp_only_layers[0]"),
        ("qwen3_moe", {"mlp_only_layers": 3}, "mlp_only_layers"),
        ("deepseek_v2", {"topk_method": "noaux_tc"}, "topk_method"),
        ("deepseek_v3", {"topk_method": "greedy"}, "topk_method"),
        ("deepseek_v3", {"num_key_value_heads": 2}, "num_key_value_heads"),
        ("deepseek_v3", {"layer_types": ["linear_attention"] * 6}, "layer_types[0]"),
        ("deepseek_v32", {"mlp_layer_types": ["dense"] * 5}, "mlp_layer_types"),
        ("gpt_oss", {"layer_types": ["full_attention"] * 5 + ["mamba"]}, "layer_types[5]"),
        ("gpt_oss", {"layer_types": "full_attention"}, "layer_types"),
        ("gpt_oss", {"experts_per_token": 4}, "experts_per_token"),
        ("gemma2", {"sliding_window": None}, "sliding_window"),
        ("gemma3_text", {"use_bidirectional_attention": True}, "use_bidirectional_attention"),
        ("llama4_text", {"no_rope_layers": [1, 0]}, "no_rope_layers"),
        ("llama4_text", {"no_rope_layers": [True] * 8}, "no_rope_layers[0]"),
        ("llama4_text", {"moe_layers": ["0"]}, "moe_layers[0]"),
        ("minimax_m2", {"attn_type_list": [1, 0, 1, 1, 1, 1]}, "attn_type_list[1]"),
        ("minimax_m2", {"shared_intermediate_size": 64}, "shared_intermediate_size"),
        ("minimax_m2", {"mtp_transformer_layers": 2}, "mtp_transformer_layers"),
        ("dbrx", {"attn_config": []}, "attn_config"),
        ("dbrx", {"ffn_config": {"ffn_act_fn": {"name": "glu"}}}, "ffn_config.ffn_act_fn"),
        ("dbrx", {"attn_config": {"kv_n_heads": 2, "bias": True}}, "attn_config.bias"),
        ("dbrx", {"tie_word_embeddings": True}, "tie_word_embeddings"),
        ("gemma3", {"tie_word_embeddings": 1}, "text_config.tie_word_embeddings"),
    ],
)
def test_what_is_refused(name, changes, path):
    assert path in [one.path for one in problems(config(name, **changes))]


def test_a_swish_by_any_name_is_accepted():
    for name in ("silu", "SiLU", "gelu_pytorch_tanh"):
        run(config("llama", hidden_act=name))
    run(config("dbrx", ffn_config={**config("dbrx")["ffn_config"], "ffn_act_fn": {"name": "silu"}}))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_a_key_that_counts_nothing_may_hold_what_is_no_number(text):
    data = config("llama", rope_theta=float(text), time_step_limit=[0.0, float(text)])
    data["rope_scaling"] = {"factor": float(text)}
    assert text in json.dumps(data)
    found = run(data, ignore_keys=["time_step_limit"])
    assert {"rope_theta", "rope_scaling", "time_step_limit"} <= set(found.ignored)
    assert found.data == run(config("llama")).data


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused_where_it_counts(text):
    data = config("llama", vocab_size=float(text))
    found = problem(data)
    assert found.path == "vocab_size"
    assert found.valid == "a whole number from 1 to 2^40"
    line = json.dumps(data, indent=2).splitlines()[found.line - 1]
    assert line.strip().rstrip(",") == f'"vocab_size": {text}'


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("llama", {"is_llama_config": True, "rope_interleaved": False}),
        ("llama", {"transformers.js_config": {"dtype": "q4"}}),
        ("gpt_oss", {"swiglu_alpha": 1.702, "swiglu_limit": 7.0}),
        ("phimoe", {"expert_dropout": 0.0}),
    ],
)
def test_keys_that_released_files_carry_and_no_count_needs(name, keys):
    found = run(config(name, **keys))
    assert set(keys) <= set(found.ignored)
    assert found.data == run(config(name)).data


def test_a_stated_head_dim_of_phimoe():
    (group,) = run(config("phimoe", head_dim=48)).data["groups"]
    assert group["attention"]["head_dim"] == 48


def test_a_reason_says_what_the_importer_knows():
    found = problem(config("llama", frobnicate=3))
    assert (
        found.why == "the importer of model_type llama does not know it, and it may change a count"
    )
    found = problem(config("qwen2", sparse_attention_blocks=64))
    assert found.suggestion == ""  # attention_bias is another thing


# --- model types ----------------------------------------------------------------------------


def test_an_unknown_model_type_lists_the_supported_and_the_nearest():
    found = problem(config("llama", model_type="lama"))
    assert found.what == "model_type 'lama' is not supported"
    assert found.suggestion == "llama"
    assert all(name in found.valid for name in MODULES)
    assert found.line is not None


@pytest.mark.parametrize(
    ("given", "suggestion"),
    [
        ("lama", "llama"),
        ("Qwen3-MoE", "qwen3_moe"),
        ("deepseek-v3", "deepseek_v3"),
        ("glm5_next", ""),
        ("deepseek_v5", ""),
        ("ministral", ""),
        ("gemma5", ""),
        ("mistral3", ""),
        ("olmo", ""),
        ("mllama", ""),
    ],
)
def test_another_family_is_no_misspelling(given, suggestion):
    assert problem(config("llama", model_type=given)).suggestion == suggestion


@pytest.mark.parametrize("given", ["mambo", "zamba2", "rwkv", "", 7, None, ["llama"]])
def test_other_model_types_are_refused_by_name(given):
    assert "model_type" in problem(config("llama", model_type=given)).what


def test_a_missing_model_type():
    data = config("llama")
    del data["model_type"]
    assert problem(data).what == "model_type is missing"


def test_a_multimodal_model_around_a_supported_one_says_what_to_do():
    found = problem({"model_type": "llava", "text_config": config("llama")})
    assert found.next == "import text_config alone: it is a llama"


@pytest.mark.parametrize(
    ("text_config", "what"),
    [(None, "text_config is missing"), (3, "text_config is 3")],
)
def test_a_nested_text_config_is_needed(text_config, what):
    assert problem({"model_type": "gemma3", "text_config": text_config}).what == what


def test_a_nested_text_config_of_another_family():
    found = problem(config("gemma3", text_config=config("llama")))
    assert found.path == "text_config.model_type"
    assert found.valid == "gemma3_text"


def test_a_nested_problem_names_its_path():
    data = config("gemma3")
    data["text_config"]["hidden_size"] = "5K"
    data["text_config"]["extra"] = 1
    assert [one.path for one in problems(data)] == ["text_config.hidden_size", "text_config.extra"]


def test_tied_embeddings_beside_the_text_config():
    data = config("gemma3", tie_word_embeddings=False)
    assert run(data).data["tie_word_embeddings"] is False
    data["text_config"]["tie_word_embeddings"] = True
    assert "contradicts" in problem(data).what


# --- texts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ['{"model_type": "llama", "hidden_size": 40', "[1, 2]", "3", "nope"]
)
def test_truncated_json_and_other_texts(text):
    with pytest.raises(InvalidInput) as caught:
        import_config(Source("config.json", text))
    assert caught.value.problems[0].line == 1


def test_a_key_given_twice_is_refused():
    with pytest.raises(InvalidInput):
        import_config(Source("config.json", '{"model_type": "llama", "model_type": "qwen2"}'))


SCALAR = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


def _nested(inner):
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)


JSON = st.recursive(SCALAR | NUMBER, _nested, max_leaves=5)


@st.composite
def spoilt(draw):
    data = config(draw(st.sampled_from(sorted(MODULES))))
    for _ in range(draw(st.integers(0, 4))):
        place = data.get("text_config") if draw(st.booleans()) else data
        if isinstance(place, dict) and place:
            key = draw(st.sampled_from(sorted(place)))
            if draw(st.booleans()):
                del place[key]
            else:
                place[key] = draw(JSON)
    return data


@given(spoilt())
def test_whatever_a_config_holds_it_is_imported_or_refused_with_problems(data):
    refused = None
    try:
        assert run(data).data["groups"]
    except InvalidInput as error:
        refused = error
    assert refused is None or (refused.problems and str(refused))
