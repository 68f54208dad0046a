"""Hyper-connections: several residual streams, collapsed and mixed around each part of a layer."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dsv3calc.ledger.line import Line, combined, given, total
from dsv3calc.model.addition import Addition, InLayer
from dsv3calc.model.operator import CORE, ONE, PASS, PRODUCT, Core, Operator
from dsv3calc.model.saved import Activation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.additions import HyperConnections
    from dsv3calc.schema.workload import Conventions

_COMPONENT = "hyper_connections"
_SITES = ("attention", "feed_forward")
_WEIGHTS = given("hyper_connections.vectors", 2, "1", "weights that collapse and that expand")
_SCALES = given("hyper_connections.scales", 3, "elements", "of collapsing, expanding and mixing")
_ONE_SCALE = given("hyper_connections.head_scales", 1, "elements", "of collapsing")


class Layer(InLayer):
    """The hyper-connections around attention and feed-forward of a layer group."""

    spec: HyperConnections

    @cached_property
    def _streams(self) -> Line:
        """The width of all streams of a token."""
        name = f"{self.prefix}.streams_width"
        return combined(name, "product", (self.hidden, self.field("hc_mult", "1")))

    @cached_property
    def _mixed(self) -> Line:
        streams = self.field("hc_mult")
        return combined(f"{self.prefix}.mixed_streams", "product", (streams, streams))

    def make_tensors(self) -> Iterator[Tensor]:
        """List the projection of each site to its weights, with bases and scales."""
        two = combined(f"{self.prefix}.site_weights", "product", (self.field("hc_mult"), _WEIGHTS))
        outputs = total(f"{self.prefix}.hyper_connection_width", (two, self._mixed))
        for site in _SITES:
            name = f"{site}_hc"
            yield self.tensor(
                f"{name}.fn", _COMPONENT, outputs, self._streams, division="replicated"
            )
            for vector, width in (("base", outputs), ("scale", _SCALES)):
                yield self.tensor(
                    f"{name}.{vector}",
                    _COMPONENT,
                    width,
                    weight_class="biases",
                    division="replicated",
                )

    def before(self, site: str) -> Iterator[Operator]:
        """List the projection of the streams to weights, and their sum by these."""
        name = f"{site}_hc"
        yield Operator(
            f"{name}.fn",
            PRODUCT,
            _COMPONENT,
            self.weights(f"{name}.fn"),
            saves=lambda _: (
                Activation(
                    f"{site}_streams", self._streams, "block", checkpoint=site == "attention"
                ),
            ),
        )
        yield Operator(
            f"{name}.collapse",
            PASS,
            _COMPONENT,
            self.weights(f"{name}.base", f"{name}.scale"),
            reads=(self._streams,),
            writes=(self.hidden,),
        )

    def residual(self, site: str) -> Iterator[Operator]:
        """List the mix of the streams with each other, to which the output is added."""
        yield Operator(
            f"{site}_hc.mix",
            CORE,
            _COMPONENT,
            core=Core(ONE, {f"{site}_mix": self.hidden}, span=self._own_token),
            saves=lambda _: (Activation(f"{site}_branch", self.hidden, "block"),),
        )
        yield Operator(
            f"{site}_residual",
            PASS,
            "residual",
            reads=(self._streams, self.hidden),
            writes=(self._streams,),
        )

    def _own_token(self, _: Conventions) -> tuple[str, dict[str, Line]]:
        return "own-token", {"mixed": self._mixed}


class Kind(Addition):
    """The hyper-connections of a model, with the weights that collapse the last streams."""

    layer = Layer
    in_mtp = True

    @property
    def streams(self) -> Line:
        """How many hidden states a token has between layers."""
        return self.field("hc_mult", "1")

    def exit_tensors(self, modules: Line = ONE) -> Iterator[Tensor]:
        """List the projection of the last streams to their weights, with base and scale."""
        streams = self.field("hc_mult")
        width = combined("head.streams_width", "product", (self.hidden, self.field("hc_mult", "1")))
        whole = {"layers": modules, "division": "replicated"}
        yield self.tensor("hc_head.fn", _COMPONENT, streams, width, **whole)
        for name, length in (("base", streams), ("scale", _ONE_SCALE)):
            yield self.tensor(f"hc_head.{name}", _COMPONENT, length, weight_class="biases", **whole)

    def exit(self, tensors: tuple[Tensor, ...]) -> Iterator[Operator]:
        """List the projection of the last streams to weights, and their sum by these."""
        weights, *vectors = tensors
        assert weights.in_features is not None  # noqa: S101 - a matrix
        width = weights.in_features
        yield Operator(
            "hc_head.fn",
            PRODUCT,
            _COMPONENT,
            [weights],
            saves=lambda _: (Activation("head_streams", width, "block", checkpoint=True),),
        )
        yield Operator(
            "hc_head.collapse", PASS, _COMPONENT, vectors, reads=(width,), writes=(self.hidden,)
        )
