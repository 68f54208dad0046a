"""What one GPU sends over each link: for the experts by phase, and for each other collective."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.traffic.collectives import KINDS
from dsv3calc.errors import UsageError
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.pictures.chart import Axis
from dsv3calc.output.pictures.lanes import Kind, Lane, Lanes, stacked
from dsv3calc.output.views import traffic
from dsv3calc.output.views.step_collectives import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_PHASES = {
    "dispatch": Kind("dispatch", "D"),
    "combine": Kind("combine", "C"),
    "backward.dispatch": Kind("dispatch, backward", "d"),
    "backward.combine": Kind("combine, backward", "c"),
}
_OTHER = Kind("other traffic", "o")


def chart_of(answer: Answer) -> Lanes:
    """Return the bars of an answer of ``traffic``: of a step where it trains, else of a layer.

    Raises
    ------
    UsageError
        If nothing is sent.
    """
    named = answer.columns[0].ledger.named()
    training = "traffic.step.scale_out_bytes" in named or f"{PREFIX}.{KINDS[0]}.time" in named
    when = "step" if training else "layer and micro-batch, forward"
    lanes = [*_experts(named, "step" if training else "layer"), *_collectives(named)]
    if not lanes:
        raise UsageError("one GPU sends nothing here: there is no picture", "give a layout of more")
    heading = traffic.heading(answer)
    return Lanes(
        heading[0],
        Axis(f"sent by one GPU per {when}", "B"),
        lanes,
        [*_PHASES.values(), _OTHER],
        [heading[1], "means over the pipeline ranks"] if training else [heading[1]],
    )


def _experts(named: dict[str, Line], scope: str) -> Iterator[Lane]:
    """Yield the experts' exchange by link: its phases have the shares of their bytes per token."""
    for link in traffic.LINKS:
        line = named.get(f"traffic.{scope}.{link}_bytes")
        if line is None or not line.value:
            continue
        each = [
            named[name].value if (name := f"traffic.{phase}.{link}_bytes_per_token") in named else 0
            for phase in (_PHASES if scope == "step" else traffic.PHASES[:2])
        ]
        whole, known = line.value, sum(each)
        scope_bytes = named.get(f"traffic.layer.{link}_bytes_per_token")
        if scope == "step" and scope_bytes is not None:
            known = max(known, scope_bytes.value)
        parts = [whole * part / known for part in each]
        kinds = [*_PHASES.values()][: len(parts)]
        yield Lane(
            f"experts, {_words(link)}",
            stacked([*parts, max(0.0, whole - sum(parts))], [*kinds, _OTHER]),
            format_quantity(whole, "B"),
        )


def _collectives(named: dict[str, Line]) -> Iterator[Lane]:
    for kind in KINDS:
        for link in traffic.LINKS:
            line = named.get(f"{PREFIX}.{kind}.{link}_bytes")
            if line is not None and line.value:
                label = f"{kind.replace('_', ' ')}, {_words(link)}"
                yield Lane(label, stacked([line.value], [_OTHER]), format_quantity(line.value, "B"))


def _words(link: str) -> str:
    return link.replace("_", "-")
