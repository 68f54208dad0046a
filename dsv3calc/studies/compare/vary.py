"""What-if columns: the same design with another attention or feed-forward.

``deepseek-v3:attention=gqa:8,feed_forward=dense-active`` keeps heads, head size, depth and width,
and changes what it names in every layer group that has it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import architecture_of
from dsv3calc.reading.diagnostics import did_you_mean, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.model import GQA, Dense, Model

CHANGES = ("attention", "feed_forward")
"""Changes of architecture; other names are options and fields."""
ATTENTIONS = "mha, mqa, gqa:KEY_VALUE_HEADS"
FEED_FORWARDS = ("dense-active", "dense-total")
_CUT = re.compile(r":(?=[A-Za-z_][\w.-]*=)")
_NEXT = re.compile(r",(?=[A-Za-z_][\w.-]*=)")
_EXAMPLE = "for example --vary deepseek-v3:attention=gqa:8"


def split_variation(text: str, *, plain: bool = False) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Read ``MODEL:NAME=VALUE[,NAME=VALUE]``; or ``MODEL`` too, where it may be ``plain``.

    A file whose name is the text is that file.

    Raises
    ------
    UsageError
        If it is not of that form.
    """
    cut = _CUT.search(text)
    if plain and (cut is None or os.path.lexists(text)):
        return text, ()
    if cut is None or not cut.start():
        raise UsageError(
            f"--vary {quote(text)}: expected MODEL:NAME=VALUE with a change of architecture "
            f"({', '.join(CHANGES)}), an option or a field",
            _EXAMPLE,
        )
    return text[: cut.start()], read_changes(_NEXT.split(text[cut.end() :]), text)


def read_changes(texts: Sequence[str], whole: str = "") -> tuple[tuple[str, str], ...]:
    """Read ``NAME=VALUE`` texts.

    Raises
    ------
    UsageError
        If one is not of that form, or a name is given twice.
    """
    changes: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise UsageError(
                f"--vary {quote(whole or text)}: {quote(text)} is no NAME=VALUE", _EXAMPLE
            )
        if name in changes:
            raise UsageError(f"--vary {quote(whole or text)}: {name} is changed twice")
        changes[name] = value
    return tuple(changes.items())


def vary(model: Model, changes: Sequence[tuple[str, str]]) -> Model:
    """Return the model with changes of architecture made.

    Raises
    ------
    UsageError
        If a change is unknown, does not apply to the model, or does not come out integral.
    """
    for name, value in changes:
        groups = model.groups
        change = _attention if name == "attention" else _feed_forward
        changed = [change(model.name, value, view) for view in architecture_of(model).groups]
        if all(part is None for part in changed):
            lacks = "routed experts" if name == "feed_forward" else "attention"
            raise UsageError(
                f"--vary {model.name}:{name}={value}: no layer of {model.name} has {lacks}"
            )
        groups = [
            group if part is None else msgspec.structs.replace(group, **{name: part})
            for group, part in zip(groups, changed, strict=True)
        ]
        model = msgspec.structs.replace(model, groups=groups)
    return model


def _attention(model: str, value: str, view: GroupView) -> GQA | None:
    if not view.attention.present:
        return None
    heads: int = view.attention.heads.value
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
    try:
        changed: GQA = view.attention.regrouped(shared)
    except UsageError as error:
        message = f"--vary {model}:attention={value}: {error.message}"
        raise UsageError(message, error.hint) from None
    return changed


def _feed_forward(model: str, value: str, view: GroupView) -> Dense | None:
    if value not in FEED_FORWARDS:
        raise UsageError(
            f"--vary {model}:feed_forward={value}: choose one of {', '.join(FEED_FORWARDS)}",
            did_you_mean(value, FEED_FORWARDS),
        )
    found: Dense | None = view.feed_forward.densified(value)
    return found
