import io
import json
import os
import sys
import threading
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.errors import InvalidInput
from dsv3calc.reading.source import Source, parse_json, read_source
from dsv3calc.reading.text import DEEPEST, LARGEST, LARGEST_JSON, MOST_PROBLEMS, Position

PRESET = """\
# a preset
name: deepseek-v3
attention:
  kind: mla
  kv_lora_rank: 512   # citation
layers: [1, {first: 2}]
rates:
- 3.35e12
- "400 Gbit/s"
"""


def problems(text, form="yaml"):
    with pytest.raises(InvalidInput) as caught:
        _ = Source("a", text, form).data
    assert str(caught.value)
    return caught.value.problems


def refused(text, form="yaml"):
    (problem,) = problems(text, form)
    return problem


# --- scalars --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("+12", 12),
        ("-7", -7),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1e6", 1e6),
        ("671e9", 671e9),
        ("6.71e11", 6.71e11),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5E-3", -0.0015),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("0b1", "0b1"),
        ("2026-01-02", "2026-01-02"),
        ("on", "on"),
        ("no", "no"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("=", "="),
        ("'1'", "1"),
        ('"true"', "true"),
        ("''", ""),
        ("1 2", "1 2"),
        ("3.35 TB/s", "3.35 TB/s"),
        ("-", None),
        ("é漢", "é漢"),
        ("|\n  1\n  2", "1\n2"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "\N{ARABIC-INDIC DIGIT ONE}"),
        (".", "."),
        ("+", "+"),
        ("1e", "1e"),
    ],
)
def test_yaml_core_scalars(text, value):
    found = Source("a", f"key: {text}" if text != "-" else "key:").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_texts_as_written():
    assert Source("a", "1: a\ntrue: b\non: c\n1e6: d\n'x y': e").data == {
        "1": "a",
        "true": "b",
        "on": "c",
        "1e6": "d",
        "x y": "e",
    }


def test_structures():
    assert Source("a", PRESET).data == {
        "name": "deepseek-v3",
        "attention": {"kind": "mla", "kv_lora_rank": 512},
        "layers": [1, {"first": 2}],
        "rates": [3.35e12, "400 Gbit/s"],
    }
    assert Source("a", "- - 1\n  - []\n- {}").data == [[1, []], {}]
    assert Source("a", "just a text").data == "just a text"
    assert Source("a", "---\na: 1\n...\n").data == {"a": 1}


def test_byte_order_mark_and_carriage_returns():
    assert Source("a", "\ufeffa: 1\r\nb: 2\r\n").data == {"a": 1, "b": 2}
    assert refused("a: 1\r\na: 2\r\n").source_line == "a: 2"
    assert Source("a.json", '\ufeff{"a":\r\n1}').data == {"a": 1}


# --- positions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "key", "line", "column"),
    [
        ((), False, 2, 1),
        (("name",), False, 2, 7),
        (("name",), True, 2, 1),
        (("attention",), True, 3, 1),
        (("attention", "kv_lora_rank"), False, 5, 17),
        (("attention", "kv_lora_rank"), True, 5, 3),
        (("attention", "missing"), False, 3, 1),
        (("attention", "missing", "deeper", 3), False, 3, 1),
        (("layers", 1, "first"), False, 6, 21),
        (("layers", 7), False, 6, 1),
        (("rates", 1), False, 9, 3),
        (("nothing",), False, 2, 1),
    ],
)
def test_positions(path, key, line, column):
    assert Source("a", PRESET).position(path, key=key) == Position(line, column)


def test_positions_in_json():
    source = Source("config.json", '{\n\t"a": [1,\n  {"b": 2}],\n "é": 3, "c": 4}')
    assert source.position(("a",), key=True) == Position(2, 2)
    assert source.position(("a", 1, "b")) == Position(3, 9)
    assert source.position(("c",)) == Position(4, 15)
    assert source.position(("d",)) == Position(1, 1)


def test_positions_of_a_broken_text_are_those_before_the_fault():
    assert Source("a", "a: 1\nb: [").position(("a",)) == Position(1, 4)
    assert Source("a", "a: 1\nb: [").position(("c",)) == Position(1, 1)


def test_lines():
    source = Source("a", "one\r\ntwo\n\nfour")
    assert [source.line(n) for n in range(-1, 7)] == ["", "", "one", "two", "", "four", "", ""]


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "duplicate key 'a'"),
        ("{a: 1, a: 2}", 1, 8, "duplicate key 'a'"),
        ("a: &x 1", 1, 4, "anchor '&x'"),
        ("a: *x", 1, 4, "alias '*x'"),
        ("<<: {}", 1, 1, "merge keys"),
        ("a: !!python/object:os.system x", 1, 4, "tag"),
        ("a: !secret x", 1, 4, "tag '!secret'"),
        ("a: ! x", 1, 4, "tag '!'"),
        ("!!map {a: 1}", 1, 1, "tag"),
        ("!x k: 1", 1, 1, "tag '!x'"),
        ("a: 1\n---\nb: 2", 2, 1, "second document"),
        ("%YAML 1.1\n---\na: 1", 1, 1, "another version"),
        ("a: .inf", 1, 4, ".inf is not a number"),
        ("a: -.INF", 1, 4, "-.INF is not a number"),
        ("a: .nan", 1, 4, ".nan is not a number"),
        ("a: 1e999", 1, 4, "1e999 is too large"),
        (f"a: {'9' * 41}", 1, 4, "a number of 41 characters"),
        (f"a: 0x{'9' * 41}", 1, 4, "a number of 43 characters"),
        (f"a: 1.{'9' * 10**5}", 1, 4, "a number of 100002 characters"),
        ("? [a]\n: 1", 1, 3, "a key must be a plain word"),
        ("? {a: b}\n: 1", 1, 3, "a key must be a plain word"),
        ("?\n: 1", 1, 2, "a key is missing"),
        ("a: [1", 1, 6, "not YAML"),
        ("a: 'x", 1, 6, "not YAML"),
        ("a: b: c", 1, 5, "not YAML"),
        ("a:\n\t- 1", 2, 1, "not YAML"),
        ("a: @x", 1, 4, "not YAML"),
        ("a: 1\n b: 2", 2, 3, "not YAML"),
        ("", 1, 1, "empty"),
        ("\n \n", 1, 1, "empty"),
        ("# only a comment\n", 1, 1, "no data"),
        ("a: \x00", 1, 4, "control character U+0000"),
        ("a:\n  \x1b[31m", 2, 3, "control character U+001B"),
        ("a: \ud800", 1, 4, "control character U+D800"),
        ("a: \x9b", 1, 4, "control character U+009B"),
        ("a: 1\rb: 2", 1, 5, "unusual line break U+000D"),
        ("a: \u2028", 1, 4, "unusual line break U+2028"),
    ],
)
def test_yaml_that_is_refused(text, line, column, what):
    problem = refused(text)
    assert what in problem.what
    assert (problem.line, problem.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ('{"a": 1,\n "a": 2}', 2, 2, "duplicate key 'a'"),
        ('{"a": 1, "\\u0061": 2}', 1, 10, "duplicate key 'a'"),
        ('{"a": NaN}', 1, 7, "NaN is not a number"),
        ("[Infinity]", 1, 2, "Infinity is not a number"),
        ("[-Infinity]", 1, 2, "-Infinity is not a number"),
        ('{"a": 1', 1, 8, "the text ends"),
        ('{"a":\n', 2, 1, "the text ends"),
        ("[1, 2,]", 1, 7, "']' where a value"),
        ('{"a": 1,}', 1, 9, "'}' where a key"),
        ("[1 2]", 1, 4, "'2' where a comma"),
        ('{"a" 1}', 1, 6, "'1' where :"),
        ("{a: 1}", 1, 2, "'a' where a key"),
        ("[1}", 1, 3, "'}' where a comma"),
        ("1 2", 1, 3, "the end of the text"),
        ("[]]", 1, 3, "the end of the text"),
        ("01", 1, 1, "'01' where a value"),
        ("[+1]", 1, 2, "'+1' where a value"),
        ("[1.]", 1, 2, "'1.' where a value"),
        ("[.5]", 1, 2, "'.5' where a value"),
        ("['a']", 1, 2, "where a value"),
        ('["a', 1, 2, "where a value"),
        ('["a\nb"]', 1, 2, "where a value"),
        ('["\\q"]', 1, 2, "wrong escape"),
        ('["\\ud800"]', 1, 2, "wrong escape"),
        ("// comment\n1", 1, 1, "where a value"),
        ("[1e999]", 1, 2, "too large"),
        (f"[{'1' * 41}]", 1, 2, "a number of 41 characters"),
        ("", 1, 1, "empty"),
        ("True", 1, 1, "'True' where a value"),
        (",", 1, 1, "',' where a value"),
    ],
)
def test_json_that_is_refused(text, line, column, what):
    problem = refused(text, "json")
    assert what in problem.what
    assert (problem.line, problem.column) == (line, column)


def test_both_places_of_a_duplicate_key_are_named():
    problem = refused("x:\n  a: 1\n  b: 2\n  a: 3")
    assert (problem.line, problem.column, problem.path) == (4, 3, "x.a")
    assert "line 2, column 3" in problem.why


def test_all_problems_in_one_run():
    found = problems("a: &x 1\nb: *x\na: 2\nc: .nan\nd: [")
    assert [problem.line for problem in found] == [1, 2, 3, 4, 5]


def test_problems_are_bounded():
    assert len(problems("- .nan\n" * 10**4)) == MOST_PROBLEMS


def test_tabs_are_explained():
    assert "tabs" in refused("a:\n\t- 1").why


def test_billion_laughs():
    lines = ["a0: &a0 [lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert len(problems("\n".join(lines))) == MOST_PROBLEMS


DEEP = 100_000


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("[" * DEEP, "yaml"),
        ("{a: " * DEEP, "yaml"),
        ("- " * DEEP, "yaml"),
        ("? " * DEEP, "yaml"),
        ("\n".join(" " * n + "a:" for n in range(2500)), "yaml"),
        ("[" * DEEP + "]" * DEEP, "yaml"),
        ("[" * DEEP, "json"),
        ("[" * DEEP + "]" * DEEP, "json"),
        ('{"a":' * DEEP, "json"),
        ("[{" * DEEP, "json"),
    ],
)
def test_deep_nesting(text, form):
    found = problems(text, form)
    assert found[0].line


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_deepest_nesting(form):
    text = "[" * DEEPEST + "]" * DEEPEST
    assert Source("a", text, form).data
    assert f"{DEEPEST} levels" in refused(f"[{text}]", form).what


# --- files ----------------------------------------------------------------------------------


def file_problem(path):
    with pytest.raises(InvalidInput) as caught:
        read_source(path)
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    return problem


def test_a_file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: é", encoding="utf-8")
    source = read_source(path)
    assert (source.name, source.text, source.data) == (str(path), "a: é", {"a": "é"})


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"a: 1\nb: \xff", "byte 8 is 0xff"),
        (b"\xff\xfea\x00", "UTF-16"),
        (b"x" * (LARGEST + 1), "too large"),
    ],
    ids=["empty", "blank", "latin", "utf16", "large"],
)
def test_files_that_are_refused(tmp_path, content, what):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    assert what in file_problem(path).what


def test_a_sparse_gigabyte(tmp_path):
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(2**30)
    assert "1,073,741,824 bytes" in file_problem(path).what


def test_a_missing_file_and_its_neighbour(tmp_path):
    (tmp_path / "deepseek-v3.yaml").write_text("a: 1")
    problem = file_problem(tmp_path / "deepseek_v3.yml")
    assert problem.what == "no such file"
    assert problem.suggestion == str(tmp_path / "deepseek-v3.yaml")
    assert not file_problem(tmp_path / "no" / "a.yaml").suggestion


def test_what_is_no_file(tmp_path):
    assert "directory" in file_problem(tmp_path).what
    assert "cannot read" in file_problem(tmp_path / ("x" * 5000)).what
    assert "cannot read" in file_problem("a\0b").what
    (tmp_path / "a.yaml").write_text("a: 1")
    assert "cannot read" in file_problem(tmp_path / "a.yaml" / "b").what


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO here")
def test_a_fifo_and_a_device_do_not_hang(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    waiting = threading.Timer(20, os.kill, (os.getpid(), 14))
    waiting.start()
    try:
        assert "not a regular file" in file_problem(path).what
        assert "not a regular file" in file_problem("/dev/zero").what
    finally:
        waiting.cancel()


def test_no_permission(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    path = tmp_path / "a.yaml"
    path.write_text("a: 1")
    monkeypatch.setattr(os, "open", refuse)  # root may read all
    assert "no permission" in file_problem(path).what


def test_json_may_be_longer_but_not_hold_more_values(tmp_path):
    path = tmp_path / "config.json"
    names = ",".join(f'"model.layers.{layer}.mlp.experts.7.w1"' for layer in range(60_000))
    path.write_text(f'{{"ignore": [{names}]}}', encoding="utf-8")
    assert 2 * 1024**2 < path.stat().st_size < LARGEST_JSON == 5 * 1024**2
    assert len(read_source(path).data["ignore"]) == 60_000
    path.write_text(f"[{'1,' * 2**18}1, 1]", encoding="utf-8")
    with pytest.raises(InvalidInput, match="too many values"):
        read_source(path)
    path.write_bytes(b"{" + b" " * LARGEST_JSON)
    with pytest.raises(InvalidInput, match="too large"):
        read_source(path)


def test_json_of_a_config_may_hold_what_is_no_number():
    source = Source("config.json", '{"a": [NaN, -Infinity, Infinity], "b": 1}')
    found = parse_json(source, not_finite=True)
    assert str(found["a"]) == "[nan, -inf, inf]"
    assert source.position(("b",)) == Position(1, 40)
    with pytest.raises(InvalidInput, match="NaN is not a number"):
        parse_json(source)


def test_standard_input(monkeypatch):
    def feed(content):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    feed(b'{"a": 1}')
    source = read_source("-")
    assert source.name == "<stdin>"
    assert source.data == parse_json(source) == {"a": 1}
    feed(b"x" * (LARGEST + 100))
    with pytest.raises(InvalidInput, match="too large"):
        read_source("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InvalidInput, match="closed"):
        read_source("-")


# --- fuzz -----------------------------------------------------------------------------------

PIECES = [*PRESET.splitlines(keepends=True), *"&*!|>%@`\"'{}[],:?-#~<\t \n\r\0\x85\ufeff", "---"]


def value_or_refusal(text, form):
    source = Source("a", text, form)
    try:
        data = source.data
    except InvalidInput as error:
        assert error.problems  # noqa: PT017 - either way is right
        for problem in error.problems:
            assert problem.line is None or 1 <= problem.line <= text.count("\n") + 3
    else:
        json.dumps(data, allow_nan=False)
        return data
    finally:
        source.position(("layers", 1, "first"))
    return None


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=30))
def test_mutated_yaml_is_data_or_refused(pieces):
    value_or_refusal("".join(pieces), "yaml")


@given(st.integers(0, len(PRESET)), st.integers(0, 9), st.text(max_size=6))
def test_edited_yaml_is_data_or_refused(start, length, insert):
    value_or_refusal(PRESET[:start] + insert + PRESET[start + length :], "yaml")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**38), 10**38)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('abc é"\\:#-', max_size=4), inner),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_json_reads_as_the_standard_library_does(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = Source("a", text, "json").data
    assert found == json.loads(text)
    assert json.dumps(found) == json.dumps(json.loads(text))


@given(VALUES)
def test_yaml_reads_what_pyyaml_writes(value):
    text = yaml.dump(value, Dumper=Plain, allow_unicode=True)
    found = Source("a", text).data
    assert found == value


class Plain(yaml.SafeDumper):
    def ignore_aliases(self, _data):
        return True

    def represent_text(self, text):
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"')

    def represent_real(self, value):
        return self.represent_scalar("tag:yaml.org,2002:float", f"{value:.17e}")


Plain.add_representer(str, Plain.represent_text)
Plain.add_representer(float, Plain.represent_real)


@given(VALUES, st.data())
def test_mutated_json_is_data_or_refused(value, data):
    text = json.dumps(value)
    start = data.draw(st.integers(0, len(text)))
    insert = data.draw(st.text('{}[]",:\\ \n0eE.-NaIt', max_size=3))
    mutated = text[:start] + insert + text[start + data.draw(st.integers(0, 3)) :]
    found = value_or_refusal(mutated, "json")
    try:
        expected = json.loads(mutated)
    except ValueError:
        assert found is None
    else:
        assert found is None or found == expected
