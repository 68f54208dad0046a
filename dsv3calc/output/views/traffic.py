"""Tables of ``traffic``: copies per token, bytes by link, times."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View, show, show_number
from dsv3calc.output.views import step_collectives
from dsv3calc.studies.layout.build import DEGREES

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

LINKS = ("scale_up", "scale_out")
PHASES = ("dispatch", "combine", "backward.dispatch", "backward.combine")
AMOUNTS = (
    ("layer", "per micro-batch and layer, forward"),
    ("micro_batch", "per micro-batch, all layers of a GPU"),
    ("busiest.micro_batch", "  on the busiest pipeline rank"),
    ("step", "per training step"),
    ("busiest.step", "  on the busiest pipeline rank"),
)


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    column = answer.columns[0]
    named = column.ledger.named()
    tables = []
    if "traffic.copies_per_token.gpu" in named:
        tables += [
            _copies(named, exact=exact),
            _loads(named, exact=exact),
            _bytes(named, exact=exact),
            _times(named, exact=exact),
        ]
    if "traffic.collectives.pipeline.time" in named:
        tables += step_collectives.tables(named, exact=exact)
    if "time.communication.bound" in named:
        tables.append(_pass(named, exact=exact))
    return View(heading(answer), tables)


def heading(answer: Answer) -> list[str]:
    """Say what was counted, in two lines."""
    query = answer.query
    tokens = (
        f"{query['tokens']:,} tokens per GPU and micro-batch"
        if query.get("tokens") is not None
        else f"sequences of {query['sequence']:,} tokens"
    )
    return [f"{answer.columns[0].title}: traffic on {answer.layout}, {query['hardware']}", tokens]


def _copies(named: dict[str, Line], *, exact: bool) -> Table:
    rows = [
        [
            f"by {kind}",
            show_number(named[f"traffic.copies_per_token.{kind}"], exact=exact),
            show_number(named.get(f"traffic.remote_copies_per_token.{kind}"), exact=exact),
        ]
        for kind in ("expert", "gpu", "node")
    ]
    return Table("", ["copies per token", "total", "remote"], rows)


LOADS = (
    ("group_tokens", "tokens of the group"),
    ("tokens_per_expert", "tokens per expert, mean"),
    ("distinct_experts", "distinct experts used"),
    ("distinct_experts_per_gpu", "  per GPU"),
    ("imbalance", "busiest GPU / mean, assumed"),
    ("random_routing.imbalance", "  expected for random routing"),
)


def _loads(named: dict[str, Line], *, exact: bool) -> Table:
    rows = [[words, show_number(named[f"traffic.{name}"], exact=exact)] for name, words in LOADS]
    return Table("", ["per layer and micro-batch of the group", ""], rows)


def _bytes(named: dict[str, Line], *, exact: bool) -> Table:
    links = [named[f"traffic.copies_on_link.{link}"] for link in LINKS]
    rows = [["copies", *(show_number(line, exact=exact) for line in links)]]
    training = "traffic.step.scale_out_bytes" in named
    for phase in PHASES if training else PHASES[:2]:
        names = [f"traffic.{phase}.{link}_bytes_per_token" for link in LINKS]
        words = phase.replace(".", " ")
        rows.append([f"{words}, per token", *(show(named[name], exact=exact) for name in names)])
    if "traffic.in_network_share" in named:
        share = show(named["traffic.in_network_share"], exact=exact)
        rows.append(["with multicast and reduction", "", share])
    if "traffic.plane_change_bytes_per_token" in named:
        changed = show(named["traffic.plane_change_bytes_per_token"], exact=exact)
        rows.append(["changing planes, per token", changed, ""])
    for name, words in AMOUNTS:
        names = [f"traffic.{name}.{link}_bytes" for link in LINKS]
        if names[0] in named:
            rows.append([words, *(show(named[each], exact=exact) for each in names)])
    return Table("", ["one GPU sends", "scale-up", "scale-out"], rows)


def _times(named: dict[str, Line], *, exact: bool) -> Table:
    kinds = [
        prefix for prefix in ("traffic", "traffic.achieved") if f"{prefix}.time_per_layer" in named
    ]
    rows = []
    for phase in PHASES[:2]:
        for link in LINKS:
            lines = [named.get(f"{prefix}.{phase}.{link}_time") for prefix in kinds]
            if lines[0] is not None:
                words = f"{phase}, {link.replace('_', '-')}{_binds(named, phase, link)}"
                rows.append([words, *(show(line, exact=exact) for line in lines)])
    rows.append(
        [
            "per layer, forward",
            *(show(named[f"{prefix}.time_per_layer"], exact=exact) for prefix in kinds),
        ]
    )
    for name, words in (
        ("hidden_share", "share hidden by computation"),
        ("exposed_time_per_layer", "exposed time"),
    ):
        if f"traffic.{name}" in named:
            lines = [named[f"{prefix}.{name}"] for prefix in kinds]
            rows.append([words, *(show(line, exact=exact) for line in lines)])
    return Table("", ["time", "nominal", "achieved"][: 1 + len(kinds)], rows)


def _pass(named: dict[str, Line], *, exact: bool) -> Table:
    """Show the exchanges of a pass as ``time`` gives them: at nominal and at measured rates."""
    every = [show(named[f"time.communication.{each}"], exact=exact) for each in ("bound", "floor")]
    rows = [["of all axes", *every]]
    for axis in DEGREES:
        line = named.get(f"time.communication.{axis}")
        if line is not None:
            rows.append([f"  {axis}", "", show(line, exact=exact)])
    headings = ["exchanges of a pass, all stages", "bound", "measured rates"]
    return Table("", headings, rows)


def _binds(named: dict[str, Line], phase: str, link: str) -> str:
    whole = named[f"traffic.{phase}.time"].value
    own = named[f"traffic.{phase}.{link}_time"].value
    return " (bottleneck)" if whole and own == whole else ""
