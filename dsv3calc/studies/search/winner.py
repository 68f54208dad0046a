"""A layout that a search found, asked about by itself."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dsv3calc.queries.base import Query
    from dsv3calc.studies.answer import Answer


class Winner(NamedTuple):
    """A layout asked about by itself: its results by name, and the answers that they stand in."""

    axes: dict[str, Any]
    results: dict[str, Any]
    answers: dict[str, Answer]


def answered(query: Query) -> Answer:
    """Return the answer to a query about one layout."""
    from dsv3calc.studies.dispatch import numbers

    return numbers(query)
