"""The exceptions of dsv3calc: everything a caller may want to catch.

The Python API raises these and never exits; the command line turns each into its exit status.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.diagnostics import Problem


class Dsv3calcError(Exception):
    """Base of every error that dsv3calc raises on purpose."""

    exit_status = ExitStatus.INTERNAL_ERROR


class UsageError(Dsv3calcError):
    """The question itself is wrong: an option, a value on the command line, a combination.

    ``hint`` is the next thing to try, in words or as a command.
    """

    exit_status = ExitStatus.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(Dsv3calcError):
    """A file or an override is wrong; ``problems`` lists every fault found, in file order."""

    exit_status = ExitStatus.INVALID_INPUT

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class Infeasible(Dsv3calcError):
    """No value satisfies what was asked."""

    exit_status = ExitStatus.INFEASIBLE
