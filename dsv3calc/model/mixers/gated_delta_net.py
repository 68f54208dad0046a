"""Gated DeltaNet, as Qwen3-Next and Qwen3.5 have it."""

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
    from dsv3calc.schema.mixers import GatedDeltaNet

_PAIR = given("projections", 2, "1")


class Kind(DeltaRule):
    """Gated DeltaNet of one layer group: one decay and one correction a value head."""

    spec: GatedDeltaNet
    inputs = ("in_proj_qk", "in_proj_vz", "in_proj_ba")
    norms = ("mixer_norm",)
    library_products = (2, 1, 3)
    library_words = (
        "as transformers' code: keys with keys, queries with keys, scores with values, and three "
        "with the state; triangular solves are no products"
    )

    @property
    def heads(self) -> Line:
        """The value heads: each has a state."""
        return self.field("linear_num_value_heads", "1")

    @property
    def groups(self) -> Line:
        """The key heads."""
        return self.field("linear_num_key_heads", "1")

    def state_rows(self) -> Line:
        """Return the channels of a key."""
        return self.field("linear_key_head_dim")

    def state_columns(self) -> Line:
        """Return the channels of a value."""
        return self.field("linear_value_head_dim")

    @cached_property
    def _key_width(self) -> Line:
        name, parts = f"{self.prefix}.query_key_width", (self.groups, self.state_rows(), _PAIR)
        return combined(name, "product", parts, unit="elements", convention="queries and keys")

    def convolved(self) -> dict[str, Line]:
        """Return the channels of the values, and those of queries and keys."""
        return {"split": self.value_width, "groups": self._key_width}

    def make_tensors(self) -> Iterator[Tensor]:
        """List projections, convolution, decays, norm and output projection."""
        place, hidden = self.prefix, self.hidden
        both = combined(f"{place}.value_gate_width", "product", (self.value_width, _PAIR))
        rates = (self.field("linear_num_value_heads"), _PAIR)
        steps = combined(f"{place}.rates_width", "product", rates)
        yield self.tensor("in_proj_qk", COMPONENT, self._key_width, hidden, division="groups")
        yield self.tensor("in_proj_vz", COMPONENT, both, hidden)
        yield self.tensor("in_proj_ba", COMPONENT, steps, hidden, weight_class="mixer_rates")
        yield from self.convolutions(self.field("linear_conv_kernel_dim"), bias=False)
        yield self.tensor("A_log", COMPONENT, self.heads, **VECTOR)
        yield self.tensor("dt_bias", COMPONENT, self.heads, **VECTOR)
        yield self.tensor("mixer_norm", "norms", self.state_columns(), division="replicated")
        yield self.tensor("out_proj", COMPONENT, hidden, self.value_width)
