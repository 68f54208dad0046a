"""Hostile text in each syntax: nothing of it is live, and nothing of it is lost."""

import csv
import html as html_library
import io
import json
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dsv3calc.reading import escaping

TEXTS = st.text() | st.text("\\`*_[]()<>&|~!$@#: ab1w.\n/%=+-,", max_size=30)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

# How the runners read a line: GitHub trims it and looks for "::" at its start, else for "##[" in
# it (actions/runner, src/Runner.Common/ActionCommand.cs); Azure Pipelines looks for "##vso[".
RUNNER_COMMAND = re.compile(r"(?m)^\s*::|##\w*\[")


@given(TEXTS)
def test_plain_text_is_one_printable_line(text):
    safe = escaping.escape(text)
    assert safe.isprintable()
    assert safe == text or not text.isprintable()


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("::error::x", r"\x3a:error::x"),
        ("  ::add-mask::x\na::b", "  \\x3a:add-mask::x\na::b"),
        ("\t::stop-commands::x", "\t\\x3a:stop-commands::x"),
        ("a ##[error]x", r"a #\x23[error]x"),
        ("##vso[task.setvariable]x", r"#\x23vso[task.setvariable]x"),
        ("### heading, a::b, #[x]", "### heading, a::b, #[x]"),
    ],
)
def test_no_line_of_plain_text_is_a_command(text, safe):
    assert escaping.inert(text) == safe
    assert not RUNNER_COMMAND.search(safe)


@given(TEXTS)
def test_no_line_of_any_plain_text_is_a_command(text):
    safe = escaping.escape_lines(f"##[x]\n::{text}\n::{text}")
    assert not RUNNER_COMMAND.search(safe)
    assert safe.replace("\n", "").replace("\t", "").isprintable()


@given(TEXTS)
def test_markdown_shows_the_text_and_nothing_else(text):
    words = escaping.markdown(text).strip()
    (inline,) = MARKDOWN.parseInline(words)
    assert {child.type for child in inline.children} <= {"text"}
    assert "".join(child.content for child in inline.children) == escaping.escape(text).strip()


@given(TEXTS)
def test_a_cell_of_a_markdown_table_stays_one(text):
    cell = escaping.markdown(text)
    code = escaping.markdown_code(text).replace("|", r"\|")
    tokens = MARKDOWN.parse(f"| a | b | c |\n| - | - | - |\n| {cell} | {code} | end |\n")
    cells = [token.content for token in tokens if token.type == "inline"]
    assert len(cells) == 6
    assert cells[-1] == "end"


def test_what_github_adds_to_markdown_is_not_live():
    safe = escaping.markdown("http://a.b www.a.b a@b.c @team #1 :smile: $x$ ~~x~~")
    assert safe == r"http\://a.b www\.a.b a\@b.c \@team \#1 \:smile: \$x\$ \~\~x\~\~"


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://arxiv.org/abs/2412.19437", "<https://arxiv.org/abs/2412.19437>"),
        ("https://a.b/> <b>", "<https://a.b/%3E%20%3Cb%3E>"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("http://a.b", r"http\://a.b"),
    ],
)
def test_links_of_markdown(address, link):
    assert escaping.markdown_link(address) == link


@given(TEXTS)
def test_html_shows_the_text_and_nothing_else(text):
    safe = escaping.html(text)
    assert not set("<>\"'") & set(safe)
    assert not RUNNER_COMMAND.search(f"<p>{safe}")
    assert html_library.unescape(safe) == escaping.escape(text)


@given(TEXTS)
def test_xml_gives_the_text_back(text):
    root = ET.Element("a", {"b": escaping.escape(text)})
    root.text = "\n".join(["::error::x", escaping.escape(text), "##[error]x"])
    document = escaping.xml_document(root)
    assert document.isascii()
    assert not RUNNER_COMMAND.search(document)
    found = ET.fromstring(document)  # noqa: S314 - our own output
    assert (found.get("b"), found.text) == (root.get("b"), root.text)


@pytest.mark.parametrize("ascii_only", [False, True])
@given(TEXTS)
def test_json_gives_the_text_back_and_is_printable(ascii_only, text):
    data = {text: [text, "\x9b \x85 \u2028 \u202e \U000e0001 ::x ##[error]x é", 10**40, 0.1, None]}
    document = escaping.json_document(data, ascii_only=ascii_only)
    assert document.isprintable()
    assert document.isascii() or not ascii_only
    assert not RUNNER_COMMAND.search(document)
    assert json.loads(document) == data
    indented = escaping.json_document(data, indent=2, ascii_only=ascii_only)
    assert indented.replace("\n", "").isprintable()
    assert json.loads(indented) == data


def test_json_escapes_are_those_of_the_standard():
    document = escaping.json_document("a\x9b\u202e\U000e0001é")
    assert document == r'"a\u009b\u202e\udb40\udc01é"'


def test_json_takes_names_that_are_not_utf8():
    """Python reads such a byte as half of a surrogate pair, which JSON readers refuse."""
    assert escaping.json_document({"file": "m\udcff.yaml"}) == r'{"file":"m\\udcff.yaml"}'


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("＝1", "'＝1"),
        ("a=1", "a=1"), (-1, -1), (None, ""), (["a", "b"], "a b"), ("", ""),
        ("a\nb", r"a\nb"), ("\t=1", r"\t=1"),
    ],
)  # fmt: skip
def test_cells_of_csv(value, cell):
    assert escaping.csv_cell(value) == cell


@given(TEXTS)
def test_a_row_of_csv_is_one_line(text):
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([escaping.csv_cell(text), "end"])
    (line,) = buffer.getvalue().splitlines()
    cell, end = next(csv.reader([line]))
    assert end == "end"
    assert cell.removeprefix("'") == escaping.escape(text) or cell == escaping.escape(text)
    assert cell[:1] not in set("=+-@\t\r")


@given(TEXTS, TEXTS)
def test_a_github_command_is_one_line(message, title):
    command = escaping.github_command("error", message, title=title, line="1")
    head, properties, data = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", command).groups()
    assert head == "error"
    assert [each.partition("=")[0] for each in properties.split(",")] == ["title", "line"]
    assert command.isprintable()
    lines = [escaping.escape(line) for line in message.split("\n")]
    assert data.replace("%0A", "\n").replace("%25", "%") == "\n".join(lines)


def test_links_of_a_sarif_message_are_text():
    assert escaping.sarif_message("[a](b)") == r"[a\](b)"
