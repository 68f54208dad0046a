"""Results of the accounting: lines as named fields, in the order in which a ledger lists them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.ledger.line import Line

if TYPE_CHECKING:
    from collections.abc import Iterator


class NamedLines(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Lines by what they are.

    A field holds a line, several of them (a sequence, a dictionary, another result), or None where
    a design has no such line.
    """

    @property
    def lines(self) -> list[Line]:
        """All lines, in the order of the fields."""
        found: list[Line] = []
        for name in self.__struct_fields__:
            held = getattr(self, name)
            if type(held) is Line:
                found.append(held)
            elif held is not None:
                found.extend(held.values() if isinstance(held, dict) else held)
        return found

    def __iter__(self) -> Iterator[Line]:
        """Go through all lines, so that a result can be spread into a ledger."""
        return iter(self.lines)
