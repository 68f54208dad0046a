"""AltUp: several residual streams, predicted before and corrected after the layer's one."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.line import Line, combined, given
from dsv3calc.model.addition import Addition, InLayer
from dsv3calc.model.operator import CORE, ONE, PASS, PRODUCT, Core, Operator
from dsv3calc.model.saved import Activation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.additions import AltUp
    from dsv3calc.schema.workload import Conventions

_COMPONENT = "altup"
_TWICE = given("altup.router_uses", 2, "1", "to predict the streams and to correct them")
_WHOLE: dict[str, Any] = {"division": "replicated"}


class Layer(InLayer):
    """AltUp in the layers of a group."""

    spec: AltUp

    @cached_property
    def _streams(self) -> Line:
        name = f"{self.prefix}.streams_width"
        return combined(name, "product", (self.hidden, self.field("altup_num_inputs", "1")))

    @cached_property
    def _mixed(self) -> Line:
        streams = self.field("altup_num_inputs")
        return combined(f"{self.prefix}.mixed_streams", "product", (streams, streams))

    def make_tensors(self) -> Iterator[Tensor]:
        """List the router with its norm, and what predicts and corrects the streams."""
        streams = self.field("altup_num_inputs")
        yield self.tensor(
            "altup.modality_router", _COMPONENT, streams, self.hidden, used=_TWICE, **_WHOLE
        )
        yield self.tensor("altup.prediction_coefs", _COMPONENT, self._mixed, streams, **_WHOLE)
        yield self.tensor("altup.correction_coefs", _COMPONENT, streams, streams, **_WHOLE)
        yield self.tensor("altup.router_norm", "norms", self.hidden, **_WHOLE)
        yield self.tensor("altup.correct_output_scale", "norms", self.hidden, **_WHOLE)

    def before(self, site: str) -> Iterator[Operator]:
        """List the prediction of all streams, before attention."""
        if site != "attention":
            return
        yield Operator(
            "altup.router_norm",
            PASS,
            "norms",
            self.weights("altup.router_norm"),
            reads=(self.hidden, self.hidden),
            writes=(self.hidden, self.hidden),
            saves=lambda _: (
                Activation("attention_streams", self._streams, "block", checkpoint=True),
            ),
        )
        for name in ("modality_router", "prediction_coefs"):
            yield self._product(name)
        yield Operator(
            "altup.predict",
            CORE,
            _COMPONENT,
            core=Core(ONE, {"predict": self.hidden}, span=self._own_token),
        )

    def last(self) -> Iterator[Operator]:
        """List the correction of the streams by what the layer computed of one."""
        yield self._product("correction_coefs")
        yield Operator(
            "altup.correct",
            PASS,
            "residual",
            self.weights("altup.correct_output_scale"),
            reads=(self._streams, self.hidden),
            writes=(self._streams,),
            saves=lambda _: (Activation("corrected_stream", self.hidden, "block"),),
        )

    def _product(self, name: str) -> Operator:
        place = f"altup.{name}"
        return Operator(place, PRODUCT, _COMPONENT, self.weights(place))

    def _own_token(self, _: Conventions) -> tuple[str, dict[str, Line]]:
        return "own-token", {"mixed": self._mixed}


class Kind(Addition):
    """AltUp of a model, with the projections to and from the further streams."""

    layer = Layer

    @property
    def streams(self) -> Line:
        """How many hidden states a token has between layers."""
        return self.field("altup_num_inputs", "1")

    def _projection(self, name: str) -> Tensor:
        one = given("altup.computed_streams", 1, "1", "the stream that is embedded and computed")
        others = combined("altup.further_streams", "difference", (self.streams, one))
        return self.tensor(name, _COMPONENT, self.hidden, self.hidden, copies=others, **_WHOLE)

    def entry_tensors(self) -> Iterator[Tensor]:
        """List the projections of the embedding to the further streams."""
        yield self._projection("altup_projections")

    def entry(self, tensors: tuple[Tensor, ...]) -> Iterator[Operator]:
        """List the projections of the embedding to the further streams."""
        yield self._projected("altup_projections", tensors)

    def exit_tensors(self, modules: Line = ONE) -> Iterator[Tensor]:
        """List the projections of the further streams, whose mean is read by the head."""
        yield self._projection("altup_unembed_projections")

    def exit(self, tensors: tuple[Tensor, ...]) -> Iterator[Operator]:
        """List the projections of the further streams."""
        yield self._projected("altup_unembed_projections", tensors)

    def _projected(self, name: str, tensors: tuple[Tensor, ...]) -> Operator:
        width = combined(f"{name}.width", "product", (self.hidden, self.streams))
        return Operator(
            name,
            PRODUCT,
            _COMPONENT,
            tensors,
            saves=lambda _: (
                Activation(f"{name}_input", width, "block", linear_input=True, checkpoint=True),
            ),
        )
