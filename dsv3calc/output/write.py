"""Showing an answer: render it in the format asked for, to stdout or to a file, whole or not."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.output.color import takes_color
from dsv3calc.output.notes import told_of
from dsv3calc.reading.escaping import escape, inert, markdown
from dsv3calc.reading.files import write_whole

if TYPE_CHECKING:
    from dsv3calc.output.options import OutputOptions
    from dsv3calc.studies.answer import Answer

RENDERERS = {
    "json": "dsv3calc.output.json_format",
    "table": "dsv3calc.output.table",
    "csv": "dsv3calc.output.csv_format",
    "markdown": "dsv3calc.output.markdown",
    "junit": "dsv3calc.output.junit",
    "github": "dsv3calc.output.github",
    "sarif": "dsv3calc.output.sarif",
    "html": "dsv3calc.output.html",
    "svg": "dsv3calc.output.svg_format",
    "png": "dsv3calc.output.png_format",
}
"""Format -> module whose ``render(answer, options, color)`` returns the text, or the bytes.

A module's ``after(answer)``, where it has one, runs once the text is written.
"""

ALWAYS_UTF8 = ("json", "sarif", "junit", "html", "svg")
"""Formats that are UTF-8 by definition or by their own header, whatever the locale is."""


def show(answer: Answer | Iterator[Answer], options: OutputOptions) -> None:
    """Render an answer and write it; of several write each as it comes.

    A reader that closes its pipe is no error: the rest is left out.

    Raises
    ------
    UsageError
        If the file exists and --force was not given, or names a place that cannot be written.
    OutputError, OSError
        If writing fails, for example on a full disk.
    """
    to_file = options.file is not None and options.color == "auto"
    color = not to_file and takes_color(sys.stdout, options.color)
    renderer = import_module(RENDERERS[options.format])
    if options.trace is not None and not isinstance(answer, Iterator):
        _trace(answer, options.trace, options)
    if options.ledger and not isinstance(answer, Iterator) and not answer.columns:
        raise UsageError(f"--ledger: the answer of {answer.command} has no lines", "leave it out")
    if isinstance(answer, Iterator):
        texts = _rendered(renderer, answer, options, color=color)
    else:
        texts = iter([renderer.render(answer, options, color=color)])
        _tell(answer, options)
    try:
        if options.file is not None and options.format == "table":
            _write_beside(answer, options)
        _write(texts, options)
    except BrokenPipeError:
        forget_output()
    if hasattr(renderer, "after") and not isinstance(answer, Iterator):
        renderer.after(answer)


def _trace(answer: Answer, file: str, options: OutputOptions) -> None:
    """Write the passes of an answer to a file of its own."""
    from dsv3calc.output.trace import trace_texts

    write_whole(file, trace_texts(answer), force=options.force, option="--trace")
    if not options.quiet:
        _say(f"wrote {file}")


def _rendered(
    renderer: Any, answers: Iterator[Answer], options: OutputOptions, *, color: bool
) -> Iterator[str]:
    """Yield the texts of answers, each as it comes."""
    if hasattr(renderer, "render_many"):
        yield from renderer.render_many(answers, options)
        return
    shown = markdown if options.format == "markdown" else escape
    between = ""
    for each in answers:
        asked = inert(shown(each.asked))
        yield f"{between}# {asked}\n{renderer.render(each, options, color=color)}"
        between = "\n"


def _write(texts: Iterator[Any], options: OutputOptions) -> None:
    if options.file is not None:
        write_whole(options.file, texts, force=options.force)
        if not options.quiet:
            _say(f"wrote {options.file}")
        return
    if options.format == "png":
        if sys.stdout.isatty():
            raise UsageError("a terminal does not show PNG", "-o picture.png")
        sys.stdout.buffer.writelines(texts)
        sys.stdout.flush()
        return
    if options.format in ALWAYS_UTF8 and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    for text in texts:
        sys.stdout.write(text)
        sys.stdout.flush()


def _write_beside(answer: Answer | Iterator[Answer], options: OutputOptions) -> None:
    """Write the further files of an answer that is a file itself."""
    for path, text in getattr(answer, "beside", {}).items():
        write_whole(path, [text], force=options.force)
        if not options.quiet:
            _say(f"wrote {path}")


def forget_output() -> None:
    """Discard what is still written to standard output: its reader has closed the pipe."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - stays open


def _say(text: str) -> None:
    """Write a line to stderr; a reader of stderr that has gone does not stop the answer."""
    with suppress(BrokenPipeError):
        print(inert(escape(text)), file=sys.stderr)


def _tell(answer: Answer, options: OutputOptions) -> None:
    """Say on stderr what a reader must know and the output itself does not show him.

    JSON carries everything; a preset's text and CSV carry nothing but values.
    """
    if options.format == "json" or (options.format != "csv" and not answer.text):
        return
    told = told_of(answer, options)
    for word, text in told.shown:
        _say(f"{word}: {text}")
    if told.more:
        _say(told.more)
