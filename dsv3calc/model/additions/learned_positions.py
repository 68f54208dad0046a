"""Learned positions: a table whose row is added to a token's embedding."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.model.addition import Addition
from dsv3calc.model.operator import LOOKUP, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor

_COMPONENT = "position_embedding"


class Kind(Addition):
    """The table of positions."""

    def entry_tensors(self) -> Iterator[Tensor]:
        """List the table."""
        yield self.tensor(
            _COMPONENT, _COMPONENT, self.field("positions"), self.hidden, division="replicated"
        )

    def entry(self, tensors: tuple[Tensor, ...]) -> Iterator[Operator]:
        """List the lookup."""
        row = (self.hidden,)
        yield Operator(_COMPONENT, LOOKUP, _COMPONENT, tensors, reads=row, writes=row)
