"""What a model has beside attention and feed-forwards, in its layers or around them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import msgspec

from dsv3calc.schema.fields import Size


class HyperConnections(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="hyper_connections"
):
    """``hc_mult`` residual streams, mixed before and after each part of a layer (DeepSeek-V4)."""

    hc_mult: Size


class AltUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="altup"):
    """``altup_num_inputs`` residual streams, of which a layer computes one (Gemma 3n)."""

    altup_num_inputs: Size


class Laurel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="laurel"):
    """A learned residual of ``laurel_rank`` beside each attention (Gemma 3n)."""

    laurel_rank: Size


class PerLayerInput(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="per_layer_input"
):
    """An embedding of its own for each layer, which gates what is added to its output."""

    vocab_size_per_layer_input: Size
    hidden_size_per_layer_input: Size


class LearnedPositions(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="learned_positions"
):
    """A table of position embeddings with ``positions`` rows."""

    positions: Size


class EmbeddingNorm(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="embedding_norm"
):
    """A norm between the embedding and the first layer (BLOOM), of the model's kind of norm."""


class LearnedRotary(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="learned_rotary"
):
    """A learned factor for each of ``frequencies`` of the rotary embedding."""

    frequencies: Size


class AttentionResiduals(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="attention_residuals"
):
    """Each part of a layer reads a weighted sum of earlier outputs (Kimi-K3).

    ``attn_res_block_size`` layers give one of those outputs.
    """

    attn_res_block_size: Size


Addition = (
    HyperConnections
    | AltUp
    | Laurel
    | PerLayerInput
    | LearnedPositions
    | EmbeddingNorm
    | LearnedRotary
    | AttentionResiduals
)
