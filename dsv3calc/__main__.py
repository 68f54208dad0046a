"""The entry point: runs the command line, and turns every failure into words and an exit code."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys

from dsv3calc.exit_status import ExitStatus


def main() -> None:
    """Run ``dsv3calc`` and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit status."""
    try:
        from dsv3calc import cli

        found = cli.parse(arguments)
        status = found if isinstance(found, int) else found.respond() if found else ExitStatus.OK
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader has had enough: no error, and no complaint when the interpreter flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.OK
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last place where a failure becomes words
        from dsv3calc.output.failure import report_failure

        return report_failure(error, arguments)
    return int(status)


if __name__ == "__main__":
    main()
