"""Operators and the tensors they read: what every count of a layer adds up."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from dsv3calc.ledger.line import given
from dsv3calc.ledger.tags import Tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dsv3calc.ledger.line import Line
    from dsv3calc.model.saved import Activation, Product, Saving
    from dsv3calc.schema.workload import Conventions

ONE = given("one", 1, "1")

PRODUCT = "matrix product"
GROUPED = "grouped product"
CORE = "attention core"
SCAN = "scan"
CONVOLUTION = "convolution"
PASS = "memory-bound pass"  # noqa: S105 - a pass over memory
CAST = "cast"
LOOKUP = "lookup"
EXCHANGE = "exchange"
KINDS = (PRODUCT, GROUPED, CORE, SCAN, CONVOLUTION, PASS, CAST, LOOKUP, EXCHANGE)
"""What an operator can be."""

NO_PRODUCT = (PASS, CAST, LOOKUP, EXCHANGE)
"""The kinds that move or change numbers without a product: FLOP counts leave them out."""

DIVISIONS = {
    "split": "over tp",
    "key_value": "over tp, but no further than there are key-value heads",
    "groups": "over tp, but no further than a mixer has groups of heads",
    "experts": "over ep, and each matrix over etp",
    "replicated": "whole on every tensor-parallel GPU",
    "vocabulary": "over tp where the layout divides the vocabulary",
}
"""How the GPUs of a pipeline stage divide a tensor: name -> words.

A layout may replicate components that are ``split``.
"""


BUFFERS = ("routing_bias", "routing_table")
"""Weight classes of what no gradient trains, and most libraries hold as buffers."""


class Tensor:
    """One weight tensor of one layer group, or of the model.

    ``component`` is the line of the parameter table it belongs to; ``weight_class`` decides its
    format under a precision; ``in_features`` is None for a vector; ``tied`` marks an embedding that
    is the head as well; ``place`` is the layer group's prefix, or ``model``. ``copies`` stand in
    one layer and ``used`` of them serve a token, ``most`` where some of a router's choices have no
    weights and all happen to have. ``division`` is one of :data:`DIVISIONS`.
    """

    __slots__ = (
        "component",
        "copies",
        "division",
        "group",
        "in_features",
        "layers",
        "most",
        "name",
        "out_features",
        "place",
        "tags",
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
        division: str = "split",
        layers: Line = ONE,
        group: int | None = None,
        place: str = "model",
        copies: Line = ONE,
        used: Line | None = None,
        most: Line | None = None,
        weight_class: str = "",
        tied: bool = False,
    ) -> None:
        self.tied = tied
        self.place = place
        self.name = name
        self.component = component
        self.division = division
        self.group = group
        self.layers = layers
        self.copies = copies
        self.used = copies if used is None else used
        self.most = self.used if most is None else most
        self.out_features = out_features
        self.in_features = in_features
        self.weight_class = weight_class or component
        self.tags = Tags(component=component, tensor=name, group="" if place == "model" else place)

    def changed(
        self,
        *,
        name: str = "",
        copies: Line | None = None,
        out_features: Line | None = None,
        division: str = "",
    ) -> Tensor:
        """Return the tensor of one layer with another name, number, height or division."""
        changed = Tensor(
            name or self.name,
            self.component,
            self.out_features if out_features is None else out_features,
            self.in_features,
            division=division or self.division,
            copies=self.copies if copies is None else copies,
            weight_class=self.weight_class,
        )
        changed.tags = msgspec.structs.replace(self.tags, tensor=changed.name)
        return changed


class Core:
    """The part of attention that works on (query, key) pairs.

    ``channels`` gives, for each product of a pair, the channels of one of the ``heads``: those that
    a score sums over, those of a weighted value. ``every_key`` says that it meets all keys before
    a query, whatever the layer's span is; ``span`` gives a span of its own: its name, and the
    arguments of the formula that counts its pairs.
    """

    __slots__ = ("channels", "every_key", "heads", "span")

    def __init__(
        self,
        heads: Line,
        channels: dict[str, Line],
        *,
        every_key: bool = False,
        span: Callable[[Conventions], tuple[str, dict[str, Line]]] | None = None,
    ) -> None:
        self.heads = heads
        self.channels = channels
        self.every_key = every_key
        self.span = span


Form: TypeAlias = "tuple[Callable[..., Any], Mapping[str, Any]]"
"""A formula, and its arguments beside the workload's and the number of layers."""


class Scan:
    """The recurrence of a mixer, in each form in which it is computed or counted.

    ``forms`` gives for each form its parts: name -> formula and arguments, the workload's and the
    number of layers aside. ``recurrent`` goes token by token, ``chunked`` is what kernels compute
    of whole sequences, ``library`` and ``library-step`` what transformers' code computes of whole
    sequences and of one token.
    """

    __slots__ = ("forms",)

    def __init__(self, forms: Mapping[str, Mapping[str, Form]]) -> None:
        self.forms = forms


def saves_nothing(_: Saving) -> Iterable[Activation]:
    """Save nothing."""
    return ()


def _no_output(_: Saving) -> Product | None:
    return None


class Operator:
    """One step of a layer.

    Attributes
    ----------
    name, kind
        What it is called, and one of :data:`KINDS`.
    component
        The line of the FLOP table it belongs to; a precision names its peak by it.
    weights
        The tensors it reads, each divided and stored as it says itself.
    matrices
        Those among them that its rows are multiplied with.
    rows
        What it works on: ``tokens``; the tokens of the ``context``, cached ones too; the rows that
        are ``routed`` to experts; or the positions that have ``logits``.
    core, scan
        Heads and channels of an attention core; the forms of a mixer's recurrence.
    reads, writes
        Elements of a row that a memory-bound pass, a cast or a lookup reads and writes.
    saves
        Lists what the backward pass reads of it, given how activations are saved.
    output
        Gives the output of a matrix product whose gradient its weight gradient needs.
    before, after
        The groups of GPUs that exchange its input and its output: ``tp``, ``cp``, ``ep``, ``etp``.
    trained
        Whether the gradient of the loss passes through it.
    kernel
        The kernel that it runs in, with all operators of a layer that name the same.
    division
        How GPUs divide what a memory-bound pass reads and writes, by :data:`DIVISIONS`.
    linear
        Whether the backward pass of a memory-bound pass needs nothing of its input.
    """

    __slots__ = (
        "after",
        "before",
        "component",
        "core",
        "division",
        "kernel",
        "kind",
        "linear",
        "matrices",
        "name",
        "output",
        "reads",
        "rows",
        "saves",
        "scan",
        "trained",
        "weights",
        "writes",
    )

    def __init__(
        self,
        name: str,
        kind: str,
        component: str,
        weights: Iterable[Tensor] = (),
        *,
        rows: str = "tokens",
        core: Core | None = None,
        scan: Scan | None = None,
        reads: tuple[Line, ...] = (),
        writes: tuple[Line, ...] = (),
        saves: Callable[[Saving], Iterable[Activation]] = saves_nothing,
        output: Callable[[Saving], Product | None] = _no_output,
        before: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
        trained: bool = True,
        kernel: str = "",
        division: str = "replicated",
        linear: bool = False,
    ) -> None:
        self.name = name
        self.kernel = kernel or name
        self.division = division
        self.linear = linear
        self.kind = kind
        self.component = component
        self.weights = tuple(weights)
        self.matrices = tuple(each for each in self.weights if each.in_features is not None)
        self.rows = rows
        self.core = core
        self.scan = scan
        self.reads = reads
        self.writes = writes
        self.saves = saves
        self.output = output
        self.before = before
        self.after = after
        self.trained = trained

    @property
    def words(self) -> str:
        """Its name and its kind, for a message."""
        return f"the operator '{self.name}', a {self.kind},"
