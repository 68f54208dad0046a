"""What a command returns: the query it understood and how to show the answer."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.errors import UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.output.notes import NOTES
from dsv3calc.output.options import COLORS, OutputOptions
from dsv3calc.queries.table import PICTURES, PIPELINE, QUERIES
from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dsv3calc.queries.base import Query
    from dsv3calc.queries.output import OutputArguments, QueryOutputArguments
    from dsv3calc.studies.answer import Answer

_COLLECTED_AFTER = 100_000
"""Objects that are made before Python looks for cycles among them; a short query makes fewer."""

FORMATS = ("table", "json", "csv", "markdown")
PICTURE_FORMATS = ("svg", "png")
_BY_ENDING = {
    ".json": "json",
    ".csv": "csv",
    ".md": "markdown",
    ".xml": "junit",
    ".sarif": "sarif",
    ".html": "html",
    ".svg": "svg",
    ".png": "png",
    ".parquet": "parquet",
}


def output_options(
    given: OutputArguments,
    *,
    more_formats: tuple[str, ...] = (),
    depth: int | None = None,
    plot: bool = False,
    trace: str | None = None,
) -> OutputOptions:
    """Check the output options of a command line together.

    ``more_formats`` are what a command has beside those that all have.

    Raises
    ------
    UsageError
        If two of them contradict each other or a value is unknown.
    """
    format_, file, color = given.format, given.output, given.color
    if given.json and format_ not in (None, "json"):
        raise UsageError(f"--json and --format {format_} contradict each other", "give one")
    formats = FORMATS + more_formats
    if format_ == "html" and "html" not in formats:
        raise UsageError("--format html: only answers to queries are pages", _listed(QUERIES))
    if format_ in PICTURE_FORMATS and format_ not in formats:
        raise UsageError(f"--format {format_}: this command has no picture", _drawing("sweep"))
    if format_ is not None and format_ not in formats:
        raise UsageError(f"--format {quote(format_)}: choose one of {', '.join(formats)}")
    _check_choices(given)
    if file == "-":
        file = None  # as elsewhere, - is the standard stream
    if given.force and file is None and trace is None:
        raise UsageError("--force allows -o to overwrite a file, but no -o FILE is given")
    chosen = "json" if given.json else format_
    if chosen is None and file:
        chosen = next(
            (name for end, name in _BY_ENDING.items() if file.endswith(end) and name in formats),
            None,
        )
    if chosen is None and "github" in more_formats and os.environ.get("GITHUB_ACTIONS"):
        chosen = "github"
    if given.ledger and chosen != "json":
        raise UsageError("--ledger adds lines to JSON", "add --json")
    return OutputOptions(
        format=chosen or "table",
        file=file,
        force=given.force,
        exact=given.exact,
        notes="none" if given.quiet else given.notes,
        quiet=given.quiet,
        color=color,
        depth=depth,
        plot=plot,
        trace=trace,
        ledger=given.ledger,
    )


def _check_choices(given: OutputArguments) -> None:
    for option, value, known in (("color", given.color, COLORS), ("notes", given.notes, NOTES)):
        if value not in known:
            raise UsageError(f"--{option} {quote(value)}: choose one of {', '.join(known)}")
    if given.quiet and given.notes == "all":
        raise UsageError("--quiet and --notes all contradict each other", "give one")


def check_plot(command: str, given: QueryOutputArguments) -> None:
    """Refuse a picture in characters where there is none, or no table that it stands below.

    Raises
    ------
    UsageError
        With the commands that have a picture.
    """
    if not given.plot:
        return
    if command not in PICTURES:
        raise UsageError(f"--plot: {command} has no picture", _drawing())
    if given.json or given.explain or given.format not in (None, "table"):
        raise UsageError(
            "--plot draws below the tables of an answer",
            "leave out the other format, or take --format svg for a file",
        )


def check_trace(command: str, given: QueryOutputArguments) -> None:
    """Refuse a trace of what has no passes, or of an explanation.

    Raises
    ------
    UsageError
        With the command that has a trace.
    """
    if given.trace is None:
        return
    if PICTURES.get(command) != PIPELINE:
        traced = ", ".join(words for words, picture in PICTURES.items() if picture == PIPELINE)
        raise UsageError(f"--trace: {command} has no passes of a pipeline", f"{traced} has them")
    if given.explain:
        raise UsageError("--trace and --explain contradict each other", "leave one out")


def _drawing(*more: str) -> str:
    return f"{_listed([*PICTURES, *more])} have one"


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}"


class Request:
    """A query, or another source of an answer, with the output options of its command line."""

    __slots__ = ("output", "query", "source")

    def __init__(
        self,
        query: Query | None,
        output: OutputOptions,
        source: Callable[[], Answer | Iterator[Answer]] | None = None,
    ) -> None:
        self.query = query
        self.output = output
        self.source = source

    def answer(self) -> Answer | Iterator[Answer]:
        """Ask the study; ``eval`` has an answer for each line."""
        if self.source is not None:
            return self.source()
        from dsv3calc.studies.dispatch import answer

        assert self.query is not None  # noqa: S101 - one of the two is given
        return answer(self.query)

    def respond(self) -> ExitStatus:
        """Answer and show; a check that failed says so by its status."""
        from dsv3calc.output.write import show

        for file, option in ((self.output.file, "-o"), (self.output.trace, "--trace")):
            if file is not None:
                check_writable(file, force=self.output.force, option=option)
        if not gc.isenabled():  # main put it off; from here on the work may be long
            gc.freeze()  # what was imported stays: the first collection need not go through it
            gc.set_threshold(_COLLECTED_AFTER)
            gc.enable()
        found = self.answer()
        show(found, self.output)
        return getattr(found, "status", ExitStatus.OK)


class WritingRequest(Request):
    """A command that writes its file itself; its answer says what was written."""

    __slots__ = ()

    def answer(self) -> Answer:
        """Run the command; what it wrote is told on the standard output."""
        assert self.source is not None  # noqa: S101 - a command has one
        found: Answer = self.source()  # type: ignore[assignment]
        self.output = msgspec.structs.replace(self.output, file=None, format="table")
        return found
