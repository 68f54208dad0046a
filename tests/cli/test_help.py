"""Help, version, completion; every example of every help text really runs."""

import json
import re
import shlex
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import pytest
from small_study import STUDY

from dsv3calc import __version__
from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.cli import COMMANDS, GROUPS, load_command
from dsv3calc.exit_status import ExitStatus
from dsv3calc.studies.measuring.sweep import SHARES

NAMES = [
    (group, name)
    for group, table in COMMANDS.items()
    for name in table
    if group or name not in GROUPS
]
EVERY = pytest.mark.parametrize(
    ("group", "name"), NAMES, ids=[f"{group} {name}".strip() for group, name in NAMES]
)


def docstring(group, name):
    return cleandoc(load_command(group, name).__doc__)


def words(group, name):
    return [group, name] if group else [name]


def examples(group, name):
    """Return the example lines of a command's docstring."""
    return re.findall(r"(?m)^ *((?:.*\| *)?dsv3calc .*)$", docstring(group, name))


@EVERY
def test_the_line_in_the_table_is_the_docstrings(group, name):
    assert COMMANDS[group][name] == docstring(group, name).splitlines()[0]


@EVERY
def test_both_spellings_of_help(program, group, name):
    long, short = (program.ok(*words(group, name), option).out for option in ("--help", "-h"))
    assert long == short
    assert " ".join(COMMANDS[group][name].split()) in " ".join(long.split())
    assert f"Usage: dsv3calc {' '.join(words(group, name))}" in long
    assert "Examples" in long
    assert "\x1b" not in long


@EVERY
def test_every_option_is_explained(program, group, name):
    text = program.ok(*words(group, name), "--help").out
    for option in ("--format", "--json", "--output", "--force"):
        assert option in text
    listed = re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)(?:, -\w)?(?: +[A-Z|=:\[\]]+)?  +\S", text)
    wrapped = re.findall(
        r"(?m)^  (?:-\w, )?(--[\w-]+)(?:, -\w)?(?: +[A-Z|=:\[\]]+)?\n {10,}\S", text
    )
    options = re.findall(r"(?m)^  (?:-\w, )?(--[\w-]+)", text)
    assert set(listed) | set(wrapped) == set(options)


@pytest.mark.parametrize("group", GROUPS)
def test_groups(program, group):
    text = program.ok(group, "--help").out
    for name, line in COMMANDS[group].items():
        assert name in text
        assert line in " ".join(text.split())
    found = program.refused(ExitStatus.USAGE, group)
    assert all(name in found.err for name in COMMANDS[group])


def test_the_help_of_the_program(program):
    text = " ".join(program.ok("--help").out.split())
    for name, line in COMMANDS[""].items():
        assert name in text
        assert line in text
    assert program.ok("-h").out == program.ok("--help").out


def test_no_arguments(program):
    found = program.ok()
    lines = [line.strip() for line in found.out.splitlines()]
    queries = [line for line in lines if line.startswith("dsv3calc ") and "--help" not in line]
    assert len(queries) == 3
    assert len(lines) < 15
    for query in queries:
        program.ok(*shlex.split(query)[1:])


def test_the_version(program):
    assert program.ok("--version").out == f"dsv3calc {__version__}\n"


def test_misspelt_commands(program):
    assert "did you mean 'dsv3calc kv'" in program.refused(ExitStatus.USAGE, "kvv").err
    assert "compare, params" in program.refused(ExitStatus.USAGE, "quux").err
    found = program.refused(ExitStatus.USAGE, "presets", "vallidate", "x")
    assert "did you mean 'dsv3calc presets validate'" in found.err


# --- examples -------------------------------------------------------------------------------


@pytest.fixture
def workplace(tmp_path, config, preset_text, program):
    """A folder with the files that examples name."""
    llama = json.loads(config("llama").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(llama), "utf-8")
    (tmp_path / "my-model").mkdir()
    changed = json.dumps(llama | {"my_extra_key": 1})
    (tmp_path / "my-model" / "config.json").write_text(changed, "utf-8")
    (tmp_path / "queries.txt").write_text("params deepseek-v3\nkv deepseek-v3\n", "utf-8")
    (tmp_path / "presets" / "models").mkdir(parents=True)
    (tmp_path / "presets" / "models" / "deepseek-v3.yaml").write_text(
        preset_text("models", "deepseek-v3"), "utf-8"
    )
    (tmp_path / "study.yaml").write_text(STUDY, "utf-8")
    (tmp_path / "mine.yaml").write_text(preset_text("hardware", "h100"), "utf-8")
    rows = Path(packaged_presets(), "measurements", "collective_other.jsonl").read_text("utf-8")
    (tmp_path / "my-rows.jsonl").write_text(rows, "utf-8")
    (tmp_path / "my-model.yaml").write_text(preset_text("models", "deepseek-v3"), "utf-8")
    program.ok("kv", "deepseek-v3", "-o", "saved.json")
    program.ok("snapshot", "kv deepseek-v3", "-o", "numbers.yaml")
    (tmp_path / "goldens").mkdir()
    (tmp_path / "goldens" / "kv.yaml").write_text((tmp_path / "numbers.yaml").read_text("utf-8"))
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)  # noqa: S607
    return tmp_path


@pytest.mark.usefixtures("workplace")
@EVERY
def test_every_example_runs(program, workplace, monkeypatch, group, name):
    # one kernel must have enough points for a fit, also on a busy machine
    monkeypatch.setitem(SHARES, "kernel_gemm", 4)
    lines = examples(group, name)
    assert lines
    for line in lines:
        *before, last = line.split(" | ")
        out = "".join(first.removeprefix("echo ").strip("'") for first in before)
        if before and before[0].startswith("dsv3calc "):
            out = program.ok(*shlex.split(before[0])[1:]).out
        arguments = []
        for word in shlex.split(last)[1:]:
            found = sorted(str(p.relative_to(workplace)) for p in workplace.glob(word)) if (
                "*" in word and "/" in word
            ) else []  # fmt: skip
            arguments += found or [word]
        if "-o" in arguments:
            (workplace / arguments[arguments.index("-o") + 1]).unlink(missing_ok=True)
        if name == "calibrate" and "--rows" not in arguments:
            if "--seconds" in arguments:  # a test has no minute for it
                del arguments[(at := arguments.index("--seconds")) : at + 2]
            arguments += ["--seconds", "0.5", "--device", "cpu"]
        if arguments == ["validate"]:  # test_validate.py scores all areas
            arguments += ["--area", "kernel_gemm"]
        program.ok(*arguments, stdin=out)


def test_examples_are_in_the_help_as_they_are(program):
    for group, name in NAMES:
        text = program.ok(*words(group, name), "--help").out
        for line in examples(group, name):
            assert line in text


# --- completion -----------------------------------------------------------------------------


def complete(shell, line, cwd, environment):
    """Ask the program what completes a line, the way a shell does."""
    parts = line.split(" ")
    asked = {
        "_DSV3CALC_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(parts) - 1),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": parts[-1],
    }
    script = "import sys; sys.argv[0] = 'dsv3calc'; from dsv3calc.__main__ import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", script], env=environment | asked, cwd=cwd, capture_output=True,
        text=True, check=False, timeout=30,
    )  # fmt: skip
    assert "Traceback" not in found.stderr
    return set(re.findall(r"[\w.-]+", found.stdout))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("dsv3calc params deepseek-v", {"deepseek-v3", "deepseek-v3.2", "deepseek-v2"}),
        ("dsv3calc compare deepseek-v3 qwen2.5-", {"qwen2.5-7b", "qwen2.5-72b"}),
        ("dsv3calc compare deepseek-v3 --hardware h8", {"h800"}),
        ("dsv3calc kv deepseek-v3 --kv-dtype fp8", {"fp8", "fp8-mla"}),
        ("dsv3calc pre", {"presets"}),
        ("dsv3calc presets va", {"validate"}),
        ("dsv3calc flops deepseek-v3 --attention ", {"causal", "full", "half"}),
        ("dsv3calc memory deepseek-v3 --schedule dual", {"dualpipe", "dualpipev"}),
        ("dsv3calc compare deepseek-v3 --rows flops,k", {"flops", "kv_cache"}),
        ("dsv3calc memory deepseek-v3 --recompute layernorm,moe", {"layernorm", "moe_act"}),
        ("dsv3calc limits ep deepseek-v3 --link ", {"scale-out", "scale-up"}),
        ("dsv3calc params deepseek-v3 --include m", {"mtp", "mtp-copies"}),
        ("dsv3calc formula eval stored_b", {"stored_bytes"}),
    ],
)
def test_completion_in_bash(process_environment, tmp_path, line, names):
    found = complete("bash", line, tmp_path, process_environment)
    assert names <= found
    assert "mixtral-8x7b" not in found


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_in_other_shells(process_environment, tmp_path, shell):
    line = "dsv3calc params llama-3.1-4"
    assert "llama-3.1-405b" in complete(shell, line, tmp_path, process_environment)


def test_a_preset_of_ones_own_is_completed(process_environment, tmp_path, file):
    file("presets/models/mine-7b.yaml", "name: mine-7b\n")
    line = "dsv3calc params mine"
    assert "mine-7b" in complete("bash", line, tmp_path, process_environment)


def test_completion_fails_quietly_where_the_shell_says_nothing(process_environment, tmp_path):
    found = subprocess.run(
        [sys.executable, "-m", "dsv3calc"], cwd=tmp_path, capture_output=True, check=False,
        env=process_environment | {"_DSV3CALC_COMPLETE": "complete_bash"}, timeout=30,
    )  # fmt: skip
    assert b"Traceback" not in found.stderr
    assert found.returncode != ExitStatus.INTERNAL_ERROR
