"""Golden files: numbers that must not move, and budgets that must be kept.

A row names a query, one quantity of its answer, and what is expected of it: a value with a
tolerance, or a bound in words (``"<= 72KB"``, ``">= 1"``, ``"between 60KB and 72KB"``). A row about
somebody else's figure may say that it does not follow, and why; such a row is kept as long as it
does not.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from dsv3calc.schema.fields import Text

Kind = Literal["derived", "identity", "form", "fitted"]
KINDS: tuple[Kind, ...] = ("derived", "identity", "form", "fitted")
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Digits = Annotated[int, msgspec.Meta(ge=1, le=17)]


class Tolerance(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="kebab"
):
    """How far a value may be from the expected one: exactly one of the first four.

    ``rel``: a share of the expected value. ``abs``: an amount in its unit. ``rounds-to``: the value
    rounded to that many significant digits is the expected one. ``truncates-to``: the value cut off
    after that many is. ``unit``: what digits are counted in, where that is not the base unit
    (``GiB``).
    """

    rel: Share | None = None
    abs: Annotated[float, msgspec.Meta(ge=0)] | None = None
    rounds_to: Digits | None = None
    truncates_to: Digits | None = None
    unit: str = ""

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a tolerance that says nothing, several things, or a number without end."""
        names = ("rel", "abs", "rounds_to", "truncates_to")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            yield (
                (),
                f"a tolerance has one of rel, abs, rounds-to, truncates-to; this has {len(given)}",
                "several would contradict each other",
            )
        elif self.abs is not None and not math.isfinite(self.abs):
            yield ("abs",), "an infinite tolerance", "a check that cannot fail is no check"
        elif self.rel == 1:
            yield ("rel",), "a tolerance of 100 %", "a check that cannot fail is no check"
        elif self.unit and given[0] in ("rel", "abs"):
            yield ("unit",), "a unit without digits", "it says what rounds-to counts its digits in"


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row: ``quantity`` of ``query`` is as ``expect`` says.

    ``query`` is a command line without ``dsv3calc``, or a mapping of ``command`` and its fields.
    ``column`` chooses a column of a ``compare``. ``unit``, where given, must be the quantity's.
    ``made_from`` is what a snapshot was computed from: inputs by place, formulas by digest.

    Of a published figure: ``id`` names it, ``what`` says what it is, ``published`` is its text as
    printed, ``convention`` what it is counted under. ``reproduces: false`` says that no convention
    gives it, and ``why``. ``kind`` says how the figure is computed: ``derived`` from a model, a
    layout or a device; ``identity``, columns of one table compared with each other; ``form``,
    arithmetic on printed numbers, or a printed form put into numbers; ``fitted``, an input was
    chosen so that the figure comes out. ``converted``: the source prints a form or other units,
    and ``expect`` is our conversion. ``repeats`` is the id of the row that has the same figure.
    """

    query: Text | dict[str, Any]
    quantity: Text
    expect: int | float | Text
    column: str = ""
    tolerance: Literal["exact"] | Tolerance | None = None
    unit: str = ""
    source: str = ""
    note: str = ""
    id: str = ""
    what: str = ""
    published: str = ""
    convention: str = ""
    kind: Kind | None = None
    converted: bool = False
    repeats: str = ""
    reproduces: bool = True
    why: str = ""
    made_from: dict[str, int | float | bool | str | None] = msgspec.field(default_factory=dict)

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a bound that has a tolerance beside it, and an expectation that is no number."""
        if isinstance(self.expect, str) and self.tolerance is not None:
            yield ("tolerance",), "a bound has no tolerance", "a bound either holds or does not"
        if isinstance(self.expect, float) and not math.isfinite(self.expect):
            yield ("expect",), "the expected value is not finite", "no quantity is"
        if not self.reproduces and not self.why:
            yield ("why",), "a figure that does not follow, and no reason", "readers want to know"


class Stated(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A published figure that nothing here computes.

    ``measured``: it was observed. ``setting``: it was chosen. ``not-covered``: it follows from
    something that this program does not have; ``why`` says what.
    """

    id: Text
    what: Text
    published: Text
    kind: Literal["measured", "setting", "not-covered"]
    source: Text
    why: str = ""

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a figure that is not covered, and no reason."""
        if self.kind == "not-covered" and not self.why:
            yield ("why",), "nothing says what is missing", "readers want to know"


class GoldenFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of goldens. ``immutable`` ones are somebody else's figures: ``--update`` refuses.

    ``stated`` lists figures of the same source that nothing here computes.
    """

    title: str = ""
    immutable: bool = False
    goldens: Annotated[list[Golden], msgspec.Meta(min_length=1)]
    stated: list[Stated] = msgspec.field(default_factory=list)
