"""The operators of a model one by one: rows, FLOPs of each pass, bytes of weights."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.flops import GRADIENTS, core_lines, product_line, rows_of
from dsv3calc.accounting.forward_pass import Pass
from dsv3calc.accounting.scans import scan_lines
from dsv3calc.accounting.weights import stored_lines
from dsv3calc.ledger.line import Line, combined, given, total
from dsv3calc.model.block import refusal
from dsv3calc.model.operator import CORE, NO_PRODUCT, ONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import Precision
    from dsv3calc.schema.workload import Conventions, Workload


class OperatorCount:
    """One operator of all layers of a group, or outside of them, over one pass.

    ``place`` is the layer group's prefix or ``model``; ``times`` counts how often what stands
    outside of layers runs. ``rows`` are those of one layer; ``forward``, ``input_gradient``,
    ``weight_gradient`` [FLOP] and ``weight_bytes`` [B] those of all layers.
    """

    __slots__ = (
        "forward",
        "input_gradient",
        "operator",
        "place",
        "rows",
        "weight_bytes",
        "weight_gradient",
    )

    def __init__(
        self, run: Pass, operator: Operator, view: GroupView | None, precision: Precision,
        place: str, times: Line,
    ) -> None:  # fmt: skip
        name = f"{run.prefix}.{place}.{operator.name}"
        self.operator = operator
        self.place = place
        self.rows = _rows(run, f"{name}.rows", operator, view)
        once = total(f"{name}.once", _forward(run, name, operator, view), unit="FLOP")
        self.forward = combined(f"{name}.forward", "product", (once, times))
        factors = GRADIENTS.get(operator.kind, (0, 0)) if operator.trained else (0, 0)
        self.input_gradient, self.weight_gradient = (
            combined(f"{name}.{what}", "product", (self.forward, given("passes", factor, "1")))
            for what, factor in zip(("input_gradient", "weight_gradient"), factors, strict=True)
        )
        self.weight_bytes = stored_lines(f"{name}.weights", operator.weights, precision).bytes


def _rows(run: Pass, name: str, operator: Operator, view: GroupView | None) -> Line:
    """Count the rows of one layer; a token has one for each expert that it is routed to."""
    tokens = rows_of(run, operator)
    if operator.rows != "routed" or view is None or view.experts is None:
        return tokens
    return combined(name, "product", (tokens, view.experts.chosen))


def _forward(run: Pass, name: str, operator: Operator, view: GroupView | None) -> list[Line]:
    if operator.kind == CORE and view is not None:
        return core_lines(run, name, view, operator, run.conventions.attention)
    if operator.kind in NO_PRODUCT:
        return []
    if operator.scan is not None and view is not None:
        return scan_lines(run, name, view, operator)
    if operator.kind not in GRADIENTS or not operator.matrices:
        raise refusal("the FLOPs", operator.words)
    return [
        product_line(run, f"{name}.{tensor.name}", operator, tensor) for tensor in operator.matrices
    ]


def operator_counts(
    model: Model, workload: Workload, conventions: Conventions, precision: Precision
) -> list[OperatorCount]:
    """Count the operators of a model in the order in which they run, MTP's where they are counted.

    Raises
    ------
    UsageError
        If the FLOPs of an operator's kind are not known.
    """
    run = Pass(model, workload, conventions, "operators")
    return [
        OperatorCount(run, operator, view, precision, place, times)
        for operator, view, place, times in placed(run)
    ]


def placed(run: Pass) -> Iterator[tuple[Operator, GroupView | None, str, Line]]:
    """Yield each operator with its layer group, the name of its place, and how often it runs."""
    arch = run.arch
    for operator in (arch.embedding, *arch.entry):
        yield operator, None, "model", ONE
    for view in arch.groups:
        for operator in view.operators(run.mla):
            yield operator, view, view.prefix, ONE
    for operator in (*arch.exit, *arch.head):
        yield operator, None, "model", ONE
    if run.conventions.mtp == "out" or arch.mtp is None:
        return
    for operator in arch.mtp_projection:
        yield operator, None, "mtp", ONE
    for operator in arch.mtp.operators(run.mla):
        yield operator, arch.mtp, "mtp", ONE
    yield arch.head[-1], None, "mtp", arch.mtp.layers
