import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pytest
from command import command

from dsv3calc.cli import COMMANDS
from dsv3calc.exit_status import ExitStatus
from dsv3calc.studies.public_lines.table import public_line

QUERIES = {
    "params": ["params", "deepseek-v3"],
    "flops": ["flops", "deepseek-v3", "--phase", "decode"],
    "kv": ["kv", "gemma-3-27b", "--fit", "40GiB"],
    "compare": ["compare", "deepseek-v3", "gpt-oss-120b", "--hardware", "h800"],
    "traffic": ["traffic", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800"],
    "train": ["train", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800"],
    "serve": ["serve", "llama-3.1-8b", "--hardware", "h100", "--batch", "8"],
    "time": ["time", "deepseek-v3", "--hardware", "h800"],
    "limits ep": ["limits", "ep", "--model", "deepseek-v3", "--hardware", "h800"],
    "which": ["which", "--model", "qwen2.5-7b", "--hardware", "h100"],
    "search": [
        "search",
        "qwen2.5-7b",
        "--hardware",
        "h100",
        "--gpus",
        "8",
        "--pin",
        "schedule=1f1b,cp=1,mb=1",
    ],
    "host": ["host", "deepseek-v3", "--hardware", "rtx-4090", "--precision", "q4-k"],
    "failures": [
        "failures",
        "deepseek-v3",
        "--layout",
        "v3-pretrain",
        "--hardware",
        "h800",
        "--gpu-hours",
        "2.664M",
    ],
    "validate": ["validate", "--area", "kernel_gemm", "--hardware", "b200"],
    "calibrate": [
        "calibrate",
        "--rows",
        "shipped",
        "--hardware",
        "h100",
        "--area",
        "collective_other",
    ],
    "network": ["network", "ft3", "slim-fly", "dragonfly", "--radix", "64"],
    "memory": ["memory", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800"],
    "reproduce": ["reproduce", "day6", "deepseek-v2"],
    "formula eval": ["formula", "eval", "unit_gpus", "unit_nodes=4", "gpus_per_node=8"],
    "presets list": ["presets", "list"],
    "presets show": ["presets", "show", "h800"],
    "presets where": ["presets", "where", "deepseek-v3"],
    "presets diff": ["presets", "diff", "deepseek-v3", "kimi-k2"],
    "conventions list": ["conventions", "list"],
    "formula list": ["formula", "list", "kv_cache"],
    "formula derive": [
        "formula",
        "derive",
        "kv_cache.bytes",
        "gemma-3-27b",
        "--free",
        "tokens,batch",
    ],
    "formula solve": [
        "formula",
        "solve",
        "kv_cache.bytes <= 1GiB",
        "gemma-3-27b",
        "--for",
        "batch",
    ],
    "formula sensitivity": ["formula", "sensitivity", "kv_cache.bytes", "gemma-3-27b"],
}
EVERY = pytest.mark.parametrize("arguments", QUERIES.values(), ids=QUERIES)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@EVERY
def test_json_follows_the_published_schema(program, schema, arguments):
    data = program.json(*arguments).data
    schema("answer").validate(data)
    assert data["schema_version"] == 2
    assert [data["command"]] == [name for name, query in QUERIES.items() if query == arguments]
    for column in data["columns"]:
        assert column["values"].keys() == column["units"].keys()


@pytest.mark.parametrize("name", ["kv", "memory", "formula eval"])
def test_the_ledger_adds_lines_to_the_public_ones(program, schema, name):
    (short,) = program.json(*QUERIES[name]).data["columns"]
    long = program.json(*QUERIES[name], "--ledger").data
    schema("answer").validate(long)
    (column,) = long["columns"]
    names = {line["name"] for line in column["ledger"]["lines"]}
    assert short["values"].items() <= column["values"].items()
    assert "ledger" not in short
    others = column["values"].keys() - short["values"].keys()
    assert not {each for each in others if public_line(each)}
    assert not others & names
    assert {each for each in short["values"] if not public_line(each)} <= names


def test_a_ledger_belongs_to_json_and_to_lines(program):
    assert "add --json" in program(*QUERIES["kv"], "--ledger").err
    found = program("presets", "list", "--ledger", "--json")
    assert found.status == ExitStatus.USAGE
    assert "has no lines" in found.err


@EVERY
def test_both_ways_to_ask_for_json(program, arguments):
    long, short = (
        program.ok(*arguments, *option).out for option in (["--format", "json"], ["--json"])
    )
    assert long == short
    assert program.ok(*arguments, "--json", "--format", "json").out == short


@EVERY
def test_csv_has_the_numbers_of_json(program, arguments):
    data = program.json(*arguments).data
    rows = list(csv.reader(io.StringIO(program.ok(*arguments, "--format", "csv").out)))
    assert len({len(row) for row in rows}) == 1
    if data["rows"]:
        assert rows[0] == list(data["rows"][0])
        assert len(rows) == 1 + len(data["rows"])
        return
    assert rows[0] == ["quantity", "unit", *(column["id"] for column in data["columns"])]
    found = {row[0]: row[2:] for row in rows[1:]}
    for number, column in enumerate(data["columns"]):
        for name, value in column["values"].items():
            assert found[name][number] == str(value)


@EVERY
def test_markdown_is_tables(program, arguments):
    text = program.ok(*arguments, "--format", "markdown").out
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert any(set(line) <= set("|:- ") for line in tables)
    assert "\x1b" not in text


@EVERY
def test_the_table_has_no_ragged_ends(program, arguments):
    text = program.ok(*arguments).out
    assert text.endswith("\n")
    if arguments[:2] != ["presets", "show"]:
        assert all(line == line.rstrip() for line in text.splitlines())
    assert "\x1b" not in text


@pytest.mark.parametrize("name", ["params", "flops", "kv", "compare"])
def test_exact_numbers(program, name):
    values = program.json(*QUERIES[name]).values
    text = program.ok(*QUERIES[name], "--exact").out
    rounded = program.ok(*QUERIES[name]).out
    integers = [f"{value:,}" for value in values.values() if type(value) is int and value > 10**6]
    assert any(number in text for number in integers)
    assert not any(number in rounded for number in integers)


def test_both_formats_contradict_each_other(program):
    program.refused(ExitStatus.USAGE, "params", "deepseek-v3", "--json", "--format", "csv")
    found = program("params", "deepseek-v3", "--format", "xml")
    assert found.status == ExitStatus.USAGE
    assert "table, json, csv, markdown" in found.err


def test_texts_of_a_preset_are_only_texts(program, file, preset_text):
    title = r"a|b [bold]x[/bold] <b> \x1b[31m\u202e"
    text = preset_text("models", "llama-2-70b")
    path = file("t.yaml", re.sub("(?m)^title:.*$", lambda _: f'title: "{title}"', text))
    assert r"a|b [bold]x[/bold] <b> \x1b[31m\u202e" in program.ok("params", path).out
    assert r"a\|b" in program.ok("params", path, "--format", "markdown").out
    assert "<b>" not in program.ok("params", path, "--format", "markdown").out
    assert program.json("params", path).data["columns"][0]["title"].startswith("a|b [bold]")


@pytest.mark.parametrize("title", ["=cmd()", "+1", "-1", "@x", "\\e[31mred"])
def test_csv_is_safe_in_a_spreadsheet(program, file, title):
    text = (
        f'name: m\ntitle: T\nrows: [kv_cache]\ndesigns: [{{model: qwen-72b, title: "{title}"}}]\n'
    )
    out = program.ok("compare", file("m.yaml", text), "--format", "csv").out
    heading = next(csv.reader(io.StringIO(out)))[2]
    assert heading[0] not in "=+-@\x1b"
    assert "\x1b" not in out


@pytest.mark.parametrize("name", ["compare", "presets list"])
@pytest.mark.parametrize(
    "setting",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "latin-1", "C"],
)
def test_poor_encodings(process_environment, tmp_path, name, setting):
    for more in ([], ["--json"]):
        found = subprocess.run(
            command(*QUERIES[name], *more), capture_output=True,
            env=process_environment | setting, cwd=tmp_path, check=False, timeout=30,
        )  # fmt: skip
        assert found.returncode == ExitStatus.OK, found.stderr
        assert found.stdout
        if more:
            assert json.loads(found.stdout.decode("utf-8"))["command"] == name


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_json_is_utf8_whatever_the_locale(process_environment, tmp_path, encoding):
    found = subprocess.run(
        command("kv", "deepseek-v3", "--set", "title=µ≤", "--json"), capture_output=True,
        env=process_environment | {"PYTHONIOENCODING": encoding}, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert found.returncode == ExitStatus.OK, found.stderr
    assert json.loads(found.stdout.decode("utf-8"))["columns"][0]["title"] == "µ≤"


# --- colour and width -----------------------------------------------------------------------


def on_a_terminal(arguments, environment, cwd, columns=100):
    """Run the program on a terminal of so many columns and return what it wrote there."""
    mine, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(
        command(*arguments), stdin=its, stdout=its, stderr=its, env=environment, cwd=cwd
    ) as process:
        os.close(its)
        chunks = []
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and select.select([mine], [], [], 30)[0]:
            try:
                chunk = os.read(mine, 65536)
            except OSError:  # the other side was closed
                break
            if not chunk:
                break
            chunks.append(chunk)
        status = process.wait(timeout=30)
    os.close(mine)
    assert status == ExitStatus.OK
    return b"".join(chunks).decode("utf-8").replace("\r\n", "\n")


def test_color_on_a_terminal(process_environment, tmp_path):
    there = process_environment | {"TERM": "xterm"}
    plain = {"NO_COLOR": "1"}, {"TERM": "dumb"}
    assert ANSI.search(on_a_terminal(QUERIES["params"], there, tmp_path))
    for setting in plain:
        assert "\x1b" not in on_a_terminal(QUERIES["params"], there | setting, tmp_path)
    never = on_a_terminal([*QUERIES["params"], "--color", "never"], there, tmp_path)
    assert "\x1b" not in never


def test_color_elsewhere(program, monkeypatch, tmp_path):
    plain = program.ok(*QUERIES["params"]).out
    coloured = program.ok(*QUERIES["params"], "--color", "always").out
    assert "\x1b" not in plain
    assert ANSI.sub("", coloured) == plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert program.ok(*QUERIES["params"], "--color", "always").out == coloured
    assert "\x1b" not in program.ok(*QUERIES["params"], "--json", "--color", "always").out
    program.ok(*QUERIES["params"], "-o", "x")
    assert (tmp_path / "x").read_text("utf-8") == plain
    program.refused(ExitStatus.USAGE, *QUERIES["params"], "--color", "blue")


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("name", ["compare", "presets list", "presets diff"])
def test_narrow_terminals(process_environment, tmp_path, name, columns):
    text = on_a_terminal(QUERIES[name], process_environment, tmp_path, columns)
    assert max(len(ANSI.sub("", line)) for line in text.splitlines()) <= columns


def test_no_terminal_no_wrapping(program, monkeypatch):
    arguments = ["compare", *["deepseek-v3"] * 12]
    wide = program.ok(*arguments).out
    monkeypatch.setenv("COLUMNS", "20")
    assert program.ok(*arguments).out == wide
    assert max(map(len, wide.splitlines())) > 200


def test_every_command_with_output_options_is_tried_here():
    have_more = {"import", "eval", "presets", "conventions", "check", "snapshot", "diff", "explain"}
    have_more |= {"sweep", "skill"}  # one writes its file by itself, the other is a file
    tried = {name.split()[0] for name in QUERIES}
    assert {name for name in COMMANDS[""] if name not in have_more} <= tried
