"""Table of ``memory --as megatron``: our classes beside those of Megatron-LM's report."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.ranks import PARTS
from dsv3calc.output.view import Table, View, show
from dsv3calc.output.views.memory import heading, ranks_table

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    named = answer.columns[0].ledger.named()
    rank = named["memory.worst.rank"].value
    rows = [
        [
            part,
            show(named[f"memory.worst.{part}"], exact=exact),
            show(named.get(f"megatron.{part}"), exact=exact),
            show(named[f"megatron.difference.{part}"], exact=exact),
        ]
        for part in PARTS
    ]
    printed = named["megatron.activations"].parts[0].name
    other = "without" if printed == "megatron.with_sp.activations" else "with"
    rows += [
        [f"{part}, {other} SP", "", show(named[f"megatron.{other}_sp.{part}"], exact=exact), ""]
        for part in ("activations", "total")
    ]
    beside = Table("", ["of one GPU", f"here, rank {rank}", "Megatron-LM", "difference"], rows)
    return View(heading(answer), [ranks_table(named, exact=exact), beside])
