"""Answer ``traffic``: what the experts of a layout send over which link, and how long it takes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.exchange import FORWARDING, Exchange
from dsv3calc.accounting.routing import GROUP_SCORES, LAWS, POLICIES
from dsv3calc.accounting.traffic import expert_lines, expert_views
from dsv3calc.accounting.transfer_formats import FORMATS
from dsv3calc.ledger import Ledger, total
from dsv3calc.schema.workload import DEFAULT_SEQUENCE
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.designs import Desk, positive, warn_inapplicable
from dsv3calc.studies.exchanges import (
    LARGEST_IMBALANCE,
    LARGEST_METADATA,
    LONGEST_TIME,
    asked,
    cite_formats,
    format_of,
    imbalance_text,
    latency_of,
    model_dispatch,
    number,
    one_of,
)
from dsv3calc.studies.layout_checks import feed_forward_problems
from dsv3calc.studies.layout_choice import chosen_layout, named_by, sequence_of
from dsv3calc.studies.layouts import DEGREES, check_grouping, refuse
from dsv3calc.studies.step_collectives import step_collectives
from dsv3calc.studies.traffic_warnings import warn_of_traffic

if TYPE_CHECKING:
    from dsv3calc.ledger import Line
    from dsv3calc.presets import Preset
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.queries_traffic import TrafficQuery


_USED = (
    *DEGREES, "sequence", "precision", "virtual_pipeline", "zero", "schedule", "micro_batch",
    "global_batch", "redundant_experts", "shared_experts", "context_parallel_method",
    "vocabulary_parallel", "rank_order",
)  # fmt: skip
"""Fields of a layout that traffic depends on."""


def answer_traffic(query: TrafficQuery) -> Answer:
    """Count the traffic of a model's experts on a layout.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    tokens = None if query.tokens is None else positive("--tokens", query.tokens, 1)
    beside = (
        None
        if query.compute_time is None
        else number("--compute-time", query.compute_time, 0, most=LONGEST_TIME)
    )
    answer = Answer("traffic", asked(query))
    answer.notes += query.notes
    desk = Desk(query)
    model = desk.model(query.model)
    hardware = desk.hardware(query.hardware)
    answer.cite(model)
    answer.cite(hardware, used=("scale_up", "scale_out"))
    layout = chosen_layout(query, desk, answer, used=_USED)
    sequence = sequence_of(query, layout, answer, DEFAULT_SEQUENCE["train"])
    check_grouping(model.value, layout, None if query.tokens is not None else sequence)
    refuse([*feed_forward_problems(model.value, layout)])
    exchange = _exchange(query, desk, answer, model, layout)
    desk.check_overrides()
    warn_inapplicable(answer, model.name, model.value, with_mtp=query.with_mtp or None)
    warn_of_traffic(answer, query, model.value, layout)
    answer.query |= {
        "forwarding": exchange.forwarding,
        "policy": exchange.policy,
        "law": exchange.law,
        "group_score": exchange.group_score,
        "imbalance": exchange.imbalance,
    }
    if tokens is None:
        answer.query["sequence"] = sequence
    lines: list[Line] = []
    if expert_views(model.value):
        lines, taken = expert_lines(
            model.value,
            layout,
            hardware.value,
            exchange,
            sequence=sequence,
            tokens=tokens,
            compute_seconds=beside,
            with_mtp=query.with_mtp,
        )
        add_new(answer.assumptions, taken)
        _remarks(answer, layout, exchange, training=layout.global_batch is not None)
    else:
        answer.warn(f"{model.name} has no routed experts: no expert traffic")
        lines = [total("traffic.step.scale_out_bytes", (), unit="B")]
    lines += step_collectives(query, answer, model, layout, hardware, exchange, sequence)
    answer.columns.append(Column(model.name, model.value.title, Ledger(model.value.title, lines)))
    return answer


def _exchange(
    query: TrafficQuery, desk: Desk, answer: Answer, model: Preset[Model], layout: Layout
) -> Exchange:
    named = query.precision
    if query.dispatch is None:  # else no precision is needed
        named = named_by(query, layout, answer, "precision")
    dispatch = model_dispatch(desk, answer, model, named, query.dispatch)
    combine = format_of("--combine", query.combine, FORMATS["bf16"])
    formats = {
        "dispatch": dispatch,
        "combine": combine,
        "backward_dispatch": format_of("--backward-dispatch", query.backward_dispatch, dispatch),
        "backward_combine": format_of(
            "--backward-combine", query.backward_combine, FORMATS["bf16"]
        ),
    }
    cite_formats(answer, *formats.values())
    if query.no_scales:
        formats = {name: form.without_scales() for name, form in formats.items()}
        answer.notes.append("scales are not counted")
    return Exchange(
        **formats,
        forwarding=one_of("--forwarding", query.forwarding, FORWARDING, "node-limited"),
        policy=one_of("--policy", query.policy, ("model", *POLICIES), "model"),
        law=one_of("--law", query.law, LAWS, "uniform"),
        group_score=one_of("--group-score", query.group_score, ("model", *GROUP_SCORES), "model"),
        metadata_bytes=number("--metadata", query.metadata, 0, most=LARGEST_METADATA),
        imbalance=number("--imbalance", query.imbalance, 1, least=1, most=LARGEST_IMBALANCE),
        scale_out_latency=latency_of(desk, answer, query.network, query.latency),
        scale_up_latency=number("--scale-up-latency", query.scale_up_latency, 0, most=LONGEST_TIME),
    )


def _remarks(answer: Answer, layout: Layout, exchange: Exchange, *, training: bool) -> None:
    if not exchange.metadata_bytes:
        answer.assumptions.append(
            "no metadata per copy; DeepEP's low-latency dispatch sends 16 bytes (--metadata)"
        )
    else:
        answer.notes.append(
            f"{exchange.metadata_bytes:,} bytes of metadata per dispatched copy, forward only"
        )
    if layout.ep > 1:
        answer.assumptions.append("destinations are uniform over the GPUs of the group")
        answer.assumptions.append(
            imbalance_text(exchange.imbalance, "the busiest GPU has {} times the mean traffic")
        )
    if layout.tp > 1 and not layout.sequence_parallel:
        answer.assumptions.append(
            "each token is dispatched by one of the tp GPUs that hold it, as with sequence "
            "parallelism"
        )
    if layout.shared_experts == "routed":
        answer.assumptions.append(
            "replicas of the shared experts are spread evenly over the GPUs of the group"
        )
    if training:
        answer.assumptions.append(
            "backward: output gradients are dispatched as "
            f"{exchange.backward_dispatch.title}; input gradients are combined as "
            f"{exchange.backward_combine.title} (arXiv:2412.19437 section 3.3.3 for FP8 and BF16)"
        )
        if layout.pp > 1:
            answer.assumptions.append("MoE layers per stage: the mean over the pipeline stages")
    else:
        answer.notes.append(
            "no training step: the layout has no global_batch; only forward passes are counted"
        )
