"""``validate``: the shipped rows within the goals, bad files refused, exit codes."""

import json

import pytest

from dsv3calc.exit_status import ExitStatus

GOALS = {
    "kernel_gemm.dense": 0.055,
    "kernel_grouped_gemm.fused": 0.09,
    "kernel_attention.prefill": 0.09,
    "kernel_attention.decode": 0.12,
    "kernel_attention.mla_decode": 0.08,
    "collective_other.nccl": 0.12,
    "collective_a2a.nccl": 0.12,
}
"""Median errors on times that no fit saw."""
ROW = {
    "id": "a", "area": "kernel_gemm", "what": "a product", "group": "own", "hw": "h100",
    "prec": "bf16", "value": {"m": 4096, "n": 7168, "k": 16384, "latency_us": 1160},
}  # fmt: skip


def written(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@pytest.mark.parametrize(("name", "goal"), GOALS.items())
def test_medians_on_unseen_rows_are_within_the_goals(validated, name, goal):
    values = {line.name: line.value for line in validated.columns[0].ledger.lines}
    assert values[f"validate.{name}.median_abs_error"] <= goal
    assert values[f"validate.{name}.median_abs_error"] < values[f"validate.{name}.roofline_error"]
    low, high = (values[f"validate.{name}.median_{end}"] for end in ("low", "high"))
    assert low <= values[f"validate.{name}.median_abs_error"] <= high


def test_every_row_is_scored_or_left_out_for_a_reason(validated):
    left = validated.query["left_out"]
    assert "training_dense" in {each["area"] for each in left}
    assert all(each["why"] and each["rows"] for each in left)
    assert sum(each["rows"] for each in left if each["unusable"]) > 70
    rows = sum(
        score["rows"] for name, score in validated.query["scores"].items() if "." not in name
    )
    assert rows + sum(each["rows"] for each in left) <= 1456


def test_rows_show_each_time(program):
    found = program.json("validate", "--area", "kernel_gemm", "--hardware", "h200", "--rows")
    rows = found.data["rows"]
    assert len(rows) == 27 * 11
    for row in rows:
        assert row["error"] == pytest.approx(row["predicted"] / row["measured"] - 1)
        assert "fitted without half" in row["entry"]


def test_a_file_of_one_s_own_is_scored(program, tmp_path):
    found = program.json("validate", written(tmp_path, ROW))
    assert found.values["validate.kernel_gemm.rows"] == 1
    assert found.values["validate.kernel_gemm.median_abs_error"] < 0.1


def test_impossible_rows_and_unknown_devices_are_told_at_their_lines(program, tmp_path):
    fast = ROW | {"id": "b", "value": ROW["value"] | {"latency_us": 300}}
    file = written(tmp_path, ROW, fast, ROW | {"id": "c", "hw": "h999"})
    told = program.json("validate", file).data["warnings"]
    assert f"{file}:2: b: 300 us is below the bound of 972.4 us by the peaks of h100" in told
    assert any(each.startswith(f"{file}:3: c: unknown hardware 'h999'") for each in told)


def test_fail_over_exits_1(program, tmp_path):
    file = written(tmp_path, ROW)
    assert program("validate", file, "--fail-over", "0.2").status == ExitStatus.OK
    assert program("validate", file, "--fail-over", "0.001").status == ExitStatus.CHECK_FAILED


@pytest.mark.parametrize("value", ["nan", "-1", "inf"])
def test_fail_over_is_an_error(program, value):
    assert program("validate", "--fail-over", value).status == ExitStatus.USAGE


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"id": "x"}', json.dumps(ROW | {"value": {"latency_h": 1}})]
)
def test_a_file_that_holds_no_rows_exits_3(program, tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text(text, "utf-8")
    assert program("validate", str(path)).status == ExitStatus.INVALID_INPUT


def test_an_unknown_area_is_refused_with_those_there_are(program):
    run = program("validate", "--area", "kernel_gem")
    assert run.status == ExitStatus.USAGE
    assert "did you mean 'kernel_gemm'" in run.err
