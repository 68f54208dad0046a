"""What footprints of one model have in common, made once for all of them.

Footprints whose degrees are the same objects, columns or symbols, differ in categories alone:
schedule, split, policy of recomputation, sequence parallelism, ZeRO stage. Most of a footprint
depends on few of these.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from dsv3calc.schema.layout import PAIRED, SPLIT_BACKWARD

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dsv3calc.schema.layout import Layout

_T = TypeVar("_T")


class InCommon:
    """Parts of footprints by what they depend on."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Hashable, object] = {}

    def once(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Return a part, made where it is not there yet.

        ``key`` has all categories that the part depends on, and a word for the part itself.
        """
        if key not in self._known:
            self._known[key] = make()
        found: _T = self._known[key]  # type: ignore[assignment]
        return found


class Categories:
    """Which categories parts of a footprint depend on, as keys of :class:`InCommon`.

    ``states`` are those of weights, gradients and optimizer states, ``activations`` those of what
    a micro-batch keeps in a layer, ``buffers`` those of both and what runs at once, ``placed``
    those of what stands on a rank and when. Of a step, ``kernels`` are those of what runs in a
    layer, ``sent`` those of gradients' reductions and sends between stages.
    """

    __slots__ = ("activations", "buffers", "kernels", "placed", "sent", "states")

    def __init__(self, layout: Layout, recompute: str) -> None:
        schedule = layout.schedule
        self.states = (layout.zero, schedule == "dualpipe")
        self.activations = (recompute, layout.sequence_parallel, schedule in SPLIT_BACKWARD)
        self.buffers = (self.states, self.activations, schedule in PAIRED)
        self.placed = (schedule, id(layout.virtual_pipeline), repr(layout.layer_split))
        self.kernels = (recompute, layout.sequence_parallel)
        self.sent = (self.placed, layout.zero, layout.sequence_parallel)
