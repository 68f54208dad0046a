"""What a device achieves, entry by entry: its own, those of a device like it, or the defaults."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dsv3calc.catalogue import presets
from dsv3calc.schema.achieved import Achieved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.schema.hardware import Hardware

DEFAULTS = "default"
"""The preset of ``achieved`` that holds for devices without measurements."""


class Rate(NamedTuple):
    """An entry, with where it was found.

    ``origin`` is empty where it is the device's own, for this library; else it says whose it is,
    and the values are assumed.
    """

    entry: Any
    place: str
    origin: str


class Rates:
    """The entries of a device; files are read when one is asked for that it has not itself."""

    def __init__(self, device: Hardware, preset_path: str | None = None) -> None:
        self._device = device
        self._preset_path = preset_path
        self._blocks: list[tuple[str, Achieved]] | None = None

    def find(self, path: Sequence[str], library: str = "") -> Rate | None:
        """Return the entry of a path such as ``("attention", "decode", "bf16")``.

        The nearest comes first: of the device with the library, of the device without it, of a
        device like it, of the defaults; in each of another library where it is the only one.
        """
        *tables, key = path
        for whose, block in self._chain():
            table: Any = block
            for name in tables:
                table = table[name] if isinstance(table, dict) else getattr(table, name)
            for name in _keys(key, library, table):
                origin = whose if whose or name != _joined(key, library) else ""
                if not whose and name != _joined(key, library):
                    origin = f"{self._device.name}, {name}"
                return Rate(table[name], ".".join(("achieved", *tables, name)), origin)
        return None

    def _chain(self) -> list[tuple[str, Achieved]]:
        if self._blocks is None:
            own = self._device.achieved or Achieved()
            self._blocks = [("", own)]
            if own.like is not None:
                other = presets.load("hardware", own.like, preset_path=self._preset_path).value
                self._blocks.append((other.name, other.achieved or Achieved()))
            default = presets.load("achieved", DEFAULTS, preset_path=self._preset_path).value
            self._blocks.append((f"achieved/{DEFAULTS}", default.achieved))
        return self._blocks


def _joined(key: str, library: str) -> str:
    return f"{key}-{library}" if library else key


def _keys(key: str, library: str, table: dict[str, Any]) -> list[str]:
    """Return the keys of a table that hold for a data type, the best first."""
    exact = [_joined(key, library), key]
    others = sorted(name for name in table if name.startswith(f"{key}-"))
    return [name for name in dict.fromkeys([*exact, *others]) if name in table]
