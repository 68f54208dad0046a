"""The process exit codes, one documented enum."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What the exit code of ``dsv3calc`` says.

    A reader that closes its pipe early (``| head``) does not change the code.
    """

    OK = 0
    """The question was answered."""

    CHECK_FAILED = 1
    """A check failed: a number moved, a figure of a paper does not follow, a layout does not fit
    under ``--require-fit``, or ``diff --fail-over`` was exceeded."""

    USAGE = 2
    """The command line is wrong, or needs a program or package that is not installed."""

    INVALID_INPUT = 3
    """A preset or another input file is wrong, or cannot be read."""

    INFEASIBLE = 4
    """Nothing satisfies what was asked."""

    INTERNAL_ERROR = 70
    """A defect of dsv3calc; the report on standard error can be pasted into an issue."""

    CANNOT_WRITE = 74
    """The output could not be written: a full disk, no such directory, no permission, a closed
    standard output."""

    INTERRUPTED = 130
    """Ctrl-C."""
