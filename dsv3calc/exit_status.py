"""The process exit codes, one documented enum."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """What the exit code of ``dsv3calc`` says."""

    OK = 0  # the question was answered
    CHECK_FAILED = 1  # a check failed, or a layout does not fit when asked to --require-fit
    USAGE = 2  # the command line is wrong
    INVALID_INPUT = 3  # a preset or another input file is wrong
    INFEASIBLE = 4  # nothing satisfies what was asked
    INTERNAL_ERROR = 70  # a defect of dsv3calc, with a report to paste
    INTERRUPTED = 130  # Ctrl-C
