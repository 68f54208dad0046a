"""The options of an explanation, which every query has."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.queries.base import Query
    from dsv3calc.studies.answer import Answer

DEEPEST = 1000


class Explaining:
    """What the options of an explanation ask for, checked."""

    __slots__ = ("asked", "depth", "lines")

    def __init__(self, *, asked: bool, lines: tuple[str, ...], depth: int | None) -> None:
        self.asked = asked
        self.lines = lines
        self.depth = depth
        if not asked:
            for option, value in (("--line", lines or None), ("--depth", depth)):
                if value is not None:
                    raise UsageError(f"{option} is for explanations", "add --explain")
        if depth is not None and not 0 <= depth <= DEEPEST:
            raise UsageError(f"--depth {depth}: expected a number of levels from 0 to {DEEPEST}")

    def answer(self, query: Query) -> Callable[[], Answer]:
        """Return what explains the answer of a query."""

        def explain() -> Answer:
            from dsv3calc.studies.explain.tree import answer_explain

            return answer_explain(query, self.lines)

        return explain
