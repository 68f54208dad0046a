"""The cache's bytes equal what the library's cache objects hold after a pass."""

import json
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.queries.base import KVQuery

FIGURES = Path(__file__).parent / "figures"
CASES = json.loads(FIGURES.joinpath("kv_cache.json").read_text("utf-8"))
SCALED = json.loads(FIGURES.joinpath("scaled_down.json").read_text("utf-8"))
BF16_BYTES = 2


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case['model']}-{case['batch']}x{case['seq']}" for case in CASES]
)
def test_bytes_in_bf16(case):
    assert case["dtype_bytes"] == BF16_BYTES
    ledger = dsv3calc.query(
        f"kv {case['model']} --tokens {case['seq']} --batch {case['batch']} --as transformers"
    )
    assert ledger["kv_cache.bytes"] == case["bytes"]
    assert type(ledger["kv_cache.bytes"]) is int


@pytest.mark.parametrize("case", SCALED, ids=[case["model"] for case in SCALED])
def test_scaled_down_models_with_real_tensors(case):
    held = case["kv"]
    query = KVQuery(
        model=case["model"],
        set=tuple(case["set"]),
        library="transformers",
        tokens=held["seq"],
        batch=held["batch"],
    )
    ledger = dsv3calc.answer(query).columns[0].ledger
    # counted there in FP32
    assert ledger["kv_cache.bytes"] * held["dtype_bytes"] == held["bytes"] * BF16_BYTES


@pytest.mark.parametrize("model", ["gemma-3-27b", "gpt-oss-120b", "mistral-7b", "llama-4-maverick"])
def test_by_default_a_limited_layer_keeps_the_one_token_that_the_library_drops(model):
    default = dsv3calc.query(f"kv {model} --tokens 1M")
    library = dsv3calc.query(f"kv {model} --tokens 1M --as transformers")
    limited = sum(
        default[f"kv_cache.bytes_per_token.groups.{index}"]
        for index, group in enumerate(dsv3calc.load_model(model).groups)
        if group.attention.span != "full"
    )
    assert default["kv_cache.bytes"] - library["kv_cache.bytes"] == limited > 0
