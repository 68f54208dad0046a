"""Routed experts of a layer, as counts ask for them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas import experts
from dsv3calc.ledger.line import computed, field, total

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line, Scope
    from dsv3calc.schema.model import MoE


class Experts:
    """Routed experts of a layer: how many, how many a token goes to, and their struct.

    ``width`` are the channels that they work on. Where some choices of the router are experts
    without weights, ``chosen`` is the expected number of others, and ``choices`` counts them all.
    """

    __slots__ = ("choices", "chosen", "count", "scope", "spec", "width")

    def __init__(self, scope: Scope, hidden: Line, prefix: str) -> None:
        self.scope = scope
        self.spec: MoE = scope[1]
        self.count = self.choices = field(scope, "n_routed_experts", "1")
        self.chosen = field(scope, "num_experts_per_tok", "1")
        self.width = hidden
        if self.spec.moe_latent_size is not None:
            self.width = field(scope, "moe_latent_size")
        if self.spec.zero_expert_num:
            zero = field(scope, "zero_expert_num", "1")
            self.choices = total(f"{prefix}.router_choices", (self.count, zero))
            self.chosen = computed(
                f"{prefix}.expected_real_choices",
                experts.expected_real_choices,
                scope,
                convention="uniform routing",
            )
