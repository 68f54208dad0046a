"""What the memory of a host holds for its devices, and how fast: experts, caches, states."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.kv_cache import kv_lines
from dsv3calc.accounting.placement.schedules import replica_micro_batches
from dsv3calc.errors import UsageError
from dsv3calc.formulas import host as formulas
from dsv3calc.formulas import transfers
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.schema.hardware import Hardware, Host
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat
    from dsv3calc.schema.workload import Conventions


def host_of(hardware: Hardware, needed: str) -> Host:
    """Return the host of a device.

    Raises
    ------
    UsageError
        If the preset has none.
    """
    if hardware.host is None:
        raise UsageError(
            f"{hardware.name} has no host in its preset, and {needed}",
            "give it one in a preset of your own: dsv3calc presets new hardware",
        )
    return hardware.host


class CacheLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``host.cache.*`` of contexts that are kept and reloaded."""

    per_token: Line
    break_even: Line
    recompute: Line
    reloads: dict[str, Line]
    gains: dict[str, Line]
    nodes_factor: Line
    traffic: Line
    retained: Line | None


def cache_lines(
    model: Model,
    kv_format: KVFormat,
    conventions: Conventions,
    hardware: Hardware,
    *,
    context: Any,
    prefill_rate: Any,
    hit_rate: Any,
    retention: Any = None,
) -> CacheLines:
    """Give when a cached context is reloaded sooner than computed again, and what keeping takes."""
    counted = kv_lines(model, kv_format, conventions, batch=1, tokens=context)
    tokens = given("context", context, "tokens")
    rate = given("prefill_rate", prefill_rate, "tokens/s", "of a node")
    per_token = combined(
        "host.cache.bytes_per_token",
        "ratio",
        (counted.bytes, tokens),
        unit="B/token",
        convention="cache and state of the context over its tokens",
    )
    needed = computed(
        "host.cache.break_even_bandwidth",
        formulas.reload_bandwidth,
        token_cache_bytes=per_token,
        node_prefill_rate=rate,
    )
    recompute = combined("host.cache.recompute_seconds", "ratio", (tokens, rate), unit="s")
    reloads, gains = {}, {}
    for tier, bandwidth in _tiers(hardware).items():
        reloads[tier] = combined(
            f"host.cache.reload_seconds.{tier}", "ratio", (counted.bytes, bandwidth), unit="s"
        )
        gains[tier] = combined(
            f"host.cache.speed_up.{tier}", "ratio", (recompute, reloads[tier]), unit="ratio"
        )
    found = given("hit_rate", hit_rate, "ratio")
    kept = None
    if retention is not None:
        kept = computed(
            "host.cache.retained_bytes",
            formulas.retained_cache_bytes,
            token_cache_bytes=per_token,
            node_prefill_rate=rate,
            retention_seconds=given("retention", retention, "s"),
        )
    return CacheLines(
        per_token=per_token,
        break_even=needed,
        recompute=recompute,
        reloads=reloads,
        gains=gains,
        nodes_factor=combined(
            "host.cache.prefill_nodes_share", "difference", (ONE, found), unit="ratio"
        ),
        traffic=computed(
            "host.cache.reload_bandwidth",
            formulas.hit_traffic,
            token_cache_bytes=per_token,
            node_prefill_rate=rate,
            hit_rate=found,
        ),
        retained=kept,
    )


def _tiers(hardware: Hardware) -> dict[str, Line]:
    """Return the bandwidth of a node to each tier that its preset gives one."""
    host = hardware.host
    found: dict[str, Line] = {}
    if host is None:
        return found
    if host.link is not None and hardware.node_size is not None:
        one = field(("hardware.host.link", host.link), "nominal", "B/s")
        links = field(("hardware", hardware), "node_size", "1")
        found["dram"] = combined("host.links", "product", (one, links), unit="B/s")
        if host.dram_bandwidth is not None and host.dram_bandwidth < found["dram"].value:
            found["dram"] = field(("hardware.host", host), "dram_bandwidth", "B/s")
    if host.storage is not None and host.storage.bandwidth is not None:
        found["storage"] = field(("hardware.host.storage", host.storage), "bandwidth", "B/s")
    return found


def activation_lines(layout: Layout, rank: int, named: Mapping[str, Line]) -> tuple[Line, Line]:
    """Give the activations that a host holds of a device, and those moved in a step, each way.

    ``named`` are the lines of ``memory`` of a layout, ``rank`` its fullest pipeline rank.
    """
    held = total("host.states.activations.held", (named[f"memory.rank.{rank}.activations"],))
    chunks: list[Line] = []
    while (name := f"memory.rank.{rank}.chunk.{len(chunks)}.activations") in named:
        chunks.append(named[name])
    kept = total("host.states.activations.of_micro_batch", chunks, unit="B")
    parts = [kept, replica_micro_batches(layout)]
    if layout.schedule == "dualpipe":
        words = "each micro-batch passes one of the two stages of a rank"
        parts.append(given("host.states.chunk_share", 0.5, "ratio", words))
    return held, combined(
        "host.states.activations.bytes",
        "product",
        parts,
        unit="B",
        convention="per step, each way; all saved activations",
    )


class StateLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``host.states.*`` of states of training that a host keeps for its devices."""

    held: Line | None
    seconds: dict[str, Line]
    exposed: dict[str, Line]


def offload_lines(
    hardware: Hardware, moved: dict[str, Line], kept: Sequence[Line], *, hidden: Any
) -> StateLines:
    """Give the time to move states of a device to the host and back in a step, and what shows.

    ``moved`` are the bytes of the fullest device, each way, and ``kept`` those that stay in the
    host between steps.

    Raises
    ------
    UsageError
        If the host has no link to its devices.
    """
    host = host_of(hardware, "states need its link")
    if host.link is None:
        raise UsageError(
            f"the host of {hardware.name} has no link to its devices", "add host.link to its preset"
        )
    link = field(("hardware.host.link", host.link), "nominal", "B/s")
    behind = given("compute_time", hidden, "s")
    seconds, exposed = {}, {}
    for what, amount in moved.items():
        seconds[what] = combined(
            f"host.states.{what}.seconds",
            "ratio",
            (amount, link),
            unit="s",
            convention="each way; the link carries both at once",
        )
        exposed[what] = computed(
            f"host.states.{what}.exposed",
            transfers.exposed_time,
            communication_seconds=seconds[what],
            overlapped_seconds=behind,
        )
    held = None
    if hardware.node_size is not None:
        every = total("host.states.device_bytes", kept, unit="B")
        held = combined(
            "host.states.host_bytes",
            "product",
            (every, field(("hardware", hardware), "node_size", "1")),
            unit="B",
            convention="at most: every device as the fullest",
        )
    return StateLines(held=held, seconds=seconds, exposed=exposed)
