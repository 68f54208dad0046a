"""Parameters equal what torch counts on the models' own modules, to the integer."""

import json
from pathlib import Path

import pytest

import dsv3calc

CASES = json.loads(Path(__file__).parent.joinpath("figures/params.json").read_text("utf-8"))
COMPONENTS = (
    "embedding", "head", "attention", "dense_ffn", "routed_experts", "shared_experts", "router",
    "norms", "indexer",
)  # fmt: skip
every_model = pytest.mark.parametrize("case", CASES, ids=[case["model"] for case in CASES])


@every_model
def test_total_counts_the_routing_bias_by_default(case):
    ledger = dsv3calc.query(f"params {case['model']}")
    assert ledger["parameters.total"] == case["total"]
    assert type(ledger["parameters.total"]) is int


@every_model
def test_total_as_transformers_leaves_the_routing_bias_out(case):
    ledger = dsv3calc.query(f"params {case['model']} --as transformers")
    assert ledger["parameters.total"] == case["trainable"]


@every_model
def test_every_component(case):
    ledger = dsv3calc.query(f"params {case['model']} --as transformers")
    found = {name: ledger[f"parameters.components.{name}"] for name in COMPONENTS}
    assert found == dict.fromkeys(COMPONENTS, 0) | case["components"]
    assert sum(found.values()) == case["trainable"]


@every_model
def test_components_by_default_differ_by_the_routing_bias_alone(case):
    ledger = dsv3calc.query(f"params {case['model']}")
    found = {name: ledger[f"parameters.components.{name}"] for name in COMPONENTS}
    expected = dict.fromkeys(COMPONENTS, 0) | case["components"]
    expected["router"] += case["total"] - case["trainable"]
    assert found == expected


@every_model
def test_every_tensor(case):
    ledger = dsv3calc.query(f"params {case['model']} --as transformers")
    found = {name: ledger[f"parameters.components.{name}"] for name in case["tensors"]}
    assert found == case["tensors"]


def _sum_of(ledger, component, *, ending="", names=None):
    prefix = f"parameters.components.{component}."
    parts = next(
        line for line in ledger.walk() if line.name == f"parameters.components.{component}"
    ).parts
    tensors = {line.name.removeprefix(prefix): line.value for line in parts}
    if names is not None:
        return sum(value for name, value in tensors.items() if name in names)
    return sum(value for name, value in tensors.items() if name.endswith(".bias") == bool(ending))


@every_model
def test_sums_of_tensors(case):
    ledger = dsv3calc.query(f"params {case['model']} --as transformers")
    block = {"block_norms", "final_norm"}
    norms = ledger["parameters.components.norms"]
    found = {
        "norms/block_or_final": _sum_of(ledger, "norms", names=block),
        "norms/attn_internal": norms - _sum_of(ledger, "norms", names=block),
        "routed_experts/weight": _sum_of(ledger, "routed_experts"),
        "routed_experts/bias": _sum_of(ledger, "routed_experts", ending=".bias"),
    }
    assert {name: value for name, value in found.items() if value} == case["sums"]


@every_model
def test_active_parameters(case):
    ledger = dsv3calc.query(f"params {case['model']}")
    if "moe" not in case:
        assert ledger["parameters.active"] == case["total"]
        return
    moe = case["moe"]
    assert ledger["parameters.active"] == moe["active_all"]
    assert ledger["parameters.active_without_embedding"] == moe["active_excl_input_embedding"]
    bare = dsv3calc.query(f"params {case['model']} --variant non-embedding")
    assert bare["parameters.active"] == moe["active_excl_embedding_and_head"]
    idle = ledger["parameters.total"] - ledger["parameters.active"]
    assert idle == moe["inactive_routed_params"]


@every_model
def test_a_tied_head_is_counted_once(case):
    ledger = dsv3calc.query(f"params {case['model']}")
    assert (ledger["parameters.components.head"] == 0) is case["tied"]
    if case["tied"]:
        # the one matrix serves as the head, so it stays in what a token passes through
        without = ledger["parameters.active_without_embedding"]
        assert without == ledger["parameters.active"]


@every_model
def test_layer_rows_add_up_to_the_total(case):
    answer = dsv3calc.answer(f"params {case['model']} --by layer")
    assert sum(row["total"] for row in answer.rows) == case["total"]
    for name in ("attention", "dense_ffn", "routed_experts", "shared_experts", "norms", "indexer"):
        expected = case["components"].get(name, 0)
        assert sum(row[name] for row in answer.rows) == expected, name
