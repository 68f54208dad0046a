"""How an answer is to be shown."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import msgspec


class OutputOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is shown, and where.

    ``depth`` limits an explanation's tree, ``plot`` draws an answer's picture below its tables.
    """

    format: str = "table"
    file: str | None = None
    force: bool = False
    exact: bool = False
    color: str = "auto"
    depth: int | None = None
    plot: bool = False
