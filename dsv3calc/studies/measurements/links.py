"""Rows of collectives and of exchanges between experts."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas.routing import distinct_destinations, missed_chance
from dsv3calc.studies.measurements.cases import (
    Case,
    NotExpressed,
    column,
    number,
    repeated,
    times,
)

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.measurement import Row

COLLECTIVES = {
    "all_reduce": ("all_reduce", 2),
    "all_gather": ("all_gather", 1),
    "reduce_scatter": ("reduce_scatter", 1),
    "alltoall": ("all_to_all", 1),
}
"""Collective as rows name it -> its entry, and how often its payload passes a link."""

V3 = {"hidden": 7168, "topk": 8, "experts": 256}
TOKENS = ("tokens_per_rank", "tokens_per_gpu", "num_tokens")
"""What rows call the tokens that a GPU sends."""
WIRE = {"dispatch": 1 + 4 / 128, "combine": 2.0}
"""Bytes of an element: FP8 with a scale for 128, then BF16."""
GIGA = 1e9
MOST_EXPERTS = 2**16
NODE = 8
"""GPUs of a node, where the device's preset does not say."""
ENOUGH_SMS = 20
"""Multiprocessors with which DeepEP's normal kernels fill the links; fewer send in proportion."""


def links(row: Row, device: Hardware) -> list[Case]:
    """Express a row of a collective, or of an exchange between experts."""
    if "message_bytes" in row.series:
        return [_collective(row, device)]
    if "EP" in row.what or "all-to-all" in row.what or "dispatch" in row.what:
        return _exchange(row, device)
    raise NotExpressed("no message size")


def _collective(row: Row, device: Hardware) -> Case:
    sizes = column(row, "message_bytes")
    ranks = number(row, "value.gpus")
    if device.scale_up is None:
        raise NotExpressed("the device has no link in its node")
    if ranks > (device.scale_up.domain_size or ranks):
        raise NotExpressed("a collective across nodes")
    if "custom" in row.what:
        name, phases = "custom_all_reduce", 2
    else:
        found = next((each for each in COLLECTIVES if each in row.what), "")
        if not found:
            raise NotExpressed("a collective of another kind")
        name, phases = COLLECTIVES[found]
    points = [{"moved": phases * size * (ranks - 1) / ranks, "ranks": ranks} for size in sizes]
    kind = "custom_all_reduce" if "custom" in row.what else "nccl"
    return Case(
        row=row, device=device, kind=kind, form="collective",
        entry=("links", "collectives", name), points=points,
        seconds=repeated(times(row, "latency"), len(points)),
        sizes={"bytes": sizes, "GPUs": [ranks]},
    )  # fmt: skip


def _exchange(row: Row, device: Hardware) -> list[Case]:
    name = _name(row)
    ep = number(row, "layout.ep")
    listed = next((name for name in TOKENS if name in row.series), "")
    tokens = column(row, listed) if listed else [number(row, "batch.tokens_per_gpu")]
    hidden = _stated(row, "hidden")
    chosen, count = _stated(row, "topk"), _stated(row, "experts")
    if not ep <= count <= MOST_EXPERTS or chosen > count:
        raise NotExpressed("experts, EP and top-k that contradict each other")
    domain = (device.scale_up and device.scale_up.domain_size) or NODE
    near, far, logical = _copies(name, ep, domain, chosen, count, row)
    cases = []
    for way, metric in _ways(row):
        wire = hidden * _wire(row, way)
        try:
            seconds = times(row, metric)
        except NotExpressed:
            rate = row.value.get(f"{metric}_GBps", row.value.get(f"{metric}_GBps_logical"))
            if name != "normal" or rate is None:
                continue
            seconds = [tokens[0] * wire * logical / (GIGA * rate)]
        slower = max(1, ENOUGH_SMS / number(row, "value.sms")) if "sms" in row.value else 1
        each = repeated(tokens, len(seconds))
        points = [
            {
                "scale_up_bytes": t * near * wire * slower,
                "scale_out_bytes": t * far * wire,
                "crosses": float(far > 0),
            }
            for t in each
        ]
        cases.append(
            Case(
                row=row, device=device, kind=name, form="exchange",
                entry=("links", "exchanges", name), points=points, seconds=seconds,
                sizes={"tokens": each, "EP": [ep]},
            )
        )  # fmt: skip
    if not cases:
        raise NotExpressed("no time of a dispatch or a combine")
    return cases


def _stated(row: Row, name: str) -> float:
    """Return a width of the model: as the row states it, or DeepSeek-V3's where it names that."""
    if name in row.value:
        return number(row, f"value.{name}")
    if "DeepSeek-V3" in row.model or "DeepSeek-V3" in row.note or "DeepEP" in row.what:
        return V3[name]
    raise NotExpressed(f"no {name}")


def _name(row: Row) -> str:
    """Return the entry of an exchange."""
    if "low-latency" in row.what and "inside decode" not in row.what:
        return "low_latency"
    if "DeepEP normal" in row.what or "DeepEP V2" in row.what:
        return "normal"
    if "NVLink" in row.what and "TensorRT-LLM" in f"{row.what} {row.src}":
        return "two_sided" if "Two" in str(row.value.get("kernel", "")) else "one_sided"
    raise NotExpressed("an exchange of another library")


def _ways(row: Row) -> list[tuple[str, str]]:
    """Return the directions that a row measures, each with the name of its metric."""
    ways = ("dispatch", "combine")
    if any(name.startswith("latency_") for name in row.series):
        return [(way, "latency") for way in ways if f"{way} latency" in row.what]
    return [(way, metric) for way in ways for metric in (way, f"{way}_transmit")]


def _wire(row: Row, way: str) -> float:
    """Return the bytes of an element on the wire."""
    form = row.prec.casefold()
    if way == "combine" or form in ("bf16", "bfloat16"):
        return WIRE["combine"]
    if "fp4" in form:
        return 0.5 + 1 / 16
    return WIRE["dispatch"]


def _copies(
    name: str, ep: float, domain: float, chosen: float, count: float, row: Row
) -> tuple[float, float, float]:
    """Return how many copies of a token a GPU sends within its domain, and to others.

    The third is what published bandwidths count: copies on the slower tier, the own ones too.
    """
    inside = min(ep, domain)
    if name == "low_latency":
        if "2025-02" in row.date and "pure RDMA" in row.note:  # no NVLink at all
            return 0, chosen * (ep - 1) / ep, chosen
        return chosen * (inside - 1) / ep, chosen * (ep - inside) / ep, chosen
    slots = count / ep
    gpus = distinct_destinations(ep, missed_chance(ep, slots, chosen))  # type: ignore[arg-type]
    nodes = ep / inside
    if nodes <= 1:
        return gpus * (ep - 1) / ep, 0, gpus
    reached = distinct_destinations(nodes, missed_chance(nodes, slots * inside, chosen))  # type: ignore[arg-type]
    return gpus * (inside - 1) / inside, reached * (nodes - 1) / nodes, reached
