"""``host``: published rates of KTransformers, reloads by hand, states as memory has them."""

import re

import numpy as np
import pytest

from dsv3calc.exit_status import ExitStatus

EXPERTS = ("host", "deepseek-v3", "--hardware", "rtx-4090", "--precision", "q4-k")
MEASURED = {(6, 1): 10.303, (8, 1): 8.73, (6, 2): 13.69, (8, 2): 12.208}
"""Experts of a token, sockets -> tokens/s: KTransformers, DeepseekR1_V3_tutorial.md, V0.2."""


def asked(program, experts, sockets):
    bandwidth = f"hardware.host.dram_bandwidth={307.2 * sockets}GB/s"
    given = ("--set", f"num_experts_per_tok={experts}", "--set", bandwidth)
    return program.json(*EXPERTS, *given).values


@pytest.mark.parametrize("row", MEASURED)
def test_published_rates_are_within_one_percent(program, row):
    found = asked(program, *row)
    rate = found["host.experts.tokens_per_second.estimate"]
    assert rate == pytest.approx(MEASURED[row], rel=0.01)
    assert rate < found["host.experts.tokens_per_second.bound"]
    assert found["host.experts.bytes_per_token"] == 58 * row[0] * 3 * 7168 * 2048 * 4.5 / 8


def test_the_two_parameters_are_the_least_squares_of_the_four_rates(program):
    """The fit of ``presets/hardware/rtx-4090.yaml`` again."""
    rates = np.array(list(MEASURED.values()))
    seconds = [58 * k * 44_040_192 * 4.5 / 8 / (n * 307.2e9) for k, n in MEASURED]
    rows = np.column_stack([rates, rates * seconds])
    (device, over_share), *_ = np.linalg.lstsq(rows, np.ones(len(rates)), rcond=None)
    found = asked(program, 8, 2)
    assert 1 / over_share == pytest.approx(0.571, abs=5e-4)
    assert device == pytest.approx(0.04865, abs=5e-6)
    whole = seconds[-1] / 0.571 + 0.04865
    assert found["host.experts.tpot.estimate"] == pytest.approx(whole)


def test_cpus_prefill_at_their_peak(program):
    given = ("--set", "hardware.host.peaks.bf16=73TFLOPS")
    values = program.json(*EXPERTS, *given).values
    by_hand = 73e12 / (2 * 58 * 8 * 44_040_192)
    assert values["host.experts.prefill_tokens_per_second.bf16"] == pytest.approx(by_hand)


def test_reloading_against_computing_again(program):
    """The rate is that of a node in the DeepSeek-V3/R1 Inference System Overview."""
    given = ("host", "deepseek-v3", "--hardware", "h800", "--prefill-rate", "32200")
    values = program.json(*given, "--hit-rate", "0.5625", "--retention", "1d").values
    assert values["host.cache.break_even_bandwidth"] == pytest.approx(70272 * 32200)
    assert values["host.cache.speed_up.storage"] == pytest.approx(50e9 / (70272 * 32200))
    assert values["host.cache.retained_bytes"] == pytest.approx(70272 * 32200 * 86400)
    hits = 32200 / (1 - 0.5625) * 0.5625
    assert values["host.cache.reload_bandwidth"] == pytest.approx(70272 * hits)
    assert values["host.cache.prefill_nodes_share"] == 1 - 0.5625


def test_a_tier_at_the_break_even_bandwidth_gains_nothing(program):
    given = ("host", "deepseek-v3", "--hardware", "h800", "--prefill-rate", "32200")
    slow = f"hardware.host.storage.bandwidth={70272 * 32200} B/s"
    values = program.json(*given, "--set", slow).values
    assert values["host.cache.speed_up.storage"] == pytest.approx(1)


def test_states_are_those_of_memory(program):
    given = ("deepseek-v3", "--hardware", "h800", "--layout", "v3-pretrain")
    values = program.json("host", *given).values
    held = program.json("memory", *given).values
    seconds = held["memory.worst.optimizer"] / 63.015e9
    assert values["host.states.optimizer.bytes"] == held["memory.worst.optimizer"]
    assert values["host.states.optimizer.exposed"] == pytest.approx(seconds)
    hidden = program.json("host", *given, "--compute-time", "0.1").values
    assert hidden["host.states.optimizer.exposed"] == pytest.approx(max(0, seconds - 0.1))
    assert hidden["host.states.average.exposed"] == pytest.approx(
        max(0, held["memory.worst.weights"] / 63.015e9 - 0.1)
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("deepseek-v3 --hardware h100", "no memory bandwidth"),
        ("deepseek-v3 --hardware rtx-4090 --precision bf16", "the host of rtx-4090 has 931.3 GiB"),
        ("llama-3.1-8b --hardware rtx-4090", "no routed experts"),
        ("deepseek-v3 --hardware rtx-4090 --hit-rate 0.5", "without --prefill-rate"),
        ("deepseek-v3 --hardware h800 --prefill-rate 1k --hit-rate 1", "nothing is prefilled"),
        ("deepseek-v3 --hardware h100 --layout v3-pretrain", "has no host"),
    ],
)
def test_what_is_missing_is_named(program, given, words):
    assert words in program.refused(ExitStatus.USAGE, "host", *given.split()).err


@pytest.mark.parametrize(
    ("layout", "passes"), [("v3-pretrain", 120 / 2), ("dense-pretrain-2048", 960)]
)
def test_activations_of_a_step_are_those_of_every_micro_batch(program, layout, passes):
    """Under DualPipe a micro-batch passes one of the two stages of a rank."""
    model = "deepseek-v3" if layout == "v3-pretrain" else "llama-3.1-405b"
    given = (model, "--hardware", "h800", "--layout", layout)
    values = program.json("host", *given).values
    held = program.json("memory", *given).values
    rank = held["memory.worst.rank"]
    assert values["host.states.activations.held"] == held[f"memory.rank.{rank}.activations"]
    chunks = [
        value
        for name, value in held.items()
        if re.fullmatch(rf"memory.rank.{rank}.chunk.\d.activations", name)
    ]
    moved = sum(chunks) * passes
    assert values["host.states.activations.bytes"] == moved
    seconds = values["host.states.activations.seconds"]
    assert seconds == pytest.approx(moved / 63.015e9)
    hidden = program.json("host", *given, "--compute-time", str(seconds / 2)).values
    assert hidden["host.states.activations.exposed"] == pytest.approx(seconds / 2)
    assert hidden["host.states.host_bytes"] == values["host.states.host_bytes"]
