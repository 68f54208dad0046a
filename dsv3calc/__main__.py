"""The entry point: runs the command line, and turns every failure into words and an exit code."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import io
import os
import sys

from dsv3calc.exit_status import ExitStatus


def main() -> None:
    """Run ``dsv3calc`` and exit."""
    gc.disable()  # imported modules stay: a search for cycles among them only costs time
    _import_msgspec()
    _buffer_output()
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the failure is in the status already, or the reader has gone
        _forget_output()
    except KeyboardInterrupt:  # while a slow reader kept us waiting
        status = ExitStatus.INTERRUPTED
        _forget_output()
    own_process = os.path.isfile(sys.argv[0])  # started as a program, not called from one
    if own_process and sys.gettrace() is None and sys.getprofile() is None:
        os._exit(status)  # all is written; taking the interpreter apart would cost a tenth more
    sys.exit(status)


def _import_msgspec() -> None:
    """Import msgspec without typing_extensions, which takes a fifth of a start.

    Without it msgspec uses ``typing``, which has the same since Python 3.11. What is imported later
    finds typing_extensions as usual.
    """
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment] # an import of it fails
    try:
        import msgspec  # noqa: F401
    except ImportError:  # a version that needs it, and imports it where msgspec is used
        pass
    finally:
        del sys.modules["typing_extensions"]


def _buffer_output() -> None:
    """Buffer standard output also under ``python -u`` or PYTHONUNBUFFERED.

    Without a buffer Python drops what one system call does not take: on a full disk, silently.
    """
    raw = getattr(sys.stdout, "buffer", None)
    if isinstance(raw, io.RawIOBase):
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), encoding=sys.stdout.encoding)


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit status."""
    try:
        return int(_run(arguments))
    except KeyboardInterrupt:
        return int(ExitStatus.INTERRUPTED)


def _run(arguments: list[str]) -> int:
    _prepare_streams()
    if "_DSV3CALC_COMPLETE" in os.environ:
        os.environ.setdefault("COMP_WORDS", "")
        os.environ.setdefault("COMP_CWORD", "0")
    try:
        from dsv3calc import cli

        found = cli.parse(arguments)
        status = found if isinstance(found, int) else found.respond() if found else ExitStatus.OK
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):
        # the reader of a help text has gone, which typer answers with SystemExit; the reader of
        # an answer is the business of output.write
        _forget_output()
        return ExitStatus.OK
    except Exception as error:  # noqa: BLE001 - the last place where a failure becomes words
        from dsv3calc.output.failure import report_failure

        return report_failure(error, arguments)
    return status


def _prepare_streams() -> None:
    """Give every kind of stream something that can be called; characters it lacks are escaped.

    A closed standard output takes no writes: an answer for it fails, one for a file does not. A
    closed standard error swallows what it is told.
    """
    for name, mode in (("stdout", "r"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - stays open
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    from dsv3calc.output.write import forget_output

    forget_output()


if __name__ == "__main__":
    main()
