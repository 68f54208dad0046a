"""Where a formula holds: what its arguments may be, and what its result then is.

A condition is a comparison in Python whose first name is the argument that it bounds, such as
``rank < pp``. Those of a name hold in every formula that has all of its names as arguments;
``@formula`` adds those of one formula. Queries do not check them: what they put into formulas was
checked before.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from dsv3calc.formulas.registry.glossary import SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType

    from dsv3calc.formulas.registry.registry import Formula

BOUNDS: dict[str, str] = {
    "acceptance": "<= 1",
    "missed": "<= 1",
    "memory_share": "<= 1000000",
    "imbalance": ">= 1",
    "exponent": ">= 0.25",
    "phases": "<= 2",
    "behind": "<= 1",
    "rank": "< pp",
    "model_chunk": "< virtual_pipeline",
    "backwards": "<= forwards",
    "weight_seconds": "<= backward_seconds",
    "last_layer": ">= first_layer",
    "topk_group": "<= n_group",
    "num_experts_per_tok": "<= n_routed_experts",
    "hit": "<= n_routed_experts",
    "hit_rate": "<= 1",
    "distinct": "<= destinations",
    "gpus_per_node": "<= gpus",
    "members": "<= ranks",
    "network_radix": "<= radix",
    "hit_tokens": "<= input_tokens",
    "value_channels": "<= score_channels",
    "inactive_elements": "<= mtp_elements",
    "throttled_clock": "<= clock",
    "data_bits": "<= line_bits",
    **dict.fromkeys(
        (
            "bandwidth",
            "bandwidth_share",
            "clock",
            "compute_seconds",
            "compute_share",
            "cycle_flops",
            "fleet_nodes",
            "link_bandwidth",
            "link_share",
            "node_input_rate",
            "node_output_rate",
            "peak",
            "scale_out_bandwidth",
            "scale_out_share",
            "scale_up_bandwidth",
            "scale_up_share",
            "seconds",
            "step_seconds",
        ),
        "> 0",
    ),
}
"""Argument -> its bound, beside the least value that the glossary gives it."""

_NAME = re.compile(r"[A-Za-z_]\w*")


def conditions(formula: Formula) -> dict[str, list[str]]:
    """Return the conditions of each argument of a formula.

    >>> from dsv3calc.formulas.registry.registry import all_formulas
    >>> conditions(all_formulas()["mirrored_stage"])
    {'pp': ['pp >= 1'], 'rank': ['rank >= 0', 'rank < pp']}
    """
    found: dict[str, list[str]] = {}
    for name in formula.parameters:
        bound = BOUNDS.get(name, "")
        texts = [f"{name} {bound}"] if bound else []
        known = [text for text in texts if set(names_in(text)) <= set(formula.parameters)]
        if not any(text.startswith(f"{name} >") for text in (*known, *formula.domain)):
            known.insert(0, f"{name} >= {SYMBOLS[name].least}")
        found[name] = known
    for condition in formula.domain:
        found[names_in(condition)[0]].append(condition)
    return found


def names_in(condition: str) -> list[str]:
    """Return the names in a condition, each once.

    >>> names_in("stage_layers * virtual_stages <= num_hidden_layers")
    ['stage_layers', 'virtual_stages', 'num_hidden_layers']
    """
    return list(dict.fromkeys(_NAME.findall(condition)))


def domain_of(formula: Formula, name: str) -> str:
    """Return the conditions of an argument as people read them, the argument left out.

    >>> from dsv3calc.formulas.registry.registry import all_formulas
    >>> domain_of(all_formulas()["mirrored_stage"], "rank")
    '>= 0, < pp'
    """
    return ", ".join(re.sub(rf"^{name} (?=[<>])", "", each) for each in conditions(formula)[name])


def violated(formula: Formula, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first argument outside of its domain and the condition; None where all hold.

    Values are numbers or arrays; a condition holds for an array where it does for all elements.
    """
    for name, texts in conditions(formula).items():
        for text in texts:
            if not _holds(text, values):
                return name, text
    return None


def result_violated(formula: Formula, values: Mapping[str, Any], result: Any) -> str | None:
    """Return the first condition that a result breaks; None where it meets all."""
    known = {**values, "result": result}
    return next((text for text in formula.result if not _holds(text, known)), None)


def _holds(text: str, values: Mapping[str, Any]) -> bool:
    found = eval(_code(text), {"__builtins__": {}}, dict(values))  # noqa: S307 - our own text
    return bool(found.all()) if hasattr(found, "all") else bool(found)


@cache
def _code(text: str) -> CodeType:
    return compile(text, "<domain>", "eval")
