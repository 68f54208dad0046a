"""The exchanges of a pass on a layout: what is sent, how often, and in what time."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.forward_pass import Pass
from dsv3calc.accounting.times.achieved import Entries
from dsv3calc.accounting.times.communication import Sender
from dsv3calc.accounting.times.exchanges import ExchangeLines, exchange_lines
from dsv3calc.accounting.times.kernels import MODEL
from dsv3calc.accounting.times.link_rates import LinkRates
from dsv3calc.accounting.times.serving_exchanges import serving_sendings
from dsv3calc.accounting.times.share import Share
from dsv3calc.ledger.line import Line, given
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.accounting.times.communication import Sending
    from dsv3calc.accounting.times.setting import Setting


class PassExchanges:
    """What the GPUs of a layout exchange in a pass, with its seconds.

    ``entries`` are the measured rates of the device, ``layers`` those of each place.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.run = Pass(setting.model, setting.workload, setting.conventions, "time")
        self.share = Share(self.run, setting.layout, setting.precision, setting.imbalance)
        times = None if setting.setup is None else setting.setup.time
        self.entries = Entries(
            setting.hardware,
            setting.like,
            setting.achieved,
            library="" if times is None else times.library or "",
            expert_library="" if times is None else times.expert_library or "",
        )
        arch = self.run.arch
        self.layers = {MODEL: ONE, **{view.prefix: view.layers for view in arch.groups}}
        if arch.mtp is not None:
            self.layers[arch.mtp.prefix] = arch.mtp.layers

    def link_rates(self) -> LinkRates:
        """Return the rates of the links."""
        setting = self.setting
        return LinkRates(
            setting.hardware,
            self.entries,
            given("time.oversubscription", setting.oversubscription, "ratio", "between domains"),
            decoding=setting.workload.phase == "decode",
        )

    def sendings(self) -> list[tuple[Sending, Line]]:
        """List the exchanges of a layer of each place, with its layers."""
        setting = self.setting
        sender = Sender(
            self.share,
            setting.hardware,
            setting.exchange,
            gathered=setting.gathered,
            in_network=setting.in_network,
        )
        found = [*sender.all()]
        if not sender.training:
            found += serving_sendings(sender)
        return [(each, self.layers[each.place]) for each in found if each.place in self.layers]

    def exchanges(self) -> ExchangeLines | None:
        """Return the exchanges of the pass, None where every group is one GPU."""
        sendings = self.sendings()
        if not sendings:
            return None
        return exchange_lines(sendings, self.setting.hardware, self.link_rates())
