"""The layout of a query with ``--set layout.…`` put in, and what a layout says of its training."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.diagnostics import quote
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.overrides import Override, apply_overrides
from dsv3calc.schema.convert import convert
from dsv3calc.schema.layout import Layout
from dsv3calc.source import Source
from dsv3calc.studies.designs import positive
from dsv3calc.studies.layouts import DEGREES, layout_of

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.designs import Desk
    from dsv3calc.studies.queries import Query


def chosen_layout(query: Query, desk: Desk, answer: Answer, used: tuple[str, ...] = ()) -> Layout:
    """Return the layout of a query: a preset or options, with each ``--set layout.…`` put in.

    ``used`` names the fields whose assumptions matter to the answer: all where none is named.

    Raises
    ------
    UsageError
        If there is no such preset, no degree is given, they do not multiply out, or an option and
        a ``--set`` give the same field.
    InvalidInput
        If the value of a ``--set`` is none that the field takes.
    """
    edits = [each for each in desk.overrides if each.kind == "layout"]
    for each in edits:
        if getattr(query, each.path, None) is not None:
            option = f"--{each.path.replace('_', '-')}"
            raise UsageError(
                f"{option} and --set {quote(each.text)} give the same field", "leave one out"
            )
    if getattr(query, "layout", None) is not None or not edits:
        return layout_of(query, desk, answer, used)
    desk.used.add("layout")
    degrees = {
        each.path: int(each.value)
        for each in edits
        if each.path in DEGREES and each.value.isascii() and each.value.isdecimal()
    }
    layout = layout_of(msgspec.structs.replace(query, **degrees), desk, answer, used)
    answer.assumptions += [f"the layout: --set {each.text}" for each in edits]
    return _with(layout, edits)


def _with(layout: Layout, edits: list[Override]) -> Layout:
    """Return a layout made of options with edits put in, checked like a file."""
    data: dict[str, Any] = msgspec.to_builtins(layout)
    edited, places = apply_overrides("layout", data, edits)
    source = Source("the options of the query", msgspec.json.encode(data).decode(), "json")
    try:
        return convert(source, edited, Layout, overrides=places)
    except InvalidInput as error:
        if any(problem.file.startswith("--set") for problem in error.problems):
            raise
        options = ", ".join(f"--set {quote(each.text)}" for each in edits)
        raise UsageError(
            f"{options}: " + "; ".join(problem.what for problem in error.problems),
            "; ".join(problem.why for problem in error.problems),
        ) from None


def sequence_of(query: Any, layout: Layout, answer: Answer, default: int) -> int:
    """Return the tokens of a sequence: of the query, the layout, or else the default."""
    given = positive("--seq", query.sequence, default)
    if query.sequence is not None or layout.sequence is None:
        return given
    _tell(answer, layout, "sequence", f"{layout.sequence:,} tokens", "--seq")
    return layout.sequence


def named_by(query: Any, layout: Layout, answer: Answer, field: str) -> str | None:
    """Return the preset of a query's ``precision`` or ``recipe``: its own, or the layout's."""
    given, own = getattr(query, field), getattr(layout, field)
    if given is not None or own is None:
        return given  # type: ignore[no-any-return]
    _tell(answer, layout, field, own, f"--{field}")
    return own  # type: ignore[no-any-return]


def _tell(answer: Answer, layout: Layout, field: str, value: str, option: str) -> None:
    answer.notes.append(f"{field}: {value}, of the layout {layout.name} ({option})")
