"""The queries about traffic as data; None means "not given", and the answer prints the default."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import ClassVar

from dsv3calc.queries.base import Query


class TrafficQuery(Query, frozen=True, kw_only=True):
    """What the GPUs of a layout send each other. Degrees of parallelism edit the layout."""

    command: ClassVar[str] = "traffic"

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
    micro_batch: int | None = None
    global_batch: int | None = None
    redundant_experts: int | None = None
    shared_experts: str | None = None
    layer_split: str | None = None
    serve: bool = False
    sequence: int | None = None
    tokens: int | None = None
    precision: str | None = None
    dispatch: str | None = None
    combine: str | None = None
    backward_dispatch: str | None = None
    backward_combine: str | None = None
    no_scales: bool = False
    metadata: int | None = None
    forwarding: str | None = None
    policy: str | None = None
    law: str | None = None
    group_score: str | None = None
    imbalance: float | None = None
    network: str | None = None
    latency: float | None = None
    scale_up_latency: float | None = None
    compute_time: float | None = None
    algorithm: str | None = None
    mla_context: str | None = None
    gradient_reduction: str | None = None
    activation_dtype: str | None = None
    gradient_dtype: str | None = None
    parameter_dtype: str | None = None
    with_mtp: bool = False


class LimitsEPQuery(Query, frozen=True, kw_only=True):
    """The speed limit that expert parallelism sets to decoding."""

    command: ClassVar[str] = "limits ep"

    model: str
    hardware: str
    tokens: int | None = None
    convention: str | None = None
    link: str | None = None
    bandwidth: str | None = None
    precision: str | None = None
    dispatch: str | None = None
    combine: str | None = None
    metadata: int | None = None
    network: str | None = None
    latency: float | None = None
    mtp_acceptance: float | None = None
    mtp_cost: float | None = None
