"""The activations of one layer that a backward pass reads: where they stand, what drops them.

Modules that are recomputed bear Megatron-Core's names, but for ``mlp_act``, which it lacks. What
one drops is what its backward pass alone reads; its input stays. ``full`` keeps a layer's input
and nothing else of it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas import attention
from dsv3calc.ledger import Line, combined, computed, field, given
from dsv3calc.schema.model import GQA, MLA, MoE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.accounting.architecture import GroupView
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recompute
    from dsv3calc.schema.model import Model

MODULES = {
    "full": "everything but the input of each layer",
    "core_attn": "scores, softmax and their product with the values",
    "layernorm": "outputs of the norms before attention and feed-forward",
    "mla_up_proj": "MLA's queries, keys and values, from the latents, with the latents' norms",
    "mlp_act": "outputs of the activation function in dense feed-forwards and shared experts",
    "moe_act": "outputs of the activation function in routed experts",
    "mlp": "dense feed-forwards, from their input",
    "moe": "layers of experts, routing and exchange included, from their input",
    "shared_experts": "shared experts, from their input",
}
"""What can be recomputed: name -> words."""

FP32 = given("activation.fp32_bits", 32, "bit")
BF16 = given("activation.bf16_bits", 16, "bit")
BYTE = given("activation.byte_bits", 8, "bit")
INT64 = given("activation.int64_bits", 64, "bit")
DTYPES = {FP32.name: "FP32", BF16.name: "BF16", BYTE.name: "a byte", INT64.name: "INT64"}
"""Name of a width -> data type in words."""

SHARED = "kept once for"
"""What the convention of an activation says before those that share it."""

_CORE = "attention's core and the output projection"


class Activation:
    """One tensor that is kept: its width for a token, its place, and what makes it needless.

    ``place`` says how it is divided: ``block`` between blocks (over cp, and tp under sequence
    parallelism), ``whole`` over cp alone, ``split`` inside blocks (over cp and tp), ``key_value``
    like that but no further than there are heads, ``rows`` for what an expert receives,
    ``row_split`` for that over etp.
    ``dropped_by`` lists modules; ``needed_by`` the one that reads it when it is recomputed, where
    nothing else does. ``linear_input`` marks what a matrix is multiplied with, ``shared_by`` says
    who else reads it where several do: it is kept once.
    """

    __slots__ = (
        "bits",
        "dropped_by",
        "linear_input",
        "name",
        "needed_by",
        "place",
        "shared_by",
        "width",
    )

    def __init__(
        self,
        name: str,
        width: Line,
        place: str,
        dropped_by: str = "",
        *,
        bits: Line = BF16,
        linear_input: bool = False,
        needed_by: str = "",
        shared_by: str = "",
    ) -> None:
        self.name = name
        self.width = width
        self.place = place
        self.dropped_by = frozenset(dropped_by.split())
        self.bits = bits
        self.linear_input = linear_input
        self.needed_by = needed_by
        self.shared_by = shared_by

    def kept(self, recompute: Recompute) -> bool:
        """Tell whether a policy keeps it from the forward to the backward pass."""
        if self.name in recompute.keep:
            return True
        if "full" in recompute.modules:
            return self.name in _CHECKPOINTED
        if self.needed_by:
            return self.needed_by in recompute.modules
        return self.dropped_by.isdisjoint(recompute.modules)


class Product:
    """The output of a matrix product: its gradient is kept for a weight gradient that waits."""

    __slots__ = ("name", "place", "width")

    def __init__(self, name: str, width: Line, place: str) -> None:
        self.name = name
        self.width = width
        self.place = place


_CHECKPOINTED = (
    "embedding_mask",
    "layer_input",
    "mtp_norm_inputs",
    "final_norm_input",
    "head_input",
)
"""What ``full`` keeps: inputs of layers and MTP modules, and all outside of layers."""


class Layer:
    """Lists the activations and products of one layer group."""

    def __init__(
        self, model: Model, view: GroupView, layout: Layout, recompute: Recompute, sequence: Line
    ) -> None:
        self.model = model
        self.view = view
        self.layout = layout
        self.recompute = recompute
        self.sequence = sequence
        self.hidden = field(("model", model), "hidden_size")
        self.prefix = f"memory.layer.{view.prefix}.width"

    def activations(self) -> Iterator[Activation]:
        """Yield whatever the backward pass of the layer reads, kept or not."""
        norms = self.view.group.block_norms
        yield Activation("layer_input", self.hidden, "block")
        attend = self.view.group.attention
        by_norm = "layernorm" if norms else ""
        yield Activation(
            "attention_input",
            self.hidden,
            "block",
            by_norm,
            linear_input=True,
            shared_by="all projections of attention",
        )
        if isinstance(attend, MLA):
            yield from self._mla(attend)
        else:
            yield from self._gqa(attend)
        yield from self._core()
        if self.recompute.dropout:
            yield Activation("attention_mask", self.hidden, "block", bits=BYTE)
        yield Activation("feed_forward_norm_input", self.hidden, "block")
        if norms > 2:  # noqa: PLR2004 - one before attention, one before the feed-forward
            after = given("post_norms", norms - 2, "1", "norms of outputs, such as Gemma's")
            yield Activation("post_norm_inputs", self._times("post_norms", after), "block")
        moe = isinstance(self.view.group.feed_forward, MoE)
        yield Activation(
            "feed_forward_input",
            self.hidden,
            "block",
            by_norm,
            linear_input=True,
            shared_by="router, shared experts and dispatch" if moe else "",
        )
        if moe:
            yield from self._moe()
        else:
            yield from self._dense()
        if self.recompute.dropout:
            yield Activation("feed_forward_mask", self.hidden, "block", bits=BYTE)

    def _times(self, name: str, count: Line, width: Line | None = None) -> Line:
        parts = (self.hidden if width is None else width, count)
        return combined(f"{self.prefix}.{name}", "product", parts, unit="elements")

    def _heads(self, name: str, heads: str, channels: Line) -> Line:
        return computed(
            f"{self.prefix}.{name}",
            attention.heads_width,
            heads=field(self.view.attention, heads, "1"),
            head_dim=channels,
        )

    def _mla_widths(self) -> tuple[Line, Line, Line]:
        """Return the widths of all heads' queries (and keys), of their values, of kv_b's output."""
        scope = self.view.attention
        return (
            computed(f"{self.prefix}.queries", attention.mla_query_width, scope),
            self._heads("values", "num_attention_heads", field(scope, "v_head_dim")),
            computed(f"{self.prefix}.kv_up", attention.mla_kv_up_width, scope),
        )

    def _mla(self, attend: MLA) -> Iterator[Activation]:
        scope, up = self.view.attention, "mla_up_proj"
        if attend.q_lora_rank is not None:
            rank = field(scope, "q_lora_rank")
            yield Activation("q_latent", rank, "block")
            yield Activation("q_latent_normed", rank, "block", up, linear_input=True)
        latent = field(scope, "kv_lora_rank")
        yield Activation("kv_latent", latent, "block")
        yield Activation("kv_latent_normed", latent, "block", up, linear_input=True)
        yield Activation("rope_key", field(scope, "qk_rope_head_dim"), "whole", needed_by=up)
        queries, values, _ = self._mla_widths()
        yield Activation("queries", queries, "split", up)
        yield Activation("keys", queries, "split", up)
        yield Activation("values", values, "split", up)
        if attend.indexer is not None:
            place = (f"{scope[0]}.indexer", attend.indexer)
            heads, channels = field(place, "index_n_heads", "1"), field(place, "index_head_dim")
            yield Activation(
                "index_queries", self._times("index_queries", heads, channels), "block"
            )
            yield Activation("index_keys", channels, "block")
            yield Activation("index_weights", field(place, "index_n_heads"), "block")
            chosen = field(place, "index_topk", "elements")
            yield Activation("selected_keys", chosen, "block", bits=FP32)
        yield Activation("attention_output", values, "split", linear_input=True, shared_by=_CORE)

    def _gqa_widths(self) -> tuple[Line, Line]:
        channels = field(self.view.attention, "head_dim")
        return (
            self._heads("queries", "num_attention_heads", channels),
            self._heads("keys", "num_key_value_heads", channels),
        )

    def _gqa(self, attend: GQA) -> Iterator[Activation]:
        queries, keys = self._gqa_widths()
        if attend.qk_norm != "none":
            yield Activation("query_norm_input", queries, "split")
            yield Activation("key_norm_input", keys, "key_value")
        yield Activation("queries", queries, "split")
        yield Activation("keys", keys, "key_value")
        yield Activation("values", keys, "key_value")
        yield Activation("attention_output", queries, "split", linear_input=True, shared_by=_CORE)

    def _core(self) -> Iterator[Activation]:
        """Yield what the attention's core keeps: scores, or a number for each head of a token."""
        heads = field(self.view.attention, "num_attention_heads", "elements")
        if self.recompute.attention_kernel == "flash":
            yield Activation("logsumexp", heads, "split", "core_attn", bits=FP32)
            return
        scores = combined(
            f"{self.prefix}.scores",
            "product",
            (heads, self.sequence),
            unit="elements",
            convention="every key of the sequence, masked ones too",
        )
        yield Activation("softmax", scores, "split", "core_attn")
        if self.recompute.dropout:
            yield Activation("softmax_mask", scores, "split", "core_attn", bits=BYTE)
            yield Activation("softmax_dropped", scores, "split", "core_attn")

    def _inner(self, name: str, width: Line, *, gated: bool) -> Line:
        """Return the width of what enters an activation function: both halves where it is gated."""
        halves = given("gated.halves", 2, "1", "gate and up projection")
        return self._times(name, halves, width) if gated else width

    def _function(
        self, name: str, width: Line, place: str, whole: str, act: str, *, gated: bool
    ) -> Iterator[Activation]:
        """Yield what an activation function reads and what the matrix after it does."""
        inner = self._inner(f"{name}_input", width, gated=gated)
        yield Activation(f"{name}_input", inner, place, whole)
        if gated and self.recompute.activation_function == "unfused":
            yield Activation(f"{name}_gate", width, place, f"{whole} {act}")
        yield Activation(f"{name}_output", width, place, f"{whole} {act}", linear_input=True)

    def _dense(self) -> Iterator[Activation]:
        scope = self.view.feed_forward
        width = field(scope, "intermediate_size")
        gated = scope[1].gated
        place = self._place("dense_ffn")
        yield from self._function("mlp_act", width, place, "mlp", "mlp_act", gated=gated)

    def _shared_width(self) -> Line | None:
        """Return the width of the shared experts, None where none is computed with its token."""
        moe = self.view.group.feed_forward
        assert isinstance(moe, MoE)  # noqa: S101 - as its callers know
        if not moe.n_shared_experts or self.layout.shared_experts == "routed":
            return None
        parts = [field(self.view.feed_forward, "moe_intermediate_size")]
        parts.append(field(self.view.feed_forward, "n_shared_experts", "1"))
        return combined(f"{self.prefix}.shared", "product", parts)

    def _place(self, component: str) -> str:
        """Return how the inner activations of a feed-forward are divided."""
        return "block" if self.layout.is_replicated(component) else "split"

    def _moe(self) -> Iterator[Activation]:
        scope, moe = self.view.feed_forward, self.view.group.feed_forward
        assert isinstance(moe, MoE)  # noqa: S101 - as activations() knows
        yield Activation(
            "router_scores", field(scope, "n_routed_experts", "elements"), "block", "moe", bits=FP32
        )
        chosen = field(scope, "num_experts_per_tok", "elements")
        yield Activation("routing_weights", chosen, "block", "moe", bits=FP32)
        yield Activation("routing_indices", chosen, "block", "moe", bits=INT64)
        width = field(scope, "moe_intermediate_size")
        yield Activation("expert_input", self.hidden, "rows", "moe", linear_input=True)
        yield from self._function(
            "expert_act", width, "row_split", "moe", "moe_act", gated=moe.gated
        )
        if self.recompute.routing_weights == "after":
            yield Activation("expert_output", self.hidden, "rows", "moe")
        shared = self._shared_width()
        if shared is not None:
            whole = "moe shared_experts"
            yield from self._function(
                "shared_act",
                shared,
                self._place("shared_experts"),
                whole,
                "mlp_act",
                gated=moe.gated,
            )

    def products(self) -> Iterator[Product]:
        """Yield the outputs of the layer's matrix products."""
        attend, feed = self.view.group.attention, self.view.group.feed_forward
        scope = self.view.attention
        if isinstance(attend, MLA):
            queries, _, up = self._mla_widths()
            if attend.q_lora_rank is not None:
                yield Product("q_a_proj", field(scope, "q_lora_rank"), "block")
            yield Product("q_b_proj", queries, "split")
            down = computed(f"{self.prefix}.kv_down", attention.mla_kv_down_width, scope)
            yield Product("kv_a_proj_with_mqa", down, "block")
            yield Product("kv_b_proj", up, "split")
        else:
            queries, keys = self._gqa_widths()
            yield Product("q_proj", queries, "split")
            yield Product("k_proj", keys, "key_value")
            yield Product("v_proj", keys, "key_value")
        yield Product("o_proj", self.hidden, "block")
        if isinstance(feed, MoE):
            width = field(self.view.feed_forward, "moe_intermediate_size")
            inner = self._inner("expert_act_input", width, gated=feed.gated)
            yield Product("router", field(self.view.feed_forward, "n_routed_experts"), "block")
            yield Product("experts.up_proj", inner, "row_split")
            yield Product("experts.down_proj", self.hidden, "rows")
            shared = self._shared_width()
            if shared is not None:
                inner = self._inner("shared_act_input", shared, gated=feed.gated)
                yield Product("shared_experts.up_proj", inner, self._place("shared_experts"))
                yield Product("shared_experts.down_proj", self.hidden, "block")
        else:
            width = field(self.view.feed_forward, "intermediate_size")
            inner = self._inner("mlp_act_input", width, gated=feed.gated)
            yield Product("up_proj", inner, self._place("dense_ffn"))
            yield Product("down_proj", self.hidden, "block")


def embedding_activations(model: Model, recompute: Recompute) -> list[Activation]:
    """List what the backward pass of the embedding reads: the mask of the dropout after it."""
    hidden = field(("model", model), "hidden_size")
    mask = Activation("embedding_mask", hidden, "block", bits=BYTE)
    return [mask] if recompute.dropout else []


def head_activations(model: Model) -> list[Activation]:
    """List what the final norm and the head read."""
    hidden = field(("model", model), "hidden_size")
    return [
        Activation("final_norm_input", hidden, "block"),
        Activation("head_input", hidden, "block", "layernorm", linear_input=True),
    ]


def mtp_activations(model: Model) -> tuple[list[Activation], list[Product]]:
    """List what an MTP module reads between its layer and the one before, and its product."""
    hidden = field(("model", model), "hidden_size")
    two = given("mtp.joined_states", 2, "1", "the token's embedding and the hidden state")
    joined = combined("memory.mtp.joined_width", "product", (hidden, two), unit="elements")
    activations = [
        Activation("mtp_norm_inputs", joined, "block"),
        Activation("mtp_projection_input", joined, "block", "layernorm", linear_input=True),
    ]
    return activations, [Product("eh_proj", hidden, "block")]
