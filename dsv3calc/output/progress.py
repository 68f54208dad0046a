"""How far long work has come, on standard error where that is a terminal."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Self

from dsv3calc.reading.escaping import escape

if TYPE_CHECKING:
    from types import TracebackType

_EVERY = 0.2
"""Seconds between two looks at it."""

_UNITS = ((86400, "days"), (3600, "h"), (60, "min"), (1, "s"))
_SEVERAL = 2
_IN_TENTHS = ("days", "h")


class Progress:
    """Shows how much is done and the time left, and after Ctrl-C what is kept, and where.

    Parameters
    ----------
    what
        What is counted, in the plural.
    kept_in
        Where it is kept.
    quiet
        Whether nothing is said.
    """

    def __init__(self, what: str, kept_in: str, *, quiet: bool) -> None:
        self.what = what
        self.kept_in = kept_in
        self.quiet = quiet
        self.shown = not quiet and sys.stderr.isatty()
        self.done = self.every = 0
        self.first: int | None = None
        self.start = self.last = monotonic()
        self.width = 0

    def __call__(self, done: int, every: int) -> None:
        """Take over how much is done of all, and show it from time to time."""
        now = monotonic()
        if self.first is None:
            self.first, self.start = done - 1, now
        self.done, self.every = done, every
        if self.shown and now - self.last >= _EVERY:
            self.last = now
            self._show(now)

    def _show(self, now: float) -> None:
        assert self.first is not None  # noqa: S101 - something is done
        elapsed, since = now - self.start, self.done - self.first
        left = (self.every - self.done) * elapsed / since
        text = f"{self.done:,} of {self.every:,} {self.what}, {duration(left)} left"
        self._write(f"\r{text.ljust(self.width)}")
        self.width = len(text)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Clear the line, and say what is kept after Ctrl-C."""
        if self.width:
            self._write(f"\r{' ' * self.width}\r")
        if isinstance(error, KeyboardInterrupt) and self.done and not self.quiet:
            self._write(
                f"interrupted: {self.done:,} of {self.every:,} {self.what} are kept in "
                f"{escape(self.kept_in)}; --resume goes on\n"
            )

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # nobody looks
            sys.stderr.write(text)
            sys.stderr.flush()


def duration(seconds: float) -> str:
    """Return a duration in the largest unit of which it has two or more.

    >>> [duration(each) for each in (0.3, 119, 120, 10_000, 500_000)]
    ['0 s', '119 s', '2 min', '2.8 h', '5.8 days']
    """
    size, unit = next((each for each in _UNITS if seconds >= _SEVERAL * each[0]), _UNITS[-1])
    return f"{seconds / size:,.{int(unit in _IN_TENTHS)}f} {unit}"
