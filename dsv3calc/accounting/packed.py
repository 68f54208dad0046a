"""FLOPs of a packed batch: sequences of several lengths, each attending to itself alone."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.flops import FlopsLines, flops_lines
from dsv3calc.formulas import roofline
from dsv3calc.ledger.line import Line, computed, total
from dsv3calc.ledger.tags import Tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.schema.model import Model
    from dsv3calc.schema.workload import Conventions, Workload


def packed_lines(
    model: Model, workload: Workload, conventions: Conventions, lengths: Sequence[int]
) -> FlopsLines:
    """Count the FLOPs of sequences of these lengths, each ``workload.batch`` times."""
    each = [
        flops_lines(
            model,
            msgspec.structs.replace(workload, batch=count * workload.batch, sequence=length),
            conventions,
            f"flops.lengths.{length}",
        )
        for length, count in Counter(lengths).items()
    ]
    tokens = total("flops.tokens", [found.tokens for found in each])
    whole = _whole([found.total for found in each])
    per_token = computed(
        "flops.per_token",
        roofline.per_token,
        unit="FLOP/token",
        convention=whole.convention,
        amount=whole,
        tokens=tokens,
    )
    by_attention = {
        count: total(
            f"flops.by_attention.{count}",
            [found.by_attention[count] for found in each],
            convention=f"attention {count}",
        )
        for count in each[0].by_attention
    }
    return FlopsLines(total=whole, per_token=per_token, tokens=tokens, by_attention=by_attention)


def _whole(each: Sequence[Line]) -> Line:
    """Add up the totals of lengths, by component where they have components."""
    convention = each[0].convention
    if each[0].rule != "sum":
        return total("flops.total", each, convention=convention)
    components: dict[str, list[Line]] = {}
    for line in each:
        for part in line.parts:
            components.setdefault(part.tags.component, []).append(part)
    sums = [
        total(f"flops.components.{name}", parts, tags=Tags(component=name))
        for name, parts in components.items()
    ]
    return total("flops.total", sums, unit="FLOP", convention=convention)
