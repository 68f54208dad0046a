"""Answer ``serve``: how fast a server decodes, and how many sequences it holds."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.serving.decode import decode_lines
from dsv3calc.accounting.times.fold import Fold
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger
from dsv3calc.schema.workload import Workload
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.preset_loader import warn_context
from dsv3calc.studies.serve.inputs import Inputs
from dsv3calc.studies.serve.memory import memory_answer, memory_lines
from dsv3calc.studies.serve.prefill import Requests, prefill_layout, prefill_of, shared_lines
from dsv3calc.studies.times.remarks import remarks
from dsv3calc.studies.traffic.exchanges import asked

if TYPE_CHECKING:
    from dsv3calc.accounting.serving.decode import DecodeLines
    from dsv3calc.queries.serve import ServeQuery


def answer_serve(query: ServeQuery) -> Answer:
    """Give the time per output token of a server, its rates, and what fits.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    answer = Answer("serve", asked(query))
    answer.notes += query.notes
    inputs = Inputs(query, answer)
    inputs.cite()
    fold, decoded = _decode(inputs)
    requests = Requests(inputs)
    layout = prefill_layout(inputs)
    prefilled = None if layout is None else prefill_of(inputs, layout, requests)
    if prefilled is None:
        answer.notes.append(
            f"the layout {inputs.layout.name} is for decoding: --prefill-layout names that of the "
            "GPUs that prefill"
        )
    held = memory_answer(query, inputs.batch, inputs.context, mtp=inputs.speculation is not None)
    inputs.loader.check_overrides()
    add_new(answer.assumptions, held.assumptions)
    for text in held.warnings:
        answer.warn(text)
    _tell(answer, inputs, fold)
    fitting = memory_lines(held)
    if "fits" in fitting and not fitting["fits"].value:
        most = fitting["max_batch"].value if "max_batch" in fitting else 0
        answer.warn(
            f"{inputs.batch:,} sequences of {inputs.context:,} tokens do not fit on "
            f"{inputs.hardware.name}: {most:,} do"
        )
    lines = [*decoded.lines, *fitting.values()]
    lines += [] if prefilled is None else prefilled.lines
    lines += shared_lines(inputs, decoded, prefilled, requests)
    title = inputs.model.value.title
    answer.columns.append(Column(inputs.model.name, title, Ledger(title, lines)))
    return answer


def _decode(inputs: Inputs) -> tuple[Fold, DecodeLines]:
    """Time a decode step."""
    workload = Workload(
        phase="decode", batch=inputs.batch, sequence=inputs.new_tokens, past=inputs.context
    )
    setting = inputs.setting(workload, inputs.layout, inputs.answer)
    fold = Fold(setting)
    halves = inputs.batch > 1
    takes_turns = fold.software is not None and fold.software.times.overlap.two_batch
    if takes_turns and not (halves and fold.sendings()):
        what = "sends nothing" if halves else "decodes a batch of 1"
        assert inputs.setup is not None  # noqa: S101 - it has the software
        raise UsageError(
            f"the set-up {inputs.setup.name} lets two half batches take turns at computing and "
            f"sending, and the layout {what}",
            "--set setup.time.overlap.two_batch=false, or another --batch or layout",
        )
    return fold, decode_lines(fold, inputs.speculation, halves=halves)


def _tell(answer: Answer, inputs: Inputs, fold: Fold) -> None:
    """Tell what the numbers take for granted."""
    workload = fold.setting.workload
    answer.query |= {
        "phase": "decode",
        "batch": inputs.batch,
        "context": inputs.context,
        "precision": inputs.precision.name,
        "kv_dtype": inputs.kv_format.name,
        "hardware": inputs.hardware.name,
    }
    remarks(answer, fold)
    if inputs.setup is None:
        answer.assumptions.append("memory that software takes: as of pytorch, without --setup")
    if inputs.layout.dp > 1:
        answer.notes.append(
            f"{inputs.layout.dp:,} attention (DP) replicas: batch and times are those of each"
        )
    if inputs.speculation is not None:
        answer.notes.append(
            f"speculation: each step verifies {inputs.new_tokens:,} tokens of a sequence, and an "
            "MTP module passes once for each drafted one; what host and sampler add is not counted"
        )
    cached, new = inputs.context, workload.sequence
    warn_context(answer, inputs.model.name, inputs.model.value, cached + new, cached=cached)
