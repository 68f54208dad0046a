"""Which layers are on which stage of a pipeline, and where embedding, head and MTP are.

Nothing here branches on the number of a stage or of stages: both may be arrays or symbols. A list
of layers for each stage is a category of its own, and fixes the number of stages.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.placement.schedules import chunks_of, virtual_stages
from dsv3calc.formulas import stages
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE
from dsv3calc.numbers import ops
from dsv3calc.schema.layers import listed, parse_slice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

NONE = given("nothing", 0, "1")

LAYERS = "layers"
"""The quantity of a line that counts layers of a group on a stage."""


class Chunk:
    """One stage on a rank: its layers by group, and whether embedding and head are on it."""

    __slots__ = ("embedding", "head", "layers", "name", "stage")

    def __init__(
        self, name: str, stage: Line, layers: list[Line], embedding: Line, head: Line
    ) -> None:
        self.name = name
        self.stage = stage
        self.layers = layers
        self.embedding = embedding
        self.head = head


class Stages:
    """The stages that a model's layers are divided over.

    Parameters
    ----------
    prefix
        What the lines' names begin with.
    model, layout
        Their numbers may be ints, arrays or symbols; ``layout.layer_split`` is a category.
    mtp
        Whether MTP modules are on ``layout.mtp_stage``.
    """

    def __init__(self, prefix: str, model: Model, layout: Layout, *, mtp: bool) -> None:
        arch = architecture_of(model)
        self.prefix = prefix
        self.layout = layout
        self.groups: tuple[GroupView, ...] = arch.groups
        self.mtp = arch.mtp if mtp else None
        self.tied = model.tie_word_embeddings
        self.number = virtual_stages(layout)
        self.depth = field(("model", model), "num_hidden_layers", "1")
        self.leading, self.trailing = NONE, NONE
        if layout.layer_split == "balanced":
            self.leading = given("split.embedding", 1, "1", "the embedding counts as a layer")
            self.trailing = given("split.head", 1, "1", "the head counts as a layer")
            if self.mtp is not None:
                self.trailing = total("split.trailing", [self.trailing, self.mtp.layers])
        division: dict[str, Any] = {
            "num_hidden_layers": self.depth,
            "virtual_stages": self.number,
            "leading": self.leading,
            "trailing": self.trailing,
        }
        self.least = computed(f"{prefix}.least_layers", stages.least_layers, **division)
        self.longer = computed(
            f"{prefix}.longer_stages",
            stages.longer_stages,
            stage_layers=self.least,
            **division,
        )
        self._tags = [Tags(quantity=LAYERS, group=view.prefix) for view in self.groups]
        self._slices = [
            [
                self._slice(f"model.groups.{view.index}.layers.{number}", text)
                for number, text in enumerate(listed(view.group.layers))
                if text != "rest"
            ]
            for view in self.groups
        ]
        self.embedding_stage = self._place("embedding_stage")
        self.head_stage = self._place("head_stage")
        self.mtp_stage = self._place("mtp_stage")

    def _place(self, name: str) -> Line:
        place = field(("layout", self.layout), name, "1")
        if place.value < 0:  # a category: which end it is counted from
            return total(f"{self.prefix}.{name}", [self.number, place])
        return place

    def _start(self, name: str, stage: Line) -> Line:
        """Return the first layer of a stage."""
        split = self.layout.layer_split
        if isinstance(split, list):
            bounds = [0, *accumulate(split)]
            return given(name, ops.lookup(bounds, stage.value), "1", "layout.layer_split")
        balanced = split == "balanced"
        first = computed(
            f"{name}.counting_embedding" if balanced else name,
            stages.stage_start,
            stage=stage,
            stage_layers=self.least,
            longer_stages=self.longer,
        )
        if not balanced:
            return first
        return computed(
            name,
            stages.balanced_start,
            first_layer=first,
            num_hidden_layers=self.depth,
            leading=self.leading,
        )

    def layers(self, name: str, stage: Line) -> list[Line]:
        """Count the layers of each group on a stage, those of MTP last where they count.

        Returns
        -------
        Lines ``NAME.layers.GROUP`` [1].
        """
        first = self._start(f"{name}.first_layer", stage)
        after = total(f"{name}.next_stage", [stage, ONE])
        last = self._start(f"{name}.last_layer", after)
        found: list[Line | None] = []
        for view in self.groups:
            if view.group.layers == "rest":
                found.append(None)
                continue
            group = f"{name}.layers.{view.prefix}"
            parts = [
                computed(
                    f"{group}.{number}" if number else group,
                    function,
                    tags=self._tags[view.index],
                    first_layer=first,
                    last_layer=last,
                    **bounds,
                )
                for number, (function, bounds) in enumerate(self._slices[view.index])
            ]
            one = len(parts) == 1
            found.append(parts[0] if one else total(group, parts, tags=self._tags[view.index]))
        taken = [line for line in found if line is not None]
        lines = [
            combined(f"{name}.layers.rest", "difference", (last, first, *taken), tags=tags)
            if line is None
            else line
            for line, tags in zip(found, self._tags, strict=True)
        ]
        if self.mtp is not None:
            here = self.has(f"{name}.has_mtp", stage, self.mtp_stage)
            tags = Tags(quantity=LAYERS, group=self.mtp.prefix)
            mtp = combined(f"{name}.layers.mtp", "product", (here, self.mtp.layers), tags=tags)
            lines.append(mtp)
        return lines

    def _slice(self, name: str, text: str) -> tuple[Callable[..., Any], dict[str, Any]]:
        """Return the formula that counts a slice's layers on a stage, and the slice's bounds."""
        start, stop, step = parse_slice(text)
        bounds = {
            "start": given(f"{name}.start", start, "1"),
            "stop": self.depth if stop is None else given(f"{name}.stop", stop, "1"),
        }
        if step == 1:
            return stages.layers_in_stage, bounds
        bounds["step"] = given(f"{name}.step", step, "1")
        return stages.strided_layers_in_stage, bounds

    def has(self, name: str, stage: Line, place: Line) -> Line:
        """Tell whether a part of the model is on a stage."""
        return computed(name, stages.stage_has, stage=stage, place=place)

    def chunks(self, name: str, rank: Line) -> list[Chunk]:
        """List the stages that a pipeline rank holds."""
        found = []
        for number, stage in enumerate(chunks_of(name, self.layout, rank)):
            chunk = f"{name}.chunk.{number}"
            layers = self.layers(chunk, stage)
            embedding = self.has(f"{chunk}.has_embedding", stage, self.embedding_stage)
            head = self.has(f"{chunk}.has_head", stage, self.head_stage)
            found.append(Chunk(chunk, stage, layers, embedding, head))
        return found

    def held(self, name: str, chunks: Sequence[Chunk]) -> list[Line]:
        """Count the layers of each group on a rank, those of MTP last where they count.

        Returns
        -------
        Lines ``NAME.layers.GROUP`` [1].
        """
        views = [*self.groups, *([] if self.mtp is None else [self.mtp])]
        return [
            _sum(f"{name}.layers.{view.prefix}", [chunk.layers[index] for chunk in chunks])
            for index, view in enumerate(views)
        ]

    def outer(self, name: str, chunks: Sequence[Chunk]) -> list[Line]:
        """Count the matrices outside the layers that a rank holds: each once, whoever needs it.

        Returns
        -------
        How many embeddings, heads (left out where tied: the same matrix) and final norms [1].
        """
        needs = [chunk.embedding for chunk in chunks]
        heads = [chunk.head for chunk in chunks]
        modules = [] if self.mtp is None else [chunk.layers[-1] for chunk in chunks]
        if self.tied:
            embedding = _once(f"{name}.embeddings", needs + heads + modules)
            return [embedding, _sum(f"{name}.heads", heads)]
        return [
            _once(f"{name}.embeddings", needs + modules),
            _once(f"{name}.heads", heads + modules),
            _sum(f"{name}.final_norms", heads),
        ]


def _once(name: str, needs: Sequence[Line]) -> Line:
    if len(needs) == 1:
        return needs[0]
    all_needs = total(f"{name}.needed", needs, unit="1")
    return computed(name, stages.any_of, amount_here=all_needs)


def _sum(name: str, lines: Sequence[Line]) -> Line:
    return lines[0] if len(lines) == 1 else total(name, lines)
