"""The lightning indexer of DeepSeek Sparse Attention: it scores every key and keeps the best."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import attention
from dsv3calc.ledger.line import Line, combined, computed, field, given
from dsv3calc.model.attention.core import score_scaling
from dsv3calc.model.block import CacheEntry, CachePart
from dsv3calc.model.operator import CORE, ONE, PASS, PRODUCT, Core, Operator
from dsv3calc.model.saved import FP32, Activation, Saving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.block import Attention
    from dsv3calc.model.operator import Tensor

COMPONENT = "indexer"
WHOLE: dict[str, Any] = {"division": "replicated"}


class Indexer:
    """The indexer of an attention whose struct has one.

    Its forward pass alone is counted: its loss is its own, and no gradient passes on. One that is
    shared has nothing of its own: the keys are those that an earlier layer's selected.
    """

    def __init__(self, attention: Attention) -> None:
        self.attention = attention
        self.spec = attention.spec.indexer
        self.scope = (f"{attention.scope[0]}.indexer", self.spec)
        self.heads = field(self.scope, "index_n_heads", "1")
        self.head_dim = field(self.scope, "index_head_dim")

    @cached_property
    def topk(self) -> Line:
        """The keys that are kept."""
        return field(self.scope, "index_topk", "tokens")

    @property
    def shared(self) -> bool:
        """Whether the keys are those that an earlier layer selected."""
        return bool(self.spec.shared)

    @property
    def width(self) -> Line:
        """The width of the queries of all heads."""
        name = f"{self.attention.prefix}.indexer_width"
        return computed(name, attention.heads_width, heads=self.heads, head_dim=self.head_dim)

    def tensors(self) -> Iterator[Tensor]:
        """List the projections of queries, keys and weights, and the norm of the keys."""
        if self.shared:
            return
        owner = self.attention
        source = owner.hidden if self.spec.reads_hidden else owner.field("q_lora_rank")
        shapes: tuple[tuple[str, Line, Line, str], ...] = (
            ("wq_b", self.width, source, ""),
            ("wk", self.head_dim, owner.hidden, ""),
            ("weights_proj", self.heads, owner.hidden, "indexer_weights"),
        )
        for name, out_features, in_features, weight_class in shapes:
            yield owner.tensor(
                name, COMPONENT, out_features, in_features, weight_class=weight_class, **WHOLE
            )
        vectors = given(
            "layer_norm_vectors", 2, "1", "the indexer's key norm has a weight and a bias"
        )
        yield owner.tensor("indexer_k_norm", "norms", self.head_dim, copies=vectors, **WHOLE)
        if self.spec.reads_hidden:
            yield owner.tensor("indexer_q_norm", "norms", owner.hidden, copies=vectors, **WHOLE)
        if self.spec.score_scaling:
            yield score_scaling(owner, "indexer_score_scaling", COMPONENT, self.heads, **WHOLE)

    def operators(self) -> Iterator[Operator]:
        """List its projections, the norms of what it reads, and its core, which meets every key."""
        if self.shared:
            return
        owner = self.attention
        if self.spec.reads_hidden:
            yield self._norm("indexer_q_norm", owner.hidden)
        for name in ("wq_b", "wk", "weights_proj"):
            yield Operator(name, PRODUCT, COMPONENT, owner.weights(name), trained=False)
        yield self._norm("indexer_k_norm", self.head_dim)
        channels = computed(
            f"{owner.prefix}.indexer_channels", attention.indexer_channels, self.scope
        )
        yield Operator(
            "indexer_core",
            CORE,
            COMPONENT,
            owner.weights("indexer_score_scaling"),
            core=Core(self.heads, {"core": channels}, every_key=True),
            saves=self.saved,
            trained=False,
        )

    def _norm(self, name: str, width: Line) -> Operator:
        weights = self.attention.weights(name)
        return Operator(
            name, PASS, "norms", weights, reads=(width,), writes=(width,), trained=False
        )

    def saved(self, _: Saving) -> Iterator[Activation]:
        """List what its core keeps: queries, keys, weights, and the places of the chosen keys."""
        queries = combined(
            self.attention.width("index_queries"),
            "product",
            (self.heads, self.head_dim),
            unit="elements",
        )
        yield Activation("index_queries", queries, "block")
        yield Activation("index_keys", self.head_dim, "block")
        yield Activation("index_weights", field(self.scope, "index_n_heads"), "block")
        chosen = field(self.scope, "index_topk", "elements")
        yield Activation("selected_keys", chosen, "block", bits=FP32)

    def cache(self) -> list[CacheEntry]:
        """List the key of a token, one for all heads; none where another layer's is used."""
        if self.shared:
            return []
        part = CachePart("indexer_bytes", ONE, self.head_dim, "indexer")
        return [CacheEntry("indexer", [part], "replicated")]
