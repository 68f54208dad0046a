"""Plain data into structs: at once when it is right, with every problem and its place when not.

msgspec converts, and stops at the first fault without a line. So only after a failure the value
and the types are walked together, field by field, and all problems are collected with their paths;
the source then gives each path its line and column.

Two things are allowed beyond msgspec's strict mode: a field whose ``Meta(extra={"dimension": …})``
names a dimension takes a quantity in words (``"3.35 TB/s"``), and an integer may be written 1e6.
A struct may define ``problems(self)``, yielding ``(relative path, what, why)`` for what only
several fields together can get wrong.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from contextlib import suppress
from enum import Enum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from dsv3calc import quantity
from dsv3calc.diagnostics import Problem, quote, suggest
from dsv3calc.errors import InvalidInput
from dsv3calc.source import MOST_PROBLEMS, PathInData, Source, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

T = TypeVar("T")

_SCALARS = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
_MOST_LISTED = 30  # names listed as valid


def convert(
    source: Source,
    data: object,
    type_: type[T],
    *,
    file_label: str | None = None,
    overrides: Mapping[PathInData, str] | None = None,
) -> T:
    """Return plain data as an instance of a struct type, checked.

    Parameters
    ----------
    source : Source
        The text that the data came from: problems are shown at its lines.
    data : object
        What ``source.data`` gave, perhaps edited since; it is not changed.
    type_ : type
        A ``msgspec.Struct``, or any type that msgspec converts to.
    file_label : str, optional
        The file's name in messages, where it differs from the source's.
    overrides : Mapping, optional
        Paths that were edited, each with the ``NAME=VALUE`` of its ``--set``: a problem there is
        reported for ``--set NAME=VALUE``, without a line.

    Raises
    ------
    InvalidInput
        With every problem found, in file order.
    """
    spec = _spec_of(type_)
    found: list[_Found] = []
    try:
        value = msgspec.convert(_normalise(data, spec), type_, strict=True, str_keys=True)
    except msgspec.ValidationError as error:
        found = _walk_all(data, spec) or [_untold(error)]
    else:
        deep = isinstance(value, (msgspec.Struct, list, tuple, dict))
        for path, what, why in _sense(value, ()) if deep else ():
            found.append(_Found(path, what, why=why))
            if len(found) >= MOST_PROBLEMS:
                break
        if not found:
            return value
    raise InvalidInput(_placed(found, source, file_label or source.name, overrides or {}))


class _Found:
    """A problem before its place is known."""

    __slots__ = ("key", "path", "suggestion", "valid", "what", "why")

    def __init__(
        self,
        path: PathInData,
        what: str,
        *,
        why: str = "",
        valid: str = "",
        suggestion: str = "",
        key: bool = False,
    ) -> None:
        self.path = path
        self.what = what
        self.why = why
        self.valid = valid
        self.suggestion = suggestion
        self.key = key  # the key is at fault, not its value


def _placed(
    found: list[_Found], source: Source, label: str, overrides: Mapping[PathInData, str]
) -> list[Problem]:
    problems = []
    for fault in found:
        more = {"why": fault.why, "valid": fault.valid, "suggestion": fault.suggestion}
        override = _override(fault.path, overrides)
        if override is not None:
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


def _untold(error: msgspec.ValidationError) -> _Found:
    """Keep what msgspec says where the walk sees no fault, such as an error of __post_init__."""
    what, _, place = str(error).partition(" - at `$")
    place = place.partition("[...]")[0]  # msgspec does not tell the key of a mapping
    steps = re.findall(r"\.([^.\[\]`]+)|\[([0-9]+)\]", place)
    return _Found(tuple(int(index) if index else name for name, index in steps), what)


# --- what a type accepts --------------------------------------------------------------------


class _Spec:
    """What one place of the data may hold, its alternatives side by side."""

    __slots__ = (
        "active",
        "anything",
        "choices",
        "dimension",
        "fixed",
        "item",
        "metas",
        "scalars",
        "structs",
        "value",
    )

    def __init__(self) -> None:
        self.active = False  # _normalise has something to do here or below
        self.anything = False
        self.choices: list[Any] = []  # of a Literal or an enum
        self.dimension = ""
        self.fixed: list[_Spec] = []  # the items of a tuple of fixed length
        self.item: _Spec | None = None
        self.metas: list[msgspec.Meta] = []  # constraints of a list or mapping
        self.scalars: dict[type, list[msgspec.Meta]] = {}
        self.structs: list[_Plan] = []
        self.value: _Spec | None = None  # of a mapping


class _Plan:
    """The fields of one struct type, by the name that stands in a file."""

    __slots__ = ("active", "fields", "name", "required", "strict", "tag", "tag_field")

    def __init__(self, type_: type[msgspec.Struct]) -> None:
        config = type_.__struct_config__
        self.name = type_.__name__
        self.strict = config.forbid_unknown_fields
        self.tag = config.tag
        self.tag_field = config.tag_field
        self.fields: dict[str, _Spec] = {}
        self.required: list[str] = []
        self.active: list[tuple[str, _Spec]] = []


_PLANS: dict[type, _Plan] = {}
_SPECS: dict[type, _Spec] = {}


def _spec_of(type_: Any) -> _Spec:
    spec = _SPECS.get(type_)
    if spec is None:
        spec = _SPECS[type_] = _spec(type_)
    return spec


def _plan(type_: type[msgspec.Struct]) -> _Plan:
    plan = _PLANS.get(type_)
    if plan is None:
        plan = _PLANS[type_] = _Plan(type_)  # known before its fields: a struct may hold itself
        for field in msgspec.structs.fields(type_):
            spec = _spec(field.type)
            plan.fields[field.encode_name] = spec
            if field.required:
                plan.required.append(field.encode_name)
            if spec.active:
                plan.active.append((field.encode_name, spec))
    return plan


def _spec(type_: Any) -> _Spec:
    spec = _Spec()
    _add(spec, type_, [])
    spec.active = bool(
        spec.dimension
        or (int in spec.scalars and float not in spec.scalars)
        or spec.structs
        or (spec.item and spec.item.active)
        or (spec.value and spec.value.active)
        or any(item.active for item in spec.fixed)
    )
    return spec


def _add(spec: _Spec, type_: Any, metas: list[msgspec.Meta]) -> None:  # noqa: C901 - one case per kind of type
    """Add an alternative to what a place may hold."""
    type_ = getattr(type_, "__value__", type_)  # what a `type` statement names
    type_ = getattr(type_, "__supertype__", type_)  # what a NewType is made of
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        inner = [meta for meta in arguments[1:] if isinstance(meta, msgspec.Meta)]
        for meta in inner:
            spec.dimension = (meta.extra or {}).get("dimension", spec.dimension)
        _add(spec, arguments[0], metas + inner)
    elif origin is Union or isinstance(type_, UnionType):
        for argument in arguments:
            _add(spec, argument, metas)
    elif origin is Literal:
        spec.choices += arguments
    elif type_ is None or type_ is NoneType or type_ in _SCALARS:
        spec.scalars[NoneType if type_ is None else type_] = metas
    elif isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        spec.structs.append(_plan(type_))
    elif isinstance(type_, type) and issubclass(type_, Enum):
        spec.choices += [member.value for member in type_]
    elif (origin or type_) is tuple and arguments and arguments[-1] is not Ellipsis:
        spec.fixed = [_spec(argument) for argument in arguments]
    elif (kind := origin or type_) in (list, tuple, set, frozenset) or _is_abstract(kind, "Seq"):
        spec.item = _spec(arguments[0] if arguments else Any)
        spec.metas += metas
    elif kind is dict or _is_abstract(kind, "Map"):
        spec.value = _spec(arguments[1] if arguments else Any)
        spec.metas += metas
    else:
        spec.anything = True  # Any, or a type of which msgspec alone knows the form


def _is_abstract(kind: Any, start: str) -> bool:
    return getattr(kind, "__module__", "") == "collections.abc" and kind.__name__.startswith(start)


def _chosen(value: dict[Any, Any], plans: list[_Plan]) -> _Plan | None:
    """Return the struct that a mapping is meant to be, or None where its tag tells no such."""
    if len(plans) == 1:
        return plans[0]
    tag = value.get(plans[0].tag_field)
    for plan in plans:
        if plan.tag == tag and type(plan.tag) is type(tag):
            return plan
    return None


# --- before msgspec -------------------------------------------------------------------------


def _normalise(value: Any, spec: _Spec) -> Any:
    """Return the value with quantities in words as numbers and 1e6 as an integer where due.

    What needs no change is returned as it is, and nothing given is changed.
    """
    kind = type(value)
    if kind is str or kind is float:
        return _number(value, spec)
    steps: Iterable[tuple[Any, _Spec]] = ()
    if kind is dict:
        if spec.structs:
            plan = _chosen(value, spec.structs)
            steps = [(name, inner) for name, inner in plan.active if name in value] if plan else ()
        elif spec.value is not None and spec.value.active:
            steps = [(name, spec.value) for name in value]
    elif kind is list:
        if spec.item is not None and spec.item.active:
            steps = [(index, spec.item) for index in range(len(value))]
        elif len(spec.fixed) == len(value):
            steps = enumerate(spec.fixed)
    changed = None
    for step, inner in steps:
        new = _normalise(value[step], inner)
        if new is not value[step]:
            changed = value.copy() if changed is None else changed
            changed[step] = new
    return value if changed is None else changed


def _number(value: str | float, spec: _Spec) -> str | float:
    if spec.dimension and not (
        type(value) is str and (str in spec.scalars or value in spec.choices)
    ):
        try:
            return quantity.parse(value, spec.dimension, minimum=None)
        except quantity.QuantityError:  # the walk says so, with the place
            return value
    whole = type(value) is float and int in spec.scalars and float not in spec.scalars
    if whole and value.is_integer():  # type: ignore[union-attr] # a float
        return quantity.decimal_ratio(value)[0]  # type: ignore[arg-type] # as above
    return value


# --- after a failure: all problems ----------------------------------------------------------


class _Enough(Exception):
    """As many problems as are worth reading."""


class _Report(list[_Found]):
    """The problems found so far."""

    def add(self, fault: _Found) -> None:
        """Note a problem, and stop the walk when there are many."""
        self.append(fault)
        if len(self) >= MOST_PROBLEMS:
            raise _Enough


def _walk_all(data: object, spec: _Spec) -> list[_Found]:
    report = _Report()
    with suppress(_Enough):
        _walk(data, spec, (), report)
    return report


def _walk(value: Any, spec: _Spec, path: PathInData, report: _Report) -> None:
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


def _walk_list(value: list[Any], spec: _Spec, path: PathInData, report: _Report) -> None:
    if spec.item is not None:
        _bounds(len(value), spec.metas, path, report, "items")
        inner = [spec.item] * len(value)
    else:
        inner = spec.fixed
        if len(value) != len(inner):
            what = f"{_name(path)} has {len(value)} items, not {len(inner)}"
            report.add(_Found(path, what, valid=_expected(spec)))
    for index, (item, item_spec) in enumerate(zip(value, inner, strict=False)):
        _walk(item, item_spec, (*path, index), report)


def _is_choice(value: Any, spec: _Spec) -> bool:
    # True == 1, so the types are compared too
    return any(value == choice and type(value) is type(choice) for choice in spec.choices)


def _walk_struct(
    value: dict[Any, Any], plans: list[_Plan], path: PathInData, report: _Report
) -> None:
    plan = _chosen(value, plans)
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
            likely = suggest(str(key), missing) or suggest(str(key), plan.fields)
            report.add(
                _Found(
                    (*path, key),
                    f"unknown field {quote(key)}",
                    valid=_listed(
                        [name for name in plan.fields if name not in value or name == likely]
                    ),
                    suggestion=likely,
                    key=True,
                )
            )
    for name in missing:
        valid = _expected(plan.fields[name])
        where = f" in {dotted(path)}" if path else ""
        report.add(_Found((*path, name), f"missing field {quote(name)}{where}", valid=valid))


def _tell_tag(value: dict[Any, Any], plans: list[_Plan], path: PathInData, report: _Report) -> None:
    field = plans[0].tag_field
    if field is None:  # a union that msgspec tells apart by itself
        return
    tags = [str(plan.tag) for plan in plans]
    if field not in value:
        what = f"missing field {quote(field)}{f' in {dotted(path)}' if path else ''}"
        report.add(_Found((*path, field), what, valid=_listed(tags)))
        return
    tag = value[field]
    likely = suggest(tag, tags) if isinstance(tag, str) else ""
    what = f"{_name((*path, field))} is {quote(tag)}, which is not known"
    report.add(_Found((*path, field), what, valid=_listed(tags), suggestion=likely))


def _walk_scalar(value: Any, spec: _Spec, path: PathInData, report: _Report) -> None:
    kind = type(value)
    if spec.dimension and kind in (str, float) and not (kind is str and str in spec.scalars):
        try:
            value = quantity.parse(value, spec.dimension, minimum=None)
        except quantity.QuantityError as error:
            what = f"{_name(path)}: {error.what}"
            report.add(_Found(path, what, valid=error.valid, suggestion=error.suggestion))
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
    report.add(_Found(path, what, valid=valid, suggestion=_meant(value, spec)))


def _meant(value: Any, spec: _Spec) -> str:
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
            report.add(_Found(path, what, why=why, valid=_limits(meta, things or "characters")))
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


def _expected(spec: _Spec, *, bounds: bool = False) -> str:
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
        words.append(", ".join([_SCALARS[kind], *(limits if bounds else ())]))
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


# --- after msgspec: the sense of several fields together ------------------------------------


def _sense(value: Any, path: PathInData) -> Iterator[tuple[PathInData, str, str]]:
    """Yield what the ``problems`` methods of a value and of all that it holds say."""
    steps: Iterable[tuple[str | int, Any]]
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        steps = [(step, getattr(value, name)) for step, name in names]
    else:
        steps = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in steps:
        if isinstance(inner, (msgspec.Struct, list, tuple, dict)):
            yield from _sense(inner, (*path, step))
    method = getattr(value, "problems", None)
    if callable(method):
        for relative, what, why in method():
            yield (*path, *relative), what, why
