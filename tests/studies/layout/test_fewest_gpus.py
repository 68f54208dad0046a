"""The fewest GPUs are the fewest of all layouts, each asked about by itself."""

from itertools import product

import msgspec
import pytest

import dsv3calc
from dsv3calc.accounting.placement.expert_slots import slots_of_layers
from dsv3calc.catalogue import presets
from dsv3calc.errors import Infeasible, InvalidInput, UsageError
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.studies.layout import check as layout_checks
from dsv3calc.studies.layout import fewest_gpus
from dsv3calc.studies.memory.answer import answer_memory

MOST = 16
MOE = {"model": "deepseek-v3", "set": ("num_hidden_layers=6", "n_routed_experts=8", "n_group=1",
                                       "topk_group=1", "num_experts_per_tok=2")}  # fmt: skip
DENSE = {"model": "llama-3.1-8b", "set": ("num_hidden_layers=5",)}
ALTERNATING = {"model": "gemma-3-27b", "set": ("num_hidden_layers=8",)}
V3 = {"layout": "v3-pretrain"}


def ask(usable=None, **options):
    more = (
        ()
        if usable is None
        else (f"hardware.memory.usable={usable}", "hardware.memory.marketed=1000GiB")
    )
    options["set"] = (*options["set"], *more)
    return answer_memory(MemoryQuery(hardware="h100", **options))


def every_layout(options, held):
    """Give the fullest rank of each layout by (GPUs, pp, ep, dp), those that are refused left out.

    A step has 2 pp micro-batches unless the number of its sequences is held.
    """
    width = options.get("tp", 1) * options.get("cp", 1)
    batch = options.get("global_batch")
    up_to = range(1, MOST + 1)
    groups = (1, 2, 3, 4, 6, 8) if options["model"] == "deepseek-v3" else (1,)  # experts to share
    axes = [
        [held[axis]] if axis in held else values
        for axis, values in (("pp", up_to), ("ep", groups), ("dp", up_to))
    ]
    found = {}
    for pp, ep, dp in product(*axes):
        gpus = width * pp * dp
        if gpus > MOST or width * dp % (ep * options.get("etp", 1)):
            continue
        step = batch or 2 * pp * dp * options.get("micro_batch", 1)
        try:
            sharing = None if ep == 1 and "layout" not in options else ep  # 1 is not given
            degrees = {"pp": pp, "ep": sharing, "dp": dp, "global_batch": step}
            values = ask(**(options | degrees))
        except (InvalidInput, UsageError):
            continue
        found[gpus, pp, ep, dp] = values.columns[0].ledger.values["memory.worst.total"]
    return found


CASES = [
    (DENSE, {}, {}),
    (DENSE, {"zero": 1}, {"pp": 2}),
    (DENSE, {"zero": 3, "tp": 2, "sequence_parallel": True}, {}),
    (DENSE, {"zero": 2, "cp": 2, "schedule": "zb1p"}, {}),
    (DENSE, {"zero": 3, "padded": True, "layer_split": "balanced"}, {}),
    (DENSE, {"zero": 3}, {"dp": 3}),
    (MOE, {}, {}),
    (MOE, {"zero": 1, "schedule": "zbv"}, {}),
    (MOE, {"zero": 2, "schedule": "dualpipe", "mirror_optimizer": True}, {}),
    (MOE, {"zero": 3, "tp": 2, "etp": 2, "with_mtp": True}, {}),
    (MOE, {"zero": 3, "tp": 2}, {}),
    (MOE, {"zero": 3, "schedule": "interleaved", "virtual_pipeline": 2}, {}),
    (MOE, {"zero": 3, "recompute": "full"}, {"ep": 4}),
    (MOE, {"zero": 1, "redundant_experts": 4}, {}),
    (MOE, {"zero": 1, "global_batch": 24}, {}),
    (MOE, {"zero": 1, "global_batch": 24, "schedule": "gpipe"}, {}),
    (MOE, {"zero": 1, "schedule": "dualpipev", **V3}, {"dp": 4}),
    (ALTERNATING, {"zero": 3}, {}),
]


@pytest.mark.parametrize(("model", "options", "held"), CASES)
def test_the_fewest_gpus_are_those_of_the_best_of_all_layouts(monkeypatch, model, options, held):
    monkeypatch.setattr(fewest_gpus, "MOST_GPUS", MOST)
    options = model | options
    every = every_layout(options, held)
    totals = sorted(set(every.values()))
    assert len(totals) > 1
    for total in {totals[0], *totals[:: max(1, len(totals) // 3)], totals[-1]}:
        usable = int(total) + 1
        best = min(key for key, needed in every.items() if needed <= usable)
        found = ask(usable, fewest_gpus=True, **options, **held).columns[0].ledger.values
        axes = ("", ".pp", ".ep", ".dp")
        assert tuple(found[f"memory.fewest_gpus{axis}"] for axis in axes) == best
        assert found["memory.fewest_gpus.total"] == every[best] == found["memory.worst.total"]
    with pytest.raises(Infeasible, match="fits on no layout"):
        ask(int(totals[0]) - 1, fewest_gpus=True, **options, **held)


def infeasible(**options):
    with pytest.raises(Infeasible) as caught:
        ask(2**31, fewest_gpus=True, **options)
    assert "the closest is pp " in caught.value.message
    return caught.value.hint


def test_where_none_fits_what_would_change_something_is_named():
    told = infeasible(**DENSE, tp=2)
    for option in ("--recompute full", "a larger --tp", "--sequence-parallel", "a higher --zero"):
        assert option in told
    told = infeasible(**DENSE, tp=32, sequence_parallel=True, recompute="full", zero=3, pp=1,
                      sequence=2**20)  # fmt: skip
    assert told == "no --pp"
    told = infeasible(**DENSE, tp=1, zero=2, dp=1)
    assert "--sequence-parallel" not in told
    assert "--zero" not in told  # one replica has nobody to share with
    assert "--zero 3" in infeasible(**DENSE, zero=2)


def test_everything_belongs_to_the_layout_found():
    preset = {"model": "deepseek-v3", "set": (), "layout": "v3-pretrain"}
    answer = answer_memory(MemoryQuery(hardware="h800", fewest_gpus=True, **preset))
    values = answer.columns[0].ledger.named()
    found = {axis: values[f"memory.fewest_gpus.{axis}"].value for axis in ("pp", "dp", "ep")}
    plain = answer_memory(
        MemoryQuery(
            hardware="h800",
            **preset | {"set": ("layout.global_batch=null",)},
            **found,
        )
    )
    own = {
        name: line.value
        for name, line in values.items()
        if not name.startswith(("memory.fewest_gpus", "memory.given"))
    }
    assert own == plain.columns[0].ledger.values
    itself = answer_memory(MemoryQuery(hardware="h800", **preset)).columns[0].ledger.values
    assert values["memory.given.gpus"].value == 2048
    assert values["memory.given.total"].value == itself["memory.worst.total"]
    assert values["memory.given.fits"].value == 1
    assert "13 stages" not in "".join(answer.assumptions)
    assert answer.query["micro_batches"] == 2 * found["pp"]


def test_what_is_given_is_held_and_named():
    held = ask(fewest_gpus=True, **DENSE, dp=8)
    assert held.columns[0].ledger.values["memory.fewest_gpus.dp"] == 8
    told = held.assumptions[-1] if "held" in held.assumptions[-1] else "".join(held.assumptions)
    assert "any pp, ep up to" in told
    assert "dp 8 and all else" in told
    edited = ask(fewest_gpus=True, model="deepseek-v3", layout="v3-bridge-h100",
                 set=("layout.ep=64", "layout.dp=32"))  # fmt: skip
    assert edited.columns[0].ledger.values["memory.fewest_gpus"] == 1024


def test_a_degree_of_a_preset_is_free():
    query = {"model": "deepseek-v3", "layout": "v3-bridge-h100", "set": ()}
    assert ask(fewest_gpus=True, **query).columns[0].ledger.values["memory.fewest_gpus"] == 512
    # its own 64 GPUs for the experts do not divide those of 8 replicas, and need not
    assert (
        ask(fewest_gpus=True, dp=16, **query).columns[0].ledger.values["memory.fewest_gpus"] == 512
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dp": 8, "ep": 64}, "do not divide"),
        ({"ep": 7}, "do not divide among ep 7"),
        ({"pp": 62}, "62 pipeline stages"),
        ({"tp": 7}, "attention heads"),
        ({"schedule": "gpipe"}, "GPipe"),
        ({"global_batch": 7, "dp": 2}, "a step of 7 sequences does not divide"),
        ({"global_batch": 7, "micro_batch": 2}, "a step of 7 sequences does not divide"),
        ({"dp": 2**18}, "takes 262,144 GPUs, more than the 131,072"),
        ({"tp": 128, "cp": 4096}, "takes 524,288 GPUs, more than the 131,072"),
        ({"pp": 3, "schedule": "dualpipe"}, "pp 3"),
        ({"schedule": "interleaved", "virtual_pipeline": 40}, "virtual stages"),
    ],
)
def test_what_is_held_is_refused_where_it_does_not_divide(options, told):
    with pytest.raises(UsageError) as caught:
        ask(fewest_gpus=True, model="deepseek-v3", set=(), **options)
    assert told in caught.value.message


def test_a_schedule_need_not_suit_the_degrees_of_the_preset():
    query = {"model": "qwen2.5-72b", "layout": "dense-tp8", "set": ()}
    values = ask(fewest_gpus=True, schedule="dualpipe", **query).columns[0].ledger.values
    assert values["memory.fewest_gpus.pp"] % 2 == 0
    assert "memory.given.gpus" not in values  # its single stage has no mirrored one


def test_too_many_layouts_are_refused():
    with pytest.raises(UsageError, match="pipeline ranks to look at"):
        ask(fewest_gpus=True, model="gemma-3-27b", set=("num_hidden_layers=3000",))


@pytest.mark.parametrize(
    ("shared", "redundant", "slots"),
    [("local", 0, 256), ("local", 14, 270), ("routed", 0, 257), ("routed", 14, 270)],
)
def test_places_that_experts_are_divided_among(shared, redundant, slots):
    """A shared expert that is dispatched has a place too, among the redundant ones if any."""
    model = dsv3calc.load_model("deepseek-v3")
    layout = msgspec.structs.replace(
        presets.load("layout", "v3-pretrain").value,
        ep=1,
        shared_experts=shared,
        redundant_experts=redundant,
    )
    assert slots_of_layers(model, layout) == [slots]
    one_each = 2 if redundant else 1  # one GPU holds an expert once
    for ep in (number for number in range(one_each, slots + 1) if slots % number == 0):
        tried = msgspec.structs.replace(layout, ep=ep)
        assert not [*layout_checks.expert_problems(model, tried)]
