"""Fat trees of ``network`` as they are built, for endpoints that need not fill them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.collisions import LARGEST
from dsv3calc.accounting.network import NetworkLines, built_tree_lines, collision_lines
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.numbers.decimals import decimal_ratio
from dsv3calc.queries.fields import flag_of
from dsv3calc.studies.network.choices import LARGEST_NETWORK, LARGEST_RADIX, whole

if TYPE_CHECKING:
    from dsv3calc.queries.network import NetworkQuery
    from dsv3calc.studies.answer import Answer

TIERS = {"ft2": 2, "mpft": 2, "ft3": 3}
"""Topology that can be built for any number of endpoints -> its tiers of switches."""

_ONLY_BUILT = ("every_plane", "oversubscription", "flows")
LARGEST_OVERSUBSCRIPTION = 1000
LARGEST_FLOWS = 10**9


def is_built(query: NetworkQuery) -> bool:
    """Tell whether a query asks for trees as they are built.

    Raises
    ------
    UsageError
        If it has an option of such trees, and no radix.
    """
    asked = [name for name in _ONLY_BUILT if getattr(query, name) not in (None, False)]
    if query.radix is None:
        if asked:
            raise UsageError(
                f"{flag_of(query, asked[0])} is of a fat tree as built, of switches that are given",
                "add --radix 64",
            )
        return False
    return query.endpoints is not None or bool(asked)


def built_topologies(query: NetworkQuery, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Return the trees among the topologies that are asked for."""
    trees = tuple(name for name in chosen if name in TIERS)
    if query.topologies and trees != chosen:
        other = next(name for name in chosen if name not in TIERS)
        raise UsageError(
            f"{other} has a size for each radix: it is not built for other numbers of endpoints",
            f"leave out {other}, or leave out --endpoints or --radix",
        )
    return trees


def built(
    query: NetworkQuery, topology: str, radix: int, planes: int, answer: Answer
) -> NetworkLines | None:
    """Count a tree as built; None, with a note, where it was not named and cannot reach so many.

    Raises
    ------
    Infeasible
        If a tree that was named cannot have so many endpoints with switches of that radix.
    """
    several = planes if topology == "mpft" else 1
    every_plane = query.every_plane and topology == "mpft"
    shape = _oversubscription(query)

    def counted(ports: int, endpoints: int) -> NetworkLines:
        return built_tree_lines(
            endpoints,
            ports,
            TIERS[topology],
            several,
            every_plane=every_plane,
            oversubscription=shape,
        )

    reach = counted(radix, 1).reach
    assert reach is not None  # noqa: S101 - a tree as built has one
    wanted = whole("--endpoints", query.endpoints, int(reach.value), LARGEST_NETWORK)
    if wanted > reach.value:
        reason = f"{topology} of {radix:,}-port switches reaches {reach.value:,} endpoints at most"
        if not query.topologies:
            answer.notes.append(f"left out: {reason}")
            return None
        enough = next(
            (
                ports
                for ports in range(radix + 2, LARGEST_RADIX, 2)
                if counted(ports, 1).reach.value >= wanted  # type: ignore[union-attr]
            ),
            LARGEST_RADIX,
        )
        raise Infeasible(
            f"{reason}, and {wanted:,} are asked for",
            f"use --radix {enough}, more planes, or a tree of three tiers",
        )
    lines = counted(radix, wanted)
    if topology != "mpft":
        lines = msgspec.structs.replace(lines, planes=None)
    if query.flows is None:
        return lines
    lines = collision_lines(lines, whole("--flows", query.flows, 1, LARGEST_FLOWS))
    if lines.ecmp_time_factor is None:
        answer.notes.append(
            f"{topology}: the slowest flow is counted up to flows x uplinks of a leaf {LARGEST:,}"
        )
    return lines


def _oversubscription(query: NetworkQuery) -> tuple[int, int]:
    """Return the ratio of ports down to ports up."""
    value = query.oversubscription
    if value is None:
        return (1, 1)
    if not 1 <= value <= LARGEST_OVERSUBSCRIPTION:
        raise UsageError(
            f"--oversubscription {value}: expected a ratio from 1 to {LARGEST_OVERSUBSCRIPTION:,}",
            "3 means three ports down for one up",
        )
    return decimal_ratio(value)
