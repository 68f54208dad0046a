"""Servers on pipeline stages, with decode context parallelism, and with gathered tokens."""

import pytest

import dsv3calc
from dsv3calc.exit_status import ExitStatus
from dsv3calc.formulas import served_batches

LLAMA = "llama-3.1-70b --hardware h100 --context 8192 --setup vllm"


def kernels(query):
    """Return the kernels of a pass by place and name, estimated, and what its exchanges take."""
    found = dsv3calc.query(f"time {query}")
    return found["time.kernels.estimate"], found.values.get("time.communication.floor", 0)


def test_stages_work_on_parts_of_the_batch():
    """The slowest stage has the head: its layers alone, and all parts one after the other."""
    found = dsv3calc.query(f"serve {LLAMA} --tp 4 --pp 4 --batch 32")
    part = dsv3calc.query(f"time {LLAMA} --tp 4 --batch 8 --phase decode")
    assert found["serve.tpot.estimate"] > part["time.estimate"]
    layers = part["time.groups.0.layer.estimate"] * 20 + part["time.model.layer.estimate"]
    assert found["serve.tpot.estimate"] > 4 * layers
    assert found["serve.tokens_per_second_per_gpu.decode"] == pytest.approx(
        32 / found["serve.tpot.estimate"] / 16
    )


def test_one_sequence_on_stages_goes_through_all_of_them():
    """No stage waits for another one: the pass of one GPU group, and the sends."""
    staged = dsv3calc.query(f"serve {LLAMA} --tp 4 --pp 4 --batch 1")
    alone = dsv3calc.query(f"serve {LLAMA} --tp 4 --batch 1")
    sends = 3 * 8192 * 2 / 50e9  # hidden states in BF16 over the link between nodes
    for what in ("bound", "floor", "estimate"):
        more = staged[f"serve.tpot.{what}"] - alone[f"serve.tpot.{what}"]
        assert 0 < more < 20 * sends


@pytest.mark.parametrize(("stages", "parts"), [((3, 3, 3), 3), ((1, 5, 2), 3), ((2, 2, 9), 2)])
def test_the_cycle_of_stages_is_that_of_a_walk(stages, parts):
    """Walk parts round the stages: each enters when it and the stage are free."""
    send = 1
    free, ready = [0] * len(stages), [0] * parts
    ends = [[] for _ in range(parts)]
    for _ in range(400):
        for part in range(parts):
            at = ready[part]
            for number, seconds in enumerate(stages):
                at = max(at, free[number]) + seconds
                free[number] = at
                at += send if number + 1 < len(stages) else 0
            ready[part] = at
            ends[part].append(at)
    cycle = (ends[0][-1] - ends[0][-101]) / 100
    sends = send * (len(stages) - 1)
    assert served_batches.pipelined_step(sum(stages), sends, max(stages), parts) == cycle


@pytest.mark.parametrize(("prefill", "transfer", "layers"), [(8, 3, 4), (3, 8, 4), (5, 5, 1)])
def test_a_layer_is_handed_on_when_it_is_ready(prefill, transfer, layers):
    sent = 0.0
    for layer in range(layers):
        sent = max(sent, prefill * (layer + 1) / layers) + transfer / layers
    wait = served_batches.handover_wait(transfer, prefill, layers)
    assert wait == pytest.approx(sent - prefill)


APART = (
    "serve deepseek-v3 --layout day6-decode-ep144 --prefill-layout v3-prefill-ep32 --hardware h800 "
    "--setup sglang --prompt-tokens 4000 --set setup.time.first_token=50ms"
)


def test_a_cache_is_handed_over_once():
    """Four GPUs keep the latents of a prompt alike, and one that decodes takes them in once."""
    found = dsv3calc.query(APART)
    assert found["serve.transfer.bytes"] == 4000 * 70272
    assert found["serve.transfer.seconds"] == pytest.approx(4000 * 70272 / 40e9)
    late = dsv3calc.query(f"{APART} --transfer at-end")
    assert late["serve.transfer.wait"] == late["serve.transfer.seconds"]
    assert 0 < found["serve.transfer.wait"] < late["serve.transfer.wait"] / 10
    for each in (found, late):
        whole = 0.05 + each["serve.prefill.estimate"] + each["serve.transfer.wait"]
        assert each["serve.ttft"] == pytest.approx(whole)


def test_what_decoding_gpus_have_is_not_sent():
    found = dsv3calc.query(f"{APART} --decode-hit-rate 0.25")
    assert found["serve.transfer.bytes"] == 3000 * 70272


def test_context_parallelism_divides_the_cache_and_moves_heads():
    """DeepSeek-V3 on tp 8: latents of 1/8 of the tokens, queries of all 128 heads."""
    asked = "deepseek-v3 --hardware h200 --tp 8 --batch 64 --context 100k"
    whole, shared = (dsv3calc.query(f"serve {asked} {more}") for more in ("", "--dcp 8"))
    assert shared["serve.max_batch"] > 7 * whole["serve.max_batch"]
    lines = {line.name: line.value for line in shared.walk()}
    before = {line.name: line.value for line in whole.walk()}
    read = "serve.decode.time.groups.1.core.resident"
    assert lines[read] == before[read] / 8 == pytest.approx(64 * 100_001 * 576 * 2 / 8, rel=1e-4)
    place = "serve.decode.time.groups.1.decode_context_parallel"
    tokens = 64
    assert lines[f"{place}.queries.payload"] == tokens * 128 * 576 * 2
    assert lines[f"{place}.outputs.payload"] == tokens * 128 * 512 * 2
    assert lines[f"{place}.sums.payload"] == tokens * 128 * 8 * 4
    flops = "serve.decode.time.groups.1.core.flops"
    assert lines[flops] == before[flops]
    assert shared["serve.tpot.floor"] < whole["serve.tpot.floor"]


def test_tokens_are_gathered_from_the_replicas_that_share_experts():
    """Eight replicas of one GPU with experts divided over all: every GPU needs all tokens."""
    asked = "deepseek-v3 --hardware h200 --dp 8 --batch 16"
    divided = dsv3calc.query(f"serve {asked} --etp 8")
    gathered = dsv3calc.query(f"serve {asked} --ep 8 --expert-exchange gather")
    payload = 8 * 16 * 7168 * 2
    for found in (divided, gathered):
        lines = {line.name: line.value for line in found.walk()}
        assert lines["serve.decode.time.groups.1.gather.payload"] == payload
        assert not any("dispatch.seconds" in name for name in lines)


def test_gpus_of_a_replica_have_its_tokens_already():
    """Mixtral on tp 8 without expert parallelism adds up its blocks, and gathers nothing."""
    found = dsv3calc.query("time mixtral-8x7b --hardware h100 --tp 8 --phase decode --batch 64")
    sent = {line.name for line in found.walk() if line.name.endswith(".all_layers")}
    assert {name.split(".")[-3] for name in sent} == {"tensor_parallel"}


def test_an_instance_that_shares_dense_layers_gathers_for_them():
    asked = "deepseek-v3 --hardware h200 --dp 8 --ep 8 --batch 16"
    shared = "--set layout.dense_feed_forward=instance --shared-experts instance"
    found = dsv3calc.query(f"serve {asked} {shared}")
    lines = {line.name for line in found.walk()}
    for group in (0, 1):
        assert f"serve.decode.time.groups.{group}.gather.payload" in lines


def test_replicas_pad_their_batches_to_the_fullest():
    asked = "deepseek-v3 --hardware h800 --dp 32 --ep 32 --setup sglang"
    padded = dsv3calc.query(f"serve {asked} --concurrency 1000")
    full = dsv3calc.query(f"serve {asked} --batch 32")
    assert padded["serve.batch"] == 32
    assert padded["serve.concurrency"] == 1000
    assert padded["serve.tpot.estimate"] == full["serve.tpot.estimate"]
    rate = "serve.tokens_per_second_per_gpu.decode"
    assert padded[rate] == pytest.approx(full[rate] * 1000 / 1024)


def test_balancedness_is_the_mean_over_the_busiest():
    asked = "serve deepseek-v3 --hardware h800 --dp 32 --ep 32"
    found = [dsv3calc.query(f"{asked} --imbalance {each}") for each in (1, 1.25)]
    assert [each["serve.balancedness"] for each in found] == [1, 0.8]
    even, uneven = (each["serve.tpot.floor"] for each in found)
    assert uneven > even


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("deepseek-v3 --tp 8 --pp 2 --draft-tokens 1 --acceptance 0.8", "which pipeline stage"),
        ("deepseek-v3.2 --tp 8 --dcp 8", "decode context parallelism exchanges"),
        ("deepseek-v3 --tp 8 --dcp 3", "dcp 3"),
        ("deepseek-v3 --tp 8 --dcp 8 --hit-rate 0.5", "--hit-rate"),
        ("deepseek-v3 --tp 8 --expert-exchange gather", "no tokens are sent"),
        ("deepseek-v3 --tp 8 --ep 8 --expert-exchange ring", "all-to-all, gather"),
        ("deepseek-v3 --concurrency 9 --batch 9", "leave one of them out"),
        ("deepseek-v3 --concurrency 9 --slo tpot<=1s", "gives it"),
        ("llama-3.1-8b --pp 64", "stage"),
        ("llama-3.1-8b --transfer at-end", "no cache is handed over"),
        ("llama-3.1-8b --decode-hit-rate 0.5", "--prefill-layout"),
    ],
)
def test_wrong_layouts(program, options, words):
    asked = ("serve", *options.split(), "--hardware", "h200")
    assert words in program.refused(ExitStatus.USAGE, *asked).err
