"""A derived expression computes what the plain query does, over random models and layouts.

The expression comes from one ledger alone: that of a first design. Evaluated with the numbers of a
second one it must give, to the last digit, what the composition gives for the second.
"""

import msgspec
import pytest
from drawn import examples
from hypothesis import assume, given
from hypothesis import strategies as st
from printed import values_of_equations
from strategies import models

import dsv3calc
from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.kv_cache import kv_lines
from dsv3calc.accounting.memory.footprint import Footprint, Training
from dsv3calc.accounting.memory.ranks import rank_line
from dsv3calc.accounting.parameters import PARAMETER_VARIANTS, parameter_lines
from dsv3calc.accounting.placement.schedules import replica_micro_batches
from dsv3calc.api import parse_query
from dsv3calc.catalogue.presets import load
from dsv3calc.schema.layout import Layout
from dsv3calc.schema.provenance import Source
from dsv3calc.schema.workload import Conventions, Workload
from dsv3calc.studies.lines.derive import Derivation, RankMaximum, symbol_of, written
from dsv3calc.studies.lines.open_line import OpenLine
from dsv3calc.symbolic.equations_of_line import ClosedForm
from dsv3calc.symbolic.from_ledger import DEPTH, Composer, compiled, leaves
from dsv3calc.symbolic.term import Term

EVERYTHING = PARAMETER_VARIANTS["with-mtp"][0]
BF16 = dsv3calc.load_kv_format("bf16")
fewer = examples(25)


def same(found, expected):
    return found == expected and type(found) is type(expected)


def derived(line, places):
    """Return the term of a line with the values of some places left open, named after them."""
    depth = leaves([line]).get(DEPTH)
    return Composer({place: Term("name", name=place) for place in places}, depth=depth)


def close(found, expected):
    if isinstance(expected, int):
        return found == expected
    return found == pytest.approx(expected, rel=1e-12)


def printed_value(composer, line, values):
    """Evaluate the closed form as it is printed."""
    form = ClosedForm(composer, {place: type(value) is int for place, value in values.items()})
    form.close(line, "result")
    equations = [(each.name, written(each.term)) for each in form.equations]
    return values_of_equations(
        equations, {symbol_of(place): value for place, value in values.items()}
    )["result"]


# --- models


def numbers_of(model, line):
    """Give each number of a model that a line stands on, by its place."""
    used = leaves([line])
    found = {f"model.{name}": getattr(model, name) for name in ("hidden_size", "vocab_size")}
    for index, group in enumerate(model.groups):
        for part in ("attention", "feed_forward"):
            struct = getattr(group, part)
            for name in struct.__struct_fields__:
                value = getattr(struct, name)
                if type(value) is int and name not in ("n_group", "topk_group"):
                    found[f"model.groups.{index}.{part}.{name}"] = value
    return {place: value for place, value in found.items() if place in used}


def changed(model, values):
    """Put other numbers into a model."""
    groups = list(model.groups)
    own = {}
    for place, value in values.items():
        _, *steps = place.split(".")
        if len(steps) == 1:
            own[steps[0]] = value
            continue
        index, part, name = int(steps[1]), steps[2], steps[3]
        struct = msgspec.structs.replace(getattr(groups[index], part), **{name: value})
        groups[index] = msgspec.structs.replace(groups[index], **{part: struct})
    return msgspec.structs.replace(model, groups=groups, **own)


@st.composite
def changes(draw, numbers):
    names = draw(st.sets(st.sampled_from(sorted(numbers)), min_size=1, max_size=5))
    return {
        name: max(numbers[name] + draw(st.integers(-3, 9)), min(numbers[name], 1)) for name in names
    }


@fewer
@given(data=st.data(), model=models())
def test_parameters(data, model):
    (line, *_) = parameter_lines(model, EVERYTHING, "with-mtp")
    values = data.draw(changes(numbers_of(model, line)))
    (expected, *_) = parameter_lines(changed(model, values), EVERYTHING, "with-mtp")
    composer = derived(line, values)
    assert same(compiled(composer.of(line))(values), expected.value)
    assert close(printed_value(composer, line, values), expected.value)


@fewer
@given(
    data=st.data(),
    model=models(),
    phase=st.sampled_from(["train", "prefill", "decode"]),
    attention=st.sampled_from(["causal", "full", "half"]),
)
def test_flops(data, model, phase, attention):
    conventions = Conventions(attention=attention, mtp="in")
    work = st.tuples(st.integers(1, 5), st.integers(1, 20), st.integers(0, 20))

    def total(model, numbers):
        batch, sequence, past = numbers
        workload = Workload(phase=phase, batch=batch, sequence=sequence, past=past)
        return flops_lines(model, workload, conventions).total

    line = total(model, data.draw(work))
    values = data.draw(changes(numbers_of(model, line)))
    other = data.draw(work)
    expected = total(changed(model, values), other)
    values |= dict(
        zip(("workload.batch", "workload.sequence", "workload.past"), other, strict=True)
    )
    composer = derived(line, values)
    assert same(compiled(composer.of(line))(values), expected.value)


@fewer
@given(data=st.data(), model=models(), page=st.integers(1, 9) | st.none())
def test_the_cache(data, model, page):
    def total(model, batch, tokens, page):
        found = kv_lines(model, BF16, Conventions(), batch=batch, tokens=tokens, page_size=page)
        return found.bytes

    line = total(model, 2, 7, page)
    values = data.draw(changes(numbers_of(model, line)))
    batch, tokens = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 60)))
    expected = total(changed(model, values), batch, tokens, page)
    values |= {"workload.batch": batch, "workload.tokens": tokens}
    composer = derived(line, values)
    assert same(compiled(composer.of(line))(values), expected.value)
    assert close(printed_value(composer, line, values), expected.value)


# --- layouts

TRAININGS = [
    Training(
        load("precision", precision).value,
        load("recipe", recipe).value,
        load("recompute", recompute).value,
        load("setup", "pytorch").value.memory,
    )
    for precision, recipe, recompute in (
        ("bf16", "megatron-bf16", "none"),
        ("fp8-deepseek-v3", "v3-training", "v3-recompute"),
        ("bf16", "all-fp32", "full"),
    )
]
SCHEDULES = ["gpipe", "1f1b", "interleaved", "zb1p", "zbv", "dualpipe", "dualpipev"]
degrees = st.sampled_from([1, 2, 3, 4, 6])


@st.composite
def numbers_of_layouts(draw):
    tp, cp, dp = draw(degrees), draw(degrees), draw(degrees)
    return {
        "tp": tp,
        "cp": cp,
        "dp": dp,
        "pp": draw(st.integers(1, 6)),
        "ep": draw(st.sampled_from([each for each in (1, 2, 3, 4, 6) if tp * cp * dp % each == 0])),
        "micro_batch": draw(st.integers(1, 3)),
    }


@st.composite
def categories(draw):
    schedule = draw(st.sampled_from(SCHEDULES))
    return {
        "schedule": schedule,
        "virtual_pipeline": draw(st.integers(2, 3)) if schedule == "interleaved" else 1,
        "zero": draw(st.integers(0, 3)),
        "layer_split": draw(st.sampled_from(["even", "balanced"])),
        "sequence_parallel": draw(st.booleans()),
        "vocabulary_parallel": draw(st.booleans()),
        "mirror_optimizer": draw(st.booleans()),
        "shared_experts": draw(st.sampled_from(["local", "replicated", "routed"])),
    }


def layout(numbers, kinds, steps):
    global_batch = steps and steps * numbers["dp"] * numbers["micro_batch"]
    return Layout(
        name="drawn",
        title="A drawn layout",
        global_batch=global_batch,
        sources={"drawn": Source(kind="assumed", citation="drawn at random")},
        provenance={"default": "drawn"},
        **numbers,
        **kinds,
    )


def rank_lines(model, chosen, training, sequence, number, *, mtp):
    footprint = Footprint(
        model,
        chosen,
        training,
        sequence=sequence,
        micro_batches=replica_micro_batches(chosen),
        mtp=mtp,
    )
    return footprint.rank("memory.rank.0", rank_line("memory.rank.0", number)).lines


@examples(60)
@given(
    model=models(),
    first=numbers_of_layouts(),
    second=numbers_of_layouts(),
    kinds=categories(),
    training=st.sampled_from(TRAININGS),
    sequences=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    steps=st.none() | st.integers(1, 12),
    mtp=st.booleans(),
    data=st.data(),
)
def test_memory(model, first, second, kinds, training, sequences, steps, mtp, data):
    """The whole footprint of one layout gives that of another, whatever its degrees and ranks."""
    here, there = layout(first, kinds, steps), layout(second, kinds, steps)
    lines = rank_lines(model, here, training, sequences[0], 0, mtp=mtp)
    values = {f"layout.{name}": value for name, value in second.items()}
    values |= {"workload.sequence": sequences[1], "layout.global_batch": there.global_batch}
    rank = data.draw(st.integers(0, second["pp"] - 1))
    values["memory.rank.0.rank"] = rank
    expected = rank_lines(model, there, training, sequences[1], rank, mtp=mtp)
    composer = derived(lines["total"], values)
    for what, line in lines.items():
        found = compiled(composer.of(line))(values)
        assert same(found, expected[what].value), what


@examples(10)
@given(
    model=models(),
    first=numbers_of_layouts(),
    second=numbers_of_layouts(),
    kinds=categories(),
    training=st.sampled_from(TRAININGS),
    data=st.data(),
)
def test_memory_as_it_is_printed(model, first, second, kinds, training, data):
    lines = rank_lines(model, layout(first, kinds, 4), training, 16, 0, mtp=False)
    rank = data.draw(st.integers(0, second["pp"] - 1))
    values = {f"layout.{name}": value for name, value in second.items()}
    values |= {"memory.rank.0.rank": rank}
    values["layout.global_batch"] = 4 * second["dp"] * second["micro_batch"]
    expected = rank_lines(model, layout(second, kinds, 4), training, 16, rank, mtp=False)
    composer = derived(lines["total"], values)
    assert close(printed_value(composer, lines["total"], values), expected["total"].value)


# --- queries

MEMORY = "memory deepseek-v3 --layout v3-pretrain --hardware h800"
QUERIES = [
    (MEMORY, "memory.worst.total", {"ep": [8, 32, 128], "sequence": [1024, 8192], "dp": [64, 256]}),
    (MEMORY, "memory.worst.total", {"tp": [2, 4, 8], "pp": [2, 4, 8, 32], "hidden_size": [4096]}),
    (MEMORY, "memory.worst.activations", {"pp": [2, 8], "micro_batch": [1, 2, 4]}),
    (MEMORY, "memory.free", {"pp": [8, 32], "hardware.memory.usable": [10**11]}),
    ("memory qwen3-32b --tp 8 --pp 4 --hardware h100", "memory.worst.total",
     {"tp": [2, 4], "pp": [2, 8], "num_hidden_layers": [48, 80]}),
    ("kv gemma-3-27b --page-size 16", "kv_cache.bytes",
     {"tokens": [1, 500, 99_999], "batch": [3], "sliding_window": [512], "head_dim": [64]}),
    ("flops deepseek-v3.2 --phase prefill", "flops.total",
     {"sequence": [1, 100, 9000], "past": [5, 4000], "index_topk": [64], "n_routed_experts": [64]}),
    ("params kimi-k2 --with-mtp", "parameters.total",
     {"num_hidden_layers": [9, 70], "hidden_size": [64], "n_routed_experts": [64]}),
    ("traffic deepseek-v3 --layout v3-pretrain --hardware h800", "traffic.time_per_layer",
     {"hidden_size": [4096, 1000], "sequence": [512]}),
    ("limits ep --model deepseek-v3 --hardware h800", "limits.ep.tokens_per_second",
     {"hidden_size": [4096, 1000], "num_hidden_layers": [30]}),
]  # fmt: skip


@pytest.mark.parametrize(("query", "line", "numbers"), QUERIES, ids=lambda each: str(each)[:40])
@examples(12)
@given(data=st.data())
def test_queries(query, line, numbers, data):
    names = data.draw(st.sets(st.sampled_from(sorted(numbers)), min_size=1))
    traced = OpenLine(parse_query(query), line)
    found = Derivation(traced, [traced.quantity(name, "--free") for name in sorted(names)])
    assert same(found.at(found.now), traced.line.value)
    values = {name: data.draw(st.sampled_from(numbers[name])) for name in found.names}
    plain = traced.plain(values)
    assume(plain is not None)
    assert close(found.at(values), plain)
    assert close(as_printed(found, values), plain)


def as_printed(found, values):
    """Evaluate the equations of a derivation as they are printed, those of ranks at candidates."""
    known = {symbol_of(name): value for name, value in values.items()}
    equations = found.equations()
    over = [each for each in equations if isinstance(each.term, RankMaximum)]
    if over:
        before = [(each.name, written(each.term)) for each in equations[: equations.index(over[0])]]
        named = [each for each in before if each[0].startswith("memory.candidate.")]
        before = [each for each in before if each not in named]
        candidates = [
            values_of_equations([*named, ("rank", written(rank))], known)["rank"]
            for rank in over[0].term.candidates
        ]
        of_ranks = [
            values_of_equations(before, known | {symbol_of("rank"): rank}) for rank in candidates
        ]
        fullest = max(of_ranks, key=lambda values: values[over[0].term.names[0]])
        known |= {each.name: fullest[each.term.names[-1]] for each in over}
        equations = equations[equations.index(over[-1]) + 1 :]
    after = [(each.name, written(each.term)) for each in equations]
    return values_of_equations(after, known)[found.traced.name]
