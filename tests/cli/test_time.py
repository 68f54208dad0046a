"""``time`` on the command line: the answer first, its tables, its pictures, wrong questions."""

import re
import xml.etree.ElementTree as ET

import pytest

import dsv3calc
from dsv3calc.exit_status import ExitStatus

V3 = ("time", "deepseek-v3", "--hardware", "h800")
HEAVY = ("numpy", "sympy")


def test_the_three_times_in_order(program):
    found = program.json(*V3, "--dp", "128", "--ep", "128", "--batch", "128", "--setup", "sglang")
    values = found.values
    assert 0 < values["time.bound"] < values["time.floor"] < values["time.estimate"]
    assert values["time.p10"] < values["time.estimate"] < values["time.p90"]
    assert values["time.tokens_per_second.floor"] == pytest.approx(128 / values["time.floor"])
    sent = values["time.communication.floor"]
    assert values["time.floor"] == max(values["time.kernels.floor"], sent)
    assert sent == values["time.communication.ep"]


def test_without_a_set_up_there_is_no_estimate(program):
    found = program.json(*V3)
    assert "time.estimate" not in found.values
    assert any("--setup" in note for note in found.data["notes"])


def test_the_decode_profile_of_deepseek_lies_between_overlap_and_none():
    """profile-data: 55.1 ms a step, 128 tokens on each of 128 GPUs; two batches are overlapped."""
    asked = "time deepseek-v3 --hardware h800 --dp 128 --ep 128 --batch 128 --context 4096"
    found = dsv3calc.query(asked)
    kernels, sent = found["time.kernels.floor"], found["time.communication.floor"]
    assert max(kernels, sent) < 55.1e-3 < 1.2 * (kernels + sent)


def test_heading_summary_and_operators(program):
    text = program.ok(*V3, "--batch", "32").out
    assert text.startswith("DeepSeek-V3: decode on h800, one GPU\n")
    assert "batch 32, 1 new token each, 4,096 cached" in text
    for words in (
        "the pass",
        "qkv_a_proj",
        "32 × 2,112 × 7,168",
        "groups.1, 58 layers",
        "100.00 %",
    ):
        assert words in text
    shares = [float(each) for each in re.findall(r"(?m)([\d.]+) %$", text)]
    assert shares[-1] == 100


@pytest.mark.parametrize(
    ("by", "words"), [("layer", "floor of one layer"), ("component", "router")]
)
def test_other_tables(program, by, words):
    text = program.ok(*V3, "--by", by).out
    assert words in text
    assert "qkv_a_proj" not in text


def test_the_layout_says_the_phase(program):
    asked = ("--layout", "v3-pretrain", "--phase", "train")
    assert program.json(*V3, *asked).data["query"]["phase"] == "train"
    serving = program.json(*V3, "--layout", "v3-decode-ep320").data["query"]
    assert serving["phase"] == "decode"


def test_weight_only_on_a_device_without_units(program):
    found = program.json("time", "deepseek-v3", "--hardware", "a100-80g")
    assert any("weight-only" in text for text in found.data["warnings"])
    fast = program.json("time", "deepseek-v3", "--hardware", "a100-80g", "--precision", "bf16")
    assert found.values["time.kernels.moved"] < 0.6 * fast.values["time.kernels.moved"]
    assert found.values["time.compute_time"] == fast.values["time.compute_time"]


@pytest.mark.parametrize(
    "words",
    [
        "memory deepseek-v3 --layout v3-pretrain --hardware",
        "memory deepseek-v3 --serve --tp 8 --dp 2 --ep 16 --hardware",
        "train deepseek-v3 --layout v3-pretrain --hardware",
        "which --model llama-3.1-8b --precision fp8 --hardware",
    ],
)
def test_every_command_tells_weights_that_a_device_widens(program, words):
    for device, told in (("a100-80g", True), ("h100", False)):
        data = program.json(*words.split(), device).data
        texts = [text for text in data["warnings"] + data["notes"] if "weight-only" in text]
        assert bool(texts) == told
        assert all(device in text and "bf16" in text for text in texts)


def test_values_of_other_devices_are_told(program):
    own = program.json("time", "llama-3.1-8b", "--hardware", "h100").data["assumptions"]
    other = program.json("time", "llama-3.1-8b", "--hardware", "mi300x").data["assumptions"]
    assert not any("measured rates of" in text for text in own)
    assert any("on held-out devices" in text for text in other)


def test_outside_of_the_measured_range(program):
    found = program.json(*V3, "--context", "150000").data["warnings"]
    assert any("context is 150,001" in text and "extrapolated" in text for text in found)
    assert not any("extrapolated" in text for text in program.json(*V3).data["warnings"])


def test_a_longer_context_moves_the_core_alone(program):
    short, long = (program.json(*V3, "--context", each).values for each in ("1000", "100000"))
    name = "time.groups.1.core.floor"
    assert long[name] > 2 * short[name]
    assert long["time.groups.1.o_proj.floor"] == short["time.groups.1.o_proj.floor"]


def test_the_busiest_gpu_is_waited_for(program):
    layout = ("--dp", "32", "--ep", "32", "--batch", "64")
    even, hot = (program.json(*V3, *layout, "--imbalance", each).values for each in ("1", "2"))
    name = "time.groups.1.experts"
    assert hot[f"{name}.rows"] == 2 * even[f"{name}.rows"]
    assert hot[f"{name}.floor"] > even[f"{name}.floor"]
    assert hot["time.communication.ep"] > even["time.communication.ep"]


def test_scans_are_assumed(program):
    found = program.json("time", "qwen3-next-80b-a3b", "--hardware", "h100")
    assert any("scans and convolutions" in text for text in found.data["assumptions"])
    assert found.values["time.components.mixer_core.bound"] > 0


# pictures


def test_a_roofline_as_svg(program):
    text = program.ok(*V3, "--batch", "64", "--format", "svg").out
    root = ET.fromstring(text)  # noqa: S314 - our own output
    words = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "intensity [FLOP/B]" in words
    assert {"core", "experts", "o_proj", "FP8 peak and memory"} <= set(words)


def test_a_roofline_as_a_page(program):
    text = program.ok(*V3, "--batch", "64", "--format", "html").out
    assert text.startswith("<!DOCTYPE html>")
    assert ">intensity [FLOP/B]</text>" in text


def test_a_roofline_in_characters(program):
    text = program.ok(*V3, "--plot").out
    assert "intensity [FLOP/B]" in text
    assert re.search(r"(?m)^  [a-z] .*experts", text)
    picture = text[text.index("rate of a kernel") :]
    assert max(map(len, picture.splitlines())) < 130


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kv", "deepseek-v3", "--plot"), "train and serve have one"),
        (("kv", "deepseek-v3", "--format", "svg"), "serve and sweep have one"),
        ((*V3, "--plot", "--json"), "--format svg"),
    ],
)
def test_no_picture(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, *arguments).err


# wrong questions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--phase", "trian"], "did you mean 'train'"),
        (["--phase", "train", "--context", "1"], "training has no cache"),
        (["--phase", "train", "--last-logit"], "every position"),
        (["--by", "operators"], "did you mean 'operator'"),
        (["--setup", "pytorch"], "states no times"),
        (["--setup", "megatron"], "megatron-dense"),
        (["--hardware", "mi300x", "--phase", "train", "--setup", "megatron-dense"], "no family"),
        (["--tp", "3"], "do not divide"),
        (["--imbalance", "0.5"], "--imbalance"),
        (["--oversubscription", "0"], "--oversubscription"),
        (["--precision", "fp7"], "fp7"),
        (["--batch", "0"], "--batch"),
        (["--seq", "1e16"], "10^15"),
        (["--kv-dtype", "fp8-mla", "--mla", "naive"], "latent"),
    ],
)
def test_wrong_options(program, options, words):
    first = ("time", "deepseek-v3") if "--hardware" in options else V3
    assert words in program.refused(ExitStatus.USAGE, *first, *options).err


def test_a_device_is_needed(program):
    assert "hardware" in program.refused(ExitStatus.USAGE, "time", "deepseek-v3").err


def test_a_precision_that_a_device_cannot_run(program, tmp_path):
    path = tmp_path / "only-fp4.yaml"
    text = program.ok("presets", "show", "bf16", "--kind", "precision").out
    path.write_text(text.replace("[bf16]", "[fp4]").replace("name: bf16", "name: only-fp4"))
    refused = program("time", "llama-3.1-8b", "--hardware", "h100", "--precision", str(path))
    assert refused.status == ExitStatus.USAGE
    assert "no peak for fp4" in refused.err


# what a reader must know


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        (("deepseek-v3", "--hardware", "h800"), False),
        (("deepseek-v3", "--hardware", "h800", "--dp", "128", "--ep", "128"), True),
        (("llama-3.1-8b", "--hardware", "h100", "--batch", "128"), False),
        (("llama-3.1-8b", "--hardware", "h100"), True),
        (("llama-3.1-8b", "--hardware", "h100", "--phase", "train"), False),
    ],
)
def test_that_a_model_does_not_fit_is_told(program, options, fits):
    told = [each for each in program.json("time", *options).data["warnings"] if "not fit" in each]
    assert (told == []) == fits


def test_dense_peaks_are_named(program):
    out = program.ok("time", "deepseek-v3", "--hardware", "h800").out
    assert "dense peaks: FP8 1.979 PFLOP/s, BF16 989.4 TFLOP/s, memory 3.35 TB/s" in out


@pytest.mark.parametrize(
    ("phase", "setup", "words"),
    [
        ("decode", "megatron-dense", "set-ups for serving: sglang, trtllm, vllm"),
        ("prefill", "megatron-moe-hgx", "is for training, and this is serving"),
        ("train", "vllm", "is for serving, and this is training"),
    ],
)
def test_set_ups_of_another_phase_are_refused(program, phase, setup, words):
    run = program.refused(
        ExitStatus.USAGE, "time", "llama-3.1-8b", "--hardware", "h100", "--phase", phase,
        "--setup", setup,
    )  # fmt: skip
    assert words in run.err


def test_an_estimate_below_the_floor_is_explained(program):
    found = program.json("time", "llama-3.1-8b", "--hardware", "h100", "--setup", "vllm")
    assert found.values["time.estimate"] < found.values["time.floor"]
    assert any("the estimate is below the floor" in note for note in found.data["notes"])


def test_no_pass_is_shorter_than_its_launch(program):
    found = program.json("time", "deepseek-v3", "--hardware", "h800")
    for norm in ("q_a_layernorm", "kv_a_layernorm", "attention_norm"):
        assert found.values[f"time.groups.1.{norm}.floor"] > 2e-6


def test_traffic_and_compare_have_the_lines_of_time(program):
    """Exchanges of a pass and whole passes by other commands, and their bounds by other names."""
    asked = ("deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800")
    time = program.json("time", *asked, "--phase", "train").values
    traffic = program.json("traffic", *asked).values
    shared = [name for name in traffic if name.startswith("time.")]
    assert {f"time.communication.{name}" for name in ("bound", "floor", "ep")} <= set(shared)
    assert {name: traffic[name] for name in shared} == {name: time[name] for name in shared}
    passes = 2 * 58  # forward and backward in each layer with experts
    bound = passes * traffic["traffic.time_per_layer"]
    assert time["time.communication.bound"] == pytest.approx(bound, rel=1e-12)
    compared = program.json("compare", *asked, "--rows", "time").values
    for name in ("time.bound", "time.floor", "time.kernels.floor"):
        assert compared[name] == time[name]
    one = ("deepseek-v3", "--hardware", "h100")
    roofline = program.json("compare", *one).values
    for phase, tokens in (("decode", 1), ("prefill", 4096)):
        alone = program.json("time", *one, "--phase", phase).values
        for old, new in (("time", "bound"), ("compute_time",) * 2, ("memory_time",) * 2):
            expected = pytest.approx(alone[f"time.{new}"], rel=1e-14)
            assert tokens * roofline[f"roofline.{phase}.{old}"] == expected
