"""Roofline bounds of a pass: the time its FLOPs take at peak, the time its bytes take."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.device import memory_bandwidth
from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.kv_cache import cached_views, entry_lines, tokens_line
from dsv3calc.accounting.parameters import model_tensors, mtp_tensors
from dsv3calc.accounting.state import state_lines
from dsv3calc.accounting.weights import format_of, stored_lines
from dsv3calc.errors import UsageError
from dsv3calc.formulas import architecture as shapes
from dsv3calc.formulas import cached_tokens, experts, kv_cache, roofline
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.architecture import architecture_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.block import CacheEntry
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.schema.workload import Conventions, Workload


def peak_of(precision: Precision, hardware: Hardware, component: str) -> tuple[str, bool]:
    """Return the data type whose peak a component runs against, and whether it was the first wish.

    Raises
    ------
    UsageError
        If the hardware has none of the data types that the precision lists.
    """
    wishes = precision.compute.get(component, precision.compute["default"])
    for number, wish in enumerate(wishes):
        if wish in hardware.peaks:
            return wish, number == 0
    raise UsageError(
        f"{hardware.name} has no peak for {' or '.join(wishes)}, in which the precision "
        f"{precision.name} computes {component.replace('_', ' ')}: its preset states "
        f"{', '.join(hardware.peaks)} alone",
        f"--set hardware.peaks.{wishes[0]}='100 TFLOPS' with the figure of a datasheet, or another "
        "--precision or --hardware",
    )


class RooflineLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``PREFIX.{compute_time,memory_time,time}`` [s per token] and so on, by field.

    ``intensity`` and ``ridge`` are in FLOP/B.
    """

    compute_time: Line
    memory_time: Line
    time: Line
    intensity: Line
    ridge: Line
    tokens_per_gpu_second: Line
    weight_bytes: Line
    cache_bytes: Line


def roofline_lines(
    prefix: str,
    model: Model,
    workload: Workload,
    conventions: Conventions,
    *,
    precision: Precision,
    kv_format: KVFormat,
    hardware: Hardware,
) -> RooflineLines:
    """Bound the time of one token of a pass, in seconds of one device.

    The work is taken to be sharded perfectly and without communication, so a bound counts the
    seconds of all devices together. Weights are read once in a pass, routed experts as far as the
    expected distinct ones of the batch; activations stay on chip.
    """
    flops = flops_lines(model, workload, conventions, f"{prefix}.flops").total
    tokens = computed(f"{prefix}.tokens", shapes.tokens_processed, ("workload", workload))
    seconds = _compute_seconds(prefix, flops, precision, hardware)
    weights = _weights_read(prefix, model, precision, tokens, conventions)
    caches = list(_cache_read(prefix, model, workload, conventions, kv_format))
    moved = total(
        f"{prefix}.bytes",
        [*weights, *caches],
        unit="B",
        convention="weights read once, cache once; activations stay on chip",
    )
    bandwidth = memory_bandwidth(hardware)
    moving = computed(
        f"{prefix}.pass_memory_time", roofline.memory_time, moved=moved, bandwidth=bandwidth
    )

    def each(name: str, amount: Line) -> Line:
        return computed(
            f"{prefix}.{name}",
            roofline.per_token,
            unit="s",
            convention=f"device-seconds per token; {hardware.name}, no communication",
            amount=amount,
            tokens=tokens,
        )

    compute, memory = each("compute_time", seconds), each("memory_time", moving)
    bound = combined(f"{prefix}.time", "maximum", (compute, memory))
    one = given("one", 1, "tokens")
    return RooflineLines(
        compute_time=compute,
        memory_time=memory,
        time=bound,
        intensity=computed(
            f"{prefix}.intensity", roofline.arithmetic_intensity, flops=flops, moved=moved
        ),
        ridge=computed(
            f"{prefix}.ridge",
            roofline.ridge_intensity,
            flops=flops,
            compute_seconds=seconds,
            bandwidth=bandwidth,
        ),
        tokens_per_gpu_second=combined(
            f"{prefix}.tokens_per_gpu_second", "ratio", (one, bound), unit="tokens/s"
        ),
        weight_bytes=total(f"{prefix}.weight_bytes", weights, unit="B"),
        cache_bytes=total(f"{prefix}.cache_bytes", caches, unit="B"),
    )


def _compute_seconds(prefix: str, flops: Line, precision: Precision, hardware: Hardware) -> Line:
    parts = []
    products = [
        part
        for line in flops.parts
        for part in (line.parts if line.tags.component == "mtp" else (line,))
    ]
    for line in products:
        component, group = line.tags.component, line.tags.group
        place = f"{group}.{component}" if group else component
        dtype, _ = peak_of(precision, hardware, component)
        peak = given(f"hardware.peaks.{dtype}", hardware.peaks[dtype], "FLOP/s", "dense peak")
        parts.append(
            computed(
                f"{prefix}.compute_time_of.{place}",
                roofline.compute_time,
                flops=line,
                peak=peak,
            )
        )
    return total(f"{prefix}.pass_compute_time", parts, unit="s")


def _weights_read(
    prefix: str, model: Model, precision: Precision, tokens: Line, conventions: Conventions
) -> list[Line]:
    """Count the weight bytes that a pass reads: of the experts the expected distinct ones."""
    arch = architecture_of(model)
    tensors = model_tensors(arch)
    if conventions.mtp == "in":
        tensors = tensors + mtp_tensors(arch)
    tied = model.tie_word_embeddings
    resident = [
        tensor
        for tensor in tensors
        if tensor.division != "experts" and (tied or tensor.name != "embedding")
    ]
    lines = [stored_lines(f"{prefix}.resident_weights", resident, precision).bytes]
    if not tied:
        lines.append(_embedding_rows(prefix, tensors[0], precision, tokens))
    views = [*arch.groups]
    if conventions.mtp == "in" and arch.mtp is not None:
        views.append(arch.mtp)
    for view in views:
        if view.experts is None:
            continue
        routed = [tensor for tensor in view.tensors if tensor.division == "experts"]
        name = f"{prefix}.expert_weights.{view.prefix}"
        stored = stored_lines(f"{name}.all", routed, precision).bytes
        hit = computed(
            f"{name}.distinct_experts",
            experts.expected_distinct_experts,
            view.experts.scope,
            n_routed_experts=view.experts.choices,
            tokens=tokens,
        )
        lines.append(
            computed(
                name,
                experts.expected_expert_share,
                view.experts.scope,
                unit="B",
                convention="expected distinct experts of the batch, balanced routing",
                elements=stored,
                n_routed_experts=view.experts.choices,
                hit=hit,
            )
        )
    return lines


def _embedding_rows(prefix: str, table: Tensor, precision: Precision, tokens: Line) -> Line:
    """Count the rows of the embedding that a pass looks up, one for each token."""
    key, form = format_of(precision, table)
    assert table.in_features is not None  # noqa: S101 - the embedding is a matrix
    bits = field((f"precision.formats.{key}", form), "bits", "bit")
    row = computed(
        f"{prefix}.embedding_row",
        kv_cache.entry_bytes,
        vectors=tokens,
        width=table.in_features,
        bits=bits,
        group_size=table.in_features,
        scale_bits=given("unscaled", 0, "bit"),
    )
    return total(f"{prefix}.embedding_rows", (row,))


def _keys_read(name: str, view: GroupView, span: str, length: Line, size: Line, held: Line) -> Line:
    """Count the keys that one decoded token meets: DSA's selection, or its own chunk so far."""
    if span == "selected":
        return computed(
            f"{name}.selected", cached_tokens.retained_tokens, tokens=length, window=size
        )
    if span == "chunked":
        return computed(
            f"{name}.in_chunk", cached_tokens.tokens_in_chunk, tokens=length, chunk=size
        )
    if span == "sliding":
        return held
    raise view.attention.refusal(f"the keys read under the span '{span}'")


def _cache_read(
    prefix: str, model: Model, workload: Workload, conventions: Conventions, kv_format: KVFormat
) -> list[Line]:
    """Count the cache bytes that a pass touches in all layers, and the states of mixers."""
    views = cached_views(model, conventions)
    lines = [
        line
        for view in views
        for _, line in cache_read(prefix, view, view.layers, workload, conventions, kv_format)
    ]
    batch = field(("workload", workload), "batch", "1")
    states = state_lines(f"{prefix}.state", views, batch, conventions)
    if not states:
        return lines
    held = total(f"{prefix}.state.held", states, unit="B")
    passes = state_passes(prefix, workload)
    return [*lines, combined(f"{prefix}.state", "product", (held, passes), unit="B")]


def cache_read(
    prefix: str,
    view: GroupView,
    layers: Line,
    workload: Workload,
    conventions: Conventions,
    kv_format: KVFormat,
) -> Iterator[tuple[CacheEntry, Line]]:
    """Yield the entries of a cache with the bytes that a pass touches: what it keeps, once.

    They are read or written. In decode, layers with DSA read the keys that the indexer selects and
    every key of the indexer, and chunked layers the keys of the chunk that the token stands in.
    """
    batch = field(("workload", workload), "batch", "1")
    length = total(
        f"{prefix}.context",
        (
            field(("workload", workload), "past", "tokens"),
            field(("workload", workload), "sequence", "tokens"),
        ),
    )
    span, size = view.attention.span(conventions) if view.attention.present else ("", None)
    sparse = conventions.sparse_attention == "selected"
    for entry, line in entry_lines(view, kv_format, conventions):
        name = f"{prefix}.cache.{entry.kind}.{view.prefix}"
        held = tokens_line(f"{name}.tokens", length, entry, conventions)
        if workload.phase == "decode" and entry.kind == "attention" and size is not None:
            held = _keys_read(name, view, span, length, size, held)
        elif workload.phase == "decode" and entry.selected is not None and sparse:
            held = computed(
                f"{name}.selected",
                cached_tokens.retained_tokens,
                tokens=held,
                window=entry.selected,
            )
        yield (
            entry,
            computed(
                name,
                kv_cache.cache_bytes,
                batch=batch,
                layers=layers,
                tokens=held,
                token_bytes=line,
            ),
        )


def state_passes(prefix: str, workload: Workload) -> Line:
    """Return how often a mixer's state is moved: read and written in decode, written once else."""
    return given(f"{prefix}.state_passes", 2 if workload.phase == "decode" else 1, "1")
