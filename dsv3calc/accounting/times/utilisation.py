"""The share of the peak that a training step reaches: of the model's FLOPs and of all executed."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.accounting.times.kernels import FORWARD
from dsv3calc.accounting.times.recomputed import recomputed
from dsv3calc.formulas import utilisation
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.accounting.flops import FlopsLines
    from dsv3calc.accounting.times.fold import Fold
    from dsv3calc.schema.memory import Recompute

COUNTS = ("causal", "full")
"""Ways of counting the FLOPs of attention: the half that a causal mask leaves, or all."""

PEAK = "bf16"
"""The data type whose dense peak utilisation is of, whatever the precision."""


class Work(NamedTuple):
    """What a step works on: its time, its tokens, the GPUs of the job."""

    step: Line
    tokens: Line
    gpus: Line


def utilisation_lines(
    fold: Fold, recompute: Recompute, counted: FlopsLines, work: Work
) -> list[Line]:
    """Give the model's FLOPs of a step over the peak's, with those recomputed, and of a GPU.

    Empty for a device without a BF16 peak.
    """
    peaks = fold.setting.hardware.peaks
    if PEAK not in peaks:
        return []
    read = given(f"hardware.peaks.{PEAK}", peaks[PEAK], "FLOP/s")
    words = f"dense {PEAK.upper()} peak of a GPU"
    peak = total("train.peak", (read,), convention=words, tags=Tags(quantity="peak", dtype=PEAK))
    factor = _executed_over_model(fold, recompute)
    mfu, hfu, rates = [], [], []
    for count in COUNTS:
        each = combined(
            f"train.token_flops.{count}",
            "ratio",
            (counted.by_attention[count], counted.tokens),
            unit="FLOP/token",
        )
        words = f"of the dense {PEAK.upper()} peak, attention {count}"
        found = computed(
            f"train.mfu.{count}",
            utilisation.model_flops_utilisation,
            convention=words,
            token_flops=each,
            tokens=work.tokens,
            step_seconds=work.step,
            job_gpus=work.gpus,
            peak=peak,
        )
        mfu.append(found)
        rates.append(
            combined(
                f"train.flops_per_second_per_gpu.{count}",
                "product",
                (found, peak),
                unit="FLOP/s",
                convention=f"of the model, attention {count}",
            )
        )
        name = "train.hfu" if count == COUNTS[0] else f"train.hfu.{count}"
        hfu.append(combined(name, "product", (found, factor), unit="ratio", convention=words))
    return [peak, *rates, *mfu, *hfu]


def _executed_over_model(fold: Fold, recompute: Recompute) -> Line:
    """Give the FLOPs that are executed over those of the model."""
    again, whole = [], []
    for place in fold.places:
        for kernel in place.kernels:
            whole += [kernel.lines["flops"], place.layers]
        for kernel, share in recomputed(place.kernels, recompute):
            flops = kernel.by_pass[FORWARD]["flops"]
            part = combined(f"{flops.name}.again", "product", (flops, share), unit="FLOP")
            again += [part, place.layers]
    done = combined("train.flops_of_a_pass", "sum_of_products", whole, unit="FLOP")
    more = combined("train.flops_recomputed", "sum_of_products", again, unit="FLOP")
    share = combined("train.recomputed_share", "ratio", (more, done), unit="ratio")
    return total("train.executed_over_model", (ONE, share), unit="ratio")
