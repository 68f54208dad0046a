"""Grouped-query attention, with multi-head and multi-query attention as its ends."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.formulas import attention, kv_cache
from dsv3calc.ledger.line import Line, computed
from dsv3calc.model.attention.core import attention_core, projections_input
from dsv3calc.model.block import Attention, CacheEntry, CachePart, Held
from dsv3calc.model.operator import PASS, PRODUCT, Core, Operator
from dsv3calc.model.saved import Activation, Product, Saving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.model import GQA
    from dsv3calc.schema.workload import Conventions

_PROJECTIONS = "attention_projections"
_BOUNDS = {"sliding": "sliding_window", "chunked": "attention_chunk_size"}


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
        shapes = (
            ("q_proj", queries, "split"),
            ("k_proj", keys, "key_value"),
            ("v_proj", keys, "key_value"),
        )
        for name, width, division in shapes:
            yield self.tensor(name, "attention", width, hidden, division=division)
        yield self.tensor("o_proj", "attention", hidden, queries)
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
            for name, width in (("q_norm", queries), ("k_norm", keys)):
                yield self.tensor(
                    name, "norms", head_dim if per_head else width, division="replicated"
                )

    def make_operators(self, form: str) -> Iterator[Operator]:
        """List projections, norms of queries and keys, rotation, core and output projection."""
        for name, place in (("q_proj", "split"), ("k_proj", "key_value"), ("v_proj", "key_value")):
            first = name == "q_proj"
            yield Operator(
                name,
                PRODUCT,
                _PROJECTIONS,
                self.weights(name),
                saves=projections_input(self) if first else lambda _: (),
                output=lambda _, name=name, place=place: Product(  # type: ignore[misc] # bound early
                    name, self._saved_widths[place], place
                ),
                before=("tp",) if first else (),
            )
        normed = (self.weights("q_proj")[0].out_features, self.weights("k_proj")[0].out_features)
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
            )
        yield Operator(
            "rotary", PASS, "attention_core", reads=normed, writes=normed, saves=self._rotated
        )
        channels = self.field("head_dim")
        core = Core(self.heads, {"scores": channels, "values": channels})
        sinks = self.weights("sinks")
        yield attention_core(self, core, lambda: self._saved_widths["split"], sinks)
        yield Operator(
            "o_proj",
            PRODUCT,
            _PROJECTIONS,
            self.weights("o_proj"),
            output=lambda _: Product("o_proj", self.hidden, "block"),
            after=("tp",),
        )

    def _heads_width(self, name: str, heads: Line) -> Line:
        return computed(name, attention.heads_width, heads=heads, head_dim=self.field("head_dim"))

    @cached_property
    def _saved_widths(self) -> dict[str, Line]:
        """The widths of all queries and of all keys, by how they are divided."""
        return {
            "split": self._heads_width(self.width("queries"), self.heads),
            "key_value": self._heads_width(self.width("keys"), self.key_value_heads),
        }

    def _norm_inputs(self, _: Saving) -> Iterator[Activation]:
        yield Activation("query_norm_input", self._saved_widths["split"], "split")
        yield Activation("key_norm_input", self._saved_widths["key_value"], "key_value")

    def _rotated(self, _: Saving) -> Iterator[Activation]:
        yield Activation("queries", self._saved_widths["split"], "split")
        for name in ("keys", "values"):
            yield Activation(name, self._saved_widths["key_value"], "key_value", carried=True)

    @property
    def key_value_heads(self) -> Line:
        """The heads that groups of queries share."""
        return self.field("num_key_value_heads", "1")

    @property
    def _bound(self) -> Line | None:
        name = _BOUNDS.get(self.spec.span)
        return None if name is None else self.field(name, "tokens")

    def span(self, conventions: Conventions) -> tuple[str, Line | None]:
        """Return the span and its window or chunk."""
        return self.spec.span, self._bound

    def make_cache(self, form: str) -> list[CacheEntry]:
        """List the keys and values of a token."""
        vectors = computed(
            f"kv_cache.entry.{self.prefix}.vectors", kv_cache.cached_vectors, self.scope
        )
        parts = [CachePart("bytes", vectors, self.field("head_dim"))]
        return [CacheEntry("attention", parts, "key_value", self._bound)]

    def context_widths(self, form: str) -> dict[str, Held]:
        """Return queries with outputs, and keys with values."""
        both = [self.field("head_dim"), self.field("head_dim")]
        return {
            "queries": Held(self.heads, both),
            "keys": Held(self.key_value_heads, both, grouped=True),
        }

    def regrouped(self, heads: int) -> GQA:
        """Return the same attention with another number of key-value heads."""
        return msgspec.structs.replace(self.spec, num_key_value_heads=heads)
