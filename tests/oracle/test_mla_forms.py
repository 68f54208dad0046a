"""One MLA layer costs what was counted on it, in each of its forms."""

import json
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.accounting.flops import flops_lines
from dsv3calc.schema.workload import Conventions, Workload

CASES = json.loads(Path(__file__).parent.joinpath("figures/mla_forms.json").read_text("utf-8"))
FORMS = {
    "naive": ("naive", "masked-dense"),
    "absorbed": ("absorbed", "masked-dense"),
    "hf_latent": ("latent", "masked-dense"),
    "absorbed_dsa": ("absorbed", "selected"),
}
ATTENTION = ("attention_projections", "attention_core")


def case_id(case):
    return f"{case['model']}-{case['batch']}x{case['new_tokens']}-{case['past']}"


def lines_of(case, form, **choices):
    mla, sparse = FORMS[form]
    workload = Workload(
        phase="decode" if case["past"] else "prefill",
        batch=case["batch"],
        sequence=case["new_tokens"],
        past=case["past"],
    )
    conventions = Conventions(attention="full", mla=mla, sparse_attention=sparse, **choices)
    model = dsv3calc.load_model(case["model"])
    whole = flops_lines(model, workload, conventions).total
    return {line.name.rpartition(".")[2]: line for line in whole.parts}


def counted(ending=""):
    """Mark a test with every case and form that was counted."""
    found = [(case, form) for case in CASES for form in FORMS if form + ending in case]
    names = [f"{case_id(case)}-{form}" for case, form in found]
    return pytest.mark.parametrize(("case", "form"), found, ids=names)


@counted()
def test_attention_of_one_layer(case, form):
    lines = lines_of(case, form)
    assert sum(lines[name].value for name in ATTENTION) == case["layers"] * case[form]


@counted("_components")
def test_parts_of_one_layer(case, form):
    lines = lines_of(case, form)
    found = {
        f"attention_projections.{line.name.rpartition('.')[2]}": line.value
        for line in lines["attention_projections"].parts
    }
    for part in ("scores", "values"):
        found[part] = sum(
            line.value for line in lines["attention_core"].parts if f".{part}.groups." in line.name
        )
    assert found == {
        name: case["layers"] * value for name, value in case[f"{form}_components"].items()
    }


@pytest.mark.parametrize("form", ["naive", "absorbed", "latent"])
def test_the_command_line_asks_for_the_same_forms(form):
    case = next(case for case in CASES if case["model"] == "deepseek-v3" and case["past"])
    ledger = dsv3calc.query(
        f"flops deepseek-v3 --phase decode --batch {case['batch']} --seq {case['new_tokens']} "
        f"--past {case['past']} --attention full --mla {form}"
    )
    expected = case["layers"] * case["hf_latent" if form == "latent" else form]
    assert sum(ledger[f"flops.components.{name}"] for name in ATTENTION) == expected
