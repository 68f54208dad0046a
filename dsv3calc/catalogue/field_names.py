"""The names that ``--set`` takes, for completion."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.catalogue.overrides import OTHER_KINDS
from dsv3calc.catalogue.presets import type_of
from dsv3calc.schema.model import PARTS, Model

_ABOUT = {"sources", "provenance"}


def field_names() -> list[str]:
    """List fields of models, and those of other presets after their kind."""
    found = {*Model.__struct_fields__}
    for part in PARTS.values():
        for struct in part.__args__:
            found |= {*struct.__struct_fields__}
    for kind in OTHER_KINDS:
        found |= {
            f"{kind}.{name}" for name in type_of(kind).__struct_fields__ if name not in _ABOUT
        }
    return sorted(found - _ABOUT)
