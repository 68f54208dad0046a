"""Options that commands share, and the parsers of their values."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsv3calc.commands.explaining import OPTIONS as EXPLAINING
from dsv3calc.commands.explaining import Explaining
from dsv3calc.commands.request import Request, output_options
from dsv3calc.errors import UsageError
from dsv3calc.numbers import quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.queries.base import Query


class Amount(int):
    """A quantity read from the command line; ``note`` tells how an ambiguous suffix was read."""

    note: str | None = None


def amount(option: str, dimension: str, minimum: int = 1) -> Callable[[str], Amount]:
    """Return a parser of a whole number of ``dimension`` with suffixes."""

    def parse(text: str) -> Amount:
        try:
            value = quantity.parse(text, dimension, minimum=minimum)
        except UsageError as error:
            raise UsageError(f"{option} {error.message}", error.hint) from None
        found = Amount(value)
        found.note = quantity.other_reading(text, dimension)
        return found

    parse.__name__ = dimension
    return parse


def measure(option: str, dimension: str) -> Callable[[str], float]:
    """Return a parser of a number of ``dimension`` that need not be whole: a time, a ratio."""

    def parse(text: str) -> float:
        try:
            return quantity.parse(text, dimension)
        except UsageError as error:
            raise UsageError(f"{option} {error.message}", error.hint) from None

    parse.__name__ = dimension
    return parse


def notes(*amounts: int | None) -> tuple[str, ...]:
    """Return the notes of the quantities that have one."""
    found = [getattr(each, "note", None) for each in amounts]
    return tuple(note for note in found if note)


def complete(kind: str) -> Callable[[str], list[str]]:
    """Return a shell completion of preset names that reads file names only."""

    def names(incomplete: str) -> list[str]:
        from dsv3calc.catalogue.search_path import listing

        return [name for name in listing(kind) if name.startswith(incomplete)]

    return names


def complete_any(incomplete: str) -> list[str]:
    """Complete the names of presets of every kind."""
    from dsv3calc.catalogue.search_path import FOLDERS, listing

    names = {name for kind in FOLDERS for name in listing(kind)}
    return sorted(name for name in names if name.startswith(incomplete))


def choice(convention: str) -> Callable[[], list[str]]:
    """Return a shell completion of a convention's choices."""

    def names() -> list[str]:
        from dsv3calc.accounting.conventions import CHOICES

        return list(CHOICES[convention][1])

    return names


ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Preset name, path to a preset or config.json (or its folder), or - for stdin.",
        autocompletion=complete("model"),
    ),
]
KindArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[KIND]",
        help="models, hardware, precisions, kv_formats, layouts, networks, recipes, recompute, "
        "runtimes or comparisons [all].",
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
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Change a field: num_experts_per_tok=4, groups.1.attention.head_dim=64, "
        "hardware.memory.bandwidth='4 TB/s'. Repeatable.",
    ),
]
PresetPathOption = Annotated[
    str | None,
    typer.Option("--preset-path", metavar="DIR", help="Look for presets here first."),
]
IgnoreKeyOption = Annotated[
    list[str] | None,
    typer.Option("--ignore-key", metavar="KEY", help="Ignore a key of a config.json."),
]
BatchOption = Annotated[
    Amount | None,
    typer.Option("--batch", parser=amount("--batch", "count"), metavar="N", help="Sequences."),
]
SeqOption = Annotated[
    Amount | None,
    typer.Option(
        "--seq",
        parser=amount("--seq", "tokens"),
        metavar="TOKENS",
        help="New tokens of each sequence [4096, and 1 in decode].",
    ),
]
MlaOption = Annotated[
    str | None,
    typer.Option(
        "--mla",
        metavar="FORM",
        help="naive, absorbed or latent [by phase].",
        autocompletion=choice("mla"),
    ),
]
MtpOption = Annotated[bool, typer.Option("--with-mtp", help="Count multi-token prediction.")]
KVDtypeOption = Annotated[
    str | None,
    typer.Option(
        "--kv-dtype",
        metavar="NAME",
        help="bf16, fp8, int8, int4, fp8-mla, or a path [bf16].",
        autocompletion=complete("kv_format"),
    ),
]
HardwareOption = Annotated[
    str,
    typer.Option(
        "--hardware",
        metavar="NAME",
        help="Device preset, such as h800.",
        autocompletion=complete("hardware"),
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="Precision whose activations are dispatched [the model's].",
        autocompletion=complete("precision"),
    ),
]
NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="NAME",
        help="Network preset for the message latency of the scale-out link.",
        autocompletion=complete("network"),
    ),
]
LatencyOption = Annotated[
    float | None,
    typer.Option(
        "--latency",
        parser=measure("--latency", "s"),
        metavar="TIME",
        help="Latency of a message over the scale-out link, such as 3.7us [0].",
    ),
]
DispatchOption = Annotated[
    str | None,
    typer.Option(
        "--dispatch",
        metavar="FORMAT",
        help="Format of dispatched tokens: bf16, fp8, e5m6, logfmt-8, logfmt-10 [the precision's].",
    ),
]
CombineOption = Annotated[
    str | None,
    typer.Option("--combine", metavar="FORMAT", help="Format of combined tokens [bf16]."),
]
MetadataOption = Annotated[
    Amount | None,
    typer.Option(
        "--metadata",
        parser=amount("--metadata", "bytes", 0),
        metavar="BYTES",
        help="Bytes of metadata per dispatched copy [0]; DeepEP's low-latency kernels send 16.",
    ),
]
ConventionOption = Annotated[
    str | None,
    typer.Option("--convention", metavar="NAME", help="A bundle, such as isca25-table2."),
]
AsOption = Annotated[
    str | None, typer.Option("--as", metavar="LIBRARY", help="Count as transformers does.")
]

_OUTPUT: dict[str, tuple[Any, Any]] = {
    "format_": (
        Annotated[
            str | None,
            typer.Option(
                "--format", metavar="FORMAT", help="table, json, csv or markdown [table]."
            ),
        ],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="Short for --format json.")], False),
    "output": (
        Annotated[
            str | None,
            typer.Option("--output", "-o", metavar="FILE", help="Write to FILE (atomically)."),
        ],
        None,
    ),
    "force": (Annotated[bool, typer.Option("--force", help="Let -o overwrite.")], False),
    "exact": (Annotated[bool, typer.Option("--exact", help="Print unrounded numbers.")], False),
    "color": (
        Annotated[
            str,
            typer.Option("--color", metavar="WHEN", help="auto, always or never."),
        ],
        "auto",
    ),
}


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Evaluate the annotations of a command's parameters; what it returns is for type checkers."""
    return {
        name: eval(text, function.__globals__)  # noqa: S307 - our own source text
        for name, text in function.__annotations__.items()
        if name != "return"
    }


def with_output(
    *more: Callable[..., Any] | str,
) -> Callable[..., Any]:
    """Give a command the output options, and turn the query it returns into a request.

    A command that returns a callable instead asks nothing of the dispatcher: the callable makes
    the answer. ``@with_output("junit")`` adds formats to those that every command has.
    """
    if len(more) == 1 and callable(more[0]):
        return _wrapped(more[0], ())
    formats = tuple(str(name) for name in more)
    return lambda function: _wrapped(function, formats)


def _wrapped(function: Callable[..., Any], more_formats: tuple[str, ...]) -> Callable[..., Request]:
    own = inspect.signature(function)
    kinds = _annotations(function)
    is_query = str(function.__annotations__["return"]).endswith("Query")
    options = _OUTPUT | EXPLAINING if is_query else _OUTPUT

    def command(**arguments: Any) -> Request:
        asked = [arguments.pop(name) if is_query else None for name in EXPLAINING]
        explaining = Explaining(*asked)
        shown = output_options(
            arguments.pop("format_"),
            arguments.pop("output"),
            arguments.pop("color"),
            json=arguments.pop("json"),
            force=arguments.pop("force"),
            exact=arguments.pop("exact"),
            more_formats=(*more_formats, "html") if explaining.asked else more_formats,
            depth=explaining.depth,
        )
        result: Query | Callable[[], Any] = function(**arguments)
        if callable(result):
            return Request(None, shown, result)
        if explaining.asked:
            return Request(None, shown, explaining.answer(result))
        return Request(result, shown)

    extra = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in options.items()
    ]
    parameters = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kinds[each.name])
        for each in own.parameters.values()
    ]
    command.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[*parameters, *extra], return_annotation=Request
    )
    command.__annotations__ = {each.name: each.annotation for each in [*parameters, *extra]}
    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    return command
