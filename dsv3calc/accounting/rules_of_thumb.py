"""FLOPs by the rules of thumb that papers and trainers use: 6 N, 6 N + 12 L H Q T, 12 L h²."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.parameters import PARAMETER_VARIANTS, parameter_lines
from dsv3calc.formulas import flops
from dsv3calc.ledger.line import Line, computed, given, total
from dsv3calc.ledger.tags import UNTAGGED, Tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.accounting.forward_pass import Pass


def rule_of_thumb(run: Pass, cores: Callable[[], list[Line]]) -> Line:
    """Count a pass by the rule of its conventions; ``cores`` counts every pair of a query."""
    train, again = run.workload.phase == "train", run.conventions.recompute == "full"
    words = "forward and backward" if train else "forward"
    recomputed = EVERYTHING_RECOMPUTED if train and again else ""
    per_parameter = given(
        "flops_per_parameter",
        (8 if again else 6) if train else 2,
        "1",
        f"{words}, forward again" if train and again else words,
    )
    if run.conventions.counting == "twelve-l-h2":
        return computed(
            f"{run.prefix}.total",
            flops.twelve_l_h2_flops,
            run.arch.scope,
            convention=f"twelve-l-h2{recomputed}",
            flops_per_parameter=per_parameter,
            tokens=run.tokens,
        )
    variant = "with-mtp" if run.conventions.mtp == "in" else "default"
    counted = parameter_lines(run.arch.model, PARAMETER_VARIANTS[variant][0], variant)
    every = run.conventions.n_parameters == "all"
    scores = run.conventions.counting == "six-n-attention"
    words = "active parameters" + ("" if every else " without the input embedding")
    six_n = computed(
        f"{run.prefix}.six_n" if scores else f"{run.prefix}.total",
        flops.six_n_flops,
        convention=f"six-n; N is {words}{recomputed}",
        tags=Tags(component="parameters") if scores else UNTAGGED,
        flops_per_parameter=per_parameter,
        active=counted.active if every else counted.active_without_embedding,
        tokens=run.tokens,
    )
    return _with_scores(run, six_n, cores()) if scores else six_n


EVERYTHING_RECOMPUTED = "; everything recomputed"
"""What a convention says where the backward pass runs the forward pass again."""


def _with_scores(run: Pass, six_n: Line, cores: list[Line]) -> Line:
    convention = f"{six_n.convention}; every pair of query and key"
    return total(f"{run.prefix}.total", [six_n, *cores], unit="FLOP", convention=convention)
