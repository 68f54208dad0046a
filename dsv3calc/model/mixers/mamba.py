"""Mamba, as Jamba has it: a state for each of its inner channels."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas import mixers
from dsv3calc.ledger.line import Line, combined, given, total
from dsv3calc.model.mixers.recurrence import COMPONENT, VECTOR, Recurrent, products
from dsv3calc.model.operator import ONE, Scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.mixers import Mamba

_PAIR = given("projections", 2, "1")


class Kind(Recurrent):
    """Mamba of one layer group: a state space with a decay for each element of the state."""

    spec: Mamba
    inputs = ("in_proj",)
    inner = ("x_proj", "dt_proj")
    norms = ()

    @property
    def heads(self) -> Line:
        """The inner channels: each has a state, and tensor parallelism divides them."""
        return self.field("mamba_inner_size", "1")

    def state_rows(self) -> Line:
        """Return the elements of the state of a channel."""
        return self.field("ssm_state_size")

    def state_columns(self) -> Line:
        """Return one: a channel is by itself."""
        return ONE

    @property
    def value_width(self) -> Line:
        """The inner channels."""
        return self.field("mamba_inner_size")

    def convolved(self) -> dict[str, Line]:
        """Return the inner channels."""
        return {"split": self.value_width}

    def make_tensors(self) -> Iterator[Tensor]:
        """List projections, convolution, decays, inner norms and output projection."""
        spec, hidden, inner = self.spec, self.hidden, self.value_width
        rank, state = self.field("time_step_rank"), self.field("ssm_state_size")
        both = combined(f"{self.prefix}.gate_inner_width", "product", (inner, _PAIR))
        sides = combined(f"{self.prefix}.state_sides", "product", (state, _PAIR), unit="elements")
        steps = total(f"{self.prefix}.step_state_width", (rank, sides))
        decays = combined(f"{self.prefix}.decays", "product", (inner, state), unit="elements")
        yield self.tensor("in_proj", COMPONENT, both, hidden)
        if spec.proj_bias:
            yield self.tensor("in_proj.bias", COMPONENT, both, **VECTOR)
        yield from self.convolutions(self.field("conv_kernel"), bias=spec.conv_bias)
        yield self.tensor("x_proj", COMPONENT, steps, inner, weight_class="mixer_rates")
        yield self.tensor("dt_proj", COMPONENT, inner, rank, weight_class="mixer_rates")
        yield self.tensor("dt_proj.bias", COMPONENT, inner, **VECTOR)
        yield self.tensor("A_log", COMPONENT, decays, **VECTOR)
        yield self.tensor("D", COMPONENT, inner, **VECTOR)
        if spec.inner_norms:
            for name, width in (("dt_layernorm", rank), ("b_layernorm", state),
                                ("c_layernorm", state)):  # fmt: skip
                yield self.tensor(name, "norms", width, division="replicated")
        yield self.tensor("out_proj", COMPONENT, hidden, inner)
        if spec.proj_bias:
            yield self.tensor("out_proj.bias", COMPONENT, hidden, division="replicated", **VECTOR)

    def scan(self) -> Scan:
        """Return the forms of the state space: kernels go token by token too."""
        size = {
            "heads": self.heads,
            "state_rows": self.state_rows(),
            "state_columns": self.state_columns(),
        }
        update = size | {"state_products": products("state", 2, "the update and the output")}
        output = size | {"state_products": products("state", 1, "the output; the rest elementwise")}
        each = {"recurrence": (mixers.recurrence_flops, update)}
        library = {"recurrence": (mixers.recurrence_flops, output)}
        return Scan(
            {"recurrent": each, "chunked": each, "library": library, "library-step": library}
        )
