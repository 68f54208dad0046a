"""A part of a layer, attention, mixer or feed-forward: what each kind says of itself, once.

A kind of attention is a class ``Kind`` in ``attention/TAG.py``, of mixer in ``mixers/TAG.py``, of
feed-forward in ``feed_forward/TAG.py``, where TAG is the tag of its struct in the schema. What a
kind does not define is refused by its name: no count takes it for another kind. A part that a
layer lacks is an object of the part's own class: it has no tensors, operators, cache or state.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Line, Scope, field
from dsv3calc.model.operator import Tensor
from dsv3calc.model.saved import Activation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dsv3calc.model.experts import Experts
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.workload import Conventions


class Place:
    """Where a block stands: its struct with its path, its layer group, and what surrounds it.

    ``normed`` says that a norm stands before the block, ``shares_input`` that another block of the
    layer reads the same input and saves it.
    """

    __slots__ = ("hidden", "index", "layers", "normed", "prefix", "scope", "shares_input")

    def __init__(
        self,
        scope: Scope,
        prefix: str,
        index: int,
        layers: Line,
        hidden: Line,
        *,
        normed: bool,
        shares_input: bool = False,
    ) -> None:
        self.scope = scope
        self.prefix = prefix
        self.index = index
        self.layers = layers
        self.hidden = hidden
        self.normed = normed
        self.shares_input = shares_input


class Block:
    """One attention, mixer or feed-forward of a layer group."""

    part = ""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.scope = place.scope
        self.spec: Any = place.scope[1]
        self.prefix = place.prefix
        self.hidden = place.hidden
        self.tensors = tuple(self.make_tensors()) if self.present else ()
        self._operators: dict[str, tuple[Operator, ...]] = {}

    @property
    def present(self) -> bool:
        """Whether the layer has this part."""
        return self.spec is not None

    @property
    def kind(self) -> str:
        """The tag of its struct in the schema, ``none`` for a part that the layer lacks."""
        return kind_of(self.spec) if self.present else "none"

    def refusal(self, what: str) -> UsageError:
        """Return the error of a count that this kind does not define."""
        return refusal(what, f"{self.part} of kind '{self.kind}'")

    def make_tensors(self) -> Iterable[Tensor]:
        """List its tensors, in the order of a checkpoint."""
        raise self.refusal("the tensors")

    def make_operators(self, form: str) -> Iterable[Operator]:
        """List its operators in the order in which they run; ``form`` is that of attention."""
        raise self.refusal("the operators")

    def operators(self, form: str) -> tuple[Operator, ...]:
        """Return its operators in a form of attention, listed the first time."""
        found = self._operators.get(form)
        if found is None:
            made = self.make_operators(form) if self.present else ()
            found = self._operators[form] = tuple(made)
        return found

    def field(self, name: str, unit: str = "elements") -> Line:
        """Return a field of its struct."""
        return field(self.scope, name, unit)

    def tensor(
        self,
        name: str,
        component: str,
        out_features: Line,
        in_features: Line | None = None,
        **options: Any,
    ) -> Tensor:
        """Return a tensor of this block's layers."""
        place = self.place
        options |= {"layers": place.layers, "group": place.index, "place": place.prefix}
        return Tensor(name, component, out_features, in_features, **options)

    def weights(self, *names: str, component: str = "") -> list[Tensor]:
        """Return tensors by name, with their biases."""
        return [
            tensor
            for tensor in self.tensors
            if tensor.name.removesuffix(".bias") in names and component in ("", tensor.component)
        ]

    def width(self, name: str) -> str:
        """Return the name of the line of an activation's width."""
        return f"memory.layer.{self.prefix}.width.{name}"

    def input(self, name: str, shared_by: str = "") -> Activation:
        """Return the block's input as its first matrices read it."""
        by_norm = "layernorm" if self.place.normed else ""
        return Activation(
            name, self.hidden, "block", by_norm, linear_input=True, shared_by=shared_by
        )


class CachePart:
    """Vectors of one width that a token leaves in the cache of a layer.

    ``stored`` names those for which a cache's format may have a width of its own, ``rope`` or
    ``indexer``, and those that are kept in ``fp32`` in any.
    """

    __slots__ = ("name", "stored", "vectors", "width")

    def __init__(self, name: str, vectors: Line, width: Line, stored: str = "") -> None:
        self.name = name
        self.vectors = vectors
        self.width = width
        self.stored = stored


class CacheEntry:
    """What a token leaves in the cache of a layer: ``attention``, ``compressed`` or ``indexer``.

    ``division`` says how tensor parallelism divides it, in the words of tensors; ``bound`` is the
    line of the tokens that are kept, None where all are. ``ratio`` is the line of the tokens that
    one entry stands for, None where it is one; ``selected`` that of the entries that an indexer
    selects for a query, None where a query reads all that its span leaves. ``rows`` counts the
    entries of so many tokens and such a ratio where they are not one for each block: such an entry
    does not grow with every token.
    """

    __slots__ = ("bound", "division", "kind", "parts", "ratio", "rows", "selected")

    def __init__(
        self,
        kind: str,
        parts: list[CachePart],
        division: str,
        bound: Line | None = None,
        *,
        ratio: Line | None = None,
        selected: Line | None = None,
        rows: Callable[..., Any] | None = None,
    ) -> None:
        self.kind = kind
        self.parts = parts
        self.division = division
        self.bound = bound
        self.ratio = ratio
        self.selected = selected
        self.rows = rows


class StatePart:
    """Elements that a sequence keeps in a layer however long it is.

    ``kind`` is ``recurrent`` for the state of a recurrence and ``convolution`` for the last inputs
    of a convolution, which are kept in the model's data type; ``compressor`` is what a block of
    tokens has that is not complete, in FP32. ``division`` says how tensor
    parallelism divides it, in the words of tensors.
    """

    __slots__ = ("division", "elements", "kind", "name")

    def __init__(self, name: str, kind: str, elements: Line, division: str) -> None:
        self.name = name
        self.kind = kind
        self.elements = elements
        self.division = division


class Held:
    """Channels of heads that a GPU has of a token, as context parallelism exchanges them.

    ``heads`` is None for what all heads share. ``grouped`` says that each is repeated where there
    are fewer of them than GPUs.
    """

    __slots__ = ("channels", "grouped", "heads")

    def __init__(self, heads: Line | None, channels: list[Line], *, grouped: bool = False) -> None:
        self.heads = heads
        self.channels = channels
        self.grouped = grouped


class KeySelector(Protocol):
    """What selects the keys that a query attends to, beside an attention: an indexer."""

    @property
    def topk(self) -> Line:
        """Keys that are selected."""

    def tensors(self) -> Iterator[Tensor]:
        """List its weights."""

    def operators(self) -> Iterator[Operator]:
        """List its operators."""

    def cache(self) -> list[CacheEntry]:
        """List what a token leaves in its cache."""


class Attention(Block):
    """What a kind of attention tells beside its operators."""

    part = "attention"
    forms: tuple[str, ...] = ()
    """The forms in which it can be computed, where there is a choice: those of MLA."""

    joined: tuple[str, ...] = ()
    """The products whose matrices training libraries keep as one weight."""

    context_is_known: bool = True
    """Whether it tells what context parallelism exchanges."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._cache: dict[str, list[CacheEntry]] = {}

    @property
    def heads(self) -> Line:
        """The heads that tensor parallelism divides."""
        if not hasattr(self.spec, "num_attention_heads"):
            raise self.refusal("heads divided over tp")
        return self.field("num_attention_heads", "1")

    @property
    def indexer(self) -> KeySelector | None:
        """The indexer that selects keys, where it has one."""
        return None

    @property
    def key_value_heads(self) -> Line | None:
        """The heads that queries share, None where each query head has its own keys."""
        return None

    shared_words = "key-value heads"
    """What its heads share, in words."""

    @property
    def shared_heads(self) -> Line | None:
        """What its heads share: the key-value heads."""
        return self.key_value_heads

    @property
    def expansion(self) -> Tensor | None:
        """The matrix that expands a cached latent, which can be folded into its neighbours."""
        return None

    def span(self, conventions: Conventions) -> tuple[str, Line | None]:
        """Return which earlier keys a query sees, and the line of its size."""
        raise self.refusal("the (query, key) pairs")

    def make_cache(self, form: str) -> list[CacheEntry]:
        """List what a token leaves in the cache of one layer."""
        raise self.refusal("the cache")

    def cache(self, form: str) -> list[CacheEntry]:
        """Return what a token leaves in the cache of one layer, listed the first time."""
        found = self._cache.get(form)
        if found is None:
            found = self._cache[form] = self.make_cache(form) if self.present else []
        return found

    def kept_by_library(self) -> list[CacheEntry]:
        """List what transformers keeps of a layer beside its cache."""
        return []

    def make_state(self) -> list[StatePart]:
        """List what engines keep of a sequence in one layer, however long it is."""
        return []

    def state(self) -> list[StatePart]:
        """Return what engines keep of a sequence in one layer."""
        return self.make_state() if self.present else []

    def context_widths(self, form: str) -> dict[str, Held]:
        """Return what context parallelism exchanges: ``queries``, and ``keys`` or ``latent``."""
        raise self.refusal("what context parallelism exchanges")

    def query_parts(self, tensor: Tensor) -> list[Tensor]:
        """Divide a query projection into the part without and the part with rotation."""
        return [tensor]

    def regrouped(self, heads: int) -> Any:
        """Return the struct of grouped-query attention that takes its place in a what-if.

        Raises
        ------
        UsageError
            If its heads are not those of grouped-query attention.
        """
        raise UsageError(
            f"{self.part} of kind '{self.kind}' cannot be changed to grouped-query attention"
        )


class FeedForward(Block):
    """What a kind of feed-forward tells beside its operators."""

    part = "feed-forward"

    @property
    def experts(self) -> Experts | None:
        """The struct of its routed experts, None where it has none."""
        return None

    @property
    def inner_width(self) -> Line:
        """The width of the feed-forward, or of one expert."""
        raise self.refusal("the inner width")

    def densified(self, experts: str) -> Any:
        """Return the struct of a dense feed-forward as wide as its experts, None if it has none.

        ``experts`` is ``dense-active`` for those that a token passes, ``dense-total`` for all.
        """
        if self.experts is None:
            return None
        raise UsageError(f"{self.part} of kind '{self.kind}' cannot be changed to a dense one")


def kind_of(spec: Any) -> str:
    """Return the tag of a struct of the schema."""
    return str(type(spec).__struct_config__.tag)


def refusal(what: str, kind: str) -> UsageError:
    """Return the error of a count that does not know a kind."""
    return UsageError(
        f"{what} of {kind} cannot be counted",
        "choose a model whose layers are of other kinds",
    )


def attention_of(place: Place) -> Attention:
    """Return the attention of a layer group, by the tag of its struct."""
    found: Attention = built("attention", Attention, place)
    return found


def feed_forward_of(place: Place) -> FeedForward:
    """Return the feed-forward of a layer group, by the tag of its struct."""
    found: FeedForward = built("feed_forward", FeedForward, place)
    return found


def built(folder: str, base: type[Block], place: Place) -> Any:
    """Return the block of a kind, or of the class of its part where the layer has none."""
    if place.scope[1] is None:
        return base(place)
    kind = kind_of(place.scope[1])
    name = f"dsv3calc.model.{folder}.{kind}"
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise refusal("the tensors", f"{base.part} of kind '{kind}'") from None
    return module.Kind(place)
