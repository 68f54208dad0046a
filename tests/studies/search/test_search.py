"""Searches against asking about every layout by itself."""

from itertools import product

import msgspec
import pytest

import dsv3calc
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.numbers import compiled
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.queries.search import SearchQuery
from dsv3calc.queries.train import TrainQuery
from dsv3calc.studies.memory.answer import answer_memory
from dsv3calc.studies.search.answer import answer_search
from dsv3calc.studies.search.layouts import sent_between_domains
from dsv3calc.studies.search.training import TrainingSearch
from dsv3calc.studies.times.train import answer_train

DENSE = {"model": "llama-3.1-8b", "hardware": "h100", "global_batch": 16}
EXPERTS = {"model": "deepseek-v2-lite", "hardware": "h200", "global_batch": 16}
HELD = "schedule=1f1b|interleaved,vpp=1|2,cp=1,mb=1,split=even,sp=false"
PINS = f"{HELD},recompute=none|full,zero=0|1"


def brute(query, gpus, objective, policies=("none", "full"), zeros=(0, 1)):
    """Return the results of every layout that a query about it alone accepts and that fits."""
    experts = query is EXPERTS
    found = []
    shared = dict(query)
    sizes = [each for each in range(1, gpus + 1) if gpus % each == 0]
    for tp, pp, ep, etp, (schedule, chunks), recompute, zero in product(
        sizes,
        sizes,
        sizes if experts else [1],
        sizes if experts else [1],
        (("1f1b", 1), ("interleaved", 2)),
        policies,
        zeros,
    ):
        if gpus % (tp * pp) or (zero and gpus == tp * pp and (not experts or ep * etp == tp)):
            continue
        layout = {
            "tp": tp, "pp": pp, "dp": gpus // (tp * pp), "schedule": schedule,
            "virtual_pipeline": chunks, "recompute": recompute, "zero": zero,
        }  # fmt: skip
        layout |= {"ep": ep, "etp": etp} if experts else {}
        try:
            memory = answer_memory(MemoryQuery(**shared, **layout)).columns[0].ledger
            if not memory["memory.fits"]:
                continue
            point = {"memory": memory["memory.worst.total"]}
            if "step_time" in objective:
                point["step_time"] = (
                    answer_train(TrainQuery(**shared, **layout))
                    .columns[0]
                    .ledger["train.step.floor"]
                )
        except UsageError:
            continue
        found.append({**layout, **point})
    return found


def best_of(answer, number, *names):
    values = answer.columns[0].ledger.values
    return tuple(values[f"search.best.{number}.{name}"] for name in names)


@pytest.mark.parametrize(
    ("query", "gpus", "policies", "zeros", "objective"),
    [
        (DENSE, 4, ("none", "full"), (0, 1), "memory"),
        (DENSE, 2, ("none", "full"), (0, 1), "step_time"),
        (DENSE | {"setup": "megatron-dense"}, 4, ("full",), (1,), "memory"),
        (EXPERTS, 2, ("full",), (1,), "memory"),
    ],
    ids=["memory", "step_time", "setup", "experts"],
)
def test_the_best_is_that_of_asking_about_each(query, gpus, policies, zeros, objective):
    pins = f"{HELD},recompute={'|'.join(policies)},zero={'|'.join(map(str, zeros))}"
    search = SearchQuery(**query, gpus=gpus, pin=(pins,), objective=objective, top=1)
    found = answer_search(search)
    every = brute(query, gpus, objective, policies, zeros)
    assert best_of(found, 1, objective)[0] == min(each[objective] for each in every)
    values = found.columns[0].ledger.values
    assert values["search.fitting"] + values["search.pruned"] >= len(every)
    if objective == "memory":
        assert values["search.fitting"] == len(every)


def test_the_front_is_that_of_asking_about_each():
    found = answer_search(SearchQuery(**DENSE, gpus=2, pin=(PINS,), objective="memory,step_time"))
    points = {(each["memory"], each["step_time"]) for each in brute(DENSE, 2, "memory,step_time")}
    front = {
        one
        for one in points
        if not any(other != one and other[0] <= one[0] and other[1] <= one[1] for other in points)
    }
    values = found.columns[0].ledger.values
    numbers = {int(name.split(".")[2]) for name in values if name.startswith("search.best.")}
    assert {best_of(found, number, "memory", "step_time") for number in numbers} == front


def test_every_layout_is_counted_once_and_pruning_changes_no_result():
    query = SearchQuery(**DENSE, gpus=8, pin=("recompute=none|full,split=even,cp=1,schedule=1f1b",))
    pruned = TrainingSearch(query).search([8], most=3)
    best = pruned.run()
    every = msgspec.structs.replace(query, whole=True)
    whole = TrainingSearch(every).search([8], most=3)
    assert [each.objectives for each in whole.run()] == [each.objectives for each in best]
    for search in (pruned, whole):
        counts = search.refusals
        assert counts.refused + counts.fitting + counts.pruned == search.size
    assert pruned.refusals.by_rule == whole.refusals.by_rule
    assert whole.refusals.pruned == 0 < pruned.refusals.pruned


def test_traffic_is_that_of_each_layout_by_itself():
    wanted = TrainingSearch(
        SearchQuery(
            model="gemma-3-27b", hardware="h100", gpus=24, global_batch=48, objective="traffic",
            pin=("pp=2|4,cp=1,mb=1,recompute=none,schedule=1f1b|dualpipev,vpp=1,split=even,zero=1",),
        )
    )  # fmt: skip
    search = wanted.search([24], most=1)
    columns, differing = next(iter(search.space.blocks())), set()
    for category, mask in search.leaves(columns):
        found = search.block(columns).of("traffic", category)
        for row in mask.nonzero()[0].tolist():
            axes = {name: int(each[row]) for name, each in columns.items()} | category
            assert found[row] == pytest.approx(wanted.ask(axes).results["traffic"], rel=1e-13)
            differing.add((category["schedule"], category["sequence_parallel"], found[row]))
    assert len(differing) > 4  # by schedule, and by how 12 replicas lie on nodes of 8


def test_sequences_are_not_divided_where_what_that_exchanges_is_unknown():
    query = SearchQuery(model="deepseek-v4-flash", hardware="h200", gpus=64, global_batch=64)
    for objective, more in (("traffic", [1]), ("memory", [1, 2, 4, 8, 16, 32, 64])):
        wanted = TrainingSearch(msgspec.structs.replace(query, objective=objective))
        assert wanted.search([64], most=1).space.axes["cp"] == more


def test_an_engine_that_cannot_run_is_told_and_numpy_used(monkeypatch):
    query = SearchQuery(**DENSE, gpus=2, pin=(PINS,))
    monkeypatch.setattr(compiled, "is_there", lambda: False)
    found = answer_search(msgspec.structs.replace(query, engine="fast"))
    assert any("numpy is used" in note for note in found.notes)
    assert found.columns[0].ledger.values == answer_search(query).columns[0].ledger.values


def test_the_size_of_the_space():
    wanted = TrainingSearch(
        SearchQuery(model="deepseek-v3", hardware="h800", gpus=2048, global_batch=15360)
    )
    degrees = 8 * 7 * 6 * 9 * 4 * 5  # tp, cp, pp, ep, etp, micro-batches
    kinds = 7 * 4 * 2 * 2 * len(wanted.held.policies) * 4
    assert wanted.search([2048], most=1).size == degrees * kinds


def test_policies_of_one_effect_are_one_and_papers_ways_of_counting_are_none():
    wide = TrainingSearch(SearchQuery(**DENSE, gpus=8)).held.policies
    assert next(iter(wide)) == "none"
    assert {"full", "selective", "products"} <= {*wide}
    assert not {"fp8-caches", "v3-recompute", "mem-2502.07846"} & {*wide}
    narrow = TrainingSearch(SearchQuery(model="deepseek-v3", hardware="h800", gpus=8)).held.policies
    assert {"fp8-caches", "v3-recompute"} <= {*narrow}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gpus": 8, "pin": ("tp=2", "tp=4")}, "contradicts"),
        ({"gpus": 8, "pin": ("tq=2",)}, "no axis"),
        ({"gpus": 8, "pin": ("tp",)}, "expected AXIS=VALUE"),
        ({"gpus": 8, "pin": ("zero=4",)}, "3 at most"),
        ({"gpus": 8, "pin": ("ep=2",)}, "--pin ep=2: no layer"),
        ({"gpus": 8, "pin": ("schedule=none",)}, "no such schedule"),
        ({"gpus": 8, "pin": ("layer_split=4,x",)}, "layer_split"),
        ({"gpus": 8, "max_gpus": 8}, "both are given"),
        ({}, "neither is given"),
        ({"gpus": 8, "objective": "speed"}, "none of that name"),
        ({"gpus": 8, "objective": "step-time,step_time"}, "named twice"),  # a hyphen is the same
        ({"gpus": 8, "objective": "memory,memory"}, "named twice"),
        ({"gpus": 8, "objective": "dollars"}, "tokens of a run"),
        ({"gpus": 8, "phase": "dream"}, "--phase"),
        ({"gpus": 8, "engine": "steam"}, "none of that name"),
        ({"gpus": 8, "engine": "fast", "phase": "serve"}, "no use for .*--engine"),
    ],
)
def test_what_cannot_be_asked_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        answer_search(SearchQuery(**DENSE, **options))


def test_without_a_step_there_is_no_time():
    with pytest.raises(UsageError, match="sequences of a step"):
        answer_search(
            SearchQuery(model="llama-3.1-8b", hardware="h100", gpus=8, objective="step_time")
        )


def test_nothing_that_fits_names_the_closest():
    query = SearchQuery(
        model="llama-3.1-70b", hardware="h100", gpus=2, objective="memory", pin=("zero=1,cp=1",)
    )
    with pytest.raises(Infeasible) as error:
        answer_search(query)
    assert "fits" in error.value.message
    assert "too much" in error.value.hint


def test_an_empty_space_names_the_rule_and_its_axes():
    query = SearchQuery(model="llama-3.1-8b", hardware="h100", gpus=8, pin=("tp=3",))
    with pytest.raises(Infeasible, match=r"tp divides the heads \(axes tp\)") as error:
        answer_search(query)
    assert error.value.hint == "without --pin tp=3 there are layouts"
    query = SearchQuery(
        model="llama-3.1-8b", hardware="h100", gpus=8, pin=("cp=1",), where=("tp > 8",)
    )
    with pytest.raises(Infeasible, match="--where 'tp > 8': ") as error:
        answer_search(query)
    assert error.value.hint == "without --where 'tp > 8' there are layouts"
    query = SearchQuery(**DENSE, gpus=8, pin=("pp=1,tp=1",), where=("dp == 3", "cp == 1"))
    with pytest.raises(Infeasible) as error:
        answer_search(query)
    assert error.value.hint == "without --where 'dp == 3' there are layouts"
    query = SearchQuery(**DENSE, gpus=8, pin=("tp=3,schedule=dualpipe,pp=1",))
    with pytest.raises(Infeasible) as error:
        answer_search(query)
    assert error.value.hint.startswith("for example, 32 attention heads do not divide among tp 3")
    one = ("tp=8,sp=false,split=even,recompute=none,mb=1,schedule=1f1b",)
    query = SearchQuery(**DENSE, gpus=8, pin=one, where=("tp >= 1", "memory <= 1"))
    with pytest.raises(Infeasible, match=r"none satisfies --where 'memory <= 1'$"):
        answer_search(query)


def test_conditions_of_results_and_axes_hold_of_the_best():
    query = SearchQuery(
        **DENSE,
        gpus=8,
        pin=("cp=1,sp=false,split=even,recompute=none|full",),
        where=("memory <= '40 GiB' and tp >= 2", "schedule == '1f1b' or zero in (1, 3)"),
    )
    values = answer_search(query).columns[0].ledger.values
    for number in (1, 2, 3):
        assert values[f"search.best.{number}.memory"] <= 40 * 2**30
        assert values[f"search.best.{number}.tp"] >= 2


def test_a_scaling_table_has_a_column_for_each_number():
    query = SearchQuery(
        model="llama-3.1-8b", hardware="h100", gpus=(1, 8), pin=("cp=1,schedule=1f1b,mb=1",)
    )
    found = answer_search(query)
    assert [column.id for column in found.columns] == ["8 GPUs"]  # one GPU holds no states
    assert any("1 GPU:" in text for text in found.warnings)


def test_why_says_that_degrees_do_not_divide_the_gpus_and_nothing_of_replicas():
    found = answer_search(SearchQuery(**DENSE, gpus=8, why="tp=3"))
    assert [text.partition(":")[0] for text in found.query["reasons"]] == [
        "tp x cp x pp divide the GPUs", "tp divides the heads", "tp divides the feed-forwards"
    ]  # fmt: skip
    assert not found.notes


def test_why_names_a_better_layout_where_one_fits():
    query = SearchQuery(**DENSE, gpus=8, pin=("cp=1,schedule=1f1b,vpp=1",), objective="memory")
    best = answer_search(query)
    least = best.columns[0].ledger["search.best.1.memory"]
    found = answer_search(msgspec.structs.replace(query, why="tp=8"))
    assert found.columns[0].ledger["search.why.memory"] > least
    assert found.notes[0].startswith("better: ")
    values = best.columns[0].ledger.values
    names = ("tp", "pp", "micro_batch", "zero", "recompute")
    axes = ",".join(f"{name}={values[f'search.best.1.{name}']}" for name in names)
    axes += f",sp={str(bool(values['search.best.1.sequence_parallel'])).lower()}"
    again = answer_search(msgspec.structs.replace(query, why=axes))
    assert again.columns[0].ledger["search.why.memory"] == least
    assert again.notes[0] == "no layout is better"


@pytest.mark.parametrize("setup", [None, "megatron-moe-hgx"])
@pytest.mark.parametrize("etp", [1, 2])
def test_the_command_of_a_layout_has_its_etp(setup, etp):
    query = SearchQuery(
        model="deepseek-v2-lite",
        hardware="h200",
        gpus=4,
        setup=setup,
        pin=(f"tp=2,pp=1,cp=1,ep=1,etp={etp},schedule=1f1b,zero=1,recompute=full",),
    )
    found = answer_search(query)
    (command,) = (each for each in found.notes if "as a query" in each)
    alone = dsv3calc.query(command.partition("dsv3calc ")[2])
    assert alone["memory.worst.total"] == found.columns[0].ledger["search.best.1.memory"]


def test_the_best_few_are_ordered_by_the_walk_through_their_passes():
    query = SearchQuery(
        model="llama-3.1-70b",
        hardware="h100",
        gpus=32,
        global_batch=64,
        setup="megatron-dense",
        pin=("cp=1,tp=1,zero=1,recompute=full,mb=1,sp=false",),
        top=5,
    )
    values = answer_search(query).columns[0].ledger.values
    walks = [values[f"search.best.{number}.step_walk"] for number in range(1, 6)]
    assert walks == sorted(walks)
    steps = [values[f"search.best.{number}.step_time"] for number in range(1, 6)]
    assert steps != sorted(steps)  # the estimate puts them in another order


def test_the_command_of_traffic_gives_the_objective():
    pins = ("schedule=1f1b,cp=1,recompute=none,mb=1,zero=1",)
    found = answer_search(SearchQuery(**EXPERTS, gpus=16, objective="traffic", pin=pins))
    (command,) = (each for each in found.notes if each.startswith("its traffic as a query"))
    alone = dsv3calc.query(command.partition("dsv3calc ")[2])
    assert (
        sent_between_domains(alone.values) == found.columns[0].ledger["search.best.1.traffic"] > 0
    )


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("tp=3,dp=1", "are not 8 GPUs"),
        ("tp=2|4", "several values"),
    ],
)
def test_why_needs_one_layout(why, words):
    with pytest.raises(UsageError, match=words):
        answer_search(SearchQuery(**DENSE, gpus=8, why=why))


def test_why_tells_every_reason():
    def reasons(why, **more):
        return answer_search(SearchQuery(**DENSE, gpus=8, why=why, **more)).query["reasons"]

    assert any(
        "do not fill" in text or "interleaved" in text for text in reasons("schedule=interleaved")
    )
    assert any("another name" in text for text in reasons("tp=1,sp=true"))
    assert any("layers of even ones" in text for text in reasons("pp=2,split=balanced"))
    assert any("more than h100 has" in text for text in reasons("zero=0"))
    assert reasons("tp=8,zero=0,recompute=full") == []
    pinned = {"pin": ("tp=8,zero=0|1,dp=1",)}
    assert reasons("recompute=full", **pinned) == []  # what is not named is as pinned
    assert reasons("tp=4,recompute=full", **pinned) == [
        "dp is one of those pinned: dp is 2, not 1 (--pin)",
        "--pin tp=8 does not hold: tp is 4",
    ]
