"""Options of layouts that change nothing of an answer: told with the reason, of every query.

Only options that the query itself gives are named, not fields of a layout or defaults of a library.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.model.architecture import architecture_of
from dsv3calc.queries.fields import flag_of
from dsv3calc.schema.layout import FOLDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.model.layer import GroupView
    from dsv3calc.queries.base import Query
    from dsv3calc.schema.model import Model, MoE
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.layout.placed import Placed

    Rule = Callable[[Placed, Any], str]

NO_EXPERTS = "no layer has routed experts"
_DEGREES_OF_EXPERTS = ("ep", "etp")
"""Degrees of which 1 divides nothing, in any model."""


def views_of(query: Any, model: Model) -> list[GroupView]:
    """Return the layer groups that a query counts, an MTP module's among them."""
    arch = architecture_of(model)
    return [*arch.groups, *([arch.mtp] if query.with_mtp and arch.mtp is not None else [])]


def tell_idle(answer: Answer, query: Query) -> None:
    """Warn of each option that was given and changes nothing, unless the answer says so already."""
    assert answer.placed is not None  # noqa: S101 - it is asked of answers about a layout
    told = {text.partition(" ")[0] for text in answer.warnings if " has no effect" in text}
    for name, why in _idle(answer.placed, query):
        option = flag_of(query, name)
        if option not in told:
            told.add(option)
            answer.warn(f"{option} has no effect: {why}")


def _idle(placed: Placed, query: Any) -> Iterator[tuple[str, str]]:
    """Yield each option without effect, and why."""
    for name, rules in _RULES.items():
        value = getattr(query, name, None)
        if value in (None, False, 0) or (value == 1 and name in _DEGREES_OF_EXPERTS):
            continue
        reasons = (rule(placed, query) for rule in rules)
        found = next((why for why in reasons if why), "")
        if found:
            yield name, found
    for name in placed.unused:
        yield name, f"{query.command} does not depend on it"


def _experts(placed: Placed, query: Any) -> list[MoE]:
    return [view.experts.spec for view in views_of(query, placed.model) if view.experts]


def _without_experts(placed: Placed, query: Any) -> str:
    return "" if _experts(placed, query) else NO_EXPERTS


def _degree_of_experts(placed: Placed, query: Any) -> str:
    if _experts(placed, query):
        return ""
    follows = query.dp is None and query.layout is None
    return NO_EXPERTS + (", but that dp follows from it" if follows else "")


def _shared(placed: Placed, query: Any) -> str:
    layout = placed.layout
    if not any(feed.n_shared_experts for feed in _experts(placed, query)):
        return "no layer has a shared expert"
    if query.shared_experts == "replicated" and layout.tp == 1:
        return "with tp 1 they are whole on every GPU"
    if query.shared_experts == "instance" and layout.dp == 1:
        return "with dp 1 an instance is the GPUs of tp, as under local"
    return ""


def _not_sent(placed: Placed, query: Any) -> str:
    if getattr(query, "low_latency", False):
        return "--low-latency kernels have buffers of one format"
    return "with ep 1 no token is sent to another GPU" if placed.layout.ep == 1 else ""


def _hidden(_placed: Placed, query: Any) -> str:
    hidden = query.command == "train" and query.setup is None
    return "without --setup all communication is taken as hidden" if hidden else ""


def _whole_sequence(placed: Placed, _query: Any) -> str:
    return "tp is 1" if placed.layout.tp == 1 else ""


def _one_stage(placed: Placed, _query: Any) -> str:
    layout = placed.layout
    chunked = layout.schedule in ("interleaved", *FOLDED) and not placed.serving
    return "" if layout.pp > 1 or chunked else "there is one stage, pp is 1"


def _of_training(placed: Placed, _query: Any) -> str:
    return "it is an option of training" if placed.serving else ""


def _sequences(placed: Placed, query: Any) -> str:
    """Say where the sequences of a pass are not a micro-batch; ``traffic`` always counts one."""
    if query.command == "traffic":
        return ""
    if getattr(query, "batch", None) is not None:
        return "--batch says how many sequences a pass has"
    return _of_training(placed, query)


def _passes(placed: Placed, query: Any) -> str:
    """Say where the number of micro-batches changes no memory; a step's time always has it."""
    if query.command == "memory" and placed.layout.schedule != "gpipe":
        return _of_training(placed, query) or _one_stage(placed, query)
    return _of_training(placed, query)


def _of_a_cache(placed: Placed, _query: Any) -> str:
    return "" if placed.serving else "training has no cache"


def _one_replica(placed: Placed, query: Any) -> str:
    layout = placed.layout
    alone = layout.dp * layout.cp == 1 and not (_experts(placed, query) and layout.edp > 1)
    return "there is one replica, dp x cp is 1" if alone and not layout.mirror_optimizer else ""


def _undivided(placed: Placed, _query: Any) -> str:
    return "" if placed.layout.zero else "with ZeRO 0 nothing is divided"


def _one_gpu(placed: Placed, _query: Any) -> str:
    return "there is one GPU" if placed.layout.gpus == 1 else ""


def _untimed(_placed: Placed, query: Any) -> str:
    untimed = query.command == "failures" and query.train_tokens is None
    return "without --train-tokens no step is timed" if untimed else ""


def _no_energy(_placed: Placed, query: Any) -> str:
    return "no energy is counted here" if query.command == "failures" else ""


_OF_A_STEP = dict.fromkeys(
    ("setup", "zero", "micro_batch", "sequence", "schedule", "virtual_pipeline", "recompute",
     "precision", "oversubscription", "in_network"),
    (_untimed,),
)  # fmt: skip
"""Options that change the time of a step alone, where that is not all that is asked."""

_OF_LAYOUTS: dict[str, tuple[Rule, ...]] = {
    "imbalance": (_without_experts,),
    "routing_weights": (_without_experts,),
    "redundant_experts": (_without_experts,),
    "in_network": (_without_experts, _not_sent, _hidden),
    "planes": (_without_experts, _not_sent),
    "dispatch": (_without_experts, _not_sent),
    "combine": (_without_experts, _not_sent),
    "shared_experts": (_without_experts, _shared),
    "ep": (_degree_of_experts,),
    "etp": (_degree_of_experts,),
    "sequence_parallel": (_whole_sequence,),
    "layer_split": (_one_stage,),
    "zero": (_of_training, _one_replica),
    "micro_batch": (_sequences,),
    "global_batch": (_passes,),
    "recipe": (_of_training,),
    "mirror_optimizer": (_undivided,),
    "kv_dtype": (_of_a_cache,),
    "oversubscription": (_one_gpu, _hidden),
    "pue": (_no_energy,),
}
"""Field of a query -> reasons why it may change nothing, each empty where it does not hold."""

_RULES = {
    name: _OF_LAYOUTS.get(name, ()) + _OF_A_STEP.get(name, ())
    for name in (*_OF_LAYOUTS, *_OF_A_STEP)
}
