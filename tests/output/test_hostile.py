"""What a stranger wrote into a preset or a golden file is text in every format, and no more."""

import csv
import io
import json
import re
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from dsv3calc.api import answer as ask
from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.cli import parse
from dsv3calc.errors import Infeasible, InvalidInput, UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.output import table, write
from dsv3calc.output.failure import report_failure
from dsv3calc.output.options import OutputOptions
from dsv3calc.reading.diagnostics import Problem
from dsv3calc.reading.escaping import escape
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.explain.explanation import Origin

RUNNER_COMMAND = re.compile(r"(?m)^\s*::|##\w*\[")
STYLE = re.compile(r"\x1b\[[0-9;]*m")
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {
    "text", "softbreak", "hardbreak", "code_inline", "strong_open", "strong_close",
}  # fmt: skip


@pytest.fixture(params=["kv", "compare", "listing", "check", "explain", "eval"])
def answers(request, hostile, make_row, make_answer, tmp_path):
    """Return answers that hold a hostile text wherever a file or a command line can put one."""
    text = (packaged_presets() + "/models/mistral-7b.yaml",)
    with open(text[0], encoding="utf-8") as file:
        preset = file.read()
    path = tmp_path / "m.yaml"
    safe = json.dumps(hostile.replace("\ud800", "").replace("\ufffe", ""))
    path.write_text(re.sub("(?m)^title:.*$", lambda _: f"title: {safe}", preset), "utf-8")
    if request.param in ("kv", "eval"):
        found = [ask(f"kv {path}")]
        if request.param == "eval":
            found[0].asked = hostile
            found[0].query["line"] = 1
    elif request.param == "compare":
        found = [ask(f"compare {path} mistral-7b")]
        found[0].columns[0].id = hostile
    elif request.param == "listing":
        found = [Answer("presets list", {}, "rows")]
        found[0].rows = [{"kind": "model", "name": hostile, hostile: hostile, "list": [hostile]}]
    elif request.param == "check":
        names = ("file", "id", "quantity", "query", "column", "source", "note", "difference")
        rows = [
            make_row(status, **dict.fromkeys(names, hostile), why=[hostile])
            for status in ("moved", "broken", "kept")
        ]
        found = [make_answer(*rows)]
    else:
        found = [parse(["explain", "kv", str(path)]).answer()]
        for each in found[0].explanations:
            _poison(each.line, hostile)
    for each in found:
        for texts in (each.warnings, each.notes, each.assumptions):
            texts.append(hostile)
    return found if request.param == "eval" else found[0]


def _poison(line, hostile):
    line.convention = line.summary = line.source = hostile
    if line.origin is not None:
        line.origin = Origin(hostile, hostile, hostile, 1, hostile, hostile, hostile)
    for each in line.inputs:
        _poison(each.line, hostile)


def shown(answers, capsys, **options):
    several = isinstance(answers, list)
    write.show(iter(answers) if several else answers, OutputOptions(**options))
    found = capsys.readouterr()
    for text in (found.out, found.err):
        assert STYLE.sub("", text).replace("\n", "").isprintable()
        assert not RUNNER_COMMAND.search(text)
    return found.out


def test_tables(answers, capsys, hostile, monkeypatch):
    plain = shown(answers, capsys, color="never")
    assert STYLE.sub("", shown(answers, capsys, color="always")) == plain
    count = len(plain.splitlines())
    for width in (40, 250):
        monkeypatch.setattr(table, "terminal_width", lambda _, width=width: width)
        shown(answers, capsys)
    monkeypatch.undo()
    for each in answers if isinstance(answers, list) else [answers]:
        each.notes.append(f"{hostile}\nnote: forged")
    assert len(shown(answers, capsys, color="never").splitlines()) <= count + 20
    assert not re.search("(?m)^note: forged", shown(answers, capsys, color="never"))


def test_csv(answers, capsys):
    rows = list(csv.reader(io.StringIO(shown(answers, capsys, format="csv"))))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if re.match(r"[=@\t\r]|[+-]\D", cell)]


def test_json(answers, capsys, hostile):
    written = hostile.encode("utf-8", "backslashreplace").decode()  # half a surrogate is no text
    for line in shown(answers, capsys, format="json").splitlines():
        assert written in json.loads(line)["notes"]


def test_markdown(answers, capsys):
    text = shown(answers, capsys, format="markdown")
    for token in MARKDOWN.parse(text):
        assert token.type != "html_block"
        for child in token.children or ():
            ours = child.type in OURS or child.content == "<br>"
            # explanations link the address of a source, where it is one of the web
            link = child.type in ("link_open", "link_close") and child.info == "auto"
            assert ours or (link and child.attrGet("href") in (None, "https://"))


@pytest.mark.parametrize("form", ["junit", "sarif"])
def test_reports(form, make_row, make_answer, hostile, capsys):
    names = ("id", "quantity", "query", "source", "note", "difference")
    path = hostile.replace("\ud800", "\udc80")  # what a name that is not UTF-8 is read as
    rows = [
        make_row(each, file=path, **dict.fromkeys(names, hostile), why=[hostile])
        for each in ("moved", "broken")
    ]
    text = shown(make_answer(*rows), capsys, format=form)
    assert text.isascii()
    if form == "junit":
        assert escape(hostile) in ET.fromstring(text).find(".//failure").text  # noqa: S314
    else:
        assert (
            escape(hostile).replace("](", "\\](")
            in json.loads(text)["runs"][0]["results"][0]["message"]["text"]
        )


def test_pages(hostile, capsys):
    found = parse(["explain", "kv", "mistral-7b"]).answer()
    for each in found.explanations:
        each.title = hostile
        _poison(each.line, hostile)
    found.notes.append(hostile)
    text = shown(found, capsys, format="html")
    tags = set(re.findall(r"</?(\w+)", text))
    assert tags <= {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "ul",
                    "li", "details", "summary", "div", "span", "code", "a"}  # fmt: skip


def test_a_file_that_is_printed_as_it_is(hostile, capsys, tmp_path, monkeypatch):
    found = Answer("presets show", {}, "rows")
    found.text = f"# {hostile}\n{hostile}\n\tx: 1\n"
    write.show(found, OutputOptions())
    text = capsys.readouterr().out
    assert not RUNNER_COMMAND.search(text)
    assert text.replace("\n", "").replace("\t", "").isprintable()
    monkeypatch.chdir(tmp_path)
    if "\ud800" not in hostile:
        write.show(found, OutputOptions(file="copy"))
        with open("copy", encoding="utf-8", newline="") as file:
            assert file.read() == found.text


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_failures(hostile, form, capsys):
    """An error of each kind, and the report of a defect."""
    failures = [
        UsageError(hostile, hostile),
        InvalidInput([Problem(hostile, 1, 1, hostile, why=hostile, source_line=hostile)]),
        Infeasible(hostile),
        OSError(2, hostile, hostile),
        ValueError(hostile),
    ]
    for failure in failures:
        status = report_failure(failure, ["kv", hostile, *form])
        text = capsys.readouterr().err
        assert text.replace("\n", "").isprintable()
        assert not RUNNER_COMMAND.search(text)
        assert (status == ExitStatus.INTERNAL_ERROR) == isinstance(failure, ValueError)
        if form:
            assert json.loads(text)["errors"]
