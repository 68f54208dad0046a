"""What-if columns: what changes, what stays, and what is refused."""

import msgspec
import pytest

import dsv3calc
from dsv3calc.errors import UsageError
from dsv3calc.schema.model import GQA, Dense
from dsv3calc.studies.compare.vary import split_variation, vary

V3 = dsv3calc.load_model("deepseek-v3")


def columns(query):
    return {column.id: column.ledger for column in dsv3calc.answer(query).columns}


@pytest.mark.parametrize(("value", "shared"), [("mha", 128), ("mqa", 1), ("gqa:8", 8)])
def test_mla_becomes_gqa_with_the_same_heads_and_head_size(value, shared):
    changed = vary(V3, [("attention", value)])
    for group, before in zip(changed.groups, V3.groups, strict=True):
        attend = group.attention
        assert isinstance(attend, GQA)
        assert (attend.num_attention_heads, attend.num_key_value_heads, attend.head_dim) == (
            128,
            shared,
            128,
        )
        assert (attend.span, attend.qk_norm, attend.attention_sinks) == ("full", "none", False)
        assert group.feed_forward == before.feed_forward
        assert group.layers == before.layers
    assert changed.hidden_size == V3.hidden_size
    assert changed.num_hidden_layers == V3.num_hidden_layers


@pytest.mark.parametrize(("value", "vectors"), [("mha", 2 * 128), ("gqa:8", 2 * 8), ("mqa", 2)])
def test_the_cache_of_the_changed_model(value, vectors):
    name = f"deepseek-v3:attention={value}"
    ledger = columns(f"compare deepseek-v3 --vary {name} --rows kv_cache")[name]
    assert ledger["kv_cache.bytes_per_token"] == 61 * vectors * 128 * 2


def test_gqa_keeps_its_span_and_norms_when_its_sharing_changes():
    model = dsv3calc.load_model("gemma-3-27b")
    changed = vary(model, [("attention", "mqa")])
    for group, before in zip(changed.groups, model.groups, strict=True):
        expected = msgspec.structs.replace(before.attention, num_key_value_heads=1)
        assert group.attention == expected


def test_gqa_that_is_mha_already_stays_as_it_is():
    model = dsv3calc.load_model("deepseek-v2-lite")
    mha = vary(model, [("attention", "mha")])
    assert vary(mha, [("attention", "mha")]) == mha


@pytest.mark.parametrize(("value", "experts"), [("dense-active", 8 + 1), ("dense-total", 256 + 1)])
def test_experts_become_one_feed_forward_of_their_width(value, experts):
    changed = vary(V3, [("feed_forward", value)])
    assert changed.groups[0] == V3.groups[0]
    assert changed.groups[1].feed_forward == Dense(intermediate_size=experts * 2048)
    assert changed.groups[1].attention == V3.groups[1].attention


@pytest.mark.parametrize("model", ["deepseek-v3", "glm-4.5", "mixtral-8x7b", "kimi-k2"])
def test_dense_active_has_the_active_and_dense_total_all_of_the_expert_parameters(model):
    found = columns(
        f"compare {model} --vary {model}:feed_forward=dense-active "
        f"--vary {model}:feed_forward=dense-total --rows parameters"
    )
    sparse, active, total = found.values()
    router = sparse["parameters.components.router"]
    assert active["parameters.total"] == sparse["parameters.active"] - router
    assert total["parameters.total"] == sparse["parameters.total"] - router
    assert total["parameters.active"] == total["parameters.total"]


def test_dense_active_computes_what_the_experts_did():
    name = "deepseek-v3:feed_forward=dense-active"
    sparse, dense = columns(f"compare deepseek-v3 --vary {name} --rows flops").values()
    router = sparse["flops.train.components.router"]
    assert dense["flops.train.total"] == sparse["flops.train.total"] - router


def test_several_changes_in_one_column():
    name = "deepseek-v3:attention=gqa:8,feed_forward=dense-active,precision=bf16"
    ledger = columns(f"compare deepseek-v3 --vary {name} --rows parameters,weights")[name]
    assert ledger["parameters.components.routed_experts"] == 0
    assert ledger["weights.bytes"] == 2 * ledger["parameters.total"]


def test_precision_changes_the_weights_of_that_column_alone():
    plain, changed = columns(
        "compare deepseek-v3 --vary deepseek-v3:precision=bf16 --rows parameters,weights"
    ).values()
    assert changed["parameters.total"] == plain["parameters.total"]
    assert changed["weights.bytes"] > plain["weights.bytes"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deepseek-v3:attention=gqa:7", "7 key-value heads do not divide 128 heads"),
        ("deepseek-v3:attention=gqa:256", "256 key-value heads do not divide 128 heads"),
        ("deepseek-v3:attention=gqa:0", "0 key-value heads do not divide"),
        ("deepseek-v3:attention=gqa", "choose one of mha, mqa, gqa:KEY_VALUE_HEADS"),
        ("deepseek-v3:attention=gqa:-8", "choose one of"),
        ("deepseek-v3:attention=gqa:8.0", "choose one of"),
        ("deepseek-v3:attention=linear", "choose one of"),
        ("deepseek-v3:feed_forward=dense", "choose one of dense-active, dense-total"),
        ("deepseek-v3:feed_forward=", "is no NAME=VALUE"),
        ("deepseek-v3:attention=mha,attention=mqa", "attention is changed twice"),
        ("deepseek-v3:attention=mha,depth=3", "no field 'depth'"),
        ("deepseek-v3:attention=mha,", "choose one of"),
        ("deepseek-v3:precision=nope", "no precision preset 'nope'"),
        ("deepseek-v3", "expected MODEL:NAME=VALUE"),
        ("deepseek-v3:depth=3", "no field 'depth'"),
        (":attention=mha", "expected MODEL:NAME=VALUE"),
        ("llama-3.1-8b:feed_forward=dense-active", "no layer of llama-3.1-8b has routed experts"),
        ("nope:attention=mha", "no model preset 'nope'"),
    ],
)
def test_what_cannot_be_is_refused(text, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        dsv3calc.answer(f"compare deepseek-v3 --vary '{text}'")


def test_mla_with_unequal_head_sizes_cannot_become_gqa():
    groups = [
        msgspec.structs.replace(
            group, attention=msgspec.structs.replace(group.attention, v_head_dim=64)
        )
        for group in V3.groups
    ]
    with pytest.raises(UsageError, match="GQA has one head_dim for both"):
        vary(msgspec.structs.replace(V3, groups=groups), [("attention", "mha")])


def test_a_typing_mistake_gets_a_suggestion():
    with pytest.raises(UsageError) as caught:
        dsv3calc.answer("compare deepseek-v3:atention=mha")
    assert "attention" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        vary(V3, [("feed_forward", "dense-activ")])
    assert "dense-active" in caught.value.hint


def test_a_model_may_be_a_path_with_colons():
    assert split_variation("./a:b/model.yaml:attention=gqa:8,precision=bf16") == (
        "./a:b/model.yaml",
        (("attention", "gqa:8"), ("precision", "bf16")),
    )
