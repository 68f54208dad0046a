"""A mixture of routed experts, with or without shared ones."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.formulas import experts
from dsv3calc.ledger.line import Line, combined, computed
from dsv3calc.model.block import FeedForward
from dsv3calc.model.experts import Experts
from dsv3calc.model.feed_forward.matrices import Matrices
from dsv3calc.model.operator import EXCHANGE, GROUPED, LOOKUP, ONE, PASS, PRODUCT, Operator
from dsv3calc.model.saved import FP32, INT64, Activation, Product, Saving
from dsv3calc.schema.model import Dense

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.model import MoE

_ROUTED = "routed_experts"
_LATENT = "latent_projections"


class Kind(FeedForward):
    """The experts of one layer group."""

    spec: MoE

    @cached_property
    def experts(self) -> Experts:
        """The struct of its routed experts."""
        return Experts(self.scope, self.hidden, self.prefix)

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
            outer=self.experts.width,
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
        moe, count, choices = self.spec, self.experts.count, self.experts.choices
        whole: dict[str, Any] = {"division": "replicated"}
        bias: dict[str, Any] = {"weight_class": "routing_bias"} | whole
        yield self.tensor("router", "router", choices, self.hidden, **whole)
        if moe.router_bias:
            yield self.tensor("router.bias", "router", choices, weight_class="biases", **whole)
        if moe.routing_bias:
            yield self.tensor("routing_bias", "router", choices, **bias)
        if moe.router_scales:
            for name, scaled in (("router.scale", self.hidden), ("router.expert_scale", count)):
                yield self.tensor(name, "router", scaled, weight_class="biases", **whole)
        if moe.routing_table is not None:
            rows, chosen = self.field("routing_table"), self.experts.chosen
            yield self.tensor(
                "routing_table", "router", rows, chosen, weight_class="routing_table", **whole
            )
        yield from self._latent_tensors()
        yield from self._routed.tensors(
            self.inner_width,
            "experts",
            bias=moe.expert_bias,
            copies=count,
            used=self.experts.chosen,
            most=self.field("num_experts_per_tok", "1"),
        )
        if moe.n_shared_experts:
            width = self._width_of_shared(f"{self.prefix}.shared_expert_width")
            yield from self._shared.tensors(width, "split", bias=moe.expert_bias)
        if moe.shared_expert_gate:
            name, kind = "shared_expert_gate", {"weight_class": "router"}
            yield self.tensor(name, "shared_experts", ONE, self.hidden, **kind, **whole)

    def _latent_tensors(self) -> Iterator[Tensor]:
        """List the projections of the hidden state to the experts' channels and back."""
        moe, latent = self.spec, self.experts.width
        if moe.moe_latent_size is None:
            return
        shapes = (("latent_down", latent, self.hidden), ("latent_up", self.hidden, latent))
        for name, out_features, in_features in shapes:
            yield self.tensor(name, _LATENT, out_features, in_features, division="replicated")
        if moe.moe_latent_norm:
            yield self.tensor("latent_norm", "norms", latent, division="replicated")

    def _width_of_shared(self, name: str) -> Line:
        if self.spec.shared_expert_intermediate_size is not None:
            return self.field("shared_expert_intermediate_size")
        return computed(name, experts.shared_expert_width, self.scope)

    def make_operators(self, form: str) -> Iterator[Operator]:
        """List routing, the exchange around the routed experts, and the shared experts."""
        yield Operator(
            "router",
            PRODUCT,
            "router",
            self.weights("router", "routing_bias", "router.scale", "router.expert_scale"),
            saves=self._routing,
            output=lambda _: Product("router", self.field("n_routed_experts"), "block"),
        )
        if self.spec.routing_table is not None:
            entry = (self.field("num_experts_per_tok"),)
            table = self.weights("routing_table")
            yield Operator("routing_table", LOOKUP, "router", table, reads=entry, writes=entry)
        width = self.experts.width
        row: dict[str, Any] = {"reads": (width,), "writes": (width,), "rows": "routed"}
        yield from self._latent("latent_down", width, "")
        if self.spec.moe_latent_norm:
            norm = self.weights("latent_norm")
            yield Operator("latent_norm", PASS, "norms", norm, reads=(width,), writes=(width,))
        yield Operator("dispatch", EXCHANGE, _ROUTED, before=("ep",), **row)
        yield from self._routed.operators(
            lambda _: (Activation("expert_input", width, "rows", "moe", linear_input=True),),
            self._expert_output,
        )
        yield Operator("combine", EXCHANGE, _ROUTED, after=("ep",), **row)
        yield from self._latent("latent_up", self.hidden, "latent_output")
        if self.spec.n_shared_experts:
            yield from self._shared.operators()
        if self.spec.shared_expert_gate:
            gate = self.weights("shared_expert_gate")
            yield Operator("shared_expert_gate", PRODUCT, "shared_experts", gate)

    def _latent(self, name: str, width: Line, reads: str) -> Iterator[Operator]:
        """Yield a projection to or from the experts' channels; what it ``reads`` is saved."""
        latent = self.experts.width
        if self.spec.moe_latent_size is not None:
            yield Operator(
                name,
                PRODUCT,
                _LATENT,
                self.weights(name),
                saves=lambda _: (
                    (Activation(reads, latent, "block", "moe", linear_input=True),) if reads else ()
                ),
                output=lambda _: Product(name, width, "block"),
            )

    def _routing(self, _: Saving) -> Iterator[Activation]:
        yield self.input("feed_forward_input", "router, shared experts and dispatch")
        scores = self.field("n_routed_experts", "elements")
        yield Activation("router_scores", scores, "block", "moe", bits=FP32)
        chosen = self.field("num_experts_per_tok", "elements")
        yield Activation("routing_weights", chosen, "block", "moe", bits=FP32)
        yield Activation("routing_indices", chosen, "block", "moe", bits=INT64)

    def _expert_output(self, saving: Saving) -> Iterator[Activation]:
        if saving.recompute.routing_weights == "after":
            yield Activation("expert_output", self.experts.width, "rows", "moe")

    def _shared_width(self, saving: Saving) -> Line | None:
        """Return the width of the shared experts, None where they are routed ones."""
        if saving.layout.shared_experts == "routed":
            return None
        if self.spec.shared_expert_intermediate_size is not None:
            return self.field("shared_expert_intermediate_size")
        parts = [self.inner_width, self.field("n_shared_experts", "1")]
        return combined(self.width("shared"), "product", parts)

    def densified(self, experts: str) -> Dense | None:
        """Return a dense feed-forward as wide as the experts of a token, or as all of them."""
        moe = self.spec
        if moe.moe_latent_size is not None or moe.zero_expert_num:
            raise UsageError(
                "no dense feed-forward is as wide as experts that work on a latent width, or of "
                "which some have no weights"
            )
        routed = moe.num_experts_per_tok if experts == "dense-active" else moe.n_routed_experts
        shared = moe.shared_expert_intermediate_size
        if shared is None:
            shared = moe.n_shared_experts * moe.moe_intermediate_size
        return Dense(
            intermediate_size=routed * moe.moe_intermediate_size + shared,
            gated=moe.gated,
            mlp_bias=moe.expert_bias,
        )
