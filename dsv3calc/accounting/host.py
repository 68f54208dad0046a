"""What the memory of a host holds for its devices, and how fast: experts, caches, states."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.device import memory_bandwidth
from dsv3calc.accounting.kv_cache import kv_lines
from dsv3calc.accounting.parameters import model_tensors
from dsv3calc.accounting.weights import stored_lines
from dsv3calc.errors import UsageError
from dsv3calc.formulas import experts as experts_formulas
from dsv3calc.formulas import host as formulas
from dsv3calc.formulas import roofline, transfers
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware, Host
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.schema.workload import Conventions


class ExpertLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``host.experts.*`` [B, s, tokens/s] of experts that the CPUs of a host compute."""

    held: Line
    fits_host: Line | None
    resident: Line
    fits_device: Line | None
    read: Line
    host_seconds: Line
    device_seconds: Line
    tpot_bound: Line
    rate_bound: Line
    prefill: list[Line]
    tpot: Line | None = None
    rate: Line | None = None


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


def expert_lines(
    model: Model,
    precision: Precision,
    kv_format: KVFormat,
    conventions: Conventions,
    hardware: Hardware,
    *,
    context: Any,
) -> ExpertLines:
    """Count experts in the memory of a host that has a bandwidth, all else on one device.

    Raises
    ------
    UsageError
        If the model has no routed experts, or the host is too small for them.
    """
    host = host_of(hardware, "experts need its memory")
    arch = architecture_of(model)
    held, read = _routed(model, precision)
    others = [each for each in model_tensors(arch) if each.division != "experts"]
    weights = stored_lines("host.experts.resident_weights", others, precision).bytes
    cache = kv_lines(model, kv_format, conventions, batch=1, tokens=context).bytes
    resident = total("host.experts.resident_bytes", (weights, cache), unit="B")
    of_each_token = [
        each for each in others if model.tie_word_embeddings or each.name != "embedding"
    ]
    moved = total(
        "host.experts.device_read",
        (stored_lines("host.experts.read_weights", of_each_token, precision).bytes, cache),
        unit="B",
        convention="all but the embedding, of which a token reads a row",
    )
    scope = ("hardware.host", host)
    fits_host = None
    if host.dram_capacity is not None:
        fits_host = _left("host.experts.host_left", field(scope, "dram_capacity", "B"), held)
    fits_device = None
    if hardware.memory.usable is not None:
        room = field(("hardware.memory", hardware.memory), "usable", "B")
        fits_device = _left("host.experts.device_left", room, resident)
    bandwidth = field(scope, "dram_bandwidth", "B/s")

    def reading(name: str, share: Line) -> Line:
        return computed(
            name,
            formulas.host_read_time,
            host_bytes=read,
            dram_bandwidth=bandwidth,
            dram_share=share,
        )

    at_peak = reading("host.experts.host_seconds", given("dram_share", 1, "ratio", "at its peak"))
    on_device = computed(
        "host.experts.device_seconds",
        roofline.memory_time,
        moved=moved,
        bandwidth=memory_bandwidth(hardware),
    )
    bound = total("host.experts.tpot.bound", (at_peak, on_device), unit="s")
    fitted: dict[str, Line] = {}
    if host.experts is not None:
        of_fit = ("hardware.host.experts", host.experts)
        parts = (
            reading("host.experts.fitted_host_seconds", field(of_fit, "dram_share", "ratio")),
            field(of_fit, "device_seconds", "s"),
        )
        tpot = total("host.experts.tpot.estimate", parts, unit="s")
        fitted = {"tpot": tpot, "rate": _rate("estimate", tpot)}
    return ExpertLines(
        held=held,
        fits_host=fits_host,
        resident=resident,
        fits_device=fits_device,
        read=read,
        host_seconds=at_peak,
        device_seconds=on_device,
        tpot_bound=bound,
        rate_bound=_rate("bound", bound),
        prefill=_prefill(model, host),
        **fitted,
    )


def _left(name: str, room: Line, held: Line) -> Line:
    return combined(name, "difference", (room, held), unit="B", convention="below 0: too small")


def _rate(what: str, tpot: Line) -> Line:
    return combined(f"host.experts.tokens_per_second.{what}", "ratio", (ONE, tpot), unit="tokens/s")


def _routed(model: Model, precision: Precision) -> tuple[Line, Line]:
    """Give the bytes of all routed experts, and those that one token reads."""
    held, read = [], []
    for view in architecture_of(model).groups:
        if view.experts is None:
            continue
        routed = [tensor for tensor in view.tensors if tensor.division == "experts"]
        stored = stored_lines(f"host.experts.weights.{view.prefix}", routed, precision).bytes
        held.append(stored)
        read.append(
            computed(
                f"host.experts.read.{view.prefix}",
                experts_formulas.expected_expert_share,
                unit="B",
                elements=stored,
                hit=view.experts.chosen,
                n_routed_experts=view.experts.choices,
            )
        )
    if not held:
        raise UsageError(
            f"{model.name} has no routed experts that a host could hold",
            "choose a mixture of experts, such as deepseek-v3",
        )
    return (
        total("host.experts.bytes", held, unit="B"),
        total("host.experts.bytes_per_token", read, unit="B", convention="of one sequence"),
    )


def _prefill(model: Model, host: Host) -> list[Line]:
    """Give the tokens that the CPUs prefill in a second at their peaks: routed experts alone."""
    if not host.peaks:
        return []
    elements = []
    for view in architecture_of(model).groups:
        if view.experts is None:
            continue
        for tensor in view.tensors:
            if tensor.division == "experts" and tensor.in_features is not None:
                parts = (view.layers, view.experts.chosen, tensor.out_features, tensor.in_features)
                name = f"host.experts.active.{view.prefix}.{tensor.name}"
                elements.append(combined(name, "product", _as_lines(parts), unit="elements"))
    active = total("host.experts.active_elements", elements, unit="elements")
    flops = combined(
        "host.experts.token_flops",
        "product",
        (given("flops_of_an_element", 2, "1"), active),
        unit="FLOP",
    )
    return [
        combined(
            f"host.experts.prefill_tokens_per_second.{dtype}",
            "ratio",
            (given(f"hardware.host.peaks.{dtype}", peak, "FLOP/s"), flops),
            unit="tokens/s",
            convention="routed experts at the peak of the CPUs",
        )
        for dtype, peak in host.peaks.items()
    ]


def _as_lines(parts: tuple[Any, ...]) -> list[Line]:
    return [each if type(each) is Line else given("factor", each, "1") for each in parts]


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


class StateLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``host.states.*`` of states of training that a host keeps for its devices."""

    held: Line | None
    seconds: dict[str, Line]
    exposed: dict[str, Line]


def offload_lines(hardware: Hardware, moved: dict[str, Line], *, hidden: Any) -> StateLines:
    """Give the time to move states of a device to the host and back in a step, and what shows.

    ``moved`` are the bytes of the fullest device, each way.

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
        every = total("host.states.device_bytes", list(moved.values()), unit="B")
        held = combined(
            "host.states.host_bytes",
            "product",
            (every, field(("hardware", hardware), "node_size", "1")),
            unit="B",
            convention="at most: every device as the fullest",
        )
    return StateLines(held=held, seconds=seconds, exposed=exposed)
