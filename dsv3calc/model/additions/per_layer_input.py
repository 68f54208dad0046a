"""Embeddings of a token for each layer: looked up once, added to the output of their layer."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.line import Line, combined, field
from dsv3calc.model.addition import Addition, InLayer
from dsv3calc.model.operator import LOOKUP, PASS, PRODUCT, Operator
from dsv3calc.model.saved import Activation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.additions import PerLayerInput

_COMPONENT = "per_layer_input"
_WHOLE: dict[str, Any] = {"division": "replicated"}


class Layer(InLayer):
    """The gate of a layer's input, and the projection of what it lets through."""

    spec: PerLayerInput

    def make_tensors(self) -> Iterator[Tensor]:
        """List gate, projection and norm."""
        width = self.field("hidden_size_per_layer_input")
        yield self.tensor("per_layer_input_gate", _COMPONENT, width, self.hidden, **_WHOLE)
        yield self.tensor("per_layer_projection", _COMPONENT, self.hidden, width, **_WHOLE)
        yield self.tensor("per_layer_input_norm", "norms", self.hidden, **_WHOLE)

    def last(self) -> Iterator[Operator]:
        """List gate, projection and norm, at the end of the layer."""
        width = self.field("hidden_size_per_layer_input")
        yield Operator(
            "per_layer_input_gate",
            PRODUCT,
            _COMPONENT,
            self.weights("per_layer_input_gate"),
            saves=lambda _: (
                Activation("per_layer_gate_input", self.hidden, "block", linear_input=True),
                Activation("per_layer_gate", width, "block"),
            ),
        )
        yield Operator(
            "per_layer_projection",
            PRODUCT,
            _COMPONENT,
            self.weights("per_layer_projection"),
            saves=lambda _: (
                Activation("per_layer_projection_input", width, "block", linear_input=True),
            ),
        )
        yield Operator(
            "per_layer_input_norm",
            PASS,
            "norms",
            self.weights("per_layer_input_norm"),
            reads=(self.hidden, self.hidden),
            writes=(self.hidden,),
            saves=lambda _: (Activation("per_layer_norm_input", self.hidden, "block"),),
        )


class Kind(Addition):
    """The table of all layers' embeddings, and the projection that is added to its rows."""

    layer = Layer

    def _width(self) -> Line:
        depth = field(("model", self.model), "num_hidden_layers", "1")
        parts = (self.field("hidden_size_per_layer_input"), depth)
        return combined("per_layer_input.width", "product", parts)

    def entry_tensors(self) -> Iterator[Tensor]:
        """List the table, the projection of the token's embedding, and the norm."""
        rows, width = self.field("vocab_size_per_layer_input"), self._width()
        yield self.tensor(
            "embed_tokens_per_layer", "per_layer_embedding", rows, width, division="vocabulary"
        )
        yield self.tensor("per_layer_model_projection", _COMPONENT, width, self.hidden, **_WHOLE)
        norm = self.field("hidden_size_per_layer_input")
        yield self.tensor("per_layer_projection_norm", "norms", norm, **_WHOLE)

    def entry(self, tensors: tuple[Tensor, ...]) -> Iterator[Operator]:
        """List the lookup, the projection, and the norm."""
        table, projection, norm = tensors
        row = (projection.out_features,)
        yield Operator(
            "embed_tokens_per_layer", LOOKUP, "per_layer_embedding", [table], reads=row, writes=row
        )
        yield Operator("per_layer_model_projection", PRODUCT, _COMPONENT, [projection])
        yield Operator(
            "per_layer_projection_norm",
            PASS,
            "norms",
            [norm],
            reads=row * 2,
            writes=row,
            saves=lambda _: (
                Activation("per_layer_inputs", projection.out_features, "block", checkpoint=True),
            ),
        )
