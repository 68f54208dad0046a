"""A pass of a server in seconds: through the whole model, or of one draft by an MTP module."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.times.exchanges import exchange_lines
from dsv3calc.accounting.times.fold import pass_lines
from dsv3calc.formulas import roofline
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.ledger.substitution import Substitution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.accounting.times.fold import Fold

NOTHING_SENT = given("serve.nothing_sent", 0, "s", "every group of the layout is one GPU")


class ServedPass(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The seconds of a pass: ``times`` by bound, floor and estimate; kernels and all exchanges.

    ``kernels`` are those of the estimate, or of the floor without a set-up.
    """

    times: dict[str, Line]
    kernels: Line
    exchanges: Line


def whole_pass(fold: Fold, prefix: str, put: Mapping[str, Line]) -> ServedPass:
    """Give the seconds of a pass through the whole model, its lines under ``prefix``.

    ``put`` has what stands for numbers of the workload.
    """
    found = pass_lines(fold, fold.exchanges())
    times = {"bound": found.bound, "floor": found.floor}
    if found.estimate is not None:
        times["estimate"] = found.estimate
    under = Substitution(prefix, put)
    return ServedPass(
        times=under.lines(times),
        kernels=under.line(found.kernels[list(times)[-1]]),
        exchanges=under.line(found.communication.get("floor", NOTHING_SENT)),
    )


def draft_pass(fold: Fold, prefix: str, put: Mapping[str, Line]) -> ServedPass:
    """Give the seconds of a pass through one MTP module, which drafts one token.

    ``fold`` counts MTP.
    """
    mtp = fold.share.run.arch.mtp
    assert mtp is not None  # noqa: S101 - asked by the caller
    place = next(each for each in fold.places if each.name == mtp.prefix)
    compute = total("compute_time", [each.lines["compute_time"] for each in place.kernels])
    resident = total("resident", [each.lines["resident"] for each in place.kernels], unit="B")
    memory = computed(
        "memory_time", roofline.memory_time, moved=resident, bandwidth=fold.device.bandwidth
    )
    bounds, floors = [compute, memory], [place.layer["floor"]]
    one = given("serve.draft_modules", 1, "1", "one MTP module drafts one token")
    sendings = [(each, one) for each, _ in fold.sendings() if each.place == mtp.prefix]
    sent = None
    if sendings:
        sent = exchange_lines(sendings, fold.setting.hardware, fold.link_rates())
        bounds.append(sent.bound)
        floors.append(sent.floor)
    times = {
        "bound": combined("bound", "maximum", bounds),
        "floor": combined("floor", "maximum", floors),
    }
    if fold.software is not None:
        parts = [place.layer["estimate"]]
        if sent is not None:
            parts.append(fold.software.exposed(sent.by_axis, parts[0]))
        times["estimate"] = total("estimate", parts, unit="s")
    under = Substitution(prefix, put)
    return ServedPass(
        times=under.lines(times),
        kernels=under.line(place.layer[list(times)[-1]]),
        exchanges=under.line(NOTHING_SENT if sent is None else sent.floor),
    )
