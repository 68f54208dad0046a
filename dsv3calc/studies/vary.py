"""What-if columns: the same design with another attention, feed-forward or precision.

``deepseek-v3:attention=gqa:8,feed_forward=dense-active`` keeps heads, head size, depth and width,
and changes what it names in every layer group that has it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.diagnostics import quote, suggest
from dsv3calc.errors import UsageError
from dsv3calc.schema.model import GQA, MLA, Dense, MoE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.schema.model import Model

CHANGES = ("attention", "feed_forward", "precision")
ATTENTIONS = "mha, mqa, gqa:KEY_VALUE_HEADS"
FEED_FORWARDS = ("dense-active", "dense-total")


def split_variation(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Read ``MODEL:CHANGE=VALUE[,CHANGE=VALUE]``.

    Raises
    ------
    UsageError
        If it is not of that form, or names an unknown change.
    """
    cuts = [text.find(f":{change}=") for change in CHANGES]
    found = [cut for cut in cuts if cut > 0]
    if not found:
        raise UsageError(
            f"--vary {quote(text)}: expected MODEL:CHANGE=VALUE with a change among "
            f"{', '.join(CHANGES)}",
            "for example --vary deepseek-v3:attention=gqa:8",
        )
    cut = min(found)
    return text[:cut], read_changes(text[cut + 1 :].split(","), text)


def read_changes(texts: Sequence[str], whole: str = "") -> tuple[tuple[str, str], ...]:
    """Read ``CHANGE=VALUE`` texts.

    Raises
    ------
    UsageError
        If one is not of that form, unknown, or given twice.
    """
    changes: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value or name not in CHANGES:
            close = suggest(name, CHANGES)
            raise UsageError(
                f"--vary {quote(whole or text)}: {quote(text)} is no change; "
                f"changes: {', '.join(CHANGES)}",
                f"did you mean '{close}=...'?" if close else "",
            )
        if name in changes:
            raise UsageError(f"--vary {quote(whole or text)}: {name} is changed twice")
        changes[name] = value
    return tuple(changes.items())


def vary(model: Model, changes: Sequence[tuple[str, str]]) -> Model:
    """Return the model with the changes of architecture made; ``precision`` is the caller's.

    Raises
    ------
    UsageError
        If a change is unknown, does not apply to the model, or does not come out integral.
    """
    groups = list(model.groups)
    for name, value in changes:
        if name == "precision":
            continue
        change: Callable[..., MLA | GQA | Dense | MoE | None] = (
            _attention if name == "attention" else _feed_forward
        )
        changed = [change(model.name, value, getattr(group, name)) for group in groups]
        if all(part is None for part in changed):
            raise UsageError(
                f"--vary {model.name}:{name}={value}: no layer of {model.name} has routed experts"
            )
        groups = [
            group if part is None else msgspec.structs.replace(group, **{name: part})
            for group, part in zip(groups, changed, strict=True)
        ]
    return msgspec.structs.replace(model, groups=groups)


def _attention(model: str, value: str, attend: MLA | GQA) -> GQA:
    heads = attend.num_attention_heads
    kind, _, number = value.partition(":")
    if kind == "gqa" and number.isascii() and number.isdecimal() and len(number) < 8:  # noqa: PLR2004 - digits
        shared = int(number)
    elif value in ("mha", "mqa"):
        shared = heads if value == "mha" else 1
    else:
        raise UsageError(
            f"--vary {model}:attention={value}: choose one of {ATTENTIONS}",
            f"for example --vary {model}:attention=gqa:8",
        )
    if shared < 1 or heads % shared:
        raise UsageError(
            f"--vary {model}:attention={value}: {shared} key-value heads do not divide "
            f"{heads} heads"
        )
    if isinstance(attend, GQA):
        return msgspec.structs.replace(attend, num_key_value_heads=shared)
    if attend.qk_nope_head_dim != attend.v_head_dim:
        raise UsageError(
            f"--vary {model}:attention={value}: a head's key has {attend.qk_nope_head_dim} "
            f"channels and its value {attend.v_head_dim}: GQA has one head_dim for both"
        )
    return GQA(
        num_attention_heads=heads,
        num_key_value_heads=shared,
        head_dim=attend.v_head_dim,
        attention_bias=attend.attention_bias,
        output_bias=attend.attention_bias,
    )


def _feed_forward(model: str, value: str, feed: Dense | MoE) -> Dense | None:
    if value not in FEED_FORWARDS:
        close = suggest(value, FEED_FORWARDS)
        raise UsageError(
            f"--vary {model}:feed_forward={value}: choose one of {', '.join(FEED_FORWARDS)}",
            f"did you mean '{close}'?" if close else "",
        )
    if isinstance(feed, Dense):
        return None
    routed = feed.num_experts_per_tok if value == "dense-active" else feed.n_routed_experts
    return Dense(
        intermediate_size=(routed + feed.n_shared_experts) * feed.moe_intermediate_size,
        gated=feed.gated,
        mlp_bias=feed.expert_bias,
    )
