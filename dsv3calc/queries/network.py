"""The query of ``network`` as data."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import ClassVar

from dsv3calc.queries.base import Query


class NetworkQuery(Query, frozen=True, kw_only=True):
    """Network topologies side by side; without ``topologies`` all of them."""

    command: ClassVar[str] = "network"

    topologies: tuple[str, ...] = ()
    radix: int | None = None
    endpoints: int | None = None
    planes: int | None = None
    q: int | None = None
    groups: int | None = None
    variant: str | None = None
    network: str | None = None
    switch_price: float | None = None
    link_price: float | None = None
