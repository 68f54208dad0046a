"""The table of commands, walked: a part of a command that is forgotten is found here."""

import re
import shlex
from fnmatch import fnmatchcase

import msgspec
import pytest

import dsv3calc
from dsv3calc.catalogue.search_path import FOLDERS
from dsv3calc.cli import COMMANDS, load_command, parse
from dsv3calc.numbers.quantity import DIMENSIONS
from dsv3calc.output.view import build
from dsv3calc.queries.base import as_dict
from dsv3calc.queries.fields import fields_of, keys_of
from dsv3calc.queries.table import COMMANDS as TABLE
from dsv3calc.queries.table import GROUPS, PREFIXES, QUERIES, VIEWS, Command, struct_of

SCREEN = 24
QUERY = pytest.mark.parametrize("words", QUERIES)
EVERY = pytest.mark.parametrize("words", TABLE)
FIELDS = [
    pytest.param(field, id=f"{words} {field.flag or field.name}")
    for words, command in QUERIES.items()
    for field in fields_of(struct_of(command)).values()
]


def command_of(words):
    return load_command(TABLE[words].group, TABLE[words].name)


def examples(words):
    """Return the queries of a command's help."""
    lines = re.findall(r"(?m)^ +dsv3calc (.*)$", command_of(words).__doc__)
    return [line for line in lines if "./" not in line]


def test_the_help_of_the_program_lists_the_table():
    listed = {
        f"{group} {name}".strip()
        for group, names in COMMANDS.items()
        for name in names
        if group or name not in GROUPS
    }
    assert listed == TABLE.keys()
    assert {TABLE[words].group for words in TABLE} == {"", *GROUPS}


@pytest.mark.parametrize("missing", ["answer", "views", "headlines"])
def test_a_query_lacks_no_part(missing):
    parts = {"answer": "a:b", "views": {"a": "b"}, "headlines": ("a.b",)}
    Command("whole", "Do it.", query="base:KVQuery", **parts)
    del parts[missing]
    with pytest.raises(ValueError, match="needs an answer, views and headlines"):
        Command("lacking", "Do it.", query="base:KVQuery", **parts)


@QUERY
def test_a_query_is_answered_shown_and_has_its_headline(words):
    command = TABLE[words]
    for line in examples(words):
        request = parse(shlex.split(line))
        assert type(request.query) is struct_of(command)
        assert request.query.command == words
        answer = request.answer()
        assert answer.command == words
        assert answer.view in command.views
        assert any(table.rows for table in build(answer, exact=False).tables)
        names = answer.columns[0].ledger.named()
        assert any(fnmatchcase(name, each) for name in names for each in command.headlines)
        assert command.several or len(answer.columns) == 1


@QUERY
def test_lines_are_traced_to_a_command(words):
    for headline in TABLE[words].headlines:
        assert PREFIXES[headline.partition(".")[0]].query


def test_only_commands_that_need_a_device_require_one():
    needing = {
        words
        for words, command in QUERIES.items()
        if (field := fields_of(struct_of(command)).get("hardware")) and field.required
    }
    assert needing == {words for words, command in QUERIES.items() if command.needs_device}


@EVERY
def test_views_are_modules(words):
    for module in TABLE[words].views.values():
        __import__(f"dsv3calc.output.views.{module}")


def test_an_answer_with_numbers_and_no_view_is_no_empty_page():
    answer = dsv3calc.answer("kv deepseek-v3")
    answer.view = "forgotten"
    assert "forgotten" not in VIEWS
    with pytest.raises(LookupError, match="forgotten"):
        build(answer, exact=False)


@EVERY
def test_each_section_of_a_help_fits_a_screen(program, words):
    text = program.ok(*words.split(), "--help").out
    assert max(map(len, text.splitlines())) <= 80
    sections = re.split(r"(?m)^(?=\S.*:$)", text)
    assert any(each.startswith("Output:") for each in sections) or words == "explain"
    for section in sections:
        assert len(section.rstrip().splitlines()) <= SCREEN, section


@pytest.mark.parametrize("field", FIELDS)
def test_what_a_field_is_declared_with(field):
    option = field.option
    assert option.help
    assert not option.help.endswith(".")
    assert option.preset in ("", *FOLDERS)
    assert option.dimension in ("", *DIMENSIONS)
    assert bool(option.dimension) == (field.kind in ("whole", "measure"))
    assert option.positional or option.group
    assert option.metavar or field.kind == "flag"
    if option.choices:
        values = option.values()
        assert values
        assert all(type(value) is str for value in values)


@QUERY
def test_a_name_means_one_field(words):
    struct = struct_of(TABLE[words])
    flags = [
        flag for field in fields_of(struct).values() for flag in (field.flag, *field.option.old)
    ]
    assert len({*flags}) == len([flag for flag in flags if flag]) + ("" in flags)
    for key, (field, _) in keys_of(struct).items():
        named = fields_of(struct).get(key)
        assert named is None or named is field


def test_an_option_is_one_thing_in_all_commands():
    found = {}
    for command in QUERIES.values():
        for field in fields_of(struct_of(command)).values():
            if field.flag:
                found.setdefault(field.flag, set()).add((field.kind, field.option.dimension))
    assert {flag: kinds for flag, kinds in found.items() if len(kinds) > 1} == {}


# --- old names

OLD = [
    ("flops deepseek-v3 --phase decode", "--past", "--context", "9000"),
    ("kv deepseek-v3", "--tokens", "--context", "128k"),
    ("memory qwen2.5-72b --serve --tp 8 --hardware h200", "--tokens", "--pass-tokens", "16384"),
    ("memory qwen2.5-72b --serve --tp 8 --hardware h200", "--runtime", "--setup", "pytorch"),
    ("traffic mixtral-8x7b --tp 2 --ep 8 --hardware h800", "--runtime", "--setup", "pytorch"),
    ("which --model llama-3.1-8b --hardware h100", "--runtime", "--setup", "pytorch"),
    ("traffic deepseek-v3 --ep 64 --hardware h800", "--tokens", "--pass-tokens", "128"),
    ("limits ep deepseek-v3 --hardware h800", "--tokens", "--pass-tokens", "32"),
    ("traffic deepseek-v3 --ep 64 --hardware h800", "--law", "--score-distribution", "exponential"),
]


def test_every_old_name_is_tried():
    declared = {
        (words, old, field.flag)
        for words, command in QUERIES.items()
        for field in fields_of(struct_of(command)).values()
        for old in field.option.old
    }
    words = {line: next(w for w in QUERIES if line.startswith(f"{w} ")) for line, *_ in OLD}
    assert declared == {(words[line], old, new) for line, old, new, _ in OLD}


@pytest.mark.parametrize(("line", "old", "new", "value"), OLD)
def test_an_old_name_works_and_is_hidden(program, line, old, new, value):
    before, after = (program.json(*line.split(), option, value) for option in (old, new))
    assert before.data == after.data
    words = next(words for words in QUERIES if line.startswith(f"{words} "))
    listed = re.findall(r"--[\w-]+", program.ok(*words.split(), "--help").out.split("Options")[-1])
    assert new in listed
    assert old not in listed
    both = program.refused(2, *line.split(), old, value, new, f"{value}0")
    assert f"{new} and {old} are one option" in both.err or "choose one of" in both.err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "kv deepseek-v3 --layout v3-pretrain",
            "kv has none, compare, memory, traffic, time, train, failures, serve and host have it",
        ),
        ("params deepseek-v3 --fit 40GiB", "params has none, kv has it"),
        ("flops deepseek-v3 --tokens 4096", "flops calls it --context"),
        ("compare deepseek-v3 --past 4096", "compare calls it --context"),
        ("kv deepseek-v3 --contxt 4096", "did you mean --context?"),
        ("kv deepseek-v3 --tokns 4096", "did you mean --tokens, now called --context?"),
        ("kv deepseek-v3 --for tokens", "formula solve has it"),
    ],
)
def test_an_unknown_option_is_answered_with_the_right_one(program, line, words):
    found = program.refused(2, *line.split())
    assert f"No such option: {line.split()[2]}" in found.err
    assert words in found.err


# --- keywords


@QUERY
def test_keywords_ask_what_a_command_line_asks(words, monkeypatch):
    for name in ("answer", "query"):
        monkeypatch.setattr(f"dsv3calc.api.{name}", lambda query: query)
    ask = getattr(dsv3calc, TABLE[words].identifier)
    assert ask.__name__ in dir(dsv3calc)
    for line in examples(words):
        query = parse(shlex.split(line)).query
        fields = fields_of(type(query))
        options = {
            fields[name].parameter: value
            for name, value in as_dict(query).items()
            if name in fields and not fields[name].option.positional
        }
        taken = [
            value
            for field in fields.values()
            if field.option.positional
            for value in [getattr(query, field.name)]
        ]
        places = [
            each for value in taken for each in (value if isinstance(value, tuple) else [value])
        ]
        # a note says how a suffix such as 128k was read
        assert ask(*places, **options) == msgspec.structs.replace(query, notes=())
