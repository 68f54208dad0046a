"""The query of ``formula eval`` as data."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import ClassVar, Self

import msgspec

from dsv3calc.queries.base import Query


class FormulaEvalQuery(Query, frozen=True, kw_only=True):
    """One formula with its arguments.

    ``arguments`` are texts ``NAME=VALUE``, the value a number or ``QUANTITY of QUERY``; then
    ``inputs`` has that query, by the argument's name.
    """

    command: ClassVar[str] = "formula eval"

    name: str
    arguments: tuple[str, ...] = ()
    inputs: dict[str, Query] = msgspec.field(default_factory=dict)

    def looking_in(self, preset_path: str | None) -> Self:
        """Return the query and those of its arguments with a presets directory to look in first."""
        inputs = {name: query.looking_in(preset_path) for name, query in self.inputs.items()}
        return msgspec.structs.replace(super().looking_in(preset_path), inputs=inputs)


def split_argument(text: str) -> tuple[str, str, str]:
    """Split ``NAME=VALUE`` or ``NAME=QUANTITY of QUERY`` into name, value or quantity, and query.

    >>> split_argument("pp=16"), split_argument("bits=a.b of kv deepseek-v3")
    (('pp', '16', ''), ('bits', 'a.b', 'kv deepseek-v3'))
    """
    name, _, value = text.partition("=")
    quantity, _, query = value.strip().partition(" of ")
    return name.strip(), quantity.strip(), query.strip()
