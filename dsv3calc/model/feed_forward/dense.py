"""A feed-forward that every token passes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dsv3calc.model.block import FeedForward
from dsv3calc.model.feed_forward.matrices import Matrices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.ledger.line import Line
    from dsv3calc.model.operator import Operator, Tensor
    from dsv3calc.schema.model import Dense


class Kind(FeedForward):
    """The dense feed-forward of one layer group."""

    spec: Dense

    @cached_property
    def _matrices(self) -> Matrices:
        return Matrices(
            self,
            "dense_ffn",
            "mlp_act",
            dropped_by=("mlp", "mlp mlp_act"),
            width=lambda _: self.inner_width,
        )

    def make_tensors(self) -> Iterable[Tensor]:
        """List its matrices and their biases, and what its activation function learns."""
        yield from self._matrices.tensors(self.inner_width, "split", bias=self.spec.mlp_bias)
        if self.spec.activation_parameters:
            yield self.tensor(
                "mlp_act",
                "dense_ffn",
                self.field("activation_parameters"),
                division="replicated",
                weight_class="biases",
            )

    def make_operators(self, form: str) -> Iterable[Operator]:
        """List its products and its activation function."""
        return self._matrices.operators(lambda _: (self.input("feed_forward_input"),))

    @property
    def inner_width(self) -> Line:
        """The width of the feed-forward."""
        return self.field("intermediate_size")
