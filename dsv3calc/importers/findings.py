"""What an import collects on its way: problems, assumptions, ignored keys."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.reading.text import dotted

if TYPE_CHECKING:
    from dsv3calc.reading.diagnostics import Problem
    from dsv3calc.reading.source import Source
    from dsv3calc.reading.text import Position


class Findings(msgspec.Struct):
    """What an import collects on its way.

    ``assumed`` holds a text for each key whose value is an assumption, ``notes`` what else a
    reader must know; ``wrong`` the keys that
    a problem names already; ``places`` where each key that was asked for stands.
    """

    source: Source
    model_type: str
    ignore_keys: frozenset[str]
    problems: list[Problem] = msgspec.field(default_factory=list)
    assumed: dict[str, str] = msgspec.field(default_factory=dict)
    notes: list[str] = msgspec.field(default_factory=list)
    ignored: dict[str, None] = msgspec.field(default_factory=dict)
    wrong: set[str] = msgspec.field(default_factory=set)
    places: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)

    def refuse(self, path: tuple[str | int, ...], what: str, **more: str) -> None:
        """Add a problem at the value of a path."""
        self._add(self.source.position(path), path, what, more)

    def refuse_key(self, path: tuple[str, ...], what: str, **more: str) -> None:
        """Add a problem at the key of a path, or where it is missing."""
        self._add(self.source.position(path, key=True), path, what, more)

    def _add(
        self, place: Position, path: tuple[str | int, ...], what: str, more: dict[str, str]
    ) -> None:
        self.problems.append(self.source.problem(place, what, path=dotted(path), **more))
        self.wrong.update(step for step in path if isinstance(step, str))
