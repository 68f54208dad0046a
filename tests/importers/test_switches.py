"""Switches that few published files use, against classes that transformers 5.24 builds of them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsv3calc.errors import InvalidInput
from dsv3calc.importers.huggingface import import_config
from dsv3calc.reading.source import Source

CONFIGS = Path(__file__).with_name("configs")


def run(name, **changes):
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8")) | changes
    return import_config(Source("config.json", json.dumps(data, indent=2))).data


def test_the_head_of_ernie_has_no_bias():
    """In the mixture it has one: 103,424 parameters apart in the library's own size."""
    assert not run("ernie4_5", use_bias=True, tie_word_embeddings=False).get("head_bias")
    assert run("ernie4_5_moe", use_bias=True, tie_word_embeddings=False)["head_bias"]


def test_stablelm_norms_queries_and_keys():
    (group,) = run("stablelm", qk_layernorm=True)["groups"]
    assert group["attention"]["qk_norm"] == "hidden"


def test_llama_4_may_have_biases():
    attention = run("llama4_text", attention_bias=True)["groups"][0]["attention"]
    assert (attention["attention_bias"], attention["output_bias"]) == (True, True)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("falcon_h1", {"mamba_proj_bias": True}),
        ("bailing_hybrid", {"tie_word_embeddings": True}),
        ("minimax_m3_vl_text", {"n_shared_experts": 2}),
    ],
)
def test_what_the_code_does_in_another_way_is_refused(name, changes):
    with pytest.raises(InvalidInput, match=next(iter(changes))):
        run(name, **changes)
