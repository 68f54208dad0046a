"""A mixture of routed experts, with or without shared ones."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import experts
from dsv3calc.ledger.line import Line, combined, computed
from dsv3calc.model.block import Experts, FeedForward
from dsv3calc.model.feed_forward.matrices import Matrices
from dsv3calc.model.operator import EXCHANGE, GROUPED, PRODUCT, Operator
from dsv3calc.model.saved import FP32, INT64, Activation, Product, Saving
from dsv3calc.schema.model import Dense

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.model import MoE

_ROUTED = "routed_experts"


class Kind(FeedForward):
    """The experts of one layer group."""

    spec: MoE

    @cached_property
    def experts(self) -> Experts:
        """The struct of its routed experts."""
        return Experts(self)

    @property
    def inner_width(self) -> Line:
        """The width of one expert."""
        return self.field("moe_intermediate_size")

    @cached_property
    def _routed(self) -> Matrices:
        return Matrices(
            self,
            _ROUTED,
            "expert_act",
            dropped_by=("moe", "moe moe_act"),
            width=lambda _: self.inner_width,
            place="row_split",
            prefix="experts.",
            kind=GROUPED,
            rows="routed",
            groups=("etp",),
            output_place="rows",
            kernel="experts",
        )

    @cached_property
    def _shared(self) -> Matrices:
        return Matrices(
            self,
            "shared_experts",
            "shared_act",
            dropped_by=("moe shared_experts", "moe shared_experts mlp_act"),
            width=self._shared_width,
            prefix="shared_experts.",
        )

    def make_tensors(self) -> Iterator[Tensor]:
        """List the router, the routed experts' matrices, and those of the shared ones."""
        moe, count = self.spec, self.experts.count
        whole: dict[str, Any] = {"division": "replicated"}
        yield self.tensor("router", "router", count, self.hidden, **whole)
        if moe.router_bias:
            yield self.tensor("router.bias", "router", count, weight_class="biases", **whole)
        if moe.routing_bias:
            yield self.tensor("routing_bias", "router", count, weight_class="routing_bias", **whole)
        yield from self._routed.tensors(
            self.inner_width,
            "experts",
            bias=moe.expert_bias,
            copies=count,
            used=self.experts.chosen,
        )
        if moe.n_shared_experts:
            width = computed(
                f"{self.prefix}.shared_expert_width", experts.shared_expert_width, self.scope
            )
            yield from self._shared.tensors(width, "split", bias=moe.expert_bias)

    def make_operators(self, form: str) -> Iterator[Operator]:
        """List routing, the exchange around the routed experts, and the shared experts."""
        yield Operator(
            "router",
            PRODUCT,
            "router",
            self.weights("router", "routing_bias"),
            saves=self._routing,
            output=lambda _: Product("router", self.field("n_routed_experts"), "block"),
        )
        row: dict[str, Any] = {"reads": (self.hidden,), "writes": (self.hidden,), "rows": "routed"}
        yield Operator("dispatch", EXCHANGE, _ROUTED, before=("ep",), **row)
        yield from self._routed.operators(
            lambda _: (Activation("expert_input", self.hidden, "rows", "moe", linear_input=True),),
            self._expert_output,
        )
        yield Operator("combine", EXCHANGE, _ROUTED, after=("ep",), **row)
        if self.spec.n_shared_experts:
            yield from self._shared.operators()

    def _routing(self, _: Saving) -> Iterator[Activation]:
        yield self.input("feed_forward_input", "router, shared experts and dispatch")
        scores = self.field("n_routed_experts", "elements")
        yield Activation("router_scores", scores, "block", "moe", bits=FP32)
        chosen = self.field("num_experts_per_tok", "elements")
        yield Activation("routing_weights", chosen, "block", "moe", bits=FP32)
        yield Activation("routing_indices", chosen, "block", "moe", bits=INT64)

    def _expert_output(self, saving: Saving) -> Iterator[Activation]:
        if saving.recompute.routing_weights == "after":
            yield Activation("expert_output", self.hidden, "rows", "moe")

    def _shared_width(self, saving: Saving) -> Line | None:
        """Return the width of the shared experts, None where they are routed ones."""
        if saving.layout.shared_experts == "routed":
            return None
        parts = [self.inner_width, self.field("n_shared_experts", "1")]
        return combined(self.width("shared"), "product", parts)

    def densified(self, experts: str) -> Dense:
        """Return a dense feed-forward as wide as the experts of a token, or as all of them."""
        moe = self.spec
        routed = moe.num_experts_per_tok if experts == "dense-active" else moe.n_routed_experts
        return Dense(
            intermediate_size=(routed + moe.n_shared_experts) * moe.moe_intermediate_size,
            gated=moe.gated,
            mlp_bias=moe.expert_bias,
        )
