"""The query of ``formula eval`` as data."""

# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from typing import ClassVar, Self

import msgspec

from dsv3calc.errors import UsageError
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import Annotated, Argument


class FormulaEvalQuery(Query, frozen=True, kw_only=True):
    """Evaluate a formula.

    A value may be a number of another query: its quantity, " of " and the query, in quotes.

    Examples:

      dsv3calc formula eval stored_bytes elements=671B bits=8

      dsv3calc formula eval profit_margin revenue='$562,027' cost=87072
    """

    command: ClassVar[str] = "formula eval"

    set: tuple[str, ...] = ()  # no option: there is no preset
    preset_path: str | None = None
    ignore_keys: tuple[str, ...] = ()
    name: Annotated[
        str,
        Argument("A formula", metavar="NAME", choices="formulas.registry.registry:all_formulas"),
    ]
    arguments: Annotated[
        tuple[str, ...],
        Argument(
            "Its arguments: numbers, quantities such as 50GB/s, or 'QUANTITY of QUERY'",
            metavar="[ARGUMENT=VALUE...]",
        ),
    ] = ()
    inputs: dict[str, Query] = msgspec.field(default_factory=dict)
    """The query of each argument whose value is ``QUANTITY of QUERY``."""

    def completed(self, parse_query: Callable[[str], Query]) -> Self:
        """Return the query with those that its arguments name.

        Raises
        ------
        UsageError
            If one of them is no query.
        """
        inputs = {}
        for text in self.arguments:
            argument, _, query = split_argument(text)
            if query:
                try:
                    inputs[argument] = parse_query(query)
                except UsageError as error:
                    raise UsageError(f"{argument}: {error.message}", error.hint) from None
        return msgspec.structs.replace(self, inputs=inputs) if inputs else self

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
