"""DeepSeek-V4's attention: a window of tokens, and compressed entries of all that came before."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import attention
from dsv3calc.ledger.line import Line, combined, computed
from dsv3calc.model.attention.compressor import Compressor
from dsv3calc.model.attention.core import (
    PROJECTIONS,
    attention_core,
    latent_norm,
    projection,
    projections_input,
)
from dsv3calc.model.block import Attention, CacheEntry, CachePart, StatePart
from dsv3calc.model.operator import CORE, GROUPED, ONE, PASS, Core, Operator
from dsv3calc.model.saved import Activation, Product, Saving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.attention.entry_indexer import EntryIndexer
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.sparse_attention import Compressed
    from dsv3calc.schema.workload import Conventions


class Kind(Attention):
    """Compressed attention of one layer group; without a ratio, the window alone."""

    spec: Compressed

    @cached_property
    def indexer(self) -> EntryIndexer | None:
        """The indexer that selects compressed entries, where the layer has one."""
        if self.spec.indexer is None:
            return None
        from dsv3calc.model.attention.entry_indexer import EntryIndexer  # not every layer has one

        return EntryIndexer(self, self.ratio)

    context_is_known = False  # none has published how entries of blocks are exchanged

    @cached_property
    def compressor(self) -> Compressor | None:
        """What makes compressed entries of tokens, where the layer has any."""
        if self.spec.compress_ratio is None:
            return None
        return Compressor(self, "compressor", self.field("head_dim"), self.ratio)

    def make_tensors(self) -> Iterator[Tensor]:
        """List projections, norms and sinks, those of the compressor, and those of the indexer."""
        hidden, prefix = self.hidden, self.prefix
        whole: dict[str, Any] = {"division": "replicated"}
        rank, entry = self.field("q_lora_rank"), self.field("head_dim")
        queries = self._queries(f"{prefix}.query_width")
        groups, low = self.field("o_groups", "1"), self.field("o_lora_rank")
        group = combined(f"{prefix}.output_group_width", "ratio", (queries, groups))
        latent = combined(f"{prefix}.output_latent_width", "product", (low, groups))
        yield self.tensor("q_a_proj", "attention", rank, hidden, **whole)
        yield self.tensor("q_a_layernorm", "norms", rank, **whole)
        yield self.tensor("q_b_proj", "attention", queries, rank)
        yield self.tensor("kv_proj", "attention", entry, hidden, **whole)
        yield self.tensor("kv_layernorm", "norms", entry, **whole)
        yield self.tensor("sinks", "attention", self.heads, weight_class="biases")
        yield self.tensor("o_a_proj", "attention", low, group, copies=groups)
        yield self.tensor("o_b_proj", "attention", hidden, latent)
        if self.compressor is not None:
            yield from self.compressor.tensors()
        if self.indexer is not None:
            yield from self.indexer.tensors()

    def make_operators(self, form: str) -> Iterator[Operator]:
        """List projections, compressor, indexer, the core over both kinds of keys, and outputs."""
        rank, entry = self.field("q_lora_rank"), self.field("head_dim")
        queries = self._queries(self.width("queries"))
        yield projection(
            self,
            "q_a_proj",
            saves=projections_input(self),
            output=lambda _: Product("q_a_proj", rank, "block"),
            before=("tp",),
        )
        yield latent_norm(self, "q_a_layernorm", "q_latent")
        yield projection(
            self,
            "q_b_proj",
            saves=lambda _: (Activation("q_latent_normed", rank, "block", linear_input=True),),
            output=lambda _: Product("q_b_proj", queries, "split"),
        )
        yield projection(self, "kv_proj", output=lambda _: Product("kv_proj", entry, "block"))
        yield latent_norm(self, "kv_layernorm", "kv_latent")
        rotated = (queries, entry)
        yield Operator(
            "rotary", PASS, "attention_core", reads=rotated, writes=rotated, saves=self._rotated
        )
        if self.compressor is not None:
            yield from self.compressor.operators()
        if self.indexer is not None:
            yield from self.indexer.operators()
        core = Core(self.heads, {"scores": entry, "values": entry})
        yield attention_core(self, core, lambda: queries, self.weights("sinks"))
        if self.compressor is not None:
            parts = {"compressed_scores": entry, "compressed_values": entry}
            core = Core(self.heads, parts, span=self._entry_span)
            yield Operator("compressed_core", CORE, "attention_core", core=core)
        yield Operator(
            "o_a_proj",
            GROUPED,
            PROJECTIONS,
            self.weights("o_a_proj"),
            output=lambda _: Product("o_a_proj", self._latent, "split"),
        )
        yield projection(
            self,
            "o_b_proj",
            saves=lambda _: (Activation("o_latent", self._latent, "split", linear_input=True),),
            output=lambda _: Product("o_b_proj", self.hidden, "block"),
            after=("tp",),
        )

    def _queries(self, name: str) -> Line:
        return computed(
            name, attention.heads_width, heads=self.heads, head_dim=self.field("head_dim")
        )

    @cached_property
    def _latent(self) -> Line:
        parts = (self.field("o_lora_rank"), self.field("o_groups", "1"))
        return combined(self.width("o_latent"), "product", parts)

    def _rotated(self, _: Saving) -> Iterator[Activation]:
        yield Activation("query_norm_input", self._queries(self.width("queries")), "split")
        yield Activation("queries", self._queries(self.width("queries")), "split")
        yield Activation("keys", self.field("head_dim"), "whole", carried=True)

    @property
    def ratio(self) -> Line:
        """The tokens that a compressed entry stands for."""
        return self.field("compress_ratio", "tokens")

    def _entry_span(self, conventions: Conventions) -> tuple[str, dict[str, Line]]:
        """Return which compressed entries a query meets."""
        if self.indexer is not None and conventions.sparse_attention == "selected":
            topk = self.indexer.topk
            return "selected-entries", {"compress_ratio": self.ratio, "index_topk": topk}
        return "compressed", {"compress_ratio": self.ratio}

    def span(self, conventions: Conventions) -> tuple[str, Line | None]:
        """Return the window that a query sees beside the compressed entries."""
        return "sliding", self.field("sliding_window", "tokens")

    def make_cache(self, form: str) -> list[CacheEntry]:
        """List a token's vector in the window, its compressed entry, and the indexer's."""
        window = self.field("sliding_window", "tokens")
        entries = [CacheEntry("attention", self._parts(""), "replicated", window)]
        if self.compressor is not None:
            topk = None if self.indexer is None else self.indexer.topk
            parts = self._parts("compressed_")
            entries.append(
                CacheEntry("compressed", parts, "replicated", ratio=self.ratio, selected=topk)
            )
        return entries + ([] if self.indexer is None else self.indexer.cache())

    def kept_by_library(self) -> list[CacheEntry]:
        """List what transformers keeps beside: values apart without compression, and blocks."""
        if self.compressor is None:
            window = self.field("sliding_window", "tokens")
            return [CacheEntry("values", self._parts("value_"), "replicated", window)]
        found = self.compressor.kept_by_library()
        return found + ([] if self.indexer is None else self.indexer.compressor.kept_by_library())

    def make_state(self) -> list[StatePart]:
        """List the tokens of the block that is being compressed, and of the one before it."""
        if self.compressor is None:
            return []
        found = [self.compressor.state()]
        return found + ([] if self.indexer is None else [self.indexer.compressor.state()])

    def _parts(self, prefix: str) -> list[CachePart]:
        """Return the two parts of a vector, without and with rotation."""
        rope = self.field("qk_rope_head_dim")
        name = f"kv_cache.entry.{self.prefix}.{prefix}nope_channels"
        nope = combined(name, "difference", (self.field("head_dim"), rope))
        return [
            CachePart(f"{prefix}latent", ONE, nope),
            CachePart(f"{prefix}rope", ONE, rope, "rope"),
        ]
