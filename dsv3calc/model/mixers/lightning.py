"""Lightning attention, as MiniMax-Text-01 and MiniMax-M1 have it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas import mixers
from dsv3calc.model.mixers.recurrence import COMPONENT, Recurrent, products
from dsv3calc.model.operator import Scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.ledger.line import Line
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.mixers import Lightning


class Kind(Recurrent):
    """Lightning attention of one layer group: linear attention with a fixed decay a head."""

    spec: Lightning
    inputs = ("q_proj", "k_proj", "v_proj", "output_gate")
    norms = ("mixer_norm",)
    library_state_dtype = "model"

    @property
    def heads(self) -> Line:
        """The heads: each has a state."""
        return self.field("num_attention_heads", "1")

    def state_rows(self) -> Line:
        """Return the channels of a key."""
        return self.field("head_dim")

    def state_columns(self) -> Line:
        """Return the channels of a value."""
        return self.field("head_dim")

    def make_tensors(self) -> Iterator[Tensor]:
        """List projections, gate, norm and output projection."""
        hidden, width = self.hidden, self.value_width
        for name in self.inputs:
            yield self.tensor(name, COMPONENT, width, hidden)
        yield self.tensor("mixer_norm", "norms", width)
        yield self.tensor("out_proj", COMPONENT, hidden, width)

    def scan(self) -> Scan:
        """Return the forms of linear attention; transformers computes the same products."""
        size = {
            "heads": self.heads,
            "state_rows": self.state_rows(),
            "state_columns": self.state_columns(),
        }
        update = size | {"state_products": products("state", 2, "the update and the output")}
        each = {"recurrence": (mixers.recurrence_flops, update)}
        blocks = size | {"chunk_size": self.field("chunk_size", "tokens")}
        block = {"recurrence": (mixers.blocked_flops, blocks)}
        return Scan({"recurrent": each, "chunked": block, "library": block, "library-step": each})
