"""Files of measurements: read line by line, every problem at its line."""

import json

import pytest

from dsv3calc.errors import InvalidInput
from dsv3calc.reading.compiled_presets import texts_of
from dsv3calc.studies.measurements.rows import read_rows, shipped_files

ROW = {
    "id": "a",
    "area": "kernel_gemm",
    "what": "a product",
    "group": "g",
    "hw": "h100",
    "prec": "bf16",
    "value": {"m": 4096, "n": 7168, "k": 16384, "latency_us": 1160},
}


def written(tmp_path, *lines):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return [str(path)]


def problems_of(files):
    with pytest.raises(InvalidInput) as caught:
        list(read_rows(files))
    return [(problem.line, problem.path, problem.what) for problem in caught.value.problems]


def test_the_lines_of_a_yaml_list_are_read_like_json_lines(tmp_path):
    text = json.dumps(ROW)
    files = written(tmp_path, "# a comment", "", f"- {text}", json.dumps(ROW | {"id": "b"}))
    assert [(place.line, row.id) for place, row in read_rows(files)] == [(3, "a"), (4, "b")]


def test_every_problem_is_reported_at_its_line(tmp_path):
    files = written(
        tmp_path,
        json.dumps(ROW),
        "{not json",
        json.dumps(ROW),
        json.dumps(ROW | {"id": "b", "value": {"latency_min": 3}}),
        json.dumps(ROW | {"id": "c", "value": {"latency_us": -3}}),
        json.dumps(ROW | {"id": "d", "series": {"m": [1, 2], "latency_us": [1]}}),
        json.dumps(ROW | {"id": "e", "value": {}, "series": {}}),
        json.dumps({"id": 3}),
        "[1, 2]",
    )
    found = problems_of(files)
    assert {line for line, _, _ in found} == {2, 3, 4, 5, 6, 7, 8, 9}
    by_line = {line: (path, what) for line, path, what in found}
    assert by_line[3] == ("id", "the id 'a' is given twice")
    assert by_line[4] == ("value.latency_min", "'min' is no unit of time")
    assert by_line[5] == ("value.latency_us", "a time cannot be -3")
    assert by_line[6] == ("series", "the lists are not equally long")


def test_bytes_that_are_no_text_are_reported_at_their_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(json.dumps(ROW).encode() + b'\n{"id": "\xff"}\n')
    assert [line for line, _, _ in problems_of([str(path)])] == [2]


def test_a_row_of_a_time_that_is_no_number_is_refused(tmp_path):
    for time in (True, "3", None, [1, "2"], 1e999):
        value = ROW["value"] | {"latency_us": time}
        text = json.dumps(ROW | {"value": value}).replace("Infinity", "1e999")
        assert [line for line, _, _ in problems_of(written(tmp_path, text))] == [1]


def test_a_long_file_is_read_row_by_row(tmp_path):
    lines = [json.dumps(ROW | {"id": f"r{number}"}) for number in range(20_000)]
    rows = read_rows(written(tmp_path, *lines))
    assert next(rows)[1].id == "r0"
    assert sum(1 for _ in rows) == 19_999


def test_the_shipped_rows_are_right_and_name_their_sources():
    rows = [row for _, row in read_rows(shipped_files())]
    assert len(rows) == 1456
    assert all(row.src and row.date and row.group for row in rows)
    assert sum(bool(row.unusable) for row in rows) > 70


def test_shipped_rows_are_not_among_the_compiled_presets(request):
    folder = request.config.rootpath / "presets"
    assert not any("latency_us" in text for text in texts_of(str(folder)))
