"""Attention residuals: each part of a layer reads a weighted sum of what earlier layers gave."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.line import given
from dsv3calc.model.addition import Addition, InLayer
from dsv3calc.model.operator import PASS, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor

_COMPONENT = "attention_residuals"
_WHOLE: dict[str, Any] = {"division": "replicated", "weight_class": "norms"}
_VECTORS = given("attention_residuals.vectors", 2, "1", "a norm, and a projection to one number")


class Layer(InLayer):
    """A norm and a projection before attention and before the feed-forward.

    No product is counted: a site reads the finished blocks and the current sum, and takes
    4 x hidden_size FLOPs for each, which are 0.01 % of a token's in Kimi-K3.
    """

    def make_tensors(self) -> Iterator[Tensor]:
        """List the vectors of both sites."""
        for site in ("attention", "feed_forward"):
            name = f"{site}_residuals"
            yield self.tensor(name, _COMPONENT, self.hidden, copies=_VECTORS, **_WHOLE)

    def before(self, site: str) -> Iterator[Operator]:
        """List the pass that weighs and adds."""
        width = (self.hidden,)
        weights = self.weights(f"{site}_residuals")
        yield Operator(f"{site}_residuals", PASS, _COMPONENT, weights, reads=width, writes=width)


class Kind(Addition):
    """Attention residuals of a model: in its layers, and before the final norm."""

    layer = Layer

    def exit_tensors(self, modules: Any = None) -> Iterator[Tensor]:
        """List the vectors before the final norm."""
        yield self.tensor("final_residuals", _COMPONENT, self.hidden, copies=_VECTORS, **_WHOLE)

    def exit(self, tensors: tuple[Tensor, ...]) -> Iterator[Operator]:
        """List the pass that weighs and adds."""
        width = (self.hidden,)
        yield Operator("final_residuals", PASS, _COMPONENT, tensors, reads=width, writes=width)
