"""What the page in ``site/`` asks of the package: command lines in, plain data out.

Nothing here exits, reads standard input or needs a library that a browser lacks. Files that a
command line names are read from the file system, which in a browser lies in memory.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc import __version__
from dsv3calc.__main__ import run as run_command
from dsv3calc.cli import load_command, parse_request
from dsv3calc.errors import UsageError
from dsv3calc.output.failure import report_failure
from dsv3calc.queries.fields import fields_of
from dsv3calc.queries.table import PICTURES, QUERIES
from dsv3calc.reading.escaping import json_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.commands.request import Request
    from dsv3calc.studies.answer import Answer

KINDS = ("model", "hardware", "layout", "setup", "precision", "kv_format")
"""Kinds of presets that the page has a list for."""


def reply(message: str) -> str:
    """Answer a message of the page: a JSON object that names one of the functions below.

    >>> reply('{"ask": "run", "words": ["formula", "eval", "gpu_cost", "--quiet"]}')[:12]
    '{"status":2,'
    """
    given = msgspec.json.decode(message)
    return json_document(_ASKED[given.pop("ask")](**given))


def run(words: list[str]) -> dict[str, Any]:
    """Run a command line as a terminal does: exit status, standard output and standard error."""
    with _captured() as (out, told):
        status = run_command(words)
    return {"status": status, "output": out.getvalue(), "error": told.getvalue()}


def show(words: list[str]) -> dict[str, Any]:
    """Answer a query with its tables, picture and notes, or with the error of the command line."""
    from dsv3calc.output.view_data import shown

    with _captured() as (_, told):
        try:
            request = _request(words)
            return {"status": 0, **shown(_answered(request), request.output)}
        except Exception as error:  # noqa: BLE001 - a failure becomes words here, as in __main__
            return {"status": report_failure(error, words), "error": told.getvalue()}


def explain(words: list[str], column: str, line: str, path: list[int]) -> dict[str, Any]:
    """Tell how a line of an answer is derived, or an input of it that ``path`` leads to."""
    from dsv3calc.output.view_data import explained

    with _captured() as (_, told):
        try:
            asked = _answered(_request([*words, "--explain", "--line", line])).explanations
            found = next((each for each in asked if each.column == column), asked[0]).line
            for number in path:
                found = found.inputs[number].line
            return {"status": 0, "line": explained(found, 1)}
        except Exception as error:  # noqa: BLE001 - as in show
            return {"status": report_failure(error, words), "error": told.getvalue()}


def pickers() -> dict[str, Any]:
    """Return what can be chosen: presets by kind, and the options and pictures of each command."""
    from dsv3calc.studies.presets.catalogue import list_presets

    presets = {
        kind: [
            {"name": row["name"], "title": row["title"], "use": _use(kind, row["name"])}
            for row in list_presets(kind, None, figures=False).rows
        ]
        for kind in KINDS
    }
    commands = {
        words: {
            "options": [
                field.flag
                for struct in load_command(command.group, command.name).structs
                for field in fields_of(struct).values()
                if field.flag
            ],
            "picture": words in PICTURES,
        }
        for words, command in QUERIES.items()
    }
    return {"version": __version__, "presets": presets, "commands": commands}


def _use(kind: str, name: str) -> str:
    """Say whether a layout or a set-up is for training or for serving; nothing where for both."""
    from dsv3calc.catalogue.presets import load

    if kind == "layout":
        phase = load("layout", name).value.phase
        return "" if phase is None else "train" if phase == "train" else "serve"
    if kind == "setup":
        areas = [each.area for each in load("setup", name).value.applies_to]
        uses = {"train" if area.startswith("training") else "serve" for area in areas}
        return uses.pop() if len(uses) == 1 else ""
    return ""


def _request(words: list[str]) -> Request:
    request = parse_request(words)
    if request is None:
        raise UsageError("this command line asks for help, not for an answer")
    return request


def _answered(request: Request) -> Answer:
    from dsv3calc.studies.answer import Answer

    found = request.answer()
    if not isinstance(found, Answer):
        raise UsageError("this command line has several answers", "ask one query")
    return found


@contextmanager
def _captured() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Keep what is written to standard output and standard error."""
    out, told = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(told):
        yield out, told


_ASKED: dict[str, Callable[..., Any]] = {
    "run": run,
    "show": show,
    "explain": explain,
    "pickers": pickers,
}
