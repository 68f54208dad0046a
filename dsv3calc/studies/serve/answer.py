"""Answer ``serve``: how fast a server decodes, and how many sequences it holds."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.preset_loader import warn_context
from dsv3calc.studies.serve import slo
from dsv3calc.studies.serve.answers import check_rollout, response_lines
from dsv3calc.studies.serve.curve import curve
from dsv3calc.studies.serve.server import Server
from dsv3calc.studies.times.remarks import remarks, warn_idle_overlaps
from dsv3calc.studies.traffic.exchanges import asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.studies.serve.server import Served

MEAN = (
    "a time per output token is (end to end - first token) / (output - 1) in steady state: a "
    "mean; percentiles would need an arrival process"
)


def answer_serve(query: ServeQuery) -> Answer:
    """Give the time per output token of a server, its rates, and what fits.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    Infeasible
        If no batch meets the limits that are asked for.
    """
    if query.fewest_gpus:
        from dsv3calc.studies.serve.fewest_gpus import answer_fewest

        return answer_fewest(query, answer_serve)
    answer = Answer("serve", asked(query), "serve-curve" if query.curve else "serve")
    answer.notes += query.notes
    if query.curve and query.slo:
        raise UsageError("--curve and --slo: a curve has every batch", "leave one of them out")
    objectives = slo.objectives_of(query) if query.slo else []
    check_rollout(query)
    server = Server(query, answer)
    if query.curve:
        each = curve(server, answer)
        _tell(answer, server, each[-1])
        _tell_limit(answer, each)
    elif objectives:
        found = slo.largest_batch(server, objectives)
        answer.notes.insert(0, found.words(server))
        answer.query |= {"limited_by": found.limited_by}
        served = server.at(found.batch, answer)
        _show(answer, server, served, slo.batch_line(found, objectives, served.lines))
    else:
        served = server.at(server.asked_batch(), answer)
        _show(answer, server, served)
    server.inputs.loader.check_overrides()
    return answer


def _show(answer: Answer, server: Server, served: Served, *more: Line) -> None:
    """Put the lines of one batch into an answer, and say what they take for granted."""
    inputs = server.inputs
    if not served.fits:
        answer.warnings.insert(0, _too_much(server, served))
    _tell(answer, server, served)
    more = (*more, *response_lines(server, served, answer).values())
    title = inputs.model.value.title
    ledger = Ledger(title, [*served.lines.values(), *more])
    answer.columns.append(Column(inputs.model.name, title, ledger))


def _too_much(server: Server, served: Served) -> str:
    """Say that a batch does not fit, and what does."""
    inputs, most = server.inputs, served.most
    those = "a sequence" if served.batch == 1 else f"{served.batch:,} sequences"
    words = f"{those} of {inputs.context:,} tokens on {inputs.hardware.name}: "
    named = served.held.columns[0].ledger.named()
    if most:
        return f"does not fit: {words}{most:,} do"
    longest = named.get("serving.longest_context")
    if longest is not None and longest.value:
        return f"does not fit: {words}one has {longest.value:,} at most"
    short = format_quantity(-named["serving.free"].value, "B")
    return f"does not fit: {words}weights and buffers leave no room, {short} are missing"


def _tell(answer: Answer, server: Server, served: Served) -> None:
    """Tell what the numbers take for granted."""
    inputs, fold = server.inputs, served.fold
    answer.query |= {
        "phase": "decode",
        "batch": served.batch,
        "context": inputs.context,
        "precision": inputs.precision.name,
        "kv_dtype": inputs.kv_format.name,
        "hardware": inputs.hardware.name,
    }
    if inputs.hardware.value.dollars_per_hour is None:
        answer.notes.append(
            f"no prices: {inputs.hardware.name} has no dollars_per_hour "
            "(--set hardware.dollars_per_hour=2)"
        )
    add_new(answer.assumptions, served.held.assumptions)
    for text in served.held.warnings:
        answer.warn(text)
    remarks(answer, fold, staged=True)
    warn_idle_overlaps(answer, fold, inputs.loader)
    if inputs.layout.pp > 1:
        answer.notes.append(
            f"{inputs.layout.pp:,} pipeline stages: each works on another part of the batch, and a "
            "token takes the longer of a part's way through all stages and all parts on the "
            "slowest one; sends between stages have no latency"
        )
    answer.notes.append(MEAN)
    if inputs.hosted:
        answer.assumptions.append(
            "the CPUs of the host compute the routed experts while the device waits"
        )
        if "serve.tpot.estimate" in served.lines:
            answer.notes.append(
                "the estimate uses measurements of one host, to which the preset of "
                f"{inputs.hardware.name} was fitted to"
            )
        elif inputs.hardware.value.host and inputs.hardware.value.host.experts:
            answer.notes.append("no estimate: the fit is for a single sequence")
    if inputs.setup is None:
        answer.assumptions.append(
            "memory overheads of software: those of pytorch, as --setup is not given"
        )
    _tell_launches(answer, server, served)
    if inputs.layout.dp > 1:
        answer.notes.append(
            f"{inputs.layout.dp:,} attention (DP) replicas: batch and times are those of each"
        )
    if inputs.speculation is not None:
        answer.notes.append(
            f"speculation: each step verifies {inputs.new_tokens:,} tokens of a sequence, and an "
            "MTP module passes once for each drafted one; what host and sampler add is not counted"
        )
    cached, new = inputs.context, fold.setting.workload.sequence
    warn_context(answer, inputs.model.name, inputs.model.value, cached + new, cached=cached)


def _tell_launches(answer: Answer, server: Server, served: Served) -> None:
    """Say why an estimate is below its floor: a set-up launches kernels in less time."""
    estimate = served.lines.get("serve.tpot.estimate")
    if estimate is None or estimate.value >= served.lines["serve.tpot.floor"].value:
        return
    software, setup = served.fold.software, server.inputs.setup
    if software is None or setup is None:
        return  # fitted to a host
    factor = software.times.launch_factor
    answer.notes.append(
        f"the estimate is below the floor: {setup.name} hides launches of kernels, its "
        f"launch_factor of {factor:g} multiplies each, while the floor adds them up"
    )


def _tell_limit(answer: Answer, found: Sequence[Served]) -> None:
    """Say where the memory ends on a curve."""
    most = found[0].most
    answer.query |= {"batch": found[-1].batch}
    if not most:
        answer.warnings.insert(0, "does not fit: not one sequence fits in memory")
    else:
        answer.notes.insert(0, f"memory holds {most:,} sequences of a replica")
