"""Options of ``traffic`` that change nothing for the model and layout at hand."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.routing.destinations import policy_of
from dsv3calc.accounting.traffic.experts import expert_views
from dsv3calc.model.architecture import architecture_of
from dsv3calc.queries.fields import flag_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.experts import Experts
    from dsv3calc.queries.traffic import TrafficQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader

OF_EXPERTS = (
    "redundant_experts", "shared_experts", "dispatch", "combine", "backward_dispatch",
    "backward_combine", "metadata", "forwarding", "policy", "law", "group_score", "imbalance",
    "compute_time", "precision",
)  # fmt: skip
OF_AN_EXCHANGE = ("forwarding", "imbalance", "compute_time")
OF_A_STEP = (
    "zero", "algorithm", "mla_context", "gradient_reduction", "activation_dtype", "gradient_dtype",
    "parameter_dtype",
)  # fmt: skip
OF_ANY_TRANSFER = ("tokens", "no_scales", "network", "latency", "scale_up_latency")
OF_A_PASS = ("micro_batch", "sequence")
_NO_TRANSFER = "no transfer is counted: no layer has routed experts, and there is no step"
LONG_MESSAGE = 1e-3
"""Seconds: a message takes microseconds."""


def warn_of_traffic(
    answer: Answer, query: TrafficQuery, model: Model, layout: Layout, *, serving: bool
) -> None:
    """Warn of options without effect, and of a latency that was meant in another unit."""
    for name, why in without_effect(query, model, layout, serving=serving):
        answer.warn(f"{flag_of(query, name)} has no effect: {why}")
    for name in ("latency", "scale_up_latency"):
        value = getattr(query, name)
        if value is not None and value >= LONG_MESSAGE:
            answer.warn(
                f"{flag_of(query, name)} is {value:g} s a message: a number without a unit is "
                "in seconds, write 3us"
            )


def warn_of_setup(answer: Answer, query: TrafficQuery, loader: PresetLoader) -> None:
    """Warn of a set-up, or of its fields, of which traffic takes nothing: it takes the experts."""
    if query.setup is not None:
        if not expert_views(loader.model(query.model).value):
            answer.warn(f"--setup {query.setup} has no effect: no layer has routed experts")
        elif loader.setup(query.setup).value.experts is None:
            answer.warn(f"--setup {query.setup} has no effect: it states no rule for experts")
    for each in loader.overrides:
        if each.kind == "setup" and not each.path.startswith("experts"):
            answer.warn(f"--set {each.text} has no effect: traffic takes a set-up's experts alone")


def without_effect(
    query: TrafficQuery, model: Model, layout: Layout, *, serving: bool
) -> Iterator[tuple[str, str]]:
    """Yield each option that was given and changes nothing, and why."""
    views = expert_views(model)
    for name in OF_EXPERTS if not views else ():
        if getattr(query, name) is not None:
            yield name, "no layer has routed experts"
    for view in views[:1]:
        yield from _of_exchange(query, view.experts, layout)
    if query.tokens is not None and query.sequence is not None:
        yield "sequence", "--pass-tokens says what a GPU dispatches"
    step = layout.global_batch is not None and query.tokens is None and not serving
    if not step:
        yield from _of_no_step(query, layout, experts=bool(views), serving=serving)
    elif query.mla_context is not None:
        if layout.cp == 1:
            yield "mla_context", "cp is 1"
        elif not any(view.attention.forms for view in architecture_of(model).groups):
            yield "mla_context", "no layer has MLA"


def _of_no_step(
    query: TrafficQuery, layout: Layout, *, experts: bool, serving: bool
) -> Iterator[tuple[str, str]]:
    """Yield what is of transfers that are not counted, as there is no training step."""
    if not experts:
        timed = query.tokens is None and max(layout.tp, layout.cp, layout.pp) > 1
        for name in OF_ANY_TRANSFER if timed else OF_ANY_TRANSFER + OF_A_PASS:
            if getattr(query, name) not in (None, False):
                yield name, _NO_TRANSFER
    why = "the layout has no --global-batch"
    if serving:
        why = "serving has no training step"
    elif query.tokens is not None:
        why = "--pass-tokens is given"
    for name in OF_A_STEP:
        if getattr(query, name) is not None:
            yield name, f"{why}, so other collectives are not counted"


def _of_exchange(
    query: TrafficQuery, experts: Experts | None, layout: Layout
) -> Iterator[tuple[str, str]]:
    assert experts is not None  # noqa: S101 - expert_views lists no other
    feed = experts.spec
    if query.precision is not None and query.dispatch is not None:
        yield "precision", "--dispatch names the format"
    for name in OF_AN_EXCHANGE if layout.ep == 1 else ():
        if getattr(query, name) is not None:
            yield name, "with ep 1 nothing is exchanged"
    if query.shared_experts is not None and not feed.n_shared_experts:
        yield "shared_experts", "the model has no shared expert"
    policy = policy_of(feed, query.policy or "model")
    if policy == "group-limited":
        return
    for name in ("law", "group_score"):
        if getattr(query, name) is not None:
            yield name, f"the policy is {policy}, which scores no groups"
