"""A layer group: its attention, mixer and feed-forward, with norms and residuals around them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dsv3calc.ledger.line import Line, combined, field, given
from dsv3calc.model.block import Place, attention_of, feed_forward_of
from dsv3calc.model.mixer import mixer_of
from dsv3calc.model.operator import PASS, Operator, Tensor
from dsv3calc.model.saved import BYTE, Activation, Saving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dsv3calc.ledger.line import Scope
    from dsv3calc.model.addition import Addition, InLayer
    from dsv3calc.model.block import Attention
    from dsv3calc.model.experts import Experts
    from dsv3calc.model.mixer import Mixer
    from dsv3calc.schema.model import LayerGroup, Model


_Made = TypeVar("_Made")


class LineCache:
    """Results that depend on a model and on one other frozen thing, made the first time.

    Models, precisions and formats are frozen and lines are never changed, so they may be shared.
    Nobody may change a result either.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Any, Any]] = {}

    def cached(self, key: Any, other: Any, make: Callable[[], _Made]) -> _Made:
        """Return the result under a key, made anew where ``other`` is not the object of last time.

        It is kept, so that no other object takes its place in memory.
        """
        found = self._known.get(key)
        if found is None or found[0] is not other:
            found = self._known[key] = (other, make())
        made: _Made = found[1]
        return made


class GroupView(LineCache):
    """A layer group with its place in the model: its index, its prefix, its number of layers.

    ``attention``, ``mixer`` and ``feed_forward`` are always there: a part that a layer lacks has no
    tensors, operators, cache or state. ``path`` is where the group stands in the model's data.
    """

    __slots__ = (
        "_operators",
        "additions",
        "attention",
        "feed_forward",
        "group",
        "hidden",
        "index",
        "layers",
        "mixer",
        "model",
        "path",
        "prefix",
        "streams",
        "tensors",
    )

    def __init__(
        self,
        model: Model,
        index: int,
        prefix: str,
        layers: Line,
        own: tuple[str, LayerGroup] | None = None,
        *,
        additions: Sequence[Addition] = (),
    ) -> None:
        """Build a group by its index, or one of its ``own`` with its path in the model's data."""
        super().__init__()
        self.model = model
        self.path, self.group = own or (f"groups.{index}", model.groups[index])
        self.index = index
        self.prefix = prefix
        self.layers = layers
        self.hidden = field(("model", model), "hidden_size")
        self.attention = attention_of(self._place("attention", self.group.attention))
        self.mixer = mixer_of(self._place("mixer", self.group.mixer))
        self.feed_forward = feed_forward_of(self._place("feed_forward", self.group.feed_forward))
        found = [each.in_layer(self._place_of(each.scope)) for each in additions]
        self.additions: list[InLayer] = [each for each in found if each is not None]
        self.streams = any(each.streams is not None for each in additions)
        self.tensors = (
            *self.attention.tensors,
            *self.mixer.tensors,
            *self.feed_forward.tensors,
            *(tensor for each in self.additions for tensor in each.tensors),
            *self._norms(),
        )
        self._operators: dict[str, tuple[Operator, ...]] = {}

    def _place(self, part: str, spec: Any) -> Place:
        shared = part == "mixer" and self.attention.present
        return self._place_of((f"model.{self.path}.{part}", spec), shares_input=shared)

    def _place_of(self, scope: Scope, *, shares_input: bool = False) -> Place:
        return Place(
            scope,
            self.prefix,
            self.index,
            self.layers,
            self.hidden,
            normed=bool(self.group.block_norms),
            shares_input=shares_input,
        )

    @property
    def mixing(self) -> tuple[Attention | Mixer, ...]:
        """The parts of the layer that mix tokens: an attention, a mixer, both or none."""
        return tuple(block for block in (self.attention, self.mixer) if block.present)

    @property
    def heads(self) -> list[int]:
        """The heads that tensor parallelism divides, of each part that has any."""
        return [block.heads.value for block in self.mixing]

    @property
    def kinds(self) -> tuple[str | None, str | None]:
        """The kinds of what mixes tokens and of the feed-forward, None where there is none."""
        feeds = self.feed_forward
        mixes = "+".join(block.kind for block in self.mixing)
        return mixes or None, feeds.kind if feeds.present else None

    @property
    def experts(self) -> Experts | None:
        """The struct of the layer's routed experts, None where it has none."""
        return self.feed_forward.experts

    def operators(self, form: str = "naive") -> tuple[Operator, ...]:
        """Return the operators of one layer in the order in which they run.

        ``form`` is that of attention, where there is a choice.
        """
        found = self._operators.get(form)
        if found is None:
            found = self._operators[form] = tuple(self._listed(form))
        return found

    def _listed(self, form: str) -> Iterator[Operator]:
        norms, mixing, feeds = self.group.block_norms, self.mixing, self.feed_forward
        # of several streams, the additions save what enters the layer
        whole = not self.streams
        if mixing:
            yield from self._around("before", "attention")
            part = mixing[0].part
            yield self._norm(f"{part}_norm", min(norms, 1), "layer_input", checkpoint=whole)
            for block in mixing:
                yield from block.operators(form)
            yield from self._around("after", "attention")
            yield from self._residual(part)
        if feeds.present:
            yield from self._around("before", "feed_forward")
            count = min(max(norms - bool(mixing), 0), 1)
            reads = "feed_forward_norm_input" if mixing else "layer_input"
            checkpoint = whole and not mixing
            yield self._norm("feed_forward_norm", count, reads, checkpoint=checkpoint)
        if self._post_norms > 0:
            width = (self.hidden,)
            weights = self._norms(self._post_norms)
            saves = self._post_norm_inputs
            yield Operator(
                "post_norms", PASS, "norms", weights, reads=width, writes=width, saves=saves
            )
        if feeds.present:
            yield from feeds.operators(form)
            yield from self._around("after", "feed_forward")
            yield from self._residual("feed_forward")
        for each in self.additions:
            yield from each.last()

    def _around(self, when: str, site: str) -> Iterator[Operator]:
        for each in self.additions:
            yield from getattr(each, when)(site)

    @property
    def _post_norms(self) -> int:
        """The norms that stand before neither what mixes tokens nor the feed-forward."""
        return self.group.block_norms - bool(self.mixing) - self.feed_forward.present

    def _norms(self, count: int | None = None) -> Iterator[Tensor]:
        """Yield the tensor of norms over the hidden state: of all, or of some of a layer."""
        count = self.group.block_norms if count is None else count
        if count:
            yield Tensor(
                "block_norms",
                "norms",
                self.hidden,
                division="replicated",
                layers=self.layers,
                group=self.index,
                place=self.prefix,
                copies=norm_vectors(self.model, count),
            )

    def _norm(self, name: str, count: int, reads: str, *, checkpoint: bool = False) -> Operator:
        return Operator(
            name,
            PASS,
            "norms",
            self._norms(count),
            reads=(self.hidden,),
            writes=(self.hidden,),
            saves=lambda _: (Activation(reads, self.hidden, "block", checkpoint=checkpoint),),
        )

    def _post_norm_inputs(self, _: Saving) -> Iterator[Activation]:
        after = given("post_norms", self._post_norms, "1", "norms of outputs, such as Gemma's")
        name = self.attention.width("post_norms")
        width = combined(name, "product", (self.hidden, after), unit="elements")
        yield Activation("post_norm_inputs", width, "block")

    def _residual(self, part: str) -> Iterator[Operator]:
        for each in self.additions:
            found = each.residual(part)
            if found is not None:
                yield from found
                return

        def saves(saving: Saving) -> Iterator[Activation]:
            if saving.recompute.dropout:
                yield Activation(f"{part}_mask", self.hidden, "block", bits=BYTE)

        both = (self.hidden, self.hidden)
        yield Operator(
            f"{part}_residual",
            PASS,
            "residual",
            reads=both,
            writes=both[:1],
            saves=saves,
            linear=True,
        )


def norm_vectors(model: Model, count: int = 1) -> Line:
    """Return the vectors of some norms: each has a weight, and a bias where the model's have."""
    vectors = 2 if model.norm_bias else 1
    return given("norm_vectors", count * vectors, "1", "weight and bias" if model.norm_bias else "")
