"""What a query of ``network`` asks for, checked: topologies, variant, radix, q, groups."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.slim_fly_orders import is_slim_fly_order, largest_order, neighbours
from dsv3calc.errors import UsageError
from dsv3calc.formulas.dragonfly import dragonfly_global_ports, dragonfly_groups
from dsv3calc.formulas.slim_fly import slim_fly_network_radix
from dsv3calc.queries.fields import flag_of
from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.studies.checked import one_of

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.network import NetworkQuery
    from dsv3calc.schema.network import Network

TOPOLOGIES = {
    "ft2": "fat tree, 2 layers",
    "mpft": "multi-plane fat tree, 2 layers",
    "ft3": "fat tree, 3 layers",
    "slim-fly": "Slim Fly",
    "dragonfly": "Dragonfly, balanced",
}
"""Topology -> its title; all of them in this order where none is named."""
VARIANTS = ("canonical", "published", "both")
LARGEST_RADIX = 10**6
LARGEST_NETWORK = 10**10
PUBLISHED_RADIX = 64
PUBLISHED_Q = 28
PUBLISHED_GROUPS = 511
TABLE_3 = "Table 3 of arXiv:2505.09343"
_OWNERS = {
    "planes": "mpft",
    "every_plane": "mpft",
    "planes_down": "mpft",
    "q": "slim-fly",
    "groups": "dragonfly",
}
LEAST_RADIX = {"ft2": 2, "mpft": 2, "ft3": 2, "slim-fly": 7, "dragonfly": 3}


def chosen_topologies(query: NetworkQuery) -> tuple[str, ...]:
    """Return the topologies asked for, checked, with the options that none of them has refused."""
    for name in query.topologies:
        if name not in TOPOLOGIES:
            raise UsageError(
                f"there is no topology {quote(name)}; choose among {', '.join(TOPOLOGIES)}",
                did_you_mean(name, TOPOLOGIES),
            )
        if query.topologies.count(name) > 1:
            raise UsageError(f"{name} is named twice", "name each topology once")
    chosen = query.topologies or tuple(TOPOLOGIES)
    for option, owner in _OWNERS.items():
        if getattr(query, option) not in (None, False) and owner not in chosen:
            raise UsageError(
                f"{flag_of(query, option)} is of {owner}, which is not asked for",
                f"add {owner}, or leave it out",
            )
    if query.endpoints is not None:
        given_too = [n for n in ("q", "groups") if getattr(query, n) is not None]
        if given_too:
            raise UsageError(
                f"--endpoints finds the size: --{given_too[0]} would fix it", "give one of them"
            )
    return chosen


def chosen_variant(query: NetworkQuery) -> str:
    """Return which sizes are asked for; the published ones are of one radix."""
    variant = query.variant or "canonical"
    one_of("--variant", variant, VARIANTS, "")
    if variant == "canonical":
        return variant
    if query.endpoints is not None or query.radix not in (None, PUBLISHED_RADIX):
        raise UsageError(
            f"--variant {variant}: {TABLE_3} is of radix {PUBLISHED_RADIX} alone",
            f"use --radix {PUBLISHED_RADIX}, or --variant canonical",
        )
    fixed = [n for n in ("q", "groups") if getattr(query, n) is not None]
    if fixed and variant == "published":
        raise UsageError(f"--variant published fixes {fixed[0]}", f"leave out --{fixed[0]}")
    return variant


def whole(option: str, value: int | None, default: int, largest: int) -> int:
    """Return a whole number from 1 on that a query gives, or its default."""
    if value is None:
        return default
    if type(value) is bool or not isinstance(value, int) or not 1 <= value <= largest:
        raise UsageError(f"{option} {quote(str(value))}: expected an integer from 1 to {largest:,}")
    return int(value)


def chosen_radix(
    query: NetworkQuery, preset: Preset[Network], topologies: tuple[str, ...], variant: str
) -> int:
    """Return the ports of a switch, which must suit every topology."""
    default = preset.value.radix if variant == "canonical" else PUBLISHED_RADIX
    if default is None and query.radix is None:
        raise UsageError(f"{preset.name} names no switch radix", "give one with --radix")
    radix = whole("--radix", query.radix, default or 0, LARGEST_RADIX)
    for topology in topologies:
        least = LEAST_RADIX[topology]
        if radix < least and not (topology == "slim-fly" and query.q is not None):
            raise UsageError(
                f"--radix {radix}: {topology} needs switches of at least {least} ports",
                f"use --radix {least} or more",
            )
        if topology in ("ft2", "mpft", "ft3") and radix % 2:
            raise UsageError(
                f"--radix {radix}: {topology} needs an even radix: half of the ports look up",
                f"use --radix {radix - 1} or --radix {radix + 1}",
            )
    return radix


def slim_fly_order(radix: int, q: int | None) -> int:
    """Return the order of the Slim Fly: the one asked for, or the largest that fits."""
    if q is None:
        largest = largest_order(radix)
        assert largest is not None  # noqa: S101 - the radix is at least 7
        return largest
    order = whole("--q", q, 0, LARGEST_RADIX)
    if not is_slim_fly_order(order):
        near = " and ".join(str(each) for each in neighbours(order))
        known = f"; --variant published has q = 28, which gives the counts of {TABLE_3}"
        raise UsageError(
            f"--q {order}: there is no such Slim Fly: q must be a prime power from 3 on",
            f"the nearest: {near}{known if order == PUBLISHED_Q else ''}",
        )
    degree = slim_fly_network_radix(order)
    if degree >= radix:
        raise UsageError(
            f"--q {order}: {degree} ports of a switch face other switches, and --radix {radix} "
            "leaves none for endpoints",
            f"use --radix {degree + degree // 2} or more for half as many endpoints",
        )
    return order


def dragonfly_group_count(radix: int, groups: int | None) -> int | None:
    """Return the groups of the Dragonfly where they are not the largest possible."""
    if groups is None:
        return None
    ports = dragonfly_global_ports(radix)
    most = dragonfly_groups(2 * ports, ports)
    if type(groups) is bool or not isinstance(groups, int) or not 2 <= groups <= most:  # noqa: PLR2004 - a network has two groups
        raise UsageError(
            f"--groups {quote(str(groups))}: a balanced Dragonfly of radix {radix} has 2 to "
            f"{most:,} groups",
            f"each group has {2 * ports} x {ports} global links to other groups",
        )
    return None if groups == most else int(groups)
