"""One forward pass to be counted: model, workload, conventions, and the lines that parts share."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.spans import (
    channel_flops_line,
    core_flops_line,
    full_channel_flops_line,
)
from dsv3calc.formulas import architecture as shapes
from dsv3calc.ledger.line import Line, computed
from dsv3calc.model.architecture import architecture_of

if TYPE_CHECKING:
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.workload import Conventions, Workload


class Pass:
    """One forward pass: a model, a workload, the conventions, and lines that components share."""

    __slots__ = (
        "_full",
        "arch",
        "conventions",
        "mla",
        "prefix",
        "tokens",
        "workload",
        "workload_scope",
    )

    def __init__(
        self, model: Model, workload: Workload, conventions: Conventions, prefix: str
    ) -> None:
        self.prefix = prefix
        self.arch = architecture_of(model)
        self.workload = workload
        self.conventions = conventions
        self.workload_scope = ("workload", workload)
        self.tokens = computed(f"{prefix}.tokens", shapes.tokens_processed, self.workload_scope)
        self.mla: str = conventions.mla
        if self.mla == "by-phase":
            self.mla = "absorbed" if workload.phase == "decode" else "naive"
        self._full: dict[str, Line] = {}

    def channel_flops(self, view: GroupView, operator: Operator, count: str) -> Line:
        """Count one channel's FLOPs of an attention core; layers of full span share the line."""
        core = operator.core
        assert core is not None  # noqa: S101 - an attention core has one
        if core.span is not None:
            return core_flops_line(self.workload, self.conventions, view, operator, count)
        if not core.every_key and view.attention.span(self.conventions)[0] != "full":
            return channel_flops_line(self.workload, self.conventions, view, count)
        line = self._full.get(count)
        if line is None:
            line = self._full[count] = full_channel_flops_line(self.workload, count)
        return line
