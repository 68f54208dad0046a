"""Speculation in FLOPs and bytes: verification, drafts, what a step yields."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

import dsv3calc
from dsv3calc.errors import UsageError

STEP = {"phase": "decode", "past": 4096}


def test_verification_is_a_pass_of_more_tokens():
    found = dsv3calc.flops("deepseek-v3", **STEP, draft_tokens=2, acceptance=0.8)
    three = dsv3calc.flops("deepseek-v3", **STEP, sequence=3)
    assert found["flops.total"] == three["flops.total"]
    assert found["flops.tokens_per_step"] == pytest.approx(1 + 0.8 + 0.8**2)
    step = found["flops.step"]
    assert found["flops.per_output_token"] == pytest.approx(step / 2.44)


def test_drafts_are_passes_of_the_prediction_module():
    """What multi-token prediction adds to single tokens, at the contexts of the drafts."""
    found = dsv3calc.flops("deepseek-v3", **STEP, draft_tokens=2, acceptance=0.8)
    added = 0
    for past in (4096, 4097):
        options = {"phase": "decode", "past": past}
        both = dsv3calc.flops("deepseek-v3", **options, with_mtp=True)["flops.total"]
        added += both - dsv3calc.flops("deepseek-v3", **options)["flops.total"]
    assert found["flops.drafts"] == added
    assert found["flops.step"] == found["flops.total"] + added


def test_one_of_several_modules_drafts():
    model = "minimax-m2.5"
    found = dsv3calc.flops(model, **STEP, draft_tokens=1, acceptance=0.5)
    both = dsv3calc.flops(model, **STEP, with_mtp=True)["flops.total"]
    plain = dsv3calc.flops(model, **STEP)["flops.total"]
    assert found["flops.drafts"] * 3 == both - plain


def test_a_draft_model():
    options = {"draft_tokens": 4, "draft_model": "llama-3.1-8b"}
    found = dsv3calc.flops("llama-3.1-70b", **STEP, batch=2, **options)
    alone = dsv3calc.flops("llama-3.1-8b", **STEP, batch=2, sequence=4)
    assert found["flops.drafts"] == alone["flops.total"]
    assert "flops.per_output_token" not in found.named()
    cache = dsv3calc.kv("llama-3.1-70b", tokens=4096, batch=2, **options)
    for name, part in (("llama-3.1-70b", "verified"), ("llama-3.1-8b", "drafts")):
        held = dsv3calc.kv(name, tokens=4100, batch=2)["kv_cache.bytes"]
        assert cache[f"kv_cache.step.{part}"] == held
    assert cache["kv_cache.step.state_copies"] == 0


def test_caches_and_copies_of_states_of_a_hybrid():
    """A state of a mixer cannot go back a token: one is kept for each."""
    model = "qwen3-next-80b-a3b"
    found = dsv3calc.kv(model, tokens=4096, batch=8, draft_tokens=2)
    plain = dsv3calc.kv(model, tokens=4098, batch=8)
    mtp = dsv3calc.kv(model, tokens=4098, batch=8, with_mtp=True)
    assert found["kv_cache.step.verified"] == plain["kv_cache.bytes"]
    assert found["kv_cache.step.drafts"] == mtp["kv_cache.bytes"] - plain["kv_cache.bytes"]
    copies = 8 * 2 * plain["state.bytes_per_sequence"]
    assert found["kv_cache.step.state_copies"] == copies
    assert found["kv_cache.bytes"] == dsv3calc.kv(model, tokens=4096, batch=8)["kv_cache.bytes"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"acceptance": 0.8}, "--acceptance: no token is drafted"),
        ({"draft_model": "llama-3.1-8b"}, "--draft-model: no token is drafted"),
        ({"draft_tokens": 65}, "--draft-tokens"),
        ({"draft_tokens": 1, "acceptance": 1}, "--acceptance 1: expected a share below 1"),
        ({"draft_tokens": 1, "sequence": 2}, "--seq beside --draft-tokens"),
        ({"draft_tokens": 1, "with_mtp": True}, "--with-mtp beside --draft-tokens"),
        ({"draft_tokens": 1, "phase": "prefill"}, "--phase prefill beside --draft-tokens"),
        ({"draft_tokens": 1, "counting": "six-n"}, "--counting six-n beside --draft-tokens"),
    ],
)
def test_what_makes_no_step_is_refused(given, words):
    with pytest.raises(UsageError, match=words):
        dsv3calc.flops("deepseek-v3", **({"phase": "decode"} | given))


def test_a_model_without_modules_needs_another():
    with pytest.raises(UsageError, match="no MTP module"):
        dsv3calc.flops("llama-3.1-8b", phase="decode", draft_tokens=1)
    with pytest.raises(UsageError, match="--with-mtp beside --draft-tokens"):
        dsv3calc.kv("deepseek-v3", draft_tokens=1, with_mtp=True)
