"""Table of ``network``: quantities down, topologies across by the names that the query has.

Five of them fit a page of 80 columns.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Cell, Table, View, show

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer

ROWS = (
    ("radix", "switch radix"),
    ("planes", "planes"),
    ("q", "q"),
    ("network_radix", "ports to switches"),
    ("groups", "groups"),
    ("switches_per_group", "  switches per group"),
    ("endpoints_per_switch", "endpoints per switch"),
    ("leaf_ports", "ports of a leaf to endpoints"),
    ("oversubscription", "oversubscription"),
    ("endpoints", "endpoints"),
    ("reach", "  at most"),
    ("switches", "switches"),
    ("links", "links between switches"),
    ("diameter", "diameter in hops"),
    ("bisection_links", "bisection, links"),
    ("bisection_share", "  share of full"),
    ("lost_plane_factor", "time with planes down"),
    ("ecmp_mean_share", "bandwidth of hashed flows"),
    ("ecmp_slowest_share", "  of the slowest flow"),
    ("ecmp_time_factor", "  completion time factor"),
    ("latency", "latency of a message"),
    ("exchange_time", "time of the exchange"),
    ("cost", "cost, US dollars"),
    ("cost_per_endpoint", "  per endpoint"),
)
"""Last part of a line's name -> its label; rows that no topology has are left out."""

BISECTION = ("bisection_links", "bisection_share")
BOUNDS = ("slim-fly", "dragonfly")
"""Topologies whose bisection is bounded from above."""


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    named = [(column.id, column.ledger.named()) for column in answer.columns]
    rows = []
    for name, label in ROWS:
        cells = []
        for topology, lines in named:
            line = lines.get(f"network.{name}")
            bound = line is not None and name in BISECTION and topology.startswith(BOUNDS)
            text = show(line, exact=exact).removesuffix(" USD")
            cells.append(Cell(f"{'≤ ' if bound else ''}{text}", line))
        if any(cell != "-" for cell in cells):
            rows.append([label, *cells])
    query = answer.query
    size = f"switches of {query['radix']:,} ports" if "radix" in query else "the smallest switches"
    if "endpoints" in query:
        size += f" for {query['endpoints']:,} endpoints"
    words = {"published": "with the counts of Table 3", "both": "and with the counts of Table 3"}
    heading = ", ".join(filter(None, [size, words.get(query["variant"], "")]))
    headings = [
        "Table 3" if column.id.endswith("-published") else column.id for column in answer.columns
    ]
    return View(heading, [Table("", ["", *headings], rows)])
