"""Bundles fix what they say and refuse the rest; options without effect are warned of."""

import pytest

import dsv3calc
from dsv3calc.accounting.conventions import BUNDLES, CHOICES, choose_conventions
from dsv3calc.accounting.routing import destinations as routing
from dsv3calc.accounting.traffic import (
    algorithms,
    collectives,
    exchange,
    limits_ep,
    transfer_formats,
)
from dsv3calc.accounting.traffic.conventions import TRAFFIC_CHOICES
from dsv3calc.errors import UsageError
from dsv3calc.schema.workload import Conventions
from dsv3calc.studies.network import choices as network_choices

OPTIONS = {
    "counting": "--counting six-n",
    "attention": "--attention causal",
    "mla": "--mla absorbed",
    "head": "--head out",
    "router": "--router in",
    "mtp": "--with-mtp",
}


@pytest.mark.parametrize("bundle", BUNDLES.values(), ids=list(BUNDLES))
def test_a_bundle_refuses_every_option_that_it_fixes(bundle):
    if "flops" not in bundle.commands:
        assert not OPTIONS.keys() & bundle.fixes.keys()
        return
    for name, option in OPTIONS.items():
        query = f"flops deepseek-v3 {bundle.option} {bundle.name} {option}"
        if name not in bundle.fixes:
            dsv3calc.answer(query)
            continue
        with pytest.raises(UsageError) as caught:
            dsv3calc.answer(query)
        assert f"{name}={bundle.fixes[name]}" in caught.value.message
        assert option.split()[0] in caught.value.message


@pytest.mark.parametrize("bundle", BUNDLES.values(), ids=list(BUNDLES))
def test_a_bundle_refuses_what_it_fixes_also_where_the_choice_is_the_same(bundle):
    """An option that a bundle fixes is refused, not compared."""
    for name, value in bundle.fixes.items():
        with pytest.raises(UsageError, match="fixes"):
            choose_conventions({name: value}, **bundle_argument(bundle))


def bundle_argument(bundle):
    kind = "convention" if bundle.option == "--convention" else "library"
    return {kind: bundle.name, "command": next(iter(bundle.commands))}


@pytest.mark.parametrize("bundle", BUNDLES.values(), ids=list(BUNDLES))
def test_a_bundle_is_what_its_options_are_one_by_one(bundle):
    chosen = choose_conventions({}, **bundle_argument(bundle))
    assert chosen == Conventions(**bundle.fixes)
    assert bundle.words
    assert bundle.source


def test_the_paper_s_bundle_is_the_sum_of_its_options():
    bundled = dsv3calc.query("flops deepseek-v3 --seq 4096 --convention isca25-table2")
    spelled = dsv3calc.query(
        "flops deepseek-v3 --seq 4096 --attention half --mla naive --router out"
    )
    assert bundled.values == spelled.values


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("flops deepseek-v3 --as transformers --convention isca25-table2", "give one"),
        ("kv deepseek-v3 --as transformers --mla naive", "fixes mla=latent"),
        ("kv deepseek-v3 --as transformers --with-mtp", "fixes mtp=out"),
        ("params deepseek-v3 --as transformers --variant checkpoint", "fixes parameters=trainable"),
        ("params deepseek-v3 --as transformers --with-mtp", "fixes parameters=trainable"),
        ("params deepseek-v3 --with-mtp --variant checkpoint", "give one"),
        ("flops deepseek-v3 --as isca25-table2", "choose one of torchtitan"),
        ("flops deepseek-v3 --convention transformers", "choose one of isca25-table2"),
        ("flops deepseek-v3 --attention casual", "did you mean 'causal'"),
        ("flops deepseek-v3 --mla absorb", "did you mean 'absorbed'"),
        ("flops deepseek-v3 --phase trian", "did you mean 'train'"),
        ("params deepseek-v3 --variant checkpiont", "did you mean 'checkpoint'"),
        ("params deepseek-v3 --include norm", "did you mean 'norms'"),
        ("params deepseek-v3 --include mtp --exclude mtp", "both included and excluded"),
        ("flops deepseek-v3 --phase train --past 5", "training has no cache"),
        ("flops deepseek-v3 --phase train --last-logit", "training needs the logits"),
    ],
)
def test_a_contradiction_is_refused(query, message):
    with pytest.raises(UsageError) as caught:
        dsv3calc.answer(query)
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_every_convention_of_a_bundle_is_a_known_choice():
    for bundle in BUNDLES.values():
        for name, value in bundle.fixes.items():
            assert value in CHOICES[name][1]


def test_the_first_choice_listed_is_the_default():
    defaults = Conventions()
    for name, (_, choices) in CHOICES.items():
        expected = "by-phase" if name == "mla" else next(iter(choices))
        assert getattr(defaults, name) == expected


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("ep_limit", limits_ep.CONVENTIONS),
        ("routing_policy", ("model", *routing.POLICIES)),
        ("group_score", ("model", *routing.GROUP_SCORES)),
        ("score_law", routing.LAWS),
        ("forwarding", exchange.FORWARDING),
        ("transfer_format", transfer_formats.FORMATS),
        ("collective_algorithm", algorithms.ALGORITHMS),
        ("mla_context", collectives.MLA_CONTEXT),
        ("gradient_reduction", collectives.GRADIENT_REDUCTION),
        ("network_size", network_choices.VARIANTS),
    ],
)
def test_every_choice_of_traffic_is_listed_with_its_default_first(name, choices):
    assert tuple(TRAFFIC_CHOICES[name][1]) == tuple(choices)


def test_the_defaults_of_traffic_are_those_that_an_answer_names():
    query = dsv3calc.answer("traffic deepseek-v3 --layout v3-pretrain --hardware h800").query
    named = {
        "routing_policy": "policy", "group_score": "group_score", "score_law": "law",
        "forwarding": "forwarding", "collective_algorithm": "algorithm",
        "mla_context": "mla_context", "gradient_reduction": "gradient_reduction",
    }  # fmt: skip
    for convention, option in named.items():
        assert query[option] == next(iter(TRAFFIC_CHOICES[convention][1]))
    limit = dsv3calc.answer("limits ep --model deepseek-v3 --hardware h800").query
    assert limit["convention"] == next(iter(TRAFFIC_CHOICES["ep_limit"][1]))
    assert limit["bandwidth"] == next(iter(TRAFFIC_CHOICES["bandwidth"][1]))


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ("flops llama-3.1-8b --mla absorbed", "--mla absorbed has no effect: no layer has MLA"),
        ("kv llama-3.1-8b --mla naive", "--mla naive has no effect: no layer has MLA"),
        ("flops llama-3.1-8b --with-mtp", "has no effect: the model has no MTP module"),
        ("params llama-3.1-8b --with-mtp", "has no effect: the model has no MTP module"),
        ("kv llama-3.1-8b --with-mtp", "has no effect: the model has no MTP module"),
        ("flops llama-3.1-8b --router out", "has no effect: no layer has a router"),
        ("flops deepseek-v3 --counting six-n --attention half", "--attention half has no effect"),
        ("flops deepseek-v3 --counting six-n --mla naive", "--mla naive has no effect"),
        ("flops deepseek-v3 --counting twelve-l-h2 --with-mtp", "--with-mtp has no effect"),
        (
            "flops deepseek-v3 --phase prefill --counting six-n --last-logit",
            "--last-logit has no effect",
        ),
        ("kv deepseek-v3 --tokens 1M", "more than its max_position_embeddings"),
        ("compare deepseek-v3 qwen2.5-72b --mla absorbed", "qwen2.5-72b: --mla absorbed has no"),
        ("compare deepseek-v3 qwen2.5-72b --with-mtp", "qwen2.5-72b: --with-mtp has no effect"),
        (
            "compare deepseek-v3 --vary deepseek-v3:attention=gqa:8 --mla absorbed",
            "attention=gqa:8: --mla absorbed has no effect",
        ),
    ],
)
def test_an_option_without_effect_is_warned_of(query, warning):
    warnings = dsv3calc.answer(query).warnings
    assert any(warning in each for each in warnings), warnings


@pytest.mark.parametrize(
    "query",
    [
        "flops deepseek-v3 --mla absorbed --with-mtp --router out",
        "compare deepseek-v3 kimi-k2 --mla absorbed",
        "kv deepseek-v3 --mla naive --with-mtp",
        "params deepseek-v3",
        "flops llama-3.1-8b",
    ],
)
def test_an_option_with_effect_is_not_warned_of(query):
    assert dsv3calc.answer(query).warnings == []


@pytest.mark.parametrize(
    ("phase", "batch", "sequence", "past"),
    [("train", 1, 4096, 0), ("prefill", 1, 4096, 0), ("decode", 1, 1, 4096)],
)
def test_the_default_workload_of_a_phase_is_told(phase, batch, sequence, past):
    query = dsv3calc.answer(f"flops deepseek-v3 --phase {phase}").query
    assert (query["batch"], query["sequence"], query["past"]) == (batch, sequence, past)
    assert (query["counting"], query["attention"]) == ("matmul", "causal")


def test_mla_is_naive_in_train_and_prefill_and_absorbed_in_decode():
    for phase, form in (("train", "naive"), ("prefill", "naive"), ("decode", "absorbed")):
        default = dsv3calc.query(f"flops deepseek-v3 --phase {phase}")
        spelled = dsv3calc.query(f"flops deepseek-v3 --phase {phase} --mla {form}")
        assert default.values == spelled.values
        assert f"MLA {form}" in default.find("flops.total").convention


def test_the_matmul_variant_counts_the_paper_s_activated_weights():
    """N of convention A: head in; embedding, router, norms and MTP out."""
    for model, count in (("deepseek-v3", 36_518_166_528), ("deepseek-v2", 20_802_437_120)):
        ledger = dsv3calc.query(f"params {model} --variant matmul --exclude router")
        assert ledger["parameters.active"] == count


def test_the_matmul_variant_counts_a_tied_head():
    ledger = dsv3calc.query("params gemma-3-27b --variant matmul")
    whole = dsv3calc.query("params gemma-3-27b")
    norms = whole["parameters.components.norms"]
    assert ledger["parameters.total"] == whole["parameters.total"] - norms
