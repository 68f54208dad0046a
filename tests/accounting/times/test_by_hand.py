"""Times of passes by hand-written sums, and of a product that was measured."""

import msgspec
import pytest
from passes import BLOCK, H800, fold_of, layout_of, lines_of, preset

BANDWIDTH, BF16, FP8 = 3.35e12, 989.4e12, 1978.9e12
HIDDEN, HEADS, LAYERS, DENSE = 7168, 128, 61, 3


def joined(name, entry, flops, peak, moved):
    """Join the two walls of a kernel and add its launch."""
    values = BLOCK[name][entry] if isinstance(entry, str) else entry
    computing = flops / (peak * values["compute_share"])
    moving = moved / (BANDWIDTH * values["bandwidth_share"])
    power = values["exponent"]
    return (computing**power + moving**power) ** (1 / power) + values["launch"]


def product_bf16(rows, columns, depth, groups=1):
    moved = 2 * groups * (rows * depth + columns * depth + rows * columns)
    return joined("gemm", "bf16", 2 * groups * rows * columns * depth, BF16, moved)


def blocks(columns, depth):
    """Count the bytes of the scales of blocks of 128 by 128."""
    return 4 * -(-columns // 128) * -(-depth // 128)


def product_fp8(rows, columns, depth, groups=1, scales=None):
    weights = columns * depth + (blocks(columns, depth) if scales is None else scales)
    moved = groups * (rows * depth + weights + 2 * rows * columns)
    cast = groups * rows * depth * 3 / (BANDWIDTH * 0.6)
    return joined("gemm", "fp8_block", 2 * groups * rows * columns * depth, FP8, moved) + cast


def passing(moved, launches):
    """Give the time of norms, residual sums, rotations and activation functions.

    Sums have no launch of their own.
    """
    return moved / (BANDWIDTH * 0.8) + launches * BLOCK["gemm"]["bf16"]["launch"]


def decode_of_v3(batch, past, gpus):
    """Sum up a decode step of DeepSeek-V3 on one of ``gpus``, each with all of attention."""
    keys = past + 1
    scores, values = 576, 512
    cache = batch * keys * 576 * 2
    outputs = batch * HEADS * (scores + values) * 2
    pairs = 2 * batch * HEADS * (scores + values) * keys
    attention = (
        product_fp8(batch, 1536 + 576, HIDDEN, scales=blocks(1536, HIDDEN) + blocks(576, HIDDEN))
        + product_fp8(batch, HEADS * 192, 1536)
        + product_fp8(batch, 128, 512, HEADS)
        + product_fp8(batch, 128, 512, HEADS)
        + product_fp8(batch, HIDDEN, HEADS * 128)
        + joined(
            "attention", BLOCK["attention"]["mla_decode"]["bf16"], pairs, BF16, cache + outputs
        )
    )
    elements = 2 * (2 + 3) * HIDDEN + 2 * (1536 + 512) + 2 * (HEADS * 192 + 64)
    norms = 2 * (2 * HIDDEN + 1536 + 512)
    around = passing(2 * batch * elements + norms, 5)
    width = 18432
    dense = (
        product_fp8(batch, 2 * width, HIDDEN)
        + passing(2 * batch * 3 * width, 1)
        + product_fp8(batch, HIDDEN, width)
    )
    tokens, width = batch * gpus, 2048
    rows = tokens * 8 / gpus
    hit = 256 / gpus * (1 - (1 - 8 / 256) ** tokens)
    one = 3 * HIDDEN * width + 2 * blocks(width, HIDDEN) + blocks(HIDDEN, width)
    experts = joined("experts", "fp8_block", 2 * rows * 3 * HIDDEN * width, FP8, hit * one)
    experts += rows * (10 * HIDDEN + 8 * width) / (BANDWIDTH * 0.3)
    router = 256 * HIDDEN * 2 + 256 * 4
    routing = joined(
        "gemm", "bf16", 2 * batch * 256 * HIDDEN, BF16, 2 * batch * (HIDDEN + 256) + router
    )
    shared = (
        product_fp8(batch, 2 * width, HIDDEN)
        + passing(2 * batch * 3 * width, 1)
        + product_fp8(batch, HIDDEN, width)
    )
    ends = passing(2 * batch * HIDDEN * 3, 1) + passing(2 * batch * HIDDEN * 2 + 2 * HIDDEN, 1)
    layers = LAYERS * (attention + around) + DENSE * dense
    layers += (LAYERS - DENSE) * (experts + routing + shared)
    return layers + product_bf16(batch, 129280, HIDDEN) + ends


@pytest.mark.parametrize(("batch", "past"), [(1, 4096), (32, 4096), (128, 8192)])
@pytest.mark.parametrize("gpus", [1, 128])
def test_a_decode_step_of_deepseek_v3(batch, past, gpus):
    layout = layout_of(dp=gpus, ep=gpus)
    found = lines_of("deepseek-v3", "decode", batch, past=past, layout=layout)
    assert found.kernels["floor"].value == pytest.approx(decode_of_v3(batch, past, gpus), rel=1e-9)


@pytest.mark.parametrize("sequence", [128, 8192])
def test_a_prefill_of_llama(sequence):
    """Llama 3.1 8B: 4096 wide, 32 layers, 32 heads on 8 of 128 channels, 14336 wide inside."""
    hidden, inner, cache = 4096, 14336, sequence * 2 * 8 * 128 * 2
    queries = sequence * 2 * hidden * 2
    flops = 4 * hidden * sequence * (sequence + 1) / 2
    core = flops / (BF16 * 0.6) * (1 + 1600 / sequence) + (queries + cache) / (BANDWIDTH * 0.7)
    layer = (
        product_bf16(sequence, hidden + 2 * 1024, hidden)
        + core + 12e-6
        + product_bf16(sequence, hidden, hidden)
        + product_bf16(sequence, 2 * inner, hidden)
        + product_bf16(sequence, hidden, inner)
        + passing(2 * sequence * (2 * 5 * hidden + 2 * 5120 + 3 * inner) + 4 * hidden, 4)
    )  # fmt: skip
    ends = passing(2 * sequence * hidden * 5 + 2 * hidden, 2)
    expected = 32 * layer + product_bf16(sequence, 128_256, hidden) + ends
    found = lines_of("llama-3.1-8b", "prefill", sequence=sequence)
    assert found.kernels["floor"].value == pytest.approx(expected, rel=1e-9)


def test_the_output_projection_of_the_published_trace():
    """deepseek-ai/profile-data: o_proj of 4,096 tokens takes 0.894 ms on 112 multiprocessors."""
    setup = preset("setup", "deepseek-dualpipe")
    layout = layout_of(dp=64, ep=64)
    fold = fold_of("deepseek-v3", "train", layout=layout, setup=setup)
    kernels = {each.kernel.name: each for each in fold.places[-1].kernels}
    forward = kernels["o_proj"].by_pass["forward"]
    cast = 4096 * 16384 * 3 / (0.866 * 3.35e12)  # a kernel of its own, which the trace lists apart
    assert forward["floor"].value - cast == pytest.approx(0.76e-3, rel=0.02)
    assert forward["estimate"].value - cast * 132 / 112 == pytest.approx(0.894e-3, rel=0.02)
    gradient = kernels["o_proj"].by_pass["weight_gradient"]
    assert 0.6 < forward["estimate"].value / gradient["estimate"].value < 0.8


def test_a_host_gap_is_waited_for_by_every_local_expert():
    """70 us for each of the 32 experts of a GPU, forward and twice backward."""
    h100 = msgspec.structs.replace(H800, name="h100")
    layout = layout_of(dp=8, ep=8)
    setup = preset("setup", "megatron-moe-hgx")
    without = msgspec.structs.replace(
        setup, time=msgspec.structs.replace(setup.time, host_gap=None)
    )
    times = [
        fold_of("deepseek-v3", "train", layout=layout, hardware=h100, setup=each).places[-1]
        for each in (setup, without)
    ]
    by_name = [
        {each.kernel.name: each.lines["estimate"].value for each in place.kernels}
        for place in times
    ]
    gaps = {name: value - by_name[1][name] for name, value in by_name[0].items()}
    assert gaps["experts"] == pytest.approx(3 * 32 * 70e-6)
    assert gaps["o_proj"] == pytest.approx(3 * 70e-6)
    assert gaps["core"] == pytest.approx(2 * 70e-6)
    assert gaps["attention_norm"] == pytest.approx(2 * 70e-6)


def test_fp8_with_one_scale_a_tensor_has_rates_of_its_own():
    """Scales of blocks of a row are another kernel than one scale of the whole matrix."""
    entries = {
        name: fold_of("llama-3.1-8b", "prefill", precision=name).rates.met
        for name in ("fp8-tensor", "fp8-deepseek-v3")
    }
    used = {
        name: {entry.path[-1] for place, (entry, _) in met.items() if "o_proj" in place}
        for name, met in entries.items()
    }
    assert used == {"fp8-tensor": {"fp8"}, "fp8-deepseek-v3": {"fp8_block"}}


def test_inputs_are_cast_once_and_transposed_for_the_gradient_of_weights():
    """A cast reads 2 bytes and writes 1; the other order that it writes adds 1."""
    fold = fold_of("llama-3.1-8b", "train", precision="fp8-tensor")
    kernels = {each.kernel.name: each for each in fold.places[-1].kernels}
    lines = kernels["down_proj"].by_pass
    rows, inner, hidden = 4096, 14336, 4096
    cast = {
        what: [
            part.value
            for part in lines[what]["floor"].walk_unseen(set())
            if part.name.endswith(end)
        ]
        for what, end in (
            ("forward", ".cast_bytes"), ("input_gradient", ".cast_bytes"),
            ("weight_gradient", ".transposed_bytes"),
        )
    }  # fmt: skip
    assert cast == {
        "forward": [3 * rows * inner],
        "input_gradient": [3 * rows * hidden],
        "weight_gradient": [rows * (inner + hidden)],
    }
