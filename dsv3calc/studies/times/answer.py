"""Answer ``time``: how long a pass takes on a GPU of a layout, operator by operator."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.times.fold import Fold, time_lines
from dsv3calc.accounting.times.setting import Setting
from dsv3calc.accounting.traffic.exchange import Exchange
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.ledger.line import Ledger
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.checked import number, one_of
from dsv3calc.studies.kv_formats import cite_kv_format
from dsv3calc.studies.layout.build import DEGREES, check_grouping, stage_problems
from dsv3calc.studies.layout.check import feed_forward_problems
from dsv3calc.studies.layout.choose import SERVING_PHASES, chosen_layout, named_by, phase_of
from dsv3calc.studies.memory.options import check_imbalance
from dsv3calc.studies.preset_loader import (
    PresetLoader,
    check_kv_format,
    warn_context,
    warn_inapplicable,
    workload_of,
)
from dsv3calc.studies.setups import SERVING, TRAINING, refuse_other
from dsv3calc.studies.times.fit import tell_fit
from dsv3calc.studies.times.remarks import remarks, setup_remarks, warn_idle_overlaps
from dsv3calc.studies.traffic.exchanges import (
    LARGEST_IMBALANCE,
    asked,
    cite_formats,
    dispatch_format,
    format_of,
)

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.layout import LayoutQuery
    from dsv3calc.queries.time import TimeQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.precision import Precision
    from dsv3calc.schema.workload import Workload

BY = ("operator", "layer", "component")
"""What the table of an answer has a row for."""

DEFAULT_PHASE = "decode"
LARGEST_OVERSUBSCRIPTION = 1000
_USED = (
    *DEGREES, "sequence_parallel", "micro_batch", "redundant_experts", "shared_experts",
    "vocabulary_parallel", "dense_feed_forward", "context_parallel_method", "rank_order",
    "sequence", "precision", "recipe", "zero",
)  # fmt: skip
"""Fields of a layout that a pass depends on."""


def answer_time(query: TimeQuery) -> Answer:
    """Give the time of a pass, and say whether memory holds what it runs on.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    answer = pass_answer(query)
    answer.remarks.append(partial(tell_fit, answer, query))
    return answer


def pass_answer(query: TimeQuery) -> Answer:
    """Give the time of a pass.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    one_of("--by", query.by, BY, "operator")
    answer = Answer("time", asked(query))
    answer.notes += query.notes
    loader = PresetLoader(query)
    model = loader.model(query.model)
    hardware = loader.hardware(query.hardware)
    phase = query.phase or phase_of(query, loader) or DEFAULT_PHASE
    layout = chosen_layout(
        query, loader, answer, model.value, used=_USED, serving=phase in SERVING_PHASES
    )
    # a pass knows no schedule: each pipeline rank has one stage
    layout = msgspec.structs.replace(layout, schedule="1f1b", virtual_pipeline=1)
    workload = _workload(query, layout, phase)
    precision = loader.precision(named_by(query, layout, answer, "precision"), model)
    kv_format = loader.kv_format(query.kv_dtype, model.value)
    achieved = loader.achieved()
    like = loader.like(hardware)
    setup = None if query.setup is None else loader.setup(query.setup)
    refuse_other(setup, TRAINING if phase == "train" else SERVING, query.preset_path)
    recipe = None
    if phase == "train":
        named = named_by(query, layout, answer, "recipe")
        recipe = loader.recipe(named or precision.value.recipe)
    conventions = choose_conventions({"mla": query.mla, "mtp": "in" if query.with_mtp else None})
    check_grouping(
        model.value,
        layout,
        None if phase == "decode" else workload.sequence,
        hint=loader.degree_hint,
        more=(
            *feed_forward_problems(model.value, layout),
            *stage_problems(model.value, layout, layout.pp),
        ),
    )
    check_kv_format(model.name, model.value, kv_format, conventions)
    check_imbalance(model.value, layout, query.imbalance)
    setting = Setting(
        model=model.value,
        layout=layout,
        workload=workload,
        conventions=conventions,
        hardware=hardware.value,
        precision=precision.value,
        kv_format=kv_format.value,
        exchange=exchange_of(query, answer, precision, layout, phase),
        setup=None if setup is None else setup.value,
        recipe=None if recipe is None else recipe.value,
        achieved=achieved.value.achieved,
        like=None if like is None else like.value,
        oversubscription=number(
            "--oversubscription", query.oversubscription, 1, least=1, most=LARGEST_OVERSUBSCRIPTION
        ),
        imbalance=number("--imbalance", query.imbalance, 1, least=1, most=LARGEST_IMBALANCE),
        in_network=query.in_network,
    )
    loader.check_overrides()
    answer.cite(model)
    answer.cite(hardware, used=("peaks", "memory.bandwidth", "scale_up", "scale_out", "achieved"))
    answer.cite(precision)
    answer.cite(recipe)
    answer.cite(setup, used=("time",))
    if phase != "train":
        cite_kv_format(answer, kv_format, [model.value], conventions)
    fold = Fold(setting)
    lines = time_lines(fold)
    answer.query |= {
        "phase": phase,
        "batch": workload.batch,
        "sequence": workload.sequence,
        "context": workload.past,
        "precision": precision.name,
        "kv_dtype": kv_format.name,
        "hardware": hardware.name,
        "by": query.by,
    }
    if phase == "train":
        del answer.query["context"]
    warn_inapplicable(
        answer,
        model.name,
        model.value,
        mla=query.mla,
        with_mtp=query.with_mtp or None,
        last_logit=query.last_logit and workload.sequence == 1,
    )
    warn_context(
        answer,
        model.name,
        model.value,
        workload.past + workload.sequence,
        cached=workload.past,
    )
    remarks(answer, fold)
    warn_idle_overlaps(answer, fold, loader)
    setup_remarks(answer, fold, lines.floor, lines.estimate)
    ledger = Ledger(model.value.title, lines.lines)
    answer.columns.append(Column(model.name, model.value.title, ledger))
    return answer


def _workload(query: TimeQuery, layout: Layout, phase: str) -> Workload:
    batch, sequence = query.batch, query.sequence
    if phase == "train" and batch is None:
        batch = layout.micro_batch
    if phase != "decode" and sequence is None:
        sequence = layout.sequence
    return workload_of(phase, batch, sequence, query.context, last_logit=query.last_logit)


def exchange_of(
    query: LayoutQuery, answer: Answer, precision: Preset[Precision], layout: Layout, phase: str
) -> Exchange:
    """Return how tokens are sent: in decode a copy for each expert, as low-latency kernels do."""
    dispatch = format_of("--dispatch", query.dispatch, dispatch_format(precision))
    combine = format_of("--combine", query.combine, FORMATS["bf16"])
    if layout.ep != 1:
        cite_formats(answer, dispatch, combine)
    return Exchange(
        dispatch=dispatch,
        combine=combine,
        backward_dispatch=dispatch,
        backward_combine=combine,
        forwarding="per-expert" if phase == "decode" else "node-limited",
        imbalance=1,
    )
