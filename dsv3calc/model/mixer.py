"""A mixer of a layer: what its kinds say beside their operators, such as the state they keep.

A kind is a class ``Kind`` in ``mixers/TAG.py``, where TAG is the tag of its struct in the schema.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.model.block import Block, Place, StatePart, built

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line


class Mixer(Block):
    """What a kind of mixer tells beside its operators."""

    part = "mixer"
    library_state_dtype = "float32"
    """The data type in which transformers keeps its recurrent state."""

    @property
    def heads(self) -> Line:
        """The heads, or channels where it has none, that tensor parallelism divides."""
        raise self.refusal("heads divided over tp")

    @property
    def groups(self) -> Line | None:
        """The groups of heads that share keys or inputs, None where no tensor is divided so."""
        return None

    shared_words = "groups of heads"
    """What its heads share, in words."""

    @property
    def shared_heads(self) -> Line | None:
        """What its heads share: the groups."""
        return self.groups

    def make_state(self, columns: str) -> list[StatePart]:
        """List what a sequence keeps in one layer.

        ``columns`` says how many inputs of its convolution it keeps: all but one of those that the
        ``kernel`` spans (``kernel-minus-one``), or all of them.
        """
        raise self.refusal("the state")

    def state(self, columns: str) -> list[StatePart]:
        """Return what a sequence keeps in one layer."""
        return self.make_state(columns) if self.present else []


def mixer_of(place: Place) -> Mixer:
    """Return the mixer of a layer group, by the tag of its struct."""
    found: Mixer = built("mixers", Mixer, place)
    return found
