"""Routed experts and a dense feed-forward side by side, as in Gemma 4."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dsv3calc.model.feed_forward import moe
from dsv3calc.model.feed_forward.matrices import Matrices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Operator, Tensor
    from dsv3calc.schema.model import MoEBesideDense


class Kind(moe.Kind):
    """The experts of one layer group, and what stands beside them."""

    spec: MoEBesideDense

    @cached_property
    def _dense(self) -> Matrices:
        return Matrices(
            self,
            "dense_ffn",
            "mlp_act",
            dropped_by=("mlp", "mlp mlp_act"),
            width=lambda _: self.field("intermediate_size"),
            prefix="dense.",
        )

    def make_tensors(self) -> Iterator[Tensor]:
        """List the tensors of the experts, and the dense matrices."""
        yield from super().make_tensors()
        width = self.field("intermediate_size")
        yield from self._dense.tensors(width, "split", bias=self.spec.expert_bias)

    def make_operators(self, form: str) -> Iterator[Operator]:
        """List the products of the dense feed-forward, then what the experts do."""
        yield from self._dense.operators()
        yield from super().make_operators(form)

    def densified(self, experts: str) -> None:
        """Refuse: the layer has a dense feed-forward already."""
        raise self.refusal("a dense what-if")
