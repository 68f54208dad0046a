"""``dsv3calc network``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dsv3calc.commands.options import Amount, PresetPathOption, amount, complete, with_output
from dsv3calc.errors import UsageError
from dsv3calc.numbers import quantity
from dsv3calc.queries.network import NetworkQuery

if TYPE_CHECKING:
    from collections.abc import Callable


def _dollars(option: str) -> Callable[[str], float]:
    """Return a parser of an amount of money."""

    def parse(text: str) -> float:
        try:
            return quantity.parse(text, "usd")
        except UsageError as error:
            raise UsageError(f"{option} {error.message}", error.hint) from None

    parse.__name__ = "usd"
    return parse


def _topologies(incomplete: str) -> list[str]:
    from dsv3calc.studies.network.choices import TOPOLOGIES

    return [name for name in TOPOLOGIES if name.startswith(incomplete)]


@with_output
def network(
    topologies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TOPOLOGY...",
            help="ft2, mpft, ft3, slim-fly, dragonfly [all].",
            autocompletion=_topologies,
        ),
    ] = None,
    radix: Annotated[
        Amount | None,
        typer.Option(
            "--radix",
            parser=amount("--radix", "count"),
            metavar="PORTS",
            help="Ports of a switch [the network's].",
        ),
    ] = None,
    endpoints: Annotated[
        Amount | None,
        typer.Option(
            "--endpoints",
            parser=amount("--endpoints", "count"),
            metavar="N",
            help="Find the smallest radix with at least so many endpoints.",
        ),
    ] = None,
    planes: Annotated[
        Amount | None,
        typer.Option(
            "--planes", parser=amount("--planes", "count"), metavar="N", help="Planes of mpft [8]."
        ),
    ] = None,
    q: Annotated[
        Amount | None,
        typer.Option(
            "--q",
            parser=amount("--q", "count"),
            metavar="Q",
            help="Order of slim-fly, a prime power [the largest that fits the radix].",
        ),
    ] = None,
    groups: Annotated[
        Amount | None,
        typer.Option(
            "--groups",
            parser=amount("--groups", "count"),
            metavar="G",
            help="Groups of dragonfly [the most that there can be].",
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant",
            metavar="NAME",
            help="canonical, published (as Table 3 of arXiv:2505.09343) or both [canonical].",
        ),
    ] = None,
    network_: Annotated[
        str | None,
        typer.Option(
            "--network",
            metavar="NAME",
            help="Network preset with a radix and unit prices [infiniband-ndr].",
            autocompletion=complete("network"),
        ),
    ] = None,
    switch_price: Annotated[
        float | None,
        typer.Option(
            "--switch-price",
            parser=_dollars("--switch-price"),
            metavar="USD",
            help="Price of a switch [the network's calibration, $81,500].",
        ),
    ] = None,
    link_price: Annotated[
        float | None,
        typer.Option(
            "--link-price",
            parser=_dollars("--link-price"),
            metavar="USD",
            help="Price of a link between switches [the network's calibration, $565].",
        ),
    ] = None,
    preset_path: PresetPathOption = None,
) -> NetworkQuery:
    """Network topologies: endpoints, switches, links, diameter, cost.

    Examples:

      dsv3calc network mpft ft3 slim-fly dragonfly --radix 64

      dsv3calc network --endpoints 16384

      dsv3calc network slim-fly dragonfly --radix 64 --variant both
    """
    return NetworkQuery(
        topologies=tuple(topologies or ()),
        radix=radix,
        endpoints=endpoints,
        planes=planes,
        q=q,
        groups=groups,
        variant=variant,
        network=network_,
        switch_price=switch_price,
        link_price=link_price,
        preset_path=preset_path,
    )
