"""The queries as data: what a command line or a golden row says, before any default is filled in.

None means "not given": the default then depends on the phase or on the model, and the answer
prints it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any, ClassVar, Self

import msgspec


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What every query has: overrides, where to look for presets, keys of a config to ignore."""

    command: ClassVar[str] = ""

    set: tuple[str, ...] = ()
    preset_path: str | None = None
    ignore_keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def looking_in(self, preset_path: str | None) -> Self:
        """Return the query with a presets directory to look in first, where it names none."""
        if preset_path is None or self.preset_path is not None:
            return self
        return msgspec.structs.replace(self, preset_path=preset_path)


class ParamsQuery(Query, frozen=True, kw_only=True):
    """Parameters and weight bytes of one model."""

    command: ClassVar[str] = "params"

    model: str
    by: str = "component"
    variant: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    precision: str | None = None
    with_mtp: bool = False
    library: str | None = None
    convention: str | None = None


class FlopsQuery(Query, frozen=True, kw_only=True):
    """FLOPs of one model under one workload."""

    command: ClassVar[str] = "flops"

    model: str
    phase: str = "train"
    batch: int | None = None
    sequence: int | None = None
    past: int | None = None
    last_logit: bool = False
    counting: str | None = None
    attention: str | None = None
    mla: str | None = None
    head: str | None = None
    router: str | None = None
    with_mtp: bool = False
    convention: str | None = None
    library: str | None = None


class KVQuery(Query, frozen=True, kw_only=True):
    """The KV cache of one model."""

    command: ClassVar[str] = "kv"

    model: str
    tokens: int | None = None
    batch: int | None = None
    kv_dtype: str | None = None
    page_size: int | None = None
    fit: int | None = None
    mla: str | None = None
    with_mtp: bool = False
    convention: str | None = None
    library: str | None = None


class CompareQuery(Query, frozen=True, kw_only=True):
    """Designs side by side. ``models`` holds references, ``vary`` what-if columns."""

    command: ClassVar[str] = "compare"

    models: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()
    baseline: str | None = None
    hardware: str | None = None
    precision: str | None = None
    kv_dtype: str | None = None
    batch: int | None = None
    context: int | None = None
    sequence: int | None = None
    mla: str | None = None
    rows: tuple[str, ...] = ()
    with_mtp: bool = False


def as_dict(query: Query) -> dict[str, Any]:
    """Return a query for the ``query`` field of an answer: what was given, defaults left out.

    Together with the workload that a study adds it can be asked again, as a golden's query.
    """
    found: dict[str, Any] = {}
    for name in query.__struct_fields__:
        value = getattr(query, name)
        if name != "notes" and value not in (None, (), False):
            found[name] = list(value) if isinstance(value, tuple) else value
    return found
