"""Rows of whole steps: training steps, and decode steps of a server, asked as queries."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.queries.time import TimeQuery
from dsv3calc.queries.train import TrainQuery
from dsv3calc.reading.diagnostics import quote
from dsv3calc.studies.measurements.cases import NotExpressed, column, number, positive, times

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.measurement import Row

NODE = 8
"""Devices of an HGX node: a larger scale-up domain is a rack's."""
MODELS = {
    "llama318b": "llama-3.1-8b",
    "llama38b": "llama-3.1-8b",
    "llama3170b": "llama-3.1-70b",
    "llama370b": "llama-3.1-70b",
    "llama31405b": "llama-3.1-405b",
    "llama3405b": "llama-3.1-405b",
    "llama270b": "llama-2-70b",
    "mixtral8x7b": "mixtral-8x7b",
    "deepseekv3": "deepseek-v3",
    "deepseekv3671b": "deepseek-v3",
    "deepseekr1v3": "deepseek-v3",
    "deepseekv3r1": "deepseek-v3",
    "deepseekr1": "deepseek-v3",
    "qwen3235ba22b": "qwen3-235b-a22b",
    "qwen332b": "qwen3-32b",
    "gptoss120b": "gpt-oss-120b",
    "gptoss20b": "gpt-oss-20b",
    "kimik2": "kimi-k2",
    "kimik25": "kimi-k2.5",
}
"""Model as rows name it, in small letters and digits alone -> preset."""
PRECISIONS = {
    "bf16": "bf16",
    "bf16 (blank in source)": "bf16",
    "fp16": "fp16",
    "fp8": "fp8-tensor",
    "fp8-cs": "fp8-tensor",
    "fp8 tensorwise": "fp8-tensor",
    "fp8-mx": "mxfp8",
    "mxfp8": "mxfp8",
    "fp8-blockwise": "fp8-deepseek-v3",
    "fp8 gemm + bf16": "fp8-deepseek-v3",
}
"""Data type as rows name it, in small letters -> precision."""
SCHEDULES = {
    "1f1b": "1f1b",
    "1f1b-interleaved": "interleaved",
    "dualpipe": "dualpipe",
}
RECOMPUTES = {
    "": None,
    "none": "none",
    "none at 8k": "none",
    "full": "full",
    "selective": "selective",
    "rmsnorm, mla up-projection, swiglu": "v3-recompute",
}
"""Recomputation as rows name it, in small letters -> policy, null for the default."""
MODULES = {
    "norm": "layernorm",
    "layernorm": "layernorm",
    "act": "moe_act",
    "moe_act": "moe_act",
    "mlp": "mlp",
    "moe": "moe",
    "up_proj": "mla_up_proj",
}


class Ask(msgspec.Struct, frozen=True):
    """A query, and how often its time is part of the measured one."""

    query: TrainQuery | TimeQuery
    weight: float = 1.0


class StepCase(msgspec.Struct, frozen=True, kw_only=True):
    """Measured times of steps with the queries that predict them.

    The set-up is not in the queries: ``platform`` helps to choose it. The time of a point is the
    weighted sum of its ``asks``.
    """

    row: Row
    device: Hardware
    kind: str
    platform: str
    asks: list[list[Ask]]
    sizes: dict[str, list[float]]
    seconds: list[float]


def model_of(row: Row) -> str:
    """Return the preset of a row's model."""
    if "layers)" in row.model or "layers" in row.layout:
        raise NotExpressed("a model cut to a few layers")
    found = MODELS.get(re.sub(r"[^a-z0-9]", "", row.model.casefold()))
    if found is None:
        raise NotExpressed(f"no preset of the model {quote(row.model)}")
    return found


def precision_of(row: Row) -> str:
    """Return the precision of a row."""
    named = row.prec.casefold()
    found = PRECISIONS.get(named) or PRECISIONS.get(named.partition(" (")[0])
    if found is None:
        raise NotExpressed(f"no precision for {quote(row.prec)}")
    return found


def training(row: Row, device: Hardware) -> list[StepCase]:
    """Express a row of training: one step of a layout that it states."""
    if "lora" in row.what.casefold() or "lora" in row.model.casefold():
        raise NotExpressed("fine-tuning of adapters")
    if "len_packed" in row.seq:
        raise NotExpressed("sequences packed from shorter ones of unknown lengths")
    model, precision = model_of(row), precision_of(row)
    degrees = _degrees(row)
    batch = whole(number(row, "batch.gbs_seqs"), "gbs_seqs")
    length = whole(number(row, "seq.len"), "len")
    seconds = _step_seconds(row, batch * length)
    query = TrainQuery(
        model=model, hardware=device.name, precision=precision, sequence=length,
        global_batch=batch, micro_batch=whole(row.batch.get("mbs", 1), "mbs"),
        recompute=_recompute(row), **degrees,
    )  # fmt: skip
    rack = device.scale_up is not None and (device.scale_up.domain_size or 0) > NODE
    platform = "nvl72" if rack else "hgx"
    return [
        StepCase(
            row=row, device=device, kind=f"step_{platform}", platform=platform,
            asks=[[Ask(query)]], seconds=[seconds],
            sizes={"gpus": [row.n or 0], "sequences": [batch]},
        )
    ]  # fmt: skip


def _degrees(row: Row) -> dict[str, Any]:
    layout = row.layout
    if not layout:
        raise NotExpressed("no layout")
    if "scheme" in layout or "strategy" in layout:
        raise NotExpressed("a layout that is named, not stated")
    gpus = whole(row.n, "n")
    found: dict[str, Any] = {
        name: whole(layout.get(name, 1), name) for name in ("tp", "pp", "cp", "ep")
    }
    inner = found["tp"] * found["pp"] * found["cp"]
    if gpus % inner:
        raise NotExpressed("tp x pp x cp does not divide the GPUs")
    found["dp"] = gpus // inner
    if layout.get("dp", found["dp"]) != found["dp"]:
        raise NotExpressed("tp x pp x cp x dp is not the number of GPUs")
    if "etp" in layout:
        found["etp"] = whole(layout["etp"], "etp")
    if layout.get("fsdp") or layout.get("zero"):
        found["zero"] = 3
    chunks = whole(layout.get("vpp", 1), "vpp")
    named = str(layout.get("schedule", "1f1b")).casefold()
    if named not in SCHEDULES:
        raise NotExpressed(f"no schedule {quote(named)}")
    found["schedule"] = SCHEDULES[named]
    if chunks > 1 and found["pp"] > 1:
        found |= {"schedule": "interleaved", "virtual_pipeline": chunks}
    return found


def _step_seconds(row: Row, tokens: int) -> float:
    """Return the measured time of a step, from tokens a second where it is not given."""
    for name in ("tokens_per_s_per_gpu", "tokens_per_s_per_gpu_derived"):
        if name in row.value and not any(key.startswith("step_time") for key in row.value):
            return tokens / (number(row, f"value.{name}") * whole(row.n, "n"))
    try:
        return times(row, "step_time")[0]
    except NotExpressed:
        raise NotExpressed(
            "neither time nor tokens a second: how FLOPs are counted is not stated"
        ) from None


def _recompute(row: Row) -> str | None:
    """Return the policy of a row, or the modules that it names."""
    named = row.recompute.casefold()
    if named in RECOMPUTES:
        return RECOMPUTES[named]
    modules = [MODULES.get(part.strip()) for part in named.removeprefix("selective:").split(",")]
    if not all(modules):
        raise NotExpressed(f"recomputation {quote(row.recompute)}")
    return ",".join(str(each) for each in modules)


def whole(found: Any, name: str) -> int:
    """Return a whole number above 0; that something is off counts as 1."""
    if isinstance(found, bool) or not isinstance(found, int | float) or found != int(found):
        raise NotExpressed(f"no {name}")
    if found < 1:
        raise NotExpressed(f"{name} is below 1")
    return int(found)


def serving(row: Row, device: Hardware) -> list[StepCase]:
    """Express a sweep of a server: the time of an output token by concurrency.

    A server that also prefills spends, for each output token, a share of the prefill of the
    sequences that come in: batch over output length. Its batch is the concurrency, divided over
    the attention replicas of all decoding instances; its context the input and half of the output.
    """
    if "tpot_ms" not in row.series:
        raise NotExpressed("no time of an output token")
    model, precision = model_of(row), precision_of(row)
    precision = "fp8-deepseek-v3" if (model, precision) == DEEPSEEK_FP8 else precision
    mode = str(row.layout.get("mode", ""))
    layout = row.layout.get("decode") if mode == "disagg" else row.layout
    if not isinstance(layout, dict):
        raise NotExpressed("no layout of decoding")
    if layout.get("pp", 1) != 1:
        raise NotExpressed("a server with pipeline parallelism")
    given: dict[str, Any] = {"tp": whole(layout.get("tp"), "tp"), "precision": precision}
    replicas = whole(layout.get("attn_dp", 1), "attn_dp")
    given |= {"dp": replicas, "ep": whole(layout.get("moe_ep", 1), "moe_ep")}
    if given["ep"] * whole(layout.get("moe_tp", 1), "moe_tp") > 1:
        given["etp"] = whole(layout.get("moe_tp", 1), "moe_tp")
    replicas *= whole(layout.get("workers", 1), "workers")
    seconds = times(row, "tpot")
    inputs, outputs = column(row, "isl"), column(row, "osl")
    concurrency = positive("concurrency", column(row, "concurrency"))
    asks = []
    for received, made, clients in zip(inputs, outputs, concurrency, strict=True):
        batch = math.ceil(clients / replicas)
        one = TimeQuery(
            model=model, hardware=device.name, phase="decode", batch=batch,
            context=int(received + made / 2), **given,
        )  # fmt: skip
        listed = [Ask(one)]
        if mode == "agg":
            prefill = TimeQuery(
                model=model, hardware=device.name, phase="prefill", batch=1,
                sequence=int(received), last_logit=True, **given,
            )  # fmt: skip
            listed.append(Ask(prefill, batch / made))
        asks.append(listed)
    return [
        StepCase(
            row=row, device=device, kind=f"tpot_{mode}", platform=(row.note.split() or [""])[0],
            asks=asks, seconds=seconds,
            sizes={"input": inputs, "output": outputs, "concurrency": concurrency},
        )
    ]  # fmt: skip


DEEPSEEK_FP8 = ("deepseek-v3", "fp8-tensor")
"""The model whose FP8 weights are published in blocks: an engine loads these."""
