"""The names that ``--set`` takes, for completion."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import msgspec

from dsv3calc.catalogue.overrides import OTHER_KINDS
from dsv3calc.catalogue.presets import type_of
from dsv3calc.schema.model import PARTS, Model

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABOUT = {"sources", "provenance"}


def field_names() -> list[str]:
    """List fields of models, and those of other presets after their kind."""
    found = {*Model.__struct_fields__}
    for part in PARTS.values():
        for struct in part.__args__:
            found |= {*struct.__struct_fields__}
    for kind in OTHER_KINDS:
        found |= {f"{kind}.{name}" for name in _below(type_of(kind))}
    return sorted(found - _ABOUT)


def _below(struct: type[msgspec.Struct]) -> Iterator[str]:
    """Yield the fields of a struct, and after each that is a group of fields those of the group."""
    for field in msgspec.structs.fields(struct):
        if field.name in _ABOUT:
            continue
        yield field.name
        for each in get_args(field.type) or (field.type,):
            if isinstance(each, type) and issubclass(each, msgspec.Struct):
                yield from (f"{field.name}.{name}" for name in _below(each))
