"""Another query's fields as those of ``memory``, which is asked about the same GPUs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.studies.layout.build import DEGREES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.queries.layout import LayoutQuery


def same_fields(query: LayoutQuery, names: Iterable[str]) -> dict[str, Any]:
    """Return fields that mean the same in both queries; without any degree there is one GPU."""
    same = {name: getattr(query, name) for name in names}
    edited = any(each.startswith("layout.") for each in query.set)
    if query.layout is None and not edited and all(same[axis] is None for axis in DEGREES):
        same["tp"] = 1
    return same
