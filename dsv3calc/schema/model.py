"""A model's architecture: layer groups, each with a tagged attention, mixer and feed-forward.

Fields carry the names that Hugging Face's ``config.json`` uses where it has one. A layer group is
a kind of layer; ``layers`` says which layers are of that kind, as Python slices of the model's
``num_hidden_layers`` (``"0:3"``, ``"3:"``, ``"5::6"``, several in a list, or ``"rest"``), so that
the depth of a mixed model is still one number.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from dsv3calc.schema.additions import Addition
from dsv3calc.schema.fields import Name, Natural, Size, Text
from dsv3calc.schema.layers import layer_problems
from dsv3calc.schema.mixers import Mixer
from dsv3calc.schema.precision import Precision
from dsv3calc.schema.provenance import Source, provenance_problems
from dsv3calc.schema.sparse_attention import BlockIndexer, Compressed, Indexer

LayerSlice = Annotated[str, msgspec.Meta(max_length=40)]


class MLA(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="mla"):
    """Multi-head latent attention: keys and values from one cached latent per token.

    ``q_lora_rank`` is null where queries are projected directly (DeepSeek-V2-Lite). ``output_gate``
    is as in grouped-query attention. A layer whose ``latent`` is that of an ``earlier-layer``
    caches none of its own. ``score_scaling`` says that each head's scores have a learned scale and
    bias.
    """

    num_attention_heads: Size
    q_lora_rank: Size | None
    kv_lora_rank: Size
    qk_nope_head_dim: Size
    qk_rope_head_dim: Natural
    v_head_dim: Size
    attention_bias: bool = False
    latent: Literal["own", "earlier-layer"] = "own"
    score_scaling: bool = False
    output_gate: Literal["none", "head", "channel"] = "none"
    indexer: Indexer | None = None

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield an indexer that reads a query latent which is not there."""
        found = self.indexer
        if found is None or found.shared or found.reads_hidden:
            return
        if self.q_lora_rank is None:
            yield (
                ("indexer",),
                "the indexer needs q_lora_rank",
                "its queries are projected from the query latent",
            )


class GQA(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="gqa"):
    """Grouped-query attention; MHA (as many key-value heads as heads) and MQA (one) are its ends.

    ``qk_norm``: ``head`` has one weight per channel of a head, ``hidden`` one per channel of the
    whole projection. ``span`` says which earlier keys a query sees. ``output_gate`` multiplies what
    comes out of the core: one number for a ``head``, or one for a ``channel`` of it, projected from
    the layer's input (Qwen3-Next's query projection is twice as wide for it). ``v_head_dim`` is the
    width of a value where it is not ``head_dim``. Values that are ``projected-as-keys`` come from
    the keys' projection; keys and values of an ``earlier-layer`` are that layer's, and not cached
    again. An ``indexer`` selects blocks of keys.
    """

    num_attention_heads: Size
    num_key_value_heads: Size
    head_dim: Size
    attention_bias: bool = False
    output_bias: bool = False
    qk_norm: Literal["none", "head", "hidden"] = "none"
    attention_sinks: bool = False
    output_gate: Literal["none", "head", "channel"] = "none"
    span: Literal["full", "sliding", "chunked"] = "full"
    sliding_window: Size | None = None
    attention_chunk_size: Size | None = None
    v_head_dim: Size | None = None
    key_values: Literal["own", "projected-as-keys", "earlier-layer"] = "own"
    indexer: BlockIndexer | None = None

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
                    f"{field} belongs to span: {span} alone; set both: span={span}, {field}=4096",
                )
        if self.indexer is not None and self.span != "full":
            yield (
                ("indexer",),
                f"an indexer and span: {self.span}",
                "it selects among all earlier keys",
            )


class Dense(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="dense"):
    """A feed-forward that every token passes; ``gated`` has three matrices (SwiGLU), else two.

    ``activation_parameters`` counts the numbers that its activation function learns (xIELU's two).
    """

    intermediate_size: Size
    gated: bool = True
    mlp_bias: bool = False
    activation_parameters: Natural = 0


class MoE(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="moe"):
    """A mixture of routed experts, with or without shared ones.

    ``routing_bias`` is the per-expert bias that balances the load (DeepSeek-V3's
    ``e_score_correction_bias``); ``router_bias`` is a bias of the router's linear layer.
    ``shared_expert_intermediate_size`` is the width of the shared experts together, where it is
    not that of as many routed ones; ``shared_expert_gate`` weighs their output for each token.
    Routed experts work on ``moe_latent_size`` channels, projected from the hidden state and back,
    where it is given; ``moe_latent_norm`` normalises them. ``zero_expert_num`` further choices of
    the router return a token as it is, without weights or work. A ``routing_table`` has that many
    rows, one for each token of the vocabulary, and says which experts it goes to (DeepSeek-V4's
    first layers). ``router_scales`` are a learned scale of each channel that the router reads, and
    one of each expert.
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
    shared_expert_intermediate_size: Size | None = None
    shared_expert_gate: bool = False
    moe_latent_size: Size | None = None
    moe_latent_norm: bool = False
    zero_expert_num: Natural = 0
    routing_table: Size | None = None
    router_scales: bool = False

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a top-k that the experts or their groups cannot serve."""
        if self.num_experts_per_tok > self.n_routed_experts:
            yield (
                ("num_experts_per_tok",),
                f"top-{self.num_experts_per_tok} of {self.n_routed_experts} routed experts",
                "a token cannot go to more experts than there are",
            )
        for field in ("shared_expert_intermediate_size", "shared_expert_gate"):
            if getattr(self, field) and not self.n_shared_experts:
                yield (field,), f"{field} without shared experts", "n_shared_experts is 0"
        if self.moe_latent_norm and self.moe_latent_size is None:
            yield ("moe_latent_norm",), "a norm of no latent", "moe_latent_size is not given"
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


class MoEBesideDense(MoE, frozen=True, kw_only=True, tag="moe_beside_dense"):
    """Routed experts and a dense feed-forward side by side: a token passes both (Gemma 4)."""

    intermediate_size: Size


Attention = MLA | GQA | Compressed
FeedForward = Dense | MoE | MoEBesideDense
PARTS = {"attention": Attention, "mixer": Mixer, "feed_forward": FeedForward}
"""The kinds that each part of a layer may be of, told apart by their tags."""


def struct_of(part: str, tag: object) -> type[msgspec.Struct] | None:
    """Return the struct of a part of a layer with a tag, None where there is none."""
    kinds: tuple[type[msgspec.Struct], ...] = PARTS[part].__args__
    return next((kind for kind in kinds if kind.__struct_config__.tag == tag), None)


class LayerGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All layers of one kind: each has one of the parts at least.

    A ``mixer`` takes the place of the attention, or stands beside it: then both read the same input
    and their outputs are added. ``block_norms`` counts norms over the hidden state in one layer.
    """

    attention: Attention | None = None
    mixer: Mixer | None = None
    feed_forward: FeedForward | None = None
    layers: LayerSlice | list[LayerSlice] = ":"
    block_norms: Annotated[int, msgspec.Meta(ge=0, le=8)] = 2

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a layer without any part."""
        if all(getattr(self, part) is None for part in PARTS):
            yield (), "a layer without any part", f"it has one at least of: {', '.join(PARTS)}"


class MTP(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Multi-token-prediction modules: one more layer each, joined by ``eh_proj``.

    ``group`` is the index of the layer group whose kind of layer a module repeats; where it is of
    none of them, ``layer`` describes it. A checkpoint
    that ``stores_embedding_and_head`` again holds a second copy of both for each module. Modules
    that are not ``stored`` are named by the configuration and absent from the published files.
    """

    num_nextn_predict_layers: Size
    group: Natural | None = None
    layer: LayerGroup | None = None
    stores_embedding_and_head: bool = True
    stored: bool = True

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield a module without a layer, or with two."""
        if (self.group is None) == (self.layer is None):
            yield (
                ("group",),
                "an MTP module has a group or a layer",
                "group repeats a layer of the model, layer describes one of its own",
            )


class Tower(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands beside the language model, such as a vision tower with its projector."""

    name: Name
    parameters: Size


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
    additions: Annotated[list[Addition], msgspec.Meta(max_length=20)] = []
    mtp: MTP | None = None
    towers: list[Tower] = msgspec.field(default_factory=list)
    sources: dict[str, Source]
    provenance: dict[str, str]

    def __repr__(self) -> str:
        """Show the name, the main sizes and the kinds of parts."""
        parts = [part for group in self.groups
                 for part in (group.attention, group.mixer, group.feed_forward)]  # fmt: skip
        kinds = dict.fromkeys(part.__struct_config__.tag for part in parts if part is not None)
        return (
            f"<Model {self.name}: {self.num_hidden_layers:,} layers {self.hidden_size:,} wide "
            f"({', '.join(map(str, kinds))}), vocabulary {self.vocab_size:,}>"
        )

    @property
    def precision_name(self) -> str:
        """The name of its precision."""
        return self.precision if isinstance(self.precision, str) else self.precision.name

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield layers claimed twice or by no group, and references that lead nowhere."""
        yield from layer_problems(self.num_hidden_layers, [group.layers for group in self.groups])
        if self.mtp is not None and (self.mtp.group or 0) >= len(self.groups):
            yield (
                ("mtp", "group"),
                f"there is no group {self.mtp.group}",
                f"groups are numbered 0 to {len(self.groups) - 1}",
            )
        yield from provenance_problems(self.sources, self.provenance)
