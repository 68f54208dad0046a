"""The lightning indexer of DeepSeek Sparse Attention: it scores every key and keeps the best."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas import attention
from dsv3calc.ledger.line import Line, combined, computed, field, given
from dsv3calc.model.block import CacheEntry, CachePart
from dsv3calc.model.operator import CORE, ONE, PASS, PRODUCT, Core, Operator
from dsv3calc.model.saved import FP32, Activation, Saving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.block import Attention
    from dsv3calc.model.operator import Tensor

_COMPONENT = "indexer"


class Indexer:
    """The indexer of an attention whose struct has one.

    Its forward pass alone is counted: its loss is its own, and no gradient passes on.
    """

    def __init__(self, attention: Attention) -> None:
        self.attention = attention
        self.scope = (f"{attention.scope[0]}.indexer", attention.spec.indexer)
        self.topk = field(self.scope, "index_topk", "tokens")
        self._heads = field(self.scope, "index_n_heads", "1")
        self._head_dim = field(self.scope, "index_head_dim")

    def tensors(self) -> Iterator[Tensor]:
        """List the projections of queries, keys and weights, and the norm of the keys."""
        owner = self.attention
        width = computed(
            f"{owner.prefix}.indexer_width",
            attention.heads_width,
            heads=self._heads,
            head_dim=self._head_dim,
        )
        shapes: tuple[tuple[str, Line, Line, str], ...] = (
            ("wq_b", width, owner.field("q_lora_rank"), ""),
            ("wk", self._head_dim, owner.hidden, ""),
            ("weights_proj", self._heads, owner.hidden, "indexer_weights"),
        )
        for name, out_features, in_features, weight_class in shapes:
            yield owner.tensor(
                name,
                _COMPONENT,
                out_features,
                in_features,
                weight_class=weight_class,
                division="replicated",
            )
        vectors = given(
            "layer_norm_vectors", 2, "1", "the indexer's key norm has a weight and a bias"
        )
        yield owner.tensor(
            "indexer_k_norm", "norms", self._head_dim, copies=vectors, division="replicated"
        )

    def operators(self) -> Iterator[Operator]:
        """List its projections, the norm of its keys, and its core, which meets every key."""
        weights = self.attention.weights
        for name in ("wq_b", "wk", "weights_proj"):
            yield Operator(name, PRODUCT, _COMPONENT, weights(name), trained=False)
        width = (self._head_dim,)
        yield Operator(
            "indexer_k_norm",
            PASS,
            "norms",
            weights("indexer_k_norm"),
            reads=width,
            writes=width,
            trained=False,
        )
        channels = computed(
            f"{self.attention.prefix}.indexer_channels", attention.indexer_channels, self.scope
        )
        yield Operator(
            "indexer_core",
            CORE,
            _COMPONENT,
            core=Core(self._heads, {"core": channels}, every_key=True),
            saves=self._saved,
            trained=False,
        )

    def _saved(self, _: Saving) -> Iterator[Activation]:
        queries = combined(
            self.attention.width("index_queries"),
            "product",
            (self._heads, self._head_dim),
            unit="elements",
        )
        yield Activation("index_queries", queries, "block")
        yield Activation("index_keys", self._head_dim, "block")
        yield Activation("index_weights", field(self.scope, "index_n_heads"), "block")
        chosen = field(self.scope, "index_topk", "elements")
        yield Activation("selected_keys", chosen, "block", bits=FP32)

    def cache(self) -> CacheEntry:
        """Return the key of a token: one for all heads of the indexer."""
        part = CachePart("indexer_bytes", ONE, self._head_dim, "indexer")
        return CacheEntry("indexer", [part], "replicated")
