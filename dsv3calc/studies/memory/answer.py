"""Answer ``memory``: what a GPU of a layout holds, by pipeline rank and class."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.all_ranks import memory_lines
from dsv3calc.accounting.memory.footprint import Footprint
from dsv3calc.accounting.memory.ranks import PARTS
from dsv3calc.accounting.placement.schedules import replica_micro_batches
from dsv3calc.errors import UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.ledger.line import Ledger
from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.workload import DEFAULT_SEQUENCE
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.checked import positive
from dsv3calc.studies.layout.build import check_grouping, refuse, training_problems
from dsv3calc.studies.layout.check import feed_forward_problems
from dsv3calc.studies.layout.choose import (
    SERVING_PHASES,
    chosen_layout,
    phase_of,
    sequence_of,
    serving_note,
)
from dsv3calc.studies.layout.placed import Placed
from dsv3calc.studies.memory.inputs import Inputs, library_of
from dsv3calc.studies.memory.options import (
    check_views,
    replicated_heads,
    typed,
    warn_of_training,
)
from dsv3calc.studies.preset_loader import (
    PresetLoader,
    beside_layers,
    warn_context,
    warn_inapplicable,
    warn_units,
)
from dsv3calc.studies.traffic.exchanges import asked

if TYPE_CHECKING:
    from dsv3calc.queries.memory import MemoryQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.layout.fewest_gpus import SearchRequest

BY = ("class", "tensor", "rank")
_SERVING = ("context", "batch", "concurrency", "tokens", "kv_dtype", "memory_fraction", "page_size",
            "state_interval", "absorbed", "low_latency", "dcp", "offload")  # fmt: skip
_TRAINING = ("zero", "schedule", "virtual_pipeline", "mirror_optimizer", "micro_batch",
             "global_batch", "sequence", "recipe", "compute_copy", "recompute", "attention_kernel",
             "routing_weights", "dropout", "padded", "fewest_gpus", "library", "rank")  # fmt: skip


def answer_memory(query: MemoryQuery) -> Answer:
    """Count the memory of a GPU of a layout, in training or serving.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    Infeasible
        If ``--fewest-gpus`` finds no number of GPUs at which it fits.
    """
    query, phase = _as_layout_says(query)
    misplaced = _TRAINING if query.serve else _SERVING
    found = [
        name
        for name in misplaced
        if (value := getattr(query, name)) is not None and value is not False
    ]
    if query.serve and query.by != "class":
        found.append("by")
    if found:
        raise UsageError(
            f"{', '.join(map(typed, found))}: "
            + ("not with --serve" if query.serve else "only with --serve")
            + (f", and the layout is for {phase}" if phase else ""),
            "dsv3calc serve --fewest-gpus searches serving layouts"
            if "fewest_gpus" in found
            else "leave it out, or --set layout.phase=train"
            if phase
            else "dsv3calc memory --help tells which options are for training or for serving",
        )
    if query.by not in BY:
        raise UsageError(f"--by {quote(query.by)}: choose one of {', '.join(BY)}")
    if query.serve:
        from dsv3calc.studies.memory.serving import answer_serving, warn_of_lengths

        answer = answer_serving(query)
        warn_of_lengths(answer)
        return answer
    return _answer_training(query)


def _as_layout_says(query: MemoryQuery) -> tuple[MemoryQuery, str]:
    """Return the query, made to serve where its layout is for serving, and for which phase."""
    phase = None if query.serve else phase_of(query, PresetLoader(query))
    if phase not in SERVING_PHASES:
        return query, ""
    notes = (*query.notes, serving_note(phase))
    return msgspec.structs.replace(query, serve=True, notes=notes), SERVING_PHASES[phase]


def _rank_rows(ledger: Ledger, query: MemoryQuery) -> list[dict[str, Any]]:
    """List the pipeline ranks with their bytes by class, where rows of them are asked for."""
    if query.by != "rank":
        return []
    named = ledger.named()
    usable = named.get("memory.usable")
    rows = []
    number = 0
    while f"memory.rank.{number}.total" in named:
        row = {part: named[f"memory.rank.{number}.{part}"].value for part in PARTS}
        free = None if usable is None else usable.value - row["total"]
        rows.append({"rank": number} | row | {"free": free})
        number += 1
    return rows


def _answer_training(query: MemoryQuery) -> Answer:
    library = library_of(query)
    check_views(query)
    as_typed = query
    if library is not None and "shared_experts" in library.fixes:
        query = msgspec.structs.replace(query, shared_experts=library.fixes["shared_experts"])
    answer = Answer("memory", asked(query))
    answer.view = "memory-tensor" if query.by == "tensor" else "memory"
    answer.notes += query.notes
    loader = PresetLoader(query)
    model = loader.model(query.model)
    hardware = loader.hardware(query.hardware)
    answer.cite(model, unused=beside_layers(query.with_mtp))
    answer.cite(hardware, used=("memory",))
    layout, sequence, wanted = _asked_layout(query, loader, model.value, answer)
    if hardware.value.memory.usable is None and (query.require_fit or query.fewest_gpus):
        raise UsageError(
            f"{hardware.name} does not say how many bytes a process can use",
            "--set hardware.memory.usable=79GiB",
        )
    inputs = Inputs(query, loader, answer, model, layout, hardware.value)
    loader.check_overrides()
    if wanted is not None:
        layout = wanted.find(answer, inputs.training, hardware.value)
        answer.placed = Placed(model.value, layout, serving=False)
    warn_inapplicable(answer, model.name, model.value, with_mtp=query.with_mtp or None)
    warn_context(answer, model.name, model.value, sequence)
    warn_of_training(
        answer, as_typed, model.value, layout, inputs.precision.value, inputs.recipe.value
    )
    warn_units(answer, inputs.precision.value, hardware.value, trains=True)
    _remarks(answer, model.value, layout, query.layer_split, with_mtp=query.with_mtp)
    if query.rank is not None:
        answer.query["rank"] = positive("--rank", query.rank, 0, least=0, most=layout.pp - 1)
    footprint = Footprint(
        model.value,
        layout,
        inputs.training,
        sequence=sequence,
        micro_batches=replica_micro_batches(layout),
        mtp=query.with_mtp,
    )
    answer.query |= {
        "sequence": sequence,
        "micro_batch": layout.micro_batch,
        "micro_batches": footprint.micro_batches.value,
    }
    found = memory_lines(footprint, hardware.value)
    lines, worst = found.lines, found.worst
    if library is not None and library.beside:
        from dsv3calc.accounting.memory.megatron import megatron_lines, reasons

        beside = megatron_lines(footprint, inputs.training, worst)
        lines += beside
        answer.view = "memory-megatron"
        answer.notes += reasons(footprint, inputs.training, beside)
    if wanted is not None:
        lines += wanted.lines(footprint, inputs.training, worst)
    answer.columns.append(Column(model.name, model.value.title, Ledger(model.value.title, lines)))
    answer.rows = _rank_rows(answer.columns[0].ledger, query)
    if worst.fits is None:
        answer.warn(f"{hardware.name}: usable memory is unknown, so whether it fits is not shown")
    elif not worst.fits.value:
        answer.notes.append("this is a training step: --serve counts an inference server")
        if query.require_fit:
            answer.status = ExitStatus.CHECK_FAILED
    return answer


def _asked_layout(
    query: MemoryQuery, loader: PresetLoader, model: Model, answer: Answer
) -> tuple[Layout, int, SearchRequest | None]:
    """Return the layout of a query, its sequence, and what is to be found of it."""
    if query.fewest_gpus:
        from dsv3calc.studies.layout.fewest_gpus import SearchRequest

        wanted = SearchRequest(query, loader, answer, model)
        sequence = sequence_of(query, wanted.layout, answer, DEFAULT_SEQUENCE["train"])
        wanted.check(sequence)
        return wanted.layout, sequence, wanted
    layout = chosen_layout(query, loader, answer, model)
    sequence = sequence_of(query, layout, answer, DEFAULT_SEQUENCE["train"])
    _check(model, layout, sequence, answer, loader)
    return layout, sequence, None


def _check(
    model: Model, layout: Layout, sequence: int, answer: Answer, loader: PresetLoader
) -> None:
    """Refuse a layout into which the model does not divide, or whose schedule does not run."""
    check_grouping(
        model,
        layout,
        sequence,
        hint=loader.degree_hint,
        more=feed_forward_problems(model, layout),
    )
    micro_batches = micro_batches_of(layout, answer)
    refuse([*training_problems(model, layout, micro_batches)])


def micro_batches_of(layout: Layout, answer: Answer) -> int:
    """Return the micro-batches of a replica: of the layout's step, or enough to fill the pipeline.

    Raises
    ------
    UsageError
        If the schedule keeps all of them, and their number is not known.
    """
    micro_batches = int(replica_micro_batches(layout).value)
    if layout.global_batch is not None:
        return micro_batches
    if layout.schedule == "gpipe":
        raise UsageError(
            "GPipe keeps every micro-batch of a step, and the layout has no global_batch",
            "give --global-batch, in sequences",
        )
    if layout.pp > 1:
        answer.assumptions.append(
            f"a step has at least {micro_batches} micro-batches, enough to fill the pipeline "
            "(no --global-batch)"
        )
    elif layout.schedule != "1f1b":  # which holds one whatever their number
        answer.assumptions.append("a step has at least 2 micro-batches (no --global-batch)")
    return micro_batches


def _remarks(
    answer: Answer, model: Model, layout: Layout, split: str | None, *, with_mtp: bool
) -> None:
    """Tell what the numbers take for granted."""
    if model.mtp is not None and not with_mtp:
        answer.notes.append("MTP modules are left out: --with-mtp counts them")
    answer.notes += [f"{words} GPUs" for words in replicated_heads(model, layout)]
    unsaid = layout.layer_split == "even" and "layer_split" not in layout.provenance
    if layout.pp > 1 and unsaid and split is None:
        answer.assumptions.append("layers are split over the stages as evenly as possible")
    if layout.schedule == "dualpipe":
        answer.notes.append(
            "DualPipe: rank r holds stages r and pp-1-r; embedding and head share a rank"
        )
