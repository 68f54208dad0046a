"""The query about memory as data; None means "not given", and the answer prints the default."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import ClassVar

from dsv3calc.queries.base import Query


class MemoryQuery(Query, frozen=True, kw_only=True):
    """Memory of one GPU of a layout, in training or serving. Degrees edit the layout."""

    command: ClassVar[str] = "memory"

    model: str
    hardware: str
    layout: str | None = None
    tp: int | None = None
    cp: int | None = None
    pp: int | None = None
    dp: int | None = None
    ep: int | None = None
    etp: int | None = None
    zero: int | None = None
    schedule: str | None = None
    virtual_pipeline: int | None = None
    sequence_parallel: bool | None = None
    layer_split: str | None = None
    mirror_optimizer: bool | None = None
    micro_batch: int | None = None
    global_batch: int | None = None
    redundant_experts: int | None = None
    shared_experts: str | None = None
    sequence: int | None = None
    precision: str | None = None
    recipe: str | None = None
    compute_copy: str | None = None
    recompute: str | None = None
    attention_kernel: str | None = None
    routing_weights: str | None = None
    dropout: bool = False
    imbalance: float | None = None
    dispatch: str | None = None
    combine: str | None = None
    runtime: str | None = None
    padded: bool = False
    with_mtp: bool = False
    library: str | None = None
    by: str = "class"
    rank: int | None = None
    require_fit: bool = False
    fewest_gpus: bool = False
    serve: bool = False
    context: int | None = None
    batch: int | None = None
    tokens: int | None = None
    kv_dtype: str | None = None
    memory_fraction: float | None = None
    page_size: int | None = None
    absorbed: bool = False
    low_latency: bool = False
