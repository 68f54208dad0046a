"""Failures of a training run: time between interruptions, checkpoints, what is lost."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.matrix_optimizer import by_muon, state_bits
from dsv3calc.accounting.parameters import (
    PARAMETER_VARIANTS,
    counted_tensors,
    parameter_lines,
    tensor_elements,
)
from dsv3calc.accounting.weights import weight_lines
from dsv3calc.formulas import failures as formulas
from dsv3calc.formulas import precision
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.architecture import architecture_of

if TYPE_CHECKING:
    from dsv3calc.schema.failures import Failures
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import Precision

SECONDS_OF_DAY = given("seconds_of_a_day", 86400, "s")
SECONDS_OF_HOUR = given("seconds_of_an_hour", 3600, "s")


class FailureLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``failures.*`` [s, B, ratio]; those of a run are None where its length is not given."""

    gpu_hours_per_interruption: Line
    mtbf: Line
    checkpoint_bytes: Line
    checkpoint_seconds: Line
    best_interval: Line
    interval: Line
    useful_share: Line
    gpu_hours: Line | None = None
    gpu_hours_with_failures: Line | None = None
    interruptions: Line | None = None
    silent_corruptions: Line | None = None


def checkpoint_line(model: Model, recipe: Recipe, weights: Precision, *, mtp: bool) -> Line:
    """Give the bytes of a checkpoint: optimizer states, and weights where there is no master copy.

    The gradients are not stored.
    """
    inclusions = PARAMETER_VARIANTS["trainable"][0] | ({"mtp"} if mtp else set())
    name = "failures.checkpoint.optimizer"
    if recipe.matrix_optimizer == "muon":
        tensors = counted_tensors(architecture_of(model), frozenset(inclusions))
        parts = []
        for muon in (True, False):
            held = [
                tensor_elements(f"{name}.elements.{each.place}.{each.component}.{each.name}", each)
                for each in tensors
                if by_muon(recipe, each) == muon
            ]
            which = f"{name}.{'muon' if muon else 'adamw'}"
            elements = total(f"{which}.elements", held, unit="elements")
            bits = state_bits(recipe, muon=muon)
            parts.append(computed(which, precision.stored_bytes, elements=elements, bits=bits))
    else:
        trained = parameter_lines(model, frozenset(inclusions), "trainable").total
        bits = state_bits(recipe, muon=False)
        parts = [computed(name, precision.stored_bytes, elements=trained, bits=bits)]
    if not recipe.master_bits:
        stored = weight_lines(model, weights, frozenset(inclusions), "trainable")
        parts.append(stored.bytes)
    return total(
        "failures.checkpoint_bytes",
        parts,
        unit="B",
        convention="master weights and moments, or weights and moments; no gradients",
    )


def failure_lines(
    counts: Failures,
    layout: Layout,
    hardware: Hardware,
    checkpoint: Line,
    *,
    storage_bandwidth: Line,
    restart: Any,
    interval: Any = None,
    gpu_hours: Line | None = None,
) -> FailureLines:
    """Give how often a job stops and what it loses, by the events of another job.

    ``restart`` [s] and ``interval`` [s] are given; without an interval it is the best one.
    """
    scope = ("failures", counts)
    gpus = given("layout.gpus", layout.gpus, "1", "of the job")
    observed = combined(
        "failures.observed_seconds",
        "product",
        (field(scope, "days", "1"), SECONDS_OF_DAY),
        unit="s",
    )
    each = computed(
        "failures.gpu_time_per_interruption",
        formulas.observed_event_gpu_time,
        scope,
        observed_seconds=observed,
        events=field(scope, "interruptions", "1"),
    )
    mtbf = computed(
        "failures.mtbf",
        formulas.mean_time_between_failures,
        event_gpu_time=each,
        job_gpus=gpus,
    )
    nodes = computed(
        "failures.nodes", formulas.checkpoint_writers, ("hardware", hardware), job_gpus=gpus
    )
    write = computed(
        "failures.checkpoint_seconds",
        formulas.checkpoint_time,
        checkpoint_bytes=checkpoint,
        writers=nodes,
        storage_bandwidth=storage_bandwidth,
        convention="all nodes write equal parts; training waits",
    )
    best = computed(
        "failures.best_interval",
        formulas.best_checkpoint_interval,
        checkpoint_seconds=write,
        mtbf=mtbf,
    )
    chosen = best if interval is None else given("interval", interval, "s")
    chosen = total("failures.interval", (chosen,))
    down = total(
        "failures.restart_seconds",
        (given("restart", restart, "s"), write),
        convention="restart, and loading the checkpoint as fast as it is written",
    )
    share = computed(
        "failures.useful_share",
        formulas.useful_share,
        checkpoint_seconds=write,
        interval_seconds=chosen,
        restart_seconds=down,
        mtbf=mtbf,
    )
    found: dict[str, Line] = {}
    if gpu_hours is not None:
        found = _run_lines(counts, each, observed, share, gpu_hours)
    return FailureLines(
        gpu_hours_per_interruption=combined(
            "failures.gpu_hours_per_interruption", "ratio", (each, SECONDS_OF_HOUR), unit="1"
        ),
        mtbf=mtbf,
        checkpoint_bytes=checkpoint,
        checkpoint_seconds=write,
        best_interval=best,
        interval=chosen,
        useful_share=share,
        **found,
    )


def _run_lines(
    counts: Failures, each: Line, observed: Line, share: Line, gpu_hours: Line
) -> dict[str, Line]:
    """Give the GPU-hours of a run with its failures, and how many there are in them."""
    scope = ("failures", counts)
    lasting = combined("failures.gpu_hours_with_failures", "ratio", (gpu_hours, share), unit="1")
    gpu_time = combined("failures.gpu_time", "product", (lasting, SECONDS_OF_HOUR), unit="s")
    found = {
        "gpu_hours": total("failures.gpu_hours", (gpu_hours,), convention="without failures"),
        "gpu_hours_with_failures": lasting,
        "interruptions": combined("failures.interruptions", "ratio", (gpu_time, each), unit="1"),
    }
    if counts.silent_corruptions:
        silent = computed(
            "failures.gpu_time_per_silent_corruption",
            formulas.observed_event_gpu_time,
            scope,
            observed_seconds=observed,
            events=field(scope, "silent_corruptions", "1"),
        )
        found["silent_corruptions"] = combined(
            "failures.silent_corruptions", "ratio", (gpu_time, silent), unit="1"
        )
    return found
