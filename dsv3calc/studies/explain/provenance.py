"""Where a value that was read came from: file and line, citation, and how the datum came to be."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.queries.fields import field_giving, flag_of
from dsv3calc.schema.provenance import source_of
from dsv3calc.studies.explain.explanation import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.base import Query
    from dsv3calc.studies.answer import Answer

QUERY, DEFINITION = "query", "definition"
"""Kinds beside those of presets: what the query says, and what dsv3calc counts by definition."""


class Origins:
    """The origins of one column's values, found from the presets of its answer."""

    def __init__(self, answer: Answer, query: Query, column: str) -> None:
        self._answer = answer
        self._query = query
        self._known: dict[tuple[str, Any], Origin] = {}
        found: dict[str, list[Preset[Any]]] = {}
        for preset in answer.presets:
            found.setdefault(preset.kind, []).append(preset)
        self._presets = found
        self._column = column

    def of(self, place: str, value: Any, convention: str = "") -> Origin:
        """Return the origin of the value at a place such as ``model.hidden_size``."""
        key = (place, value)
        if key not in self._known:
            self._known[key] = self._find(place, value, convention)
        return self._known[key]

    def _find(self, place: str, value: Any, convention: str) -> Origin:
        kind, _, field = place.partition(".")
        if field and kind in self._presets:
            steps = tuple(int(step) if step.isdecimal() else step for step in field.split("."))
            for preset in self._candidates(kind):
                if _value_at(preset.value, steps) == value:
                    return _of_preset(preset, field, steps)
                if "layers" in steps:  # a slice such as 3:61, which is read in parts
                    return _of_preset(preset, field, steps[: steps.index("layers") + 1])
        if kind == "transfer_formats":
            return self._of_format(field)
        stated = kind in ("workload", "layout")
        name = field if stated else field_giving(self._query, place)
        return self._of_layout(name) or self._of_query(name) or self._constant(place, convention)

    def _of_layout(self, name: str) -> Origin | None:
        """Return the layout's file for what a query leaves to it: the tokens of a sequence."""
        if name != "sequence" or getattr(self._query, name, None) is not None:
            return None
        for preset in self._presets.get("layout", ()):
            if preset.value.sequence is not None:
                return _of_preset(preset, name, (name,))
        return None

    def _candidates(self, kind: str) -> Sequence[Preset[Any]]:
        """Return the presets of a kind, that of the column first."""
        own = [each for each in self._presets[kind] if each.name == self._column]
        return own + [each for each in self._presets[kind] if each not in own]

    def _of_query(self, name: str) -> Origin | None:
        if self._query.command == "formula eval":  # its arguments are what it reads
            return Origin(QUERY, "given in the query")
        given = getattr(self._query, name, None)
        option = flag_of(self._query, name)
        if given is not None and given is not False:
            return Origin(QUERY, f"given in the query ({option})")
        if name in SEARCHED and getattr(self._query, "fewest_gpus", False):
            return Origin(QUERY, "found by the search (--fewest-gpus)")
        if name in self._query.__struct_fields__ or name in self._answer.query:
            return Origin(QUERY, f"default of the query ({option})")
        return None

    def _of_format(self, field: str) -> Origin:
        name = f"transfer_formats:{field.rpartition('.')[0]}"
        for source in self._answer.sources:
            if source["id"] == name:
                return Origin(
                    source["kind"], source["citation"], url=source["url"], read=source["read"]
                )
        return Origin(DEFINITION, "a format of transfers")

    @staticmethod
    def _constant(place: str, convention: str) -> Origin:
        if place.startswith("layout."):
            return Origin(QUERY, "default of a layout")
        if place.startswith("workload."):
            return Origin(QUERY, convention or "follows from the query")
        return Origin(DEFINITION, convention)


SEARCHED = ("dp", "pp", "ep")
"""Degrees that --fewest-gpus finds where the query does not give them."""

_NOWHERE: Any = object()


def _value_at(value: Any, steps: Sequence[str | int]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, _NOWHERE)
        elif isinstance(value, list | tuple):
            value = value[step] if isinstance(step, int) and step < len(value) else _NOWHERE
        else:
            value = getattr(value, str(step), _NOWHERE)
        if value is _NOWHERE:
            break
    return value


def _of_preset(preset: Preset[Any], field: str, steps: tuple[str | int, ...]) -> Origin:
    for path, text in preset.edited.items():
        if steps[: len(path)] == path:
            return Origin(QUERY, f"set by the query: {text}", file=preset.source.name)
    sources = getattr(preset.value, "sources", {})
    if not sources:
        return Origin("derived", f"of {preset.name}", file=preset.source.name)
    source = sources[source_of(field, preset.value.provenance)]
    line = None
    if preset.path != "-" and preset.imported is None:
        line = preset.source.position(steps, key=True).line
    return Origin(
        source.kind, source.citation, preset.source.name, line, source.url, source.read, source.note
    )
