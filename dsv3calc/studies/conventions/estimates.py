"""What a library's own estimate can express: its passes, and the parts of a model that it knows."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import architecture_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.accounting.conventions import Bundle
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.workload import Conventions


def check_estimate(
    bundle: Bundle | None, model: Model, phase: str, conventions: Conventions
) -> None:
    """Refuse a pass or a model of which a library's estimate counts something else than there is.

    Raises
    ------
    UsageError
        With what it does not know.
    """
    if bundle is None:
        return
    if bundle.phases and phase not in bundle.phases:
        raise UsageError(
            f"--as {bundle.name} with --phase {phase}: its estimate is of a server's passes",
            f"--phase {' or '.join(bundle.phases)}",
        )
    unknown = next(_unknown(bundle, model, conventions), "") if bundle.components else ""
    if unknown:
        raise UsageError(
            f"--as {bundle.name}: its estimate does not know {unknown}, which {model.name} has: "
            "its number would be of another model",
            f"leave out --as {bundle.name}",
        )


def _unknown(bundle: Bundle, model: Model, conventions: Conventions) -> Iterator[str]:
    """Name each part of a model that an estimate does not count as what it is."""
    arch = architecture_of(model)
    operators = [*arch.entry, *arch.exit]
    for view in arch.groups:
        operators += view.operators(conventions.mla)
        if view.mixer.present or not view.attention.present:
            yield f"layers of {view.kinds[0] or 'a feed-forward alone'}"
            continue
        span = view.attention.span(conventions)[0]
        if bundle.spans and span not in bundle.spans:
            yield f"attention of the span '{span}'"
        if view.attention.forms and "routed_experts" not in bundle.components:
            yield "MLA"
        names = {tensor.name for tensor in view.tensors}
        if "up_proj" in names and "gate_proj" not in names:
            yield "feed-forwards of two matrices"
        if view.experts is not None and view.experts.spec.shared_expert_intermediate_size:
            yield "a shared expert with a width of its own"
    for operator in operators:
        if operator.matrices and operator.component not in bundle.components:
            yield operator.component.replace("_", " ")
