"""Kimi Delta Attention, as Kimi-Linear, Kimi-K3 and Ling have it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dsv3calc.ledger.line import Line, combined, given
from dsv3calc.model.mixers.delta_rule import DeltaRule
from dsv3calc.model.mixers.recurrence import COMPONENT, VECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.mixers import KDA

_THREE = given("projections", 3, "1", "queries, keys and values")


class Kind(DeltaRule):
    """Kimi Delta Attention of one layer group: a decay for each channel of a key."""

    spec: KDA
    norms = ("mixer_norm",)
    library_products = (1, 2, 3)
    library_words = (
        "as transformers' code: pairs of keys and the inverse are elementwise there, no products"
    )

    @cached_property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override] # fewer where a gate is full
        """The projections of the layer's input: those of a low-rank gate come first."""
        gates = [
            name
            for letter, gate in (("f", self.spec.forget_gate), ("g", self.spec.output_gate))
            for name in ((f"{letter}_a_proj",) if gate == "low-rank" else (f"{letter}_proj",))
        ]
        return ("q_proj", "k_proj", "v_proj", "b_proj", *gates)

    @cached_property
    def inner(self) -> tuple[str, ...]:  # type: ignore[override] # none where gates are full
        """The second matrices of low-rank gates."""
        gates = (("f", self.spec.forget_gate), ("g", self.spec.output_gate))
        return tuple(f"{letter}_b_proj" for letter, gate in gates if gate == "low-rank")

    @property
    def heads(self) -> Line:
        """The heads: each has a state."""
        return self.field("linear_num_heads", "1")

    def state_rows(self) -> Line:
        """Return the channels of a key."""
        return self.field("linear_head_dim")

    def state_columns(self) -> Line:
        """Return the channels of a value."""
        return self.field("linear_head_dim")

    def convolved(self) -> dict[str, Line]:
        """Return the channels of queries, keys and values."""
        parts = (self.value_width, _THREE)
        return {"split": combined(f"{self.prefix}.convolved", "product", parts, unit="elements")}

    def make_tensors(self) -> Iterator[Tensor]:
        """List projections, gates, convolution, decays, norm and output projection."""
        hidden, width = self.hidden, self.value_width
        for name in ("q_proj", "k_proj", "v_proj"):
            yield self.tensor(name, COMPONENT, width, hidden)
        rates = self.field("linear_num_heads")
        yield self.tensor("b_proj", COMPONENT, rates, hidden, weight_class="mixer_rates")
        for letter, gate in (("f", self.spec.forget_gate), ("g", self.spec.output_gate)):
            if gate == "full":
                yield self.tensor(f"{letter}_proj", COMPONENT, width, hidden)
                continue
            rank = self.state_rows()
            low = {"division": "replicated"}
            yield self.tensor(f"{letter}_a_proj", COMPONENT, rank, hidden, **low)
            yield self.tensor(f"{letter}_b_proj", COMPONENT, width, rank)
        yield from self.convolutions(self.field("linear_conv_kernel_dim"), bias=False)
        yield self.tensor("A_log", COMPONENT, self.heads, **VECTOR)
        yield self.tensor("dt_bias", COMPONENT, width, **VECTOR)
        yield self.tensor("mixer_norm", "norms", self.state_columns(), division="replicated")
        yield self.tensor("out_proj", COMPONENT, hidden, width)
