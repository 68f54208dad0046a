"""A model as a list of tensors: what parameters, bytes and FLOPs are all counted from.

Each tensor is described once, by the layers that have it, how many of it a layer has, how many of
those a token uses, and its shape. Everything else follows by a formula per tensor.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import architecture, attention, experts
from dsv3calc.ledger import Line, combined, computed, field, given, total
from dsv3calc.schema.layers import listed, parse_slice
from dsv3calc.schema.model import MLA, MoE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.schema.model import GQA, Dense, Indexer, LayerGroup, Model

ONE = given("one", 1, "1")


class Tensor:
    """One weight tensor of one layer group, or of the model.

    ``component`` is the line of the parameter table it belongs to; ``weight_class`` decides its
    format under a precision; ``in_features`` is None for a vector; ``tied`` marks an embedding that
    is the head as well; ``place`` is the layer group's prefix, or ``model``. ``copies`` stand in
    one layer and ``used`` of them serve a token.
    """

    __slots__ = (
        "component",
        "copies",
        "group",
        "in_features",
        "layers",
        "name",
        "out_features",
        "place",
        "tied",
        "used",
        "weight_class",
    )

    def __init__(
        self,
        name: str,
        component: str,
        out_features: Line,
        in_features: Line | None = None,
        *,
        layers: Line = ONE,
        group: int | None = None,
        copies: Line = ONE,
        used: Line | None = None,
        weight_class: str = "",
        tied: bool = False,
    ) -> None:
        self.tied = tied
        self.place = "model"
        self.name = name
        self.component = component
        self.group = group
        self.layers = layers
        self.copies = copies
        self.used = copies if used is None else used
        self.out_features = out_features
        self.in_features = in_features
        self.weight_class = weight_class or component


class Memory:
    """Lines that depend on a model and on one other frozen thing, counted the first time.

    Models, precisions and formats are frozen and lines are never changed, so they may be shared.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Any, list[Line]]] = {}

    def once(self, key: Any, other: Any, make: Callable[[], list[Line]]) -> list[Line]:
        """Return the lines under a key, made anew where ``other`` is not the object of last time.

        It is kept, so that no other object takes its place in memory.
        """
        found = self._known.get(key)
        if found is None or found[0] is not other:
            found = self._known[key] = (other, make())
        return list(found[1])


class GroupView(Memory):
    """A layer group with its place in the model: its index, its prefix, its number of layers."""

    __slots__ = ("attention", "feed_forward", "group", "index", "layers", "prefix", "tensors")

    def __init__(self, model: Model, index: int, prefix: str, layers: Line) -> None:
        super().__init__()
        self.group: LayerGroup = model.groups[index]
        self.index = index
        self.prefix = prefix
        self.layers = layers
        self.attention = (f"model.groups.{index}.attention", self.group.attention)
        self.feed_forward = (f"model.groups.{index}.feed_forward", self.group.feed_forward)
        self.tensors = tuple(_group_tensors(model, self))


class Architecture(Memory):
    """A model's tensors: those outside the layers, those of each layer group, those of MTP."""

    __slots__ = ("groups", "model", "mtp", "mtp_tensors", "outer", "scope")

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.scope = ("model", model)
        self.outer = tuple(_outer_tensors(model))
        self.groups = tuple(
            GroupView(model, index, f"groups.{index}", layers)
            for index, layers in enumerate(_group_layers(model))
        )
        self.mtp: GroupView | None = None
        self.mtp_tensors: tuple[Tensor, ...] = ()
        if model.mtp is not None:
            modules = field(("model.mtp", model.mtp), "num_nextn_predict_layers", "1")
            self.mtp = GroupView(model, model.mtp.group, "mtp", modules)
            self.mtp_tensors = tuple(_mtp_tensors(model, modules))


_ARCHITECTURES: dict[int, Architecture] = {}
_MOST_CACHED = 256


def architecture_of(model: Model) -> Architecture:
    """Return the tensors of a model, described once for each model object."""
    cached = _ARCHITECTURES.get(id(model))
    if cached is None or cached.model is not model:
        if len(_ARCHITECTURES) >= _MOST_CACHED:
            _ARCHITECTURES.clear()
        cached = _ARCHITECTURES[id(model)] = Architecture(model)
    return cached


def _group_layers(model: Model) -> list[Line]:
    """Count the layers of each group; ``rest`` gets what the others leave."""
    scope = ("model", model)
    lines: list[Line | None] = []
    for index, group in enumerate(model.groups):
        name = f"layers.groups.{index}"
        if group.layers == "rest":
            lines.append(None)
            continue
        if group.layers == ":":
            lines.append(field(scope, "num_hidden_layers", "1"))
            continue
        slices = []
        for number, text in enumerate(listed(group.layers)):
            place = f"model.groups.{index}.layers.{number}"
            start, stop, step = parse_slice(text)
            end = model.num_hidden_layers if stop is None else stop
            slices.append(
                computed(
                    f"{name}.slices.{number}",
                    architecture.slice_length,
                    scope,
                    start=given(f"{place}.start", start, "1"),
                    stop=given(f"{place}.stop", end, "1"),
                    step=given(f"{place}.step", step, "1"),
                )
            )
        lines.append(slices[0] if len(slices) == 1 else total(name, slices))
    taken = [line for line in lines if line is not None]
    depth = field(scope, "num_hidden_layers", "1")
    rest = combined("layers.rest", "difference", (depth, *taken))
    return [rest if line is None else line for line in lines]


def _outer_tensors(model: Model) -> Iterator[Tensor]:
    scope = ("model", model)
    vocabulary, hidden = field(scope, "vocab_size"), field(scope, "hidden_size")
    yield Tensor("embedding", "embedding", vocabulary, hidden, tied=model.tie_word_embeddings)
    yield Tensor("head", "head", vocabulary, hidden)
    if model.head_bias:
        yield Tensor("head.bias", "head", vocabulary, weight_class="biases")
    yield Tensor("final_norm", "norms", hidden, copies=_norm_vectors(model))


def _norm_vectors(model: Model, per_layer: Any = 1) -> Line:
    vectors = 2 if model.norm_bias else 1
    return given(
        "norm_vectors", per_layer * vectors, "1", "weight and bias" if model.norm_bias else ""
    )


def _group_tensors(model: Model, view: GroupView) -> Iterator[Tensor]:
    hidden = field(("model", model), "hidden_size")
    layers, index = view.layers, view.index
    attend, feed = view.group.attention, view.group.feed_forward
    attention_tensors = (
        _mla_tensors(view, attend, hidden)
        if isinstance(attend, MLA)
        else _gqa_tensors(view, attend, hidden)
    )
    feed_forward_tensors = (
        _moe_tensors(view, feed, hidden)
        if isinstance(feed, MoE)
        else _dense_tensors(view, feed, hidden)
    )
    for tensor in (*attention_tensors, *feed_forward_tensors):
        tensor.layers, tensor.group, tensor.place = layers, index, view.prefix
        yield tensor
    if view.group.block_norms:
        norms = _norm_vectors(model, view.group.block_norms)
        norm = Tensor("block_norms", "norms", hidden, layers=layers, group=index, copies=norms)
        norm.place = view.prefix
        yield norm


def _mla_tensors(view: GroupView, attend: MLA, hidden: Line) -> Iterator[Tensor]:
    scope = view.attention
    prefix = view.prefix
    queries = computed(f"{prefix}.query_width", attention.mla_query_width, scope)
    down = computed(f"{prefix}.kv_down_width", attention.mla_kv_down_width, scope)
    up = computed(f"{prefix}.kv_up_width", attention.mla_kv_up_width, scope)
    values = computed(
        f"{prefix}.value_width",
        attention.heads_width,
        heads=field(scope, "num_attention_heads", "1"),
        head_dim=field(scope, "v_head_dim"),
    )
    latent = field(scope, "kv_lora_rank")
    if attend.q_lora_rank is None:
        yield Tensor("q_proj", "attention", queries, hidden)
    else:
        rank = field(scope, "q_lora_rank")
        yield Tensor("q_a_proj", "attention", rank, hidden)
        yield Tensor("q_a_layernorm", "norms", rank)
        yield Tensor("q_b_proj", "attention", queries, rank)
        if attend.attention_bias:
            yield Tensor("q_a_proj.bias", "attention", rank, weight_class="biases")
    yield Tensor("kv_a_proj_with_mqa", "attention", down, hidden)
    yield Tensor("kv_a_layernorm", "norms", latent)
    yield Tensor("kv_b_proj", "attention", up, latent)
    yield Tensor("o_proj", "attention", hidden, values)
    if attend.attention_bias:
        yield Tensor("kv_a_proj_with_mqa.bias", "attention", down, weight_class="biases")
        yield Tensor("o_proj.bias", "attention", hidden, weight_class="biases")
    if attend.indexer is not None:
        yield from _indexer_tensors(view, attend.indexer, hidden)


def _indexer_tensors(view: GroupView, indexer: Indexer, hidden: Line) -> Iterator[Tensor]:
    scope = (f"{view.attention[0]}.indexer", indexer)
    heads = field(scope, "index_n_heads", "1")
    head_dim = field(scope, "index_head_dim")
    width = computed(
        f"{view.prefix}.indexer_width", attention.heads_width, heads=heads, head_dim=head_dim
    )
    yield Tensor("wq_b", "indexer", width, field(view.attention, "q_lora_rank"))
    yield Tensor("wk", "indexer", head_dim, hidden)
    yield Tensor("weights_proj", "indexer", heads, hidden, weight_class="indexer_weights")
    vectors = given("layer_norm_vectors", 2, "1", "the indexer's key norm has a weight and a bias")
    yield Tensor("indexer_k_norm", "norms", head_dim, copies=vectors)


def _gqa_tensors(view: GroupView, attend: GQA, hidden: Line) -> Iterator[Tensor]:
    scope = view.attention
    heads = field(scope, "num_attention_heads", "1")
    head_dim = field(scope, "head_dim")
    queries = computed(
        f"{view.prefix}.query_width", attention.heads_width, heads=heads, head_dim=head_dim
    )
    keys = computed(
        f"{view.prefix}.key_value_width",
        attention.heads_width,
        heads=field(scope, "num_key_value_heads", "1"),
        head_dim=head_dim,
    )
    yield Tensor("q_proj", "attention", queries, hidden)
    yield Tensor("k_proj", "attention", keys, hidden)
    yield Tensor("v_proj", "attention", keys, hidden)
    yield Tensor("o_proj", "attention", hidden, queries)
    if attend.attention_bias:
        for name, width in (("q_proj.bias", queries), ("k_proj.bias", keys), ("v_proj.bias", keys)):
            yield Tensor(name, "attention", width, weight_class="biases")
    if attend.output_bias:
        yield Tensor("o_proj.bias", "attention", hidden, weight_class="biases")
    if attend.attention_sinks:
        yield Tensor("sinks", "attention", heads, weight_class="biases")
    if attend.qk_norm != "none":
        per_head = attend.qk_norm == "head"
        yield Tensor("q_norm", "norms", head_dim if per_head else queries)
        yield Tensor("k_norm", "norms", head_dim if per_head else keys)


def _feed_forward(
    component: str,
    width: Line,
    hidden: Line,
    *,
    gated: bool,
    bias: bool,
    copies: Line = ONE,
    used: Line = ONE,
) -> Iterator[Tensor]:
    """Yield the two or three matrices of one feed-forward, and their biases."""
    inner = ("gate_proj", "up_proj") if gated else ("up_proj",)
    shapes = [(name, width, hidden) for name in inner] + [("down_proj", hidden, width)]
    for name, out_features, in_features in shapes:
        yield Tensor(name, component, out_features, in_features, copies=copies, used=used)
    for name, out_features, _ in shapes if bias else ():
        yield Tensor(
            f"{name}.bias", component, out_features, copies=copies, used=used, weight_class="biases"
        )


def _dense_tensors(view: GroupView, dense: Dense, hidden: Line) -> Iterator[Tensor]:
    scope = view.feed_forward
    width = field(scope, "intermediate_size")
    yield from _feed_forward("dense_ffn", width, hidden, gated=dense.gated, bias=dense.mlp_bias)


def _moe_tensors(view: GroupView, moe: MoE, hidden: Line) -> Iterator[Tensor]:
    scope = view.feed_forward
    count = field(scope, "n_routed_experts", "1")
    chosen = field(scope, "num_experts_per_tok", "1")
    width = field(scope, "moe_intermediate_size")
    yield Tensor("router", "router", count, hidden)
    if moe.router_bias:
        yield Tensor("router.bias", "router", count, weight_class="biases")
    if moe.routing_bias:
        yield Tensor("routing_bias", "router", count, weight_class="routing_bias")
    yield from _feed_forward("routed_experts", width, hidden,
        gated=moe.gated, bias=moe.expert_bias, copies=count, used=chosen,
    )  # fmt: skip
    if moe.n_shared_experts:
        shared = computed(f"{view.prefix}.shared_expert_width", experts.shared_expert_width, scope)
        yield from _feed_forward(
            "shared_experts", shared, hidden, gated=moe.gated, bias=moe.expert_bias
        )


def _mtp_tensors(model: Model, modules: Line) -> Iterator[Tensor]:
    """Yield what an MTP module has beside its layer: the projection and three norms."""
    hidden = field(("model", model), "hidden_size")
    halves = given("mtp.joined_states", 2, "1", "the token's embedding and the hidden state")
    joined = combined("mtp.joined_width", "product", (hidden, halves))
    yield Tensor(
        "eh_proj", "mtp_projection", hidden, joined, layers=modules, weight_class="mtp_projection"
    )
    vectors = given("mtp.norms", 3, "1", "enorm, hnorm and the head's norm")
    yield Tensor("mtp_norms", "norms", hidden, layers=modules, copies=vectors)
