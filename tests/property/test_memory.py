"""Memory of random models on random layouts: nothing is lost, nothing stands twice unsaid.

Degrees are Fractions, so that shards are exact whether they divide or not.
"""

import random
from fractions import Fraction
from functools import cache
from itertools import accumulate, product

import msgspec
import numpy as np
import pytest
import sympy
from drawn import examples
from expressions import at_numbers
from footprints import UNIFORM, footprint_of, layout_of, preset, rank_line, rank_of, ranks_of
from hypothesis import given
from hypothesis import strategies as st
from pipeline_orders import SCHEDULES, held, stages_of
from strategies import DEPTH, models

from dsv3calc import load_model
from dsv3calc.accounting.memory.ranks import PARTS, worst_lines
from dsv3calc.accounting.memory.sharding import CLASSES
from dsv3calc.accounting.parameters import PARAMETER_VARIANTS, parameter_lines
from dsv3calc.accounting.placement.orders import order_of
from dsv3calc.model.architecture import architecture_of
from dsv3calc.schema.model import GQA, MoE

fewer = examples(15)
degrees = st.integers(1, 6)
CHUNKS = {"zbv": 2, "dualpipe": 2, "dualpipev": 2}
BYTES = {"weights": 2, "gradients": 4, "optimizer": 12}
SHARED_FROM = {"optimizer": 1, "gradients": 2, "weights": 3}


@st.composite
def splits(draw, stages):
    kind = draw(st.sampled_from(["even", "balanced", "list"]))
    if kind != "list":
        return kind
    cuts = sorted(draw(st.lists(st.integers(0, DEPTH), min_size=stages - 1, max_size=stages - 1)))
    return [after - before for before, after in zip([0, *cuts], [*cuts, DEPTH], strict=True)]


@st.composite
def layouts(draw, *, exact=True):
    """Draw a layout that its schedule can run, and the micro-batches of a step."""
    schedule = draw(st.sampled_from([*SCHEDULES, "dualpipe"]))
    pp = draw(st.integers(1, 5))
    if schedule in ("interleaved", *CHUNKS):
        pp = max(pp, 2)
    if schedule == "dualpipe":
        pp += pp % 2
    virtual = draw(st.integers(2, 3)) if schedule == "interleaved" else 1
    stages = pp * virtual * (2 if schedule in ("zbv", "dualpipev") else 1)
    place = st.integers(-stages, stages - 1)
    number = Fraction if exact else int
    layout = layout_of(
        **{name: number(draw(degrees)) for name in ("tp", "cp", "dp", "ep", "etp", "micro_batch")},
        pp=number(pp),
        schedule=schedule,
        virtual_pipeline=virtual,
        zero=draw(st.integers(0, 3)),
        sequence_parallel=draw(st.booleans()),
        vocabulary_parallel=draw(st.booleans()),
        shared_experts=draw(st.sampled_from(["local", "replicated", "routed"])),
        dense_feed_forward=draw(st.sampled_from(["local", "replicated"])),
        redundant_experts=draw(st.integers(0, 5)),
        layer_split=draw(splits(stages)),
        embedding_stage=draw(place),
        head_stage=draw(place),
        mtp_stage=draw(place),
        mirror_optimizer=schedule == "dualpipe" and draw(st.sampled_from([True, True, False])),
    )
    return layout, 2 * pp * draw(st.integers(1, 3))


def stages_by_rank(layout):
    """List the virtual stages of each rank, walking the depth."""
    pp, schedule = int(layout.pp), layout.schedule
    chunks = layout.virtual_pipeline if schedule == "interleaved" else CHUNKS.get(schedule, 1)
    return [stages_of(schedule, rank, pp, chunks) for rank in range(pp)]


def place_of(layout, name):
    """Return the stage of an embedding, head or MTP module, counted from the front."""
    number = 1 + max(stage for stages in stages_by_rank(layout) for stage in stages)
    return getattr(layout, name) % number


def ranks_with(layout, *places):
    wanted = {place_of(layout, place) for place in places}
    return sum(bool(wanted & set(stages)) for stages in stages_by_rank(layout))


def stage_gpus(layout):
    return layout.tp * layout.cp * layout.dp


def is_mirrored(layout):
    return layout.schedule == "dualpipe" and layout.mirror_optimizer


# Which parts of a model stand where, written once more.


def shares(tensor, view, layout):
    """Return how many GPUs divide a layer's tensor, and whether it is an expert's."""
    if tensor.component == "routed_experts":
        return layout.ep * layout.etp, True
    if tensor.component == "shared_experts" and layout.shared_experts == "replicated":
        return 1, False
    if tensor.component == "dense_ffn" and layout.dense_feed_forward == "replicated":
        return 1, False
    if tensor.component in ("norms", "router", "indexer") or tensor.name in (
        *("q_a_proj", "q_a_proj.bias", "kv_a_proj_with_mqa", "kv_a_proj_with_mqa.bias"),
        *("o_proj.bias", "down_proj.bias"),
    ):
        return 1, False
    attend = view.group.attention
    if tensor.name.partition(".")[0] in ("k_proj", "v_proj") and isinstance(attend, GQA):
        return min(Fraction(attend.num_key_value_heads), layout.tp), False
    return layout.tp, False


def copies_on_stage(tensor, view, layout, what):
    """Return how often the GPUs of one stage have an element of a layer's tensor."""
    divided, expert = shares(tensor, view, layout)
    copies = stage_gpus(layout) / Fraction(divided)
    if layout.zero >= SHARED_FROM[what]:
        replicas = stage_gpus(layout) / (layout.ep * layout.etp)
        copies /= replicas if expert else layout.dp * layout.cp
        if is_mirrored(layout):
            copies /= 2
    return copies


def elements_of(tensor):
    width = 1 if tensor.in_features is None else tensor.in_features.value
    return tensor.copies.value * tensor.out_features.value * width


def held_elements(tensor, view, layout):
    """Return the elements of one layer's tensor, redundant experts included; 0 if it is gone."""
    found = elements_of(tensor)
    moe = view.group.feed_forward
    if tensor.component == "shared_experts" and layout.shared_experts == "routed":
        return 0
    if tensor.component == "routed_experts":
        shared = moe.n_shared_experts if layout.shared_experts == "routed" else 0
        places = moe.n_routed_experts + max(layout.redundant_experts, shared)
        return Fraction(found * places, moe.n_routed_experts)
    return found


def on_all_gpus(footprint, what):
    """Add up the bytes of each tensor over the GPUs of the pipeline, all replicas included."""
    found = {}
    for rank in ranks_of(footprint):
        line = rank.lines[what]
        for count, part in zip(line.parts[::2], line.parts[1::2], strict=True):
            for tensor in part.parts:
                held_here = stage_gpus(footprint.layout) * count.value * tensor.value
                found[tensor.name] = found.get(tensor.name, 0) + held_here
    return found


def expected_on_all_gpus(model, layout, what, mtp):
    """Multiply each tensor's elements by the layers that have it and by its copies."""
    arch = architecture_of(model)
    twice = 2 if layout.schedule == "dualpipe" else 1
    groups = [(view, view.prefix, view.tensors) for view in arch.groups]
    if mtp:
        groups.append((arch.mtp, "mtp", (*arch.mtp.tensors, *arch.mtp_tensors)))
    found = {}
    for view, prefix, tensors in groups:
        for tensor in tensors:
            if tensor.weight_class == "routing_bias" and what != "weights":
                continue
            elements = held_elements(tensor, view, layout)
            if not elements:
                continue
            name = f"memory.layer.{prefix}.{what}.{tensor.component}.{tensor.name}"
            copies = twice * copies_on_stage(tensor, view, layout, what)
            each = elements * view.layers.value * copies * BYTES[what]
            found[name] = found.get(name, 0) + each
    return found | expected_outside(model, layout, what, mtp)


def expected_outside(model, layout, what, mtp):
    found = {}
    for tensor in architecture_of(model).outer:
        module = ("mtp_stage",) if mtp else ()
        if model.tie_word_embeddings and tensor.name == "head":
            continue
        if tensor.name == "embedding":
            tied = ("head_stage",) if model.tie_word_embeddings else ()
            place, ranks = "embedding", ranks_with(layout, "embedding_stage", *tied, *module)
        elif tensor.name == "head":
            place, ranks = "head", ranks_with(layout, "head_stage", *module)
        else:
            place, ranks = "after", ranks_with(layout, "head_stage")
        whole = tensor.component == "norms" or not layout.vocabulary_parallel
        copies = stage_gpus(layout) / (1 if whole else layout.tp)
        if layout.zero >= SHARED_FROM[what]:
            copies /= layout.dp * layout.cp * (2 if is_mirrored(layout) else 1)
        name = f"memory.{place}.{what}.{tensor.component}.{tensor.name}"
        found[name] = ranks * copies * elements_of(tensor) * BYTES[what]
    return found


# Conservation


@given(model=models(), drawn=layouts(), mtp=st.booleans())
def test_every_tensor_stands_on_the_gpus_as_often_as_is_said(model, drawn, mtp):
    """Once for each replica, tp where it is not divided; fewer times what ZeRO shares."""
    layout, micro_batches = drawn
    mtp = mtp and model.mtp is not None
    footprint = footprint_of(model, layout, micro_batches=micro_batches, mtp=mtp)
    for what in CLASSES:
        found = on_all_gpus(footprint, what)
        expected = expected_on_all_gpus(model, layout, what, mtp)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name] == value, name
        whole = sum(rank.lines[what].value for rank in ranks_of(footprint))
        assert stage_gpus(layout) * whole == sum(expected.values())


@given(model=models(), drawn=layouts(), mtp=st.booleans())
def test_what_zero_shares_adds_up_to_what_each_replica_had(model, drawn, mtp):
    """Over the replicas, and under DualPipe over the pair, there is one copy of each shard."""
    layout, micro_batches = drawn
    replicas = {
        "data": layout.dp * layout.cp,
        "experts": stage_gpus(layout) / layout.ep / layout.etp,
    }
    for what in CLASSES:
        without, shared = (
            on_all_gpus(
                footprint_of(
                    model,
                    msgspec.structs.replace(layout, zero=zero),
                    micro_batches=micro_batches,
                    mtp=mtp,
                ),
                what,
            )
            for zero in (0, 3)
        )
        for name, value in without.items():
            among = replicas["experts" if ".routed_experts." in name else "data"]
            assert shared[name] * among * (2 if is_mirrored(layout) else 1) == value, name


def partition(layout, mtp_layers):
    """Return the first layer of each stage and the end, by dealing out layers one at a time."""
    stages = 1 + max(stage for each in stages_by_rank(layout) for stage in each)
    split = layout.layer_split
    if isinstance(split, list):
        return [0, *accumulate(split)]
    balanced = split == "balanced"
    units = ["embedding"] * balanced + [*range(DEPTH)] + ["head"] * (balanced * (1 + mtp_layers))
    sizes = [0] * stages
    for number in range(len(units)):
        sizes[number % stages] += 1
    bounds, taken = [0], 0
    for size in sizes:
        taken += size
        bounds.append(sum(type(unit) is int for unit in units[:taken]))
    return bounds


def layers_of_group(model, index):
    """List the numbers of the layers of a group, ``rest`` by what the others leave."""
    taken = {}
    for number, group in enumerate(model.groups):
        texts = [group.layers] if isinstance(group.layers, str) else group.layers
        taken[number] = set()
        for text in texts:
            if text != "rest":
                cuts = [int(cut) if cut else None for cut in text.split(":")]
                taken[number] |= set(range(DEPTH)[slice(*cuts)])
    others = set().union(*taken.values())
    return set(range(DEPTH)) - others if model.groups[index].layers == "rest" else taken[index]


@given(model=models(), drawn=layouts(), mtp=st.booleans())
def test_every_layer_stands_on_one_stage(model, drawn, mtp):
    layout, micro_batches = drawn
    mtp = mtp and model.mtp is not None
    bounds = partition(layout, model.mtp.num_nextn_predict_layers if mtp else 0)
    assert bounds[0] == 0
    assert bounds[-1] == DEPTH
    footprint = footprint_of(model, layout, micro_batches=micro_batches, mtp=mtp)
    held_layers = [0] * len(model.groups)
    for rank, stages in zip(ranks_of(footprint), stages_by_rank(layout), strict=True):
        assert [line.value for line in rank.stages] == stages
        counts = [
            line.value for line in rank.lines["weights"].parts[: 2 * len(footprint.views) : 2]
        ]
        for index in range(len(model.groups)):
            own = layers_of_group(model, index)
            here = [layer for stage in stages for layer in range(bounds[stage], bounds[stage + 1])]
            assert counts[index] == len([layer for layer in here if layer in own])
            held_layers[index] += counts[index]
        if mtp:
            modules = model.mtp.num_nextn_predict_layers
            assert counts[-1] == (modules if place_of(layout, "mtp_stage") in stages else 0)
    twice = 2 if layout.schedule == "dualpipe" else 1
    groups = architecture_of(model).groups
    assert held_layers == [twice * view.layers.value for view in groups]
    assert sum(held_layers) == twice * DEPTH


@given(model=models(), drawn=layouts(), mtp=st.booleans())
def test_classes_add_up_to_the_total(model, drawn, mtp):
    layout, micro_batches = drawn
    footprint = footprint_of(
        model,
        layout,
        micro_batches=micro_batches,
        mtp=mtp,
        software=preset("setup", "pytorch").memory,
    )
    for rank in ranks_of(footprint):
        assert tuple(rank.lines) == PARTS
        values = [line.value for line in rank.lines.values()]
        assert sum(values[:-1]) == values[-1]
        assert min(values) >= 0


@given(model=models(), mtp=st.booleans())
def test_one_gpu_without_zero_holds_the_model(model, mtp):
    mtp = mtp and model.mtp is not None
    rank = rank_of(footprint_of(model, layout_of(), mtp=mtp), 0)
    with_mtp, _ = PARAMETER_VARIANTS["with-mtp" if mtp else "default"]

    def parameters(inclusions):
        return parameter_lines(model, inclusions, "drawn").total.value

    trained = parameters(with_mtp - {"routing-bias"})
    assert rank.lines["weights"].value == 2 * parameters(with_mtp)
    assert rank.lines["gradients"].value == 4 * trained
    assert rank.lines["optimizer"].value == 12 * trained


@given(model=models(), drawn=layouts())
def test_the_gpus_of_a_replica_keep_each_token_as_often_as_is_said(model, drawn):
    """Activations: once inside blocks, on every tp between them without sequence parallelism."""
    layout, micro_batches = drawn
    sequence, imbalance = 48, Fraction(5, 4)
    footprint = footprint_of(
        model,
        layout,
        micro_batches=micro_batches,
        sequence=sequence,
        imbalance=imbalance,
        recompute=preset("recompute", "none", attention_kernel="unfused", dropout=True),
    )
    tokens = sequence * layout.micro_batch
    gpus = layout.tp * layout.cp
    block = 1 if layout.sequence_parallel else layout.tp
    for view, kept in zip(footprint.views, footprint.kept, strict=True):
        attend, feed = view.group.attention, view.group.feed_forward
        lines = {line.name.rpartition(".")[2]: gpus * line.value for line in kept.kept.parts}
        assert lines["layer_input"] == 2 * tokens * model.hidden_size * block
        scores = tokens * attend.num_attention_heads * sequence
        assert lines["softmax"] == 2 * scores
        assert lines["softmax_mask"] == scores
        if isinstance(attend, GQA):
            parts = min(Fraction(attend.num_key_value_heads), layout.tp)
            keys = 2 * tokens * attend.num_key_value_heads * attend.head_dim
            assert lines["keys"] == lines["values"] == keys * layout.tp / parts
        else:
            assert lines["kv_latent"] == 2 * tokens * attend.kv_lora_rank * block
            width = attend.qk_nope_head_dim + attend.qk_rope_head_dim
            assert lines["keys"] == 2 * tokens * attend.num_attention_heads * width
        if isinstance(feed, MoE):
            shared = feed.n_shared_experts if layout.shared_experts == "routed" else 0
            rows = tokens * (feed.num_experts_per_tok + shared) * imbalance
            assert lines["expert_input"] == 2 * rows * model.hidden_size * layout.etp
            assert lines["expert_act_output"] == 2 * rows * feed.moe_intermediate_size
            if feed.n_shared_experts and not shared:
                whole = layout.shared_experts == "replicated"
                width = feed.n_shared_experts * feed.moe_intermediate_size
                assert lines["shared_act_output"] == 2 * tokens * width * (block if whole else 1)
        else:
            seen = block if layout.dense_feed_forward == "replicated" else 1
            assert lines["mlp_act_output"] == 2 * tokens * feed.intermediate_size * seen


# Schedules


@given(data=st.data(), model=models())
def test_activations_are_the_most_that_the_order_of_passes_holds(data, model):
    layout, micro_batches = data.draw(layouts())
    footprint = footprint_of(model, layout, micro_batches=micro_batches, sequence=24)
    pp = int(layout.pp)
    chunks = len(stages_by_rank(layout)[0])
    for number, rank in enumerate(ranks_of(footprint)):
        each, waiting = [0] * chunks, [0] * chunks
        name = f"memory.rank.{number}"
        lines = {line.name: line.value for line in rank.lines["activations"].walk()}
        for chunk in range(chunks):
            each[chunk] = lines[f"{name}.chunk.{chunk}.activations"]
            waiting[chunk] = lines.get(f"{name}.chunk.{chunk}.activations.pending", 0)
        order = order_of(layout.schedule, number, pp, chunks, micro_batches)
        most = max(
            sum(n * a for n, a in zip(in_flight, each, strict=True))
            + sum(n * w for n, w in zip(pending, waiting, strict=True))
            for in_flight, pending in held(order, chunks)
        )
        assert rank.lines["activations"].value == most


@given(model=models(), drawn=layouts(), mtp=st.booleans())
def test_ranks_mirror_under_dualpipe(model, drawn, mtp):
    layout, _ = drawn
    pp = int(layout.pp) + int(layout.pp) % 2
    layout = msgspec.structs.replace(
        layout,
        schedule="dualpipe",
        virtual_pipeline=1,
        pp=pp,
        layer_split="even",
        embedding_stage=0,
        head_stage=-1,
        mtp_stage=-1,
    )
    ranks = ranks_of(footprint_of(model, layout, micro_batches=2 * pp, mtp=mtp))
    for rank, mirrored in zip(ranks, reversed(ranks), strict=True):
        assert {what: line.value for what, line in rank.lines.items()} == {
            what: line.value for what, line in mirrored.lines.items()
        }


# One composition

NAMES = ("rank", "tp", "cp", "pp", "ep", "dp", "micro_batch", "sequence", "micro_batches")


def evaluated(model, layout, numbers, *, mtp, **options):
    """Give the classes of one rank, some of the numbers put in place of the layout's."""
    fields = {name: numbers[name] for name in NAMES[1:-2]}
    footprint = footprint_of(
        model,
        msgspec.structs.replace(layout, **fields),
        sequence=numbers["sequence"],
        micro_batches=numbers["micro_batches"],
        mtp=mtp,
        software=preset("setup", "pytorch").memory,
        **options,
    )
    rank = footprint.rank("memory.rank", rank_line("memory.rank", numbers["rank"]))
    return {what: line.value for what, line in rank.lines.items()}


@st.composite
def rows(draw, layout):
    """Draw numbers that go with the categories of a layout."""
    fixed = isinstance(layout.layer_split, list)
    pp = int(layout.pp) if fixed else 2 * draw(st.integers(1, 3))
    return dict(
        zip(
            NAMES,
            (
                draw(st.integers(0, pp - 1)),
                *(draw(degrees), draw(degrees), pp, draw(degrees), draw(degrees)),
                *(draw(st.integers(1, 3)), draw(st.integers(1, 40))),
                2 * pp * draw(st.integers(1, 3)),
            ),
            strict=True,
        )
    )


policies = st.sampled_from(["none", "full", "v3-recompute", "selective"])


def inside(layout):
    """Return a layout whose places are those of any number of stages."""
    return msgspec.structs.replace(layout, embedding_stage=0, head_stage=-1, mtp_stage=-1)


@given(data=st.data(), model=models(), drawn=layouts(exact=False), recompute=policies)
def test_memory_over_arrays_of_layouts(data, model, drawn, recompute):
    layout = inside(drawn[0])
    mtp = data.draw(st.booleans())
    cases = [data.draw(rows(layout)) for _ in range(3)]
    columns = {name: np.array([case[name] for case in cases], dtype=float) for name in NAMES}
    found = evaluated(model, layout, columns, mtp=mtp, recompute=recompute)
    for number, case in enumerate(cases):
        exact = evaluated(model, layout, case, mtp=mtp, recompute=recompute)
        for what, value in exact.items():
            got = np.broadcast_to(found[what], len(cases))[number]
            if type(value) is int:
                assert got == value, what
            else:
                assert got == pytest.approx(value, rel=1e-13), what


SMALL = load_model("deepseek-v2-lite")
"""One dense layer and 26 of experts, MLA, no queries' latent."""


@cache
def in_symbols(schedule, split, zero):
    """Return a layout, its numbers as symbols, and the memory of a rank as expressions."""
    folded = schedule in ("interleaved", "zbv", "dualpipev")
    sizes = [4, 4, 4, 3, 3, 3, 3, 3] if folded else [8, 7, 7, 5]
    layout = layout_of(
        schedule=schedule,
        virtual_pipeline=2 if schedule == "interleaved" else 1,
        zero=zero,
        layer_split=sizes if split == "list" else split,
        sequence_parallel=split == "even",
    )
    symbols = {
        name: sympy.Symbol(name, integer=True, nonnegative=True, positive=name != "rank" or None)
        for name in NAMES
    }
    if split == "list":
        symbols["pp"] = 4
    return layout, symbols, evaluated(SMALL, layout, symbols, mtp=False)


@pytest.mark.parametrize(
    ("schedule", "split"),
    [*product(SCHEDULES, ["even", "list"]), ("1f1b", "balanced")],
)
def test_memory_with_symbols_for_a_layout(schedule, split):
    zero = {"even": 1, "balanced": 2, "list": 3}[split]
    layout, symbols, forms = in_symbols(schedule, split, zero)
    generator = random.Random(schedule)  # noqa: S311 - no secret
    for _ in range(5):
        pp = 4 if split == "list" else generator.choice([2, 4, 6])
        case = {name: generator.randint(1, 6) for name in NAMES} | {
            "pp": pp,
            "rank": generator.randrange(pp),
            "sequence": generator.randint(1, 40),
            "micro_batches": 4 * pp,
        }
        exact = evaluated(
            SMALL, layout, {name: Fraction(value) for name, value in case.items()}, mtp=False
        )
        numbers = {symbol: sympy.Integer(case[name]) for name, symbol in symbols.items()}
        known = {}
        for what, value in exact.items():
            found = at_numbers(sympy.sympify(forms[what]), numbers, known)
            assert found == sympy.Rational(value.numerator, value.denominator), (what, case)
    met = {each.name for each in known if type(each) is sympy.Symbol}
    unmet = {"pp"} if split == "list" else set()
    if schedule in ("dualpipe", "dualpipev"):  # they fill the pipeline, and hold no more
        unmet.add("micro_batches")
    assert met == set(NAMES) - unmet


@fewer
@given(model=models(), drawn=layouts(exact=False), mtp=st.booleans())
def test_the_fullest_rank_is_that_of_an_array_of_ranks(model, drawn, mtp):
    layout, micro_batches = drawn
    footprint = footprint_of(model, layout, micro_batches=micro_batches, mtp=mtp)
    ranks = ranks_of(footprint)
    worst = worst_lines(ranks, None)
    number = worst.rank.value
    at_once = rank_of(footprint, np.arange(layout.pp, dtype=float)).lines
    totals = np.broadcast_to(at_once["total"].value, layout.pp)
    assert worst.total.value == pytest.approx(totals.max(), rel=1e-13)
    first = ranks[number]
    assert first.lines["total"].value == max(rank.lines["total"].value for rank in ranks)
    for what in PARTS:
        assert worst.parts[what].value == first.lines[what].value
    assert all(rank.lines["total"].value < worst.total.value for rank in ranks[:number])


@given(model=models(), drawn=layouts(), mtp=st.booleans(), recompute=policies)
def test_every_line_follows_from_its_parts(model, drawn, mtp, recompute):
    layout, micro_batches = drawn
    footprint = footprint_of(
        model, layout, micro_batches=micro_batches, mtp=mtp, recompute=recompute
    )
    ranks = ranks_of(footprint)
    seen, rules = set(), set()
    waiting = [*worst_lines(ranks, None), *(rank.lines["total"] for rank in ranks)]
    while waiting:
        line = waiting.pop()
        if id(line) in seen:
            continue
        seen.add(id(line))
        rules.add(line.rule)
        assert line.evaluate() == line.value, line
        waiting += line.parts
        waiting += [each for _, each, _ in line.arguments if hasattr(each, "parts")]
    assert {"sum", "formula", "sum_of_products", "at_largest", "maximum"} <= rules


def test_uniform_precision_has_one_width():
    assert set(UNIFORM.weights.values()) == {"bf16"}
