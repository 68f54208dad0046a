"""A study as a file: queries, axes that vary them, conditions, and the numbers that are kept."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

import msgspec

from dsv3calc.schema.fields import Name, Text

Value = int | float | bool | str
_Three = Annotated[list[int | float], msgspec.Meta(min_length=3, max_length=3)]
LARGEST_AXIS = 1_000_000
_FEWEST = 2


def _told(text: str) -> msgspec.Meta:
    """Return what the schema says of a field."""
    return msgspec.Meta(description=text)


class Axis(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that varies: an option of the queries, or one or several fields (``--set``).

    Its values are listed, or from the first to the last of ``grid`` by a step, or of ``log`` in so
    many points whose ratios are equal, rounded to whole numbers. ``name`` is its column.
    """

    name: Annotated[str, _told("Its column, and what conditions call it")] = ""
    option: Annotated[
        Text | None, _told("An option of the queries, without its dashes, or an argument: model")
    ] = None
    set: Annotated[
        Text | list[Text] | None, _told("One or several fields, as --set names them")
    ] = None
    values: Annotated[
        Annotated[list[Value], msgspec.Meta(min_length=1)] | None, _told("Its values, listed")
    ] = None
    grid: Annotated[_Three | None, _told("The first value, the last one and the step")] = None
    log: Annotated[
        _Three | None, _told("The first value, the last one, and how many of equal ratios")
    ] = None

    @property
    def fields(self) -> list[str]:
        """The fields that it sets."""
        if self.set is None:
            return []
        return [self.set] if isinstance(self.set, str) else list(self.set)

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield an axis that varies nothing or two things, or that has no values or two lists."""
        if not self.name.isidentifier():
            yield ("name",), f"axis name {self.name!r}", "it is a word of letters, digits and _"
        if (self.option is None) is (self.set is None):
            has = "neither option nor set" if self.set is None else "both option and set"
            why = "it varies one thing: an option of the queries, or a field"
            yield (), f"axis {self.name} has {has}", why
        given = [each for each in ("values", "grid", "log") if getattr(self, each) is not None]
        if len(given) != 1:
            yield (
                (),
                f"axis {self.name} has {len(given)} of values, grid, log",
                "it has one of them",
            )
        elif self.grid is not None:
            first, last, step = self.grid
            if step <= 0 or last < first or (last - first) / step >= LARGEST_AXIS:
                yield (
                    ("grid",),
                    f"grid of {first}, {last}, {step}",
                    "it is the first, the last and a step above 0, up to a million values",
                )
        elif self.log is not None:
            first, last, points = self.log
            whole = isinstance(points, int) and _FEWEST <= points <= LARGEST_AXIS
            if not (whole and 0 < first < last):
                yield (
                    ("log",),
                    f"log of {first}, {last}, {points}",
                    "it is the first above 0, the last, and how many points, 2 to a million",
                )

    @property
    def candidates(self) -> list[Value]:
        """The values of the axis."""
        if self.values is not None:
            return list(self.values)
        if self.grid is not None:
            return _grid(*self.grid)
        assert self.log is not None  # noqa: S101 - problems() has seen to it
        first, last, points = self.log
        ratio = (last / first) ** (1 / (points - 1))
        found = [first * ratio**number for number in range(int(points))]
        if all(isinstance(each, int) for each in (first, last)):
            return list(dict.fromkeys(round(each) for each in found))
        return [*found[:-1], last]


def _grid(first: float, last: float, step: float) -> list[Value]:
    """Return the values from the first to the last, as they would be written: 0.3, not 0.1 + 0.2.

    >>> _grid(0, 0.4, 0.1)
    [0.0, 0.1, 0.2, 0.3, 0.4]
    """
    if all(isinstance(each, int) for each in (first, last, step)):
        return [*range(int(first), int(last) + 1, int(step))]
    low, high, width = (Decimal(repr(each)) for each in (first, last, step))
    return [float(low + number * width) for number in range(int((high - low) / width) + 1)]


class Group(Axis, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An axis, or axes that go together: the first values of all, then the second ones."""

    zip: Annotated[
        Annotated[list[Axis], msgspec.Meta(min_length=2)] | None,
        _told("Axes of as many values each, in place of all else"),
    ] = None

    @property
    def axes(self) -> list[Axis]:
        """The axes of the group."""
        return [self] if self.zip is None else list(self.zip)

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield what is wrong with the axis, or axes of different lengths."""
        if self.zip is None:
            yield from super().problems()
            return
        if self != Group(zip=self.zip):
            yield (), "an entry has zip and something else", "the zipped axes have the rest"
        if any(next(axis.problems(), None) is not None for axis in self.zip):
            return
        lengths = {axis.name: len(axis.candidates) for axis in self.zip}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            yield ("zip",), f"zipped axes of different lengths: {told}", "they go together"


class Study(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``dsv3calc sweep`` runs: every point of the axes is asked of every query.

    ``queries`` are command lines without ``dsv3calc``; ``where`` are conditions over names of axes
    and outputs; ``outputs`` name lines of the answers, the first query that has one gives it.
    ``front`` names outputs of which less is better: points that no other one beats are marked,
    among those with the same values of the axes that ``within`` names.
    """

    name: Name
    title: Annotated[Text, _told("The heading of its picture")]
    queries: Annotated[
        list[Text], msgspec.Meta(min_length=1, description="Command lines without dsv3calc")
    ]
    axes: Annotated[
        list[Group], msgspec.Meta(min_length=1, description="What varies, the last the fastest")
    ]
    outputs: Annotated[
        dict[str, Text],
        msgspec.Meta(min_length=1, description="Column: a line of an answer, as --json names it"),
    ]
    where: Annotated[list[Text], _told("Conditions on axes and outputs, such as batch <= 64")] = (
        msgspec.field(default_factory=list)
    )
    front: Annotated[list[Text], _told("Outputs of which less is better")] = msgspec.field(
        default_factory=list
    )
    within: Annotated[list[Text], _told("Axes whose values have a front each")] = msgspec.field(
        default_factory=list
    )

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield names of columns that stand twice, and a front of what is no output."""
        names = [axis.name for group in self.axes for axis in group.axes]
        for name in self.outputs:
            if not name.isidentifier():
                yield (
                    ("outputs", name),
                    f"output name {name!r}",
                    "it is a word of letters, digits and _",
                )
        columns = [*names, *self.outputs, "refused", "front"]
        for name in dict.fromkeys(each for each in columns if columns.count(each) > 1):
            yield ("axes",), f"the column {name} stands twice", "each has a name of its own"
        for number, name in enumerate(self.front):
            if name not in self.outputs:
                yield (
                    ("front", number),
                    f"{name} is no output",
                    f"outputs: {', '.join(self.outputs)}",
                )
        for number, name in enumerate(self.within):
            if name not in names:
                yield ("within", number), f"{name} is no axis", f"axes: {', '.join(names)}"
