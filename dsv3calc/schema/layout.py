"""A parallelism layout: how many GPUs share the work of a model, and in which way.

GPUs = tp x cp x pp x dp, and within a pipeline stage ep x etp x edp = tp x cp x dp: expert
parallelism regroups the GPUs of a stage, it does not multiply them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from dsv3calc.schema.fields import Name, Natural, Size, Text
from dsv3calc.schema.provenance import Source, provenance_problems
from dsv3calc.schema.workload import Phase

StageNumber = Annotated[int, msgspec.Meta(ge=-(2**20), le=2**20)]
Schedule = Literal["gpipe", "1f1b", "interleaved", "zb1p", "zbv", "dualpipe", "dualpipev"]
FOLDED = ("zbv", "dualpipev")
"""Schedules whose chunks go down the ranks and back up: a V."""

PAIRED = ("dualpipe", "dualpipev")
"""Schedules that overlap a forward pass with a backward pass."""

BOTH_ENDS = ("dualpipe", *FOLDED)
"""Schedules under which a rank holds a stage and the one as far from the other end."""

SPLIT_BACKWARD = ("zb1p", *BOTH_ENDS)
"""Schedules that put off gradients of weights."""

SharedExperts = Literal["local", "replicated", "routed", "instance"]
DenseFeedForward = Literal["local", "replicated", "instance"]
Axis = Literal["tp", "cp", "ep", "dp", "pp"]


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Degrees of parallelism, and the policies that decide what is sent where.

    ``phase`` says what the layout is for: training, or serving (prefill or decode); a layout
    without it may be used for both. A layout that does not state ``etp`` gets the default of the
    query: see :mod:`dsv3calc.studies.layout.expert_degrees`.

    ``rank_order`` lists the axes from the fastest-varying on: GPUs that differ in the first are
    neighbours in a node. ``micro_batch`` is in sequences per GPU, ``global_batch`` in sequences of
    a step. ``shared_experts`` are computed where the token is, their matrices divided over tp
    (``local``) or whole on every GPU (``replicated``), or dispatched like one more routed expert
    (``routed``). ``dense_feed_forward`` says the same of dense layers: divided over tp (``local``)
    or whole on every GPU (``replicated``, 1-way TP). ``redundant_experts`` are copies of hot
    experts.

    ``instance`` divides either over tp and the attention replicas of a server, which gather each
    other's tokens.

    ``dcp`` is decode context parallelism: of the tensor-parallel GPUs that would hold the same keys
    and values in serving, so many keep other tokens of a sequence.

    ``layer_split`` divides the layers over the pipeline's stages (virtual ones, where a rank holds
    several): as ``even`` as they go, ``balanced`` with embedding and head counted as a layer each,
    or the layers of each stage in a list. ``embedding_stage``, ``head_stage`` and ``mtp_stage`` are
    stages too, negative ones counted from the end. ``mirror_optimizer`` lets the two pipeline ranks
    that hold a stage under DualPipe share its optimizer states. ``recompute`` names the preset of
    what is recomputed. Where a source states them, ``sequence`` has the tokens of a sequence, and
    ``precision`` and ``recipe`` name the presets that it trains with.
    """

    name: Name
    title: Text
    aliases: list[Name] = msgspec.field(default_factory=list)
    phase: Phase | None = None
    tp: Size = 1
    cp: Size = 1
    pp: Size = 1
    dp: Size = 1
    ep: Size = 1
    etp: Size = 1
    dcp: Size = 1
    sequence_parallel: bool = False
    virtual_pipeline: Size = 1
    zero: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    schedule: Schedule = "1f1b"
    micro_batch: Size = 1
    global_batch: Size | None = None
    redundant_experts: Natural = 0
    shared_experts: SharedExperts = "local"
    dense_feed_forward: DenseFeedForward = "local"
    context_parallel_method: Literal["ring", "all-gather", "all-to-all"] = "ring"
    vocabulary_parallel: bool = True
    layer_split: Literal["even", "balanced"] | list[Natural] = "even"
    embedding_stage: StageNumber = 0
    head_stage: StageNumber = -1
    mtp_stage: StageNumber = -1
    mirror_optimizer: bool = False
    recompute: Name = "none"
    sequence: Size | None = None
    precision: Name | None = None
    recipe: Name | None = None
    rank_order: list[Axis] = msgspec.field(default_factory=lambda: ["tp", "cp", "ep", "dp", "pp"])
    sources: dict[str, Source]
    provenance: dict[str, str]

    def is_replicated(self, component: str) -> bool:
        """Tell whether every tensor-parallel GPU holds a layer's component whole by choice."""
        policies = {
            "shared_experts": self.shared_experts,
            "dense_ffn": self.dense_feed_forward,
        }
        return policies.get(component) == "replicated"

    def spans_instance(self, component: str) -> bool:
        """Tell whether the attention replicas of a server share a layer's component by choice."""
        policies = {
            "shared_experts": self.shared_experts,
            "dense_ffn": self.dense_feed_forward,
        }
        return policies.get(component) == "instance"

    @property
    def gpus(self) -> int:
        """GPUs of the whole layout."""
        return self.tp * self.cp * self.pp * self.dp

    @property
    def edp(self) -> int:
        """Data parallelism of the experts: GPUs of a stage over ep x etp."""
        return self.tp * self.cp * self.dp // (self.ep * self.etp)

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Yield degrees that do not multiply out, and an order that is no order."""
        stage = self.tp * self.cp * self.dp
        if stage % (self.ep * self.etp):
            yield (
                ("ep",),
                f"ep {self.ep} x etp {self.etp} do not divide tp x cp x dp = {stage}",
                "expert parallelism regroups the GPUs of a stage, so ep x etp divide their number",
            )
        if self.tp % self.dcp:
            yield (
                ("dcp",),
                f"dcp {self.dcp} does not divide tp {self.tp}",
                "decode context parallelism takes tensor-parallel GPUs",
            )
        if sorted(self.rank_order) != ["cp", "dp", "ep", "pp", "tp"]:
            yield (
                ("rank_order",),
                f"{', '.join(self.rank_order)} is not an order of the five axes",
                "list each of tp, cp, ep, dp, pp once",
            )
        if self.global_batch is not None and self.global_batch % (self.dp * self.micro_batch):
            yield (
                ("global_batch",),
                (
                    f"a step of {self.global_batch:,} sequences does not divide among the dp "
                    f"{self.dp:,} replicas in micro-batches of {self.micro_batch:,}"
                ),
                (
                    "every replica has the same number of whole micro-batches: take a global batch "
                    f"of {_multiples(self.global_batch, self.dp * self.micro_batch)}"
                ),
            )
        if self.schedule == "dualpipe" and self.pp % 2:
            yield (
                ("pp",),
                f"DualPipe with pp {self.pp}",
                f"DualPipe pairs stages, pp is even: take pp {_multiples(self.pp, 2)}",
            )
        yield from provenance_problems(self.sources, self.provenance)


def _multiples(wanted: int, of: int) -> str:
    """Return the multiples next to a number, in words."""
    below = wanted // of * of
    return " or ".join(str(each) for each in (below, below + of) if each)
