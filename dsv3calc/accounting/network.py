"""Networks: the size, reach, bisection and cost of a topology of equal switches.

The lines take ints, arrays and symbols.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import msgspec

from dsv3calc.accounting import collisions
from dsv3calc.formulas import dragonfly, fabric, fat_tree, network, slim_fly
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.ledger.named_lines import NamedLines

LINKS = "between switches; the cables of endpoints are not counted"
HOPS = "links between switches on the shortest path between the two most distant endpoints"


class NetworkLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``network.*`` of a topology [1], ``cost`` and ``cost_per_endpoint`` [USD]."""

    radix: Line | None = None
    planes: Line | None = None
    q: Line | None = None
    groups: Line | None = None
    switches_per_group: Line | None = None
    global_ports: Line | None = None
    network_radix: Line | None = None
    endpoints_per_switch: Line | None = None
    endpoints: Line
    switches: Line
    links: Line
    diameter: Line
    leaf_ports: Line | None = None
    leaf_uplinks: Line | None = None
    oversubscription: Line | None = None
    reach: Line | None = None
    latency: Line | None = None
    lost_plane_factor: Line | None = None
    ecmp_mean_share: Line | None = None
    ecmp_slowest_share: Line | None = None
    ecmp_time_factor: Line | None = None
    bisection_links: Line | None = None
    bisection_share: Line | None = None
    exchange_time: Line | None = None
    cost: Line | None = None
    cost_per_endpoint: Line | None = None


def fat_tree_lines(radix: Any, tiers: int, planes: Any = 1) -> NetworkLines:
    """Count a non-blocking fat tree of ``tiers`` layers of switches, or ``planes`` of them."""
    ports = given("radix", radix, "1")
    layers = given("tiers", tiers, "1")
    side_by_side = given("planes", planes, "1")
    arguments: dict[str, Any] = {"radix": ports, "tiers": layers, "planes": side_by_side}
    hops = [given(f"hops.{way}", tiers - 1, "1") for way in ("up", "down")]
    return NetworkLines(
        endpoints=computed("network.endpoints", fat_tree.fat_tree_endpoints, **arguments),
        switches=computed("network.switches", fat_tree.fat_tree_switches, **arguments),
        links=computed("network.links", fat_tree.fat_tree_links, convention=LINKS, **arguments),
        diameter=total("network.diameter", hops, convention=f"{HOPS}, inside a plane"),
        bisection_links=computed(
            "network.bisection_links",
            fat_tree.fat_tree_bisection,
            convention="exact: any cut into halves of the endpoints of each plane",
            **arguments,
        ),
    )


def built_tree_lines(
    endpoints: Any,
    radix: Any,
    tiers: int,
    planes: Any = 1,
    *,
    every_plane: bool = False,
    oversubscription: tuple[int, int] = (1, 1),
) -> NetworkLines:
    """Count a fat tree as it is built for so many endpoints, of switches of a given radix.

    ``every_plane`` says that each endpoint has a port in every plane, not in one of them.
    ``oversubscription`` is the ratio of a leaf's ports down to those up.
    """
    ports, side_by_side = given("radix", radix, "1"), given("planes", planes, "1")
    wanted = given("endpoints", endpoints, "1")
    down, up = (
        given(f"oversubscription.{way}", n, "1")
        for way, n in zip(("down", "up"), oversubscription, strict=True)
    )
    leaf_ports = computed(
        "network.leaf_ports", fabric.leaf_endpoint_ports, radix=ports, down_parts=down, up_parts=up
    )
    one = given("planes_of_an_endpoint", 1, "1")
    per_plane = (
        wanted
        if every_plane
        else computed(
            "network.plane_endpoints", fabric.plane_endpoints, endpoints=wanted, planes=side_by_side
        )
    )
    leaves = computed(
        "network.plane_leaves", fabric.built_leaves, endpoints=per_plane, leaf_ports=leaf_ports
    )
    uplinks = computed(
        "network.plane_uplinks",
        fabric.built_uplinks,
        leaves=leaves,
        radix=ports,
        leaf_ports=leaf_ports,
    )
    tiers_above = []
    if tiers == 3:  # noqa: PLR2004 - the middle tier looks both ways
        half = computed(
            "network.middle_ports",
            fabric.leaf_endpoint_ports,
            radix=ports,
            down_parts=one,
            up_parts=one,
        )
        tiers_above.append(
            computed(
                "network.plane_middle_switches", fabric.built_spines, uplinks=uplinks, ports=half
            )
        )
    tiers_above.append(
        computed("network.plane_spines", fabric.built_spines, uplinks=uplinks, ports=ports)
    )
    switches = total("network.plane_switches", [leaves, *tiers_above])
    between = given("tiers_of_links", tiers - 1, "1")
    hops = [given(f"hops.{way}", tiers - 1, "1") for way in ("up", "down")]
    return NetworkLines(
        planes=total("network.planes", (side_by_side,)),
        leaf_ports=leaf_ports,
        leaf_uplinks=computed(
            "network.leaf_uplinks",
            fabric.leaf_uplink_ports,
            radix=ports,
            leaf_ports=leaf_ports,
        ),
        endpoints=total("network.endpoints", (wanted,)),
        reach=computed(
            "network.reach",
            fabric.fabric_reach,
            radix=ports,
            leaf_ports=leaf_ports,
            tiers=given("tiers", tiers, "1"),
            spread_planes=one if every_plane else side_by_side,
        ),
        switches=combined("network.switches", "product", (switches, side_by_side)),
        links=combined(
            "network.links",
            "product",
            (uplinks, between, side_by_side),
            unit="1",
            convention=LINKS,
        ),
        diameter=total("network.diameter", hops, convention=f"{HOPS}, inside a plane"),
        oversubscription=computed(
            "network.oversubscription", fabric.oversubscription, radix=ports, leaf_ports=leaf_ports
        ),
    )


def plane_loss(counted: NetworkLines, planes_down: Any) -> NetworkLines:
    """Add what is lost of the bandwidth to planes that are down."""
    assert counted.planes is not None  # noqa: S101 - asked by the caller
    factor = computed(
        "network.lost_plane_factor",
        fabric.lost_plane_factor,
        convention="of the transfer time, with traffic spread evenly over the remaining planes",
        planes=counted.planes,
        planes_down=given("planes_down", planes_down, "1"),
    )
    return msgspec.structs.replace(counted, lost_plane_factor=factor)


def collision_lines(counted: NetworkLines, flows: Any) -> NetworkLines:
    """Add what flows that leave a leaf lose where a hash puts each on one of its uplinks.

    What the slowest one loses is counted up to a number of flows and uplinks.
    """
    assert counted.leaf_uplinks is not None  # noqa: S101 - asked by the caller
    each = given("flows", flows, "1")
    paths = counted.leaf_uplinks
    found: dict[str, Line] = {
        "ecmp_mean_share": computed(
            "network.ecmp_mean_share",
            fabric.ecmp_mean_share,
            convention="mean over flows that leave a leaf, each hashed to one of its uplinks",
            flows=each,
            paths=paths,
        )
    }
    if flows * paths.value <= collisions.LARGEST:
        cases = list(collisions.fullest_path(flows, paths.value))
        slowest = sum(chance / load for load, chance in cases)
        fullest = sum(chance * load for load, chance in cases)
        sprayed = max(1, flows / paths.value)
        for name, value, words in (
            (
                "slowest_share",
                slowest,
                "mean of the slowest flow: one of those on the fullest path",
            ),
            ("time_factor", fullest / sprayed, "until the slowest flow ends, over sprayed packets"),
        ):
            found[f"ecmp_{name}"] = Line(
                f"network.ecmp_{name}", value, "ratio", "count", (each, paths), words
            )
    return msgspec.structs.replace(counted, **found)


def latency_line(counted: NetworkLines, latencies: tuple[Line, Line]) -> Line:
    """Give the latency of a small message between the two endpoints that are farthest apart."""
    same, cross = latencies
    return computed(
        "network.latency",
        fabric.hops_latency,
        convention="between the endpoints farthest apart, of an idle network",
        latency_same_leaf=same,
        latency_cross_leaf=cross,
        hops=counted.diameter,
    )


def exchange_line(counted: NetworkLines, seconds: Any) -> Line:
    """Give the time of an exchange by what the network leaves of the bandwidth."""
    alone = given("exchange_time", seconds, "s", "of an exchange at full bandwidth")
    losses = (counted.oversubscription, counted.lost_plane_factor, counted.ecmp_time_factor)
    return combined(
        "network.exchange_time",
        "product",
        (alone, *(each for each in losses if each is not None)),
        unit="s",
        convention="all bytes leave their leaf",
    )


def slim_fly_lines(radix: Any, q: Any, *, exists: bool = True) -> NetworkLines:
    """Count a Slim Fly of order ``q`` of switches with ``radix`` ports.

    ``exists`` is False for the arithmetic of a q that no graph has: it has no bisection.
    """
    ports, order = given("radix", radix, "1"), given("q", q, "1")
    degree = computed("network.network_radix", slim_fly.slim_fly_network_radix, q=order)
    each = computed(
        "network.endpoints_per_switch",
        slim_fly.slim_fly_concentration,
        radix=ports,
        network_radix=degree,
    )
    switches = computed("network.switches", slim_fly.slim_fly_switches, q=order)
    reach = given("hops.of_the_graph", 2, "1", "the graphs of McKay, Miller and Širáň have 2")
    bisection = None
    if exists:
        bisection = computed(
            "network.bisection_links",
            slim_fly.slim_fly_bisection_bound,
            convention="upper bound by an explicit cut (no closed form is known); at least q³/2 "
            "by the graph's eigenvalues",
            q=order,
        )
    return NetworkLines(
        q=total("network.q", (order,)),
        network_radix=degree,
        endpoints_per_switch=each,
        endpoints=combined("network.endpoints", "product", (switches, each)),
        switches=switches,
        links=computed(
            "network.links",
            slim_fly.slim_fly_links,
            convention=LINKS,
            q=order,
            network_radix=degree,
        ),
        diameter=total("network.diameter", (reach,), convention=HOPS),
        bisection_links=bisection,
    )


def dragonfly_lines(radix: Any, groups: Any = None) -> NetworkLines:
    """Count a balanced Dragonfly, a = 2p = 2h, of switches with ``radix`` ports.

    ``groups`` is the number of groups, by default the largest: a h + 1.
    """
    ports = given("radix", radix, "1")
    across = computed("network.global_ports", dragonfly.dragonfly_global_ports, radix=ports)
    each = total("network.endpoints_per_switch", (across,), convention="balanced: p = h")
    two = given("balance", 2, "1", "a = 2h")
    per_group = combined("network.switches_per_group", "product", (two, across), unit="1")
    size: dict[str, Any] = {"group_switches": per_group, "global_ports": across}
    if groups is None:
        count = computed("network.groups", dragonfly.dragonfly_groups, **size)
    else:
        count = total("network.groups", (given("groups", groups, "1"),))
    size["switch_groups"] = count
    switches = combined("network.switches", "product", (per_group, count))
    local = computed(
        "network.local_links",
        dragonfly.dragonfly_local_links,
        group_switches=per_group,
        switch_groups=count,
    )
    far = computed("network.global_links", dragonfly.dragonfly_global_links, **size)
    hops = [given(f"hops.{place}", 1, "1") for place in ("local", "global", "remote_local")]
    return NetworkLines(
        groups=count,
        switches_per_group=per_group,
        global_ports=across,
        endpoints_per_switch=each,
        endpoints=combined("network.endpoints", "product", (switches, each)),
        switches=switches,
        links=total("network.links", (local, far), convention=LINKS),
        diameter=total(
            "network.diameter",
            hops,
            convention=HOPS if groups is None else f"{HOPS}: at most, with these groups",
        ),
        bisection_links=computed(
            "network.bisection_links",
            dragonfly.dragonfly_bisection,
            convention="global links between two halves of whole groups: an upper bound of the "
            "bisection",
            **size,
        ),
    )


def share_line(counted: NetworkLines) -> Line | None:
    """Compare the bisection with the endpoints of a half; None where there is no bisection."""
    if counted.bisection_links is None:
        return None
    return computed(
        "network.bisection_share",
        network.bisection_share,
        convention="of the rate at which all endpoints of one half can send",
        bisection_links=counted.bisection_links,
        endpoints=counted.endpoints,
    )


def priced(counted: NetworkLines, switch_price: Line, link_price: Line) -> NetworkLines:
    """Price a network: its switches, and the links between them."""
    parts = [
        combined(f"network.cost_of.{what}", "product", (count, price), unit="USD")
        for what, count, price in (
            ("switches", counted.switches, switch_price),
            ("links", counted.links, link_price),
        )
    ]
    cost = total(
        "network.cost", parts, convention="switches and the links between them, at unit prices"
    )
    per_endpoint = combined(
        "network.cost_per_endpoint", "ratio", (cost, counted.endpoints), unit="USD"
    )
    return msgspec.structs.replace(counted, cost=cost, cost_per_endpoint=per_endpoint)
