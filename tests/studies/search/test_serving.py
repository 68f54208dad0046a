"""Searches over serving layouts against asking ``serve`` about every layout by itself."""

import shlex
from functools import cache
from itertools import product

import pytest

import dsv3calc
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.queries.search import SearchQuery
from dsv3calc.queries.serve import ServeQuery
from dsv3calc.studies.search.answer import answer_search
from dsv3calc.studies.search.infeasible import infeasible
from dsv3calc.studies.search.serving import ServingSearch
from dsv3calc.studies.serve.answer import answer_serve
from dsv3calc.studies.serve.fewest_gpus import _as_search, _narrow

DENSE = {"model": "qwen2.5-7b", "hardware": "h100", "setup": "vllm", "past": 8192}
EXPERTS = {"model": "deepseek-v2-lite", "hardware": "h200", "setup": "sglang", "past": 2048}
BATCHES = (1, 64)


@cache
def served(shared, **layout):
    """Return the lines of ``serve`` by itself, None where it refuses the layout."""
    try:
        return answer_serve(ServeQuery(**dict(shared), **layout)).columns[0].ledger.values
    except (UsageError, Infeasible):
        return None


def asked(query, gpus, **more):
    """Yield each layout that ``serve`` accepts, with its lines."""
    sizes = [each for each in range(1, gpus + 1) if gpus % each == 0]
    stages, groups = ([1], sizes) if query is EXPERTS else (sizes, [1])
    for tp, pp, ep, dcp in product(sizes, stages, groups, (1, 2)):
        if gpus % (tp * pp) == 0:
            degrees = {"tp": tp, "pp": pp, "dp": gpus // (tp * pp), "dcp": dcp}
            degrees |= {"ep": ep} if query is EXPERTS else {}
            lines = served(tuple(query.items()), **degrees, **more)
            if lines is not None and lines["serve.fits"]:
                yield degrees, lines


def search(query, gpus, **more):
    return answer_search(SearchQuery(**query, gpus=gpus, phase="serve", **more)).columns[0].ledger


def test_a_device_without_links_serves_alone():
    found = search({"model": "qwen2.5-7b", "hardware": "m4-max"}, 1, pin=("batch=1",), top=1)
    assert found["search.best.1.tp"] == 1


def test_groups_that_do_not_fill_their_nodes_are_refused_by_a_rule():
    query = {"model": "gpt-oss-120b", "hardware": "h100"}
    pins = {"tp": 1, "pp": 1, "batch": 64}
    pin = "dcp=1," + ",".join(f"{name}={value}" for name, value in pins.items())
    found = search(query, 12, pin=(pin,), top=1).values
    groups = [1, 2, 3, 4, 6, 12]
    accepted = [ep for ep in groups if served(tuple(query.items()), dp=12, ep=ep, **pins)]
    assert found["search.fitting"] == len(accepted) == 1
    assert found["search.best.1.ep"] == accepted[0]
    assert found["search.refused.nodes"] > 0


@pytest.mark.parametrize("query", [DENSE, EXPERTS], ids=["dense", "experts"])
def test_the_best_and_the_front_are_those_of_asking_about_each(query):
    pins = (f"batch={'|'.join(map(str, BATCHES))}", *(["pp=1"] if query is EXPERTS else []))
    every = [lines for batch in BATCHES for _, lines in asked(query, 2, batch=batch)]
    found = search(query, 2, pin=pins, top=1).values
    assert found["search.fitting"] == len(every)
    rate = "serve.tokens_per_second_per_gpu.decode"
    assert found["search.best.1.tokens_per_second_per_gpu"] == max(each[rate] for each in every)
    points = {(each["serve.held"], each["serve.tpot.estimate"]) for each in every}
    front = {
        one
        for one in points
        if not any(other != one and other[0] <= one[0] and other[1] <= one[1] for other in points)
    }
    found = search(query, 2, pin=pins, objective="memory,tpot").values
    numbers = {name.split(".")[2] for name in found if name.startswith("search.best.")}
    assert {
        (found[f"search.best.{each}.memory"], found[f"search.best.{each}.tpot"]) for each in numbers
    } == front


@pytest.mark.parametrize("limit", ["tpot<=9ms", "tpot<30ms"])
def test_the_largest_batch_is_that_of_serve(limit):
    found = search(DENSE, 2, slo=(limit,), pin=("batch=most",), top=100).values
    every = {
        tuple(degrees.values()): lines["serve.slo.batch"]
        for degrees, lines in asked(DENSE, 2, slo=(limit,))
    }
    number = sum(name.endswith(".batch") for name in found)
    assert {
        tuple(found[f"search.best.{each}.{axis}"] for axis in ("tp", "pp", "dp", "dcp")): found[
            f"search.best.{each}.batch"
        ]
        for each in range(1, number + 1)
    } == every


def test_layouts_beside_gpus_that_prefill_are_those_of_asking_about_each():
    more = {"prefill_layout": "day6-prefill-ep32", "response_tokens": 500}
    pins = ("pp=1", "dcp=1", "tp=1|2", "ep=8", "batch=2|64")
    found = search(EXPERTS, 8, pin=pins, top=4, **more).values
    rates = {}
    for tp, ep, batch in product((1, 2), (8,), (2, 64)):
        degrees = {"tp": tp, "pp": 1, "dp": 8 // tp, "ep": ep}
        lines = served(tuple(EXPERTS.items()), **degrees, batch=batch, **more)
        if lines is not None and lines["serve.fits"]:
            rate = lines["serve.disaggregated.tokens_per_second_per_gpu"]
            rates[tp, ep, batch] = (rate, lines["serve.dollars_per_million.output"])
    names = ("tp", "ep", "batch", "tokens_per_second_per_gpu", "dollars")
    every = range(1, 1 + sum(name.endswith(".tp") for name in found))
    best = [[found[f"search.best.{each}.{name}"] for name in names] for each in every]
    assert {tuple(each[:3]): tuple(each[3:]) for each in best} == rates
    assert len(rates) == 4


@pytest.mark.parametrize("query", [DENSE, EXPERTS], ids=["dense", "experts"])
def test_gpus_that_prefill_beside_those_that_decode_are_those_of_asking_about_each(query):
    """Every split is asked about by itself; the slower of the two determines the rate."""
    more = {"prompt_tokens": 4000, "response_tokens": 500}
    groups, counts = ((2, 4), (0, 2)) if query is EXPERTS else ((1,), (0, 1, 2))
    pins = ["pp=1", "dcp=1", "batch=64", "tp=1|2", f"prefill_gpus={'|'.join(map(str, counts))}"]
    pins += ["ep=2|4"] if query is EXPERTS else []
    found = search(query, 4, pin=tuple(pins), top=100, **more).values
    rates = {}
    splits = product(counts, (1, 2), groups, (1, 2), (1, 2))
    for apart, tp, ep, prefill_tp, prefill_ep in splits:
        gpus = 4 - apart
        beside = {}
        if apart:
            beside = {"prefill_layout": f"tp={prefill_tp},dp={apart // prefill_tp}"}
            beside["prefill_layout"] += f",ep={prefill_ep}" if query is EXPERTS else ""
        if apart % prefill_tp or gpus % tp or (not apart and prefill_tp * prefill_ep > 1):
            continue
        degrees = {"tp": tp, "pp": 1, "dp": gpus // tp, "batch": 64} | beside
        degrees |= {"ep": ep} if query is EXPERTS else {}
        lines = served(tuple(query.items()), **degrees, **more)
        if lines is None or not lines["serve.fits"] or (query is DENSE and prefill_ep > 1):
            continue
        rate = lines.get("serve.aggregated.tokens_per_second_per_gpu")
        if apart:
            needed = lines["serve.prefill_gpus_per_decode_gpu"]
            rate = lines["serve.disaggregated.one_of_each.tokens_per_second_per_gpu"]
            decoding = lines["serve.tokens_per_second_per_gpu.decode"]
            assert rate == pytest.approx(decoding * min(gpus, apart / needed) / 4)
        rates[apart, tp, ep, prefill_tp, prefill_ep] = rate
    axes = ("prefill_gpus", "tp", "ep", "prefill_tp", "prefill_ep")
    plain = {"prefill_gpus": 0}
    best = {}
    for number in range(1, 1 + sum(name.endswith(".batch") for name in found)):
        each = {
            name: found.get(f"search.best.{number}.{name}", plain.get(name, 1)) for name in axes
        }
        best[tuple(each.values())] = found[f"search.best.{number}.tokens_per_second_per_gpu"]
    assert best == rates
    assert {apart for apart, *_ in rates} == {*counts}


def test_stages_are_split_evenly_or_balanced_as_serve_splits_them():
    pins = ("tp=1", "pp=2|4", "dcp=1", "batch=64", "layer_split=balanced|even")
    found = search(DENSE, 4, pin=pins, top=9).values
    alone = {
        (pp, split): served(
            tuple(DENSE.items()), tp=1, pp=pp, dp=4 // pp, layer_split=split, batch=64
        )["serve.tpot.estimate"]
        for pp, split in ((2, "even"), (4, "even"), (4, "balanced"))
    }  # two balanced stages have the layers of even ones
    assert found["search.refused.split"] == 1
    assert {
        tuple(found[f"search.best.{each}.{name}"] for name in ("pp", "layer_split")): found[
            f"search.best.{each}.tpot"
        ]
        for each in (1, 2, 3)
    } == alone


def test_the_batch_of_a_balanced_split_is_that_of_serve_and_memory():
    options = "--hardware h100 --pp 8 --layer-split balanced"
    query = {"model": "qwen2.5-7b", "hardware": "h100"}
    found = search(query, 8, pin=("pp=8", "batch=most", "layer_split=even|balanced")).values
    assert found["search.best.1.layer_split"] == "balanced"
    most = found["search.best.1.batch"]
    for batch in (most, most + 1):
        asked = f"qwen2.5-7b {options} --batch {batch}"
        served, held = dsv3calc.query(f"serve {asked}"), dsv3calc.query(f"memory {asked} --serve")
        assert served["serve.fits"] == held["serving.fits"] == (batch == most)
        assert served["serve.max_batch"] == held["serving.max_sequences"]


def test_redundant_experts_fill_the_gpus_where_ep_is_all_of_them():
    found = search(EXPERTS, 6, pin=("pp=1", "dcp=1", "batch=8"), top=100).values
    assert found["search.best.1.redundant_experts"] == 2  # 64 experts on 6 GPUs
    every = {
        (tp, ep, redundant): lines["serve.tokens_per_second_per_gpu.decode"]
        for tp, ep, redundant in product((1, 2, 3, 6), (1, 2, 3, 6), (0, 2))
        if (ep == 6) == (redundant == 2)
        for degrees in [{"tp": tp, "dp": 6 // tp, "ep": ep, "redundant_experts": redundant or None}]
        if (lines := served(tuple(EXPERTS.items()), batch=8, **degrees))
    }
    assert found["search.best.1.tokens_per_second_per_gpu"] == max(every.values())
    assert found["search.fitting"] == len(every)
    two = search(EXPERTS, 2, pin=("redundant_experts=0|2", "batch=8", "dcp=1")).values
    assert (
        two["search.fitting"]
        == 2 * search(EXPERTS, 2, pin=("batch=8", "dcp=1", "ep=2")).values["search.fitting"]
        + search(EXPERTS, 2, pin=("batch=8", "dcp=1", "ep=1")).values["search.fitting"]
    )


def fewest(**more):
    query = {"model": "qwen2.5-72b", "hardware": "h200", "past": 8192, **more}
    return query, answer_serve(ServeQuery(**query, fewest_gpus=True))


@pytest.mark.parametrize(
    "more",
    [{"slo": ("tpot<=40ms",)}, {"concurrency": 30}, {"concurrency": 30, "slo": ("tpot<60ms",)}],
)
def test_the_fewest_gpus_are_those_of_asking_about_each(more):
    query, answer = fewest(**more)
    limit = {"tpot<=40ms": 0.040, "tpot<60ms": 0.060}.get(*more.get("slo", ("",)), float("inf"))
    batch = {"concurrency": more["concurrency"]} if "concurrency" in more else {"batch": 1}
    same = tuple((name, each) for name, each in query.items() if name not in more)
    rates = {}
    for gpus in (1, 2, 3, 4):
        sizes = [each for each in range(1, gpus + 1) if gpus % each == 0]
        for tp, pp in product(sizes, sizes):
            if gpus % (tp * pp) == 0:
                degrees = {"tp": tp, "pp": pp, "dp": gpus // (tp * pp)}
                lines = served(same, **degrees, **batch)
                if lines and lines["serve.fits"] and lines["serve.tpot.floor"] <= limit:
                    rate = lines["serve.tokens_per_second_per_gpu.decode"]
                    rates.setdefault(gpus, {})[tuple(degrees.values())] = rate
    found = answer.columns[0].ledger.values
    assert found["serve.fewest_gpus"] == min(rates)
    best = rates[min(rates)]
    axes = tuple(found[f"serve.fewest_gpus.{axis}"] for axis in ("tp", "pp", "dp"))
    assert axes == max(best, key=best.get)
    assert found["serve.fits"]
    assert found["serve.tpot.floor"] <= limit
    assert any(note.startswith("fewer GPUs: ") for note in answer.notes) == (min(rates) > 1)
    if min(rates) > 1:  # every number of GPUs is counted once, and as a search over fewer counts
        (note,) = (each for each in answer.notes if each.startswith("fewer GPUs: "))
        fewer = list(range(1, min(rates)))
        wanted = ServingSearch(_as_search(ServeQuery(**query)))
        _narrow(wanted)
        wanted.last = wanted.search_fewest(fewer, after=None)
        assert wanted.last.run() == []
        why = infeasible(wanted, fewer)
        assert note == f"fewer GPUs: {why.message}; {why.hint}"
    (command,) = (note for note in answer.notes if note.startswith("by itself: dsv3calc "))
    alone = dsv3calc.query(shlex.join(shlex.split(command)[3:]))
    assert all(found[name] == alone[name] for name in ("serve.batch", "serve.tpot.floor"))


def test_the_fewest_gpus_hold_what_is_given_and_refuse_what_the_search_does_not_know():
    _, answer = fewest(tp=4, concurrency=30)
    assert answer.columns[0].ledger.values["serve.fewest_gpus.tp"] == 4
    for more in ({"curve": True}, {"layout": "day6-decode-ep144"}, {"transfer": "at-end"}):
        with pytest.raises(UsageError, match="the search does not know it"):
            fewest(**more)
    with pytest.raises(UsageError, match="--concurrency gives the batch"):
        fewest(batch=3, concurrency=5)
    with pytest.raises(Infeasible, match="none satisfies --slo"):
        fewest(slo=("tpot<=1us",), tp=2, pp=1, dp=1)


def test_every_layout_is_counted_once():
    wanted = ServingSearch(SearchQuery(**EXPERTS, gpus=2, phase="serve", slo=("tpot<=9ms",)))
    found = wanted.search([2], most=3)
    found.run()
    counts = found.refusals
    assert counts.refused + counts.fitting == found.size == 2 * 2 * 2 * 2 * 12
    assert counts.unwanted["slo"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"global_batch": 8}, "no use for --global-batch"),
        ({"slo": ("ttft<=1s",)}, "time to the first token is not known"),
        ({"objective": "ttft"}, "--objective ttft: the time to the first token is not known"),
        ({"slo": ("speed<=1s",)}, "choose one of tpot, ttft"),
        ({"objective": "step_time"}, "none of that name"),
        ({"pin": ("zero=1",)}, "no axis"),
        ({"pin": ("batch=0",)}, "batch=0"),
        ({"why": "tp=3,dp=1"}, "are not 2 GPUs"),
        ({"why": "prefill_gpus=1"}, "--why prefill_gpus: their share"),
        ({"why": "redundant_experts=1"}, "--why redundant_experts=1: no layer"),
        ({"where": ("ttft < 1",)}, "--where 'ttft < 1': the time to the first token is not known"),
        ({"pin": ("layer_split=14*2",)}, "a list suits one pp alone"),
        ({"pin": ("prefill_gpus=1",)}, "depends on the tokens of a response"),
        ({"pin": ("prefill_tp=2",)}, "no GPUs prefill apart"),
        ({"pin": ("prefill_gpus=1",), "prefill_layout": "tp=1"}, "both are the GPUs that prefill"),
    ],
)
def test_what_cannot_be_asked_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        search(DENSE, 2, **options)
    with pytest.raises(UsageError, match="no use for --slo"):
        answer_search(SearchQuery(model="qwen2.5-7b", hardware="h100", gpus=2, slo=("tpot<=1s",)))


def test_why_tells_what_serve_says():
    def reasons(why, **more):
        query = SearchQuery(**EXPERTS, gpus=8, phase="serve", why=why, **more)
        return answer_search(query).query["reasons"]

    assert any("do not divide by ep 3" in each for each in reasons("tp=8,ep=3"))
    assert any("dcp 2" in each for each in reasons("dcp=2"))
    assert any("does not fit" in each for each in reasons("tp=8,batch=1000000"))
    assert any("--slo tpot<=1us" in each for each in reasons("tp=8", slo=("tpot<=1us",)))
    assert reasons("tp=2,ep=8") == []


def test_nothing_that_fits_names_the_closest_and_limits_that_none_meets():
    with pytest.raises(Infeasible, match="fits") as error:
        search({"model": "llama-3.1-405b", "hardware": "h100"}, 2, pin=("pp=1",))
    assert "too much" in error.value.hint
    with pytest.raises(Infeasible, match="none satisfies --slo"):
        search(DENSE, 2, slo=("tpot<=10us",))
