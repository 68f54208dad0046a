"""A bound on a line, as ``formula solve`` is asked for it: ``kv_cache.bytes <= 40GiB``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import Any

from dsv3calc.errors import UsageError
from dsv3calc.numbers import quantity as quantities
from dsv3calc.reading.diagnostics import quote
from dsv3calc.studies.goldens.tolerance import DIMENSIONS

_CONDITION = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(<=|>=|==|=|<|>)(?!=)\s*(.*?)\s*")
_BETWEEN = re.compile(r"\s*([A-Za-z_][\w.-]*)\s+between\s+(\S.*?)\s+and\s+(\S.*?)\s*")

_LINE = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)+")
"""A line as a bound: a number begins with a digit."""

_EXAMPLES = "'memory.worst.total <= 80GiB', or 'kv_cache.bytes between 1GB and 2GB'"


class Condition:
    """A bound on a line: its name, and what it may be.

    ``other`` is the line that it is compared with, where the bound is one and no number: then the
    difference of the two is compared with 0. ``option`` and ``example`` are what errors show.
    """

    def __init__(self, text: str, option: str = "", example: str = f"such as {_EXAMPLES}") -> None:
        between, one = _BETWEEN.fullmatch(text), _CONDITION.fullmatch(text)
        if between:
            self.name, self._low, self._high = between.groups()
            self._operation = "between"
        elif one:
            self.name, self._operation, self._high = one.groups()
            self._low = self._high
            if not self._high:
                raise UsageError(f"{option}{quote(text)}: the bound has no number", example)
        else:
            what = "no limit" if option else "not a bound on a line"
            raise UsageError(f"{option}{quote(text)} is {what}", example)
        self.other = self._high if one and _LINE.fullmatch(self._high) else ""
        self.text = " ".join(text.split())
        self.low, self.high = 0.0, 0.0

    def read(self, unit: str) -> None:
        """Read the bound in the unit of its line."""
        if self.other:
            return
        dimension = DIMENSIONS.get(unit, "ratio")
        try:
            self.low = quantities.parse(self._low, dimension, minimum=None)
            self.high = quantities.parse(self._high, dimension, minimum=None)
        except UsageError as error:
            raise UsageError(f"{quote(self.text)}: {error.message}", error.hint) from None
        if self.low > self.high:
            raise UsageError(f"{quote(self.text)}: the lower bound is above the upper one")

    @property
    def is_equation(self) -> bool:
        """Whether one value alone will do."""
        return self._operation in ("=", "==")

    def holds(self, value: Any) -> bool:
        """Tell whether a value keeps the bound."""
        return not self.below(value) and not self.above(value)

    def admits(self, values: Any) -> Any:
        """Tell of each number of an array whether it keeps an upper bound."""
        return values < self.high if self._operation == "<" else values <= self.high

    def below(self, value: Any) -> bool:
        """Tell whether a value is too small."""
        if self._operation in ("<", "<="):
            return False
        return bool(value <= self.low if self._operation == ">" else value < self.low)

    def above(self, value: Any) -> bool:
        """Tell whether a value is too large."""
        if self._operation in (">", ">="):
            return False
        return bool(value >= self.high if self._operation == "<" else value > self.high)
