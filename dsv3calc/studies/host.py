"""Answer ``host``: what a node's host holds of experts, cached contexts and training states."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.host import activation_lines, cache_lines, offload_lines
from dsv3calc.accounting.host_experts import expert_lines, no_bandwidth
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger, Line, total
from dsv3calc.model.architecture import experts_of
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.queries.fields import flag_of
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.checked import number, positive
from dsv3calc.studies.kv_formats import cite_kv_format
from dsv3calc.studies.memory.answer import answer_memory
from dsv3calc.studies.preset_loader import (
    PresetLoader,
    beside_layers,
    check_kv_format,
    warn_context,
)
from dsv3calc.studies.traffic.exchanges import asked

if TYPE_CHECKING:
    from dsv3calc.queries.host import HostQuery

DEFAULT_CONTEXT = 4096
LONGEST = 10**9
LARGEST_RATE = 10**12


class _Inputs:
    """The presets of a query."""

    def __init__(self, query: HostQuery, answer: Answer) -> None:
        self.query, self.answer = query, answer
        self.loader = loader = PresetLoader(query)
        self.model = loader.model(query.model)
        self.hardware = loader.hardware(query.hardware)
        self.precision = loader.precision(query.precision, self.model)
        self.kv_format = loader.kv_format(query.kv_dtype, self.model.value)
        self.conventions = choose_conventions({})
        self.context = positive("--context", query.context, DEFAULT_CONTEXT)
        check_kv_format(self.model.name, self.model.value, self.kv_format, self.conventions)


def answer_host(query: HostQuery) -> Answer:
    """Say what the memory of a node's host holds and how fast it is reached.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong, or nothing can be answered of the host.
    """
    answer = Answer("host", asked(query))
    answer.notes += query.notes
    inputs = _Inputs(query, answer)
    _refuse_idle(query)
    host = inputs.hardware.value.host
    bandwidth = None if host is None else host.dram_bandwidth
    if bandwidth is None and query.prefill_rate is None and query.layout is None:
        what, hint = no_bandwidth(inputs.hardware.name)
        raise UsageError(what, f"{hint}, or ask with --prefill-rate or --layout")
    lines: list[Line] = []
    if query.layout is not None:
        lines += _states(inputs)
    else:
        inputs.loader.check_overrides()
    if query.prefill_rate is not None:
        lines += _caches(inputs)
    if bandwidth is not None:
        lines += _experts(inputs)
    _warn_of_idle(answer, query, experts=bandwidth is not None)
    answer.query |= {"precision": inputs.precision.name, "context": inputs.context}
    answer.cite(inputs.model, unused=beside_layers(with_mtp=False))
    answer.cite(inputs.hardware, used=("memory", "host", "node_size"))
    answer.cite(inputs.precision)
    cite_kv_format(answer, inputs.kv_format, [inputs.model.value], inputs.conventions)
    warn_context(answer, inputs.model.name, inputs.model.value, inputs.context)
    title = inputs.model.value.title
    answer.columns.append(Column(inputs.model.name, title, Ledger(title, lines)))
    return answer


def _warn_of_idle(answer: Answer, query: HostQuery, *, experts: bool) -> None:
    """Warn of options of parts that are not answered."""
    if query.precision and query.layout is None and not experts:
        answer.warn("--precision has no effect: the preset of the device states no host bandwidth")
    cached = experts or query.prefill_rate is not None
    for option, value in (("--context", query.context), ("--kv-dtype", query.kv_dtype)):
        if value and not cached:
            answer.warn(f"{option} has no effect: cached contexts need --prefill-rate")


def _refuse_idle(query: HostQuery) -> None:
    """Refuse options of a part that is not asked for."""
    for needed, names in (
        ("prefill_rate", ("hit_rate", "retention")),
        ("layout", ("recipe", "compute_time")),
    ):
        given_ = [name for name in names if getattr(query, name) is not None]
        if given_ and getattr(query, needed) is None:
            idle, other = flag_of(query, given_[0]), flag_of(query, needed)
            raise UsageError(f"{idle} means nothing without {other}", "give both")


def _experts(inputs: _Inputs) -> list[Line]:
    model, hardware = inputs.model.value, inputs.hardware.value
    if not experts_of(model):
        return _refused(inputs, f"{model.name} has no routed experts that a host could hold")
    found = expert_lines(
        model,
        inputs.precision.value,
        inputs.kv_format.value,
        inputs.conventions,
        hardware,
        context=inputs.context,
    )
    if found.fits_host is not None and found.fits_host.value < 0:
        size = format_quantity(found.held.value, "B")
        room = format_quantity(found.held.value + found.fits_host.value, "B")
        return _refused(
            inputs,
            f"the experts of {model.name} take {size} as {inputs.precision.name}, and the host of "
            f"{hardware.name} has {room}",
        )
    if found.fits_device is not None and found.fits_device.value < 0:
        size = format_quantity(-found.fits_device.value, "B")
        inputs.answer.warn(
            f"what is not in the host's memory is {size} more than one {hardware.name} holds"
        )
    inputs.answer.assumptions.append(
        "one sequence; everything except routed experts on one device; the device waits while "
        "the CPUs compute the experts"
    )
    return found.lines


def _refused(inputs: _Inputs, what: str) -> list[Line]:
    """Refuse experts, or note it where something else was asked."""
    query = inputs.query
    if query.prefill_rate is None and query.layout is None:
        raise UsageError(what, "choose another --precision, --hardware or model")
    inputs.answer.notes.append(what)
    return []


def _caches(inputs: _Inputs) -> list[Line]:
    query, hardware = inputs.query, inputs.hardware.value
    rate = number("--prefill-rate", query.prefill_rate, 0, least=1e-9, most=LARGEST_RATE)
    hit_rate = number("--hit-rate", query.hit_rate, 0, most=1)
    if hit_rate == 1:
        raise UsageError("--hit-rate 1: nothing is prefilled", "give a share below 1")
    retention = None
    if query.retention is not None:
        retention = number("--retention", query.retention, 0, most=LONGEST)
    found = cache_lines(
        inputs.model.value,
        inputs.kv_format.value,
        inputs.conventions,
        hardware,
        context=inputs.context,
        prefill_rate=rate,
        hit_rate=hit_rate,
        retention=retention,
    )
    if not found.reloads:
        inputs.answer.notes.append(
            f"{hardware.name} states no bandwidth of a memory tier: no reload times"
        )
    inputs.answer.assumptions.append("a reload uses the links of all devices of a node equally")
    return found.lines


def _states(inputs: _Inputs) -> list[Line]:
    query, answer = inputs.query, inputs.answer
    held = answer_memory(
        MemoryQuery(
            model=query.model, hardware=query.hardware, layout=query.layout, recipe=query.recipe,
            precision=query.precision, set=query.set, preset_path=query.preset_path,
            ignore_keys=query.ignore_keys,
        )
    )  # fmt: skip
    add_new(answer.assumptions, held.assumptions)
    answer.brief |= held.brief
    named = held.columns[0].ledger.named()
    optimizer = named["memory.worst.optimizer"].renamed("host.states.optimizer.bytes")
    weights = named["memory.worst.weights"]
    average = total(
        "host.states.average.bytes",
        (weights,),
        convention="an exponential moving average, stored as the weights are",
    )
    hidden = number("--compute-time", query.compute_time, 0, most=LONGEST)
    assert held.placed is not None  # noqa: S101 - memory answers of a layout
    rank = int(named["memory.worst.rank"].value)
    kept, saved = activation_lines(held.placed.layout, rank, named)
    states = [optimizer, average]
    moved = {"optimizer": optimizer, "average": average, "activations": saved}
    found = offload_lines(inputs.hardware.value, moved, states, hidden=hidden)
    return [*states, kept, saved, *found]
