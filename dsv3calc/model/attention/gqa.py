"""Grouped-query attention, with multi-head and multi-query attention as its ends."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.formulas import attention, kv_cache
from dsv3calc.ledger.line import Line, computed
from dsv3calc.model.attention.core import (
    PROJECTIONS,
    attention_core,
    gate_operators,
    gate_tensor,
    projections_input,
)
from dsv3calc.model.block import Attention, CacheEntry, CachePart, Held
from dsv3calc.model.operator import PASS, PRODUCT, Core, Operator
from dsv3calc.model.saved import Activation, Product, Saving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.attention.block_indexer import BlockIndexer
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.model import GQA
    from dsv3calc.schema.workload import Conventions

_BOUNDS = {"sliding": "sliding_window", "chunked": "attention_chunk_size"}
_PROJECTED = {
    "own": ("q_proj", "k_proj", "v_proj"),
    "projected-as-keys": ("q_proj", "k_proj"),
    "earlier-layer": ("q_proj",),
}
"""Where keys and values come from -> the projections of the input."""
_SAVED_AS = {
    "q_proj": ("queries", "split"),
    "k_proj": ("keys", "key_value"),
    "v_proj": ("values", "key_value"),
}
"""Projection -> its width, and how it is divided."""


class Kind(Attention):
    """Grouped-query attention of one layer group."""

    spec: GQA
    joined = ("q_proj", "k_proj", "v_proj")

    def make_tensors(self) -> Iterator[Tensor]:
        """List projections, their biases, sinks, and norms of queries and keys."""
        attend, hidden = self.spec, self.hidden
        head_dim = self.field("head_dim")
        queries = self._heads_width(f"{self.prefix}.query_width", self.heads)
        keys = self._heads_width(f"{self.prefix}.key_value_width", self.key_value_heads)
        values, outputs = keys, queries
        if attend.v_head_dim is not None:
            dim = self.value_dim
            values = self._heads_width(f"{self.prefix}.value_width", self.key_value_heads, dim)
            outputs = self._heads_width(f"{self.prefix}.output_width", self.heads, dim)
        every = {
            "q_proj": ("q_proj", queries, "split"),
            "k_proj": ("k_proj", keys, "key_value"),
            "v_proj": ("v_proj", values, "key_value"),
        }
        shapes = [every[name] for name in self._projections]
        for name, width, division in shapes:
            yield self.tensor(name, "attention", width, hidden, division=division)
        yield from gate_tensor(self, outputs)
        yield self.tensor("o_proj", "attention", hidden, outputs)
        if attend.output_gate == "channel":
            shapes = [*shapes, ("output_gate", outputs, "split")]
        for name, width, division in shapes if attend.attention_bias else ():
            yield self.tensor(
                f"{name}.bias", "attention", width, weight_class="biases", division=division
            )
        if attend.output_bias:
            yield self.tensor(
                "o_proj.bias", "attention", hidden, weight_class="biases", division="replicated"
            )
        if attend.attention_sinks:
            yield self.tensor("sinks", "attention", self.heads, weight_class="biases")
        if attend.qk_norm != "none":
            per_head = attend.qk_norm == "head"
            for name, width in (("q_norm", queries), ("k_norm", keys))[: 1 + self._has_keys]:
                yield self.tensor(
                    name, "norms", head_dim if per_head else width, division="replicated"
                )
        if self.indexer is not None:
            yield from self.indexer.tensors()

    def make_operators(self, form: str) -> Iterator[Operator]:
        """List projections, norms of queries and keys, rotation, core and output projection."""
        for name in self._projections:
            first = name == "q_proj"
            place = _SAVED_AS[name]
            yield Operator(
                name,
                PRODUCT,
                PROJECTIONS,
                self.weights(name),
                saves=projections_input(self) if first else lambda _: (),
                output=lambda _, name=name, place=place: Product(  # type: ignore[misc] # bound early
                    name, self._saved_widths[place[0]], place[1]
                ),
                before=("tp",) if first else (),
                kernel="qkv_proj",
            )
        normed = tuple(
            self.weights(name)[0].out_features
            for name in ("q_proj", "k_proj")[: 1 + self._has_keys]
        )
        if self.spec.qk_norm != "none":
            norms = self.weights("q_norm", "k_norm")
            yield Operator(
                "qk_norm",
                PASS,
                "norms",
                norms,
                reads=normed,
                writes=normed,
                saves=self._norm_inputs,
                division="split",
            )
        yield Operator(
            "rotary",
            PASS,
            "attention_core",
            reads=normed,
            writes=normed,
            saves=self._rotated,
            division="split",
            linear=True,
        )
        if self.indexer is not None:
            yield from self.indexer.operators()
        core = Core(self.heads, {"scores": self.field("head_dim"), "values": self.value_dim})
        sinks = self.weights("sinks")
        yield attention_core(self, core, lambda: self._saved_widths["outputs"], sinks)
        yield from gate_operators(self, lambda: self._saved_widths["outputs"])
        yield Operator(
            "o_proj",
            PRODUCT,
            PROJECTIONS,
            self.weights("o_proj"),
            output=lambda _: Product("o_proj", self.hidden, "block"),
            after=("tp",),
        )

    def _heads_width(self, name: str, heads: Line, head_dim: Line | None = None) -> Line:
        head_dim = self.field("head_dim") if head_dim is None else head_dim
        return computed(name, attention.heads_width, heads=heads, head_dim=head_dim)

    @property
    def value_dim(self) -> Line:
        """The channels of a value."""
        return self.field("head_dim" if self.spec.v_head_dim is None else "v_head_dim")

    @property
    def _has_keys(self) -> bool:
        """Whether keys and values are the layer's own."""
        return self.spec.key_values != "earlier-layer"

    @property
    def _projections(self) -> tuple[str, ...]:
        return _PROJECTED[self.spec.key_values]

    @cached_property
    def indexer(self) -> BlockIndexer | None:
        """The indexer that selects blocks of keys, where the model has one."""
        if self.spec.indexer is None:
            return None
        from dsv3calc.model.attention.block_indexer import BlockIndexer  # few models have one

        return BlockIndexer(self)

    @cached_property
    def _saved_widths(self) -> dict[str, Line]:
        """The widths of all queries, keys, values and outputs."""
        widths = {
            "queries": self._heads_width(self.width("queries"), self.heads),
            "keys": self._heads_width(self.width("keys"), self.key_value_heads),
        }
        widths |= {"outputs": widths["queries"], "values": widths["keys"]}
        if self.spec.v_head_dim is not None:
            for name, heads in (("outputs", self.heads), ("values", self.key_value_heads)):
                widths[name] = self._heads_width(self.width(name), heads, self.value_dim)
        return widths

    def _norm_inputs(self, _: Saving) -> Iterator[Activation]:
        yield Activation("query_norm_input", self._saved_widths["queries"], "split")
        if self._has_keys:
            yield Activation("key_norm_input", self._saved_widths["keys"], "key_value")

    def _rotated(self, _: Saving) -> Iterator[Activation]:
        yield Activation("queries", self._saved_widths["queries"], "split")
        for name in ("keys", "values") if self._has_keys else ():
            yield Activation(name, self._saved_widths[name], "key_value", carried=True)

    @property
    def key_value_heads(self) -> Line:
        """The heads that groups of queries share."""
        return self.field("num_key_value_heads", "1")

    @property
    def _bound(self) -> Line | None:
        name = _BOUNDS.get(self.spec.span)
        return None if name is None else self.field(name, "tokens")

    def span(self, conventions: Conventions) -> tuple[str, Line | None]:
        """Return the span and its window or chunk, or the keys that the indexer selects."""
        if self.indexer is not None and conventions.sparse_attention == "selected":
            return "selected", self.indexer.topk
        return self.spec.span, self._bound

    def make_cache(self, form: str) -> list[CacheEntry]:
        """List the keys and values of a token, and the indexer's key."""
        if not self._has_keys:
            return []
        if self.spec.v_head_dim is None:
            vectors = computed(
                f"kv_cache.entry.{self.prefix}.vectors", kv_cache.cached_vectors, self.scope
            )
            parts = [CachePart("bytes", vectors, self.field("head_dim"))]
        else:
            parts = [
                CachePart("keys", self.key_value_heads, self.field("head_dim")),
                CachePart("values", self.key_value_heads, self.value_dim),
            ]
        entries = [CacheEntry("attention", parts, "key_value", self._bound)]
        return entries + ([] if self.indexer is None else self.indexer.cache())

    def context_widths(self, form: str) -> dict[str, Held]:
        """Return queries with outputs, and keys with values."""
        both = [self.field("head_dim"), self.value_dim]
        return {
            "queries": Held(self.heads, both),
            "keys": Held(self.key_value_heads, both, grouped=True),
        }

    def regrouped(self, heads: int) -> GQA:
        """Return the same attention with another number of key-value heads."""
        return msgspec.structs.replace(self.spec, num_key_value_heads=heads)
