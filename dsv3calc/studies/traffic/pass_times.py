"""The times of a pass's exchanges beside traffic: the lines that ``time`` has of them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.times.pass_exchanges import PassExchanges
from dsv3calc.accounting.times.setting import Setting
from dsv3calc.errors import UsageError
from dsv3calc.studies.layout.choose import named_by
from dsv3calc.studies.preset_loader import workload_of

if TYPE_CHECKING:
    from dsv3calc.accounting.traffic.exchange import Exchange
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.traffic import TrafficQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader


def pass_times(
    query: TrafficQuery,
    answer: Answer,
    loader: PresetLoader,
    model: Preset[Model],
    layout: Layout,
    hardware: Preset[Hardware],
    exchange: Exchange,
    sequence: int,
    *,
    serving: bool,
) -> list[Line]:
    """Give the seconds of the exchanges of a pass, bound and at measured rates, by axis.

    ``time`` gives the same lines by the same functions. Where a device has no link for what is
    sent, or a kind has no exchange, the answer says so and has none.
    """
    like = loader.like(hardware)
    phase, batch = ("prefill", 1) if serving else ("train", layout.micro_batch)
    workload = workload_of(phase, batch, sequence, None, last_logit=False)
    setting = Setting(
        model=model.value,
        layout=layout,
        workload=workload,
        conventions=choose_conventions({"mtp": "in" if query.with_mtp else None}),
        hardware=hardware.value,
        precision=loader.precision(named_by(query, layout, answer, "precision"), model).value,
        kv_format=loader.kv_format(None, model.value).value,
        exchange=msgspec.structs.replace(exchange, imbalance=1),
        achieved=loader.achieved().value.achieved,
        like=None if like is None else like.value,
        imbalance=exchange.imbalance,
        in_network=query.in_network,
    )
    try:
        found = PassExchanges(setting).exchanges()
    except UsageError as error:
        answer.notes.append(f"times of a pass's exchanges are left out: {error.message}")
        return []
    return [] if found is None else [found.bound, found.floor, *found.by_axis.values()]
