"""A layer group: its attention and its feed-forward, with norms and residuals around them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dsv3calc.ledger.line import Line, combined, field, given
from dsv3calc.model.block import Place, attention_of, feed_forward_of
from dsv3calc.model.operator import PASS, Operator, Tensor
from dsv3calc.model.saved import BYTE, Activation, Saving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.model.block import Experts
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
    """A layer group with its place in the model: its index, its prefix, its number of layers."""

    __slots__ = (
        "_operators",
        "attention",
        "feed_forward",
        "group",
        "hidden",
        "index",
        "layers",
        "model",
        "prefix",
        "tensors",
    )

    def __init__(self, model: Model, index: int, prefix: str, layers: Line) -> None:
        super().__init__()
        self.model = model
        self.group: LayerGroup = model.groups[index]
        self.index = index
        self.prefix = prefix
        self.layers = layers
        self.hidden = field(("model", model), "hidden_size")
        self.attention = attention_of(self._place("attention", self.group.attention))
        self.feed_forward = feed_forward_of(self._place("feed_forward", self.group.feed_forward))
        self.tensors = (*self.attention.tensors, *self.feed_forward.tensors, *self._norms())
        self._operators: dict[str, tuple[Operator, ...]] = {}

    def _place(self, part: str, spec: Any) -> Place:
        scope = (f"model.groups.{self.index}.{part}", spec)
        normed = bool(self.group.block_norms)
        return Place(scope, self.prefix, self.index, self.layers, self.hidden, normed=normed)

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
        norms = self.group.block_norms
        yield self._norm("attention_norm", min(norms, 1), "layer_input", checkpoint=True)
        yield from self.attention.operators(form)
        yield self._residual("attention")
        yield self._norm("feed_forward_norm", min(max(norms - 1, 0), 1), "feed_forward_norm_input")
        if norms > 2:  # noqa: PLR2004 - one before attention, one before the feed-forward
            width = (self.hidden,)
            weights = self._norms(norms - 2)
            saves = self._post_norm_inputs
            yield Operator(
                "post_norms", PASS, "norms", weights, reads=width, writes=width, saves=saves
            )
        yield from self.feed_forward.operators(form)
        yield self._residual("feed_forward")

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
        count = self.group.block_norms - 2
        after = given("post_norms", count, "1", "norms of outputs, such as Gemma's")
        name = self.attention.width("post_norms")
        width = combined(name, "product", (self.hidden, after), unit="elements")
        yield Activation("post_norm_inputs", width, "block")

    def _residual(self, part: str) -> Operator:
        def saves(saving: Saving) -> Iterator[Activation]:
            if saving.recompute.dropout:
                yield Activation(f"{part}_mask", self.hidden, "block", bits=BYTE)

        both = (self.hidden, self.hidden)
        return Operator(
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
