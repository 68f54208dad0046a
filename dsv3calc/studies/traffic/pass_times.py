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
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.traffic.inputs import TrafficInputs


def pass_times(inputs: TrafficInputs) -> list[Line]:
    """Give the seconds of the exchanges of a pass, bound and at measured rates, by axis.

    ``time`` gives the same lines by the same functions. Where a device has no link for what is
    sent, or a kind has no exchange, the answer says so and has none.
    """
    query, loader = inputs.query, inputs.loader
    layout, exchange = inputs.layout, inputs.exchange
    like = loader.like(inputs.hardware)
    phase, batch = ("prefill", 1) if inputs.serving else ("train", layout.micro_batch)
    workload = workload_of(phase, batch, inputs.sequence, None, last_logit=False)
    precision = named_by(query, layout, inputs.answer, "precision")
    setting = Setting(
        model=inputs.model.value,
        layout=layout,
        workload=workload,
        conventions=choose_conventions({"mtp": "in" if query.with_mtp else None}),
        hardware=inputs.hardware.value,
        precision=loader.precision(precision, inputs.model).value,
        kv_format=loader.kv_format(None, inputs.model.value).value,
        exchange=msgspec.structs.replace(exchange, imbalance=1),
        achieved=loader.achieved().value.achieved,
        like=None if like is None else like.value,
        imbalance=exchange.imbalance,
        in_network=query.in_network,
    )
    try:
        found = PassExchanges(setting).exchanges()
    except UsageError as error:
        inputs.answer.notes.append(f"times of a pass's exchanges are left out: {error.message}")
        return []
    return [] if found is None else [found.bound, found.floor, *found.by_axis.values()]
