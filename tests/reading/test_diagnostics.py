import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.errors import InvalidInput
from dsv3calc.reading.diagnostics import Problem, excerpt, quote, suggest
from dsv3calc.reading.escaping import escape


def test_compiler_form():
    problem = Problem(
        "a.yaml",
        3,
        7,
        "unknown field 'hiden_size'",
        path="attention.hiden_size",
        why="it would be ignored",
        valid="hidden_size",
        suggestion="hidden_size",
        next="dsv3calc validate a.yaml",
        source_line="      hiden_size: 1\n",
    )
    assert str(problem).splitlines() == [
        "a.yaml:3:7: error: unknown field 'hiden_size'",
        "          hiden_size: 1",
        "          ^",
        "    why: it would be ignored",
        "    valid: hidden_size",
        "    did you mean: hidden_size",
        "    try: dsv3calc validate a.yaml",
    ]
    assert problem.as_dict()["column"] == 7
    assert msgspec.json.decode(msgspec.json.encode(problem.as_dict())) == problem.as_dict()
    assert str(InvalidInput([problem, problem])) == f"{problem}\n{problem}"


def test_without_a_place():
    assert str(Problem("a.yaml", None, None, "no such file")) == "a.yaml: error: no such file"
    assert str(Problem("a.yaml", 2, None, "x")) == "a.yaml:2: error: x"


@given(st.text(), st.text(), st.integers(-5, 500), st.text(max_size=300))
def test_nothing_reaches_the_terminal_raw(name, what, column, line):
    problem = Problem(name, 1, column, what, name, what, name, what, name, source_line=line)
    for text in str(problem).split("\n"):
        assert text.isprintable()
    for value in problem.as_dict().values():
        assert not isinstance(value, str) or value.isprintable()


def test_escape_sequences_are_shown():
    text = str(Problem("a\x1b[2J.yaml", 1, 1, "\x9b31m \u202e", source_line="\x1b]0;title\x07"))
    assert "\\x1b[2J" in text
    assert "\\u202e" in text
    assert "\\x07" in text
    assert escape("plain é 漢") == "plain é 漢"


def test_long_lines_are_trimmed_around_the_caret():
    line = "a" * 5000 + "X" + "b" * 5000
    shown, caret = excerpt(line, 5001)
    assert len(shown) < 120
    assert shown[caret.index("^")] == "X"
    shown, caret = excerpt(line, 1)
    assert shown.startswith("    aaa")
    assert shown[caret.index("^")] == "a"
    shown, caret = excerpt(line, 10**9)
    assert caret.index("^") == len(shown)


def test_the_caret_stands_below_its_character():
    assert excerpt("\tX", 2) == ["     X", "     ^"]
    assert excerpt("\x1bX", 2) == ["    \\x1bX", "        ^"]
    assert excerpt("漢X", 2) == ["    漢X", "      ^"]


def test_long_texts_are_cut():
    assert len(str(Problem("a", 1, 1, "x" * 10**6))) < 1000


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("hiden_size", "hidden_size"),
        ("HIDDEN_SIZE", "hidden_size"),
        ("hidden-size", "hidden_size"),
        ("hidden_size", ""),
        ("quark", ""),
        ("", ""),
        ("x" * 10**6, ""),
    ],
)
def test_suggest(word, suggestion):
    assert suggest(word, ["num_hidden_layers", "hidden_size"]) == suggestion


def test_suggest_among_many_is_bounded():
    assert suggest("x", (f"{n}" * 10**4 for n in range(10**5))) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (10**5000, "a huge integer"),
        (0.5, "0.5"),
        ({}, "a mapping"),
        ([], "a list"),
        (b"", "a bytes"),
        ("x" * 100, f"'{'x' * 60}…'"),
        ("\x1b", "'\\x1b'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_quote(value, text):
    assert quote(value) == text
