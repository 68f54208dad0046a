"""Writing files: atomically, and over an existing file only where the user said so."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dsv3calc.errors import OutputError, UsageError
from dsv3calc.reading.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def path_below(path: str, top: str) -> str:
    """Return a path as seen from a directory above it; nothing where it is not below that."""
    for whole in (os.path.abspath, os.path.realpath):
        above = os.path.join(whole(top), "")
        if whole(path).startswith(above):
            return whole(path)[len(above) :]
    return ""


def shown_path(path: str) -> str:
    """Return a path as people read it: from the working directory where it lies below that."""
    try:
        return path_below(path, os.getcwd()) or path
    except OSError:  # the working directory is gone
        return path


def check_writable(path: str, *, force: bool, option: str = "-o") -> None:
    """Refuse a file that must not be overwritten, before any work is done.

    ``option`` is what names it.

    Raises
    ------
    UsageError
        If it has no name, exists and ``force`` is not given, or is a directory.
    """
    if not path.strip():
        raise UsageError(f"{option} needs the name of a file")
    if os.path.isdir(path) or path.endswith(("/", os.sep)):
        raise UsageError(f"{option} {escape(path)}: this is a directory", "name a file in it")
    if os.path.lexists(path) and not force:
        raise UsageError(f"{option} {escape(path)}: the file exists", "give --force to replace it")


def write_whole(
    path: str, texts: Iterable[str | bytes], *, force: bool, option: str = "-o"
) -> None:
    """Write a file atomically: a reader sees the old content or all of the new one.

    The texts are written one after the other. ``option`` names the file. A byte of a file name
    that is not UTF-8 is written as an escape.

    Raises
    ------
    UsageError
        If it exists and ``force`` is not given, or is no name of a file.
    OutputError
        If the system refuses: no such directory, no permission, a full device.
    BrokenPipeError
        If it is a pipe whose reader has gone.
    """
    try:
        if force and os.path.exists(path) and not os.path.isfile(path):
            # a device or a pipe cannot be replaced, only written to
            with open(path, "wb") as file:
                file.writelines(map(_encoded, texts))
            return
        _replace(os.path.realpath(path), texts, force=force)
    except FileExistsError:
        raise UsageError(
            f"{option} {escape(path)}: the file exists", "give --force to replace it"
        ) from None
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        kind = OutputError if isinstance(error, OSError) else UsageError
        raise kind(
            f"{option} {escape(path[:200])}: {reason}", "choose a place that can be written"
        ) from None


def _replace(target: str, texts: Iterable[str | bytes], *, force: bool) -> None:
    """Write beside the target and move into place: a reader sees the old file or the new one."""
    import tempfile

    handle, temporary = tempfile.mkstemp(
        dir=os.path.dirname(target), prefix=f".{os.path.basename(target)[:50]}."
    )
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(map(_encoded, texts))
        move_into_place(temporary, target, force=force)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def move_into_place(path: str, target: str, *, force: bool) -> None:
    """Give a whole file the name of another one on the same device, which it replaces.

    Raises
    ------
    FileExistsError
        If that exists and ``force`` is not given.
    """
    os.chmod(path, _mode(target))
    if force:
        os.replace(path, target)
    else:
        os.link(path, target)  # fails, unlike replace, if another process was faster


@contextmanager
def locked(path: str, busy: str, hint: str) -> Iterator[None]:
    """Hold a file against other processes; the lock ends with the process in every case.

    Where the system has no such locks, nothing is held.

    Raises
    ------
    UsageError
        With the words for ``busy``, if another process holds it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(os.path.realpath(path), "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(busy, hint) from None
        yield


def _encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")


def _mode(target: str) -> int:
    """Return the permissions that the file has, or that a new one would get."""
    if os.path.exists(target):
        return os.stat(target).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
