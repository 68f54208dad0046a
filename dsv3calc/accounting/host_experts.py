"""Experts in the memory of a host, which its CPUs compute: bytes, seconds, tokens of a second."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.device import memory_bandwidth
from dsv3calc.accounting.host import host_of
from dsv3calc.accounting.kv_cache import kv_lines
from dsv3calc.accounting.parameters import model_tensors
from dsv3calc.accounting.weights import stored_lines
from dsv3calc.errors import UsageError
from dsv3calc.formulas import experts as experts_formulas
from dsv3calc.formulas import host as formulas
from dsv3calc.formulas import roofline
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.substitution import Substitution
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE
from dsv3calc.numbers.quantity_format import format_quantity

if TYPE_CHECKING:
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.hardware import Hardware, Host, HostExperts
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
    held, read = routed_lines(model, precision)
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
    at_peak = _reading(host, read)
    on_device = computed(
        "host.experts.device_seconds",
        roofline.memory_time,
        moved=moved,
        bandwidth=memory_bandwidth(hardware),
    )
    bound = total("host.experts.tpot.bound", (at_peak, on_device), unit="s")
    fitted: dict[str, Line] = {}
    if host.experts is not None:
        tpot = _fitted(host, host.experts, read)
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


def _reading(host: Host, read: Line, fitted: HostExperts | None = None) -> Line:
    """Give the time in which the CPUs read experts: at the peak of the memory, or as fitted."""
    name = "host.experts.host_seconds"
    share = given("dram_share", 1, "ratio", "at its peak")
    if fitted is not None:
        name = "host.experts.fitted_host_seconds"
        share = field(("hardware.host.experts", fitted), "dram_share", "ratio")
    return computed(
        name,
        formulas.host_read_time,
        host_bytes=read,
        dram_bandwidth=field(("hardware.host", host), "dram_bandwidth", "B/s"),
        dram_share=share,
    )


def _fitted(host: Host, fitted: HostExperts, read: Line) -> Line:
    """Give the time of a token as it was fitted: the CPUs', and all else."""
    beside = field(("hardware.host.experts", fitted), "device_seconds", "s")
    return total("host.experts.tpot.estimate", (_reading(host, read, fitted), beside), unit="s")


class HostedLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Times of a decode step by what the CPUs of a host take for the routed experts of a batch.

    ``bound`` and ``floor`` are the CPUs' alone, ``estimate`` is that of a whole step.
    """

    bound: Line
    floor: Line
    estimate: Line | None


def hosted_lines(
    model: Model, precision: Precision, hardware: Hardware, batch: Line, *, fitted: bool
) -> HostedLines:
    """Give the time of routed experts that the CPUs of a host compute for a batch.

    ``fitted`` asks for the time of a whole step too, where the batch is one sequence and the preset
    of the device has it.

    Raises
    ------
    UsageError
        If the model has no routed experts, or the host no memory bandwidth.
    """
    host = host_of(hardware, "experts need its memory")
    if host.dram_bandwidth is None:
        raise UsageError(*no_bandwidth(hardware.name))
    alone = type(batch.value) is int and batch.value == 1
    read = routed_lines(model, precision, None if alone else batch)[1]
    prefill = _prefill(model, host)
    computing = []
    if prefill:
        fastest = max(prefill, key=lambda line: line.value)
        computing.append(
            combined("host.experts.compute_seconds", "ratio", (batch, fastest), unit="s")
        )
    under = Substitution("serve.", {})
    times = {}
    for what, rates in (("bound", None), ("floor", host.experts)):
        parts = [under.line(line) for line in (_reading(host, read, rates), *computing)]
        times[what] = combined(f"serve.host_seconds.{what}", "maximum", parts, unit="s")
    whole = None
    if alone and fitted and host.experts is not None:
        whole = under.line(_fitted(host, host.experts, read))
    return HostedLines(estimate=whole, **times)


def no_bandwidth(name: str) -> tuple[str, str]:
    """Return what is wrong with a host whose memory has no bandwidth, and what to try."""
    return (
        f"the host of {name} has no memory bandwidth in its preset, which experts need",
        "--set hardware.host.dram_bandwidth='614.4 GB/s'",
    )


def host_room(hardware: Hardware, held: Line) -> Line:
    """Give what the host's memory has left beside the experts.

    Raises
    ------
    UsageError
        If the size of the memory is not known, or it is too small.
    """
    host = host_of(hardware, "experts need its memory")
    if host.dram_capacity is None:
        raise UsageError(
            f"the host of {hardware.name} has no memory size in its preset, which experts need",
            "--set hardware.host.dram_capacity='1 TB'",
        )
    room = _left(
        "host.experts.host_left", field(("hardware.host", host), "dram_capacity", "B"), held
    )
    if room.value < 0:
        raise UsageError(
            f"the experts take {format_quantity(held.value, 'B')}, and the host of "
            f"{hardware.name} has {format_quantity(host.dram_capacity, 'B')}",
            "choose another --precision, --hardware or model",
        )
    return room


def _left(name: str, room: Line, held: Line) -> Line:
    return combined(name, "difference", (room, held), unit="B", convention="below 0: too small")


def _rate(what: str, tpot: Line) -> Line:
    return combined(f"host.experts.tokens_per_second.{what}", "ratio", (ONE, tpot), unit="tokens/s")


def routed_lines(
    model: Model, precision: Precision, tokens: Line | None = None
) -> tuple[Line, Line]:
    """Give the bytes of all routed experts, and those that a step reads: of one token, or several.

    Raises
    ------
    UsageError
        If the model has no routed experts.
    """
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
                hit=_distinct(view, tokens),
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
        total("host.experts.bytes_per_token", read, unit="B", convention="of one sequence")
        if tokens is None
        else total("host.experts.step_bytes", read, unit="B", convention="expected distinct ones"),
    )


def _distinct(view: GroupView, tokens: Line | None) -> Line:
    """Return how many experts of a layer are read: those of one token, or expected of several."""
    assert view.experts is not None  # noqa: S101 - asked by the caller
    if tokens is None:
        return view.experts.chosen
    return computed(
        f"host.experts.distinct.{view.prefix}",
        experts_formulas.expected_distinct_experts,
        n_routed_experts=view.experts.choices,
        num_experts_per_tok=view.experts.chosen,
        tokens=tokens,
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
