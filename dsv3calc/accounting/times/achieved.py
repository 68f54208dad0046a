"""Which measured entry holds for a kernel: of the device, of one like it, or of all others."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Line, given

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dsv3calc.schema.achieved import Achieved
    from dsv3calc.schema.hardware import Hardware

PRODUCTS = "gemm"
"""The table of matrix products."""

UNITS = {"half_length": "tokens", "launch": "s", "serial_latency": "s", "latency": "s",
         "remote_latency": "s"}  # fmt: skip
"""Unit of a value of an entry, where it is no share."""

NEAREST = {
    "fp16": "bf16", "tf32": "bf16", "fp32": "bf16", "mxfp8": "fp8_block", "fp8_block": "fp8",
    "int8": "fp8", "fp6": "fp8", "mxfp4": "fp4", "fp4": "fp8_block", "int4": "fp4", "fp8": "bf16",
    "custom_all_reduce": "all_reduce",
}  # fmt: skip
"""Data type or collective -> the one whose entry holds where it has none."""


class Entry:
    """The values of a kernel or a link, as lines named after the place that they were read from.

    ``beyond`` has the values that are null here; ``instead_of`` names the data type that was asked
    for where there is no entry of it.
    """

    __slots__ = ("_known", "beyond", "fit", "instead_of", "path", "prefix", "spec", "whose")

    def __init__(
        self,
        prefix: str,
        path: tuple[str, ...],
        spec: Any,
        whose: str,
        *,
        instead_of: str = "",
        beyond: Entry | None = None,
    ) -> None:
        self.beyond = beyond
        self.prefix = prefix
        self.path = path
        self.spec = spec
        self.fit = spec.fit
        self.whose = whose
        self.instead_of = instead_of
        self._known: dict[str, Line] = {}

    @property
    def computes_in(self) -> str:
        """The data type of the peak that it computes at."""
        found: str = self.spec.computes_in
        return found

    @property
    def words(self) -> str:
        """What the values are: of which device, fitted or assumed."""
        return f"{self.fit.kind}: {self.whose}"

    def has(self, name: str) -> bool:
        """Tell whether it has a value of that name."""
        return getattr(self.spec, name, None) is not None

    def value(self, name: str) -> Line:
        """Return a value as a line."""
        if name not in self._known:
            value = getattr(self.spec, name)
            if value is None and self.beyond is not None:
                return self.beyond.value(name)
            if value is None:
                raise UsageError(
                    f"no measured {name} of {' '.join(self.path)} is known for {self.whose} or "
                    "any other device",
                    "give it in an achieved block of a preset of your own",
                )
            unit = UNITS.get(name, "ratio")
            place = ".".join((self.prefix, *self.path, name))
            self._known[name] = given(place, value, unit, self.words)
        return self._known[name]


class Entries:
    """The ``achieved`` blocks that hold for a device: its own, that of a device like it, defaults.

    ``used`` lists the entries that were asked for, for what an answer tells of them. ``library``
    names the kernels that a set-up runs, where a block tells them apart, ``expert_library`` those
    of experts whose rows a dispatch brings.
    """

    def __init__(
        self,
        hardware: Hardware,
        like: Hardware | None,
        defaults: Achieved,
        library: str = "",
        expert_library: str = "",
    ) -> None:
        self.hardware = hardware
        self.library = library
        self.expert_library = expert_library
        blocks = [("hardware.achieved", hardware.achieved, hardware.name)]
        if like is not None:
            blocks.append(("like.achieved", like.achieved, like.name))
        blocks.append(("achieved.achieved", defaults, "the devices that were measured"))
        self._blocks = [each for each in blocks if each[1] is not None]
        self.used: dict[str, Entry] = {}

    def gemm(self, dtype: str) -> Entry:
        """Return the entry of matrix products."""
        return self._entry((PRODUCTS,), dtype)

    def passes(self) -> Entry:
        """Return the entry of passes over memory: of copies, else of BF16 products."""
        measured = any(_table(block, ("passes",)) for _, block, _ in self._blocks)
        return self._entry(("passes",), "copy") if measured else self.gemm("bf16")

    def experts(self, dtype: str, *, masked: bool) -> Entry:
        """Return the entry of the routed experts' products: of ``masked`` ones where there is."""
        return self._entry(("experts",), dtype, variant="masked" if masked else "")

    def grouped(self, dtype: str) -> Entry:
        """Return the entry of products of the library that runs experts after a dispatch.

        Passes beside the products are not in it.
        """
        return self._entry((PRODUCTS,), dtype, self.expert_library)

    def attention(self, phase: str, dtype: str, *, latent: bool) -> Entry:
        """Return the entry of attention in a phase: of MLA, or of queries that share keys."""
        path = ("attention", f"mla_{phase}" if latent else phase)
        known = any(_table(block, path) for _, block, _ in self._blocks)
        return self._entry(path if known else ("attention", phase), dtype)

    def collective(self, primitive: str) -> Entry:
        """Return the entry of a collective in one scale-up domain."""
        return self._entry(("links", "collectives"), primitive.replace("-", "_"))

    def exchange(self, name: str) -> Entry:
        """Return the entry of an exchange of tokens: ``low_latency`` or ``normal``."""
        return self._entry(("links", "exchanges"), name)

    def find(self, path: tuple[str, ...], key: str) -> Entry:
        """Return the entry under a path of tables, such as ``("attention", "decode")``.

        Raises
        ------
        UsageError
            If no block has one.
        """
        return self._entry(path, key)

    def _entry(self, path: tuple[str, ...], key: str, variant: str = "") -> Entry:
        """Return the entry under a key, of the nearest data type where there is none.

        Raises
        ------
        UsageError
            If no block has one.
        """
        place = " ".join((*path, key))
        asked = f"{place} {variant}"
        if asked in self.used:
            return self.used[asked]
        wanted = tuple(filter(None, (variant, self.library)))
        for name in _nearest(key):
            found: Entry | None = None
            for (prefix, block, whose), own in reversed([*self._known_as(path, name, wanted)]):
                found = Entry(
                    prefix,
                    (*path, own),
                    _table(block, path)[own],
                    whose,
                    instead_of="" if name == key else key,
                    beyond=found,
                )
            if found is not None:
                self.used[asked] = found
                return found
        raise UsageError(
            f"no measured rate of {place} is known for {self.hardware.name} or any other device",
            "give an achieved block in a preset of your own",
        )

    def _known_as(
        self, path: tuple[str, ...], name: str, variants: Iterable[str]
    ) -> Iterator[tuple[tuple[str, Any, str], str]]:
        """Yield blocks with the key of an entry: those of a variant, the plain ones, any other."""
        tables = [(block, _table(block[1], path)) for block in self._blocks]
        for key in (*(f"{name}-{variant}" for variant in variants), name):
            yield from ((block, key) for block, table in tables if key in table)
        for block, table in tables:
            yield from ((block, key) for key in table if key.startswith(f"{name}-"))


def _nearest(key: str) -> Iterable[str]:
    seen: list[str] = []
    while key and key not in seen:
        seen.append(key)
        key = NEAREST.get(key, "")
    return seen


def _table(block: Any, path: tuple[str, ...]) -> Mapping[str, Any]:
    for name in path:
        block = getattr(block, name)
    found: Mapping[str, Any] = block
    return found
