"""The peak of a rank by its instants: loss, gathered tensors, gradient buffers, totals, by hand."""

import importlib.util
from math import prod
from pathlib import Path

import msgspec
import pytest
from drawn import examples
from footprints import NO_OVERHEADS, footprint_of, gpt, layout_of, preset, rank_of, ranks_of
from hypothesis import given
from hypothesis import strategies as st

import dsv3calc
from dsv3calc.accounting.memory.loss import LOSSES
from dsv3calc.formulas import loss as formulas

MIB, GIB = 2**20, 2**30
LLAMA = "memory llama-3.1-405b --hardware h100 --tp 8 --pp 16 --dp 1 --seq 8192 --layer-split even"
SIZES = st.integers(0, 50)


def software(**fields):
    return msgspec.structs.replace(NO_OVERHEADS, **fields)


def buffers_of(found):
    parts = found.lines["buffers"].parts
    return {line.tags.quantity: line.value for line in parts if line.tags.quantity}


def test_what_sequence_parallelism_gathers_is_256_mib_for_each_tensor():
    """8,192 tokens of 16,384 channels in BF16; without it, both are among what is whole anyway."""
    tokens, hidden = 8192, 16_384
    divided, whole = (
        dsv3calc.query(f"{LLAMA} {option}").values for option in ("--sequence-parallel", "")
    )
    assert divided["memory.buffers.groups.0.gathered"] == 2 * 256 * MIB == 2 * 2 * tokens * hidden
    assert divided["memory.buffers.groups.0.gathered.o_proj"] == 256 * MIB
    at_work = [each["memory.buffers.groups.0.at_work"] for each in (divided, whole)]
    assert at_work[0] >= at_work[1] == 756 * MIB
    assert "memory.buffers.groups.0.gathered" not in whole


def test_the_layer_at_work_is_above_what_lives_at_its_two_fullest_products():
    """405B, at the gate and up projections, and at the query projection: gradients that live."""
    found = dsv3calc.query(f"{LLAMA} --sequence-parallel").values
    tokens, hidden, inner = 8192, 16_384, 2 * 53_248
    block = 2 * tokens * hidden // 8
    gathered = 2 * 2 * tokens * hidden
    feed_forward = gathered + 2 * tokens * inner // 8 + block
    attention = gathered + 2 * tokens * (16_384 + 2 * 1024) // 8 + block
    assert found["memory.buffers.groups.0.at_work"] >= max(feed_forward, attention)


LOGITS = 4 * 4096 * 128_256  # FP32
PEAKS = {
    # forward and backward peak in FP32 tensors of logits, and what stays in between
    "fp32-logits": (1, 1, 1),
    "eager": (2.5, 3.5, 1.5),
    "vocab-parallel": (1.5, 1.5, 1),
    "compiled": (0.5, 1, 0.5),
    "fused": (0.5, 0.5, 0.5),
}


@pytest.mark.parametrize("kind", PEAKS)
def test_the_loss_in_tensors_of_logits(kind):
    forward, backward, kept = PEAKS[kind]
    known = LOSSES[kind]
    assert (known.forward / 32, known.backward / 32, known.kept / 32) == (forward, backward, kept)
    model = dsv3calc.load_model("llama-3.1-8b")
    one = buffers_of(rank_of(footprint_of(model, layout_of(), software=software(loss=kind)), 0))
    assert one["logits"] == max(forward, backward) * LOGITS
    layout = layout_of(schedule="gpipe")
    many = footprint_of(model, layout, micro_batches=4, software=software(loss=kind))
    assert buffers_of(rank_of(many, 0))["logits"] == (max(forward, backward) + 3 * kept) * LOGITS


@pytest.mark.parametrize("chunk", [512, 4096, 100_000])
def test_a_chunked_loss_has_the_logits_of_a_chunk(chunk):
    model = dsv3calc.load_model("llama-3.1-8b")
    found = footprint_of(
        model, layout_of(), software=software(loss="chunked", loss_chunk=chunk)
    ).buffers.head
    assert found.logits.value == 3.5 * 4 * min(chunk, 4096) * 128_256
    assert found.kept.value == 0
    divided = footprint_of(
        model, layout_of(cp=4, tp=2), software=software(loss="chunked", loss_chunk=chunk)
    ).buffers.head
    assert divided.logits.value == 3.5 * 4 * min(chunk, 1024) * 128_256 // 2


@examples(200)
@given(living=st.integers(0, 4), kept=SIZES, logits=SIZES, beyond=SIZES, layer=SIZES)
def test_the_parts_of_a_peak_add_up_to_the_larger_of_head_and_layer(
    living, kept, logits, beyond, layer
):
    """By brute force: either a layer runs, or loss and head of one micro-batch do."""
    head = logits + beyond
    instants = [max(living - 1, 0) * kept + layer]
    if living:
        instants.append((living - 1) * kept + head)
    assert formulas.working_bytes(living, kept, head, layer) == max(instants)
    assert max(instants) == (
        formulas.logits_at_peak(living, kept, head, layer, logits)
        + formulas.head_at_peak(living, head, layer, beyond)
        + formulas.layer_at_peak(living, head, layer, layer)
    )


SCHEDULES = [
    {"schedule": "1f1b"},
    {"schedule": "gpipe"},
    {"schedule": "interleaved", "virtual_pipeline": 2},
    {"schedule": "zb1p"},
    {"schedule": "zbv"},
    {"schedule": "dualpipe"},
    {"schedule": "dualpipev"},
]


@pytest.mark.parametrize("fields", SCHEDULES, ids=lambda fields: fields["schedule"])
@pytest.mark.parametrize("zero", [0, 2, 3])
def test_classes_of_the_peak_add_up_to_the_totals(fields, zero):
    model = gpt(1024, 8, 128, layers=8, vocabulary=50_000)
    taken = software(
        loss="eager", gradient_buffers="fused-accumulation", frees_gradients=True,
        whole_gradients=True, keeps_outputs=True, driver_context=7, communication=11, workspace=13,
        allowance=0.25, bucket=1000,
    )  # fmt: skip
    layout = layout_of(pp=4, tp=2, dp=2, zero=zero, sequence_parallel=True, **fields)
    for found in ranks_of(footprint_of(model, layout, micro_batches=8, software=taken)):
        lines = found.lines
        classes = ("weights", "gradients", "optimizer", "activations", "buffers")
        assert sum(lines[what].value for what in classes) == lines["total"].value
        allocated, reserved = found.held["allocated"].value, found.held["reserved"].value
        assert reserved == allocated * 1.25
        assert lines["total"].value == reserved + 7 + 11


def test_head_and_layer_do_not_coincide_but_under_schedules_that_overlap_passes():
    model = gpt(1024, 8, 128, layers=8, vocabulary=50_000)
    plain = buffers_of(ranks_of(footprint_of(model, layout_of(pp=2)))[1])
    assert plain["layer_at_work"] == 0 < plain["logits"]
    small = gpt(1024, 8, 128, layers=8, vocabulary=100)
    layer = buffers_of(ranks_of(footprint_of(small, layout_of(pp=2)))[1])
    assert layer["layer_at_work"] > 0 == layer["logits"] == layer["head_at_work"]
    both = layout_of(pp=2, schedule="dualpipe")
    found = buffers_of(ranks_of(footprint_of(model, both))[0])
    assert min(found["layer_at_work"], found["logits"], found["head_at_work"]) > 0


def test_buffers_of_fused_accumulation_are_one_for_each_shape():
    """Llama 3.1 8B on tp 2: queries, keys and values are one weight, gate and up projection too."""
    model = dsv3calc.load_model("llama-3.1-8b")
    taken = software(gradient_buffers="fused-accumulation")
    shapes = {(3072, 4096), (4096, 2048), (14_336, 4096), (4096, 7168), (64_128, 4096)}
    parts = buffers_of(rank_of(footprint_of(model, layout_of(tp=2), software=taken), 0))
    assert parts["gradient_buffers"] == 2 * sum(map(prod, shapes))


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize(("tp", "etp"), [(1, 1), (2, 2), (4, 1), (8, 4), (24, 1)])
def test_buffers_are_those_of_distinct_shapes_of_a_rank(tp, etp, stacked):
    """DeepSeek-V3: shapes of matrices as its release lists them, parts of them put into a set."""
    v3 = dsv3calc.load_model("deepseek-v3")
    form = "fused-accumulation-stacked" if stacked else "fused-accumulation"
    layout = layout_of(tp=tp, etp=etp, pp=2, ep=8, dp=8, layer_split=[4, 57])
    found = footprint_of(v3, layout, software=software(gradient_buffers=form))
    attention = {(1536, 7168), (24_576 / tp, 1536), (576, 7168)}
    attention |= {(32_768 / tp, 512), (7168, 16_384 / tp)}
    dense = {(36_864 / tp, 7168), (7168, 18_432 / tp)}
    shared = {(4096 / tp, 7168), (7168, 2048 / tp)}
    piled = (32,) if stacked else ()
    routed = {(*piled, 4096 / etp, 7168), (*piled, 7168, 2048 / etp)}
    first = attention | dense | shared | routed
    last = attention | shared | routed | {(129_280 / tp, 7168)}
    for rank, shapes in zip(ranks_of(found), (first, last), strict=True):
        assert buffers_of(rank)["gradient_buffers"] == pytest.approx(2 * sum(map(prod, shapes)))


def test_every_second_product_is_recomputed():
    """Llama 3.1 8B: q, v, gate and down projections stay, with attention and the input."""
    model = dsv3calc.load_model("llama-3.1-8b")
    found = footprint_of(model, layout_of(), recompute="alternate-products").kept[0].kept
    channels = 4096 + (4096 + 1024 + 14_336 + 4096) + 4096
    assert found.value == 4096 * (2 * channels + 4 * 32)
    every = footprint_of(model, layout_of(), recompute="products").kept[0].kept
    assert every.value - found.value == 4096 * 2 * (1024 + 4096 + 14_336)


def test_reduce_scatters_of_tensor_parallelism_are_saved_by_name():
    model = dsv3calc.load_model("llama-3.1-8b")
    policy = preset("recompute", "products")
    without = msgspec.structs.replace(policy, saved_operations=["products", "attention"])
    each = 2 * 2 * 4096 * 4096 // 4
    for tp, divided, saved in ((1, True, 0), (4, True, each), (4, False, 0)):
        layout = layout_of(tp=tp, sequence_parallel=divided)
        with_it, plain = (
            footprint_of(model, layout, recompute=each).kept[0].kept.value
            for each in (policy, without)
        )
        assert with_it - plain == saved


def test_gradients_that_are_freed_are_not_there_at_the_first_loss():
    """One micro-batch a step, and a head that takes more than a layer."""
    model = dsv3calc.load_model("llama-3.1-8b")
    taken = software(loss="eager", frees_gradients=True)
    layout = layout_of(dp=8, zero=3)
    for micro_batches, left in ((1, 0), (2, 1)):
        found = footprint_of(
            model, layout, micro_batches=micro_batches, software=taken, sequence=32_768
        )
        lines = rank_of(found, 0).lines
        assert lines["gradients"].value == left * 2 * lines["weights"].value


def test_gradients_are_whole_under_fsdp_with_a_pipeline():
    model = dsv3calc.load_model("llama-3.1-8b")
    taken = software(whole_gradients=True)
    for pp, whole in ((1, 0), (2, 1)):
        layout = layout_of(pp=pp, dp=8, zero=3)
        found = rank_of(footprint_of(model, layout, software=taken), 0)
        alone = rank_of(footprint_of(model, layout_of(pp=pp)), 0)
        expected = whole * (alone.lines["gradients"].value)
        norm = 0  # the first stage has no final norm
        assert buffers_of(found)["whole_gradients"] == expected - norm


@pytest.mark.parametrize(
    ("precision", "device", "copies"),
    [
        ("fp8-tensor", "h100", 2),
        ("fp8-tensor", "b200", 1),
        ("mxfp8", "b200", 2),
        ("bf16", "h100", 1),
    ],
)
def test_copies_of_weights_that_a_device_needs(precision, device, copies):
    ask = f"memory llama-3.1-8b --tp 1 --precision {precision} --hardware {device}"
    once, found = (
        dsv3calc.query(f"{ask} {option}").values["memory.layer.groups.0.weights"]
        for option in ("", "--setup megatron-dense")
    )
    norms = 2 * 2 * 4096
    assert found - norms == copies * (once - norms)


def test_a_copy_that_is_gathered_is_none_under_zero_3():
    ask = "memory llama-3.1-8b --dp 8 --hardware h100 --recipe fsdp-bf16"
    weights = {
        zero: dsv3calc.query(f"{ask} --zero {zero}").values["memory.worst.weights"]
        for zero in (1, 3)
    }
    assert weights == {1: 2 * 8_030_261_248, 3: 0}
    gathered = dsv3calc.query(f"{ask} --zero 3").values["memory.rank.0.gathered_weights"]
    assert gathered == 2 * (128_256 * 4096 + 218_112_000)


SCRIPT = Path(__file__).parents[3] / "benchmarks" / "memory_cases.py"


@pytest.mark.skipif(not SCRIPT.is_file(), reason="a checkout has benchmarks")
def test_measured_peaks_are_within_the_goals():
    spec = importlib.util.spec_from_file_location("memory_cases", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.measure(script.CASES)
    assert {name: each["met"] for name, each in found["sources"].items()} == {
        "simumax": True,
        "torchtitan": True,
    }
    assert {case["source"] for case in found["cases"] if case["apart"]} == {"mlperf", "mcore-moe"}
