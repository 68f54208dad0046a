"""Newer families equal torch's counts of the library's models, to the integer.

``families.json`` holds full sizes, counted on the meta device; ``families_scaled.json`` small
models with real tensors. Both change the small configs of the importer's tests.
"""

import json
from pathlib import Path

import pytest

import dsv3calc

FIGURES = Path(__file__).parent / "figures"
CONFIGS = Path(__file__).parents[1] / "importers/configs"
CASES = json.loads(FIGURES.joinpath("families.json").read_text("utf-8"))
SCALED = json.loads(FIGURES.joinpath("families_scaled.json").read_text("utf-8"))


def config(folder, model_type, case):
    data = json.loads((CONFIGS / f"{model_type}.json").read_text("utf-8"))
    kept = {key: value for key, value in data.items() if key not in case["without"]}
    path = folder / "config.json"
    path.write_text(json.dumps(kept | case["changes"]), "utf-8")
    return path


@pytest.mark.parametrize("case", CASES, ids=[case["model"] for case in CASES])
def test_full_size(case, tmp_path):
    path = config(tmp_path, case["model_type"], case)
    found = dsv3calc.query(f"params {path}")
    assert found["parameters.total"] == case["total_with_router_bias"]
    assert found["parameters.active"] == case["active"]
    for tokens, held in case["cache"].items():
        found = dsv3calc.query(f"kv {path} --context {tokens} --as transformers")
        assert found["kv_cache.bytes"] == held
    for point in case["flops"]:
        found = dsv3calc.query(
            f"flops {path} --phase {point['mode']} --seq {point['new_tokens']} "
            f"--context {point['past']} --as transformers"
        )
        assert found["flops.total"] == point["total"]


@pytest.mark.parametrize("name", SCALED)
def test_small_models_with_real_tensors(name, tmp_path):
    case = SCALED[name]
    path = config(tmp_path, name, case)
    found = dsv3calc.query(f"params {path} --variant trainable")
    assert found["parameters.total"] == case["parameters"]
    for run in case["runs"]:
        tokens, library = run["tokens"], "--as transformers"
        prefill = dsv3calc.query(f"flops {path} --phase prefill --seq {tokens} {library}")
        assert prefill["flops.total"] == run["prefill"]
        decode = dsv3calc.query(f"flops {path} --phase decode --context {tokens} {library}")
        assert decode["flops.total"] == run["decode"]
        if run["dtype"] == "bfloat16":
            for more, held in ((0, run["cache"]), (1, run["cache_after"])):
                found = dsv3calc.query(f"kv {path} --context {tokens + more} {library}")
                assert found["kv_cache.bytes"] == held
