"""The command of a query: its struct says what can be given, the dispatcher answers it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.commands.explaining import Explaining
from dsv3calc.commands.parameters import Parameters
from dsv3calc.commands.request import Request, output_options
from dsv3calc.queries.fields import read_query
from dsv3calc.queries.output import QueryOutputArguments

if TYPE_CHECKING:
    from dsv3calc.commands.parameters import Parameter
    from dsv3calc.queries.base import Query
    from dsv3calc.queries.fields import Given


class QueryCommand:
    """What typer calls for a query, with the parameters to call it with."""

    def __init__(self, struct: type[Query]) -> None:
        self.struct = struct
        self._own = Parameters(struct)
        self._output = Parameters(QueryOutputArguments)

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters of the query, then those of the output."""
        return [*self._own.all, *self._output.all]

    def __call__(self, **values: Any) -> Request:
        """Return the request that a command line makes."""
        own = self._own.taken_from(values)
        return request_of(self.struct, own, self._output.taken_from(values))


def request_of(struct: type[Query], given: Given, output: Given) -> Request:
    """Make a request of what was given for the fields of a query, and for the output.

    Raises
    ------
    UsageError
        If a value is wrong, missing or contradicts another.
    """
    query: Query = read_query(struct, given).completed(_parse_query)
    shown: QueryOutputArguments = read_query(QueryOutputArguments, output)
    explaining = Explaining(asked=shown.explain, lines=shown.line, depth=shown.depth)
    more_formats = ("html",) if explaining.asked else ()
    options = output_options(shown, more_formats=more_formats, depth=explaining.depth)
    if explaining.asked:
        return Request(None, options, explaining.answer(query))
    return Request(query, options)


def _parse_query(text: str) -> Query:
    from dsv3calc.api import parse_query

    return parse_query(text)
