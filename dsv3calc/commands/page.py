"""The answer to a query as a page has it: with how the numbers of its tables are derived."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.queries.base import Query
    from dsv3calc.studies.answer import Answer

_NOT_TYPED = ("design", "notes")
"""Fields of a query that no option gives."""


def page_of(query: Query) -> Callable[[], Answer]:
    """Return what answers a query with the derivations that its page shows."""

    def ask() -> Answer:
        from dsv3calc.output.view import build, shown_lines
        from dsv3calc.studies.dispatch import answer
        from dsv3calc.studies.explain.tree import add_explanations

        found = answer(query)
        found.asked = typed(query)
        add_explanations(found, query, shown_lines(build(found, exact=False)))
        return found

    return ask


def typed(query: Query) -> str:
    """Return the command line that asks a query, with what differs from the defaults."""
    from dsv3calc.queries.command_line import query_text

    given: dict[str, Any] = {"command": query.command}
    for field in msgspec.structs.fields(query):
        value = getattr(query, field.name)
        if field.name not in _NOT_TYPED and value != field.default:
            given[field.name] = list(value) if isinstance(value, tuple) else value
    return query_text(given)
