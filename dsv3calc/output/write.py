"""Showing an answer: render it in the format asked for, to stdout or to a file, whole or not."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from dsv3calc.diagnostics import escape
from dsv3calc.errors import UsageError

if TYPE_CHECKING:
    from dsv3calc.commands.request import OutputOptions
    from dsv3calc.studies.answer import Answer

RENDERERS = {
    "json": "dsv3calc.output.json_format",
    "table": "dsv3calc.output.table",
    "csv": "dsv3calc.output.csv_format",
    "markdown": "dsv3calc.output.markdown",
    "junit": "dsv3calc.output.junit",
    "github": "dsv3calc.output.github",
    "sarif": "dsv3calc.output.sarif",
}
"""Format -> module whose ``render(answer, options, color)`` returns the text."""


def show(answer: Answer | list[Answer], options: OutputOptions) -> None:
    """Render an answer, or one after the other, and write it.

    Raises
    ------
    UsageError
        If the file exists and --force was not given, or cannot be written.
    """
    if options.file is not None:
        check_writable(options.file, force=options.force)
    color = options.color == "always" or (
        options.color == "auto" and options.file is None and _terminal_takes_color()
    )
    renderer = import_module(RENDERERS[options.format])
    if isinstance(answer, list):
        if hasattr(renderer, "render_many"):
            text: str = renderer.render_many(answer)
        else:
            text = "\n".join(renderer.render(each, options, color=color) for each in answer)
    else:
        text = renderer.render(answer, options, color=color)
        _tell(answer, options)
    if options.file is None:
        sys.stdout.write(text)
        return
    write_whole(options.file, text, force=options.force)
    print(f"wrote {options.file}", file=sys.stderr)


def _tell(answer: Answer, options: OutputOptions) -> None:
    """Say on stderr what a reader must know and the output itself does not show him.

    JSON carries everything; a preset's text and CSV carry nothing but values.
    """
    if options.format == "json" or (options.format != "csv" and not answer.text):
        return
    for word, texts in (
        ("warning", answer.warnings),
        ("note", answer.notes),
        ("assumed", answer.assumptions if options.format != "csv" else []),
    ):
        for text in texts:
            print(f"{word}: {escape(text)}", file=sys.stderr)


def _terminal_takes_color() -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def check_writable(path: str, *, force: bool) -> None:
    """Refuse a file that must not be overwritten, before any work is done.

    Raises
    ------
    UsageError
        If it exists and ``force`` is not given, or is a directory.
    """
    if os.path.isdir(path):
        raise UsageError(f"-o {path}: this is a directory", "name a file in it")
    if os.path.lexists(path) and not force:
        raise UsageError(f"-o {path}: the file exists", "give --force to replace it")


def write_whole(path: str, text: str, *, force: bool) -> None:
    """Write a file so that it is seen whole or not at all.

    Raises
    ------
    UsageError
        If it exists and ``force`` is not given, or the place cannot be written.
    """
    import tempfile

    target = os.path.realpath(path)
    if force and os.path.exists(target) and not os.path.isfile(target):
        # a device such as /dev/stdout cannot be replaced, only written to
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)
        return
    try:
        handle, temporary = tempfile.mkstemp(
            dir=os.path.dirname(target),
            prefix=f".{os.path.basename(target)[:50]}.",
        )
    except OSError as error:
        raise UsageError(f"-o {path}: {error.strerror}", "choose a directory that exists") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, _mode(target))
        if force:
            os.replace(temporary, target)
        else:
            os.link(temporary, target)  # fails, unlike replace, if another process was faster
    except FileExistsError:
        raise UsageError(f"-o {path}: the file exists", "give --force to replace it") from None
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def _mode(target: str) -> int:
    """Return the permissions that the file has, or that a new one would get."""
    if os.path.exists(target):
        return os.stat(target).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
