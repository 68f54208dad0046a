"""The few ranks that are tried hold the fullest of all: any model, schedule, split, place."""

import importlib.util
from pathlib import Path

import msgspec
import numpy as np
import pytest
import sympy
from drawn import examples
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import DEPTH, models

from dsv3calc.accounting.memory.activations import SavedActivations
from dsv3calc.accounting.memory.footprint import Footprint, Training
from dsv3calc.accounting.memory.ranks import PARTS, rank_line
from dsv3calc.accounting.memory.sharding import CLASSES
from dsv3calc.accounting.memory.worst_rank import candidate_ranks, worst
from dsv3calc.accounting.placement.schedule_problems import schedule_problems
from dsv3calc.catalogue import presets
from dsv3calc.errors import UsageError
from dsv3calc.ledger import line as ledger
from dsv3calc.schema.layout import SPLIT_BACKWARD
from dsv3calc.schema.model import MLA, Dense, LayerGroup, Model
from dsv3calc.schema.provenance import Source

SCHEDULES = ("gpipe", "1f1b", "interleaved", "zb1p", "zbv", "dualpipe", "dualpipev")
POLICIES = ("none", "selective", "full", "v3-recompute")


def load(kind, name):
    return presets.load(kind, name).value


BASE = load("layout", "v3-pretrain")
TRAINING = {
    name: Training(
        load("precision", "fp8-deepseek-v3"),
        load("recipe", "v3-training"),
        load("recompute", name),
        load("setup", "pytorch").memory,
    )
    for name in POLICIES
}


def chunks(schedule, virtual):
    return {"interleaved": virtual, "zbv": 2, "dualpipev": 2}.get(schedule, 1)


@st.composite
def layouts(draw, depth=DEPTH, schedules=SCHEDULES):
    """Draw a layout that its schedule can run, and the micro-batches of its step."""
    schedule = draw(st.sampled_from(schedules))
    pp = draw(st.integers(1 if schedule in ("gpipe", "1f1b", "zb1p") else 2, depth))
    virtual = draw(st.integers(2, 4)) if schedule == "interleaved" else 1
    stages = pp * chunks(schedule, virtual)
    anywhere = st.integers(-stages, stages - 1)
    layout = msgspec.structs.replace(
        BASE,
        schedule=schedule,
        pp=pp,
        virtual_pipeline=virtual,
        tp=draw(st.sampled_from([1, 2])),
        dp=draw(st.sampled_from([1, 3, 8])),
        ep=1,
        zero=draw(st.integers(0, 3)),
        layer_split=draw(st.sampled_from(["even", "balanced"])),
        embedding_stage=draw(st.just(0) | anywhere),
        head_stage=draw(st.just(-1) | anywhere),
        mtp_stage=draw(st.just(-1) | anywhere),
    )
    micro_batches = draw(
        st.integers(1, 4 * pp) | st.sampled_from([pp, 2 * pp - 1, 2 * pp, 3 * pp, 4 * pp])
    )
    assume(not list(schedule_problems(layout, micro_batches)))
    return layout, micro_batches


def footprint(model, layout, micro_batches, *, policy="none", mtp=False, sequence=64):
    return Footprint(
        model,
        layout,
        TRAINING[policy],
        sequence=sequence,
        micro_batches=micro_batches,
        mtp=mtp,
    )


def ranks(found):
    names = [f"memory.rank.{number}" for number in range(found.layout.pp)]
    return [found.rank(name, rank_line(name, number)).lines for number, name in enumerate(names)]


def assert_worst(found):
    """Hold the candidates' fullest rank against all ranks."""
    everything = ranks(found)
    most = max(lines["total"].value for lines in everything)
    lines = worst(found)
    named = everything[lines.rank.value]
    for part in PARTS:
        assert lines.parts[part].value == named[part].value
        assert lines.parts[part].evaluate() == named[part].value
    total = named["total"].value
    assert total == most if type(most) is int else total == pytest.approx(most, rel=1e-14)


@examples(300)
@given(
    model=models(), drawn=layouts(), policy=st.sampled_from(POLICIES), mtp=st.booleans(),
    sequence=st.sampled_from([1, 64, 4096]),
)  # fmt: skip
def test_the_fullest_rank_of_any_model(model, drawn, policy, mtp, sequence):
    assert_worst(footprint(model, *drawn, policy=policy, mtp=mtp, sequence=sequence))


sizes = st.integers(0, 3) | st.integers(0, 1000)


def resized(found, data):
    """Give a footprint's layers, embedding, head and activations any sizes at all."""

    def size(name):
        return ledger.given(name, data.draw(sizes), "B")

    def states(name):
        return {what: size(f"{name}.{what}") for what in CLASSES}

    found.states = [states(view.prefix) for view in found.views]
    found.embedding, found.head, found.after = states("embedding"), states("head"), states("after")
    pending = found.layout.schedule in SPLIT_BACKWARD

    def kept():
        lines = [size(name) for name in ("kept", "recomputed", "output_gradients")]
        return SavedActivations(*lines, size("pending") if pending else None)

    found.in_flight.kept = [kept() for _ in found.views]
    found.in_flight.head = kept()
    found.buffers.at_work = [size("at_work") for _ in found.views]
    head = found.buffers.head
    head.kept, head.logits, head.beyond = size("kept"), size("logits"), size("beyond")
    head.largest = ledger.total("head", [head.logits, head.beyond])
    return found


@examples(300)
@given(model=models(), drawn=layouts(), mtp=st.booleans(), data=st.data())
def test_the_fullest_rank_whatever_the_sizes_of_tensors(model, drawn, mtp, data):
    assert_worst(resized(footprint(model, *drawn, mtp=mtp), data))


@pytest.mark.parametrize(
    "name", ["deepseek-v3", "glm-4.5", "llama-3.1-8b", "deepseek-v2-lite", "gemma-3-27b"]
)
@examples(25)
@given(data=st.data(), policy=st.sampled_from(POLICIES), mtp=st.booleans())
def test_the_fullest_rank_of_shipped_models(name, data, policy, mtp):
    model = load("model", name)
    drawn = data.draw(layouts(depth=min(24, model.num_hidden_layers)))
    assert_worst(footprint(model, *drawn, policy=policy, mtp=mtp))


LAST_TWO = Model(
    name="drawn",
    title="A drawn model",
    hidden_size=1,
    vocab_size=1,
    num_hidden_layers=12,
    tie_word_embeddings=False,
    groups=[
        LayerGroup(
            attention=MLA(
                num_attention_heads=1,
                q_lora_rank=None,
                kv_lora_rank=1,
                qk_nope_head_dim=1,
                qk_rope_head_dim=1,
                v_head_dim=1,
            ),
            feed_forward=Dense(intermediate_size=1, gated=False),
            layers=":",
            block_norms=0,
        )
    ],
    sources={"drawn": Source(kind="assumed", citation="drawn at random")},
    provenance={"default": "drawn"},
)
"""A model of which DualPipeV's last rank but one holds the most: its chunks take turns."""


@pytest.mark.parametrize("schedule", ["dualpipe", "dualpipev"])
@pytest.mark.parametrize("head", [-4, -1])
@pytest.mark.parametrize("zero", [0, 3])
def test_the_last_ranks_but_one_may_be_the_fullest(schedule, head, zero):
    layout = msgspec.structs.replace(
        BASE, schedule=schedule, dp=1, ep=1, zero=zero, embedding_stage=-4, head_stage=head
    )
    for pp in (4, 12):
        one = msgspec.structs.replace(layout, pp=pp)
        assert_worst(footprint(LAST_TWO, one, 2 * pp, policy="full"))
    arrays = msgspec.structs.replace(layout, pp=np.array([4.0, 12.0]))
    found = worst(footprint(LAST_TWO, arrays, np.array([8.0, 24.0]), policy="full"))
    last = msgspec.structs.replace(layout, pp=12)
    every = ranks(footprint(LAST_TWO, last, 24, policy="full"))
    assert found.total.value[1] == max(lines["total"].value for lines in every)
    if schedule == "dualpipev":
        assert found.rank.value[1] == 10


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_few_ranks_of_deepseek_v3_are_tried(schedule):
    model = load("model", "deepseek-v3")
    layout = msgspec.structs.replace(
        BASE, schedule=schedule, pp=32, virtual_pipeline=2 if schedule == "interleaved" else 1
    )
    found = candidate_ranks(model, layout, mtp=True)
    values = [line.value for line in found]
    assert values == sorted(set(values))
    assert 0 <= values[0] <= values[-1] < layout.pp
    assert len(values) <= 8
    assert [line.name for line in found] == [f"memory.rank.{value}.rank" for value in values]


def test_all_ranks_are_tried_where_layers_alternate_or_are_listed():
    gemma, deepseek = load("model", "gemma-3-27b"), load("model", "deepseek-v3")
    plain = msgspec.structs.replace(BASE, schedule="1f1b")
    listed = msgspec.structs.replace(plain, layer_split=[4] * 13 + [3] * 3)
    for model, layout in ((gemma, plain), (deepseek, listed)):
        assert [line.value for line in candidate_ranks(model, layout)] == list(range(16))
    assert_worst(footprint(deepseek, listed, 120))
    arrays = msgspec.structs.replace(plain, pp=np.array([2.0, 5.0]))
    values = [line.value.tolist() for line in candidate_ranks(gemma, arrays)]
    assert values == [[0, 0], [1, 1], [1, 2], [1, 3], [1, 4]]
    symbolic = msgspec.structs.replace(plain, pp=sympy.Symbol("pp", positive=True))
    with pytest.raises(UsageError, match="symbol"):
        candidate_ranks(gemma, symbolic)


@given(data=st.data(), model=models(), policy=st.sampled_from(POLICIES), mtp=st.booleans())
def test_the_fullest_ranks_of_arrays(data, model, policy, mtp):
    """Several pp at once: each answer is that of its rank, and no rank has more."""
    schedule = data.draw(st.sampled_from(SCHEDULES))
    drawn = data.draw(st.lists(layouts(schedules=(schedule,)), min_size=2, max_size=4))
    first = drawn[0][0]
    inner = ("embedding_stage", "head_stage", "mtp_stage")
    rows = []
    for layout, micro_batches in drawn:
        same = {name: getattr(first, name) for name in (*inner, "zero", "layer_split")}
        one = msgspec.structs.replace(layout, virtual_pipeline=first.virtual_pipeline, **same)
        stages = one.pp * chunks(schedule, one.virtual_pipeline)
        assume(all(-stages <= getattr(one, name) < stages for name in inner))
        rows.append((one, micro_batches))
    columns = {
        name: np.array([getattr(layout, name) for layout, _ in rows], dtype=np.float64)
        for name in ("pp", "tp", "dp")
    }
    steps = np.array([micro_batches for _, micro_batches in rows], dtype=np.float64)
    arrays = msgspec.structs.replace(first, **columns)
    lines = worst(footprint(model, arrays, steps, policy=policy, mtp=mtp))
    found = {name: np.broadcast_to(line.value, len(rows)) for name, line in lines.parts.items()}
    fullest = np.broadcast_to(lines.rank.value, len(rows))
    for row, (layout, micro_batches) in enumerate(rows):
        everything = ranks(footprint(model, layout, micro_batches, policy=policy, mtp=mtp))
        named = everything[int(fullest[row])]
        for part in PARTS:
            assert found[part][row] == named[part].value, part
        most = max(each["total"].value for each in everything)
        # thirds of a byte may add up to whole ones in exact numbers alone
        assert found["total"][row] == pytest.approx(most, rel=1e-14)


BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "layouts.py"


@pytest.mark.skipif(not BENCHMARK.is_file(), reason="a checkout has benchmarks")
def test_layouts_of_the_benchmark_equal_their_scalar_answers():
    spec = importlib.util.spec_from_file_location("layouts_benchmark", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    for schedule in benchmark.SCHEDULES:
        for zero, recompute in ((0, "none"), (1, "v3-recompute"), (3, "full")):
            numbers = benchmark.draw(schedule, 60, 7)
            found = benchmark.answer(schedule, zero, recompute, numbers, 32)
            assert benchmark.check((schedule, zero, recompute), numbers, found, 20) == 20
