"""A model's architecture: layer groups, each with a tagged attention and a tagged feed-forward.

Fields carry the names that Hugging Face's ``config.json`` uses where it has one. A layer group is
a kind of layer; ``layers`` says which layers are of that kind, as Python slices of the model's
``num_hidden_layers`` (``"0:3"``, ``"3:"``, ``"5::6"``, several in a list, or ``"rest"``), so that
the depth of a mixed model is still one number.
"""

# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from dsv3calc.schema.fields import Name, Natural, Size, Text
from dsv3calc.schema.layers import layer_problems
from dsv3calc.schema.precision import Precision
from dsv3calc.schema.provenance import Source, provenance_problems

LayerSlice = Annotated[str, msgspec.Meta(max_length=40)]


class Indexer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """DeepSeek Sparse Attention's lightning indexer: scores every key, keeps ``index_topk``."""

    index_n_heads: Size
    index_head_dim: Size
    index_topk: Size


class MLA(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="mla"):
    """Multi-head latent attention: keys and values from one cached latent per token.

    ``q_lora_rank`` is null where queries are projected directly (DeepSeek-V2-Lite).
    """

    num_attention_heads: Size
    q_lora_rank: Size | None
    kv_lora_rank: Size
    qk_nope_head_dim: Size
    qk_rope_head_dim: Size
    v_head_dim: Size
    attention_bias: bool = False
    indexer: Indexer | None = None

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield what contradicts itself: the indexer reads the query latent."""
        if self.indexer is not None and self.q_lora_rank is None:
            yield (
                ("indexer",),
                "the indexer needs q_lora_rank",
                "its queries are projected from the query latent",
            )


class GQA(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="gqa"):
    """Grouped-query attention; MHA (as many key-value heads as heads) and MQA (one) are its ends.

    ``qk_norm``: ``head`` has one weight per channel of a head, ``hidden`` one per channel of the
    whole projection. ``span`` says which earlier keys a query sees.
    """

    num_attention_heads: Size
    num_key_value_heads: Size
    head_dim: Size
    attention_bias: bool = False
    output_bias: bool = False
    qk_norm: Literal["none", "head", "hidden"] = "none"
    attention_sinks: bool = False
    span: Literal["full", "sliding", "chunked"] = "full"
    sliding_window: Size | None = None
    attention_chunk_size: Size | None = None

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield heads that do not divide and spans without their size."""
        heads, shared = self.num_attention_heads, self.num_key_value_heads
        if heads % shared:
            yield (
                ("num_key_value_heads",),
                f"{shared} key-value heads do not divide {heads} attention heads",
                "each key-value head serves the same number of query heads",
            )
        for span, field in (("sliding", "sliding_window"), ("chunked", "attention_chunk_size")):
            given = getattr(self, field) is not None
            if given != (self.span == span):
                yield (
                    (field if given else "span",),
                    f"{field} and span: {self.span} contradict each other"
                    if given
                    else f"span: {span} needs {field}",
                    f"{field} belongs to span: {span} alone",
                )


class Dense(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="dense"):
    """A feed-forward that every token passes; ``gated`` has three matrices (SwiGLU), else two."""

    intermediate_size: Size
    gated: bool = True
    mlp_bias: bool = False


class MoE(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="moe"):
    """A mixture of routed experts, with or without shared ones.

    ``routing_bias`` is the per-expert bias that balances the load (DeepSeek-V3's
    ``e_score_correction_bias``); ``router_bias`` is a bias of the router's linear layer.
    """

    n_routed_experts: Size
    num_experts_per_tok: Size
    moe_intermediate_size: Size
    n_shared_experts: Natural = 0
    n_group: Size = 1
    topk_group: Size = 1
    gated: bool = True
    routing_bias: bool = False
    router_bias: bool = False
    expert_bias: bool = False

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a top-k that the experts or their groups cannot serve."""
        if self.num_experts_per_tok > self.n_routed_experts:
            yield (
                ("num_experts_per_tok",),
                f"top-{self.num_experts_per_tok} of {self.n_routed_experts} routed experts",
                "a token cannot go to more experts than there are",
            )
        if self.n_routed_experts % self.n_group:
            yield (
                ("n_group",),
                f"{self.n_group} groups do not divide {self.n_routed_experts} routed experts",
                "expert groups are of one size",
            )
        elif self.topk_group > self.n_group:
            yield (
                ("topk_group",),
                f"{self.topk_group} of {self.n_group} groups",
                "a token cannot go to more groups than there are",
            )
        elif self.num_experts_per_tok > self.topk_group * (self.n_routed_experts // self.n_group):
            yield (
                ("num_experts_per_tok",),
                f"top-{self.num_experts_per_tok} does not fit in {self.topk_group} groups",
                "the experts are chosen inside the chosen groups",
            )


Attention = MLA | GQA
FeedForward = Dense | MoE
PARTS = {"attention": Attention, "feed_forward": FeedForward}
"""The kinds that each part of a layer may be of, told apart by their tags."""


def struct_of(part: str, tag: object) -> type[msgspec.Struct] | None:
    """Return the struct of a part of a layer with a tag, None where there is none."""
    kinds: tuple[type[msgspec.Struct], ...] = PARTS[part].__args__
    return next((kind for kind in kinds if kind.__struct_config__.tag == tag), None)


class LayerGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All layers of one kind. ``block_norms`` counts norms over the hidden state in one layer."""

    attention: Attention
    feed_forward: FeedForward
    layers: LayerSlice | list[LayerSlice] = ":"
    block_norms: Annotated[int, msgspec.Meta(ge=0, le=8)] = 2


class MTP(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Multi-token-prediction modules: one more layer each, joined by ``eh_proj``.

    ``group`` is the index of the layer group whose kind of layer a module repeats. A checkpoint
    that ``stores_embedding_and_head`` again holds a second copy of both for each module. Modules
    that are not ``stored`` are named by the configuration and absent from the published files.
    """

    num_nextn_predict_layers: Size
    group: Natural
    stores_embedding_and_head: bool = True
    stored: bool = True


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model: its widths, its layer groups, and where every value was read.

    ``precision`` is a preset or the precision of its own files; ``kv_format`` the format of a cache
    that these files declare.
    """

    name: Name
    title: Text
    model_type: str = ""
    aliases: list[Name] = msgspec.field(default_factory=list)
    hidden_size: Size
    vocab_size: Size
    num_hidden_layers: Size
    tie_word_embeddings: bool = False
    head_bias: bool = False
    norm: Literal["rms", "layer"] = "rms"
    norm_bias: bool = False
    max_position_embeddings: Size | None = None
    precision: Text | Precision = "bf16"
    kv_format: Name | None = None
    groups: Annotated[list[LayerGroup], msgspec.Meta(min_length=1, max_length=1000)]
    mtp: MTP | None = None
    sources: dict[str, Source]
    provenance: dict[str, str]

    @property
    def precision_name(self) -> str:
        """The name of its precision."""
        return self.precision if isinstance(self.precision, str) else self.precision.name

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield layers claimed twice or by no group, and references that lead nowhere."""
        yield from layer_problems(self.num_hidden_layers, [group.layers for group in self.groups])
        if self.mtp is not None and self.mtp.group >= len(self.groups):
            yield (
                ("mtp", "group"),
                f"there is no group {self.mtp.group}",
                f"groups are numbered 0 to {len(self.groups) - 1}",
            )
        yield from provenance_problems(self.sources, self.provenance)
