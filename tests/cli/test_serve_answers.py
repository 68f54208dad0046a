"""``serve``: whole responses, steps of reinforcement learning, energy, experts on the host."""

import pytest

import dsv3calc
from dsv3calc.exit_status import ExitStatus

SMALL = ("serve", "llama-3.1-8b", "--hardware", "h100", "--batch", "4", "--prompt-tokens", "100")
HOSTED = (
    "serve", "deepseek-v3", "--hardware", "rtx-4090", "--precision", "q4-k",
    "--offload", "experts=host",
)  # fmt: skip
LENGTH = 30


@pytest.fixture(scope="module")
def response():
    given = f"--response-tokens {LENGTH} --samples 8 --prompts 3 --longest 60 --pue 1.25"
    return dsv3calc.query(f"{' '.join(SMALL)} {given}")


def test_a_response_is_its_first_token_and_every_step_after_it(program, response):
    """Brute force: each token of the response asked by itself."""
    steps = [
        program.json(*SMALL, "--context", str(100 + token)).values["serve.tpot.floor"]
        for token in (*range(0, LENGTH - 1, 4), LENGTH - 2)
    ]
    assert steps == sorted(steps)
    least, most = (LENGTH - 1) * steps[0], (LENGTH - 1) * steps[-1]
    assert least <= response["serve.answer.decoding"] <= most
    chord = (LENGTH - 1) * (steps[0] + steps[-1]) / 2
    assert response["serve.answer.decoding"] == pytest.approx(chord, rel=1e-4)
    whole = response["serve.prefill.floor"] + response["serve.answer.decoding"]
    assert response["serve.answer.seconds"] == pytest.approx(whole)
    assert response["serve.answer.average_context"] == 100 + (LENGTH - 1) / 2
    per_token = 2 * 8 * 128 * 32 * 2
    assert response["serve.answer.final_cache_bytes"] == (100 + LENGTH - 1) * per_token


def test_gpu_time_of_a_response_is_shared_by_the_batch(response):
    alone = 100 / response["serve.tokens_per_second_per_gpu.prefill"]
    shared = response["serve.answer.decoding"] / 4
    assert response["serve.answer.gpu_seconds"] == pytest.approx(alone + shared)
    joules = response["serve.answer.gpu_seconds"] * 700 * 1.25
    assert response["serve.answer.energy"] == pytest.approx(joules)
    rate = response["serve.tokens_per_second_per_gpu.decode"]
    assert response["serve.energy_per_token"] == pytest.approx(700 * 1.25 / rate)


def test_a_step_of_learning_waits_for_the_longest_of_each_wave(program, response):
    """FLOPs are those of flops, which is asked for prompts, responses and training."""
    assert response["serve.rl.waves"] == 6
    longest = response["serve.rl.longest_seconds"]
    assert response["serve.rl.rollout_seconds"] == pytest.approx(6 * longest)
    assert longest > response["serve.answer.seconds"]

    def flops(*given):
        return program.json("flops", "llama-3.1-8b", *given).values["flops.total"]

    prompts = flops("--phase", "prefill", "--batch", "3", "--seq", "100", "--last-logit")
    each = (
        sum(
            flops("--phase", "decode", "--batch", "24", "--context", str(100 + token))
            for token in (0, LENGTH - 2)
        )
        / 2
    )
    assert response["serve.rl.rollout_flops"] == prompts + (LENGTH - 1) * each
    training = flops("--phase", "train", "--batch", "24", "--seq", str(100 + LENGTH))
    assert response["serve.rl.training_flops"] == training
    assert response["serve.rl.log_probability_flops"] * 3 == training
    weights = response["serve.rl.weight_sync_seconds"] * 50e9
    assert weights == pytest.approx(2 * 8_030_261_248)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (("--samples", "4"), "--response-tokens"),
        (("--response-tokens", "9", "--longest", "20"), "--samples"),
        (("--response-tokens", "9", "--samples", "2", "--longest", "8"), "on average"),
        (("--pue", "0.5"), "--pue"),
    ],
)
def test_what_is_missing_is_named(program, given, missing):
    found = program(*SMALL, *given)
    assert found.status == ExitStatus.USAGE
    assert missing in found.err


def test_experts_on_the_host_are_those_of_host(program):
    served = program.json(*HOSTED).values
    host = program.json("host", *HOSTED[1:-2]).values
    for what in ("bound", "estimate"):
        assert served[f"serve.tpot.{what}"] == pytest.approx(
            host[f"host.experts.tpot.{what}"], rel=1e-3
        )
    assert served["serve.host_bytes"] == host["host.experts.bytes"]
    assert served["serve.host_free"] == host["host.experts.host_left"]
    resident = host["host.experts.resident_bytes"]
    assert resident < served["serve.held"] < 1.1 * resident


def test_a_batch_reads_the_distinct_experts(program):
    values = program.json(*HOSTED, "--batch", "16").values
    distinct = 256 * (1 - (1 - 8 / 256) ** 16)
    read = 58 * distinct * 3 * 7168 * 2048 * 4.5 / 8
    assert values["serve.host_seconds.bound"] == pytest.approx(read / 614.4e9)
    assert "serve.tpot.estimate" not in values


def test_the_fit_is_of_one_sequence_asked_by_itself(program):
    curve = program.ok(*HOSTED, "--curve", "--batch", "2", "--format", "csv", "--notes", "none")
    assert "serve.tpot.floor" in curve.out
    assert "serve.tpot.estimate" not in curve.out
    found = program.json(*HOSTED, "--slo", "tpot<=100ms")
    assert found.data["query"]["batch"] == 2
    assert "no estimate: the fit is for a single sequence" in found.data["notes"]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (("--set", "hardware.host.dram_capacity=300GB"), "279.4 GiB"),
        (("--set", "hardware.host.dram_bandwidth=null"), "memory bandwidth"),
        (("--tp", "2"), "one device"),
        (("--setup", "vllm"), "--setup"),
        (("--response-tokens", "9"), "prefill"),
    ],
)
def test_a_host_that_cannot_is_refused(program, given, missing):
    found = program(*HOSTED, *given)
    assert found.status == ExitStatus.USAGE
    assert missing in found.err


def test_which_tells_what_runs_with_experts_on_the_host(program):
    given = ("--gpus", "1", *HOSTED[2:])
    statuses = {"deepseek-v3": ExitStatus.OK, "minimax-text-01": ExitStatus.INFEASIBLE}
    for model, status in statuses.items():
        assert program("which", "--model", model, *given).status == status
    every = program.json("which", "--model", "deepseek-v3", *HOSTED[2:4], *HOSTED[6:])
    precisions = [column["id"].split("|")[1] for column in every.data["columns"]]
    assert precisions == ["fp8-deepseek-v3", "fp8", "int8", "int4"]
    assert "bf16: the experts take 1.189 TiB" in every.data["notes"][0]
