import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.commands.request import OutputOptions
from dsv3calc.output import github
from dsv3calc.output.check_report import repository_path
from dsv3calc.output.write import show
from dsv3calc.reading.escaping import escape

OPTIONS = OutputOptions(format="github")
COMMAND = re.compile(r"::(?P<name>error|warning|notice)(?: (?P<properties>[^:]*))?::(?P<data>.*)")


@pytest.fixture(autouse=True)
def no_runner(monkeypatch):
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def render(answer):
    return github.render(answer, OPTIONS, color=False)


def unescape(text, *, of_property=False):
    codes = {"%0D": "\r", "%0A": "\n"}
    if of_property:
        codes |= {"%3A": ":", "%2C": ","}
    for code, letter in codes.items():
        text = text.replace(code, letter)
    return text.replace("%25", "%")


def parse(text):
    """Read workflow commands as the runner does: every line must be one of ours."""
    assert text.endswith("\n")
    commands = []
    for line in text[:-1].split("\n"):
        assert line.isprintable()
        match = COMMAND.fullmatch(line)
        assert match, line
        properties = {}
        for each in (match["properties"] or "").split(","):
            name, _, value = each.partition("=")
            if name:
                assert name not in properties
                properties[name] = unescape(value, of_property=True)
        commands.append((match["name"], properties, unescape(match["data"])))
    return commands


def test_an_error_for_each_failed_row_and_the_counts(make_row, make_answer):
    text = render(make_answer(make_row(), make_row("moved"), make_row("broken", line=12)))
    assert text.splitlines()[0] == (
        "::error file=numbers/kv.yaml,line=7,title=kv_cache.bytes_per_token changed"
        "::kv_cache.bytes_per_token of kv deepseek-v3 is 80000 B/token, expected 70272 exactly"
        "%0Adifference: +9,728 (+13.8434%25)%0Abecause model.num_hidden_layers: 61 -> 62"
        "%0Abecause formula entry_bytes changed"
    )
    moved, broken, counts = parse(text)
    assert moved[1]["line"] == "7"
    assert broken[1] == {
        "file": "numbers/kv.yaml",
        "line": "12",
        "title": "kv_cache.bytes_per_token cannot be checked",
    }
    assert broken[2].endswith(
        "cannot be checked: the answer has no quantity 'x'; did you mean 'y'?"
    )
    title = {"title": "dsv3calc check"}
    assert counts == ("notice", title, "3 rows: 1 unchanged, 1 changed, 1 error")


def test_a_budget_is_not_said_to_have_changed(make_row, make_answer):
    row = make_row("moved", expected="<= 70KB", tolerance="<= 70KB")
    (command, *_) = parse(render(make_answer(row)))
    assert command[1]["title"] == "kv_cache.bytes_per_token outside budget"


def test_nothing_failed(make_row, make_answer):
    assert render(make_answer(make_row())) == (
        "::notice title=dsv3calc check::1 row: 1 unchanged, 0 changed\n"
    )


def test_notes_and_warnings_are_commands_too(make_row, make_answer):
    answer = make_answer(make_row())
    answer.warnings.append("mind\n::error::x")
    answer.notes.append("numbers/kv.yaml: 1 expectation updated")
    assert parse(render(answer))[:2] == [
        ("warning", {}, "mind\n::error::x"),
        ("notice", {}, "numbers/kv.yaml: 1 expectation updated"),
    ]
    assert len(render(answer).splitlines()) == 3


def test_a_row_cannot_inject_a_command(make_row, make_answer, hostile):
    names = ("file", "quantity", "query", "column", "source", "note", "difference", "tolerance")
    rows = [
        make_row(status, **dict.fromkeys(names, hostile), why=[hostile])
        for status in ("moved", "broken")
    ]
    commands = parse(render(make_answer(*rows)))
    assert [name for name, _, _ in commands] == ["error", "error", "notice"]
    for _, properties, message in commands[:2]:
        assert list(properties) == ["file", "line", "title"]
        assert properties["file"] == escape(repository_path(hostile))
        assert properties["line"] == "7"
        assert f"note: {escape(hostile)}" in message.split("\n")


@given(st.text(), st.text().filter(lambda query: query != "(file)"), st.text())
def test_any_text_comes_back_as_it_was(make_row, make_answer, quantity, query, reason):
    row = make_row("moved", quantity=quantity, query=query, why=[reason], difference=None)
    (_, properties, message), _ = parse(render(make_answer(row)))
    assert message.startswith(f"{escape(quantity)} of {escape(query)} is 80000 B/token")
    if "\n" not in reason:
        assert message.endswith(f"because {escape(reason)}")
    assert len(properties["title"]) <= 200


def test_paths_begin_at_the_top_of_the_repository(tmp_path, monkeypatch):
    inside = tmp_path / "top" / "numbers"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert repository_path("kv.yaml") == "kv.yaml"
    assert repository_path(str(inside / "kv.yaml")) == "kv.yaml"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "top"))
    assert repository_path("kv.yaml") == "numbers/kv.yaml"
    assert repository_path("../numbers/./kv.yaml") == "numbers/kv.yaml"
    assert repository_path(str(tmp_path / "topmost.yaml")) == str(tmp_path / "topmost.yaml")
    (tmp_path / "link").symlink_to(tmp_path / "top")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "link"))
    assert repository_path("kv.yaml") == "numbers/kv.yaml"


def cells(line):
    """Split a row of a Markdown table as GitHub does: at every pipe that no backslash precedes."""
    assert line.startswith("| ")
    assert line.endswith(" |")
    return re.split(r"(?<!\\)\|", line)[1:-1]


def table(text):
    lines = [line for line in text.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in cells(line)] for line in lines[2:]]


def test_the_summary_is_a_table_of_what_failed(make_row, make_answer):
    text = github.summary(make_answer(make_row(), make_row("moved"), make_row("broken")))
    assert text.startswith("### dsv3calc check\n\n3 rows: 1 unchanged, 1 changed, 1 error\n\n| ")
    assert table(text) == [
        [
            "numbers/kv.yaml:7",
            "kv_cache.bytes_per_token of kv deepseek-v3",
            "70272 exactly",
            "80000 B/token",
            "+9,728 (+13.8434%)",
            "model.num_hidden_layers: 61 -> 62; formula entry_bytes changed",
        ],
        [
            "numbers/kv.yaml:7",
            "kv_cache.bytes_per_token of kv deepseek-v3",
            "",
            "",
            "",
            "the answer has no quantity 'x'; did you mean 'y'?",
        ],
    ]


def test_the_summary_of_a_good_check_has_no_table(make_row, make_answer):
    text = github.summary(make_answer(make_row()))
    assert text == "### dsv3calc check\n\n1 row: 1 unchanged, 0 changed\n\n"


def test_no_character_of_a_row_means_anything_to_markdown(make_row, make_answer, hostile):
    names = ("file", "quantity", "query", "column", "difference", "tolerance")
    row = make_row("moved", **dict.fromkeys(names, hostile), why=[hostile])
    text = github.summary(make_answer(row))
    (line,) = text.split("\n")[6:-2]
    found = cells(line)
    assert len(found) == 6
    for cell in found:
        assert not set("\\`*[]<|~$@#") & set(re.sub(r"\\[^\w\s]", "", cell))
        assert not re.search(r"www\.|(?<!\\):(?://|:)", cell)


def test_reasons_and_cells_of_the_summary_have_an_end(make_row, make_answer):
    row = make_row("moved", why=[f"reason {i}" for i in range(9)], note="n" * 10**6)
    assert table(github.summary(make_answer(row)))[0][5].endswith("reason 4; and 4 more")
    row = make_row("moved", quantity="q" * 10**6)
    assert len(github.summary(make_answer(row))) < 2_000


def test_a_large_summary_says_what_is_left_out(make_row, make_answer):
    text = github.summary(make_answer(*[make_row("moved")] * 10_000))
    assert 900_000 < len(text.encode()) < 1024**2
    listed = len(table(text))
    assert text.endswith(
        f"\n{10_000 - listed:,} more failed: the log of the step lists them all.\n\n"
    )
    assert table(github.summary(make_answer(make_row("moved")), 10)) == []


def test_showing_appends_to_the_step_summary(make_row, make_answer, tmp_path, monkeypatch, capsys):
    path = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    answer = make_answer(make_row("moved"))
    show(answer, OPTIONS)
    assert path.read_text() == github.summary(answer)
    path.write_text("of an earlier command")
    show(answer, OPTIONS)
    assert path.read_text() == f"of an earlier command\n{github.summary(answer)}"
    written, told = capsys.readouterr()
    assert written == render(answer) * 2
    assert told == ""
    path.write_text("x" * 999_000)
    show(answer, OPTIONS)
    assert path.stat().st_size < 1024**2
    size = path.stat().st_size
    show(answer, OutputOptions(format="markdown"))
    assert path.stat().st_size == size


def test_rendering_writes_no_summary(make_row, make_answer, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    render(make_answer(make_row("moved")))
    assert list(tmp_path.iterdir()) == []


def test_a_summary_that_cannot_be_written_changes_nothing(
    make_row, make_answer, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "missing" / "summary.md"))
    answer = make_answer(make_row("moved"))
    show(answer, OPTIONS)
    written, told = capsys.readouterr()
    assert written == render(answer)
    assert told.startswith("warning: no step summary: ")


def test_a_real_check(check, golden_file):
    answer = check(golden_file)
    moved, broken, counts = parse(render(answer))
    assert moved[1]["file"] == broken[1]["file"] == "numbers/kv.yaml"
    assert (moved[1]["line"], broken[1]["line"]) == ("7", "11")
    assert counts[2] == "3 rows: 1 unchanged, 0 changed, 1 outside budget, 1 error"
    assert render(answer) == render(check(golden_file))


def test_a_problem_of_a_file_is_told_with_a_suggestion(check, golden_file, tmp_path):
    (tmp_path / golden_file).write_text("goldens:\n  - qury: kv\n")
    answer = check(golden_file)
    (_, properties, message), *_ = parse(render(answer))
    assert properties["line"] == "2"
    assert "did you mean 'query'?" in message
    assert "^" not in github.summary(answer)


def test_the_command_line_annotates_by_itself_on_github(golden_file, tmp_path):
    environment = os.environ | {
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    command = [sys.executable, "-m", "dsv3calc", "check", Path(golden_file).name]
    done = subprocess.run(
        command,
        cwd=tmp_path / "numbers",
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 3
    assert [name for name, _, _ in parse(done.stdout)] == ["error", "error", "notice"]
    assert parse(done.stdout)[0][1]["file"] == "numbers/kv.yaml"
    assert len(table((tmp_path / "summary.md").read_text(encoding="utf-8"))) == 2
