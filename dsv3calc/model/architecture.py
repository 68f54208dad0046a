"""A model as lists of operators: its layer groups, what stands outside of them, and MTP."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import architecture
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.addition import additions_of
from dsv3calc.model.layer import GroupView, LineCache, norm_vectors
from dsv3calc.model.operator import LOOKUP, PASS, PRODUCT, Operator, Tensor
from dsv3calc.model.saved import BYTE, Activation, Product, Saving
from dsv3calc.schema.layers import listed, parse_slice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.model.addition import Addition
    from dsv3calc.schema.model import Model, MoE


class Architecture(LineCache):
    """A model's layer groups, with the operators before and after the layers, and those of MTP.

    ``outer`` are the tensors outside the layers: embedding, head and what stands with the head, the
    final norm last; ``entry_tensors`` stand with the embedding. ``mtp_tensors`` are those that an
    MTP module has beside its layer. ``entry`` are the operators between embedding and layers,
    ``exit`` and then ``head`` those after the last layer, ``mtp_projection`` those between an MTP
    module's inputs and its layer. ``between_layers`` is the width of what one layer passes to the
    next.
    """

    __slots__ = (
        "between_layers",
        "embedding",
        "entry",
        "entry_tensors",
        "exit",
        "groups",
        "head",
        "model",
        "mtp",
        "mtp_projection",
        "mtp_tensors",
        "outer",
        "scope",
    )

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.scope = ("model", model)
        additions = additions_of(model) if model.additions else []
        entries = [(each, tuple(each.entry_tensors())) for each in additions]
        exits = [(each, tuple(each.exit_tensors())) for each in additions]
        self.entry_tensors = tuple(tensor for _, tensors in entries for tensor in tensors)
        self.outer = tuple(_outer_tensors(model, [one for _, each in exits for one in each]))
        self.embedding = _embedding(self.outer[0])
        self.entry = tuple(one for each, tensors in entries for one in each.entry(tensors))
        self.exit = tuple(one for each, tensors in exits for one in each.exit(tensors))
        self.head = tuple(_head(model, self.outer))
        self.between_layers = _between_layers(model, additions)
        self.groups = tuple(
            GroupView(model, index, f"groups.{index}", layers, additions=additions)
            for index, layers in enumerate(_group_layers(model))
        )
        self.mtp: GroupView | None = None
        self.mtp_tensors: tuple[Tensor, ...] = ()
        self.mtp_projection: tuple[Operator, ...] = ()
        if model.mtp is not None:
            modules = field(("model.mtp", model.mtp), "num_nextn_predict_layers", "1")
            own = None if model.mtp.layer is None else ("mtp.layer", model.mtp.layer)
            place = (model.mtp.group or 0, "mtp", modules)
            self.mtp = GroupView(model, *place, own, additions=additions)
            joining = tuple(_mtp_tensors(model, modules))
            repeated = [each for each in additions if each.in_mtp]
            ends = [(each, tuple(each.exit_tensors(modules))) for each in repeated]
            self.mtp_tensors = (*joining, *(one for _, each in ends for one in each))
            self.mtp_projection = (
                *_mtp_projection(model, *joining),
                *(one for each, tensors in ends for one in each.exit(tensors)),
            )


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


def has_experts(model: Model) -> bool:
    """Tell whether any layer of a model has routed experts."""
    return any(view.experts is not None for view in architecture_of(model).groups)


def experts_of(model: Model) -> list[MoE]:
    """List the kinds of routed experts of a model's layers."""
    views = architecture_of(model).groups
    return [*dict.fromkeys(view.experts.spec for view in views if view.experts is not None)]


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


def _between_layers(model: Model, additions: Sequence[Addition]) -> Line:
    hidden = field(("model", model), "hidden_size")
    streams = next((each.streams for each in additions if each.streams is not None), None)
    if streams is None:
        return hidden
    return combined("model.between_layers", "product", (hidden, streams))


def _outer_tensors(model: Model, exits: Sequence[Tensor]) -> Iterator[Tensor]:
    scope = ("model", model)
    vocabulary, hidden = field(scope, "vocab_size"), field(scope, "hidden_size")
    divided: dict[str, Any] = {"division": "vocabulary"}
    tied = model.tie_word_embeddings
    yield Tensor("embedding", "embedding", vocabulary, hidden, tied=tied, **divided)
    yield Tensor("head", "head", vocabulary, hidden, **divided)
    if model.head_bias:
        yield Tensor("head.bias", "head", vocabulary, weight_class="biases", **divided)
    yield from exits
    norms = norm_vectors(model)
    yield Tensor("final_norm", "norms", hidden, copies=norms, division="replicated")


def _embedding(table: Tensor) -> Operator:
    assert table.in_features is not None  # noqa: S101 - the embedding is a matrix
    hidden = table.in_features

    def saves(saving: Saving) -> Iterator[Activation]:
        if saving.recompute.dropout:
            yield Activation("embedding_mask", hidden, "block", bits=BYTE, checkpoint=True)

    row = (hidden,)
    return Operator("embedding", LOOKUP, "embedding", [table], reads=row, writes=row, saves=saves)


def _head(model: Model, outer: tuple[Tensor, ...]) -> Iterator[Operator]:
    """Yield the final norm and the head, whose matrix is the embedding where they are tied.

    The gradient of the head's output takes the place of the logits.
    """
    hidden = field(("model", model), "hidden_size")
    embedding, head, *more, norm = outer
    bias = [tensor for tensor in more if tensor.component == head.component]
    yield Operator(
        "final_norm",
        PASS,
        "norms",
        [norm],
        reads=(hidden,),
        writes=(hidden,),
        saves=lambda _: (Activation("final_norm_input", hidden, "block", checkpoint=True),),
    )
    yield Operator(
        "lm_head",
        PRODUCT,
        "head",
        [embedding if model.tie_word_embeddings else head, *bias],
        rows="logits",
        saves=lambda _: (
            Activation(
                "head_input", hidden, "block", "layernorm", linear_input=True, checkpoint=True
            ),
        ),
    )


_JOINED = given("mtp.joined_states", 2, "1", "the token's embedding and the hidden state")


def _mtp_tensors(model: Model, modules: Line) -> Iterator[Tensor]:
    """Yield what an MTP module has beside its layer: the projection and three norms."""
    hidden = field(("model", model), "hidden_size")
    joined = combined("mtp.joined_width", "product", (hidden, _JOINED))
    yield Tensor(
        "eh_proj", "mtp_projection", hidden, joined, layers=modules, weight_class="mtp_projection"
    )
    vectors = given("mtp.norms", 3, "1", "enorm, hnorm and the head's norm")
    yield Tensor(
        "mtp_norms", "norms", hidden, layers=modules, copies=vectors, division="replicated"
    )


def _mtp_projection(model: Model, projection: Tensor, norms: Tensor) -> Iterator[Operator]:
    """Yield the norms of an MTP module and the projection of its two inputs."""
    hidden = field(("model", model), "hidden_size")
    joined = combined("memory.mtp.joined_width", "product", (hidden, _JOINED), unit="elements")
    yield Operator(
        "mtp_norms",
        PASS,
        "norms",
        [norms],
        reads=(joined,),
        writes=(joined,),
        saves=lambda _: (Activation("mtp_norm_inputs", joined, "block", checkpoint=True),),
    )
    yield Operator(
        "eh_proj",
        PRODUCT,
        "mtp_projection",
        [projection],
        saves=lambda _: (
            Activation("mtp_projection_input", joined, "block", "layernorm", linear_input=True),
        ),
        output=lambda _: Product("eh_proj", hidden, "block"),
    )
