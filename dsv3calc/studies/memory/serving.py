"""Answer ``memory --serve``: weights, buffers and cache of a GPU, and how many sequences fit."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.memory.passes import LOW_LATENCY
from dsv3calc.accounting.memory.served import Serving
from dsv3calc.accounting.memory.serving import Server
from dsv3calc.accounting.memory.serving_ranks import serving_lines
from dsv3calc.accounting.traffic.exchange import Exchange
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.errors import UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.formulas import served_batches
from dsv3calc.ledger.line import Ledger
from dsv3calc.model.architecture import architecture_of
from dsv3calc.numbers.decimals import decimal_ratio
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.checked import number, positive
from dsv3calc.studies.hosted import experts_on_host, host_lines
from dsv3calc.studies.kv_formats import cite_kv_format
from dsv3calc.studies.layout.build import DEGREES, check_grouping, stage_problems
from dsv3calc.studies.layout.check import decode_problems, feed_forward_problems
from dsv3calc.studies.layout.choose import chosen_layout, named_by
from dsv3calc.studies.memory.inputs import setup_used
from dsv3calc.studies.memory.options import check_imbalance, replicated_heads, warn_of_serving
from dsv3calc.studies.preset_loader import (
    PresetLoader,
    beside_layers,
    check_kv_format,
    interval_of,
    warn_context,
    warn_inapplicable,
    warn_units,
)
from dsv3calc.studies.traffic.exchanges import (
    LARGEST_IMBALANCE,
    asked,
    cite_formats,
    dispatch_format,
    format_of,
)

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.memory import MemoryQuery
    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.schema.setup import Setup, SetupMemory

DEFAULT_CONTEXT = 4096
_MILLION = 10**6
_OF_SERVERS = (
    "memory_fraction", "pool", "page_size", "graphs", "reserved", "prefill", "sampled_sequences",
    "logit_bits", "repacked",
)  # fmt: skip
"""Fields of a set-up's memory that only a server has."""


_USED = (
    *DEGREES, "sequence_parallel", "redundant_experts", "shared_experts", "vocabulary_parallel",
    "dense_feed_forward", "layer_split", "dcp",
)  # fmt: skip
"""Fields of a layout that serving depends on."""


class Asked(NamedTuple):
    """What a query asks for: presets, the layout, what is served, a prefill chunk, a share."""

    model: Preset[Model]
    hardware: Preset[Hardware]
    layout: Layout
    precision: Preset[Precision]
    kv_format: Preset[KVFormat]
    setup: Preset[Setup]
    serving: Serving
    chunk: int
    fraction: float | None


def asked_of(query: MemoryQuery, answer: Answer) -> Asked:
    """Read what a query asks for; sources and notes go to ``answer``.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    context = positive("--context", query.context, DEFAULT_CONTEXT)
    loader = PresetLoader(query)
    model, hardware, layout = _placed(query, loader, answer)
    batch = _batch(query, layout, answer)
    precision = loader.precision(named_by(query, layout, answer, "precision"), model)
    kv_format = loader.kv_format(query.kv_dtype, model.value)
    setup = loader.setup(query.setup)
    software = setup.value.memory
    hosted = experts_on_host(query, layout)
    answer.cite(model, unused=beside_layers(query.with_mtp))
    answer.cite(hardware, used=("memory", *(["host"] if hosted else [])))
    answer.cite(precision, used=("weights", "activations", "formats"))
    conventions = choose_conventions({"mtp": "in" if query.with_mtp else None})
    cite_kv_format(answer, kv_format, [model.value], conventions)
    answer.cite(setup, used=setup_used(layout, setup.value, *_OF_SERVERS))
    check_kv_format(model.name, model.value, kv_format, conventions)
    chunk = _prefill_tokens(software, hardware.value, decoding=decodes(query, layout))
    tokens = positive("--pass-tokens", query.tokens, max(batch, chunk))
    fraction = _share(query, software)
    page_size = positive("--page-size", query.page_size, software.page_size)
    exchange = _exchange(query, precision, answer)
    check_imbalance(model.value, layout, query.imbalance)
    loader.check_overrides()
    _check(query, model, hardware, answer)
    serving = Serving(
        precision=precision.value,
        kv_format=kv_format.value,
        software=software,
        blocks=setup.value.blocks,
        conventions=conventions,
        exchange=exchange,
        context=context,
        batch=batch,
        tokens=tokens,
        memory_share=None if fraction is None else _in_millionths(fraction),
        page_size=page_size,
        state_interval=interval_of(query.state_interval),
        absorbed=query.absorbed,
        low_latency=query.low_latency,
        mtp=query.with_mtp,
        imbalance=number("--imbalance", query.imbalance, 1, least=1, most=LARGEST_IMBALANCE),
        concurrency=query.concurrency,
        experts_on_host=hosted,
    )
    return Asked(model, hardware, layout, precision, kv_format, setup, serving, chunk, fraction)


def _placed(
    query: MemoryQuery, loader: PresetLoader, answer: Answer
) -> tuple[Preset[Model], Preset[Hardware], Layout]:
    """Read the model, the device and the layout, and check that they go together."""
    model = loader.model(query.model)
    hardware = loader.hardware(query.hardware)
    layout = chosen_layout(query, loader, answer, model.value, used=_USED, serving=True)
    check_grouping(
        model.value,
        layout,
        None,
        hint=loader.degree_hint,
        more=(
            *feed_forward_problems(model.value, layout),
            *decode_problems(model.value, layout),
            *stage_problems(model.value, layout, layout.pp),
        ),
    )
    return model, hardware, layout


def _check(
    query: MemoryQuery, model: Preset[Model], hardware: Preset[Hardware], answer: Answer
) -> None:
    """Refuse a device of unknown memory, and warn of options that change nothing of a model."""
    if hardware.value.memory.usable is None:
        raise UsageError(
            f"{hardware.name} does not say how many bytes a process can use",
            "--set hardware.memory.usable=79GiB",
        )
    warn_inapplicable(
        answer,
        model.name,
        model.value,
        with_mtp=query.with_mtp or None,
        state_interval=interval_of(query.state_interval),
    )


def _exchange(query: MemoryQuery, precision: Preset[Precision], answer: Answer) -> Exchange:
    """Read in which formats tokens go to their experts and back."""
    exchange = Exchange(
        dispatch=format_of("--dispatch", query.dispatch, dispatch_format(precision)),
        combine=format_of("--combine", query.combine, FORMATS["bf16"]),
    )
    if query.low_latency:
        cite_formats(answer, LOW_LATENCY)
    else:
        cite_formats(answer, exchange.dispatch, exchange.combine)
    return exchange


def answer_serving(query: MemoryQuery) -> Answer:
    """Count the memory of a GPU that serves a model.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    answer = Answer("memory", asked(query), "serving")
    answer.notes += query.notes
    read = asked_of(query, answer)
    model, layout, setup, serving = read.model, read.layout, read.setup, read.serving
    server = Server(model.value, layout, read.hardware.value, serving)
    found = serving_lines(server, layout.pp)
    answer.query |= {
        "context": serving.context,
        "batch": serving.batch,
        "tokens": serving.tokens,
        "precision": read.precision.name,
        "kv_dtype": read.kv_format.name,
        "memory_fraction": read.fraction,
        "page_size": serving.page_size,
        "setup": setup.name,
        "pool": serving.software.pool,
    }
    if query.tokens is None and read.chunk > serving.batch:
        tokens = serving.tokens
        answer.notes.append(f"a prefill pass of {tokens:,} tokens is counted, the set-up's chunk")
    _tell_weights(answer, server, setup)
    _remarks(answer, model.value, layout, query)
    of_host = []
    if serving.experts_on_host:
        of_host = host_lines(model.value, serving.precision, read.hardware.value)
    title = model.value.title
    answer.columns.append(Column(model.name, title, Ledger(title, [*found.lines, *of_host])))
    if query.require_fit and not (found.tightest["fits"].value and found.loadable.value):
        answer.status = ExitStatus.CHECK_FAILED
    return answer


def warn_of_lengths(answer: Answer) -> None:
    """Warn of a context, or of the longest one that fits, that the model was not made for."""
    preset = next(each for each in answer.presets if each.kind == "model")
    limit = preset.value.max_position_embeddings
    longest = answer.columns[0].ledger.named().get("serving.longest_context")
    context = answer.query["context"]
    warn_context(answer, preset.name, preset.value, context)
    if longest is not None and limit is not None and context <= limit < longest.value:
        answer.warn(
            f"{preset.name}: the longest context that fits is beyond its max_position_embeddings "
            f"{limit:,}"
        )


def replica_sequences(query: MemoryQuery | ServeQuery, layout: Layout) -> int:
    """Return the sequences of a replica that a query gives, as they are or of an instance.

    Raises
    ------
    UsageError
        If it gives both, or a number that is not positive.
    """
    if query.concurrency is None:
        return positive("--batch", query.batch, 1)
    if query.batch is not None:
        raise UsageError(
            "--batch and --concurrency: sequences of a replica, and of the whole instance",
            "leave one of them out",
        )
    concurrency = positive("--concurrency", query.concurrency, 1)
    return int(served_batches.fullest_part(concurrency, layout.dp))


def _batch(query: MemoryQuery, layout: Layout, answer: Answer) -> int:
    """Return the sequences of a replica, told where they follow from those of the instance."""
    batch = replica_sequences(query, layout)
    if query.concurrency is None:
        return batch
    concurrency = int(query.concurrency)
    del answer.query["concurrency"]  # batch says it, and a query with both cannot be asked again
    padding = batch * layout.dp - concurrency
    if padding:
        answer.notes.append(
            f"{concurrency:,} sequences on {layout.dp:,} replicas: each is padded to {batch:,}, of "
            f"{batch * layout.dp:,} in all"
        )
    return batch


def decodes(query: MemoryQuery, layout: Layout) -> bool:
    """Tell whether an instance only decodes, other instances having filled its cache."""
    return query.low_latency or layout.phase == "decode"


def _prefill_tokens(software: SetupMemory, hardware: Hardware, *, decoding: bool) -> int:
    """Return the tokens of a prefill pass on a device; 0 where the set-up states none."""
    marketed = hardware.memory.marketed
    chunks = [each.tokens for each in software.prefill if each.device_memory <= marketed]
    return chunks[-1] if chunks and not decoding else 0


def _share(query: MemoryQuery, software: SetupMemory) -> float | None:
    """Return the share that a server takes; None where its set-up states what it leaves."""
    stated = software.memory_fraction
    if query.memory_fraction is None and stated is None:
        return None
    return number("--memory-fraction", query.memory_fraction, stated or 1, most=1)


def _in_millionths(fraction: float) -> int:
    numerator, denominator = decimal_ratio(fraction)
    return numerator * _MILLION // denominator


def _tell_weights(answer: Answer, server: Server, setup: Preset[Setup]) -> None:
    """Say which weights a layout divides within blocks, and which the device widens."""
    blocks = setup.value.blocks
    found: dict[str, list[str]] = {}
    for each in server.undivided:
        add_new(found.setdefault(blocks.policy(each.key), []), [each.words])
    engine = f"{setup.name} {blocks.release}" if blocks.release else setup.name
    if "refuse" in found:
        words = f"cannot be loaded: {'; '.join(found['refuse'])} (set-up {engine})"
        answer.causes.append(words)
        answer.warn(words)
        answer.notes.append("--set setup.blocks.undivided=pad counts parts padded to whole blocks")
    if "pad" in found:
        answer.notes.append(f"padded to whole blocks: {'; '.join(found['pad'])} (set-up {engine})")
    if "load" in found:
        answer.notes.append(f"loaded as parts: {'; '.join(found['load'])} (set-up {engine})")
    warn_units(answer, server.serving.precision, server.hardware)


def _remarks(answer: Answer, model: Model, layout: Layout, query: MemoryQuery) -> None:
    """Tell what the numbers take for granted."""
    latent = any(view.attention.forms for view in architecture_of(model).groups)
    if layout.dcp > 1:
        answer.notes.append(
            f"decode context parallelism: {layout.dcp:,} TP GPUs share the tokens of a cache"
        )
    elif latent and layout.tp > 1:
        answer.notes.append(
            f"the MLA latent is replicated on all {layout.tp} TP GPUs: TP adds no KV capacity"
        )
    adds = "" if layout.dcp > 1 else ", so this TP adds no KV capacity"
    answer.notes += [f"{words} GPUs{adds}" for words in replicated_heads(model, layout)]
    warn_of_serving(answer, query, model, layout)
    if model.mtp is not None and not query.with_mtp:
        answer.notes.append("MTP modules are left out: --with-mtp counts them")
    if layout.dp > 1:
        answer.notes.append(
            f"{layout.dp:,} attention (DP) replicas: batch and cache are per replica"
        )
    answer.assumptions.append(
        "activations of a pass: those of one layer, none freed within it (an upper bound)"
    )
