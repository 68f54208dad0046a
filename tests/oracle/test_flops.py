"""FLOPs equal torch's count of the library's matrix products, to the integer."""

import json
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.queries.base import FlopsQuery

FIGURES = Path(__file__).parent / "figures"
CASES = json.loads(FIGURES.joinpath("flops.json").read_text("utf-8"))
SCALED = json.loads(FIGURES.joinpath("scaled_down.json").read_text("utf-8"))
PHASES = {
    "prefill": "--phase prefill",
    "prefill_last_logit": "--phase prefill --last-logit",
    "decode": "--phase decode",
    "train_step": "--phase train",
}


def case_id(case):
    return f"{case['model']}-{case['mode']}-{case['batch']}x{case['new_tokens']}-{case.get('past')}"


def flops_of(ledger, component):
    """Give a component's FLOPs; one that stands in several groups is their sum."""
    name = f"flops.components.{component}"
    line = ledger.get(name)
    if line is not None:
        return line.value
    parts = [each.value for each in ledger.named().values() if each.name.startswith(f"{name}.")]
    assert parts, f"no line {name}"
    return sum(parts)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_total_and_every_component(case):
    past = "" if case["mode"] == "train_step" else f"--past {case['past']}"
    ledger = dsv3calc.query(
        f"flops {case['model']} {PHASES[case['mode']]} --batch {case['batch']} "
        f"--seq {case['new_tokens']} {past} --as transformers"
    )
    assert ledger["flops.total"] == case["total"]
    assert type(ledger["flops.total"]) is int
    expected = case.get("components", {})
    assert {name: flops_of(ledger, name) for name in expected} == expected
    if "scores" in case:
        core = "attention_core"
        assert flops_of(ledger, f"{core}.scores") == case["scores"]
        assert flops_of(ledger, f"{core}.values") == case["values"]


@pytest.mark.parametrize("case", [case for case in CASES if "components" in case], ids=case_id)
def test_no_component_is_missing_from_the_figures(case):
    ledger = dsv3calc.query(
        f"flops {case['model']} {PHASES[case['mode']]} --batch {case['batch']} "
        f"--seq {case['new_tokens']} --past {case['past']} --as transformers"
    )
    whole = ledger.find("flops.total")
    ours = {line.name.rpartition(".")[2] for line in whole.parts if line.value}
    assert ours == {name.partition(".")[0] for name in case["components"]}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["mode"] == "train_step"], ids=case_id
)
def test_training_is_three_forward_passes_but_for_the_indexer(case):
    work = f"--batch {case['batch']} --seq {case['new_tokens']} --as transformers"
    forward = dsv3calc.query(f"flops {case['model']} --phase prefill {work}")
    indexer = forward.get("flops.components.indexer")
    spared = 2 * indexer.value if indexer is not None else 0
    assert 3 * forward["flops.total"] - spared == case["total"]


@pytest.mark.parametrize("case", SCALED, ids=[case["model"] for case in SCALED])
@pytest.mark.parametrize("mode", ["prefill", "decode", "train_step"])
def test_scaled_down_models_with_real_tensors(case, mode):
    batch, tokens, past = case["workload"].get(mode, case["workload"]["prefill"])
    ledger = (
        dsv3calc.answer(
            query_of(
                case,
                phase=mode.removesuffix("_step"),
                batch=batch,
                sequence=tokens,
                past=past or None,
            )
        )
        .columns[0]
        .ledger
    )
    assert ledger["flops.total"] == case["flops"][mode]
    expected = case["components"].get(mode, {})
    assert {name: flops_of(ledger, name) for name in expected} == expected


def query_of(case, **workload):
    return FlopsQuery(
        model=case["model"], set=tuple(case["set"]), library="transformers", **workload
    )
