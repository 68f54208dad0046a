"""The query of ``network`` as data."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import Annotated, Argument, Option

SIZE, PRICES = "Size", "Prices"


class NetworkQuery(Query, frozen=True, kw_only=True):
    """Network topologies: endpoints, switches, links, diameter, cost.

    Examples:

      dsv3calc network mpft ft3 slim-fly dragonfly --radix 64

      dsv3calc network --endpoints 16384

      dsv3calc network slim-fly dragonfly --radix 64 --variant both

      dsv3calc network mpft ft3 --radix 64 --endpoints 2048 --planes 8
    """

    command: ClassVar[str] = "network"

    set: tuple[str, ...] = ()  # not an option: there is no model
    ignore_keys: tuple[str, ...] = ()
    topologies: Annotated[
        tuple[str, ...],
        Argument(
            "ft2, mpft, ft3, slim-fly, dragonfly", metavar="TOPOLOGY...", default="all",
            choices="studies.network.choices:TOPOLOGIES",
        ),
    ] = ()  # fmt: skip
    radix: Annotated[
        int | None,
        Option(
            "Ports of a switch", SIZE, dimension="count", metavar="PORTS", default="the network's"
        ),
    ] = None
    endpoints: Annotated[
        int | None,
        Option(
            "Endpoints: with --radix, fat trees as built; without it, the smallest radix that "
            "reaches them",
            SIZE,
            dimension="count",
        ),
    ] = None
    planes: Annotated[
        int | None, Option("Planes of mpft", SIZE, dimension="count", default="8")
    ] = None
    every_plane: Annotated[
        bool, Option("Each endpoint of mpft has a port in every plane, not in one", SIZE)
    ] = False
    oversubscription: Annotated[
        float | None,
        Option(
            "Downlinks per uplink of a leaf switch, for a fat tree as built", SIZE,
            dimension="ratio", default="1",
        ),
    ] = None  # fmt: skip
    planes_down: Annotated[
        int | None,
        Option("Planes of mpft that are down", SIZE, dimension="count", least=0, default="0"),
    ] = None
    flows: Annotated[
        int | None,
        Option(
            "Concurrent flows out of a leaf, hashed to its uplinks (ECMP), for a fat tree as built",
            SIZE,
            dimension="count",
        ),
    ] = None
    exchange_time: Annotated[
        float | None,
        Option(
            "Time of an exchange at full bandwidth; shown with the losses of the network", SIZE,
            dimension="s", default="none",
        ),
    ] = None  # fmt: skip
    q: Annotated[
        int | None,
        Option(
            "Order of slim-fly, a prime power", SIZE, dimension="count", metavar="Q",
            default="the largest that fits the radix",
        ),
    ] = None  # fmt: skip
    groups: Annotated[
        int | None,
        Option(
            "Groups of dragonfly", SIZE, dimension="count", metavar="G",
            default="the largest possible",
        ),
    ] = None  # fmt: skip
    variant: Annotated[
        str | None,
        Option(
            "canonical, published (as Table 3 of arXiv:2505.09343) or both", SIZE, metavar="NAME",
            default="canonical", choices="studies.network.choices:VARIANTS",
        ),
    ] = None  # fmt: skip
    network: Annotated[
        str | None,
        Option(
            "Network preset with a radix and unit prices", shared.PRESETS, metavar="NAME",
            default="infiniband-ndr", preset="network",
        ),
    ] = None  # fmt: skip
    switch_price: Annotated[
        float | None,
        Option(
            "Price of a switch", PRICES, dimension="usd",
            default="the network's calibration, $81,500",
        ),
    ] = None  # fmt: skip
    link_price: Annotated[
        float | None,
        Option(
            "Price of a link between switches", PRICES, dimension="usd",
            default="the network's calibration, $565",
        ),
    ] = None  # fmt: skip
