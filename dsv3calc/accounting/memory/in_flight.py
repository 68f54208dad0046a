"""What the micro-batches in flight on a rank keep, at each instant of its schedule."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.memory.activations import SavedActivations
from dsv3calc.ledger.line import Line, combined, total
from dsv3calc.ledger.tags import UNTAGGED, Tags, about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.placement.schedules import PeakInstant
    from dsv3calc.accounting.placement.stages import Chunk


class InFlight:
    """What one micro-batch keeps in a layer of each group, after the embedding and of the head.

    ``embedding_keeps`` tells whether anything is kept after the embedding, ``mtp`` that the last
    group are MTP modules, each with a head of its own.
    """

    __slots__ = ("embedding", "embedding_keeps", "head", "kept", "mtp")

    def __init__(
        self,
        kept: list[SavedActivations],
        embedding: SavedActivations,
        head: SavedActivations,
        *,
        embedding_keeps: bool,
        mtp: bool,
    ) -> None:
        self.kept = kept
        self.embedding = embedding
        self.head = head
        self.embedding_keeps = embedding_keeps
        self.mtp = mtp

    def activations(
        self, name: str, rank: Line, chunks: Sequence[Chunk], instants: Sequence[PeakInstant]
    ) -> list[Line]:
        """Add up what micro-batches in flight keep, at each instant of the schedule."""
        kept = [self._of_chunk(chunk, "activations") for chunk in chunks]
        pending = (
            [self._of_chunk(chunk, "pending") for chunk in chunks]
            if any(instant.pending for instant in instants)
            else []
        )
        found = []
        one, tags = len(instants) == 1, Tags(quantity="activations", rank=rank.value)
        names = [f"{name}.activations"] if one else instant_names(name, len(instants))
        for line_name, instant in zip(names, instants, strict=True):
            pairs = [*zip(instant.in_flight, kept, strict=True)]
            if instant.pending:
                pairs += zip(instant.pending, pending, strict=True)
            found.append(
                combined(
                    line_name,
                    "sum_of_products",
                    [part for pair in pairs for part in pair],
                    unit="B",
                    tags=tags if one else UNTAGGED,
                )
            )
        return found

    def _of_chunk(self, chunk: Chunk, what: str) -> Line:
        """Add up one micro-batch of a chunk: its layers, and what embedding and head keep."""

        def line_of(kept: SavedActivations) -> Line | None:
            return kept.kept if what == "activations" else kept.pending

        pairs = [*zip(chunk.layers, self.kept, strict=True), (chunk.head, self.head)]
        if self.embedding_keeps:
            pairs.append((chunk.embedding, self.embedding))
        return combined(
            f"{chunk.name}.activations" + ("" if what == "activations" else f".{what}"),
            "sum_of_products",
            [
                part
                for count, kept in pairs
                if (line := line_of(kept)) is not None
                for part in (count, line)
            ],
            unit="B",
            tags=about(what),
        )

    def heads(self, chunks: Sequence[Chunk]) -> list[Line]:
        """Count the heads of each chunk, those of MTP modules among them."""
        if not self.mtp:
            return [chunk.head for chunk in chunks]
        return [
            total(f"{chunk.name}.logits", [chunk.head, chunk.layers[-1]], unit="1")
            for chunk in chunks
        ]


def instant_names(name: str, count: int) -> list[str]:
    """Return what the names of lines of each of several instants begin with."""
    return [f"{name}.moment.{number}" for number in range(count)]


def living_logits(name: str, instant: PeakInstant, heads: Sequence[Line]) -> Line:
    """Count the micro-batches whose logits are alive: those in flight where a head stands."""
    parts = [part for pair in zip(instant.in_flight, heads, strict=True) for part in pair]
    return combined(name, "sum_of_products", parts, unit="1")


def added(prefix: str, parts: Sequence[SavedActivations]) -> SavedActivations:
    """Join what an MTP module's layer keeps with what stands before and after it."""
    pending = [part.pending for part in parts if part.pending is not None]

    def summed(quantity: str, lines: list[Line]) -> Line:
        tags = msgspec.structs.replace(parts[0].kept.tags, quantity=quantity)
        return total(f"{prefix}.all_{quantity}", lines, tags=tags)

    return SavedActivations(
        summed("activations", [part.kept for part in parts]),
        summed("recomputed", [part.recomputed for part in parts]),
        summed("output_gradients", [part.gradients for part in parts]),
        summed("pending", pending) if pending else None,
        parts[0].carried,
    )
