"""The part of ``traffic`` on the collectives of a training step beside the experts' exchange."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.placement.schedules import replica_micro_batches
from dsv3calc.accounting.traffic.algorithms import ALGORITHMS
from dsv3calc.accounting.traffic.collectives import (
    GRADIENT_REDUCTION,
    MLA_CONTEXT,
    collective_assumptions,
    collective_lines,
)
from dsv3calc.accounting.traffic.experts import expert_views
from dsv3calc.model.architecture import architecture_of
from dsv3calc.studies.answer import add_new
from dsv3calc.studies.checked import one_of

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.traffic import TrafficQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.traffic.inputs import TrafficInputs

WIDTHS = {"fp32": 32, "bf16": 16, "fp16": 16, "fp8": 8}
"""Bits of an element as a collective sends it: data type -> bits; scales are not counted."""

SENT_AS = {"activation": "bf16", "gradient": "fp32", "parameter": "bf16"}
"""What is sent in which data type by default: Megatron-Core's for training in BF16."""


def step_collectives(inputs: TrafficInputs) -> list[Line]:
    """Count the collectives of a training step that are not the experts' exchange.

    Raises
    ------
    UsageError
        If an option names no choice, or the layout cannot be counted on the device.
    """
    query, answer, layout = inputs.query, inputs.answer, inputs.layout
    model, hardware = inputs.model.value, inputs.hardware.value
    choices = _choices(query, layout)
    dtypes = {
        what: one_of(f"--{what}-dtype", getattr(query, f"{what}_dtype"), WIDTHS, default)
        for what, default in SENT_AS.items()
    }
    if layout.global_batch is None:
        _warn_uncounted(answer, model, layout, serving=inputs.serving)
        return []
    if query.tokens is not None:
        answer.notes.append(
            "other collectives are counted from --seq, not from --pass-tokens: left out"
        )
        return []
    answer.query |= choices | {f"{what}_dtype": dtype for what, dtype in dtypes.items()}
    latencies = {
        "scale_up": inputs.exchange.scale_up_latency,
        "scale_out": inputs.exchange.scale_out_latency,
    }
    lines = collective_lines(
        "traffic",
        model,
        layout,
        hardware=hardware,
        sequence=inputs.sequence,
        micro_batches=replica_micro_batches(layout),
        activation_bits=WIDTHS[dtypes["activation"]],
        gradient_bits=WIDTHS[dtypes["gradient"]],
        parameter_bits=WIDTHS[dtypes["parameter"]],
        **choices,
        latencies={link: value for link, value in latencies.items() if value},
        mtp=query.with_mtp,
        rates=True,
    )
    add_new(
        answer.assumptions,
        (
            *_assumed(answer, model, layout, dtypes),
            *collective_assumptions(model, layout, hardware),
        ),
    )
    return lines


def _choices(query: TrafficQuery, layout: Layout) -> dict[str, str]:
    """Return the algorithm, what MLA sends, and when gradients are reduced."""
    return {
        "algorithm": one_of("--algorithm", query.algorithm, ALGORITHMS, "ring"),
        "mla_context": one_of("--mla-context", query.mla_context, MLA_CONTEXT, "latent"),
        "gradient_reduction": one_of(
            "--gradient-reduction",
            query.gradient_reduction,
            GRADIENT_REDUCTION,
            "micro-batch" if layout.zero > 1 else "step",
        ),
    }


def _assumed(answer: Answer, model: Model, layout: Layout, dtypes: dict[str, str]) -> list[str]:
    """Say which choices the counts are made with, and by which options."""
    algorithm, reduction = answer.query["algorithm"], answer.query["gradient_reduction"]
    sent = ", ".join(
        f"{what}s in {dtype.upper()} (--{what}-dtype)" for what, dtype in dtypes.items()
    )
    taken = [
        f"other collectives: per GPU and step, {algorithm} algorithm (--algorithm)",
        f"they send {sent}; scales are not counted",
    ]
    if layout.cp > 1:
        form = ""
        if any(view.attention.forms for view in architecture_of(model).groups):
            form = f", of MLA the {answer.query['mla_context']} keys and values (--mla-context)"
        taken.append(f"context parallelism: {layout.context_parallel_method}{form}")
    if layout.dp * layout.cp > 1:
        when = "once in a step" if reduction == "step" else "in every micro-batch"
        taken.append(f"gradients are reduced {when} (--gradient-reduction), --zero {layout.zero}")
    return taken


def _warn_uncounted(answer: Answer, model: Model, layout: Layout, *, serving: bool) -> None:
    """Name the collectives of a forward pass that are left out without a training step."""
    experts = bool(expert_views(model))
    made = {
        f"tp {layout.tp:,} (all-reduces)": layout.tp > 1,
        f"etp {layout.etp:,} (gathers and scatters around experts)": experts and layout.etp > 1,
        f"cp {layout.cp:,} (keys and values)": layout.cp > 1,
        f"pp {layout.pp:,} (sends between stages)": layout.pp > 1,
    }
    found = ", ".join(words for words, exists in made.items() if exists)
    if serving and found:
        answer.warn(
            f"bytes of collectives of {found} are not counted: traffic counts them for a training "
            "step only"
        )
    elif not serving and (found or not experts):
        of = f"collectives of {found} are not counted" if found else "nothing is counted"
        answer.warn(f"{of}: give --global-batch to count those of a training step")
