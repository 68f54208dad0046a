"""What the answers about expert traffic say beside their numbers."""

import pytest

import dsv3calc
from dsv3calc.studies.goldens.verdict import query_text

ASK = "traffic deepseek-v3 --hardware h800 "


def said(query):
    answer = dsv3calc.answer(query)
    return " ".join([*answer.assumptions, *answer.notes, *answer.warnings])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--ep 64", "latency is not counted"),
        ("--ep 64", "dp is 64"),
        ("--ep 64", "no metadata"),
        ("--ep 64", "no load imbalance"),
        ("--ep 64 --imbalance 1.5", "1.5 times the mean traffic"),
        ("--ep 64 --dispatch e5m6", "assumed: scales"),
        ("--ep 64 --no-scales", "scales are not counted"),
        (
            "--ep 64 --shared-experts routed --redundant-experts 64",
            "replicas of the shared experts",
        ),
        ("--ep 64 --tp 4", "sequence parallelism"),
        ("--ep 64 --network infiniband-ndr", "3.7 us"),
        ("--layout v3-pretrain", "section 3.3.3"),
        ("--layout v3-decode-ep320", "redundant"),
    ],
)
def test_assumptions_are_told(options, words):
    assert words in said(ASK + options)


def test_what_is_counted_is_not_assumed_away():
    assert "latency is not counted" not in said(ASK + "--ep 64 --latency 1us")
    assert "no metadata" not in said(ASK + "--ep 64 --metadata 16")


def test_formats_bring_their_sources():
    ids = [source["id"] for source in dsv3calc.answer(ASK + "--ep 64 --combine logfmt-8").sources]
    assert {"transfer_formats:fp8", "transfer_formats:logfmt-8"} <= set(ids)


def test_dispatch_follows_the_models_precision():
    bf16 = dsv3calc.answer("traffic mixtral-8x7b --ep 8 --hardware h800").columns[0].ledger
    assert bf16["traffic.dispatch.copy_bytes"] == 2 * 4096
    fp8 = dsv3calc.answer(ASK + "--ep 64").columns[0].ledger
    assert fp8["traffic.dispatch.copy_bytes"] == 7168 + 56 * 4


@pytest.mark.parametrize(
    "query",
    [
        ASK + "--layout v3-pretrain --ep 32 --imbalance 1.5 --latency 1us --no-scales",
        "limits ep --model deepseek-v3 --hardware h800 --mtp-acceptance 85%",
    ],
)
def test_the_query_of_an_answer_can_be_asked_again(query):
    first = dsv3calc.answer(query)
    again = dsv3calc.answer(query_text({"command": first.command, **first.query}))
    assert again.columns[0].ledger.values == first.columns[0].ledger.values


def test_a_device_without_a_network():
    with pytest.raises(dsv3calc.Dsv3calcError, match="no scale-out link"):
        dsv3calc.answer(ASK + "--ep 64 --set hardware.scale_out=null")
    found = dsv3calc.answer(ASK + "--ep 8 --set hardware.scale_out=null").columns[0].ledger
    assert found["traffic.time_per_layer"] > 0


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        (
            "traffic mixtral-8x7b --hardware h800 --ep 8 --score-distribution exponential",
            "--score-distribution has no effect",
        ),
        (ASK + "--ep 64 --policy unrestricted --group-score max", "which scores no groups"),
        (ASK + "--ep 1 --imbalance 3", "--imbalance has no effect: with ep 1"),
        (ASK + "--ep 1 --forwarding per-gpu", "--forwarding has no effect: with ep 1"),
        (
            "traffic mixtral-8x7b --hardware h800 --ep 8 --shared-experts local",
            "--shared-experts has no effect: the model has no shared expert",
        ),
        (ASK + "--ep 1 --compute-time 1ms", "--compute-time has no effect: with ep 1"),
        (ASK + "--ep 64 --tokens 8 --seq 4096", "--seq has no effect"),
        (ASK + "--ep 64 --algorithm tree", "--algorithm has no effect: the layout has no"),
        (
            ASK + "--layout v3-pretrain --pass-tokens 8 --gradient-dtype bf16",
            "--pass-tokens is given",
        ),
        (ASK + "--layout v3-pretrain --mla-context expanded", "has no effect: cp is 1"),
        (ASK + "--ep 64 --precision bf16 --dispatch fp8", "--dispatch names the format"),
        (ASK + "--ep 64 --latency 5", "--latency is 5 s a message"),
        (ASK + "--ep 64 --scale-up-latency 5ms", "--scale-up-latency is 0.005 s"),
        (
            "traffic mixtral-8x7b --hardware h800 --ep 8 --shared-experts routed",
            "has no shared expert",
        ),
        (
            "traffic llama-3.1-8b --hardware h800 --tp 8 --metadata 16",
            "--metadata has no effect: no layer has routed experts",
        ),
    ],
)
def test_an_option_without_effect_is_warned_of(query, warning):
    assert any(warning in each for each in dsv3calc.answer(query).warnings)


def test_options_with_effect_are_not_warned_of():
    query = ASK + "--layout v3-pretrain --cp 2 --dp 64 --ep 64 --mla-context expanded"
    query += " --law exponential --group-score max --latency 3us --algorithm tree --metadata 16"
    assert dsv3calc.answer(query).warnings == []


def test_an_expert_has_no_more_replicas_than_gpus():
    with pytest.raises(dsv3calc.Dsv3calcError, match="redundant experts on 64 GPUs") as caught:
        dsv3calc.answer(ASK + "--ep 64 --redundant-experts 64000")
    assert "at most 16,128 additional replicas" in caught.value.hint
