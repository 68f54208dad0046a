"""What a command is made from: the struct of a query, or a function of its own."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.commands.explaining import Explaining
from dsv3calc.commands.page import page_of
from dsv3calc.commands.request import Request, check_plot, check_trace, output_options
from dsv3calc.queries.fields import read_query
from dsv3calc.queries.output import QueryOutputArguments
from dsv3calc.queries.table import PICTURES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from dsv3calc.queries.base import Query
    from dsv3calc.queries.fields import Given


class QueryCommand:
    """The command of a query: its struct says what can be given, the dispatcher answers it."""

    def __init__(self, struct: type[Query], parse_query: Callable[[str], Query]) -> None:
        self._parse_query = parse_query
        self.structs: tuple[Any, Any] = (struct, QueryOutputArguments)
        self.__doc__ = struct.__doc__

    def request(self, given: Given, output: Given) -> Request:
        """Make a request of what was given for the fields of the query, and for the output.

        Raises
        ------
        UsageError
            If a value is wrong, missing or contradicts another.
        """
        query: Query = read_query(self.structs[0], given).completed(self._parse_query)
        shown: QueryOutputArguments = read_query(QueryOutputArguments, output)
        explaining = Explaining(asked=shown.explain, lines=shown.line, depth=shown.depth)
        check_plot(query.command, shown)
        check_trace(query.command, shown)
        more_formats: tuple[str, ...] = ("html",)
        if query.command in PICTURES and not explaining.asked:
            more_formats = ("svg", "png", "html")
        options = output_options(
            shown,
            more_formats=more_formats,
            depth=explaining.depth,
            plot=shown.plot,
            trace=shown.trace,
        )
        if explaining.asked:
            return Request(None, options, explaining.answer(query))
        if options.format == "html":
            return Request(None, options, page_of(query))
        return Request(query, options)


class FunctionCommand:
    """A command that asks no query: a function of its module, which is read by typer."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self.function = getattr(module, name)
        self.context: dict[str, Any] = getattr(module, "CONTEXT", {})
        self.__doc__ = self.function.__doc__
