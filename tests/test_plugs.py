"""Where dsv3calc plugs in: the scripts of action.yml and the entries of pre-commit hooks run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dsv3calc.catalogue.search_path import FOLDERS

ROOT = Path(__file__).parents[1]
BASH = shutil.which("bash")
MOVED = "goldens: [{query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 1, note: 'x'}]\n"
KEPT = MOVED.replace("expect: 1,", "expect: 287834112,")

pytestmark = pytest.mark.skipif(BASH is None, reason="the scripts are for bash")


def load(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture
def environment(tmp_path):
    """What a runner gives: a workspace, a folder for what is temporary, files to write to."""
    found = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(tmp_path),
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(tmp_path / "work"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "PYTHONPATH": str(ROOT),
    }
    for folder in ("work", "temp"):
        (tmp_path / folder).mkdir()
    return found


def evaluate(text, inputs):
    """Fill in the expressions of an action, as GitHub does."""

    def value(match):
        kind, _, name = match[1].partition(".")
        return inputs[name] if kind == "inputs" else {"action_path": str(ROOT)}[name]

    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", value, text)


def run_step(number, environment, **given):
    """Run a step of action.yml with inputs."""
    action = load("action.yml")
    inputs = {name: each.get("default", "") for name, each in action["inputs"].items()} | given
    step = action["runs"]["steps"][number]
    assert step["shell"] == "bash"
    script = evaluate(step["run"], inputs)
    more = {name: evaluate(text, inputs) for name, text in step["env"].items()}
    return subprocess.run(
        [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=environment["GITHUB_WORKSPACE"],
        env=environment | more,
        capture_output=True,
        text=True,
        check=False,
    )


def check(environment, **given):
    return run_step(1, environment, **given)


def golden(environment, name, text):
    path = Path(environment["GITHUB_WORKSPACE"], name)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text, encoding="utf-8")


def test_the_action_passes_and_fails_as_check_does(environment):
    golden(environment, "numbers/kv.yaml", KEPT)
    done = check(environment, files="numbers")
    assert (done.returncode, done.stderr) == (0, "")
    golden(environment, "numbers/kv.yaml", MOVED)
    done = check(environment, files="numbers")
    assert done.returncode == 1
    assert "::error file=numbers/kv.yaml,line=1" in done.stdout
    assert "| 1 exactly | 287834112 B |" in Path(environment["GITHUB_STEP_SUMMARY"]).read_text()
    golden(environment, "numbers/kv.yaml", "")
    assert check(environment, files="numbers").returncode == 3


def test_the_inputs_of_the_action(environment):
    golden(environment, "a b/kv.yaml", MOVED)
    golden(environment, "c.yaml", KEPT.replace("kv ", "kv --tokens 4096 "))
    both = "  a b\n\n  c.yaml\n"
    assert check(environment, files=both).returncode == 1
    assert check(environment, files=both, only="*4096*").returncode == 0
    assert check(environment, files=both, only="no such row").returncode == 2
    assert check(environment, files=both, args="--exit-zero\n").returncode == 0
    done = check(environment, files=" \n")
    assert done.returncode == 2
    assert "give the input files" in done.stderr


def test_inputs_with_the_line_ends_of_windows(environment):
    golden(environment, "a b/kv.yaml", MOVED)
    golden(environment, "c.yaml", KEPT)
    both = "a b\r\nc.yaml\r\n"
    assert check(environment, files=both).returncode == 1
    assert check(environment, files=both, args="--exit-zero\r\n").returncode == 0
    assert check(environment, files=both, only="kv_cache.bytes\r").returncode == 1


@pytest.mark.parametrize("args", ["--help", "-h", "--exit-zero\n --help\n", "-hh", "--help\r\n"])
def test_an_action_that_would_check_nothing_fails(environment, args):
    golden(environment, "c.yaml", KEPT)
    done = check(environment, files="c.yaml", args=args)
    assert done.returncode == 2
    assert "checks nothing" in done.stderr
    assert done.stdout == ""


def test_inputs_are_never_read_as_a_script(environment):
    golden(environment, "c.yaml", KEPT)
    for text in ("$(touch pwned)", "`touch pwned`", "c.yaml; touch pwned", "--help"):
        assert check(environment, files=text).returncode == 3
        assert check(environment, files="c.yaml", only=text).returncode == 2
    assert os.listdir(environment["GITHUB_WORKSPACE"]) == ["c.yaml"]
    for step in load("action.yml")["runs"]["steps"]:
        assert "${{" not in step["run"]


FAKE_PYTHON = """\
#!/bin/sh
case "$1 $2" in
"-c "*) exit {version} ;;
"-m venv")
  mkdir -p "$3/bin"
  printf '#!/bin/sh\\nprintf "%%s\\\\n" "$@" > "%s"\\n' "$RUNNER_TEMP/pip" > "$3/bin/pip"
  chmod +x "$3/bin/pip"
  ;;
*) exit 99 ;;
esac
"""


@pytest.mark.parametrize(
    ("path", "installed"), [("", str(ROOT)), ("dsv3calc==0.1.0", "dsv3calc==0.1.0")]
)
def test_the_action_installs_its_own_checkout(environment, tmp_path, path, installed):
    """Against a stand-in for Python: what would be installed, and where, without a network."""
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON.format(version=0))
    python.chmod(0o755)
    done = run_step(0, environment, path=path, python=str(python))
    assert (done.returncode, done.stderr) == (0, "")
    words = (tmp_path / "temp" / "pip").read_text().splitlines()
    assert words[0] == "install"
    assert words[-1] == installed
    assert (tmp_path / "temp" / "dsv3calc" / "bin" / "pip").exists()


def test_the_action_refuses_an_old_python(environment, tmp_path):
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON.format(version=1))
    python.chmod(0o755)
    done = run_step(0, environment, python=str(python))
    assert done.returncode == 2
    assert "::error::dsv3calc needs Python 3.11" in done.stdout
    assert not (tmp_path / "temp" / "dsv3calc").exists()


def run_hook(name, environment, *files, args=None):
    """Run a hook as pre-commit does: its entry, its arguments, the files that it takes."""
    hook = next(each for each in load(".pre-commit-hooks.yaml") if each["id"] == name)
    assert hook["language"] == "python"
    assert "yaml" in (hook.get("types") or hook["types_or"])
    command = shlex.split(hook["entry"]) + (hook.get("args", []) if args is None else args)
    if hook.get("pass_filenames", True):
        command += [file for file in files if re.search(hook.get("files", ""), file)]
    return subprocess.run(
        command,
        cwd=environment["GITHUB_WORKSPACE"],
        env={name: text for name, text in environment.items() if not name.startswith("GITHUB_")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_hook_that_checks_goldens(environment):
    golden(environment, "numbers/kv.yaml", KEPT)
    golden(environment, "other.yaml", MOVED)
    # whatever changed, all goldens are checked: a number moves because a model did
    assert run_hook("dsv3calc-check", environment, "models/mine.yaml").returncode == 0
    done = run_hook("dsv3calc-check", environment, "other.yaml", args=["numbers", "other.yaml"])
    assert done.returncode == 1
    assert "other.yaml:1" in done.stdout


def test_the_hook_that_validates_presets(environment):
    text = (ROOT / "examples/ci/models/our-model.yaml").read_text(encoding="utf-8")
    golden(environment, "models/mine.yaml", text)
    golden(environment, "numbers/kv.yaml", KEPT)
    files = ("models/mine.yaml", "numbers/kv.yaml")
    assert run_hook("dsv3calc-validate", environment, *files).returncode == 0
    golden(environment, "models/mine.yaml", text.replace("hidden_size", "hiden_size"))
    done = run_hook("dsv3calc-validate", environment, *files)
    assert done.returncode == 3
    assert "did you mean: hidden_size" in done.stdout + done.stderr


@pytest.mark.parametrize("folder", FOLDERS.values())
def test_the_hook_takes_presets_of_every_kind(environment, folder):
    golden(environment, f"{folder}/mine.yaml", "nmae: x\n")
    done = run_hook("dsv3calc-validate", environment, f"{folder}/mine.yaml")
    assert done.returncode == 3
    assert f"{folder}/mine.yaml:1" in done.stdout + done.stderr


def test_hooks_are_commands_of_dsv3calc():
    """Pre-commit installs this repository and looks for the entry on its path."""
    for hook in load(".pre-commit-hooks.yaml"):
        assert set(hook) >= {"id", "name", "description", "entry", "language"}
        assert shlex.split(hook["entry"])[0] == "dsv3calc"
