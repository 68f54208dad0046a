"""Answer ``network``: topologies of equal switches, side by side."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting import network as counts
from dsv3calc.catalogue import presets
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger, Line, field, given, total
from dsv3calc.queries.base import as_dict
from dsv3calc.queries.fields import flag_of
from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.provenance import source_of
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.checked import number
from dsv3calc.studies.network.built import built, built_topologies, is_built
from dsv3calc.studies.network.choices import (
    LARGEST_NETWORK,
    LARGEST_RADIX,
    LEAST_RADIX,
    PUBLISHED_GROUPS,
    PUBLISHED_Q,
    PUBLISHED_RADIX,
    TABLE_3,
    TOPOLOGIES,
    chosen_radix,
    chosen_topologies,
    chosen_variant,
    dragonfly_group_count,
    slim_fly_order,
    whole,
)

if TYPE_CHECKING:
    from dsv3calc.accounting.network import NetworkLines
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.network import NetworkQuery
    from dsv3calc.schema.network import Network


DEFAULT_NETWORK = "infiniband-ndr"
DEFAULT_PLANES = 8
LONGEST_EXCHANGE = 10**9
_DIFFERS = ("slim-fly", "dragonfly")
"""Topologies whose published sizes are not the canonical ones."""


def answer_network(query: NetworkQuery) -> Answer:
    """Size and price topologies.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    topologies = chosen_topologies(query)
    variant = chosen_variant(query)
    preset: Preset[Network] = presets.load(
        "network", query.network or DEFAULT_NETWORK, preset_path=query.preset_path
    )
    _refuse_set(query)
    planes = whole("--planes", query.planes, DEFAULT_PLANES, LARGEST_RADIX)
    radix = None
    if is_built(query):
        topologies = built_topologies(query, topologies)
    if query.endpoints is None or query.radix is not None:
        radix = chosen_radix(query, preset, topologies, variant)
    answer = Answer("network", as_dict(query))
    answer.query |= {"topologies": list(topologies), "network": preset.name, "variant": variant}
    answer.query |= {n: int(answer.query[n]) for n in ("q", "groups") if n in answer.query}
    if "mpft" in topologies:
        answer.query["planes"] = planes
    if query.endpoints is not None:
        answer.query["endpoints"] = whole("--endpoints", query.endpoints, 1, LARGEST_NETWORK)
    if radix is not None:
        answer.query["radix"] = radix
    prices = _prices(query, preset, answer)
    radices: dict[str, int] = {}
    sizes = [(each, published) for each in topologies for published in _published(each, variant)]
    for topology, published in sizes:
        counted = _sized(query, topology, radix, planes, answer, published=published)
        if counted is None:
            continue
        counted = _times(query, preset, counted)
        if prices:
            counted = counts.priced(counted, *prices)
        marked = published and variant == "both"
        title = f"{TOPOLOGIES[topology]}{', as published' if published else ''}"
        name = f"{topology}-published" if marked else topology
        answer.columns.append(Column(name, title, Ledger(title, counted.lines)))
        _tell(answer, topology, radix, published=published, own_prices=_own_prices(query))
        assert counted.radix is not None  # noqa: S101 - each way above gives it
        radices[name] = counted.radix.value
        _tell_room(answer, counted)
    if prices and query.switch_price is None:
        _tell_radix(answer, preset.value, radices)
    _tell_planes(answer, topologies, planes, every_plane=query.every_plane)
    _cite(answer, preset, query)
    return answer


def _sized(
    query: NetworkQuery,
    topology: str,
    radix: int | None,
    planes: int,
    answer: Answer,
    *,
    published: bool,
) -> NetworkLines | None:
    """Count a topology of a radix, or of the smallest radix; None where it is left out."""
    counted: NetworkLines | None
    if radix is None:
        counted = _smallest(topology, answer.query["endpoints"], planes)
    elif is_built(query):
        counted = built(query, topology, radix, planes, answer)
    else:
        counted = _counted(topology, radix, planes, query.q, query.groups, published=published)
    if counted is None:
        return None
    if radix is not None:
        ports = total("network.radix", (given("radix", radix, "1"),))
        counted = msgspec.structs.replace(counted, radix=ports)
    if topology == "mpft" and query.planes_down:
        down = whole("--planes-down", query.planes_down, 1, planes - 1)
        counted = counts.plane_loss(counted, down)
    return msgspec.structs.replace(counted, bisection_share=counts.share_line(counted))


def _times(query: NetworkQuery, preset: Preset[Network], counted: NetworkLines) -> NetworkLines:
    """Add the latency of a message, where the network states one, and the time of an exchange."""
    network, scope = preset.value, ("network", preset.value)
    if network.latency_cross_leaf is not None:
        ends = ("latency_same_leaf", "latency_cross_leaf")
        latencies = tuple(field(scope, name, "s") for name in ends)
        counted = msgspec.structs.replace(
            counted, latency=counts.latency_line(counted, (latencies[0], latencies[1]))
        )
    if query.exchange_time is not None:
        seconds = number("--exchange-time", query.exchange_time, 0, most=LONGEST_EXCHANGE)
        counted = msgspec.structs.replace(
            counted, exchange_time=counts.exchange_line(counted, seconds)
        )
    return counted


def _refuse_set(query: NetworkQuery) -> None:
    if query.set or query.ignore_keys:
        raise UsageError(
            "network has no fields to set and no config.json to read",
            "use --radix, --switch-price, --link-price, or a preset of your own with --network",
        )


def _published(topology: str, variant: str) -> tuple[bool, ...]:
    """Return which sizes of a topology are shown: canonical (False), as published (True)."""
    if topology not in _DIFFERS or variant == "canonical":
        return (False,)
    return (True,) if variant == "published" else (False, True)


def _counted(
    topology: str,
    radix: int,
    planes: int,
    q: int | None = None,
    groups: int | None = None,
    *,
    published: bool = False,
) -> NetworkLines:
    if topology == "slim-fly":
        order = PUBLISHED_Q if published else slim_fly_order(radix, q)
        return counts.slim_fly_lines(radix, order, exists=not published)
    if topology == "dragonfly":
        count = PUBLISHED_GROUPS if published else dragonfly_group_count(radix, groups)
        return counts.dragonfly_lines(radix, count)
    if topology == "mpft":
        side_by_side = total("network.planes", (given("planes", planes, "1"),))
        tree = counts.fat_tree_lines(radix, 2, planes)
        return msgspec.structs.replace(tree, planes=side_by_side)
    return counts.fat_tree_lines(radix, 3 if topology == "ft3" else 2)


def _smallest(topology: str, wanted: int, planes: int) -> NetworkLines:
    """Find the smallest radix with which a topology has so many endpoints: it grows with it."""
    step = 2 if topology in ("ft2", "mpft", "ft3") else 1

    def size(radix: int) -> int:
        return int(_counted(topology, radix, planes).endpoints.value)

    low, high = LEAST_RADIX[topology] // step - 1, LARGEST_RADIX // step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if size(middle * step) >= wanted else (middle, high)
    radix = high * step
    found = Line(
        "network.radix",
        radix,
        "1",
        "search",
        convention=f"the smallest {'even ' if step > 1 else ''}radix with at least the endpoints "
        "given",
        parts=(given("endpoints", wanted, "1"),),
    )
    return msgspec.structs.replace(_counted(topology, radix, planes), radix=found)


def _own_prices(query: NetworkQuery) -> bool:
    return query.switch_price is not None or query.link_price is not None


def _prices(
    query: NetworkQuery, preset: Preset[Network], answer: Answer
) -> tuple[Line, Line] | None:
    """Return the prices of a switch and of a link; None where one of them is not known."""
    found = []
    for name in ("switch_price", "link_price"):
        value = getattr(query, name)
        option = flag_of(query, name)
        if value is not None and not (type(value) in (int, float) and 0 <= value < float("inf")):
            raise UsageError(f"{option} {quote(str(value))}: expected US dollars, 0 or more")
        if value is not None:
            answer.query[name] = value
            found.append(given(option, value, "USD"))
        elif getattr(preset.value, name) is not None:
            found.append(given(f"network.{name}", getattr(preset.value, name), "USD"))
        else:
            answer.warn(f"{preset.name} has no {name}: no cost; give one with {option}")
    return (found[0], found[1]) if len(found) == 2 else None  # noqa: PLR2004 - both


def _tell(
    answer: Answer, topology: str, radix: int | None, *, published: bool, own_prices: bool
) -> None:
    """Say what a reader of Table 3 should know of a column."""
    if topology == "slim-fly" and published:
        answer.warn(
            f"slim-fly: the counts of {TABLE_3} are those of q = {PUBLISHED_Q}, which it does not "
            f"print. {PUBLISHED_Q} is no prime power: there is no such graph; q = 27 and q = 29 "
            "have one"
        )
    if topology == "dragonfly" and published:
        answer.warn(
            f"dragonfly: the counts of {TABLE_3} are those of {PUBLISHED_GROUPS} groups, which it "
            "does not print; the largest Dragonfly has a h + 1 = 513"
        )
    if topology in _DIFFERS and not published and radix == PUBLISHED_RADIX:
        text = f"{topology}: {TABLE_3} prints another size; --variant published or both shows it"
        if text not in answer.notes and answer.query["variant"] == "canonical":
            answer.notes.append(text)
    if topology == "dragonfly" and published and not own_prices:
        answer.notes.append(
            f"dragonfly: {TABLE_3} prints 1,522 M$, which no linear price of switches and links "
            "gives together with its other four costs; the calibrated prices are 1.8 % above it"
        )


def _tell_radix(answer: Answer, network: Network, radices: dict[str, int]) -> None:
    """Warn where the price of one switch is taken for another's."""
    others = [f"{radix:,} ({name})" for name, radix in radices.items() if radix != network.radix]
    if others and network.radix is not None:
        answer.warn(
            f"the price of a switch of {network.name} is one of {network.radix} ports, taken here "
            f"for {', '.join(others)} too: give yours with --switch-price"
        )


def _tell_room(answer: Answer, counted: NetworkLines) -> None:
    """Warn of a Slim Fly whose switches have ports for few endpoints."""
    order, ports, switch = counted.q, counted.network_radix, counted.radix
    if order is None or ports is None or switch is None or counted.endpoints_per_switch is None:
        return  # another topology
    each, degree = counted.endpoints_per_switch.value, ports.value
    if each < degree // 2:
        answer.warn(
            f"slim-fly: q = {order.value} leaves ports for {each} endpoints of a switch of "
            f"{switch.value}; its {degree} network ports could serve {degree // 2}"
        )


def _tell_planes(
    answer: Answer, topologies: tuple[str, ...], planes: int, *, every_plane: bool
) -> None:
    if every_plane:
        answer.notes.append(f"mpft: each endpoint has a port in each of {planes:,} planes")
    elif "mpft" in topologies and planes > 1:
        answer.notes.append(
            f"mpft: {planes:,} separate planes, each endpoint in one; cross-plane traffic is "
            "forwarded inside a node"
        )


def _cite(answer: Answer, preset: Preset[Network], query: NetworkQuery) -> None:
    """Cite the sources of the numbers: the radix and the prices, where the preset gave them."""
    network = preset.value
    fields = ["latency_same_leaf"] if network.latency_cross_leaf is not None else []
    fields += [] if "radix" in as_dict(query) or query.endpoints is not None else ["radix"]
    fields += [
        name
        for name in ("switch_price", "link_price")
        if getattr(query, name) is None and getattr(network, name) is not None
    ]
    for name in dict.fromkeys(source_of(each, network.provenance) for each in fields):
        source = network.sources[name]
        answer.sources.append(
            {
                "id": f"{preset.name}:{name}",
                "kind": source.kind,
                "citation": source.citation,
                "url": source.url,
                "read": source.read,
            }
        )
        if source.kind == "assumed":
            on = ", ".join(f for f in fields if source_of(f, network.provenance) == name)
            answer.assumptions.append(f"{preset.name}: {on}: {source.citation} ({source.note})")
