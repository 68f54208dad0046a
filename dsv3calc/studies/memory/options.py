"""Options of ``memory`` that change nothing for the model and layout at hand, or cannot be.

An option is told of where it was given: what a layout or a library says is theirs.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.activations import dropping_modules
from dsv3calc.accounting.placement.expert_slots import expert_slots, shared_slots
from dsv3calc.accounting.weights import format_of
from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import architecture_of, experts_of
from dsv3calc.model.operator import BUFFERS
from dsv3calc.model.saved import BF16, MODULES
from dsv3calc.queries.fields import flag_of
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.studies.layout.idle import NO_EXPERTS, views_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe
    from dsv3calc.schema.model import Model, MoE
    from dsv3calc.schema.precision import Format, Precision
    from dsv3calc.studies.answer import Answer

Unused = tuple[str, str]
"""An option as it is typed, and why it changes nothing."""

_NO_SHARED = "no layer has a shared expert of its own"
_LACKING = {
    "mla_up_proj": "no layer has MLA",
    "mlp_act": "no layer has a dense feed-forward or a shared expert of its own",
    "moe_act": NO_EXPERTS,
    "mlp": "no layer has a dense feed-forward",
    "moe": NO_EXPERTS,
    "shared_experts": _NO_SHARED,
}
"""Module of ``--recompute`` -> what a model without it lacks."""


def typed(name: str) -> str:
    """Return the option of a field of a query."""
    return flag_of(MemoryQuery, name)


def replicated_heads(model: Model, layout: Layout) -> list[str]:
    """Name the key-value heads that there are fewer of than tensor-parallel GPUs, once each."""
    heads = [view.attention.key_value_heads for view in architecture_of(model).groups]
    fewer = dict.fromkeys(each.value for each in heads if each and each.value < layout.tp)
    return [
        f"{each:,} KV heads on tp {layout.tp:,}: each KV head is replicated on "
        f"{layout.tp // each:,}"
        for each in fewer
    ]


def check_views(query: MemoryQuery) -> None:
    """Refuse options that choose what is shown beside Megatron-LM's figures, which are of one view.

    Raises
    ------
    UsageError
        If ``--as megatron`` goes with ``--rank`` or ``--by``.
    """
    if query.library != "megatron":
        return
    clash = [name for name in ("rank", "by") if getattr(query, name) not in (None, "class")]
    if clash:
        raise UsageError(
            f"--as megatron with {' and '.join(map(typed, clash))}: its figures stand beside the "
            "classes of the fullest rank",
            f"leave out --as megatron to see {'a tensor' if 'by' in clash else 'that rank'}",
        )


def check_imbalance(model: Model, layout: Layout, imbalance: float | None) -> None:
    """Refuse a load of the fullest GPU that the tokens' distinct experts cannot make.

    Raises
    ------
    UsageError
        With the largest that can be.
    """
    feeds = experts_of(model)
    if imbalance is None or not feeds:
        return
    most, words = max(_most_imbalance(feed, layout) for feed in feeds)
    if imbalance > most:
        raise UsageError(f"--imbalance {imbalance:g}: it is {most:g} at most", words)


def _most_imbalance(feed: MoE, layout: Layout) -> tuple[float, str]:
    """Return the rows of a GPU that each token sends all it can to over the mean, and why."""
    if layout.ep == 1:
        return 1, "with ep 1 every GPU's experts receive all rows, so there is no imbalance"
    shared, slots = shared_slots(feed, layout), expert_slots(feed, layout)
    chosen, held = feed.num_experts_per_tok + shared, -(-slots // layout.ep)
    if held >= chosen:
        return layout.ep, f"with ep {layout.ep:,} a GPU receives every row at worst"
    return (
        layout.ep * held / chosen,
        (
            f"a token's {chosen} experts are distinct, and a GPU holds {held} of {slots:,}: at "
            f"worst it receives {held} of {chosen} rows, where {layout.ep:,} GPUs share them"
        ),
    )


def warn_of_serving(answer: Answer, query: MemoryQuery, model: Model, layout: Layout) -> None:
    """Warn of options of ``memory --serve`` without effect."""
    _warn(answer, _of_serving(query, model, layout))


def warn_of_training(
    answer: Answer,
    query: MemoryQuery,
    model: Model,
    layout: Layout,
    precision: Precision,
    recipe: Recipe,
) -> None:
    """Warn of options of training without effect, and of weights that a recipe does not expect."""
    forms = _formats(query, model, precision)
    _warn(answer, _of_recompute(query, model, layout))
    _warn(answer, _of_copies(query, precision, forms))
    wanted = "fp32" if recipe.gradient_bits > BF16.value else "bf16"
    stored = precision.formats[precision.weights["default"]].bits
    if query.recipe and not recipe.master_bits and recipe.gradient_bits != stored:
        answer.warn(
            f"--recipe {recipe.name}: weights stay as {precision.name} has them, {stored} bits "
            f"each by default: give --precision {wanted} too"
        )


def _warn(answer: Answer, unused: Iterator[Unused]) -> None:
    for option, why in unused:
        answer.warn(f"{option} has no effect: {why}")


def _of_serving(query: MemoryQuery, model: Model, layout: Layout) -> Iterator[Unused]:
    if query.absorbed and not any(view.attention.expansion for view in views_of(query, model)):
        yield "--absorbed", f"no layer of {model.name} has MLA"
    experts = any(view.experts is not None for view in views_of(query, model))
    if query.low_latency and not (experts and layout.ep > 1):
        yield "--low-latency", "experts are not divided over GPUs"


def _of_recompute(query: MemoryQuery, model: Model, layout: Layout) -> Iterator[Unused]:
    if not query.recompute:
        return
    there = {"full", "core_attn", "layernorm"} | dropping_modules(views_of(query, model), layout)
    for module in query.recompute.split(","):
        name = module.strip()
        if name in MODULES and name not in there:
            yield f"--recompute {name}", _LACKING[name]


def _formats(query: MemoryQuery, model: Model, precision: Precision) -> list[Format]:
    """Return the formats that the matrices of a model are stored in."""
    arch = architecture_of(model)
    tensors = [tensor for view in views_of(query, model) for tensor in view.tensors]
    return [
        format_of(precision, tensor)[1]
        for tensor in (*tensors, *arch.outer, *arch.entry_tensors)
        if tensor.weight_class not in BUFFERS
    ]


def _of_copies(query: MemoryQuery, precision: Precision, forms: list[Format]) -> Iterator[Unused]:
    copy, option = query.compute_copy, f"--compute-copy {query.compute_copy}"
    if copy == "stored-twice" and all(form.scale is None for form in forms):
        yield option, f"weights of {precision.name} have no scales: one copy serves both ways"
    if copy == "bf16-and-stored" and all(form.bits >= BF16.value for form in forms):
        yield option, f"{precision.name} stores no weight in less than BF16"
    if copy == "bf16" and all(form.bits == BF16.value and form.scale is None for form in forms):
        yield option, f"{precision.name} stores weights in 16 bits already"
