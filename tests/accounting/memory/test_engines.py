"""Memory of a server by the set-up of its engine: pools, passes, samplers, windows, kernels."""

import importlib.util
from pathlib import Path
from statistics import median

import pytest

import dsv3calc
from dsv3calc.errors import UsageError

GIB = 2**30
USABLE = 81089 * 2**20
BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "serving_capacity.py"


def lines(model="llama-3.1-8b", **given):
    return dsv3calc.memory(model, serve=True, **{"hardware": "h100", "tp": 2, **given}).values


# --- measured capacities


@pytest.fixture(scope="module")
def errors():
    """Relative errors of the benchmark's rows, by source and device."""
    if not BENCHMARK.is_file():
        pytest.skip("a checkout has benchmarks")
    spec = importlib.util.spec_from_file_location("serving_capacity", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    data = benchmark.read_source(str(benchmark.ROWS)).data
    found = {}
    for row in data["rows"]:
        values = benchmark.predicted(row, data["sources"][row["source"]])
        found.setdefault((row["source"], row["hardware"]), []).append(
            abs(benchmark.judged(row, values)[2])
        )
    return found


@pytest.mark.parametrize(
    ("source", "hardware", "rows", "outside"),
    [
        ("trtllm-1.0", "h100", 24, 1),
        ("trtllm-1.0", "gb300-nvl72", 48, 0),
        ("vllm-0.19", "h100", 12, 2),
        ("vllm-0.11", "h100", 5, 1),
    ],
)
def test_capacities_are_those_that_were_measured(errors, source, hardware, rows, outside):
    """To 2 % but for so many rows: whole sequences of few, pipelines, a pool of 3 GiB."""
    found = errors[source, hardware]
    assert len(found) == rows
    assert median(found) < 0.01
    assert sum(error > 0.02 for error in found) <= outside


def test_the_profiled_sampler_of_vllm():
    """Peaks of 2.21 and 1.89 GiB, whatever tp: vocabularies of 152,064 and 128,256."""
    for model, measured in (("qwen2.5-7b", 2.21), ("llama-3.1-8b", 1.89)):
        for tp in (1, 2, 4):
            found = lines(model, tp=tp, setup="vllm")
            peak = found["serving.rank.0.pass_or_logits"] + found["serving.workspace"]
            assert peak / GIB == pytest.approx(measured, abs=0.01)


def test_gpt_oss_does_not_start_on_one_h100_under_vllm_0_11():
    found = lines("gpt-oss-120b", tp=1, setup="vllm-0.11")
    assert found["serving.weights"] / GIB == pytest.approx(64.38, abs=0.01)
    assert found["serving.kv_pool"] == found["serving.fits"] == 0
    assert lines("gpt-oss-120b", tp=1)["serving.kv_pool"] > 9 * GIB


# --- rules of pools


def test_a_share_of_the_device_is_for_everything():
    found = lines(setup="vllm")
    whole = found["serving.weights"] + found["serving.buffers"] + found["serving.kv_pool"]
    assert whole == found["serving.budget"] == USABLE * 92 // 100


def test_a_share_of_what_is_free_is_for_the_cache():
    found = lines(setup="trtllm")
    left = USABLE - found["serving.weights"] - found["serving.buffers"]
    assert found["serving.kv_pool"] == left * 9 // 10
    assert found["serving.budget"] == USABLE


def test_a_static_share_is_for_weights_and_cache():
    found = lines(setup="sglang", memory_fraction=0.8)
    before = USABLE - found["serving.driver_context"] - found["serving.communication"]
    assert found["serving.weights"] + found["serving.kv_pool"] == before * 8 // 10


@pytest.mark.parametrize(
    ("hardware", "tp", "tokens"), [("h100", 1, 8192), ("h100", 8, 8192), ("b200", 1, 16384)]
)
def test_what_sglang_reserves(hardware, tp, tokens):
    found = lines(setup="sglang", hardware=hardware, tp=tp)
    before = found["serving.budget"] - found["serving.driver_context"]
    before -= found["serving.communication"]
    reserved = before - found["serving.weights"] - found["serving.kv_pool"]
    assert reserved == (1024 + 1.5 * tokens + 128 * tp) * 2**20


def test_a_cache_beyond_its_pool_does_not_fit_though_the_device_has_room():
    most = lines(setup="trtllm")["serving.max_sequences"]
    assert lines(setup="trtllm", batch=most)["serving.fits"] == 1
    more = lines(setup="trtllm", batch=most + 1)
    assert more["serving.free"] > 0
    assert more["serving.fits"] == 0


# --- passes


def test_the_larger_of_a_decode_and_a_prefill_pass_counts():
    prefill = lines(setup="trtllm")
    assert (
        prefill["serving.activations"]
        == lines(setup="trtllm", pass_tokens=8192)["serving.activations"]
    )
    decode = lines(setup="trtllm", batch=10_000)
    assert decode["serving.activations"] > prefill["serving.activations"]


def test_the_chunk_follows_the_device():
    words = "memory llama-3.1-8b --serve --tp 2 --setup vllm --hardware"
    tokens = [dsv3calc.answer(f"{words} {name}").query["tokens"] for name in ("h100", "l4")]
    assert tokens == [8192, 2048]


def test_an_instance_that_decodes_has_no_prefill_pass():
    words = "memory deepseek-v3 --layout day6-decode-ep144 --hardware h800 --setup sglang"
    assert dsv3calc.answer(f"{words} --batch 128").query["tokens"] == 128


WINDOWED = """\
name: windowed
title: A model with windows
hidden_size: 4096
vocab_size: 32000
num_hidden_layers: 32
tie_word_embeddings: false
precision: bf16
groups:
  - attention: {type: gqa, num_attention_heads: 32, num_key_value_heads: 32, head_dim: 128,
                span: sliding, sliding_window: 1024}
    feed_forward: {type: dense, intermediate_size: 11008}
sources: {peer: {kind: assumed, citation: a test of vLLM}}
provenance: {default: peer}
"""


def test_windows_keep_the_tokens_of_a_pass(tmp_path):
    """129 blocks of 16 tokens for 16,384: vLLM, tests/v1/core/test_kv_cache_utils.py."""
    file = tmp_path / "windowed.yaml"
    file.write_text(WINDOWED)
    given = {"tp": 1, "context": 16384, "pass_tokens": 1024}
    block = 16 * 32 * 2 * 32 * 128 * 2
    found = lines(str(file), setup="vllm", **given)
    assert found["serving.kv_bytes_per_sequence"] == 129 * block
    assert lines(str(file), page_size=16, **given)["serving.kv_bytes_per_sequence"] == 64 * block
    short = lines(str(file), setup="vllm", **given | {"context": 512})
    assert short["serving.kv_bytes_per_sequence"] == 32 * block


# --- weights that do not divide into whole blocks

V3 = {"model": "deepseek-v3", "tp": 32, "ep": 32}
QWEN = {"model": "qwen3-235b-a22b", "precision": "fp8-deepseek-v3", "hardware": "h200"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (V3, "dense ffn, 18,432 wide, in 32 parts of 576"),
        (QWEN | {"tp": 8}, "routed experts, 1,536 wide, in 8 parts of 192"),  # MiniMax-M2's too
        # Qwen3-30B-A3B-FP8: vllm-project/vllm issue 25292
        (
            QWEN | {"tp": 4, "set": ("moe_intermediate_size=768",)},
            "routed experts, 768 wide, in 4 parts of 192",
        ),
    ],
)
@pytest.mark.parametrize("setup", [None, "vllm", "sglang"])
def test_parts_of_blocks_cannot_be_loaded(given, words, setup):
    words_of = " ".join(f"--set {each}" for each in given.get("set", ())) + (
        f" --setup {setup}" if setup else ""
    )
    options = " ".join(
        f"--{name} {value}" for name, value in given.items() if name not in ("model", "set")
    )
    hardware = "" if "hardware" in given else "--hardware h100"
    line = f"memory {given['model']} --serve {hardware} {options} {words_of}"
    answer = dsv3calc.answer(line)
    assert answer.columns[0].ledger.values["serving.loadable"] == 0
    (warning,) = [each for each in answer.warnings if each.startswith("cannot be loaded: ")]
    assert words in warning
    assert "not whole blocks of 128" in warning
    assert answer.status == 0
    assert dsv3calc.answer(f"{line} --require-fit").status == 1


@pytest.mark.parametrize("tp", [1, 2, 4])
def test_whole_blocks_are_loaded(tp):
    assert lines(**QWEN | {"tp": tp})["serving.loadable"] == 1
    assert (
        lines(**QWEN | {"tp": tp, "setup": "trtllm"})["serving.weights"]
        == (lines(**QWEN | {"tp": tp, "setup": "vllm"})["serving.weights"])
    )


def test_padding_is_counted():
    """576 and 64 columns or rows are padded to 640 and 128: 64 x 7,168 bytes for each matrix."""
    refused, padded = (
        lines(**V3, set=(f"setup.blocks.undivided={policy}",)) for policy in ("refuse", "pad")
    )
    matrices = 3 * (3 + 58)
    assert padded["serving.weights"] - refused["serving.weights"] == matrices * 64 * 7168
    assert (refused["serving.loadable"], padded["serving.loadable"]) == (0, 1)
    loaded = lines(**V3, set=("setup.blocks.undivided=load",))
    assert loaded["serving.loadable"] == 1
    assert loaded["serving.weights"] == refused["serving.weights"]


def test_mxfp4_is_padded_by_engines_and_never_refused():
    """2,880 / 8 = 360 columns of a down-projection become 384, in blocks of 1 x 32."""
    plain, padded = (lines("gpt-oss-120b", tp=8, setup=name) for name in ("pytorch", "sglang"))
    assert plain["serving.loadable"] == padded["serving.loadable"] == 1
    filled = 36 * 128 * 24 * 2880 / 2
    assert padded["serving.weights"] - plain["serving.weights"] == filled


def test_fp8_on_a_device_without_units_is_said():
    words = "memory qwen3-32b --precision fp8-deepseek-v3 --serve --tp 4 --hardware"
    assert any("has no fp8 peak" in each for each in dsv3calc.answer(f"{words} a100-80g").warnings)
    assert not any("fp8 peak" in each for each in dsv3calc.answer(f"{words} h100").warnings)


# --- decode context parallelism


@pytest.mark.parametrize("dcp", [1, 2, 8])
def test_gpus_that_would_hold_the_same_latent_share_its_tokens(dcp):
    found = lines("deepseek-v3", hardware="h200", tp=8, dcp=dcp)
    assert found["serving.kv_bytes_per_token"] * dcp == 70_272
    alone = lines("deepseek-v3", hardware="h200", tp=8)
    assert found["serving.weights"] == alone["serving.weights"]
    assert found["serving.kv_pool"] == alone["serving.kv_pool"]


def test_gpus_that_share_a_head_share_its_tokens():
    """Four heads on eight GPUs: each of two has one, and half of its tokens."""
    plain, shared = (lines("qwen3-235b-a22b", hardware="h200", tp=8, dcp=dcp) for dcp in (1, 2))
    assert plain["serving.kv_bytes_per_token"] == 94 * 2 * 128 * 2
    assert shared["serving.kv_bytes_per_token"] == 94 * 2 * 128


@pytest.mark.parametrize(
    ("model", "tp", "dcp", "words"),
    [
        ("deepseek-v3", 8, 16, "dcp 16 does not divide tp 8"),
        (
            "qwen3-235b-a22b",
            8,
            4,
            "dcp 4: with 4 key-value heads on tp 8, 2 GPUs hold the same cache",
        ),
        (
            "qwen3-32b",
            8,
            2,
            "dcp 2: with 8 key-value heads on tp 8, no two GPUs hold the same cache",
        ),
    ],
)
def test_dcp_takes_no_more_gpus_than_hold_the_same(model, tp, dcp, words):
    with pytest.raises(UsageError, match=words):
        lines(model, hardware="h200", tp=tp, dcp=dcp)


# --- attention replicas that share dense and shared feed-forwards


def placed(where, **more):
    given = {"tp": 1, "dp": 8, "ep": 8, "shared_experts": where} | more
    return lines(
        "deepseek-v3",
        hardware="h200",
        precision="bf16",
        set=(f"layout.dense_feed_forward={where}",),
        **given,
    )


def test_attention_replicas_share_dense_and_shared_feed_forwards():
    """Three dense layers of 18,432 and 58 shared experts of 2,048, an eighth on each GPU."""
    alone, shared = placed("local"), placed("instance")
    matrices = 3 * 7168 * (3 * 18432 + 58 * 2048) * 2
    assert alone["serving.weights"] - shared["serving.weights"] == matrices * 7 // 8
    assert alone["serving.kv_bytes_per_token"] == shared["serving.kv_bytes_per_token"]
    assert (
        placed("instance", tp=8, dp=1)["serving.weights"]
        == (placed("local", tp=8, dp=1)["serving.weights"])
    )


def test_their_blocks_are_those_of_the_instance():
    words = "memory deepseek-v3 --serve --dp 32 --ep 32 --hardware h100"
    answer = dsv3calc.answer(f"{words} --shared-experts instance")
    assert any("shared experts, 2,048 wide, in 32 parts of 64" in each for each in answer.warnings)
    assert dsv3calc.answer(words).columns[0].ledger.values["serving.loadable"] == 1


@pytest.mark.parametrize("command", ["memory", "traffic"])
def test_they_are_for_servers(command):
    words = f"{command} deepseek-v3 --dp 8 --ep 8 --hardware h200 --shared-experts instance"
    with pytest.raises(UsageError, match="shared_experts instance in training"):
        dsv3calc.answer(words)
    with pytest.raises(UsageError, match="among tp 1 x dp 10"):
        dsv3calc.answer(words.replace("--dp 8 --ep 8", "--serve --dp 10 --ep 2 --etp 1"))
