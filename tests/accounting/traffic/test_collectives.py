"""The collectives of a layout: counts by hand, papers, limits, arrays and symbols."""

import msgspec
import numpy as np
import pytest
import sympy

import dsv3calc
from dsv3calc.accounting.parameters import PARAMETER_VARIANTS, parameter_lines
from dsv3calc.accounting.placement.gradients import PLACES, layer_elements
from dsv3calc.accounting.placement.rank_order import placement_of
from dsv3calc.accounting.traffic.algorithms import ALGORITHMS, tree_levels
from dsv3calc.accounting.traffic.collectives import KINDS, collective_assumptions, collective_lines
from dsv3calc.accounting.traffic.links import Links, rates_of
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Line, given
from dsv3calc.model.architecture import architecture_of
from dsv3calc.schema.layout import Layout
from dsv3calc.schema.provenance import Source

H800 = dsv3calc.load_hardware("h800")
V3 = dsv3calc.load_model("deepseek-v3")
LLAMA = dsv3calc.load_model("llama-3.1-70b")
MODELS = [V3, LLAMA, dsv3calc.load_model("gpt-oss-120b"), dsv3calc.load_model("gemma-3-27b")]


def layout_of(**degrees):
    return Layout(
        name="drawn",
        title="Drawn",
        sources={"test": Source(kind="assumed", citation="drawn")},
        provenance={"default": "test"},
        **degrees,
    )


def lines_of(model, layout, *, hardware=H800, sequence=4096, micro_batches=8, **options):
    return collective_lines(
        "traffic", model, layout,
        hardware=hardware, sequence=sequence, micro_batches=micro_batches, **options,
    )  # fmt: skip


def found(model, layout, **options):
    lines = lines_of(model, layout, **options)
    return {line.name.removeprefix("traffic.collectives."): line.value for line in lines}


def sent(values, kind):
    return values[f"{kind}.scale_up_bytes"] + values[f"{kind}.scale_out_bytes"]


def distinct(lines):
    """Give each line and all below it once, however many others stand on it."""
    seen = {}
    waiting = list(lines)
    while waiting:
        line = waiting.pop()
        if id(line) not in seen:
            seen[id(line)] = line
            waiting += line.parts
            waiting += [each for _, each, _ in line.arguments if type(each) is Line]
    return seen.values()


LAYOUTS = [
    layout_of(tp=8, dp=4, pp=4),
    layout_of(tp=8, dp=4, pp=4, sequence_parallel=True, zero=1),
    layout_of(tp=2, cp=4, dp=8, pp=2, sequence_parallel=True, zero=3, virtual_pipeline=2),
    layout_of(tp=2, cp=2, dp=16, pp=2, ep=16, etp=2, sequence_parallel=True, zero=2),
    layout_of(cp=8, dp=2, context_parallel_method="all-to-all"),
    layout_of(cp=4, tp=4, dp=2, context_parallel_method="all-gather", pp=4, schedule="zbv"),
    layout_of(pp=16, dp=128, ep=64, zero=1, schedule="dualpipe"),
    layout_of(pp=4, dp=2, rank_order=["pp", "tp", "cp", "ep", "dp"], vocabulary_parallel=False),
]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=range(len(LAYOUTS)))
def test_every_line_follows_from_its_parts(layout, algorithm):
    for model in MODELS:
        lines = lines_of(model, layout, algorithm=algorithm)
        kinds = [line.name.split(".")[2] for line in lines if ".busiest." not in line.name]
        assert tuple(dict.fromkeys(kinds)) == KINDS
        assert [line.unit for line in lines[:4]] == ["B", "B", "1", "s"]
        for line in distinct(lines):
            assert line.evaluate() == line.value, line
        assert all(top.value >= 0 for top in lines)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_gpu_sends_nothing(algorithm):
    for model in MODELS:
        assert not any(found(model, layout_of(), algorithm=algorithm).values())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_node_sends_nothing_out_of_it(algorithm):
    layout = layout_of(tp=2, cp=2, pp=2, sequence_parallel=True, zero=1)
    for model in MODELS:
        values = found(model, layout, algorithm=algorithm)
        assert not any(value for name, value in values.items() if "scale_out" in name)
        assert all(values[f"{kind}.scale_up_bytes"] for kind in KINDS if "expert" not in kind)


def test_llama_70b_by_hand():
    """Megatron's layout of a dense model, each term written out."""
    values = found(LLAMA, layout_of(tp=8, pp=4, dp=4))
    hidden = 4096 * 8192 * 2
    all_reduce = 2 * 7 * hidden // 8
    assert values["tensor_parallel.scale_up_bytes"] == 20 * 2 * 2 * 8 * all_reduce
    assert values["tensor_parallel.scale_out_bytes"] == 0
    assert values["tensor_parallel.messages"] == 20 * 2 * 2 * 8 * 14
    assert values["pipeline.scale_out_bytes"] == 2 * 8 * hidden
    assert values["vocabulary_loss.scale_up_bytes"] == 3 * 8 * (2 * 7 * 4096 * 4 // 8)
    assert values["vocabulary_layers.scale_up_bytes"] == 8 * all_reduce
    matrices = 8192 * (2 * 8192 + 2 * 1024) + 3 * 8192 * 28672
    held = 20 * (matrices // 8 + 2 * 8192) + (128256 * 8192 + 8192) // 8
    assert values["data_parallel.scale_out_bytes"] == 2 * 3 * held * 4 // 4
    assert values["data_parallel.time"] == pytest.approx(2 * 3 * held / 50e9)


def test_sequence_parallelism_moves_the_bytes_of_tensor_parallelism():
    """arXiv:2205.05198 §4.2.2: a ring all-reduce is a reduce-scatter and an all-gather.

    Its "extra all-gather" backward, of the input that is not kept, comes on top: 5 for 4.
    """
    for tp in (2, 4, 8, 16):
        plain = found(LLAMA, layout_of(tp=tp))
        lines = lines_of(LLAMA, layout_of(tp=tp, sequence_parallel=True))
        split = {line.name.removeprefix("traffic.collectives."): line for line in lines}
        both = split["tensor_parallel.scale_up_bytes"].value
        both += split["tensor_parallel.scale_out_bytes"].value
        again = sum(
            part.value / 3
            for link in ("up", "out")
            for part in split[f"tensor_parallel.scale_{link}_bytes"].parts
            if "all-gather" in part.name
        )
        assert both - again == pytest.approx(sent(plain, "tensor_parallel"))
        assert 4 * both == pytest.approx(5 * sent(plain, "tensor_parallel"))


@pytest.mark.parametrize("algorithm", ["ring", "hierarchical"])
def test_zero_stages_move_what_the_paper_says(algorithm):
    """arXiv:1910.02054 §7: 2 Psi with stages 0 to 2, 3 Psi with stage 3, one micro-batch."""
    stages = [
        found(
            LLAMA, layout_of(dp=64, zero=zero),
            micro_batches=1, gradient_bits=16, algorithm=algorithm,
        )
        for zero in range(4)
    ]  # fmt: skip
    volumes = [sent(values, "data_parallel") for values in stages]
    assert volumes[1] == volumes[2] == pytest.approx(volumes[0])
    assert 2 * volumes[3] == pytest.approx(3 * volumes[0])
    psi = parameter_lines(LLAMA, PARAMETER_VARIANTS["trainable"][0], "trainable").total.value * 2
    if algorithm == "ring":
        assert volumes[0] == pytest.approx(2 * psi * 63 / 64)


def test_gradients_of_zero_2_and_3_are_reduced_for_every_micro_batch():
    one, many = (
        [found(LLAMA, layout_of(dp=16, zero=zero), micro_batches=n) for zero in range(4)]
        for n in (1, 10)
    )
    assert sent(one[0], "data_parallel") == sent(many[0], "data_parallel")
    assert sent(one[1], "data_parallel") == sent(many[1], "data_parallel")
    assert sent(many[3], "data_parallel") == 10 * sent(one[3], "data_parallel")
    once = found(LLAMA, layout_of(dp=16, zero=2), micro_batches=10, gradient_reduction="step")
    assert sent(once, "data_parallel") == sent(many[1], "data_parallel")
    assert sent(many[2], "data_parallel") > sent(once, "data_parallel")


def test_trained_elements_are_those_of_the_parameter_count():
    for model in MODELS:
        views = architecture_of(model).groups
        one_layer = layer_elements("test", model, views)
        layers = {
            place: sum(
                view.layers.value * line.value
                for view, line in zip(views, one_layer[place], strict=True)
            )
            for place in PLACES
        }
        total = parameter_lines(model, PARAMETER_VARIANTS["trainable"][0], "trainable").total.value
        outer = model.vocab_size * model.hidden_size * (1 if model.tie_word_embeddings else 2)
        norm = model.hidden_size * (2 if model.norm_bias else 1)
        assert sum(layers.values()) + outer + norm == total


def test_deepseek_v3_experts_are_reduced_over_their_own_replicas():
    layout = layout_of(pp=16, dp=128, ep=64)
    lines = {line.name: line for line in lines_of(V3, layout)}
    parts = {
        part.name.split(".")[3]: part
        for part in lines["traffic.collectives.data_parallel.scale_out_bytes"].parts
    }
    experts = 58 * 256 * 3 * 7168 * 2048 // (16 * 64)
    assert parts["experts"].value == 2 * 1 * experts * 4 // 2  # a ring of two nodes
    expected = 2 * 127 / 128 / 8
    dense = 61 * 187_107_328 + 61 * 2 * 7168 + 3 * 3 * 7168 * 18432
    dense += 58 * (3 * 7168 * 2048 + 256 * 7168)
    held = dense / 16 + 129280 * 7168 + 7168
    assert parts["dense"].value == pytest.approx(expected * 4 * held)


def test_dualpipe_reduces_across_mirrored_pairs():
    plain = layout_of(pp=16, dp=128, ep=64)
    mirrored = msgspec.structs.replace(plain, schedule="dualpipe")
    one, two = found(V3, plain), found(V3, mirrored)
    assert sent(one, "pipeline") == sent(two, "pipeline")
    assert 1.9 < sent(two, "data_parallel") / sent(one, "data_parallel") < 3.1
    names = [line.name for top in lines_of(V3, mirrored) for line in top.walk()]
    assert "dualpipe.copies" in names
    assert "stages_per_gpu" in names


def test_latent_and_expanded_context_are_71_times_apart():
    for method in ("ring", "all-gather"):
        layout = layout_of(cp=8, context_parallel_method=method)
        latent = sent(found(V3, layout), "context_parallel")
        expanded = sent(found(V3, layout, mla_context="expanded"), "context_parallel")
        assert expanded / latent == pytest.approx(128 * (192 + 128) / 576)
        assert latent == 61 * 8 * 3 * 7 * (4096 // 8) * 576 * 2


def test_context_parallelism_of_grouped_queries():
    ring = found(LLAMA, layout_of(cp=4, tp=2))
    keys = 2 * (8 // 2) * 128
    assert sent(ring, "context_parallel") == 80 * 8 * 3 * 3 * 1024 * keys * 2
    exchanged = found(LLAMA, layout_of(cp=4, tp=2, context_parallel_method="all-to-all"))
    both = 2 * (64 // 2) * 128 + keys
    assert sent(exchanged, "context_parallel") == 80 * 8 * 2 * 1024 * both * 2 * 3 // 4
    # 8 heads over tp 2 x cp 8: each of the 4 of a rank is repeated once
    wide = layout_of(cp=8, tp=2, context_parallel_method="all-to-all")
    both = 2 * (64 // 2) * 128 + 2 * 8 * 128
    expected = 80 * 8 * 2 * 512 * both * 2 * 7 // 8
    assert sent(found(LLAMA, wide), "context_parallel") == expected


def test_expert_tensor_parallelism_by_hand():
    layout = layout_of(tp=4, dp=2, ep=4, etp=2, sequence_parallel=True)
    values = found(V3, layout)
    tokens = 4096 // 4
    gathered = tokens * 8 * 2 * 7168 * 2
    assert sent(values, "expert_tensor_parallel") == 58 * 8 * 4 * gathered // 2
    assert sent(found(LLAMA, layout_of(tp=4)), "expert_tensor_parallel") == 0


def test_layers_of_experts_have_a_second_block_where_a_shared_expert_is_local():
    shared = layout_of(tp=4, dp=2, sequence_parallel=True)
    routed = msgspec.structs.replace(shared, shared_experts="routed")
    one, two = (sent(found(V3, each), "tensor_parallel") for each in (routed, shared))
    assert one * (61 + 61) == two * (61 + 3)


@pytest.mark.parametrize("sequence_parallel", [False, True])
def test_a_replicated_dense_feed_forward_is_no_block(sequence_parallel):
    """1-way TP for dense layers: attention alone is reduced over tp, and DeepSeek-V3's 58 MoEs."""
    local = layout_of(tp=4, dp=2, sequence_parallel=sequence_parallel)
    whole = msgspec.structs.replace(local, dense_feed_forward="replicated")
    one, two = (sent(found(LLAMA, each), "tensor_parallel") for each in (whole, local))
    assert 2 * one == two
    one, two = (sent(found(V3, each), "tensor_parallel") for each in (whole, local))
    assert one * (61 + 61) == two * (61 + 58)


@pytest.mark.parametrize(
    ("field", "model", "elements"),
    [
        ("dense_feed_forward", LLAMA, 80 * 3 * 8192 * 28672),
        ("shared_experts", V3, 58 * 3 * 7168 * 2048),
    ],
)
def test_gradients_of_what_is_replicated_are_those_of_whole_matrices(field, model, elements):
    """Over 2 replicas as well as, with sequence parallelism, over the 4 GPUs that hold them."""
    local = layout_of(tp=4, dp=2, sequence_parallel=True)
    whole = msgspec.structs.replace(local, **{field: "replicated"})
    more, less = (sent(found(model, each), "data_parallel") for each in (whole, local))
    # FP32: an all-reduce over dp of 3/4 of the elements, and one over tp of all of them
    over_dp = 2 * (elements * 3 // 4) * 4 // 2
    over_tp = 2 * elements * 4 * 3 // 4
    assert more - less == over_dp + over_tp


def test_pipeline_payload_is_divided_by_sequence_parallelism():
    plain = found(LLAMA, layout_of(tp=8, pp=4))
    split = found(LLAMA, layout_of(tp=8, pp=4, sequence_parallel=True))
    chunks = found(LLAMA, layout_of(tp=8, pp=4, virtual_pipeline=5, schedule="interleaved"))
    assert sent(plain, "pipeline") == 8 * sent(split, "pipeline")
    assert sent(chunks, "pipeline") == 5 * sent(plain, "pipeline")
    within = found(LLAMA, layout_of(tp=4, pp=4))  # two stages a node: half of the sends leave
    assert within["pipeline.scale_up_bytes"] == within["pipeline.scale_out_bytes"]


def test_mtp_modules_are_counted_where_asked():
    layout = layout_of(pp=2, dp=8)
    assert sent(found(V3, layout, mtp=True), "data_parallel") > sent(
        found(V3, layout), "data_parallel"
    )


def test_algorithms_side_by_side():
    """Hierarchical leaves a node with the least; a switch halves it; a ring has most messages."""
    by = {name: found(LLAMA, layout_of(dp=64), algorithm=name) for name in ALGORITHMS}
    out = {name: values["data_parallel.scale_out_bytes"] for name, values in by.items()}
    messages = {name: values["data_parallel.messages"] for name, values in by.items()}
    assert out["switch-reduced"] < out["hierarchical"] < out["ring"] < out["tree"]
    assert messages["switch-reduced"] < messages["tree"] < messages["hierarchical"]
    assert messages["hierarchical"] < messages["ring"] == 2 * 63


def test_time_has_latency_where_it_is_given_and_the_bandwidth_asked_for():
    layout = layout_of(dp=64)
    latencies = {"scale_up": 3.33e-6, "scale_out": 3.7e-6}
    plain = found(LLAMA, layout)["data_parallel.time"]
    slow = found(LLAMA, layout, latencies=latencies)["data_parallel.time"]
    assert slow - plain == pytest.approx(126 * 3.7e-6)
    achieved = found(LLAMA, layout, bandwidth="achieved")["data_parallel.time"]
    assert achieved == pytest.approx(plain * 50 / 40)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_arrays_give_what_integers_give(algorithm):
    drawn = [
        layout_of(tp=tp, pp=pp, dp=dp, cp=cp, sequence_parallel=True, zero=1)
        for tp in (1, 2, 8) for pp in (1, 2, 4) for dp in (1, 4, 16) for cp in (1, 2)
        if tp * pp * dp * cp >= 8
    ]  # fmt: skip
    arrays = {
        name: np.array([float(getattr(each, name)) for each in drawn])
        for name in ("tp", "pp", "dp", "cp")
    }
    together = found(V3, msgspec.structs.replace(drawn[0], **arrays), algorithm=algorithm)
    for row, layout in enumerate(drawn):
        alone = found(V3, layout, algorithm=algorithm)
        for name, values in together.items():
            value = np.broadcast_to(values, len(drawn))[row]
            assert value == pytest.approx(alone[name], rel=1e-12), (layout, name)


def test_symbols_give_what_integers_give():
    tp, dp, pp = sympy.symbols("tp dp pp", integer=True, positive=True)
    base = layout_of(tp=8, dp=4, pp=4, sequence_parallel=True, zero=1)
    symbolic = msgspec.structs.replace(base, tp=tp, dp=dp, pp=pp)
    for algorithm in ("ring", "tree"):
        closed = found(LLAMA, symbolic, algorithm=algorithm)
        for degrees in ({"tp": 8, "dp": 4, "pp": 4}, {"tp": 2, "dp": 16, "pp": 1}):
            layout = msgspec.structs.replace(base, **degrees)
            values = {symbol: sympy.Integer(degrees[symbol.name]) for symbol in (tp, dp, pp)}
            exact = found(LLAMA, layout, algorithm=algorithm)
            for name, form in closed.items():
                value = sympy.sympify(form).xreplace(values).doit()
                assert float(value) == pytest.approx(exact[name], rel=1e-12), (name, algorithm)


@pytest.mark.parametrize("nodes", range(1, 70))
def test_levels_of_a_tree(nodes):
    depth = 0
    while 2**depth < nodes:
        depth += 1
    assert tree_levels(nodes) == depth + 1
    assert tree_levels(np.array([float(nodes)]))[0] == depth + 1
    assert tree_levels(sympy.Integer(nodes)) == depth + 1


def test_bandwidths_of_one_collective():
    span = placement_of("test", layout_of(dp=8), "dp", given("node", 8, "1"))
    payload = given("payload", 8_000_000, "B")
    rates = rates_of("test", "all-reduce", payload, span, "ring", Links(H800, "nominal"))
    assert rates.bus_bandwidth.value == pytest.approx(200e9)
    assert rates.algorithm_bandwidth.value == pytest.approx(200e9 * 8 / 14)
    assert rates.time.value == pytest.approx(14e6 / 200e9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algorithm": "butterfly"}, "unknown collective algorithm 'butterfly'"),
        ({"mla_context": "naive"}, "unknown mla_context 'naive'"),
        ({"gradient_reduction": "never"}, "unknown gradient_reduction 'never'"),
        ({"bandwidth": "peak"}, "unknown bandwidth 'peak'"),
    ],
)
def test_unknown_names_are_refused(options, message):
    with pytest.raises(UsageError, match=message) as caught:
        found(V3, layout_of(dp=2), **options)
    assert caught.value.hint


def test_what_cannot_be_answered_is_refused():
    island = msgspec.structs.replace(H800, scale_out=None)
    assert sent(found(LLAMA, layout_of(dp=8), hardware=island), "data_parallel")
    with pytest.raises(UsageError, match="has no scale_out"):
        found(LLAMA, layout_of(dp=16), hardware=island)
    unmeasured = msgspec.structs.replace(
        H800, scale_up=msgspec.structs.replace(H800.scale_up, achieved=None)
    )
    with pytest.raises(UsageError, match="no achieved bandwidth"):
        found(LLAMA, layout_of(dp=8), hardware=unmeasured, bandwidth="achieved")


def test_assumptions_are_told():
    layout = layout_of(tp=2, pp=16, dp=64, ep=64, schedule="dualpipe")
    h800 = collective_assumptions(V3, layout, H800)
    assert not any("64 GPUs of each" in each for each in h800)
    assert any("mirrored" in each for each in h800)
    assert any("MLA" in each for each in h800)
    wide = collective_assumptions(LLAMA, layout, dsv3calc.load_hardware("gb200-nvl72"))
    assert "64 GPUs of each scale-up domain of 72 are used: groups fill them evenly" in wide
    assert len(collective_assumptions(LLAMA, layout_of(dp=2), H800)) == 2
    mean = "collectives inside layers: mean over the stages"
    assert mean in h800
    assert mean not in collective_assumptions(LLAMA, layout_of(dp=2), H800)


def named_lines(model, layout, **options):
    lines = lines_of(model, layout, **options)
    return {line.name.removeprefix("traffic.collectives."): line for line in lines}


def test_achieved_times_stand_beside_nominal_ones():
    values = found(LLAMA, layout_of(dp=64))
    slow = found(LLAMA, layout_of(dp=64), bandwidth="achieved")
    for kind in KINDS:
        assert values[f"{kind}.achieved.time"] == slow[f"{kind}.time"]
    unmeasured = msgspec.structs.replace(
        H800, scale_up=msgspec.structs.replace(H800.scale_up, achieved=None)
    )
    assert "pipeline.achieved.time" not in found(LLAMA, layout_of(dp=64), hardware=unmeasured)
    outside = msgspec.structs.replace(
        H800, scale_out=msgspec.structs.replace(H800.scale_out, achieved=None)
    )
    name = "data_parallel.achieved.time"
    assert name not in found(LLAMA, layout_of(dp=64), hardware=outside)
    one_domain = layout_of(dp=8)
    assert found(LLAMA, one_domain, hardware=outside)[name] == found(LLAMA, one_domain)[name]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=range(len(LAYOUTS)))
def test_what_a_benchmark_would_print_of_each_collective(layout, algorithm):
    """nccl-tests: time times algorithm bandwidth is the payload; bus over it is 2 (n - 1) / n."""
    for model in MODELS:
        lines = named_lines(model, layout, algorithm=algorithm, rates=True)
        calls = [name.removesuffix(".payload_bytes") for name in lines if "payload_bytes" in name]
        assert calls
        for name in calls:
            payload = lines[f"{name}.payload_bytes"].value
            for kind in ("call", "call.achieved"):
                rate = lines[f"{name}.{kind}.algorithm_bandwidth"]
                time = dict(zip(rate.formula.parameters, rate.arguments, strict=True))["seconds"][1]
                bus = lines[f"{name}.{kind}.bus_bandwidth"]
                assert time.value * rate.value == pytest.approx(payload)
                ranks = {each: line.value for each, line, _ in bus.arguments[:2]}["ranks"]
                factor = (2 if name.endswith("all-reduce") else 1) * (ranks - 1) / ranks
                assert bus.value == pytest.approx(rate.value * factor)
                assert all(line.evaluate() == line.value for line in bus.walk())


def test_calls_of_a_step_make_up_its_time():
    """Where a kind is one collective, its time in a step is that of a call times the calls."""
    lines = named_lines(LLAMA, layout_of(tp=8, pp=4, dp=4), rates=True)
    rate = lines["tensor_parallel.all-reduce.call.algorithm_bandwidth"].value
    call = lines["tensor_parallel.all-reduce.payload_bytes"].value / rate
    calls = lines["tensor_parallel.all-reduce.calls_per_gpu"].value
    assert calls == 20 * 2 * 2 * 8
    assert lines["tensor_parallel.time"].value == pytest.approx(calls * call)


GEMMA = dsv3calc.load_model("gemma-3-27b")


@pytest.mark.parametrize("schedule", ["1f1b", "dualpipe", "zbv", "dualpipev"])
def test_a_tied_embedding_is_summed_over_both_ends_of_a_pipeline(schedule):
    """Its gradients, once, unless one rank has both ends."""
    ends = named_lines(GEMMA, layout_of(tp=2, pp=4, schedule=schedule), rates=True)
    payload = ends.get("data_parallel.tied_embedding.all-reduce.payload_bytes")
    if schedule == "1f1b":
        assert payload.value == GEMMA.vocab_size * GEMMA.hidden_size * 4 // 2
        # an all-reduce of two: each sends the payload once
        sent_out = ends["data_parallel.scale_up_bytes"].value
        assert sent_out == payload.value
    else:
        assert payload is None
    alone = named_lines(GEMMA, layout_of(tp=2), rates=True)
    assert "data_parallel.tied_embedding.all-reduce.payload_bytes" not in alone
    assert sent({name: line.value for name, line in alone.items()}, "data_parallel") == 0
    untied = named_lines(LLAMA, layout_of(pp=4), rates=True)
    assert "data_parallel.tied_embedding.all-reduce.payload_bytes" not in untied


def test_gradients_of_replicated_tensors_are_summed_with_sequence_parallelism():
    """Norms of a dense model by hand; MLA's down-projections and routers beside them in V3."""
    plain = found(LLAMA, layout_of(tp=8, pp=4))
    lines = named_lines(LLAMA, layout_of(tp=8, pp=4, sequence_parallel=True), rates=True)
    norms = (20 * 2 + 1) * 8192 * 4
    assert lines["data_parallel.replicated.all-reduce.payload_bytes"].value == norms
    assert lines["data_parallel.scale_up_bytes"].value == norms * 2 * 7 // 8
    assert plain["data_parallel.scale_up_bytes"] == 0
    v3 = named_lines(V3, layout_of(tp=8, dp=8, sequence_parallel=True), rates=True)
    held = 61 * (7168 * (1536 + 512 + 64) + 1536 + 512 + 2 * 7168) + 58 * 256 * 7168 + 7168
    assert v3["data_parallel.replicated.all-reduce.payload_bytes"].value == 4 * held


@pytest.mark.parametrize("schedule", ["zbv", "dualpipev"])
def test_a_v_has_embedding_and_head_on_one_rank(schedule):
    """arXiv:2401.10241, ZB-V: a micro-batch begins and ends on the first rank."""
    straight, bent = (
        found(LLAMA, layout_of(tp=8, pp=4, dp=4, schedule=each)) for each in ("1f1b", schedule)
    )
    embedding = 128256 * 8192 // 8 * 4
    more = bent["data_parallel.scale_out_bytes"] - straight["data_parallel.scale_out_bytes"]
    assert more == 2 * 3 * embedding // 4
    calls = [values["vocabulary_layers.scale_up_bytes"] for values in (straight, bent)]
    assert calls[1] == 2 * calls[0]  # the embedding's all-reduce beside the head's
