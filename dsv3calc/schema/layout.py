"""A parallelism layout: how many GPUs share the work of a model, and in which way.

GPUs = tp x cp x pp x dp, and within a pipeline stage ep x etp x edp = tp x cp x dp: expert
parallelism regroups the GPUs of a stage, it does not multiply them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from dsv3calc.schema.fields import Name, Natural, Size, Text
from dsv3calc.schema.provenance import Source, provenance_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

Axis = Literal["tp", "cp", "ep", "dp", "pp"]


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Degrees of parallelism, and the policies that decide what is sent where.

    ``rank_order`` lists the axes from the fastest-varying on: GPUs that differ in the first are
    neighbours in a node. ``micro_batch`` is in sequences per GPU, ``global_batch`` in sequences of
    a step. ``shared_experts`` are computed where the token is (``local``) or dispatched like one
    more routed expert (``routed``). ``redundant_experts`` are copies of hot experts.
    """

    name: Name
    title: Text
    tp: Size = 1
    cp: Size = 1
    pp: Size = 1
    dp: Size = 1
    ep: Size = 1
    etp: Size = 1
    sequence_parallel: bool = False
    virtual_pipeline: Size = 1
    zero: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    schedule: Literal["gpipe", "1f1b", "interleaved", "zb1p", "zbv", "dualpipe", "dualpipev"] = (
        "1f1b"
    )
    micro_batch: Size = 1
    global_batch: Size | None = None
    redundant_experts: Natural = 0
    shared_experts: Literal["local", "routed"] = "local"
    context_parallel_method: Literal["ring", "all-gather", "all-to-all"] = "ring"
    vocabulary_parallel: bool = True
    rank_order: list[Axis] = msgspec.field(default_factory=lambda: ["tp", "cp", "ep", "dp", "pp"])
    sources: dict[str, Source]
    provenance: dict[str, str]

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
                "expert parallelism regroups the GPUs of a stage",
            )
        if sorted(self.rank_order) != ["cp", "dp", "ep", "pp", "tp"]:
            yield (
                ("rank_order",),
                f"{', '.join(self.rank_order)} is no order of the five axes",
                "each of tp, cp, ep, dp, pp stands once",
            )
        if self.global_batch is not None and self.global_batch % (self.dp * self.micro_batch):
            yield (
                ("global_batch",),
                (
                    f"{self.global_batch} sequences do not divide into dp {self.dp} x micro-batch "
                    f"{self.micro_batch}"
                ),
                "every replica has the same number of whole micro-batches",
            )
        if self.schedule == "dualpipe" and self.pp % 2:
            yield ("pp",), f"DualPipe with pp {self.pp}", "DualPipe pairs stages: pp is even"
        yield from provenance_problems(self.sources, self.provenance)
