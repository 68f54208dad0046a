"""The indexer of compressed attention: it scores compressed keys and keeps the best entries."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.model.attention.compressor import Compressor
from dsv3calc.model.attention.indexer import COMPONENT, WHOLE, Indexer
from dsv3calc.model.block import CacheEntry, CachePart
from dsv3calc.model.operator import CORE, ONE, PRODUCT, Core, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.ledger.line import Line
    from dsv3calc.model.block import Attention
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.workload import Conventions


class EntryIndexer(Indexer):
    """The indexer of a layer group with compressed entries: its keys are compressed likewise."""

    def __init__(self, attention: Attention, ratio: Line) -> None:
        super().__init__(attention)
        self._ratio = ratio
        self.compressor = Compressor(attention, COMPONENT, self.head_dim, ratio, trained=False)

    def tensors(self) -> Iterator[Tensor]:
        """List the projections of queries and weights, and the tensors of the compressor."""
        owner = self.attention
        yield owner.tensor("wq_b", COMPONENT, self.width, owner.field("q_lora_rank"), **WHOLE)
        yield owner.tensor(
            "weights_proj",
            COMPONENT,
            self.heads,
            owner.hidden,
            weight_class="indexer_weights",
            **WHOLE,
        )
        yield from self.compressor.tensors()

    def operators(self) -> Iterator[Operator]:
        """List projections, compressor, and the core, which meets every compressed key."""
        for name in ("wq_b", "weights_proj"):
            weights = self.attention.weights(name)
            yield Operator(name, PRODUCT, COMPONENT, weights, trained=False)
        yield from self.compressor.operators()
        yield Operator(
            "indexer_core",
            CORE,
            COMPONENT,
            core=Core(self.heads, {"core": self.head_dim}, span=self._every_entry),
            saves=self.saved,
            trained=False,
        )

    def _every_entry(self, _: Conventions) -> tuple[str, dict[str, Line]]:
        return "compressed", {"compress_ratio": self._ratio}

    def cache(self) -> list[CacheEntry]:
        """List the compressed key of a block, one for all heads."""
        part = CachePart("indexer_bytes", ONE, self.head_dim, "indexer")
        return [CacheEntry("indexer", [part], "replicated", ratio=self._ratio)]
