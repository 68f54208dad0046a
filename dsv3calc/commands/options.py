"""Options that commands without a query share, and what turns these commands into requests."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsv3calc.commands.parameters import Parameters
from dsv3calc.commands.request import Request, WritingRequest, output_options
from dsv3calc.errors import UsageError
from dsv3calc.numbers import quantity
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import fields_of, read_query
from dsv3calc.queries.output import OutputArguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.commands.parameters import Parameter


def amount(option: str, dimension: str, minimum: int = 1) -> Callable[[str], int]:
    """Return a parser of a whole number of ``dimension`` with suffixes."""

    def parse(text: str) -> int:
        try:
            return int(quantity.parse(text, dimension, minimum=minimum))
        except UsageError as error:
            raise UsageError(f"{option} {error.message}", error.hint) from None

    parse.__name__ = dimension
    return parse


def complete_any(incomplete: str) -> list[str]:
    """Complete the names of presets of every kind."""
    from dsv3calc.catalogue.search_path import FOLDERS, listing

    names = {name for kind in FOLDERS for name in listing(kind)}
    return sorted(name for name in names if name.startswith(incomplete))


def _as_in_queries(name: str) -> Any:
    """Return the option of a field that every query has, for commands that ask none."""
    field = fields_of(Query)[name]
    option = field.option
    return typer.Option(
        field.flag, metavar=option.metavar, help=option.text, rich_help_panel=option.group
    )


KindArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[KIND]",
        help="models, hardware, precisions, kv_formats, layouts, networks, recipes, recompute, "
        "setups, failures, achieved or comparisons [all].",
    ),
]
KindOption = Annotated[
    str | None,
    typer.Option("--kind", metavar="KIND", help="Where a name is a preset of several kinds."),
]
NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A preset of any kind, or a path to one.",
        autocompletion=complete_any,
    ),
]
PresetPathOption = Annotated[str | None, _as_in_queries("preset_path")]
IgnoreKeyOption = Annotated[list[str] | None, _as_in_queries("ignore_keys")]


OPTIONS = "output_options"
"""The parameter by which a command learns how its answer will be shown."""


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Evaluate the annotations of a command's parameters; what it returns is for type checkers."""
    return {
        name: eval(text, function.__globals__)  # noqa: S307 - our own source text
        for name, text in function.__annotations__.items()
        if name not in ("return", OPTIONS)
    }


def with_output(*more: Callable[..., Any] | str, writes: bool = False) -> Callable[..., Any]:
    """Give a command the output options, and make a request of the callable that it returns.

    The callable makes the answer. ``@with_output("junit")`` adds formats to those that every
    command has. A function with the parameter ``output_options`` is given them. A command that
    ``writes`` makes its file itself, and what its callable returns is shown.
    """
    if len(more) == 1 and callable(more[0]):
        return _WithOutput(more[0], (), Request)
    formats = tuple(str(name) for name in more)
    kind = WritingRequest if writes else Request
    return lambda function: _WithOutput(function, formats, kind)


class _WithOutput:
    """A command with the output options; ``parameters`` are those, its own are its signature."""

    def __init__(
        self, function: Callable[..., Any], more_formats: tuple[str, ...], request: type[Request]
    ) -> None:
        self._request = request
        own = inspect.signature(function)
        kinds = _annotations(function)
        self._function = function
        self._formats = more_formats
        self._output = Parameters(OutputArguments)
        self._takes_options = OPTIONS in own.parameters
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__annotations__ = kinds
        self.__signature__ = own.replace(
            parameters=[
                each.replace(annotation=kinds[name])
                for name, each in own.parameters.items()
                if name != OPTIONS
            ],
            return_annotation=Request,
        )

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters of the output."""
        return self._output.all

    def __call__(self, **arguments: Any) -> Request:
        shown = read_query(OutputArguments, self._output.taken_from(arguments))
        options = output_options(shown, more_formats=self._formats)
        if self._takes_options:
            arguments[OPTIONS] = options
        return self._request(None, options, self._function(**arguments))
