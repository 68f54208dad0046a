"""Compare two results, two presets or two revisions of one: what changed, the largest first.

Of two models the fields are compared, and what the models cost: parameters, FLOPs and KV cache.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from contextlib import ExitStack
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from dsv3calc.errors import UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.numbers import quantity
from dsv3calc.queries.base import FlopsQuery, KVQuery, ParamsQuery, Query
from dsv3calc.reading.diagnostics import quote
from dsv3calc.studies.answer import Answer, add_new
from dsv3calc.studies.dispatch import answer as answer_query
from dsv3calc.studies.presets.catalogue import kind_named
from dsv3calc.studies.presets.changes import Change, Values, compare_values, exact
from dsv3calc.studies.presets.fields import side_by_side
from dsv3calc.studies.presets.sides import Side, open_side, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.studies.presets.sides import Result, ResultColumn

FIELD = "field"
"""The section of a preset's own fields; the others are named after queries."""

_BASE_UNITS = {
    "bytes": "B",
    "bytes/s": "B/s",
    "flop/s": "FLOP/s",
    "s": "s",
    "usd/h": "USD/h",
}
"""Dimension of a preset's field -> the unit that its value is kept in."""


def answer_diff(
    first: str,
    second: str,
    *,
    fail_over: str | None = None,
    everything: bool = False,
    kind: str | None = None,
    preset_path: str | None = None,
) -> Answer:
    """Compare two results of one command, or two presets of one kind.

    Parameters
    ----------
    first, second
        Each a saved JSON result, a preset's name or path, ``REV:PATH`` of git, or ``-``.
    fail_over
        The relative change, such as ``1%``, beyond which the comparison fails.
    everything
        List nested values too.
    kind
        The kind that a preset's name means.
    preset_path
        A presets directory to look in first.

    Raises
    ------
    UsageError
        If the two are of different sorts, or one cannot be found.
    InvalidInput
        If a file is broken.
    """
    bound = _bound(fail_over)
    kind = kind_named(kind)
    if first == second == "-":
        raise UsageError("standard input can be read once", "save one of the two to a file")
    with ExitStack() as kept:
        a, b = (open_side(each, kept, kind, preset_path) for each in (first, second))
        if a.sort != b.sort:
            raise UsageError(
                f"{shown(a.label)} is {a.sort}, {shown(b.label)} {b.sort}",
                "two results of one command or two presets of one kind can be compared",
            )
        answer = Answer("diff", {"a": a.label, "b": b.label})
        if a.result is not None and b.result is not None:
            answer.query["of"] = a.result.command
            changes, compared = _compare_results(a, b, answer)
        else:
            changes, compared = _compare_presets(a, b, answer, preset_path)
    _report(answer, changes, compared, bound, everything=everything)
    if fail_over is not None and "%" not in fail_over and bound and bound[0] >= bound[1]:
        answer.notes.append(f"--fail-over {shown(fail_over)} is {100 * bound[0] / bound[1]:g} %")
    return answer


def _bound(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        return exact(quantity.parse(text, "ratio"))
    except quantity.QuantityError as error:
        raise UsageError(f"--fail-over {error.message}", error.hint) from None


def _report(
    answer: Answer,
    changes: list[Change],
    compared: int,
    bound: tuple[int, int] | None,
    *,
    everything: bool,
) -> None:
    """Put the changes into the answer: causes before effects, the largest first."""
    if bound is not None:
        for each in changes:
            each.over = each.exceeds(bound)
    over = [each for each in changes if each.over]
    listed = [each for each in changes if everything or each.top]
    # why the comparison failed is always told, and so is that anything changed at all
    if over and not any(each.over for each in listed):
        listed = [*listed, *over]
    listed = listed or list(changes)
    listed.sort(key=lambda each: (each.section != FIELD, -each.effect))
    answer.rows = [each.row for each in listed]
    answer.query |= {"compared": compared, "changed": len(changes)}
    if bound is not None:
        answer.query |= {"fail_over": bound[0] / bound[1], "over": len(over)}
    if over:
        answer.status = ExitStatus.CHECK_FAILED
    if not changes:
        answer.notes.append(f"the same: {compared:,} values compared, none differs")
    elif len(listed) < len(changes):
        more = len(changes) - len(listed)
        text = f"{more:,} {'sub-item' if more == 1 else 'sub-items'} hidden"
        if over:
            hidden = len(over) - sum(row["over"] for row in answer.rows)
            text += f", {hidden:,} beyond {100 * answer.query['fail_over']:g} %"
        answer.notes.append(f"{text}: --all lists them")


# --- presets --------------------------------------------------------------------------------


def _compare_presets(
    a: Side, b: Side, answer: Answer, preset_path: str | None
) -> tuple[list[Change], int]:
    assert a.preset is not None  # noqa: S101 - the caller has looked
    assert b.preset is not None  # noqa: S101 - as above
    answer.query["of"] = a.preset.kind
    fields = side_by_side(a.preset.value, b.preset.value)
    changes = []
    for name, one, two in fields:
        if one != two or isinstance(one, bool) != isinstance(two, bool):
            unit = _unit(type(a.preset.value), name.split("."))
            changes.append(Change(FIELD, "", name, unit, one, two, top=True))
    compared = len(fields)
    if a.preset.kind == "model":
        for section in ("params", "flops.train", "flops.prefill", "flops.decode", "kv"):
            one, two = (_ask(side, section, answer, preset_path) for side in (a, b))
            found, count = compare_values(section, "", one, two)
            changes += found
            compared += count
    elif changes:
        answer.cite(a.preset, b.preset, used=tuple(each.name for each in changes))
    if not changes:  # nothing is shown that could stand on an assumption
        answer.assumptions, answer.sources = [], []
    return changes, compared


def _ask(side: Side, section: str, answer: Answer, preset_path: str | None) -> Values:
    """Return what a model costs, and take over what a reader must know of it."""
    command, _, phase = section.partition(".")
    query: Query
    if command == "params":
        query = ParamsQuery(model=side.path, preset_path=preset_path)
    elif command == "flops":
        query = FlopsQuery(model=side.path, phase=phase, preset_path=preset_path)
    else:
        query = KVQuery(model=side.path, preset_path=preset_path)
    with side.named():
        found = answer_query(query)
    add_new(answer.assumptions, [side.told(text) for text in found.assumptions])
    add_new(answer.warnings, [side.told(text) for text in found.warnings])
    add_new(answer.notes, [side.told(text) for text in found.notes])
    for entry in found.sources:
        told = {name: side.told(text) for name, text in entry.items()}
        if told not in answer.sources:
            answer.sources.append(told)
    ledger = found.columns[0].ledger
    return Values(ledger.values, ledger.units, {line.name for line in ledger.main()})


def _unit(kind: Any, steps: list[str]) -> str:
    """Return the unit of a preset's field, as its schema states it; empty where it has none."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        found = [(meta.extra or {}).get("dimension", "") for meta in kind.__metadata__]
        unit = _BASE_UNITS.get("".join(found), "") if not steps else ""
        return unit or _unit(inside[0], steps)
    if origin in (Union, UnionType):
        return next((unit for each in inside if (unit := _unit(each, steps))), "")
    if steps and origin in (dict, list):
        return _unit(inside[-1], steps[1:])
    if steps and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind, include_extras=True)
        return _unit(hints[steps[0]], steps[1:]) if steps[0] in hints else ""
    return ""


# --- results --------------------------------------------------------------------------------


def _compare_results(a: Side, b: Side, answer: Answer) -> tuple[list[Change], int]:
    assert a.result is not None  # noqa: S101 - the caller has looked
    assert b.result is not None  # noqa: S101 - as above
    for side, result in ((a, a.result), (b, b.result)):
        if not result.columns:
            raise UsageError(
                f"{shown(side.label)} is {side.sort}, which has no columns of values",
                "results of params, flops, kv and compare have",
            )
        add_new(answer.assumptions, result.assumptions)
        add_new(answer.warnings, result.warnings)
    answer.notes += _other_query(a.result, b.result)
    section = _section(a.result, b.result)
    changes: list[Change] = []
    compared = 0
    for column, one, two in _columns(a.result, b.result, answer):
        found, count = compare_values(section, column, one, two)
        changes += found
        compared += count
    return changes, compared


def _section(a: Result, b: Result) -> str:
    phase = a.query.get("phase")
    if isinstance(phase, str) and phase == b.query.get("phase"):
        return f"{a.command}.{phase}"
    return a.command


def _other_query(a: Result, b: Result) -> Iterator[str]:
    """Yield what differs between the queries of two results: it may explain every change."""
    for name in dict.fromkeys([*a.query, *b.query]):
        one, two = a.query.get(name), b.query.get(name)
        if one != two:
            yield f"the queries differ: {shown(name)} {_word(one)} vs {_word(two)}"


def _word(value: object) -> str:
    if isinstance(value, list):
        return shown(" ".join(map(str, value)))
    return "not given" if value is None else quote(value)


def _columns(a: Result, b: Result, answer: Answer) -> Iterator[tuple[str, Values, Values]]:
    """Yield the columns that belong together; one that stands alone faces an empty one."""
    alone = a.complete != b.complete
    left, right = ({each.id: _values(each, public=alone) for each in x.columns} for x in (a, b))
    if alone:
        where = "second" if a.complete else "first"
        answer.notes.append(f"the {where} has public lines alone, so only these are compared")
    if len(left) == len(right) == 1:
        (one,), (two,) = left, right
        yield one if one == two else f"{one} -> {two}", left[one], right[two]
        return
    for column in dict.fromkeys([*left, *right]):
        if column not in left or column not in right:
            where = "second" if column in right else "first"
            answer.notes.append(f"column {quote(column)} is in the {where} alone")
        empty = Values({}, {}, set())
        yield column, left.get(column, empty), right.get(column, empty)


def _values(column: ResultColumn, *, public: bool) -> Values:
    values = column.public() if public else column.values
    return Values(values, column.units, column.top)
