"""Tables of ``traffic`` on the other collectives of a step: by kind, and each as a benchmark would.

Both fit a page of 80 columns.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dsv3calc.accounting.traffic.collectives import KINDS
from dsv3calc.output.view import Table, show

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line

PREFIX = "traffic.collectives."
BUSIEST = "traffic.busiest.collectives."
COLUMNS = {
    "scale_up_bytes": "scale-up",
    "scale_out_bytes": "scale-out",
    "messages": "messages",
    "time": "nominal",
    "achieved.time": "achieved",
}
RATES = {
    "payload_bytes": "payload",
    "call.algorithm_bandwidth": "algorithm",
    "call.bus_bandwidth": "bus",
}


def tables(named: dict[str, Line], *, exact: bool) -> list[Table]:
    """Build the table of the kinds, and that of the collectives that are made."""
    columns = {
        what: words for what, words in COLUMNS.items() if f"{PREFIX}pipeline.{what}" in named
    }
    rows = []
    for kind in KINDS:
        lines = [named[f"{PREFIX}{kind}.{what}"] for what in columns]
        if any(line.value for line in lines):
            rows.append([kind.replace("_", " "), *(show(line, exact=exact) for line in lines)])
        busiest = [
            named.get(f"{BUSIEST}{kind}.{what}", mean)
            for what, mean in zip(columns, lines, strict=True)
        ]
        if [line.value for line in busiest] != [line.value for line in lines]:
            rows.append(["  busiest rank", *(show(line, exact=exact) for line in busiest)])
    if not rows:
        rows.append(["none", *["-"] * len(columns)])
    found = [Table("", ["other collectives", *columns.values()], rows)]
    rates = _rates(named, exact=exact)
    if rates:
        found.append(Table("", ["one call, nominal bandwidths", *RATES.values()], rates))
    return found


def _rates(named: dict[str, Line], *, exact: bool) -> list[list[str]]:
    """List the collectives that are made; layers of two kinds often make the same one."""
    found: list[list[str]] = []
    last = ".call.bus_bandwidth"
    for name in named:
        if name.startswith(PREFIX) and name.endswith(last) and ".achieved." not in name:
            whole = name.removesuffix(last)
            words = re.sub(r"\.(model\.)?(groups\.\d+|mtp)\b", "", whole.removeprefix(PREFIX))
            label = words.replace("_", " ").replace(".", ", ", 1).replace(".", " ")
            row = [label, *(show(named[f"{whole}.{what}"], exact=exact) for what in RATES)]
            if row not in found:
                found.append(row)
    return found
