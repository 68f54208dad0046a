"""Whether what is written to a stream may have colours."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


def takes_color(stream: TextIO, choice: str) -> bool:
    """Return whether a stream takes colours by ``--color`` (auto, always, never) and environment.

    ``NO_COLOR`` and ``FORCE_COLOR`` are the variables that other programs read too.
    """
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
