"""The exceptions of dsv3calc: everything a caller may want to catch.

The Python API raises these and never exits; the command line turns each into its exit status.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.reading.diagnostics import Problem


class Dsv3calcError(Exception):
    """Base of every error that dsv3calc raises on purpose.

    ``hint`` is the next thing to try, in words or as a command. One that takes long to find may be
    given as a function: a search that only asks whether something is refused never calls it.
    """

    exit_status = ExitStatus.INTERNAL_ERROR

    def __init__(self, message: str, hint: str | Callable[[], str] = "") -> None:
        super().__init__(message)
        self.message = message
        self._hint = hint

    @property
    def hint(self) -> str:
        """The next thing to try."""
        if callable(self._hint):
            self._hint = self._hint()
        return self._hint


class UsageError(Dsv3calcError):
    """The question itself is wrong: an option, a value on the command line, a combination."""

    exit_status = ExitStatus.USAGE


class InvalidInput(Dsv3calcError):
    """A file or an override is wrong; ``problems`` lists every fault found, in file order.

    ``unknown`` tells that one of them is a field that there is not.
    """

    exit_status = ExitStatus.INVALID_INPUT

    def __init__(self, problems: Sequence[Problem], *, unknown: bool = False) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
        self.unknown = unknown


class InvalidOverride(InvalidInput):
    """The values of ``--set`` are wrong, not the files that they change."""

    exit_status = ExitStatus.USAGE


class Infeasible(Dsv3calcError):
    """No value satisfies what was asked."""

    exit_status = ExitStatus.INFEASIBLE


class OutputError(Dsv3calcError):
    """Writing the output failed: a full disk, no such directory, no permission."""

    exit_status = ExitStatus.CANNOT_WRITE


def complaint(error: Any) -> str:
    """Return what typer says of a command line; a missing argument without its quotes and dots."""
    text: str = error.format_message()
    if text.startswith("Missing argument "):
        return text.replace("'", "").rstrip(".")
    return text


def missing_package(error: ImportError) -> UsageError | None:
    """Return the error that names a package which cannot be imported, or None for our own module.

    All packages are dependencies of dsv3calc, and most queries need only some of them.
    """
    name = (error.name or "").partition(".")[0]
    if name == "dsv3calc":
        return None
    if not name:  # raised by a package about itself
        first = next(iter(str(error).strip().splitlines()), "no reason is given")
        return UsageError(f"a Python package cannot be imported: {first}", "install it again")
    package = {"yaml": "pyyaml"}.get(name, name)
    return UsageError(
        f"this needs the Python package {package}, which cannot be imported",
        f"python -m pip install {package}",
    )
