"""What a pass is that times are asked of: presets, the layout, how tokens are sent."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from dsv3calc.accounting.traffic.exchange import Exchange
    from dsv3calc.schema.achieved import Achieved
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.schema.setup import Setup
    from dsv3calc.schema.workload import Conventions, Workload


class Setting(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What a pass is: presets, the layout, and how tokens are sent and experts loaded.

    Numbers of the model, the workload and the layout may be ints, arrays or symbols. ``recipe`` is
    that of training; without a ``setup`` there is no estimate. ``achieved`` are the rates of
    devices that were measured, ``like`` is the device whose rates stand in for missing ones;
    ``oversubscription`` is that of the network between domains. With ``gathered`` experts of a
    server get their tokens by gathering those of all replicas. ``experts_on_host`` leaves the
    products of routed experts out: a host computes them. With ``in_network`` switches multicast
    dispatched tokens and add up combined ones.
    """

    model: Model
    layout: Layout
    workload: Workload
    conventions: Conventions
    hardware: Hardware
    precision: Precision
    kv_format: KVFormat
    exchange: Exchange
    setup: Setup | None = None
    recipe: Recipe | None = None
    imbalance: Any = 1
    oversubscription: Any = 1
    gathered: bool = False
    experts_on_host: bool = False
    in_network: bool = False
    achieved: Achieved
    like: Hardware | None = None
