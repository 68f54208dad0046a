"""Rows of whole steps: how many are predicted, why others are not, and by which query."""

import pytest

from dsv3calc.exit_status import ExitStatus
from dsv3calc.studies.measurements.validation import answer_validate

AREAS = ("training_dense", "training_moe", "inference_e2e")
ROWS = {"training_dense": 397, "training_moe": 162, "inference_e2e": 163}
SCORED = {"training_dense": 115, "training_moe": 75, "inference_e2e": 68}
LLAMA = "infx-llama3.1-8b-h100-sxm-bf16-blank-in-source--agg-trtllm-n1"
DEEPSEEK = "infx-deepseek-r1-v3-h100-sxm-fp8-disagg-trtllm-n48"
BY_HAND = {
    "mbridge-25.09-pretrain-llama3.1_405b-b200-fp8-cs-128-gbs64": (
        "train llama-3.1-405b --hardware b200 --precision fp8-tensor --tp 4 --pp 8 --cp 2 --dp 2"
        " --schedule interleaved --virtual-pipeline 8 --global-batch 64 --micro-batch 1"
        " --seq 8192 --setup megatron-dense"
    ),
    "nemoweb-25.07-llama3-405b-gb200-128": (
        "train llama-3.1-405b --hardware gb200 --precision fp8-tensor --tp 2 --dp 64 --zero 3"
        " --global-batch 64 --micro-batch 1 --seq 8192 --setup megatron-dense"
    ),
    "mbridge-25.09-pretrain-deepseekv3-b200-fp8-cs-256-gbs2048": (
        "train deepseek-v3 --hardware b200 --precision fp8-tensor --pp 16 --ep 8 --dp 16"
        " --global-batch 2048 --micro-batch 1 --seq 4096 --setup megatron-moe-hgx"
    ),
    "isca25-table4-mpft": (
        "train deepseek-v3 --hardware h800 --precision fp8-deepseek-v3 --pp 16 --ep 64 --dp 128"
        " --schedule dualpipe --global-batch 15360 --micro-batch 1 --seq 4096"
        " --recompute v3-recompute --setup deepseek-dualpipe"
    ),
}
"""Row -> the command that a person would give for it."""


@pytest.mark.parametrize("area", AREAS)
def test_each_row_is_scored_or_counted_with_a_reason(validated, area):
    left = [each for each in validated.query["left_out"] if each["area"] == area]
    assert validated.query["scores"][area]["rows"] == SCORED[area]
    assert SCORED[area] + sum(each["rows"] for each in left) == ROWS[area]


def test_reasons_are_counted(validated):
    left = {(each["area"], each["why"]): each["rows"] for each in validated.query["left_out"]}
    assert left["training_dense", "fine-tuning of adapters"] == 31
    assert left["training_dense", "a model cut to a few layers"] == 34
    assert left["training_moe", "a model cut to a few layers"] == 15
    assert left["inference_e2e", "no time of an output token"] == 30
    assert left["inference_e2e", "no precision for 'fp4'"] == 45


@pytest.mark.parametrize(("row", "command"), BY_HAND.items())
def test_a_step_is_that_of_the_query_asked_by_hand(validated, program, row, command):
    (scored,) = (each for each in validated.rows if each["row"] == row)
    values = program.json(*command.split()).data["columns"][0]["values"]
    assert scored["predicted"] == values["train.step.estimate"]


def test_a_token_is_the_decode_pass_plus_the_prefill_of_what_comes_in(validated, program):
    row = one_of(validated, LLAMA, "input 1,024, output 128, concurrency 8")
    common = " --hardware h100 --precision bf16 --setup trtllm --tp 1 --dp 1"
    decode = "time llama-3.1-8b --phase decode --batch 8 --context 1088" + common
    prefill = "time llama-3.1-8b --phase prefill --batch 1 --seq 1024 --last-logit" + common
    token, new = (estimate(program, *each.split()) for each in (decode, prefill))
    assert row["predicted"] == pytest.approx(token + 8 / 128 * new, rel=1e-12)


def test_a_server_that_decodes_alone_is_the_decode_pass(validated, program):
    row = one_of(validated, DEEPSEEK, "input 8,192, output 1,024, concurrency 154")
    command = (
        "time deepseek-v3 --hardware h100 --precision fp8-deepseek-v3 --setup trtllm --tp 16"
        " --dp 1 --ep 16 --etp 1 --phase decode --batch 77 --context 8704"
    )
    assert row["predicted"] == estimate(program, *command.split())


def one_of(validated, name, size):
    (row,) = (each for each in validated.rows if each["row"] == name and each["size"] == size)
    return row


def estimate(program, *command):
    return program.json(*command).data["columns"][0]["values"]["time.estimate"]


def test_baselines_stand_beside_the_scores(validated):
    values = {line.name: line.value for line in validated.columns[0].ledger.lines}
    for area in AREAS:
        assert (
            values[f"validate.{area}.median_abs_error"] < values[f"validate.{area}.roofline_error"]
        )
    for area in ("training_dense", "training_moe"):
        flat = values[f"validate.{area}.mfu_40_error"]
        assert values[f"validate.{area}.median_abs_error"] < flat
    assert "validate.inference_e2e.mfu_40_error" not in values


def test_an_adopted_threshold_fails_a_run():
    found = answer_validate(areas=["training_dense"], hardware=["b200"], fail_over=0.0)
    assert found.status == ExitStatus.CHECK_FAILED
