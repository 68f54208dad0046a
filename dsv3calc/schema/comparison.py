"""A comparison as a file: designs, what is changed in them, hardware, workload, rows to show."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from dsv3calc.schema.fields import Name, Text

Scalar = int | float | bool | str | None
Tokens = Annotated[int, msgspec.Meta(ge=1, le=10**15, extra={"dimension": "tokens"})]
Count = Annotated[int, msgspec.Meta(ge=1, le=10**15)]


Section = Literal[
    "parameters", "weights", "flops", "kv_cache", "roofline", "memory", "traffic", "time",
    "train", "serve",
]  # fmt: skip


class Design(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column: a model, fields set in it (``--set``), what is different (``--vary``).

    ``precision`` replaces the model's own.
    """

    model: Text
    title: str = ""
    set: dict[str, Scalar] = msgspec.field(default_factory=dict)
    vary: list[Text] = msgspec.field(default_factory=list)
    precision: str | None = None


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A saved ``dsv3calc compare``. A design may be written as a model's name alone."""

    name: Name
    title: Text
    designs: Annotated[list[Text | Design], msgspec.Meta(min_length=1, max_length=100)]
    baseline: str | None = None
    hardware: str | None = None
    layout: str | None = None
    setup: str | None = None
    serve: bool = False
    precision: str | None = None
    kv_dtype: str | None = None
    batch: Count | None = None
    context: Tokens | None = None
    sequence: Tokens | None = None
    rows: list[Section] = msgspec.field(default_factory=list)
