"""FLOPs of a mixer's recurrence, in the form that the conventions name."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.ledger.line import Line, computed
from dsv3calc.ledger.tags import Tags

if TYPE_CHECKING:
    from dsv3calc.accounting.forward_pass import Pass
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator


def scan_form(run: Pass) -> str:
    """Return the form in which a mixer's recurrence is counted: one that :class:`Scan` has."""
    decode = run.workload.phase == "decode"
    if run.conventions.scan == "as-transformers":
        return "library-step" if decode else "library"
    return "recurrent" if decode else run.conventions.scan


def scan_lines(
    run: Pass, prefix: str, view: GroupView, operator: Operator, layers: Line | None = None
) -> list[Line]:
    """Count the recurrence of a mixer in the form that the conventions name.

    It is that of all layers of a group, or of so many ``layers``.
    """
    form = scan_form(run)
    assert operator.scan is not None  # noqa: S101 - a scan that is counted has forms
    return [
        computed(
            f"{prefix}.{part}.{view.prefix}",
            function,
            run.workload_scope,
            convention=f"scan {form}",
            tags=Tags(component=operator.component, operator=part, group=view.prefix),
            layers=view.layers if layers is None else layers,
            **arguments,
        )
        for part, (function, arguments) in operator.scan.forms[form].items()
    ]
