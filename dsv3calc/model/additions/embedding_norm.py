"""A norm between the embedding and the first layer."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.model.addition import Addition
from dsv3calc.model.layer import norm_vectors
from dsv3calc.model.operator import PASS, Operator
from dsv3calc.model.saved import Activation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor


class Kind(Addition):
    """The norm of the embedding."""

    def entry_tensors(self) -> Iterator[Tensor]:
        """List its vectors."""
        copies = norm_vectors(self.model)
        yield self.tensor(
            "embedding_norm", "norms", self.hidden, division="replicated", copies=copies
        )

    def entry(self, tensors: tuple[Tensor, ...]) -> Iterator[Operator]:
        """List the pass over the embedded tokens."""
        row = (self.hidden,)
        yield Operator(
            "embedding_norm",
            PASS,
            "norms",
            tensors,
            reads=row,
            writes=row,
            saves=lambda _: (Activation("embedding_norm_input", self.hidden, "block"),),
        )
