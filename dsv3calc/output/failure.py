"""Failures in words: on stderr for a person, as JSON where JSON was asked for."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from contextlib import suppress
from itertools import pairwise
from typing import Any

from dsv3calc.errors import Dsv3calcError, InvalidInput, UsageError
from dsv3calc.escaping import escape, escape_lines, inert, json_document
from dsv3calc.exit_status import ExitStatus


def report_failure(error: Exception, arguments: list[str]) -> int:
    """Print an error to stderr and return the exit status that it means."""
    status, texts, entries = _explain(error, arguments)
    if _wants_json(arguments):
        texts = [json_document({"errors": entries}, indent=0, ascii_only=True)]
    with suppress(OSError):  # where errors cannot be written, the exit status still says it
        print(inert("\n".join(texts)), file=sys.stderr, flush=True)
    return int(status)


def _wants_json(arguments: list[str]) -> bool:
    if "--json" in arguments or "--format=json" in arguments:
        return True
    return ("--format", "json") in pairwise(arguments)


def _explain(
    error: Exception, arguments: list[str]
) -> tuple[ExitStatus, list[str], list[dict[str, Any]]]:
    """Return the exit status, the text for people and the entries for machines."""
    if isinstance(error, InvalidInput):
        texts = [str(problem) for problem in error.problems]
        count = len(texts)
        texts.append(f"{count} problem{'s' if count > 1 else ''} found")
        entries = [{"kind": "invalid-input", **problem.as_dict()} for problem in error.problems]
        return error.exit_status, texts, entries
    if isinstance(error, UsageError):
        message, hint = escape(error.message), escape(error.hint)
        texts = [f"error: {message}"]
        if hint:
            texts.append(f"  try: {hint}")
        return error.exit_status, texts, [_entry("usage", message, hint)]
    if isinstance(error, Dsv3calcError):
        message = escape(str(error))
        return error.exit_status, [f"error: {message}"], [_entry("infeasible", message)]
    if hasattr(error, "format_message"):  # typer's own complaint about the command line
        message = escape(error.format_message())
        hint = _help_command(error)
        return ExitStatus.USAGE, [f"error: {message}", f"  try: {hint}"], [
            _entry("usage", message, hint)
        ]  # fmt: skip
    if isinstance(error, OSError):
        message = escape(f"{error.filename or 'output'}: {error.strerror or error}")
        return ExitStatus.INVALID_INPUT, [f"error: {message}"], [_entry("file", message)]
    return _internal(error, arguments)


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
