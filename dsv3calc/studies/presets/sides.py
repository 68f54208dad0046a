"""What ``diff`` is given: a saved result, a preset, or a file as a git revision has it.

A text that is no file yet (from git or standard input) is put into a temporary folder for as long
as the caller needs it, so that presets and queries read it as they read any file; messages name it
as the user did.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.catalogue import references
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.reading.diagnostics import Problem, quote
from dsv3calc.reading.escaping import escape
from dsv3calc.reading.source import Source, read_source
from dsv3calc.schema.convert import convert
from dsv3calc.studies.presets.catalogue import find_preset
from dsv3calc.studies.public_lines.table import public_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from dsv3calc.catalogue.presets import Preset

READ_VERSIONS = (1, 2)
"""Schema versions of saved results that are read: 1 has every line and no list of main lines."""

LARGEST_RESULT = 32 * 1024**2
"""Bytes of a saved result: a comparison of twenty designs has four million."""

_SLOW = 4 * 1024**2  # bytes from which a wrong result is not searched for the lines of its faults
_GIT_SECONDS = 30
_LONGEST_WORDS = 200  # characters of what git said
_REVISION = re.compile(r"(?P<revision>(?:[@^]\{[^}]*\}|[^:])*+):(?P<path>.*)", re.DOTALL)
_EXAMPLE = "dsv3calc diff main:my-model.yaml my-model.yaml"


class ResultLine(msgspec.Struct):
    """What is read of a line of a saved ledger: which lines stand at the top."""

    name: str
    parts: list[ResultLine] = []


class ResultLedger(msgspec.Struct):
    """A saved ledger."""

    lines: list[ResultLine] = []


class ResultColumn(msgspec.Struct):
    """One column of a saved result."""

    id: str
    values: dict[str, int | float]
    units: dict[str, str]
    main: list[str] = []
    ledger: ResultLedger | None = None

    @property
    def top(self) -> set[str]:
        """The names of the main lines; of all values where they are not listed."""
        lines = self.ledger.lines if self.ledger is not None else []
        names = set(self.main) or {line.name for top in lines for line in (top, *top.parts)}
        return names or set(self.values)

    def public(self) -> dict[str, int | float]:
        """Return the values that a result without ``--ledger`` has."""
        lines = self.ledger.lines if self.ledger is not None else []
        answered = {line.name for line in lines}
        return {
            name: value
            for name, value in self.values.items()
            if name in answered or public_line(name)
        }


class Result(msgspec.Struct):
    """The JSON answer of a query; what ``diff`` does not need is passed over."""

    schema_version: int
    command: str
    columns: list[ResultColumn]
    query: dict[str, Any] = {}
    assumptions: list[str] = []
    warnings: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether it has every line, not the public ones alone."""
        return self.schema_version == 1 or any(column.ledger for column in self.columns)

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield another version, columns of one id, a value without unit."""
        if self.schema_version not in READ_VERSIONS:
            yield (
                ("schema_version",),
                f"schema version {quote(self.schema_version)} is unknown",
                f"this dsv3calc reads versions {' and '.join(map(str, READ_VERSIONS))}",
            )
        seen: set[str] = set()
        for number, column in enumerate(self.columns):
            if column.id in seen:
                yield ("columns", number, "id"), "duplicate column id", ""
            seen.add(column.id)
            for name in column.values:
                if name not in column.units:
                    path = ("columns", number, "values", name)
                    yield path, "this value has no unit", "units has an entry for every value"


class Side:
    """One of the two: a result or a preset, how the user named it, where it can be read."""

    __slots__ = ("label", "path", "preset", "result")

    def __init__(self, label: str, path: str) -> None:
        self.label = label
        self.path = path
        self.result: Result | None = None
        self.preset: Preset[Any] | None = None

    @property
    def sort(self) -> str:
        """What it is, in words: two sides are compared only if they are the same sort."""
        if self.result is not None:
            return f"a result of '{shown(self.result.command)}'"
        assert self.preset is not None  # noqa: S101 - one of the two is set
        return f"a {self.preset.kind.replace('_', ' ')} preset"

    def told(self, text: str) -> str:
        """Return a text with the file named as the user named it."""
        return text if self.path == self.label else text.replace(self.path, self.label)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Let what is wrong with the file be said about the name that the user gave."""
        try:
            yield
        except InvalidInput as error:
            problems = [
                msgspec.structs.replace(
                    problem,
                    **{
                        name: self.told(value)
                        for name in problem.__struct_fields__
                        if isinstance(value := getattr(problem, name), str)
                    },
                )
                for problem in error.problems
            ]
            raise InvalidInput(problems) from None
        except UsageError as error:
            raise UsageError(self.told(error.message), self.told(error.hint)) from None


def shown(text: str) -> str:
    """Return a text of the user for a message: short, without control characters."""
    return quote(text)[1:-1]


def open_side(reference: str, kept: ExitStack, kind: str | None, preset_path: str | None) -> Side:
    """Read what a reference leads to; a temporary file that it needs lives as long as ``kept``.

    Raises
    ------
    UsageError
        If it is nothing that can be compared, or git has no such file.
    InvalidInput
        If the file is broken.
    """
    side = Side(_label(reference), _find(reference, kept))
    with side.named():
        if references.is_path(side.path) and not os.path.isdir(side.path):
            side.result = _read_result(side.path)
        if side.result is None:
            side.preset = _preset(side.path, kind, preset_path)
    return side


def _preset(reference: str, kind: str | None, preset_path: str | None) -> Preset[Any]:
    try:
        return find_preset(reference, kind, preset_path)
    except UsageError as error:
        if references.is_path(reference) or not os.path.isfile(reference):
            raise
        hint = f"for the file of that name write ./{shown(reference)}"
        raise UsageError(error.message, hint) from None


def _label(reference: str) -> str:
    """Return how a side is called; bytes that are not UTF-8 written as escapes."""
    if reference == "-":
        return "<stdin>"
    return reference.encode("utf-8", "backslashreplace").decode("utf-8")


def _find(reference: str, kept: ExitStack) -> str:
    """Return the preset's name or the path that a reference leads to."""
    if not reference.strip():
        raise UsageError("an empty text names nothing to compare", _EXAMPLE)
    if reference == "-":
        text = read_source("-", LARGEST_RESULT).text
        name = "stdin.json" if text.lstrip()[:1] == "{" else "stdin.yaml"
        return _keep(kept, "_", name, text.encode("utf-8"))
    if ":" in reference and not os.path.lexists(reference):
        return _from_git(reference, kept)
    if not references.is_path(reference) and ":" in reference:
        return f"./{reference}"  # no name has a colon: the file is meant
    return reference


def _keep(kept: ExitStack, parent: str, name: str, content: bytes) -> str:
    """Write a text that is no file yet; the names that an import looks at stay."""
    import tempfile

    try:
        folder = kept.enter_context(
            tempfile.TemporaryDirectory(prefix="dsv3calc-", ignore_cleanup_errors=True)
        )
        path = os.path.join(folder, "_" if parent in ("", ".", "..") else parent, name)
        os.mkdir(os.path.dirname(path))
        with open(path, "xb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(
            f"cannot write a temporary file: {error.strerror}", "TMPDIR names another place"
        ) from None
    return path


# --- results --------------------------------------------------------------------------------


def _read_result(path: str) -> Result | None:
    """Return the saved result that a file holds, or None where it holds something else."""
    source = read_source(path, LARGEST_RESULT)
    telling = ('"schema_version"', '"columns"')
    if source.text.lstrip()[:1] != "{" or not all(word in source.text for word in telling):
        return None
    try:
        result = msgspec.json.decode(source.text, type=Result)
    except (msgspec.MsgspecError, RecursionError) as error:
        return _explain(source, error)
    if next(result.problems(), None) is not None:
        return _explain(source, None)
    return result


def _explain(source: Source, error: Exception | None) -> Result:
    """Raise what is wrong with a result: with every fault and its line unless it is large."""
    if len(source.text) < _SLOW:
        exact = Source(source.name, source.text, "json", LARGEST_RESULT)
        return convert(exact, exact.data, Result)
    what = str(error) if error else "not a result that this version reads"
    raise InvalidInput([Problem(source.name, None, None, what)])


# --- git ------------------------------------------------------------------------------------


def _from_git(reference: str, kept: ExitStack) -> str:
    """Write the file that ``REV:PATH`` names to a temporary one, and return where."""
    match = _REVISION.fullmatch(reference)
    revision, path = (match["revision"], match["path"]) if match else ("", "")
    name = f"'{shown(reference)}'"
    if "://" in reference:
        raise UsageError(f"{name}: nothing is read from a network", "name a file or REV:PATH")
    if revision.startswith("-"):
        raise UsageError(f"{name}: a revision does not start with '-'", _EXAMPLE)
    if not path.strip("/") or "\0" in reference or "\n" in reference:
        raise UsageError(f"{name} names no file of a revision: expected REV:PATH", _EXAMPLE)
    # as for any file, a path is seen from the working directory; /PATH from the repository's top
    place = path.lstrip("/") if path.startswith("/") else f"./{path}"
    if "{" in revision:  # older versions of git find no path behind an open brace
        revision = _git(name, "rev-parse", "--verify", revision).decode().strip()
    found = f"{revision}:{place}"
    size = int(_git(name, "cat-file", "-s", found))
    if size > LARGEST_RESULT:
        what = f"the file is too large: {size:,} bytes"
        limit = f"at most {LARGEST_RESULT >> 20} MiB"
        raise InvalidInput([Problem(_label(reference), None, None, what, valid=limit)])
    content = _git(name, "cat-file", "blob", found)
    return _keep(kept, os.path.basename(os.path.dirname(path)), os.path.basename(path), content)


def _git(name: str, *arguments: str) -> bytes:
    """Return what git prints: these commands run no filter, no pager and, so told, no network."""
    import subprocess

    environment = os.environ | {
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and no argument of the user's is an option
            ["git", *arguments],  # noqa: S607 - the git that the user has
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            check=False,
            env=environment,
        )
    except FileNotFoundError:
        raise UsageError(f"{name}: there is no such file, and git is not installed") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{name}: git took longer than {_GIT_SECONDS} s") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: git cannot be run: {error}") from None
    if done.returncode == 0:
        return done.stdout
    words = _words(done.stderr.decode("utf-8", "replace"))
    if "blob" in arguments and "bad file" in words:
        words = "this is a directory, not a file"
    hint = "REV:PATH is seen from the working directory, REV:/PATH from the repository's top"
    raise UsageError(f"{name} is neither a file nor one of a revision; git: {words}", hint)


def _words(text: str) -> str:
    """Return the line of git's complaint that says why, short and harmless to print."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")]
    words = (fatal or lines or ["(no reason given)"])[0]
    return escape(words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…")
