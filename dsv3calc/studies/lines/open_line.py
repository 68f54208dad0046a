"""A line of a query with its numbers by name: what may be left open, changed, or solved for.

A name is that of a number of the model, the layout, the workload or another preset: ``ep``,
``hidden_size``, ``groups.1.attention.num_attention_heads``, ``hardware.memory.bandwidth``. The
GPUs of a layout stay the same where its degrees change: dp follows from tp, cp and pp, unless dp
is held.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.catalogue.overrides import OTHER_KINDS, current_place
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.ledger.line import combined
from dsv3calc.ledger.rules import RULES
from dsv3calc.ledger.tags import RANK
from dsv3calc.queries.fields import field_giving, number_named
from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.dispatch import answer as ask
from dsv3calc.studies.explain.tree import computed_lines, unknown_line
from dsv3calc.studies.layout.choose import SERVING_PHASES, chosen_layout
from dsv3calc.studies.layout.expert_degrees import ONE, STATED, TP, etp_of
from dsv3calc.studies.lines.quantity import Quantity
from dsv3calc.studies.preset_loader import PresetLoader
from dsv3calc.symbolic.from_ledger import DEPTH, Composer, leaves
from dsv3calc.symbolic.term import Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.base import Query
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

KINDS = ("model", "layout", "workload", *OTHER_KINDS)
"""What a place may begin with whose number has a name."""

FOLLOWS_FROM_GPUS = ("tp", "cp", "pp")


class OpenLine:
    """One line of a query's answer, with the numbers that it depends on.

    Raises
    ------
    UsageError, InvalidInput
        As the query is wrong, has several columns, or no such line.
    """

    def __init__(
        self, query: Query, name: str, *, minus: str = "", hold: Iterable[str] = ()
    ) -> None:
        self.query = query
        self.minus = minus
        self.hold = tuple(hold)
        self.answer = ask(query)
        if len(self.answer.columns) != 1:
            raise UsageError(
                f"the query has {len(self.answer.columns)} columns, and a line is traced in one",
                "ask for a single design",
            )
        named = computed_lines(self.answer.columns[0].ledger)
        for each in (name, minus) if minus else (name,):
            if each not in named:
                raise unknown_line("", each, list(named), self.answer.absent)
        if minus and named[name].unit != named[minus].unit:
            raise UsageError(
                f"{quote(name)} is in {named[name].unit}, {quote(minus)} in {named[minus].unit}",
                "compare lines of one unit",
            )
        self.name = name
        self.line: Line = self._less(named[name], named.get(minus))
        self.layout = self._layout()
        self.places = {
            place: value
            for place, value in leaves([self.line]).items()
            if type(value) in (int, float)
        }
        self.depth = self.places.get(DEPTH)
        for each in self.hold:
            if self.layout is None or each != "dp":
                raise UsageError(
                    f"--hold {quote(each)}: only dp can be held, in a query with a layout",
                    "--hold dp keeps dp fixed while tp, cp or pp vary; the GPU count changes",
                )

    def _less(self, line: Line, other: Line | None) -> Line:
        """Return a line, less the one that it is compared with."""
        if other is None:
            return line
        return combined(f"{line.name} - {other.name}", "difference", (line, other))

    def _layout(self) -> Layout | None:
        if not hasattr(self.query, "layout") or getattr(self.query, "fewest_gpus", False):
            return None  # there is none, or it is what the query finds
        if self.query.layout is None and not hasattr(self.query, "tp"):
            return None  # no layout was named, and no degree can be
        asked = self.answer.query
        serving = bool(asked.get("serve")) or asked.get("phase") in SERVING_PHASES
        return chosen_layout(
            self.query, PresetLoader(self.query), Answer("", {}), self.model, serving=serving
        )

    @property
    def model(self) -> Model:
        """The model of the query."""
        found: Model = next(each.value for each in self.answer.presets if each.kind == "model")
        return found

    @property
    def unit(self) -> str:
        """The unit of the line."""
        return self.line.unit

    def _is_number(self, kind: str, field: str, value: Any) -> bool:
        """Tell whether a layout's field is that number, not a choice that a number stands for."""
        return kind != "layout" or getattr(self.layout, field, None) == value

    @property
    def _states_dp(self) -> bool:
        """Whether a preset or an option gives dp."""
        query = self.query
        given = getattr(query, "layout", None) is not None or getattr(query, "dp", None) is not None
        return given or any(each.startswith("layout.dp=") for each in query.set)

    @property
    def dp_follows_experts(self) -> bool:
        """Whether dp is a default: as many GPUs as the experts are spread over."""
        return self.layout is not None and not (self.hold or self._states_dp)

    @property
    def etp_follows(self) -> tuple[str, ...]:
        """The degrees that the line's etp follows from, as it is not given."""
        if self.layout is None or "layout.etp" not in self.places:
            return ()
        return (self.answer.etp_rule or STATED).follows

    def quantities(self) -> list[Quantity]:
        """Return every number that the line depends on and that a query can change.

        The degrees that its etp follows from are among them.
        """
        return list(self._by_name.values())

    @cached_property
    def _by_name(self) -> dict[str, Quantity]:
        found: dict[str, Quantity] = {}
        for place, value in self.places.items():
            kind, _, field = place.partition(".")
            if not field and field_giving(self.query, place) in self.query.__struct_fields__:
                found[place] = Quantity(place, (place,), value)
            if not field or kind not in KINDS or not _changes(self.query, kind, field):
                continue
            if not self._is_number(kind, field, value):
                continue
            if kind == "model" and not field.startswith("groups."):
                name = field
            elif kind == "model":
                name = self._group_name(field, value)
            else:
                name = field if kind in ("layout", "workload") else place
            places = (*found[name].places, place) if name in found else (place,)
            found[name] = Quantity(name, places, value)
        for name in self.etp_follows:
            found.setdefault(name, self._degree(name))
        return found

    def _degree(self, name: str) -> Quantity:
        return Quantity(name, (f"layout.{name}",), getattr(self.layout, name))

    def _group_name(self, field: str, value: Any) -> str:
        """Return the bare name of a number that all groups share, else the dotted one."""
        bare = field.rpartition(".")[2]
        others = [
            each
            for place, each in self.places.items()
            if place.startswith("model.groups.") and place.endswith(f".{bare}")
        ]
        return bare if all(each == value for each in others) else field

    def quantity(self, name: str, option: str) -> Quantity:
        """Return a number by its name.

        Raises
        ------
        UsageError
            If the line does not depend on it, or the name means several that differ.
        """
        wanted = number_named(self.query, current_place(name))
        found = self._find(wanted)
        if found is not None:
            return found
        known = list(self._by_name)
        dotted = [
            place.removeprefix("model.")
            for place in self.places
            if place.endswith(f".{wanted}") and place.partition(".")[0] in KINDS
        ]
        if dotted:
            raise UsageError(
                f"{option} {quote(name)}: it is not the same everywhere",
                f"give one of {', '.join(sorted(dotted))}",
            )
        raise UsageError(
            f"{option} {quote(name)}: {self.name} does not depend on it",
            did_you_mean(wanted, known, f"it depends on {', '.join(known)}"),
        )

    def _find(self, wanted: str) -> Quantity | None:
        by_name = self._by_name
        if wanted in by_name:
            return by_name[wanted]
        if wanted in FOLLOWS_FROM_GPUS and "dp" in by_name and "dp" not in self.hold:
            return self._degree(wanted)
        if wanted == RANK:
            ranks = self._rank_places
            return Quantity(RANK, tuple(ranks), self.places[ranks[0]]) if len(ranks) == 1 else None
        for each in by_name.values():
            if wanted in each.places or f"model.{wanted}" in each.places:
                return each
        several = [place for place in self.places if place == f"model.{wanted}"]
        return Quantity(wanted, tuple(several), self.places[several[0]]) if several else None

    # --- composing

    def named(self, free: Iterable[Quantity]) -> dict[str, Any]:
        """Return the name or number at each place when some numbers are left open."""
        terms: dict[str, Any] = {
            place: quantity.term for quantity in free for place in quantity.places
        }
        follows = self.follows(free)
        if follows is not None:
            terms["layout.dp"] = follows
        etp = self._etp_follows(terms)
        if etp is not None:
            terms["layout.etp"] = etp
        return terms

    def _etp_follows(self, terms: Mapping[str, Any]) -> Any:
        """Return etp as it follows from open degrees; None where it does not."""
        if self.layout is None or "layout.etp" in terms:
            return None
        degrees = {
            axis: terms.get(f"layout.{axis}", getattr(self.layout, axis))
            for axis in ("tp", "dp", "ep")
        }
        rule = self.answer.etp_rule or STATED
        if rule is TP and "layout.ep" in terms:
            rule = ONE  # an ep that is open is one that is given
        etp = self.layout.etp if rule is STATED else etp_of(rule, **degrees)
        return None if type(etp) is int and etp == self.layout.etp else etp

    def follows(self, free: Iterable[Quantity]) -> Any:
        """Return dp as it follows from the GPUs where a degree is open; None where it does not."""
        names = {each.name for each in free}
        open_degrees = names.intersection(FOLLOWS_FROM_GPUS)
        if self.layout is None or not open_degrees or "dp" in names or "dp" in self.hold:
            return None
        shared = self.layout.gpus
        for axis in FOLLOWS_FROM_GPUS:
            if axis not in names:
                shared //= getattr(self.layout, axis)
        degrees = [Term("name", name=axis) for axis in FOLLOWS_FROM_GPUS if axis in names]
        return shared / RULES["product"].value(degrees)

    def composer(self, free: Iterable[Quantity], rank: Any = None) -> Composer:
        """Return what composes lines of the query with numbers left open.

        ``rank`` stands for the pipeline rank of every line that has one.
        """
        return self.composer_of(self.named(free), rank)

    def composer_of(self, named: Mapping[str, Any], rank: Any = None) -> Composer:
        """Return what composes lines of the query with terms or numbers for some places."""
        if rank is not None:
            named = {**named, **dict.fromkeys(self._rank_places, rank)}
        return Composer(named, depth=self.depth)

    @cached_property
    def _rank_places(self) -> list[str]:
        """The places of pipeline ranks that the line depends on."""
        found = (each.name for each in self.line.walk() if each.tags.quantity == RANK)
        return [place for place in dict.fromkeys(found) if place in self.places]

    # --- changing

    def edited(self, values: Mapping[str, Any]) -> Query | None:
        """Return the query with other values of numbers, dp following; None where it cannot be."""
        changes: dict[str, Any] = {}
        sets: list[str] = []
        for name, value in values.items():
            quantity = self._find(name)
            assert quantity is not None  # noqa: S101 - it was found before
            kind, _, field = quantity.places[0].partition(".")
            if not field:
                changes[field_giving(self.query, kind)] = value
            elif kind in ("workload", "layout") and _has(self.query, field):
                changes[field_giving(self.query, field)] = value
            elif kind == "model":
                sets.append(f"{quantity.name}={value!r}")
            else:
                sets.append(f"{quantity.places[0]}={value!r}")
        if self.layout is not None and "dp" not in values:
            gpus, width = self._gpus_for_dp(values)
            if gpus % width:
                return None
            if gpus:
                changes["dp"] = gpus // width
        moved_to = {each.partition("=")[0] for each in sets}
        kept = [
            each
            for each in self.query.set
            if each.partition("=")[0].strip().removeprefix("model.") not in moved_to
        ]
        return msgspec.structs.replace(self.query, set=(*kept, *sets), **changes)

    def _gpus_for_dp(self, values: Mapping[str, Any]) -> tuple[int, int]:
        """Return the GPUs and what dp divides them by; no GPUs where the query gives dp itself."""
        assert self.layout is not None  # noqa: S101 - asked for where there is one
        if "dp" in self.hold:
            return (0 if self._states_dp else self.layout.dp), 1
        if not any(axis in values for axis in FOLLOWS_FROM_GPUS):
            return 0, 1
        return self.layout.gpus, prod(
            values.get(axis, getattr(self.layout, axis)) for axis in FOLLOWS_FROM_GPUS
        )

    def held(self) -> OpenLine:
        """Return the same line with dp held where other degrees change."""
        found = OpenLine.__new__(OpenLine)
        for attribute, value in vars(self).items():
            setattr(found, attribute, value)
        found.hold = ("dp",)
        return found

    def plain(self, values: Mapping[str, Any]) -> Any:
        """Return the line's value under other values, asked plainly; None where it is refused."""
        query = self.edited(values)
        if query is None:
            return None
        try:
            ledger = ask(query).columns[0].ledger
        except (UsageError, InvalidInput):
            return None
        line = next((line for line in ledger.lines if line.name == self.name), None)
        if line is None or self.minus:
            named = computed_lines(ledger)
            line = named.get(self.name)
            if self.minus and (line is None or self.minus not in named):
                return None
            line = None if line is None else self._less(line, named.get(self.minus))
        return None if line is None else line.value


def _has(query: Query, field: str) -> bool:
    """Tell whether a field of a query gives a number."""
    return field_giving(query, field) in query.__struct_fields__


def _changes(query: Query, kind: str, field: str) -> bool:
    """Tell whether a query has a way to change a field."""
    if kind == "workload":
        return _has(query, field)
    if kind == "model" and ".layers." in field:
        return False
    if kind == "layout":
        return field in query.__struct_fields__ or getattr(query, "layout", None) is not None
    return True
