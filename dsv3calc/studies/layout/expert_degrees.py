"""The default of ``etp``: how many GPUs share the matrices of one expert where nothing says so.

An option, a ``--set`` or a layout file that states etp overrides the default. Else a set-up may
name the rule of its framework or engine. Without one, in training etp is tp where ep is not given,
and 1 where it is; in serving the GPUs of an instance share the experts among them:
etp = tp x dp / ep, with ep 1 where it is not given.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.placement.expert_slots import slots_of_layers
from dsv3calc.errors import UsageError
from dsv3calc.numbers import ops

if TYPE_CHECKING:
    from collections.abc import Collection

    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.setup import Setup


class Rule(msgspec.Struct, frozen=True):
    """What etp follows from.

    ``words`` say it, ``follows`` names the degrees that it follows from: etp ``equals_tp``, or
    ``divides`` the GPUs of an instance, tp x dp, by ep and ``moe_dp``, or is 1. Under a rule that
    is ``whole``, ep is 1 or all of them.
    """

    words: str
    follows: tuple[str, ...] = ()
    equals_tp: bool = False
    divides: bool = False
    whole: bool = False
    moe_dp: int = 1


_INSTANCE = ("tp", "dp", "ep")
STATED = Rule("as it is given")
TP = Rule("training without ep, etp = tp", ("tp", "ep"), equals_tp=True)
ONE = Rule("training with ep, etp = 1")
INSTANCE = Rule(
    "serving, the GPUs of an instance share the experts, etp = tp x dp / ep",
    _INSTANCE,
    divides=True,
)
OF_SETUPS = {
    "megatron": Rule("the rule of Megatron-Core, etp = tp", ("tp",), equals_tp=True),
    "vllm": Rule(
        "the rule of vLLM, etp = tp x dp / ep, where ep is 1 or tp x dp",
        _INSTANCE,
        divides=True,
        whole=True,
    ),
    "sglang": Rule("the rule of SGLang, etp = tp x dp / ep / moe_dp", _INSTANCE, divides=True),
    "trtllm": Rule(
        "the rule of TensorRT-LLM, moe_tp x moe_ep = tp x dp, etp = tp x dp / ep",
        _INSTANCE,
        divides=True,
    ),
}
"""Rule that a set-up may name -> what it means with the degrees of a layout."""


def setup_rule(setup: Setup | None, *, serving: bool) -> tuple[Rule | None, str]:
    """Return the rule that a set-up names, and a warning where it is for the other kind of use."""
    if setup is None or setup.experts is None:
        return None, ""
    rule = OF_SETUPS[setup.experts.rule]
    if rule.divides != serving:
        use = "serving" if rule.divides else "training"
        return None, f"{setup.name}: its rule for experts is for {use}: etp as without a set-up"
    return msgspec.structs.replace(rule, moe_dp=setup.experts.moe_dp), ""


def rule_of(stated: Collection[str], *, serving: bool, of_setup: Rule | None = None) -> Rule:
    """Return what etp follows from, by the degrees that are stated and the rule of a set-up."""
    if "etp" in stated:
        return STATED
    if of_setup is not None:
        return of_setup
    if serving:
        return INSTANCE
    return ONE if "ep" in stated else TP


def with_etp(layout: Layout, model: Model, rule: Rule) -> Layout:
    """Return a layout with the etp that follows from a rule.

    Raises
    ------
    UsageError
        If the experts do not divide among the GPUs of an instance, or the rule has no such ep.
    """
    if rule is STATED or not slots_of_layers(model, layout):
        return layout
    if rule.divides:
        _check_instance(layout, rule)
    etp = etp_of(rule, tp=layout.tp, dp=layout.dp, ep=layout.ep)
    return msgspec.structs.replace(layout, etp=etp)


def with_searched_etp(layout: Layout, rule: Rule, ep: Any) -> Layout:
    """Return a training layout with an ``ep`` that is searched, and the etp that follows from it.

    ``ep`` may be an array. Under the rule ``TP`` an ep of 1 is one that is not given.
    """
    etp = ops.where(ep == 1, layout.tp, 1) if rule is TP else layout.etp
    return msgspec.structs.replace(layout, ep=ep, etp=etp)


def told(layout: Layout, model: Model, rule: Rule) -> list[str]:
    """Say which etp a rule gave; nothing where it is stated, or can only be 1."""
    shared_by = layout.tp * layout.dp if rule.divides else layout.tp
    if rule is STATED or shared_by == 1 or not slots_of_layers(model, layout):
        return []
    return [f"etp is {layout.etp:,}, as --etp is not given: {rule.words}"]


def divides(layout: Layout, rule: Rule) -> bool:
    """Tell whether a rule has an etp for the degrees of a layout."""
    gpus = layout.tp * layout.dp
    if not rule.divides:
        return True
    return gpus % (layout.ep * rule.moe_dp) == 0 and (not rule.whole or layout.ep in (1, gpus))


def etp_of(rule: Rule, *, tp: Any, dp: Any, ep: Any) -> Any:
    """Return the etp of a rule that is no statement; the degrees may be terms."""
    if rule.divides:
        return ops.exact_div(tp * dp, ep * rule.moe_dp if rule.moe_dp > 1 else ep)
    return tp if rule.equals_tp else 1


def _check_instance(layout: Layout, rule: Rule) -> None:
    if divides(layout, rule):
        return
    default = f"tp {layout.tp:,} x dp {layout.dp:,} / ep {layout.ep:,}"
    if rule.moe_dp > 1:
        default += f" / moe_dp {rule.moe_dp:,}"
    what = f"its default in serving, {default}, is not a whole number"
    if layout.tp * layout.dp % (layout.ep * rule.moe_dp) == 0:
        what = f"ep {layout.ep:,} is neither 1 nor tp x dp = {layout.tp * layout.dp:,}"
    why = "the GPUs of an instance share the experts"
    raise UsageError(
        f"--etp is not given, and {what}", why if rule is INSTANCE else f"{why}: {rule.words}"
    )
