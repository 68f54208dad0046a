"""The public Python API: queries as the command line writes them, presets as structs.

Everything here raises the exceptions of ``dsv3calc.errors`` and never exits or prints.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dsv3calc.catalogue import presets
from dsv3calc.catalogue.overrides import parse_overrides
from dsv3calc.cli import parse_query
from dsv3calc.errors import UsageError
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import fields_of, keys_of, read_query
from dsv3calc.queries.table import struct_of
from dsv3calc.reading.diagnostics import suggest
from dsv3calc.studies import dispatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from inspect import Signature
    from typing import Any

    from dsv3calc.ledger.line import Ledger
    from dsv3calc.queries.fields import Field
    from dsv3calc.queries.table import Command
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.studies.answer import Answer


def answer(query: str | Query, *, preset_path: str | None = None) -> Answer:
    """Answer a query with its columns, rows, assumptions, warnings and sources.

    Parameters
    ----------
    query
        A query as on the command line (``"flops deepseek-v3 --phase decode"``), or as a struct of
        ``dsv3calc.queries.base``. Without output options: what comes back is data.
    preset_path
        A presets directory to look in first, where the query names none.

    Raises
    ------
    UsageError, InvalidInput
        As the query, a preset or a file is wrong.
    """
    found = parse_query(_text("answer", query)) if not isinstance(query, Query) else query
    return dispatch.answer(found.looking_in(preset_path))


def _text(function: str, given: object) -> str:
    """Return a query that is a text.

    Raises
    ------
    TypeError
        If it is something else, with what it may be.
    """
    if isinstance(given, str):
        return given
    raise TypeError(
        f"{function}() takes a query as on the command line, such as 'kv deepseek-v3 --batch 8', "
        f"or a struct of dsv3calc.queries; {given!r} is of type {type(given).__name__}"
    )


def query(query: str | Query) -> Ledger:
    """Answer a query about one design with its ledger.

    >>> query("params deepseek-v3")["parameters.total"]
    671026419200

    Raises
    ------
    UsageError
        If the query compares several designs: :func:`answer` has a ledger for each.
    InvalidInput
        As a preset or a file is wrong.
    """
    found = answer(query)
    if len(found.columns) != 1:
        raise UsageError(
            f"the query has {len(found.columns)} columns", "dsv3calc.answer(...).columns"
        )
    ledger = found.columns[0].ledger
    ledger.assumptions = found.assumptions
    ledger.warnings = found.warnings
    ledger.sources = found.sources
    return ledger


def function_of(command: Command) -> Callable[..., Any]:
    """Return the function that asks a command's query by keywords: ``kv("deepseek-v3", ...)``.

    It returns what :func:`query` does, and an :class:`~dsv3calc.studies.answer.Answer` where the
    answers of a command have several columns. A value may be a text as on the command line.

    >>> from dsv3calc.queries.table import QUERIES
    >>> kv = function_of(QUERIES["kv"])
    >>> kv("deepseek-v3", context="128Ki", batch=2)["kv_cache.bytes"]
    18421383168
    """
    struct = struct_of(command)
    keys = keys_of(struct)
    arguments = [field for field in fields_of(struct).values() if field.option.positional]

    def ask(*values: Any, **options: Any) -> Any:
        given: dict[str, list[tuple[str, Any]]] = {}
        for key, raw in [*_by_position(command, arguments, values), *options.items()]:
            if key not in keys:
                raise TypeError(_unknown_keyword(command, key, keys))
            field, typed = keys[key]
            value = _plain(raw)
            if value is not None:
                _check_type(command, field, value)
                given.setdefault(field.name, []).append((typed, value))
        made = read_query(struct, given).completed(parse_query)
        return answer(made) if command.several else query(made)

    ask.__name__ = ask.__qualname__ = command.identifier
    ask.__doc__ = struct.__doc__
    ask.__signature__ = _signature(fields_of(struct).values())  # type: ignore[attr-defined]
    return ask


def _signature(fields: Iterable[Field]) -> Signature:
    """Return what a query's function takes, for editors and ``help``."""
    from inspect import Parameter, Signature

    taken = [
        Parameter(field.name, Parameter.VAR_POSITIONAL)
        if field.kind == "texts"
        else Parameter(field.name, Parameter.POSITIONAL_OR_KEYWORD)
        for field in fields
        if field.option.positional
    ]
    options = [field for field in fields if not field.option.positional]
    for field in sorted(options, key=lambda field: not field.required):
        default = Parameter.empty if field.required else None
        taken.append(Parameter(field.parameter, Parameter.KEYWORD_ONLY, default=default))
    return Signature(taken)


def _check_type(command: Command, field: Field, value: Any) -> None:
    """Refuse a value of a type that no option can have.

    Raises
    ------
    TypeError
        With what is expected.
    """
    from numbers import Number

    many = field.kind == "texts" or bool(field.option.separator)
    values = value if many and isinstance(value, list | tuple) else [value]
    taken = {"flag": bool, "text": str, "texts": str}.get(field.kind, (str, Number))
    wrong = next((each for each in values if not isinstance(each, taken)), None)
    if wrong is None:
        return
    words = {"flag": "True or False", "text": "a text", "texts": "texts"}.get(
        field.kind, "a number, or a text such as '128Ki'"
    )
    words += f" for {field.parameter}"
    if field.option.positional and field.kind == "texts":
        words = f"its {field.name} as arguments of their own, each a text"
    raise TypeError(
        f"{command.identifier}() takes {words}; {wrong!r} is of type {type(wrong).__name__}"
    )


def _by_position(
    command: Command, arguments: Sequence[Field], values: Sequence[Any]
) -> Iterator[tuple[str, Any]]:
    """Yield the arguments that stand without a keyword, the last taking the rest as a list."""
    rest = list(values)
    for field in arguments:
        if field.kind == "texts" and rest:
            yield field.name, rest
            return
        if rest:
            yield field.name, rest.pop(0)
    if rest:
        words = ", ".join(field.name for field in arguments)
        raise TypeError(
            f"{command.identifier}() takes {words} without a keyword, and {rest[0]!r} is one more"
        )


def _unknown_keyword(command: Command, key: str, keys: Mapping[str, Any]) -> str:
    close = suggest(key, keys)
    hint = f"did you mean {close!r}?" if close else f"it takes {', '.join(sorted(keys))}"
    return f"{command.identifier}() has no keyword {key!r}; {hint}"


def _plain(value: Any) -> Any:
    """Return a value with paths as texts; a path is never the name of a preset."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if not isinstance(value, os.PathLike):
        return value
    path = os.fspath(value)
    return path if os.path.dirname(path) else os.path.join(os.curdir, path)


def load_model(
    reference: str | os.PathLike[str],
    *,
    set: Sequence[str] = (),  # noqa: A002 - named as the option is
    preset_path: str | None = None,
    ignore_keys: Sequence[str] = (),
) -> Model:
    """Load a model by preset name, path, ``config.json`` or ``-``, with ``NAME=VALUE`` overrides.

    Raises
    ------
    UsageError, InvalidInput
        If there is no such preset, or it is not valid.
    """
    model: Model = presets.load(
        "model",
        _named("load_model", reference),
        preset_path=preset_path,
        overrides=parse_overrides(set),
        ignore_keys=tuple(ignore_keys),
    ).value
    return model


def _named(function: str, reference: object) -> str:
    reference = _plain(reference)
    if isinstance(reference, str):
        return reference
    raise TypeError(
        f"{function}() takes a preset's name or a path; {reference!r} is of type "
        f"{type(reference).__name__}"
    )


def load_hardware(reference: str | os.PathLike[str], *, preset_path: str | None = None) -> Hardware:
    """Load a device; raises as :func:`load_model` does."""
    hardware: Hardware = presets.load(
        "hardware", _named("load_hardware", reference), preset_path=preset_path
    ).value
    return hardware


def load_precision(
    reference: str | os.PathLike[str], *, preset_path: str | None = None
) -> Precision:
    """Load a precision; raises as :func:`load_model` does."""
    precision: Precision = presets.load(
        "precision", _named("load_precision", reference), preset_path=preset_path
    ).value
    return precision


def load_kv_format(
    reference: str | os.PathLike[str], *, preset_path: str | None = None
) -> KVFormat:
    """Load a KV-cache format; raises as :func:`load_model` does."""
    kv_format: KVFormat = presets.load(
        "kv_format", _named("load_kv_format", reference), preset_path=preset_path
    ).value
    return kv_format
