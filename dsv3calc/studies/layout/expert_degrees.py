"""The default of ``etp``: how many GPUs share the matrices of one expert where nothing says so.

In training etp is tp where ep is not given, and 1 where it is. In serving the GPUs of an instance
share the experts among them: etp = tp x dp / ep, with ep 1 where it is not given. An option, a
``--set`` or a layout file that states etp overrides the default.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from dsv3calc.accounting.placement.expert_slots import slots_of_layers
from dsv3calc.errors import UsageError
from dsv3calc.numbers import ops

if TYPE_CHECKING:
    from collections.abc import Collection

    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

Rule = Literal["stated", "tp", "one", "instance"]
"""What etp follows from: a statement, tp, nothing (it is 1), or the GPUs of an instance."""

WORDS: dict[Rule, str] = {
    "stated": "as it is given",
    "tp": "training without ep, etp = tp",
    "one": "training with ep, etp = 1",
    "instance": "serving, the GPUs of an instance share the experts, etp = tp x dp / ep",
}


def rule_of(stated: Collection[str], *, serving: bool) -> Rule:
    """Return what etp follows from, by the degrees that are stated."""
    if "etp" in stated:
        return "stated"
    if serving:
        return "instance"
    return "one" if "ep" in stated else "tp"


def with_etp(layout: Layout, model: Model, rule: Rule) -> Layout:
    """Return a layout with the etp that follows from a rule.

    Raises
    ------
    UsageError
        If the experts do not divide among the GPUs of an instance.
    """
    if rule == "stated" or not slots_of_layers(model, layout):
        return layout
    if rule == "instance":
        _check_instance(layout)
    etp = etp_of(rule, tp=layout.tp, dp=layout.dp, ep=layout.ep)
    return msgspec.structs.replace(layout, etp=etp)


def with_searched_etp(layout: Layout, rule: Rule, ep: Any) -> Layout:
    """Return a training layout with an ``ep`` that is searched, and the etp that follows from it.

    ``ep`` may be an array. Under the rule ``tp`` an ep of 1 is one that is not given.
    """
    etp = ops.where(ep == 1, layout.tp, 1) if rule == "tp" else layout.etp
    return msgspec.structs.replace(layout, ep=ep, etp=etp)


def told(layout: Layout, model: Model, rule: Rule) -> list[str]:
    """Say which etp a rule gave; nothing where it is stated, or can only be 1."""
    shared_by = layout.tp * layout.dp if rule == "instance" else layout.tp
    if rule == "stated" or shared_by == 1 or not slots_of_layers(model, layout):
        return []
    return [f"etp is {layout.etp:,}, as --etp is not given: {WORDS[rule]}"]


def etp_of(rule: Rule, *, tp: Any, dp: Any, ep: Any) -> Any:
    """Return the etp of a rule that is no statement; the degrees may be terms."""
    if rule == "instance":
        return ops.exact_div(tp * dp, ep)
    return tp if rule == "tp" else 1


def _check_instance(layout: Layout) -> None:
    if layout.tp * layout.dp % layout.ep:
        default = f"tp {layout.tp:,} x dp {layout.dp:,} / ep {layout.ep:,}"
        raise UsageError(
            f"--etp is not given, and its default in serving, {default}, is not a whole number",
            "the GPUs of an instance share the experts",
        )
