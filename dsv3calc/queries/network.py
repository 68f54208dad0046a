"""The query of ``network`` as data."""

# SPDX-License-Identifier: Apache-2.0
from typing import Annotated, ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import Argument, Option

SIZE, PRICES = "Size", "Prices"


class NetworkQuery(Query, frozen=True, kw_only=True):
    """Network topologies: endpoints, switches, links, diameter, cost.

    Examples:

      dsv3calc network mpft ft3 slim-fly dragonfly --radix 64

      dsv3calc network --endpoints 16384

      dsv3calc network slim-fly dragonfly --radix 64 --variant both
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
        Option("Find the smallest radix with at least so many endpoints", SIZE, dimension="count"),
    ] = None
    planes: Annotated[
        int | None, Option("Planes of mpft", SIZE, dimension="count", default="8")
    ] = None
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
            default="the most that there can be",
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
