"""Rows of servers by phase: tokens a second of GPUs that prefill alone, or decode alone."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dsv3calc.queries.time import TimeQuery
from dsv3calc.studies.measurements.cases import NotExpressed, number
from dsv3calc.studies.measurements.steps import (
    DEEPSEEK_FP8,
    Ask,
    StepCase,
    model_of,
    precision_of,
    whole,
)

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.measurement import Row

NODE = 8
"""GPUs of a node, as sources count it."""
EXPERTS = 256
"""Routed experts of DeepSeek-V3: redundant ones make them divide by EP."""
HIDDEN_EXCHANGE = "setup.time.overlap.ep=1"
"""Two batches that take turns hide the exchange of tokens."""


def prefilling(row: Row, device: Hardware) -> list[StepCase]:
    """Express the prefill of a server: the time of a pass of the tokens that a GPU takes."""
    if any(name.startswith("ttft") for name in row.series):
        raise NotExpressed("a time to the first token: the part of the host is not stated")
    rate = _rate(row, "input_tokens_per_s")
    tokens = number(row, "batch.tokens_per_gpu", "batch.tokens_batch")
    length = whole(number(row, "seq.len", "seq.input_len", "seq.isl"), "len")
    batch = max(1, int(tokens / length))
    query = TimeQuery(
        model=_model(row), hardware=device.name, phase="prefill", batch=batch, sequence=length,
        last_logit=True, **_given(row),
    )  # fmt: skip
    return [_case(row, device, "prefill_rate_of_server", query, batch * length / rate, length)]


def decoding(row: Row, device: Hardware) -> list[StepCase]:
    """Express the decoding of a server: the time between tokens of the sequences of a GPU."""
    if row.layout.get("mtp") or "accepted_len" in row.series:
        raise NotExpressed("speculative decoding")
    rate = _rate(row, "output_tokens_per_s")
    batch = whole(number(row, "batch.requests_per_gpu"), "requests_per_gpu")
    context = whole(number(row, "seq.input_len", "seq.len", "seq.isl", "seq.avg_kv"), "input_len")
    query = TimeQuery(
        model=_model(row), hardware=device.name, phase="decode", batch=batch, context=context,
        **_given(row),
    )  # fmt: skip
    return [_case(row, device, "tpot_of_server", query, batch / rate, context)]


def _case(
    row: Row, device: Hardware, kind: str, query: TimeQuery, seconds: float, length: int
) -> StepCase:
    return StepCase(
        row=row, device=device, kind=kind, platform=row.id.partition("-")[0], asks=[[Ask(query)]],
        seconds=[seconds], sizes={"tokens": [length], "GPUs": [row.n or 0]},
    )  # fmt: skip


def _rate(row: Row, name: str) -> float:
    """Return tokens a second of a GPU."""
    if f"{name}_per_gpu" in row.value:
        return number(row, f"value.{name}_per_gpu")
    try:
        return number(row, f"value.{name}_per_node") / NODE
    except NotExpressed:
        raise NotExpressed(f"no {name} of a GPU or a node") from None


def _model(row: Row) -> str:
    if "average" in row.what or "secondary source" in row.note:
        raise NotExpressed("an average of a service, or a figure told by others")
    return model_of(row)


def _given(row: Row) -> dict[str, Any]:
    """Return the layout of a server: each GPU an attention replica, or tensor parallelism."""
    model, precision = model_of(row), precision_of(row)
    precision = "fp8-deepseek-v3" if (model, precision) == DEEPSEEK_FP8 else precision
    ep = whole(row.layout.get("ep", 1), "ep")
    found: dict[str, Any] = {
        "precision": precision,
        "tp": whole(row.layout.get("tp", 1), "tp"),
        "dp": whole(row.layout.get("dp", 1), "dp"),
        "ep": ep,
    }
    if ep > 1:
        stated = row.layout.get("redundant_experts")
        found["etp"] = found["tp"] * found["dp"] // ep or 1
        found["redundant_experts"] = (
            ep * math.ceil(EXPERTS / ep) - EXPERTS if stated is None else stated
        )
    if row.layout.get("tbo"):
        found["set"] = (HIDDEN_EXCHANGE,)
    return found
