"""``reproduce``: what it prints in each format, and its exit status."""

import csv
import io

import pytest

from dsv3calc.exit_status import ExitStatus
from dsv3calc.studies.goldens import reproduce

COUNTS = ("closed_form_rows", "exact", "within", "explained", "failing", "measured", "settings",
          "not_covered")  # fmt: skip
KINDS = ("derived", "identity", "form", "fitted")
FIGURES = ("derived_figures", "derived.exact", "derived.within", "derived.explained",
           "derived.failing")  # fmt: skip


def test_json_values_add_up(program):
    found = program.json("reproduce")
    values = found.values
    names = [*COUNTS, *(f"{kind}_rows" for kind in KINDS), *FIGURES]
    assert list(values) == [f"reproduce.{name}" for name in names]
    exact, within, explained, failing, *others = list(values.values())[1 : len(COUNTS)]
    assert values["reproduce.closed_form_rows"] == exact + within + explained + failing
    assert values["reproduce.closed_form_rows"] >= 120
    assert failing == 0
    rows = found.data["rows"]
    assert len(rows) == values["reproduce.closed_form_rows"] + sum(others)
    for name in COUNTS[1:]:
        assert sum(row["group"] == name for row in rows) == values[f"reproduce.{name}"]
    for kind in KINDS:
        assert sum(row["kind"] == kind for row in rows) == values[f"reproduce.{kind}_rows"]


def test_the_headline_counts_what_is_derived(program):
    out = program.ok("reproduce", "deepgemm").out
    assert out.startswith("0 figures derived from a model, a layout or a device:")
    assert "38 rows: 0 derived, 38 identities between printed numbers" in out


def test_json_follows_the_published_schema(program, schema):
    schema("answer").validate(program.json("reproduce", "day6").data)
    schema("answer").validate(program.json("formula", "eval", "peak_ratio", "achieved_peak=2",
                                           "peak=1").data)  # fmt: skip


def test_a_row_has_everything(program):
    rows = program.json("reproduce", "isca25").data["rows"]
    (row,) = [row for row in rows if row["id"] == "I-5"]
    assert (row["published"], row["ours"]) == ("7.28x", "7.3443x")
    assert row["verdict"] == "does not follow"
    assert row["relative_error"] == pytest.approx(516.096 / 70.272 / 7.28 - 1)
    assert row["query"] == "compare deepseek-v3 qwen2.5-72b llama-3.1-405b"
    assert "7.344" in row["why"]
    assert row["source"] == "arXiv:2505.09343v2, Table 1, multiplier, LLaMA-3.1 405B"
    (row,) = [row for row in rows if row["id"] == "I-10"]
    assert row["convention"] == "isca25-table2"


def test_the_table_is_within_80_columns(program):
    for paper in reproduce.paper_files():
        text = program.ok("reproduce", paper).out
        assert max(map(len, text.splitlines())) <= 80, paper
    assert "a reader" not in text


def test_the_table_says_why_a_figure_does_not_follow(program):
    text = " ".join(program.ok("reproduce", "isca25").out.split())
    assert "I-11.moe-rows" in text
    assert "444.9 GFLOP" in text


def test_csv_and_markdown_have_everything(program):
    text = program.ok("reproduce", "day6", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {"id", "convention", "source", "query", "relative_error", "why"} <= rows[0].keys()
    text = program.ok("reproduce", "day6", "--format", "markdown").out
    assert r"| D-4 | cost of a day | \$87,072 | \$87,072 | 0 | form | \$2 an hour | exact |" in text


def test_unrounded_values(program):
    text = program.ok("reproduce", "isca25", "--exact", "--format", "markdown").out
    assert "| 249,811,304,448 FLOP/token |" in text


def test_several_papers_and_only_failing(program):
    found = program.json("reproduce", "day6", "flashmla", "--only-failing")
    assert found.data["query"]["papers"] == ["day6", "flashmla"]
    assert found.data["rows"] == []
    assert found.values["reproduce.exact"] > 0
    program.ok("reproduce", "day6", "--only-failing")
    head = program.ok("reproduce", "day6", "--only-failing", "--format", "csv").out
    assert head.startswith("paper,id")


def test_an_unknown_paper(program):
    found = program.refused(ExitStatus.USAGE, "reproduce", "isca26")
    assert "did you mean 'isca25'" in found.err
    found = program.refused(ExitStatus.USAGE, "reproduce", "nothing-like-it")
    assert "papers: day6, deepep" in found.err
    program.refused(ExitStatus.USAGE, "reproduce", "day6", "no/such.yaml")
    program.refused(ExitStatus.USAGE, "reproduce", "")


FIGURE = (
    "goldens: [{id: A-1, kind: derived, query: kv deepseek-v3, "
    "quantity: kv_cache.bytes_per_token, %s}]\n"
)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("expect: 70272", ExitStatus.OK),
        ("expect: 70271", ExitStatus.CHECK_FAILED),
        ("expect: 70271, reproduces: false, why: odd", ExitStatus.OK),
        ("expect: 70272, reproduces: false, why: even", ExitStatus.CHECK_FAILED),
    ],
)
@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_exit_status(program, file, monkeypatch, fields, status, form):
    path = file("made-up.yaml", FIGURE % fields)
    monkeypatch.setattr(reproduce, "paper_files", lambda: {"made-up": str(path)})
    found = program("reproduce", "--format", form)
    assert found.status == status
    assert "A-1" in found.out
    failing = program("reproduce", "--only-failing", "--format", form)
    assert failing.status == status
    assert ("A-1" in failing.out) == (status != ExitStatus.OK)
