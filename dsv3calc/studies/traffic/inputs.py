"""What an answer of ``traffic`` is made from, once the query is read and checked."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from dsv3calc.accounting.traffic.exchange import Exchange
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.traffic import TrafficQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader


class TrafficInputs(msgspec.Struct, frozen=True, eq=False):
    """The query, its answer so far, and the presets and formats that it names.

    ``sequence`` is the number of new tokens of each sequence. ``serving`` says that a forward pass
    is counted, and no training step.
    """

    query: TrafficQuery
    answer: Answer
    loader: PresetLoader
    model: Preset[Model]
    hardware: Preset[Hardware]
    layout: Layout
    exchange: Exchange
    sequence: int
    serving: bool
