"""What exists whole though replicas share it: weights in use, gradients that are to be reduced."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.sharding import several
from dsv3calc.accounting.memory.states import GATHERED
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import memory
from dsv3calc.ledger.line import Line, combined, computed, field, total
from dsv3calc.ledger.tags import about
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.memory.sharding import Sharding
    from dsv3calc.schema.memory import Recipe
    from dsv3calc.schema.setup import SetupMemory

REDUCED_AT_ONCE = 2
"""The ZeRO stage from which gradients are reduced while a layer runs."""

UNSHARDED = {2: ("gradients",), 3: ("weights", "gradients")}
"""ZeRO stage -> the classes that exist whole for a while, though replicas share them."""


class Replicated:
    """Classes of tensors that the same replicas share, whole, and whether there are several.

    What has no second replica counts as nothing: it is not gathered, nor reduced.
    """

    __slots__ = ("held", "shared")

    def __init__(self, held: dict[str, Line], shared: Line) -> None:
        self.held = held
        self.shared = shared

    def all_of(self, what: str) -> Line:
        """Return the bytes of all tensors of a class."""
        return self._where_shared(self.held[what])

    def largest_of(self, what: str) -> Line:
        """Return the bytes of the largest tensor of a class."""
        held = self.held[what]
        return self._where_shared(combined(f"{held.name}.largest", "maximum", held.parts))

    def _where_shared(self, line: Line) -> Line:
        return combined(f"{line.name}.replicated", "product", (line, self.shared), unit="B")


def _sums(name: str, groups: Sequence[Sequence[Replicated]], what: str) -> list[Line]:
    """Return the bytes of a class in each layer or end, whose tensors several replicas share."""
    return [
        total(f"memory.{name}.{number}.{what}", [each.all_of(what) for each in group], unit="B")
        for number, group in enumerate(groups)
    ]


class Unsharded:
    """What exists whole though replicas share it: weights in use, gradients yet to be reduced.

    ``layers`` and ``ends`` (embedding and head) are classes of tensors as no replica shares them.
    ``head_gradient`` [B] is that of the head, which waits while its backward pass runs.
    """

    __slots__ = ("_layers", "_pipeline", "ends", "head_gradient", "largest", "layer", "zero")

    def __init__(
        self,
        layers: Sequence[Sequence[Replicated]],
        ends: Sequence[Sequence[Replicated]],
        software: SetupMemory,
        recipe: Recipe,
        sharding: Sharding,
        *,
        zero: int,
    ) -> None:
        self.zero = zero
        self.ends = {what: _sums("unsharded.ends", ends, what) for what in UNSHARDED[zero]}
        self.head_gradient = self.ends["gradients"][-1]
        self._layers: list[Line] = []
        if zero == GATHERED or software.whole_gradients:
            self._layers = _sums("unsharded.layers", layers, "gradients")
        self._pipeline: Line | None = None
        if software.whole_gradients:
            pp = degree(sharding.layout, "pp")
            self._pipeline = several("memory.buffers.is_pipeline", pp)
        if zero == GATHERED:  # a layer's gradients are reduced together, as it was gathered
            self.layer = combined(
                "memory.buffers.largest_layer",
                "maximum",
                _sums("unsharded.layers", layers, "weights"),
            )
            units = self._layers
        else:
            units = [each.largest_of("gradients") for group in layers for each in group]
            bucket = computed(
                "memory.buffers.bucket.full",
                memory.shard_bytes,
                elements=field(("setup.memory", software), "bucket"),
                bits=field(("recipe", recipe), "gradient_bits", "bit"),
                divisor=ONE,
            )
            shared = sharding.is_shared("data")
            units.append(combined("memory.buffers.bucket", "product", (bucket, shared), unit="B"))
        self.largest = combined("memory.buffers.largest_gradients", "maximum", units, unit="B")

    def of_layer(self, name: str, counts: Sequence[Line]) -> Line:
        """Give the bytes of gradients that wait while a layer runs.

        ``counts`` are the rank's embeddings and heads; the gradient of a head waits before.

        Returns
        -------
        Line ``NAME.largest_gradients`` [B].
        """
        embedding = combined(
            f"{name}.embedding_gradients",
            "product",
            (counts[0], self.ends["gradients"][0]),
            unit="B",
        )
        return combined(
            f"{name}.largest_gradients",
            "maximum",
            [self.largest, embedding],
            unit="B",
            convention="of the largest of bucket, layer or tensor, and embedding",
            tags=about("unreduced_gradients"),
        )

    def of_rank(self, name: str, held: Sequence[Line], counts: Sequence[Line]) -> list[Line]:
        """Give the bytes of what is there at all times; ``held`` counts the rank's layers.

        Returns
        -------
        Under ZeRO-3 line ``NAME.gathered_weights`` [B]; ``NAME.whole_gradients`` [B] where they
        are reduced once for all micro-batches of a pipeline.
        """
        found = []
        if self.zero == GATHERED:
            ends = [
                combined(f"{name}.gathered.{number}", "product", (count, end), unit="B")
                for number, (count, end) in enumerate(
                    zip(counts, self.ends["weights"], strict=True)
                )
            ]
            at_work = combined(f"{name}.gathered.at_work", "maximum", [self.layer, *ends])
            found.append(
                total(
                    f"{name}.gathered_weights",
                    [at_work, self.layer],
                    convention="the largest of layer, embedding and head, and the next layer",
                    tags=about("gathered_weights"),
                )
            )
        if self._pipeline is not None:
            pairs = [*zip(held, self._layers, strict=True)]
            pairs += zip(counts, self.ends["gradients"], strict=True)
            whole = combined(
                f"{name}.whole_gradients.all",
                "sum_of_products",
                [part for pair in pairs for part in pair],
                unit="B",
            )
            found.append(
                combined(
                    f"{name}.whole_gradients",
                    "product",
                    (whole, self._pipeline),
                    unit="B",
                    convention="reduced once, after the last micro-batch: none without a pipeline",
                    tags=about("whole_gradients"),
                )
            )
        return found
