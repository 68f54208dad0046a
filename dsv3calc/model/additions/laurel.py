"""LAuReL: a learned residual of low rank beside each attention."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.model.addition import Addition, InLayer
from dsv3calc.model.operator import PASS, PRODUCT, Operator
from dsv3calc.model.saved import Activation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.additions import Laurel

_COMPONENT = "laurel"
_WHOLE: dict[str, Any] = {"division": "replicated"}


class Layer(InLayer):
    """The two matrices in the layers of a group, and the norm of their output."""

    spec: Laurel

    def make_tensors(self) -> Iterator[Tensor]:
        """List both matrices and the norm."""
        rank = self.field("laurel_rank")
        yield self.tensor("laurel.linear_left", _COMPONENT, rank, self.hidden, **_WHOLE)
        yield self.tensor("laurel.linear_right", _COMPONENT, self.hidden, rank, **_WHOLE)
        yield self.tensor("laurel.norm", "norms", self.hidden, **_WHOLE)

    def after(self, site: str) -> Iterator[Operator]:
        """List the products, which read what attention reads, and the norm."""
        if site != "attention":
            return
        rank = self.field("laurel_rank")
        yield Operator(
            "laurel.linear_left", PRODUCT, _COMPONENT, self.weights("laurel.linear_left")
        )
        yield Operator(
            "laurel.linear_right",
            PRODUCT,
            _COMPONENT,
            self.weights("laurel.linear_right"),
            saves=lambda _: (Activation("laurel_latent", rank, "block", linear_input=True),),
        )
        yield Operator(
            "laurel.norm",
            PASS,
            "norms",
            self.weights("laurel.norm"),
            reads=(self.hidden,),
            writes=(self.hidden,),
            saves=lambda _: (Activation("laurel_norm_input", self.hidden, "block"),),
        )


class Kind(Addition):
    """LAuReL of a model: it stands in layers alone."""

    layer = Layer
