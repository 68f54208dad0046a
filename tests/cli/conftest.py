"""What the tests of the command line share: a program to call, and a clean place to call it in."""

import io
import json
import os
import re
import signal
import sys
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path

import jsonschema
import pytest

from dsv3calc.__main__ import run
from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.exit_status import ExitStatus
from dsv3calc.studies.measurements.validation import answer_validate

CONFIGS = Path(__file__).parents[1] / "importers" / "configs"
PRESETS = Path(packaged_presets())
STEERING = (
    "DSV3CALC_PATH", "XDG_CONFIG_HOME", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TERM",
    "COLUMNS", "PYTHONIOENCODING", "_DSV3CALC_COMPLETE",
)  # fmt: skip
UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@pytest.fixture(scope="session")
def validated():
    """Return the scores of all shipped rows with the rows, which take ten seconds to predict."""
    return answer_validate(rows=True)


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch, tmp_path):
    """Nothing around a test steers the program, and what it writes by accident lands nowhere."""
    for name in STEERING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


class Outcome:
    """What a call of the program left: exit status and both streams."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    @cached_property
    def data(self):
        """The JSON document on stdout; NaN and the infinities are none."""
        return read_json(self.out)

    @property
    def values(self):
        return self.data["columns"][0]["values"]

    @property
    def errors(self):
        """The errors on stderr, which must follow the published schema."""
        found = read_json(self.err)
        validator("errors").validate(found)
        return found["errors"]


def read_json(text):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@cache
def validator(name):
    """Return the judge of a published schema."""
    path = PRESETS / "schema" / f"{name}.schema.json"
    return jsonschema.Draft7Validator(json.loads(path.read_text("utf-8")))


class Program:
    """The program, called in this process."""

    def __init__(self, capsys, monkeypatch):
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments, stdin=""):
        content = stdin.encode() if isinstance(stdin, str) else stdin
        if content is not None:
            stream = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
            self._monkeypatch.setattr(sys, "stdin", stream)
        self._capsys.readouterr()
        status = run([str(each) for each in arguments])
        found = self._capsys.readouterr()
        assert "Traceback" not in found.err
        assert status != ExitStatus.INTERNAL_ERROR, found.err
        return Outcome(status, found.out, found.err)

    def ok(self, *arguments, stdin=""):
        """Call it where it must succeed."""
        found = self(*arguments, stdin=stdin)
        assert found.status == ExitStatus.OK, found.err
        return found

    def json(self, *arguments, stdin=""):
        """Call it with --json where it must succeed."""
        return self.ok(*arguments, "--json", stdin=stdin)

    def refused(self, status, *arguments, stdin=""):
        """Call it where it must fail: words for people, and JSON errors that say the same."""
        spoken = self(*arguments, stdin=stdin)
        assert spoken.status == status, (spoken.out[:300], spoken.err)
        assert spoken.out == ""
        assert spoken.err.strip()
        assert not UNSAFE.search(spoken.err)
        assert len(spoken.err) < 100_000
        if "--" not in arguments and not any("format" in str(each) for each in arguments):
            machine = self(*arguments, "--json", stdin=stdin)
            assert machine.status == status
            assert machine.out == ""
            assert machine.errors
            assert not UNSAFE.search(machine.err)
        return spoken


@pytest.fixture
def program(capsys, monkeypatch):
    return Program(capsys, monkeypatch)


@pytest.fixture
def schema():
    """Return the judge of a published schema, by name."""
    return validator


@pytest.fixture
def config():
    """Return the path of a Hugging Face config.json by model_type."""
    return lambda name: CONFIGS / f"{name}.json"


@pytest.fixture
def edited_config(tmp_path):
    """Return a copy of a config.json with keys changed; ``...`` leaves one out."""

    def edited(base="llama", **changes):
        data = json.loads((CONFIGS / f"{base}.json").read_text("utf-8")) | changes
        path = tmp_path / "config.json"
        path.write_text(json.dumps({k: v for k, v in data.items() if v is not ...}), "utf-8")
        return path

    return edited


@pytest.fixture
def preset_text():
    """Return the text of a shipped preset."""
    return lambda folder, name: (PRESETS / folder / f"{name}.yaml").read_text("utf-8")


@pytest.fixture
def file(tmp_path):
    """Write a file and return its path."""

    def written(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode("utf-8")
        path.write_bytes(content)
        return path

    return written


@pytest.fixture
def process_environment():
    """Return the environment of a test's own processes: no steering, warnings as they are."""
    return {name: value for name, value in os.environ.items() if name not in STEERING}


@pytest.fixture
def within():
    """Return a context that fails instead of hanging.

    The seconds are those of a quiet machine: a shared one gets ten times as long, since this is no
    measurement.
    """

    @contextmanager
    def limit(seconds):
        def late(_number, _frame):
            pytest.fail(f"still busy after {10 * seconds} s")

        before = signal.signal(signal.SIGALRM, late)
        signal.alarm(10 * seconds)
        try:
            yield
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)

    return limit
