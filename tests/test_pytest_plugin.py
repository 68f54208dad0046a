"""``pytest --dsv3calc PATH``: rows of golden files as tests, and nothing without the option."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

GOLDENS = """\
goldens:
  - query: kv deepseek-v3
    quantity: kv_cache.bytes_per_token
    expect: 70272
  - query: kv deepseek-v3
    quantity: kv_cache.bytes_per_token
    expect: "<= 60KB"
    source: the serving plan
    note: ask first
  - query: params mistral-7b
    quantity: parameters.total
    expect: 7241732095
    made_from: {model.num_hidden_layers: 31}
"""
BROKEN = """\
goldens:
  - query: kv deepseek-v9
    quantity: kv_cache.bytes_per_token
    expect: 1
  - query: kv deepseek-v3
    quantity: kv_cache.bytes_per_tokn
    expect: 1
"""


@pytest.fixture
def call(pytester, monkeypatch):
    """Run pytest with this plugin alone: others would only cost time."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def called(*arguments):
        return pytester.runpytest_subprocess("-p", "dsv3calc.pytest_plugin", *arguments)

    return called


@pytest.fixture
def numbers(pytester):
    folder = pytester.mkdir("numbers")
    (folder / "kv.yaml").write_text(GOLDENS)
    return folder


@pytest.mark.usefixtures("numbers")
def test_rows_are_tests(call):
    result = call("--dsv3calc", "numbers")
    result.assert_outcomes(passed=1, failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "numbers/kv.yaml .FF*",
            "numbers/kv.yaml:7: kv_cache.bytes_per_token of kv deepseek-v3 is outside its bound",
            "*expected:   <= 60KB",
            "*now:        70272 B/token",
            "*difference: +10,272 (+17.12*from the bound",
            "*source:     the serving plan",
            "*note:       ask first",
            "numbers/kv.yaml:12: parameters.total of params mistral-7b changed",
            "*expected:   7241732095 exactly",
            "*why:        model.num_hidden_layers: 31 -> 32 (*mistral-7b.yaml:*)",
        ]
    )
    text = result.stdout.str()
    assert "Traceback" not in text
    assert "pytest_plugin.py" not in text
    assert "def runtest" not in text


@pytest.mark.usefixtures("numbers")
def test_without_the_option_nothing_changes(call, pytester):
    pytester.makepyfile("def test_one(): pass")
    call("--strict-markers").assert_outcomes(passed=1)
    assert call("numbers").ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.usefixtures("numbers")
def test_goldens_join_the_other_tests(call, pytester):
    pytester.makepyfile(test_mine="def test_one(): pass")
    call("--dsv3calc", "numbers").assert_outcomes(passed=2, failed=2)
    call("--dsv3calc", "numbers", "test_mine.py").assert_outcomes(passed=2, failed=2)
    call("--dsv3calc", "numbers", "-m", "dsv3calc", "--strict-markers").assert_outcomes(
        passed=1, failed=2, deselected=1
    )
    call("--dsv3calc", "numbers", "-m", "not dsv3calc").assert_outcomes(passed=1, deselected=3)


@pytest.mark.usefixtures("numbers")
def test_choosing_rows(call):
    call("--dsv3calc", "numbers", "-k", "mistral").assert_outcomes(failed=1, deselected=2)
    call("--dsv3calc", "numbers", "-k", "kv_cache and not 60KB").assert_outcomes(
        passed=1, deselected=2
    )
    node = "numbers/kv.yaml::kv_cache.bytes_per_token of kv deepseek-v3"
    call("--dsv3calc", "numbers", node).assert_outcomes(passed=1)
    result = call("--dsv3calc", "numbers", "--collect-only", "-q")
    assert result.outlines[:3] == [
        node,
        f"{node} <= 60KB",
        "numbers/kv.yaml::parameters.total of params mistral-7b",
    ]


@pytest.mark.usefixtures("numbers")
def test_the_last_failures_again(call):
    call("--dsv3calc", "numbers").assert_outcomes(passed=1, failed=2)
    call("--dsv3calc", "numbers", "--lf").assert_outcomes(failed=2)


def test_broken_rows_are_errors(call, numbers):
    (numbers / "kv.yaml").write_text(BROKEN)
    result = call("--dsv3calc", "numbers")
    result.assert_outcomes(errors=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "numbers/kv.yaml:4: there is no model preset 'deepseek-v9'*presets of its family*",
            "numbers/kv.yaml:7: *did you mean 'kv_cache.bytes_per_token'*",
        ]
    )
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize("text", ["", "goldens: []\n", GOLDENS.replace("goldens:", "golden:")])
def test_a_file_that_cannot_be_read_is_an_error(call, numbers, text):
    (numbers / "kv.yaml").write_text(text)
    result = call("--dsv3calc", "numbers")
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["numbers/kv.yaml:*error: *"])


def test_several_paths_and_what_pytest_passes_over(call, numbers, pytester):
    """Pytest walks past build/ and .hidden/; a check that is skipped in silence is no check."""
    for name in ("build", ".hidden"):
        (numbers / name).mkdir()
        (numbers / name / "kv.yml").write_text(GOLDENS)
    (pytester.path / "own.yaml").write_text(GOLDENS)
    result = call("--dsv3calc", "numbers", "--dsv3calc", "own.yaml", "--dsv3calc", "./own.yaml")
    result.assert_outcomes(passed=4, failed=8)


def test_paths_are_relative_to_where_pytest_was_started(call, numbers, pytester):
    pytester.makeini("[pytest]")
    pytester.chdir()
    inner = pytester.mkdir("inner")
    (inner / "model.yaml").write_text("")
    result = call("--rootdir", str(numbers), "--dsv3calc", "numbers/kv.yaml")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["numbers/kv.yaml:12: *"])


@pytest.mark.usefixtures("numbers")
def test_paths_without_goldens(call, pytester):
    pytester.mkdir("empty")
    for path, words in (("nowhere", "no file or directory"), ("empty", "no golden file")):
        result = call("--dsv3calc", path)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*--dsv3calc: *{words}*"])


@pytest.mark.usefixtures("numbers")
def test_junit_has_words_and_no_traceback(call, pytester):
    call("--dsv3calc", "numbers", "--junitxml", "report.xml")
    text = (pytester.path / "report.xml").read_text()
    assert 'failures="2"' in text
    assert "model.num_hidden_layers: 31 -&gt; 32" in text
    assert "Traceback" not in text


def test_pytest_finds_the_plugin():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"dsv3calc": "dsv3calc.pytest_plugin"}


def test_loading_the_plugin_imports_nothing_of_the_model():
    """Every pytest of an environment loads it; escaping is one file that needs no other."""
    script = (
        "import sys, pytest, dsv3calc.pytest_plugin as plugin\n"
        "known = {'dsv3calc', 'dsv3calc.pytest_plugin', 'dsv3calc.reading',\n"
        "    'dsv3calc.reading.escaping'}\n"
        "print(sorted(name for name in sys.modules if name.startswith('dsv3calc')\n"
        "    and name not in known), 'msgspec' in sys.modules, 'yaml' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] False False"


HOSTILE = json.dumps("::error::x\n::stop-commands::y \x1b[31m \x9b \u2028 \u202e ##[error]z")


@pytest.mark.parametrize("options", [["-v"], ["-q", "-rA"], ["--collect-only", "-q"]])
def test_what_a_golden_file_says_is_only_text(call, numbers, options):
    fields = f"id: {HOSTILE}, source: {HOSTILE}, note: {HOSTILE}"
    (numbers / "kv.yaml").write_text(
        "goldens:\n"
        f"  - {{query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: 1, {fields}}}\n"
        f"  - {{query: kv deepseek-v3, quantity: {HOSTILE}, expect: 1, {fields}}}\n"
        f"  - {{query: {HOSTILE}, quantity: kv_cache.bytes, expect: 1, {fields}}}\n"
    )
    (numbers / "broken.yaml").write_text(f"goldens: [{{{HOSTILE}: 1}}]\n")
    result = call("--dsv3calc", "numbers", *options)
    text = result.stdout.str() + result.stderr.str()
    assert r"\u202e" in text
    assert "kv_cache.bytes_per_token of kv deepseek-v3" in text
    assert text.replace("\n", "").isprintable()
    assert not re.search(r"(?m)^\s*::|##\w*\[", text)


def test_what_the_command_line_says_is_only_text(call):
    result = call("--dsv3calc", "no\x1b[31m\n::error::x")
    text = result.stderr.str()
    assert r"there is no file or directory" in text
    assert r"no\x1b[31m" in text
    assert "\x1b" not in text
    assert not re.search(r"(?m)^\s*::", text)
