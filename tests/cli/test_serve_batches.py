"""``serve --slo`` and ``--curve``: the batch found is that of brute force, columns are queries."""

import csv
import io

import pytest

import dsv3calc
from dsv3calc.exit_status import ExitStatus

LLAMA = "llama-3.1-8b --hardware h100 --setup vllm --context 30k"
V3 = "deepseek-v3 --layout day6-decode-ep144 --hardware h800 --setup sglang --context 60k"


def by_hand(asked, met, most):
    """Return the largest batch that fits and meets a limit, each asked for."""
    good = 0
    for batch in range(1, most + 1):
        found = dsv3calc.query(f"serve {asked} --batch {batch}")
        if found["serve.fits"] and met(found):
            good = batch
    return good


@pytest.mark.parametrize(
    ("asked", "limit"), [(LLAMA, 0.012), (LLAMA, 0.1), (V3, 0.031)], ids=["time", "memory", "ep"]
)
def test_the_batch_is_that_of_brute_force(asked, limit):
    found = dsv3calc.query(f"serve {asked} --slo 'tpot<={limit}s'")
    assert found["serve.slo.batch"] == found["serve.batch"]
    wanted = by_hand(asked, lambda each: each["serve.tpot.estimate"] <= limit, 18)
    assert found["serve.batch"] == wanted
    assert 1 < wanted < 18


def test_the_times_are_those_of_the_batch_that_is_found():
    found = dsv3calc.query(f"serve {LLAMA} --slo 'tpot<=10ms'")
    again = dsv3calc.query(f"serve {LLAMA} --batch {found['serve.batch']}")
    same = {name: value for name, value in again.values.items() if name.startswith("serve.tpot")}
    assert same == {name: found[name] for name in same}


def test_prefill_between_steps_counts_where_a_response_is_given():
    asked = f"{LLAMA} --response-tokens 500"
    found = dsv3calc.query(f"serve {asked} --slo 'tpot<=12ms'")
    wanted = by_hand(asked, lambda each: each["serve.aggregated.tpot"] <= 0.012, 18)
    assert found["serve.batch"] == wanted > 1


def test_two_limits_are_met_together(program):
    host = ("--set", "setup.time.first_token=50ms")
    asked = ("serve", *LLAMA.split(), *host, "--slo", "tpot<=10ms", "--slo")
    found = program.json(*asked, "ttft<=1s")
    assert found.values["serve.tpot.estimate"] <= 0.01
    assert found.data["query"]["limited_by"] == "tpot"
    missed = program.refused(ExitStatus.INFEASIBLE, *asked, "ttft<=60ms").err
    assert "--prompt-tokens" in missed


def test_the_nearest_miss_says_what_would_have_to_give(program):
    asked = ("serve", *LLAMA.split(), "--slo")
    refused = program.refused(ExitStatus.INFEASIBLE, *asked, "tpot<=6.2ms").err
    words = refused.split()
    longest = int(words[words.index("--context") + 1])
    nearest = next(word for word in words if word.startswith("tpot<=7.") and word.endswith("ms;"))
    program.ok(*asked, nearest.rstrip(";"))
    changed = [str(longest) if word == "30k" else word for word in asked]
    program.ok(*changed, "tpot<=6.2ms")
    changed = [str(longest + 1) if word == "30k" else word for word in asked]
    program.refused(ExitStatus.INFEASIBLE, *changed, "tpot<=6.2ms")
    assert "fewer tokens do not help" in program.refused(4, *asked, "tpot<=1ms").err


@pytest.mark.parametrize(("limit", "words"), [("tpot", "no limit"), ("tpot<=", "no number")])
def test_what_is_no_limit_shows_one(program, limit, words):
    err = program.refused(ExitStatus.USAGE, "serve", *LLAMA.split(), "--slo", limit).err
    assert f"--slo '{limit}'" in err
    assert words in err
    assert "--slo 'tpot<=50ms'" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [("--context 10M", "--context 456896"), ("--set num_hidden_layers=4000", "more GPUs")],
)
def test_what_no_memory_holds_is_said(program, options, words):
    asked = ("serve", "llama-3.1-8b", "--hardware", "h100", *options.split())
    assert words in program.refused(ExitStatus.INFEASIBLE, *asked, "--slo", "tpot<=9s").err
    shown = program.ok(*asked)
    assert shown.out.startswith("DOES NOT FIT")
    assert "does not fit" in shown.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--slo", "tpot<=50ms", "--batch", "3"], "leave one out"),
        (["--slo", "tpot<=50ms", "--curve"], "leave one of them out"),
        (["--slo", "tpop<=50ms"], "did you mean 'tpot'"),
        (["--slo", "itl<=50ms"], "tpot, ttft"),
        (["--slo", "tpot>=50ms"], "upper limit"),
        (["--slo", "tpot<=50GB"], "tpot<=50GB"),
        (["--slo", ""], "is no limit"),
        (["--slo", "ttft<=2s"], "first_token"),
        (["--plot"], "--curve"),
        (["--format", "svg"], "--curve"),
        (["--curve", "--batch", "10000000000000"], "40 at most"),
        (["--setup", "megatron-dense"], "sglang, trtllm, vllm"),
    ],
)
def test_wrong_questions(program, options, words):
    asked = ("serve", "llama-3.1-8b", "--hardware", "h100")
    assert words in program.refused(ExitStatus.USAGE, *asked, *options).err


def test_a_curve_has_the_answers_of_its_batches(program):
    shown = program.json("serve", *LLAMA.split(), "--curve")
    most = dsv3calc.query(f"serve {LLAMA}")["serve.max_batch"]
    batches = [row["batch"] for row in shown.data["rows"]]
    assert batches == sorted({*(2**power for power in range(6)), most})
    for column, batch in zip(shown.data["columns"], batches, strict=True):
        assert column["values"]["serve.fits"] == (batch <= most)
        if batch in (4, most):
            alone = dsv3calc.query(f"serve {LLAMA} --batch {batch}")
            name = "serve.tokens_per_second_per_gpu.decode"
            assert column["values"][name] == alone[name]


def test_a_curve_is_a_table_a_file_and_a_picture(program):
    asked = ("serve", *LLAMA.split(), "--curve", "--batch", "8")
    rows = list(csv.DictReader(io.StringIO(program.ok(*asked, "--format", "csv").out)))
    assert [row["batch"] for row in rows] == ["1", "2", "4", "8"]
    rates = [float(row["serve.tokens_per_second_per_user"]) for row in rows]
    assert rates == sorted(rates, reverse=True)
    shown = program.ok("serve", *LLAMA.split(), "--curve", "--plot").out
    assert "the memory limit" in shown
    assert "beyond memory" in shown
    for format_ in ("svg", "html"):
        assert "<svg" in program.ok(*asked, "--format", format_).out
