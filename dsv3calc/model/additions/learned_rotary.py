"""Learned factors of the rotary embedding's frequencies."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.model.addition import Addition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor


class Kind(Addition):
    """One factor for each frequency, shared by all layers."""

    def entry_tensors(self) -> Iterator[Tensor]:
        """List the vector of factors."""
        yield self.tensor(
            "rotary_factors",
            "position_embedding",
            self.field("frequencies"),
            weight_class="biases",
            division="replicated",
        )
