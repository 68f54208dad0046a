"""A gated convolution over the last tokens, as LFM2 has it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.ledger.line import Line, combined, given
from dsv3calc.model.mixers.recurrence import COMPONENT, CORE, VECTOR, Projected
from dsv3calc.model.operator import PASS, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.mixers import ShortConvolution

_THREE = given("projections", 3, "1", "the convolution's input, and a gate before and behind it")


class Kind(Projected):
    """The short convolution of one layer group, over the channels of the hidden state."""

    spec: ShortConvolution
    inputs = ("in_proj",)

    @property
    def heads(self) -> Line:
        """The channels: each is by itself, and tensor parallelism divides them."""
        return self.hidden

    @property
    def value_width(self) -> Line:
        """The channels."""
        return self.hidden

    def convolved(self) -> dict[str, Line]:
        """Return the channels."""
        return {"split": self.hidden}

    def make_tensors(self) -> Iterator[Tensor]:
        """List projections and convolution."""
        hidden, bias = self.hidden, self.spec.conv_bias
        inputs = combined(f"{self.prefix}.gated_width", "product", (hidden, _THREE))
        yield self.tensor("in_proj", COMPONENT, inputs, hidden)
        if bias:
            yield self.tensor("in_proj.bias", COMPONENT, inputs, **VECTOR)
        yield from self.convolutions(self.field("conv_kernel"), bias=bias)
        yield self.tensor("out_proj", COMPONENT, hidden, hidden)
        if bias:
            yield self.tensor("out_proj.bias", COMPONENT, hidden, division="replicated", **VECTOR)

    def make_operators(self, form: str) -> Iterator[Operator]:
        """List the projection, a gate, the convolution, a gate, and the output projection."""
        yield from self._projections()
        yield self._gate("input_gate")
        yield from self._convolution()
        yield self._gate("output_gate")
        yield self._output()

    def _gate(self, name: str) -> Operator:
        """Return the product of a gate with what it lets through, element by element."""
        both = (self.hidden, self.hidden)
        return Operator(
            name,
            PASS,
            CORE,
            reads=both,
            writes=both[:1],
            saves=lambda _: self._activations(name, list(both)),
            division="split",
        )
