"""The page of options: what each query can be given, from the fields of its struct."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.queries.fields import OLD_NAMES_UNTIL, SECTIONS, fields_of
from dsv3calc.queries.output import QueryOutputArguments
from dsv3calc.queries.table import QUERIES, struct_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.queries.fields import Field

_INTRODUCTION = (
    "What each query can be given. An option `--kv-dtype` is the keyword `kv_dtype` of the Python "
    'function (`dsv3calc.kv("deepseek-v3", kv_dtype="fp8")`; `--as` is `as_`), and the key '
    "`kv_dtype` of a query in a golden file. Numbers may be texts with units there too. "
    "`dsv3calc COMMAND --help` prints the same."
)
_OUTPUT = (
    "Every query takes these options, which say how the answer is shown. Golden files and "
    "functions have none of them."
)
_OLD = (
    "These options have had another name. The old one works until {}; help does not list it. "
    "Golden files may have either name as a key, and the names of numbers in JSON, the keys of "
    "an answer's `query` among them, are as they were."
)


def _row(field: Field) -> str:
    option = field.option
    name = f"{field.flag} {option.metavar}" if field.flag else option.metavar
    if option.positional and field.flag:
        name = f"{option.metavar.strip('[]')}, or {field.flag} {option.metavar.strip('[]')}"
    default = "required" if field.required else option.default
    cells = (f"`{name.strip()}`", option.help, default)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _tables(fields: Iterable[Field]) -> list[str]:
    sections: dict[str, list[str]] = {}
    for field in fields:
        title = "Arguments" if field.option.positional else field.option.group
        sections.setdefault(title, []).append(_row(field))
    lines = []
    for title, rows in sorted(sections.items(), key=lambda each: SECTIONS.get(each[0], 0)):
        lines += [f"| {title} | | default |", "|---|---|---|", *rows, ""]
    return lines


def page() -> list[str]:
    """Return the lines of ``docs/reference/options.md``."""
    lines = ["# Options", "", _INTRODUCTION, ""]
    old = []
    for words, command in QUERIES.items():
        fields = fields_of(struct_of(command)).values()
        lines += [f"## {words}", "", command.help, "", *_tables(fields)]
        old += [
            f"| `{words}` | `{name}` | `{field.flag}` |"
            for field in fields
            for name in field.option.old
        ]
    lines += ["## Output", "", _OUTPUT, "", *_tables(fields_of(QueryOutputArguments).values())]
    lines += ["## Old names", "", _OLD.format(OLD_NAMES_UNTIL), ""]
    lines += ["| command | old | new |", "|---|---|---|", *old, ""]
    return lines
