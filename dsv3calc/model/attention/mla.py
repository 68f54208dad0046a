"""Multi-head latent attention: keys and values expanded from one cached latent of a token."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.formulas import attention
from dsv3calc.ledger.line import Line, computed, total
from dsv3calc.model.attention.core import (
    PROJECTIONS,
    attention_core,
    gate_operators,
    gate_tensor,
    latent_norm,
    projection,
    projections_input,
    score_scaling,
)
from dsv3calc.model.block import Attention, CacheEntry, CachePart, Held
from dsv3calc.model.operator import GROUPED, ONE, PASS, Core, Operator
from dsv3calc.model.saved import Activation, Product, Saving
from dsv3calc.schema.model import GQA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.attention.indexer import Indexer
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.model import MLA
    from dsv3calc.schema.workload import Conventions

_UP = "mla_up_proj"
_DOWN = "qkv_a_proj"
ROPE = ".rope"
"""Ending of the name of a rotary part that stands apart."""


class Kind(Attention):
    """Multi-head latent attention of one layer group.

    ``naive`` expands keys and values of the new tokens, ``latent`` those of all of the context
    again in every pass, ``absorbed`` folds the expansion into queries and outputs.
    """

    spec: MLA
    forms = ("naive", "absorbed", "latent")

    @cached_property
    def indexer(self) -> Indexer | None:
        """The indexer that selects keys, where the model has one."""
        if self.spec.indexer is None:
            return None
        from dsv3calc.model.attention.indexer import Indexer  # few models have one

        return Indexer(self)

    def make_tensors(self) -> Iterator[Tensor]:
        """List the projections to and from the latents, their norms, and the indexer's tensors."""
        hidden, prefix = self.hidden, self.prefix
        queries = computed(f"{prefix}.query_width", attention.mla_query_width, self.scope)
        down = computed(f"{prefix}.kv_down_width", attention.mla_kv_down_width, self.scope)
        up = computed(f"{prefix}.kv_up_width", attention.mla_kv_up_width, self.scope)
        values = self._heads_width(f"{prefix}.value_width", "v_head_dim")
        latent = self.field("kv_lora_rank")
        whole: dict[str, Any] = {"division": "replicated"}
        bias: dict[str, Any] = {"weight_class": "biases", "division": "replicated"}
        biased = self.spec.attention_bias
        if self.spec.q_lora_rank is None:
            yield self.tensor("q_proj", "attention", queries, hidden)
        else:
            rank = self.field("q_lora_rank")
            yield self.tensor("q_a_proj", "attention", rank, hidden, **whole)
            yield self.tensor("q_a_layernorm", "norms", rank, **whole)
            yield self.tensor("q_b_proj", "attention", queries, rank)
            if biased:
                yield self.tensor("q_a_proj.bias", "attention", rank, **bias)
        own = self.spec.latent == "own"
        if own:
            yield self.tensor("kv_a_proj_with_mqa", "attention", down, hidden, **whole)
            yield self.tensor("kv_a_layernorm", "norms", latent, **whole)
        yield self.tensor("kv_b_proj", "attention", up, latent)
        yield from gate_tensor(self, values)
        yield self.tensor("o_proj", "attention", hidden, values)
        if biased and own:
            yield self.tensor("kv_a_proj_with_mqa.bias", "attention", down, **bias)
        if biased:
            yield self.tensor("o_proj.bias", "attention", hidden, **bias)
        if self.spec.score_scaling:
            yield score_scaling(self, "score_scaling", "attention", self.heads)
        if self.indexer is not None:
            yield from self.indexer.tensors()

    def make_operators(self, form: str) -> Iterator[Operator]:
        """List projections, norms, rotation, indexer, core and output projection."""
        yield from self._query_operators()
        if self.spec.latent == "own":
            yield projection(
                self,
                "kv_a_proj_with_mqa",
                kernel=_DOWN,
                output=lambda _: Product(
                    "kv_a_proj_with_mqa",
                    computed(self.width("kv_down"), attention.mla_kv_down_width, self.scope),
                    "block",
                ),
            )
            yield latent_norm(self, "kv_a_layernorm", "kv_latent")
        if form == "absorbed":
            yield self._absorbed("absorb_q", "qk_nope_head_dim")
        else:
            yield projection(
                self,
                "kv_b_proj",
                rows="context" if form == "latent" else "tokens",
                saves=self._expansion_input,
                output=lambda _: Product("kv_b_proj", self._saved_widths["kv_up"], "split"),
            )
        queries = self._query_tensor.out_features
        rotated = (queries, self.field("qk_rope_head_dim"))
        yield Operator(
            "rotary",
            PASS,
            "attention_core",
            reads=rotated,
            writes=rotated,
            saves=self._rotated,
            division="split",
            linear=True,
        )
        if self.indexer is not None:
            yield from self.indexer.operators()
        scaling = self.weights("score_scaling")
        yield attention_core(self, self._core(form), lambda: self._saved_widths["values"], scaling)
        if form == "absorbed":
            yield self._absorbed("absorb_o", "v_head_dim")
        yield from gate_operators(self, lambda: self._saved_widths["values"])
        yield projection(
            self,
            "o_proj",
            output=lambda _: Product("o_proj", self.hidden, "block"),
            after=("tp",),
        )

    def _query_operators(self) -> Iterator[Operator]:
        first: dict[str, Any] = {
            "saves": projections_input(self),
            "before": ("tp",),
            "kernel": _DOWN,
        }
        if self.spec.q_lora_rank is None:
            yield projection(self, "q_proj", output=self._query_output, **first)
            return
        rank = self.field("q_lora_rank")
        yield projection(
            self, "q_a_proj", output=lambda _: Product("q_a_proj", rank, "block"), **first
        )
        yield latent_norm(self, "q_a_layernorm", "q_latent")
        yield projection(
            self,
            "q_b_proj",
            saves=lambda _: (Activation("q_latent_normed", rank, "block", _UP, linear_input=True),),
            output=self._query_output,
        )

    def _absorbed(self, name: str, channels: str) -> Operator:
        """Return the product of each head with its half of the matrix that expands the latent."""
        half = self.tensor(
            name,
            "attention",
            self.field(channels),
            self.field("kv_lora_rank"),
            copies=self.heads,
        )
        return Operator(name, GROUPED, PROJECTIONS, [half])

    def _core(self, form: str) -> Core:
        rope = self.field("qk_rope_head_dim")
        name = f"{self.prefix}.score_channels"
        if form == "absorbed":
            latent = self.field("kv_lora_rank")
            return Core(self.heads, {"scores": total(name, (latent, rope)), "values": latent})
        scores = total(name, (self.field("qk_nope_head_dim"), rope))
        return Core(self.heads, {"scores": scores, "values": self.field("v_head_dim")})

    @property
    def _query_tensor(self) -> Tensor:
        return self.weights("q_proj", "q_b_proj")[0]

    @property
    def expansion(self) -> Tensor:
        """The matrix that expands the latent to keys and values."""
        return self.weights("kv_b_proj")[0]

    def _heads_width(self, name: str, channels: str) -> Line:
        return computed(
            name, attention.heads_width, heads=self.heads, head_dim=self.field(channels)
        )

    @cached_property
    def _saved_widths(self) -> dict[str, Line]:
        return {
            "queries": computed(self.width("queries"), attention.mla_query_width, self.scope),
            "values": self._heads_width(self.width("values"), "v_head_dim"),
            "kv_up": computed(self.width("kv_up"), attention.mla_kv_up_width, self.scope),
        }

    def _query_output(self, _: Saving) -> Product:
        return Product("q_b_proj", self._saved_widths["queries"], "split")

    def _expansion_input(self, _: Saving) -> Iterator[Activation]:
        latent = self.field("kv_lora_rank")
        yield Activation("kv_latent_normed", latent, "block", _UP, linear_input=True)

    def _rotated(self, _: Saving) -> Iterator[Activation]:
        queries, values = self._saved_widths["queries"], self._saved_widths["values"]
        if self.spec.qk_rope_head_dim:
            yield Activation("rope_key", self.field("qk_rope_head_dim"), "whole", needed_by=_UP)
        yield Activation("queries", queries, "split", _UP)
        yield Activation("keys", queries, "split", _UP, carried=True)
        yield Activation("values", values, "split", _UP, carried=True)

    def span(self, conventions: Conventions) -> tuple[str, Line | None]:
        """Return the keys that the indexer selects, or all of them."""
        if self.indexer is not None and conventions.sparse_attention == "selected":
            return "selected", self.indexer.topk
        return "full", None

    def make_cache(self, form: str) -> list[CacheEntry]:
        """List the latent with the rotary key, or what is expanded from it; the indexer's key."""
        rope = self.field("qk_rope_head_dim")
        if form == "naive":
            name = f"kv_cache.entry.{self.prefix}.key_channels"
            keys = total(name, (self.field("qk_nope_head_dim"), rope))
            values = self.field("v_head_dim")
            parts = [
                CachePart("keys", self.heads, keys),
                CachePart("values", self.heads, values),
            ]
            entries = [CacheEntry("attention", parts, "split")]
        else:
            parts = [CachePart("latent", ONE, self.field("kv_lora_rank"))]
            if self.spec.qk_rope_head_dim:
                parts.append(CachePart("rope", ONE, rope, "rope"))
            entries = [CacheEntry("attention", parts, "replicated")]
        if self.spec.latent != "own":
            entries = []
        return entries + ([] if self.indexer is None else self.indexer.cache())

    def context_widths(self, form: str) -> dict[str, Held]:
        """Return queries with outputs, and keys with values or the latent."""
        nope, rope = self.field("qk_nope_head_dim"), self.field("qk_rope_head_dim")
        every = [nope, rope, self.field("v_head_dim")]
        queries = Held(self.heads, every)
        if form == "latent":
            return {"queries": queries, "latent": Held(None, [self.field("kv_lora_rank"), rope])}
        return {"queries": queries, "keys": Held(self.heads, every)}

    def query_parts(self, tensor: Tensor) -> list[Tensor]:
        """Divide the query up-projection into the parts without and with rotation."""
        if tensor is not self._query_tensor:
            return [tensor]
        return [
            tensor.changed(
                name=f"{tensor.name}{ending}",
                out_features=self._heads_width(f"memory.layer.{self.prefix}.{part}_width", part),
                division=division,
            )
            for part, ending, division in (
                ("qk_nope_head_dim", "", "split"),
                ("qk_rope_head_dim", ROPE, "replicated"),
            )
        ]

    def regrouped(self, heads: int) -> GQA:
        """Return grouped-query attention of the same heads.

        Raises
        ------
        UsageError
            If keys and values differ in width.
        """
        attend = self.spec
        if attend.qk_nope_head_dim != attend.v_head_dim:
            raise UsageError(
                f"a head's key has {attend.qk_nope_head_dim} "
                f"channels and its value {attend.v_head_dim}: GQA has one head_dim for both"
            )
        return GQA(
            num_attention_heads=attend.num_attention_heads,
            num_key_value_heads=heads,
            head_dim=attend.v_head_dim,
            attention_bias=attend.attention_bias,
            output_bias=attend.attention_bias,
        )
