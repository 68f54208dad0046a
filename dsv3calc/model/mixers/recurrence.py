"""What the kinds of mixer have in common: projections, a convolution, a recurrence, a norm."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import attention, mixers
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.model.block import StatePart
from dsv3calc.model.mixer import Mixer
from dsv3calc.model.operator import CONVOLUTION, PASS, PRODUCT, SCAN, Operator, Scan
from dsv3calc.model.saved import Activation, Product, Saving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsv3calc.model.operator import Tensor

PROJECTIONS = "mixer_projections"
CORE = "mixer_core"
COMPONENT = "mixer"
"""Lines of the tables of FLOPs, and that of parameters, that mixers belong to."""

VECTOR: dict[str, Any] = {"weight_class": "mixer_vectors"}
"""Decays, steps and biases of a mixer: small vectors, stored as a precision says."""


def products(name: str, count: int, words: str = "") -> Line:
    """Return the line of a number of products of a recurrence."""
    return given(f"{name}_products", count, "1", words)


class Projected(Mixer):
    """A mixer between projections of its input and of its output, with a causal convolution.

    A kind lists its tensors, and says which of them are projections.
    """

    inputs: tuple[str, ...] = ()
    """The projections of the layer's input, in the order in which they run."""

    def convolved(self) -> dict[str, Line]:
        """Return the channels that pass through the convolution, by how tp divides them."""
        return {}

    def convolutions(self, kernel: Line, *, bias: bool) -> Iterator[Tensor]:
        """List the weights of the convolution, and its biases."""
        for division, channels in self.convolved().items():
            name = "conv1d" if division == "split" else f"conv1d_{division}"
            options: dict[str, Any] = {"division": division, "weight_class": "convolutions"}
            yield self.tensor(name, COMPONENT, channels, kernel, **options)
            if bias:
                yield self.tensor(f"{name}.bias", COMPONENT, channels, division=division, **VECTOR)

    def _projections(self) -> Iterator[Operator]:
        """List the projections of the layer's input."""
        for name in self.inputs:
            first = name == self.inputs[0]
            yield self._projection(
                name, self._input if first else lambda _: (), ("tp",) if first else ()
            )

    def _convolution(self) -> Iterator[Operator]:
        """List the convolution, where there is one."""
        channels = list(self.convolved().values())
        if channels:
            yield Operator(
                "convolution",
                CONVOLUTION,
                CORE,
                self.weights("conv1d", "conv1d_groups"),
                saves=lambda _: self._activations("convolution_input", channels),
            )

    def _output(self) -> Operator:
        """Return the projection of the output."""
        width = self.value_width
        return Operator(
            "out_proj",
            PRODUCT,
            PROJECTIONS,
            self.weights("out_proj"),
            saves=lambda _: self._activations("mixer_output", [width], linear_input=True),
            output=lambda _: Product("out_proj", self.hidden, "block"),
            after=("tp",),
        )

    def _projection(self, name: str, saves: Any, before: tuple[str, ...]) -> Operator:
        weights = self.weights(name)
        width = weights[0].out_features
        place = "block" if weights[0].division == "replicated" else "split"
        return Operator(
            name,
            PRODUCT,
            PROJECTIONS,
            weights,
            saves=saves,
            output=lambda _: Product(name, combined(self.width(name), "product", (width,)), place),
            before=before,
        )

    def _inputs(self) -> list[Line]:
        return [self.weights(name)[0].out_features for name in self.inputs]

    def _input(self, _: Saving) -> Iterable[Activation]:
        if self.place.shares_input:
            return ()
        return (self.input("mixer_input", "all projections of the mixer"),)

    def _activations(
        self, name: str, channels: list[Line], *, linear_input: bool = False
    ) -> Iterator[Activation]:
        width = total(self.width(name), channels, unit="elements")
        yield Activation(name, width, "split", linear_input=linear_input)

    def make_state(self, columns: str) -> list[StatePart]:
        """List the inputs that the convolution keeps."""
        name = f"state.{self.prefix}"
        parts = []
        for division, channels in self.convolved().items():
            kernel = self.weights("conv1d", "conv1d_groups")[0].in_features
            assert kernel is not None  # noqa: S101 - a convolution is a matrix
            kept = kernel
            if columns == "kernel-minus-one":
                kept = computed(f"{name}.columns", mixers.kept_inputs, conv_kernel=kernel)
            what = "convolution" if division == "split" else f"convolution_{division}"
            count = (channels, kept)
            elements = combined(f"{name}.{what}_elements", "product", count, unit="elements")
            parts.append(StatePart(what, "convolution", elements, division))
        return parts


class Recurrent(Projected):
    """A mixer with a recurrence between its projections, and a norm behind it.

    A kind says how wide the recurrence is and what it costs.
    """

    inner: tuple[str, ...] = ()
    """The projections between those of the input and the recurrence."""

    norms: tuple[str, ...] = ()
    """The norms between the recurrence and the output projection."""

    @cached_property
    def value_width(self) -> Line:
        """The channels of the values of all heads."""
        return computed(
            f"{self.prefix}.value_width",
            attention.heads_width,
            heads=self.heads,
            head_dim=self.state_columns(),
        )

    def state_rows(self) -> Line:
        """Return the rows of the state of a head."""
        raise self.refusal("the state")

    def state_columns(self) -> Line:
        """Return the columns of the state of a head."""
        raise self.refusal("the state")

    def scan(self) -> Scan:
        """Return the forms of the recurrence."""
        raise self.refusal("the FLOPs of the recurrence")

    def make_operators(self, form: str) -> Iterator[Operator]:
        """List projections, convolution, recurrence, norm and output projection."""
        yield from self._projections()
        yield from self._convolution()
        channels = list(self.convolved().values())
        for name in self.inner:
            yield self._projection(name, lambda _: (), ())
        yield Operator(
            "recurrence",
            SCAN,
            CORE,
            [each for each in self.tensors if each.weight_class == "mixer_vectors"],
            scan=self.scan(),
            saves=lambda _: self._activations("recurrence_input", channels or self._inputs()),
        )
        width = self.value_width
        yield Operator(
            "gated_norm",
            PASS,
            "norms",
            self.weights(*self.norms),
            reads=(width, width),
            writes=(width,),
            saves=lambda _: (
                *self._activations("recurrence_output", [width]),
                *self._activations("output_gate", [width]),
            ),
        )
        yield self._output()

    def make_state(self, columns: str) -> list[StatePart]:
        """List the states of the heads, and the inputs that the convolution keeps."""
        sizes = (self.heads, self.state_rows(), self.state_columns())
        name = f"state.{self.prefix}.recurrent_elements"
        elements = combined(name, "product", sizes, unit="elements")
        return [
            StatePart("recurrent", "recurrent", elements, "split"),
            *super().make_state(columns),
        ]
