"""Failures in words: on stderr for a person, as JSON where JSON was asked for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from contextlib import suppress
from itertools import pairwise
from typing import Any

from dsv3calc.errors import Dsv3calcError, InvalidInput, complaint, missing_package
from dsv3calc.exit_status import ExitStatus
from dsv3calc.output.color import takes_color
from dsv3calc.reading.escaping import escape, escape_lines, inert, json_document

_RED, _PLAIN = "\x1b[1;31m", "\x1b[0m"


def report_failure(error: Exception, arguments: list[str]) -> int:
    """Print an error to stderr and return the exit status that it means."""
    status, texts, entries = _explain(error, arguments)
    if "json" in _given("--format", arguments) or "--json" in arguments:
        texts = [json_document({"errors": entries}, indent=0, ascii_only=True)]
    elif takes_color(sys.stderr, next(iter(_given("--color", arguments)), "auto")):
        texts = [text.replace("error:", f"{_RED}error:{_PLAIN}", 1) for text in texts]
    with suppress(OSError):  # where errors cannot be written, the exit status still says it
        print(inert("\n".join(texts)), file=sys.stderr, flush=True)
    return int(status)


def _given(option: str, arguments: list[str]) -> list[str]:
    """Return the values of an option on a command line that may be wrong elsewhere."""
    joined = [each[len(option) + 1 :] for each in arguments if each.startswith(f"{option}=")]
    return joined + [value for name, value in pairwise(arguments) if name == option]


def _explain(
    error: Exception, arguments: list[str]
) -> tuple[ExitStatus, list[str], list[dict[str, Any]]]:
    """Return the exit status, the text for people and the entries for machines."""
    if isinstance(error, ImportError):
        error = missing_package(error) or error
    if isinstance(error, InvalidInput):
        texts = [str(problem) for problem in error.problems]
        if len(texts) > 1:
            texts.append(f"{len(texts)} problems found")
        kind = _KINDS.get(error.exit_status, "invalid-input")
        entries = [{"kind": kind, **problem.as_dict()} for problem in error.problems]
        return error.exit_status, texts, entries
    if isinstance(error, Dsv3calcError):
        return _told(error.exit_status, _KINDS[error.exit_status], error.message, error.hint)
    if hasattr(error, "format_message"):  # typer's own complaint about the command line
        return _told(ExitStatus.USAGE, "usage", complaint(error), _help_command(error))
    if isinstance(error, OSError):
        # reading names its file; a stream has no name
        status = ExitStatus.INVALID_INPUT if error.filename else ExitStatus.CANNOT_WRITE
        what = f"{error.filename or 'standard output'}: {error.strerror or error}"
        return _told(status, "file", what)
    return _internal(error, arguments)


_KINDS = {
    ExitStatus.USAGE: "usage",
    ExitStatus.INFEASIBLE: "infeasible",
    ExitStatus.CANNOT_WRITE: "file",
}
"""Exit status of an error with one message -> its kind in JSON."""


def _told(
    status: ExitStatus, kind: str, what: str, hint: str = ""
) -> tuple[ExitStatus, list[str], list[dict[str, Any]]]:
    """Tell one problem and what to try."""
    what, hint = escape(what), escape(hint)
    texts = [f"error: {what}", *([f"  try: {hint}"] if hint else [])]
    return status, texts, [_entry(kind, what, hint)]


def _entry(kind: str, what: str, hint: str = "") -> dict[str, Any]:
    entry = {"kind": kind, "what": what}
    return entry | ({"next": hint} if hint else {})


def _help_command(error: Any) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "dsv3calc"
    return f"{path} --help"


def _internal(
    error: Exception, arguments: list[str]
) -> tuple[ExitStatus, list[str], list[dict[str, Any]]]:
    """Make the report of a defect, ready to paste."""
    import platform
    import shlex
    import traceback

    from dsv3calc import __version__

    trace = "".join(traceback.format_exception(error))
    texts = [
        "internal error: this is a defect of dsv3calc. Please report it with these lines:",
        f"  dsv3calc {__version__}, Python {platform.python_version()}, {platform.system()}",
        f"  command: dsv3calc {escape(shlex.join(arguments))}",
        *("  " + line for line in escape_lines(trace).rstrip().split("\n")),
    ]
    return (
        ExitStatus.INTERNAL_ERROR,
        texts,
        [_entry("internal", f"{type(error).__name__}: {error}")],
    )
