"""Answer ``traffic``: what the experts of a layout send over which link, and how long it takes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.placement.schedules import virtual_stages
from dsv3calc.accounting.routing.destinations import GROUP_SCORES, LAWS, POLICIES
from dsv3calc.accounting.traffic.exchange import FORWARDING, Exchange
from dsv3calc.accounting.traffic.experts import expert_lines, expert_views
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger, total
from dsv3calc.schema.workload import DEFAULT_SEQUENCE
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.checked import number, one_of, positive
from dsv3calc.studies.layout.build import (
    DEGREES,
    check_grouping,
    placement_problems,
    stage_problems,
)
from dsv3calc.studies.layout.check import feed_forward_problems
from dsv3calc.studies.layout.choose import (
    SERVING_PHASES,
    chosen_layout,
    named_by,
    phase_of,
    sequence_of,
    serving_note,
)
from dsv3calc.studies.preset_loader import PresetLoader, warn_inapplicable
from dsv3calc.studies.traffic.exchanges import (
    DEFAULT_TOKENS,
    LARGEST_IMBALANCE,
    LARGEST_METADATA,
    LONGEST_TIME,
    asked,
    cite_formats,
    format_of,
    latency_of,
    model_dispatch,
    tell_imbalance,
)
from dsv3calc.studies.traffic.inputs import TrafficInputs
from dsv3calc.studies.traffic.step_collectives import step_collectives
from dsv3calc.studies.traffic.warnings import warn_of_setup, warn_of_traffic

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.traffic import TrafficQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

_USED = (
    *DEGREES, "sequence", "precision", "virtual_pipeline", "zero", "schedule", "micro_batch",
    "global_batch", "redundant_experts", "shared_experts", "context_parallel_method",
    "dense_feed_forward", "vocabulary_parallel", "layer_split", "rank_order",
)  # fmt: skip
"""Fields of a layout that traffic depends on."""


def answer_traffic(query: TrafficQuery) -> Answer:
    """Count the traffic of a model's experts on a layout.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    beside = (
        None
        if query.compute_time is None
        else number("--compute-time", query.compute_time, 0, most=LONGEST_TIME)
    )
    answer = Answer("traffic", asked(query))
    answer.notes += query.notes
    loader = PresetLoader(query)
    model = loader.model(query.model)
    hardware = loader.hardware(query.hardware)
    answer.cite(model)
    answer.cite(hardware, used=("scale_up", "scale_out"))
    phase = _phase(query, loader, answer)
    serving = phase in SERVING_PHASES
    layout = chosen_layout(query, loader, answer, model.value, used=_USED, serving=serving)
    if serving:  # a forward pass knows no schedule: each rank has one stage
        layout = msgspec.structs.replace(
            layout, schedule="1f1b", virtual_pipeline=1, global_batch=None
        )
    tokens = _tokens(query, answer, layout, phase)
    sequence = sequence_of(query, layout, answer, DEFAULT_SEQUENCE["train"])
    _check_layout(
        model.value, layout, sequence if tokens is None else None, loader, serving=serving
    )
    exchange = _exchange(query, loader, answer, model, layout)
    loader.check_overrides()
    warn_inapplicable(answer, model.name, model.value, with_mtp=query.with_mtp or None)
    warn_of_traffic(answer, query, model.value, layout, serving=serving)
    warn_of_setup(answer, query, loader)
    answer.query |= {
        "forwarding": exchange.forwarding,
        "policy": exchange.policy,
        "law": exchange.law,
        "group_score": exchange.group_score,
        "imbalance": exchange.imbalance,
    }
    answer.query |= {"sequence": sequence} if tokens is None else {"tokens": tokens}
    if expert_views(model.value):
        lines, assumed = expert_lines(
            model.value,
            layout,
            hardware.value,
            exchange,
            sequence=sequence,
            tokens=tokens,
            compute_seconds=beside,
            with_mtp=query.with_mtp,
        )
        add_new(answer.assumptions, assumed)
        lines += _beside(query, answer, layout, lines)
        training = layout.global_batch is not None
        _remarks(answer, layout, exchange, training=training, serving=serving)
    else:
        answer.warn(f"{model.name} has no routed experts: no expert traffic")
        lines = [total("traffic.step.scale_out_bytes", (), unit="B")]
    inputs = TrafficInputs(
        query, answer, loader, model, hardware, layout, exchange, sequence, serving
    )
    lines += step_collectives(inputs)
    if tokens is None:
        from dsv3calc.studies.traffic.pass_times import pass_times

        lines += pass_times(inputs)
    answer.columns.append(Column(model.name, model.value.title, Ledger(model.value.title, lines)))
    return answer


def _beside(query: TrafficQuery, answer: Answer, layout: Layout, lines: list[Line]) -> list[Line]:
    """Give what switches save and what changes planes, where it is asked."""
    if not query.in_network and query.planes is None:
        return []
    named = Ledger("", lines).named()
    copies = named["traffic.copies_on_link.scale_out"]
    if copies.value < 1:
        for option, given in (("--in-network", query.in_network), ("--planes", query.planes)):
            if given:
                answer.warn(
                    f"{option} has no effect: with ep {layout.ep:,} less than a copy of each token "
                    "crosses the scale-out link"
                )
    planes = None if query.planes is None else positive("--planes", query.planes, 1)
    if planes is not None and query.forwarding in (None, "node-limited"):
        answer.warn(
            "--planes: with forwarding node-limited a copy is sent to the GPU of the same plane; "
            "give --forwarding per-gpu"
        )
        planes = 1
    from dsv3calc.accounting.traffic.ep_beside import network_lines

    return network_lines(
        copies,
        named["traffic.dispatch.copy_bytes"],
        named["traffic.combine.copy_bytes"],
        in_network=query.in_network,
        planes=planes,
    )


def _check_layout(
    model: Model, layout: Layout, sequence: int | None, loader: PresetLoader, *, serving: bool
) -> None:
    """Refuse a layout into which the model does not divide."""
    check_grouping(
        model,
        layout,
        sequence,
        hint=loader.degree_hint,
        more=(
            *feed_forward_problems(model, layout),
            *(() if serving else placement_problems(layout)),
            *stage_problems(model, layout, virtual_stages(layout).value),
        ),
    )


def _phase(query: TrafficQuery, loader: PresetLoader, answer: Answer) -> str | None:
    """Return the phase that is counted: the layout's own, or serving where it is asked for.

    Raises
    ------
    UsageError
        If a training step of a layout for serving is asked for.
    """
    phase = phase_of(query, loader)
    serves = phase in SERVING_PHASES
    if serves and not query.serve:
        answer.notes.append(serving_note(phase))
        answer.query["serve"] = True
    if (serves or query.serve) and query.global_batch is not None:
        why = f"the layout is for {SERVING_PHASES[str(phase)]}" if serves else "not with --serve"
        raise UsageError(
            f"--global-batch: {why}, and a global batch is that of a training step",
            "leave it out" + (", or --set layout.phase=train" if serves else ""),
        )
    return phase if serves or not query.serve else "prefill"


def _tokens(query: TrafficQuery, answer: Answer, layout: Layout, phase: str | None) -> int | None:
    """Return the tokens that a GPU dispatches in a micro-batch; None where sequences give them."""
    if query.tokens is not None:
        return positive("--pass-tokens", query.tokens, 1)
    if phase != "decode" or query.sequence is not None or layout.sequence is not None:
        return None
    answer.assumptions.append(
        f"a GPU dispatches {DEFAULT_TOKENS} tokens in a micro-batch of decoding (--pass-tokens)"
    )
    return DEFAULT_TOKENS


def _exchange(
    query: TrafficQuery, loader: PresetLoader, answer: Answer, model: Preset[Model], layout: Layout
) -> Exchange:
    named = query.precision
    if query.dispatch is None:  # else no precision is needed
        named = named_by(query, layout, answer, "precision")
    dispatch = model_dispatch(loader, answer, model, named, query.dispatch)
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
        law=one_of("--score-distribution", query.law, LAWS, "uniform"),
        group_score=one_of("--group-score", query.group_score, ("model", *GROUP_SCORES), "model"),
        metadata_bytes=number("--metadata", query.metadata, 0, most=LARGEST_METADATA),
        imbalance=number("--imbalance", query.imbalance, 1, least=1, most=LARGEST_IMBALANCE),
        scale_out_latency=latency_of(loader, answer, query.network, query.latency),
        scale_up_latency=number("--scale-up-latency", query.scale_up_latency, 0, most=LONGEST_TIME),
    )


def _remarks(
    answer: Answer, layout: Layout, exchange: Exchange, *, training: bool, serving: bool
) -> None:
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
        words = "the busiest GPU has {} times the mean traffic"
        tell_imbalance(answer, exchange.imbalance, words)
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
        answer.notes.append(
            "all layers of a GPU: mean over pipeline ranks; the busiest has the most MoE layers"
        )
    if not training:
        answer.notes.append(
            "no training step: "
            + ("serving is a forward pass" if serving else "the layout has no global_batch")
            + "; only forward passes are counted"
        )
