"""``failures``: published counts by hand, checkpoints as memory has them, the best interval."""

import math

import pytest

import dsv3calc
from dsv3calc.exit_status import ExitStatus

V3 = ("failures", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800")


def test_the_published_counts_of_llama_3(program):
    """arXiv:2407.21783, section 3.3.4: 419 interruptions in 54 days on 16,384 GPUs."""
    values = program.json(*V3, "--gpu-hours", "2664000").values
    each = 16384 * 54 * 24 / 419
    assert values["failures.gpu_hours_per_interruption"] == pytest.approx(each)
    assert values["failures.mtbf"] == pytest.approx(each / 2048 * 3600)
    assert values["failures.interruptions"] == pytest.approx(
        values["failures.gpu_hours_with_failures"] / each
    )
    share = values["failures.silent_corruptions"] / values["failures.interruptions"]
    assert share == pytest.approx(6 / 419)


def test_a_checkpoint_is_what_one_gpu_holds_of_the_optimizer(program):
    values = program.json("failures", "llama-3.1-8b", "--hardware", "h800", "--dp", "1").values
    held = program.json("memory", "llama-3.1-8b", "--hardware", "h800", "--dp", "1").values
    assert values["failures.checkpoint_bytes"] == held["memory.worst.optimizer"]
    own = ("failures", "llama-3.1-8b", "--hardware", "h800", "--dp", "1", "--recipe", "pure-bf16")
    assert program.json(*own).values["failures.checkpoint_bytes"] == 8_030_261_248 * 6


def test_no_other_interval_loses_less(program):
    best = program.json(*V3).values
    top, interval = best["failures.useful_share"], best["failures.best_interval"]
    assert interval == pytest.approx(
        math.sqrt(2 * best["failures.checkpoint_seconds"] * best["failures.mtbf"])
    )
    for factor in (0.5, 0.9, 1.1, 2):
        other = program.json(*V3, "--interval", str(factor * interval)).values
        assert other["failures.useful_share"] < top


def test_interruptions_as_if_they_were_drawn():
    """Lost time by hand: half an interval, the restart, and the checkpoints between failures."""
    found = dsv3calc.query(
        "failures deepseek-v3 --layout v3-pretrain --hardware h800 --restart 10min --interval 1h"
    )
    write, mtbf = found["failures.checkpoint_seconds"], found["failures.mtbf"]
    lost = write * mtbf / 3600 + 1800 + 600 + write
    assert 1 - found["failures.useful_share"] == pytest.approx(lost / mtbf)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--restart", "30h"), "makes no progress"),
        (("--interval", "0"), "above 0"),
        (("--gpu-hours", "5", "--train-tokens", "1T"), "give one"),
        (("--storage-bandwidth", "0"), "expected a number"),
        (("--failures", "nobody"), "nobody"),
    ],
)
def test_wrong_questions(program, given, words):
    refused = program(*V3, *given)
    assert refused.status == ExitStatus.USAGE
    assert words in refused.err


def test_a_host_that_is_not_known_is_asked_for(program):
    refused = program("failures", "llama-3.1-8b", "--hardware", "h100", "--dp", "8")
    assert "--storage-bandwidth" in refused.err
