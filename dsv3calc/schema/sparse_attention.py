"""Attention that reads a part of the keys: selected by an indexer, or compressed."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dsv3calc.schema.fields import Size


class Indexer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A lightning indexer: scores every key, keeps ``index_topk`` for each query.

    A ``shared`` one takes the keys that an earlier layer selected: it has no weights and no cache.
    ``reads_hidden`` says that its queries are projected from the hidden state, normed once more,
    and not from MLA's query latent; ``score_scaling`` that each head's scores have a learned scale
    and bias.
    """

    index_n_heads: Size
    index_head_dim: Size
    index_topk: Size
    shared: bool = False
    reads_hidden: bool = False
    score_scaling: bool = False


class BlockIndexer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An indexer over the hidden state that keeps whole blocks of keys (MiniMax-M3).

    The block that a query stands in is one of those it keeps.
    """

    index_n_heads: Size
    index_head_dim: Size
    index_block_size: Size
    index_topk_blocks: Size


class Compressed(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="compressed"
):
    """DeepSeek-V4's attention: one vector of a token is key and value of every head.

    Queries see the tokens of a window and, with a ``compress_ratio``, one compressed entry for
    each block of so many tokens before it. Blocks that ``overlap`` contribute to two entries. The
    ``indexer`` selects ``index_topk`` of the entries; without one, all of them are read. The
    output projection keeps ``o_groups`` groups of heads apart, down to ``o_lora_rank`` channels of
    each.
    """

    num_attention_heads: Size
    head_dim: Size
    qk_rope_head_dim: Size
    q_lora_rank: Size
    o_groups: Size
    o_lora_rank: Size
    sliding_window: Size
    compress_ratio: Size | None = None
    overlap: bool = False
    indexer: Indexer | None = None

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield widths that do not fit, and parts that need compressed entries."""
        if self.qk_rope_head_dim > self.head_dim:
            yield (
                ("qk_rope_head_dim",),
                f"{self.qk_rope_head_dim} rotary channels of a head of {self.head_dim}",
                "the rotary channels are among those of the head",
            )
        if self.num_attention_heads % self.o_groups:
            yield (
                ("o_groups",),
                f"{self.o_groups} groups do not divide {self.num_attention_heads} heads",
                "each group of the output projection has as many heads",
            )
        for field in ("overlap", "indexer"):
            if getattr(self, field) and self.compress_ratio is None:
                yield (
                    (field,),
                    f"{field} needs compress_ratio",
                    "it is about compressed entries, which this layer does not have",
                )
