"""What a type accepts, place by place, and the data brought to it before msgspec converts.

A quantity in words becomes a number where the field names a dimension, and 1e6 an integer where
one is due; whatever else is wrong is left as it is, for msgspec to refuse.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from enum import Enum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from dsv3calc.numbers import decimals, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable

SCALARS = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}


class Spec:
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
        self.active = False  # normalise has something to do here or below
        self.anything = False
        self.choices: list[Any] = []  # of a Literal or an enum
        self.dimension = ""
        self.fixed: list[Spec] = []  # the items of a tuple of fixed length
        self.item: Spec | None = None
        self.metas: list[msgspec.Meta] = []  # constraints of a list or mapping
        self.scalars: dict[type, list[msgspec.Meta]] = {}
        self.structs: list[Plan] = []
        self.value: Spec | None = None  # of a mapping


class Plan:
    """The fields of one struct type, by the name that stands in a file."""

    __slots__ = ("active", "fields", "name", "required", "strict", "tag", "tag_field")

    def __init__(self, type_: type[msgspec.Struct]) -> None:
        config = type_.__struct_config__
        self.name = type_.__name__
        self.strict = config.forbid_unknown_fields
        self.tag = config.tag
        self.tag_field = config.tag_field
        self.fields: dict[str, Spec] = {}
        self.required: list[str] = []
        self.active: list[tuple[str, Spec]] = []


_PLANS: dict[type, Plan] = {}
_SPECS: dict[type, Spec] = {}


def spec_of(type_: Any) -> Spec:
    """Return what a type accepts; worked out once for each type."""
    spec = _SPECS.get(type_)
    if spec is None:
        spec = _SPECS[type_] = _spec(type_)
    return spec


def _plan(type_: type[msgspec.Struct]) -> Plan:
    plan = _PLANS.get(type_)
    if plan is None:
        plan = _PLANS[type_] = Plan(type_)  # known before its fields: a struct may hold itself
        for field in msgspec.structs.fields(type_):
            spec = _spec(field.type)
            plan.fields[field.encode_name] = spec
            if field.required:
                plan.required.append(field.encode_name)
            if spec.active:
                plan.active.append((field.encode_name, spec))
    return plan


def _spec(type_: Any) -> Spec:
    spec = Spec()
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


def _add(spec: Spec, type_: Any, metas: list[msgspec.Meta]) -> None:  # noqa: C901 - one case per kind of type
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
    elif type_ is None or type_ is NoneType or type_ in SCALARS:
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


def variant_of(value: dict[Any, Any], plans: list[Plan]) -> Plan | None:
    """Return the struct that a mapping is meant to be, or None where its tag tells no such."""
    if len(plans) == 1:
        return plans[0]
    tag = value.get(plans[0].tag_field)
    for plan in plans:
        if plan.tag == tag and type(plan.tag) is type(tag):
            return plan
    return None


# --- before msgspec -------------------------------------------------------------------------


def normalise(value: Any, spec: Spec) -> Any:
    """Return the value with quantities in words as numbers and 1e6 as an integer where due.

    What needs no change is returned as it is, and nothing given is changed.
    """
    kind = type(value)
    if kind is str or kind is float:
        return _number(value, spec)
    steps: Iterable[tuple[Any, Spec]] = ()
    if kind is dict:
        if spec.structs:
            plan = variant_of(value, spec.structs)
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
        new = normalise(value[step], inner)
        if new is not value[step]:
            changed = value.copy() if changed is None else changed
            changed[step] = new
    return value if changed is None else changed


def _number(value: str | float, spec: Spec) -> str | float:
    if spec.dimension and not (
        type(value) is str and (str in spec.scalars or value in spec.choices)
    ):
        try:
            return quantity.parse(value, spec.dimension, minimum=None)
        except quantity.QuantityError:  # the walk says so, with the place
            return value
    whole = type(value) is float and int in spec.scalars and float not in spec.scalars
    if whole and value.is_integer():  # type: ignore[union-attr] # a float
        return decimals.decimal_ratio(value)[0]  # type: ignore[arg-type] # as above
    return value
