"""All that is wrong with a value, and where; imported only when something is wrong."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from contextlib import suppress
from types import NoneType
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.numbers import quantity
from dsv3calc.reading.diagnostics import Problem, quote, suggest
from dsv3calc.reading.source import Source
from dsv3calc.reading.text import MOST_PROBLEMS, PathInData, dotted
from dsv3calc.schema.spec import SCALARS, Plan, Spec, variant_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_LISTED = 30  # names listed as valid


class Found:
    """A problem before its place is known."""

    __slots__ = ("fields", "key", "path", "suggestion", "valid", "what", "why")

    def __init__(
        self,
        path: PathInData,
        what: str,
        *,
        why: str = "",
        valid: str = "",
        suggestion: str = "",
        key: bool = False,
        fields: str = "",
    ) -> None:
        self.path = path
        self.what = what
        self.why = why
        self.valid = valid
        self.suggestion = suggestion
        self.key = key  # the key is at fault, not its value
        self.fields = fields  # all that stand in its place, those that the file has among them


def with_positions(
    found: list[Found], source: Source, label: str, overrides: Mapping[PathInData, str]
) -> list[Problem]:
    """Return the problems with their lines and columns, in file order, those of --set last."""
    problems = []
    for fault in found:
        more = {"why": fault.why, "valid": fault.valid, "suggestion": fault.suggestion}
        override = _override(fault.path, overrides)
        if override is None and fault.key:  # a group of fields that an edit would have made
            below = (path for path in overrides if path[: len(fault.path)] == fault.path)
            override = _override(next(below, ()), overrides)
        if override is not None:
            more["valid"] = fault.fields or fault.valid  # an edit may name what is there already
            problem = Problem(override, None, None, fault.what, dotted(fault.path), **more)
        else:
            place = source.position(fault.path, key=fault.key)
            problem = source.problem(place, fault.what, path=dotted(fault.path), **more)
            if label != problem.file:
                problem = msgspec.structs.replace(problem, file=label)
        problems.append(problem)
    # overrides last; the sort is stable
    return sorted(problems, key=lambda p: (p.line is None, p.line or 0, p.column or 0))


def _override(path: PathInData, overrides: Mapping[PathInData, str]) -> str | None:
    for length in range(len(path), -1, -1):
        text = overrides.get(path[:length])
        if text is not None:
            return text if text.startswith("--") else f"--set {text}"
    return None


def from_msgspec_error(error: msgspec.ValidationError) -> Found:
    """Keep what msgspec says where the walk sees no fault, such as an error of __post_init__."""
    what, _, place = str(error).partition(" - at `$")
    place = place.partition("[...]")[0]  # msgspec does not tell the key of a mapping
    steps = re.findall(r"\.([^.\[\]`]+)|\[([0-9]+)\]", place)
    return Found(tuple(int(index) if index else name for name, index in steps), what)


# --- the walk -------------------------------------------------------------------------------


class _Enough(Exception):
    """As many problems as are worth reading."""


class _Report(list[Found]):
    """The problems found so far."""

    def add(self, fault: Found) -> None:
        """Note a problem, and stop the walk when there are many."""
        self.append(fault)
        if len(self) >= MOST_PROBLEMS:
            raise _Enough


def walk_all(data: object, spec: Spec) -> list[Found]:
    """Return every problem of the data, in its order, up to ``MOST_PROBLEMS``."""
    report = _Report()
    with suppress(_Enough):
        _walk(data, spec, (), report)
    return report


def _walk(value: Any, spec: Spec, path: PathInData, report: _Report) -> None:
    """Note every problem of a value and of what it holds."""
    if spec.anything:
        return
    kind = type(value)
    if kind is dict and spec.structs:
        _walk_struct(value, spec.structs, path, report)
    elif kind is dict and spec.value is not None:
        _bounds(len(value), spec.metas, path, report, "entries")
        for key, item in value.items():
            _walk(item, spec.value, (*path, key), report)
    elif kind is list and (spec.item is not None or spec.fixed):
        _walk_list(value, spec, path, report)
    elif not _is_choice(value, spec):
        _walk_scalar(value, spec, path, report)


def _walk_list(value: list[Any], spec: Spec, path: PathInData, report: _Report) -> None:
    if spec.item is not None:
        _bounds(len(value), spec.metas, path, report, "items")
        inner = [spec.item] * len(value)
    else:
        inner = spec.fixed
        if len(value) != len(inner):
            what = f"{_name(path)} has {len(value)} items, not {len(inner)}"
            report.add(Found(path, what, valid=_expected(spec)))
    for index, (item, item_spec) in enumerate(zip(value, inner, strict=False)):
        _walk(item, item_spec, (*path, index), report)


def _is_choice(value: Any, spec: Spec) -> bool:
    # True == 1, so the types are compared too
    return any(value == choice and type(value) is type(choice) for choice in spec.choices)


def _walk_struct(
    value: dict[Any, Any], plans: list[Plan], path: PathInData, report: _Report
) -> None:
    plan = variant_of(value, plans)
    if plan is None:
        _tell_tag(value, plans, path, report)
        return
    if len(plans) == 1 and plan.tag is not None:
        found = value.get(plan.tag_field, plan.tag)
        if found != plan.tag:
            _tell_tag(value, plans, path, report)
    known = {*plan.fields} | ({plan.tag_field} if plan.tag is not None else set())
    missing = [name for name in plan.required if name not in value]
    for key, item in value.items():
        if key in plan.fields:
            _walk(item, plan.fields[key], (*path, key), report)
        elif key not in known and plan.strict:
            likely = _below(str(key), plan)
            likely = likely or suggest(str(key), missing) or suggest(str(key), plan.fields)
            report.add(
                Found(
                    (*path, key),
                    f"unknown field {quote(key)}",
                    valid=_listed(
                        [name for name in plan.fields if name not in value or name == likely]
                    ),
                    suggestion=likely,
                    key=True,
                    fields=_listed([*plan.fields]),
                )
            )
    for name in missing:
        valid = _expected(plan.fields[name])
        where = f" in {dotted(path)}" if path else ""
        report.add(Found((*path, name), f"missing field {quote(name)}{where}", valid=valid))


def _below(name: str, plan: Plan) -> str:
    """Return where a name is a field of a group of fields, or an empty text."""
    for field, spec in plan.fields.items():
        if any(name in inner.fields for inner in spec.structs):
            return f"{field}.{name}"
    return ""


def _tell_tag(value: dict[Any, Any], plans: list[Plan], path: PathInData, report: _Report) -> None:
    field = plans[0].tag_field
    if field is None:  # a union that msgspec tells apart by itself
        return
    tags = [str(plan.tag) for plan in plans]
    if field not in value:
        what = f"missing field {quote(field)}{f' in {dotted(path)}' if path else ''}"
        report.add(Found((*path, field), what, valid=_listed(tags)))
        return
    tag = value[field]
    likely = suggest(tag, tags) if isinstance(tag, str) else ""
    what = f"{_name((*path, field))} is {quote(tag)}, which is not known"
    report.add(Found((*path, field), what, valid=_listed(tags), suggestion=likely))


def _walk_scalar(value: Any, spec: Spec, path: PathInData, report: _Report) -> None:
    kind = type(value)
    if spec.dimension and kind in (str, float) and not (kind is str and str in spec.scalars):
        try:
            value = quantity.parse(value, spec.dimension, minimum=None)
        except quantity.QuantityError as error:
            what = f"{_name(path)}: {error.what}"
            report.add(Found(path, what, valid=error.valid, suggestion=error.suggestion))
            return
        kind = type(value)
    if kind is int and int not in spec.scalars and float in spec.scalars:
        kind = float
    if kind is float and float not in spec.scalars and int in spec.scalars and value.is_integer():
        kind = int
    if kind in spec.scalars:
        _bounds(value, spec.scalars[kind], path, report)
        return
    only_choices = spec.choices and not (spec.scalars.keys() - {NoneType})
    what = f"{_name(path)} is {quote(value)}, which is not " + (
        "one of its values" if only_choices else _expected(spec)
    )
    valid = _expected(spec, bounds=True)
    report.add(Found(path, what, valid=valid, suggestion=_meant(value, spec)))


def _meant(value: Any, spec: Spec) -> str:
    """Return what a value of the wrong type was probably meant to be."""
    if isinstance(value, str):
        if bool in spec.scalars and value.lower() in ("yes", "on", "y", "no", "off", "n"):
            return "true" if value.lower() in ("yes", "on", "y") else "false"
        if int in spec.scalars or float in spec.scalars:
            try:
                return str(quantity.parse(value, "count" if float not in spec.scalars else "ratio"))
            except quantity.QuantityError:
                pass
        return suggest(value, [str(choice) for choice in spec.choices])
    if str in spec.scalars and type(value) in (int, float):
        return f'"{value}"'
    if isinstance(value, float) and int in spec.scalars and abs(value) < 10**quantity.MOST_DIGITS:
        return str(round(value))
    return ""


def _bounds(
    value: Any, metas: list[msgspec.Meta], path: PathInData, report: _Report, things: str = ""
) -> None:
    """Note where a value, or the number of its entries, is outside its bounds."""
    sized = bool(things) or isinstance(value, str)
    measure = len(value) if isinstance(value, str) else value
    for meta in metas:
        low, high = (meta.min_length, meta.max_length) if sized else (meta.ge, meta.le)
        outside = (
            (low is not None and measure < low)
            or (high is not None and measure > high)
            or (not sized and meta.gt is not None and measure <= meta.gt)
            or (not sized and meta.lt is not None and measure >= meta.lt)
        )
        divides = not sized and meta.multiple_of and measure % meta.multiple_of
        unlike = isinstance(value, str) and meta.pattern and not re.search(meta.pattern, value)
        if outside or divides or unlike:
            what = f"{_name(path)} is {quote(value)}" if not things else _name(path)
            if sized:
                count = f"has {measure:,} {things or 'characters'}"
                what = f"{_name(path)} {count}" if outside else f"{what}, which has not its form"
            else:
                what += ", which is outside its bounds" if outside else ", which is no multiple"
            why = meta.description or ""
            report.add(Found(path, what, why=why, valid=_limits(meta, things or "characters")))
            return


def _limits(meta: msgspec.Meta, things: str) -> str:
    parts = [
        f"{words} {limit:,}{unit.removesuffix('s') if limit == 1 else unit}"
        for words, limit, unit in (
            ("at least", meta.ge, ""),
            ("more than", meta.gt, ""),
            ("at most", meta.le, ""),
            ("less than", meta.lt, ""),
            ("a multiple of", meta.multiple_of, ""),
            ("at least", meta.min_length, f" {things}"),
            ("at most", meta.max_length, f" {things}"),
        )
        if limit is not None
    ]
    if meta.pattern:
        parts.append(f"of the form {meta.pattern}")
    return ", ".join(parts)


def _expected(spec: Spec, *, bounds: bool = False) -> str:
    """Return in words what a place may hold."""
    if spec.anything:
        return "any value"
    words = []
    if spec.choices:
        words.append(_listed([str(choice) for choice in spec.choices]))
    for kind, metas in spec.scalars.items():
        if kind is NoneType or (kind is int and float in spec.scalars):
            continue
        limits = [text for meta in metas if (text := _limits(meta, "characters"))]
        words.append(", ".join([SCALARS[kind], *(limits if bounds else ())]))
    if spec.structs or spec.value is not None:
        words.append("a mapping")
    if spec.item is not None:
        words.append("a list")
    if spec.fixed:
        words.append(f"a list of {len(spec.fixed)}")
    if spec.dimension:
        words.append(f"a quantity such as {quantity.DIMENSIONS[spec.dimension][1][0]}")
    if NoneType in spec.scalars:
        words.append("null")
    return " or ".join(words)


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


def _name(path: PathInData) -> str:
    return dotted(path) or "the input"
