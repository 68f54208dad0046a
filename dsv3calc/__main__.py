"""The entry point: runs the command line, and turns every failure into words and an exit code."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import io
import os
import sys

from dsv3calc import TYPE_CHECKING
from dsv3calc.exit_status import ExitStatus

if TYPE_CHECKING:
    from typing import Any


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
    """Import msgspec without what it imports for types and files that no schema here has.

    These take a tenth of a short query. What is imported later finds the modules themselves; where
    msgspec does not do without them, it is imported as usual.
    """
    if "msgspec" in sys.modules:
        return
    import typing

    absent = {name: each for name, each in _stand_ins().items() if name not in sys.modules}
    sys.modules.update(absent)
    forward_ref = typing.ForwardRef
    # msgspec makes one to see which arguments it takes; it would be the first text that is compiled
    typing.ForwardRef = lambda *_, **_more: None  # type: ignore[misc, assignment]
    try:
        import msgspec

        for part in ("inspect", "toml", "yaml"):
            if f"msgspec.{part}" in absent:
                delattr(msgspec, part)  # an import sets it again
    except (ImportError, AttributeError):  # another version of msgspec
        for name in [name for name in sys.modules if name.partition(".")[0] == "msgspec"]:
            del sys.modules[name]
    finally:
        typing.ForwardRef = forward_ref  # type: ignore[misc]
        for name in absent:
            sys.modules.pop(name, None)


def _stand_ins() -> dict[str, Any]:
    """Return what stands in for the modules that msgspec imports and nothing here needs.

    Without typing_extensions msgspec uses ``typing``, which has the same since Python 3.11. The
    types of uuid and decimal are stand-ins that no value has.
    """
    module = type(sys)
    uuid, decimal, schemas = module("uuid"), module("decimal"), module("msgspec._json_schema")
    uuid.UUID = type("UUID", (), {})  # type: ignore[attr-defined]
    uuid.SafeUUID = type("SafeUUID", (), {"unknown": None})  # type: ignore[attr-defined]
    decimal.Decimal = type("Decimal", (), {})  # type: ignore[attr-defined]
    schemas.schema = schemas.schema_components = None  # type: ignore[attr-defined]
    parts = {f"msgspec.{name}": module(name) for name in ("inspect", "toml", "yaml")}
    return {
        "typing_extensions": None,  # an import of it fails
        "uuid": uuid,
        "decimal": decimal,
        "msgspec._json_schema": schemas,
        **parts,
    }


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
