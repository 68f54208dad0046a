"""Writing files: whole or not at all, and over another only where the user said so."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

from dsv3calc.errors import UsageError


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
