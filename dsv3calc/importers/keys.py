"""Reading one JSON object key by key: what is missing or of a wrong type becomes a problem.

A reader goes on after a problem with a harmless value, so that all of a file's problems are found
in one run; what it returns counts only once ``Findings.problems`` is empty.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dsv3calc.importers.family import Computed
from dsv3calc.importers.ignored import ACTIVATIONS
from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.fields import LARGEST_COUNT
from dsv3calc.schema.layers import MOST_LAYERS_CHECKED

if TYPE_CHECKING:
    from dsv3calc.importers.family import Family
    from dsv3calc.importers.findings import Findings

ABSENT = object()
"""What ``find`` returns for a key that is missing; the problem is reported already."""


class Reader:
    """One JSON object of a config, read through its family's table."""

    def __init__(
        self,
        findings: Findings,
        family: Family,
        data: dict[str, Any],
        path: tuple[str, ...] = (),
    ) -> None:
        self.findings = findings
        self.family = family
        self.data = data
        self.path = path
        self.asked: dict[str, None] = {}
        self.parts: list[Reader] = []

    def refuse(self, name: str, what: str, **more: str) -> None:
        """Add a problem at a key's value."""
        self.findings.refuse((*self.path, name), what, **more)

    def sound(self, *names: str) -> bool:
        """Tell whether no problem names any of the keys."""
        return not self.findings.wrong.intersection(names)

    def has(self, name: str) -> bool:
        """Tell whether a key is given (and not null), without asking for its meaning."""
        return self.data.get(name) is not None and name not in self.findings.ignore_keys

    def skip(self, *names: str) -> None:
        """Accept keys that another key makes meaningless."""
        for name in names:
            self.asked[name] = None

    # --- one key ------------------------------------------------------------------------

    def find(self, names: tuple[str, ...], computed: object) -> tuple[str, Any]:
        """Return the key that is given and its value; the default, or absence as a problem."""
        self.skip(*names)
        given = [name for name in names if name in self.data]
        given = [name for name in given if name not in self.findings.ignore_keys]
        if given:
            self.findings.places[names[0]] = (*self.path, given[0])
            for other in given[1:]:
                if self.data[other] != self.data[given[0]]:
                    self.refuse(
                        other,
                        f"{other} is {quote(self.data[other])} but {given[0]} is "
                        f"{quote(self.data[given[0]])}",
                        why="both name the same thing",
                    )
            return given[0], self.data[given[0]]
        name = ".".join((*self.path[len(self.path) - self._nested :], names[0]))
        self.findings.places[names[0]] = self.path
        if name not in self.family.defaults:
            self.findings.refuse_key(
                (*self.path, names[0]),
                f"{names[0]} is missing",
                why="the model is not known without it, and no size is assumed",
            )
            return names[0], ABSENT
        default = self.family.defaults[name]
        if isinstance(default, Computed):
            rule = default.rule
            default = computed if default.value is None else default.value
            text = rule if default is None else f"{_short(default)} is used: {rule}"
        else:
            text = f"{self.family.configuration} default {_short(default)} is used"
        if self.sound(names[0]):
            self.findings.assumed[names[0]] = f"{names[0]} is not in the file; {text}"
        return names[0], default

    _nested = 0  # levels below the object that the family's table describes

    def size(self, *names: str, computed: int | None = None) -> int:
        """Return a count of at least one. With ``computed``, null and an allowed absence mean it.

        Further ``names`` are other names of the same thing.
        """
        name, value = self.find(names, computed)
        if value is None and computed is not None:
            return computed
        return self._count(name, value, 1)

    def natural(self, name: str, *, null: int | None = None) -> int:
        """Return a count that may be 0; ``null`` is what null means, where it means anything."""
        name, value = self.find((name,), null)
        if value is None and null is not None:
            return null
        return self._count(name, value, 0)

    def optional_size(self, *names: str) -> int | None:
        """Return a count of at least one, or None for null, which has a meaning of its own."""
        name, value = self.find(names, None)
        return None if value is None else self._count(name, value, 1)

    def _count(self, name: str, value: object, least: int) -> int:
        if value is ABSENT:
            return 1
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        valid = f"a whole number from {least} to 2^40"
        if isinstance(value, bool) or not isinstance(value, int):
            why = "a number in quotes is a text" if isinstance(value, str) else ""
            self.refuse(name, f"{name} is {quote(value)}, not a whole number", valid=valid, why=why)
        elif not least <= value <= LARGEST_COUNT:
            self.refuse(name, f"{name} is {quote(value)}", valid=valid)
        else:
            return value
        return 1

    def flag(self, name: str) -> bool:
        """Return true or false."""
        name, value = self.find((name,), None)
        if value is ABSENT:
            return False
        if not isinstance(value, bool):
            self.refuse(name, f"{name} is {quote(value)}", valid="true or false")
            return False
        return value

    def choice(self, name: str, *allowed: str) -> str:
        """Return one of the allowed words."""
        name, value = self.find((name,), None)
        if value is ABSENT:
            return allowed[0]
        if value not in allowed:
            what = f"{name} {quote(value)} is not supported for {self.findings.model_type}"
            self.refuse(name, what, valid=", ".join(allowed))
            return allowed[0]
        return str(value)

    def activation(self, *names: str) -> None:
        """Check that each given activation is a function of one element."""
        for name in names:
            value = self.data.get(name)
            self.skip(name)
            if value is not None and name not in self.findings.ignore_keys:
                known = isinstance(value, str) and value.lower() in ACTIVATIONS
                if not known:
                    self.refuse(
                        name,
                        f"{name} {quote(value)} is not known to keep the shape",
                        why="a fused gate would change the width of the feed-forward",
                        valid=", ".join(sorted(ACTIVATIONS)),
                    )

    def part(self, name: str) -> Reader:
        """Return a reader of a nested object, under the same family."""
        _, value = self.find((name,), {})
        if not isinstance(value, dict):
            if value is not ABSENT:
                self.refuse(name, f"{name} is {quote(value)}", valid="an object")
            value = {}
        part = Reader(self.findings, self.family, value, (*self.path, name))
        part._nested = self._nested + 1
        part.skip("model_type")  # the library writes an empty one into nested objects
        self.parts.append(part)
        return part

    # --- widths and layers --------------------------------------------------------------

    def depth(self, name: str = "num_hidden_layers") -> int:
        """Return the number of layers."""
        depth = self.size(name)
        if depth > MOST_LAYERS_CHECKED:
            self.refuse(name, f"{depth:,} layers", valid=f"at most {MOST_LAYERS_CHECKED:,}")
            return 1
        return depth

    def quotient(self, whole: int, whole_name: str, parts: int, parts_name: str) -> int:
        """Return the width of a head where the hidden size is divided among the heads."""
        if whole % parts and self.sound(whole_name, parts_name):
            self.refuse(
                parts_name,
                f"{parts} heads do not divide {whole_name} {whole}",
                why=f"without a head_dim, a head is {whole_name} / {parts_name} wide",
            )
        return max(whole // parts, 1)

    def positions(self, *names: str) -> int | None:
        """Return the longest context, or None where the file does not say it."""
        names = names or ("max_position_embeddings",)
        if not any(name in self.data for name in names) and names[0] not in self.family.defaults:
            self.skip(*names)
            return None
        return self.size(*names)


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
