"""The matrices and the activation function that every feed-forward is made of."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.line import Line, combined, given
from dsv3calc.model.operator import GROUPED, PASS, PRODUCT, Operator, saves_nothing
from dsv3calc.model.saved import Activation, Product, Saving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dsv3calc.model.block import Block
    from dsv3calc.model.operator import Tensor


class Matrices:
    """The two or three matrices of a feed-forward, and the function between them.

    Parameters
    ----------
    block, component
        Whose they are, and the line of the tables of parameters and FLOPs.
    function
        What the names of the tensors that the activation function saves begin with.
    dropped_by
        The modules whose recomputation drops what the function reads, and those that drop what it
        writes.
    width, place
        Gives the width of what is saved, None where nothing of it is computed here; and its place,
        where the layout divides the matrices.
    prefix, kind, rows, groups
        Of the operators: what their names begin with, their kind, their rows, and the GPUs that
        exchange input and output.
    output_place
        The place of the output.
    kernel
        The kernel that all of it runs in; each operator in its own where it is empty.
    outer
        The channels of input and output, by default those of the hidden state.
    """

    def __init__(
        self,
        block: Block,
        component: str,
        function: str,
        *,
        dropped_by: tuple[str, str],
        width: Callable[[Saving], Line | None],
        place: str = "split",
        prefix: str = "",
        kind: str = PRODUCT,
        rows: str = "tokens",
        groups: tuple[str, ...] = ("tp",),
        output_place: str = "block",
        kernel: str = "",
        outer: Line | None = None,
    ) -> None:
        self.kernel = kernel
        self.block = block
        self.component = component
        self.function = function
        self.dropped_by = dropped_by
        self.width = width
        self.place = place
        self.prefix = prefix
        self.kind = kind
        self.rows = rows
        self.groups = groups
        self.output_place = output_place
        self.outer = block.hidden if outer is None else outer
        self.gated: bool = block.spec.gated
        self.inner = ("gate_proj", "up_proj") if self.gated else ("up_proj",)

    def tensors(self, width: Line, division: str, *, bias: bool, **copies: Any) -> Iterator[Tensor]:
        """List the matrices, and their biases.

        Where tensor parallelism divides the matrices, each GPU has the whole bias of the output.
        """
        hidden = self.outer
        shapes = [(name, width, hidden) for name in self.inner] + [("down_proj", hidden, width)]
        for name, out_features, in_features in shapes:
            yield self.block.tensor(
                name, self.component, out_features, in_features, division=division, **copies
            )
        for name, out_features, _ in shapes if bias else ():
            whole = name == "down_proj" and division != "experts"
            yield self.block.tensor(
                f"{name}.bias",
                self.component,
                out_features,
                division="replicated" if whole else division,
                weight_class="biases",
                **copies,
            )

    def operators(
        self,
        reads: Callable[[Saving], Iterable[Activation]] = saves_nothing,
        writes: Callable[[Saving], Iterable[Activation]] = saves_nothing,
    ) -> Iterator[Operator]:
        """List the product before the function, the function, and the product after it.

        ``reads`` and ``writes`` list what is saved of the input and of the output.
        """
        width = self._weights(*self.inner)[0].out_features
        yield Operator(
            f"{self.prefix}up_proj",
            self.kind,
            self.component,
            self._weights(*self.inner),
            rows=self.rows,
            saves=reads,
            output=self._inner_output,
            before=self.groups,
            kernel=self.kernel,
        )
        yield Operator(
            self.function,
            PASS,
            self.component,
            rows=self.rows,
            reads=(width,) * len(self.inner),
            writes=(width,),
            saves=self._function_input,
            kernel=self.kernel,
            division="experts" if self.kind == GROUPED else "split",
        )
        yield Operator(
            f"{self.prefix}down_proj",
            self.kind,
            self.component,
            self._weights("down_proj"),
            rows=self.rows,
            saves=lambda saving: (*self._function_output(saving), *writes(saving)),
            output=self._output,
            after=self.groups,
            kernel=self.kernel,
        )

    def _weights(self, *names: str) -> list[Tensor]:
        return self.block.weights(*names, component=self.component)

    def _place(self, saving: Saving) -> str:
        return "block" if saving.layout.is_replicated(self.component) else self.place

    def _read_width(self, width: Line) -> Line:
        """Return the width of what enters the function: both halves where it is gated."""
        if not self.gated:
            return width
        halves = given("gated.halves", 2, "1", "gate and up projection")
        name = self.block.width(f"{self.function}_input")
        return combined(name, "product", (width, halves), unit="elements")

    def _function_input(self, saving: Saving) -> Iterator[Activation]:
        width, place = self.width(saving), self._place(saving)
        if width is None:
            return
        whole, act = self.dropped_by
        yield Activation(f"{self.function}_input", self._read_width(width), place, whole)
        if self.gated and saving.recompute.activation_function == "unfused":
            yield Activation(f"{self.function}_gate", width, place, act)

    def _function_output(self, saving: Saving) -> Iterator[Activation]:
        width, place = self.width(saving), self._place(saving)
        if width is not None:
            yield Activation(
                f"{self.function}_output", width, place, self.dropped_by[1], linear_input=True
            )

    def _inner_output(self, saving: Saving) -> Product | None:
        width = self.width(saving)
        if width is None:
            return None
        return Product(f"{self.prefix}up_proj", self._read_width(width), self._place(saving))

    def _output(self, saving: Saving) -> Product | None:
        if self.width(saving) is None:
            return None
        return Product(f"{self.prefix}down_proj", self.outer, self.output_place)
