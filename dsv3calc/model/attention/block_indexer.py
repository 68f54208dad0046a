"""An indexer that selects blocks of keys for grouped-query attention, as MiniMax-M3's does."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dsv3calc.ledger.line import Line, combined, field
from dsv3calc.model.attention.indexer import COMPONENT, WHOLE, Indexer
from dsv3calc.model.operator import CORE, PASS, PRODUCT, Core, Operator
from dsv3calc.model.saved import FP32, Activation, Saving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor

_PROJECTIONS = ("index_q_proj", "index_k_proj")
_NORMS = ("index_q_norm", "index_k_norm")


class BlockIndexer(Indexer):
    """The indexer of one layer group: it scores every key, and keeps the blocks of the best.

    Its heads' scores are not weighted, and each key-value head has a selection of its own.
    """

    shared = False

    @cached_property
    def topk(self) -> Line:
        """The keys of the blocks that are kept."""
        blocks = field(self.scope, "index_topk_blocks", "1")
        size = field(self.scope, "index_block_size", "tokens")
        return combined(
            f"{self.attention.prefix}.selected_keys", "product", (size, blocks), unit="tokens"
        )

    def tensors(self) -> Iterator[Tensor]:
        """List the projections of queries and keys, and the norms of their heads."""
        owner = self.attention
        for name, width in zip(_PROJECTIONS, (self.width, self.head_dim), strict=True):
            yield owner.tensor(name, COMPONENT, width, owner.hidden, **WHOLE)
        for name in _NORMS:
            yield owner.tensor(name, "norms", self.head_dim, **WHOLE)

    def operators(self) -> Iterator[Operator]:
        """List its projections, the norms, and its core, which meets every key."""
        weights = self.attention.weights
        for name in _PROJECTIONS:
            yield Operator(name, PRODUCT, COMPONENT, weights(name), trained=False)
        normed = (self.width, self.head_dim)
        norms = weights(*_NORMS)
        yield Operator(
            "index_norms", PASS, "norms", norms, reads=normed, writes=normed, trained=False
        )
        yield Operator(
            "indexer_core",
            CORE,
            COMPONENT,
            core=Core(self.heads, {"core": self.head_dim}, every_key=True),
            saves=self.saved,
            trained=False,
        )

    def saved(self, _: Saving) -> Iterator[Activation]:
        """List what its core keeps: queries, keys, and the places of the chosen blocks."""
        yield Activation("index_queries", self.width, "block")
        yield Activation("index_keys", self.head_dim, "block")
        chosen = combined(
            self.attention.width("selected_blocks"),
            "product",
            (field(self.scope, "index_topk_blocks", "elements"), self.heads),
            unit="elements",
        )
        yield Activation("selected_keys", chosen, "block", bits=FP32)
