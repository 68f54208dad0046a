"""A query that a file states by keys, written as the command line that asks the same."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from dsv3calc.queries.fields import keys_of
from dsv3calc.queries.table import QUERIES, struct_of


def key_fault(query: dict[str, Any]) -> str:
    """Say what is wrong with a query by keys before it is read; nothing where it can be."""
    if "command" not in query:
        return "the query has no command"
    for name, value in query.items():
        values = value if isinstance(value, list) else [value]
        if any(isinstance(each, dict | list) for each in values):
            return f"{name} is no text, number, true or false, nor a list of these"
    return ""


def query_text(query: str | dict[str, Any]) -> str:
    """Write a query as a command line; a structured one with its keys as options.

    A key is the name of a field or of its option, old ones too: ``tokens``, ``context``.
    """
    if isinstance(query, str):
        return " ".join(query.split()).removeprefix("dsv3calc ")
    from shlex import quote

    words = str(query.get("command", ""))
    keys = keys_of(struct_of(QUERIES[words])) if words in QUERIES else {}
    arguments, options = [], []
    for name, value in query.items():
        if name == "command":
            continue
        field, typed = keys.get(name, (None, f"--{name.replace('_', '-')}"))
        values = value if isinstance(value, list) else [value]
        if field is not None and field.option.separator:
            values = [field.option.separator.join(map(str, values))]
        for each in values:
            if not typed.startswith("--"):
                arguments.append(quote(str(each)))
            elif each is True:
                options.append(typed)
            elif each is not False and each is not None:
                options += [typed, quote(str(each))]
    return " ".join([words, *arguments, *options])
