"""Which layers belong to a group: Python slices of the model's depth.

``"0:3"`` is the first three, ``"3:"`` the others, ``"5::6"`` every sixth from layer 5 on, and
``"rest"`` whatever no other group claims.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SLICE = r"[0-9]{0,9}:[0-9]{0,9}(:[1-9][0-9]{0,8})?"
MOST_LAYERS_CHECKED = 100_000
_ENDINGS = {2: "nd", 3: "rd"}
"""Number -> how its ordinal ends, below 21."""


def parse_slice(text: str) -> tuple[int, int | None, int]:
    """Return (start, stop, step) of ``"3:"`` and the like; a missing stop is None."""
    start, stop, step = [*text.split(":"), ""][:3]
    return int(start or 0), int(stop) if stop else None, int(step or 1)


def listed(layers: str | list[str]) -> list[str]:
    """Return the slices of a group as a list."""
    return [layers] if isinstance(layers, str) else layers


def layer_groups(num_hidden_layers: int, groups: Sequence[str | list[str]]) -> list[int]:
    """Return the group index of each layer, in order; -1 where no group claims the layer."""
    owner = [-1] * num_hidden_layers
    rest = -1
    for index, layers in enumerate(groups):
        for text in listed(layers):
            if text == "rest":
                rest = index
                continue
            start, stop, step = parse_slice(text)
            for layer in range(start, min(num_hidden_layers, _end(stop, num_hidden_layers)), step):
                owner[layer] = index
    return [rest if group < 0 else group for group in owner]


def layers_in_words(owner: Sequence[int], group: int) -> str:
    """Say which layers belong to a group, by the group of each layer.

    Examples
    --------
    >>> layers_in_words([0, 0, 0, 1, 1, 1], 1), layers_in_words([0, 1, 1, 1], 0)
    ('layers 3 to 5', 'layer 0')
    >>> layers_in_words([0, 1, 0, 1, 0, 1], 1), layers_in_words([0, 0, 1, 0, 0, 1, 0], 0)
    ('every 2nd layer from 1', '5 of 7 layers')
    """
    own = [layer for layer, whose in enumerate(owner) if whose == group]
    steps = {after - before for before, after in pairwise(own)}
    if len(own) == 1:
        return f"layer {own[0]}"
    if steps == {1}:
        return f"layers {own[0]} to {own[-1]}"
    if len(steps) == 1 and own[-1] + min(steps) >= len(owner):
        step = min(steps)
        ordinal = f"{step}{_ENDINGS.get(step, 'th')}"
        return f"every {ordinal} layer from {own[0]}"
    return f"{len(own)} of {len(owner)} layers"


def _end(stop: int | None, num_hidden_layers: int) -> int:
    return num_hidden_layers if stop is None else stop


def layer_problems(
    num_hidden_layers: int, groups: Sequence[str | list[str]]
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Yield layers claimed twice or never, and a group of no layers."""
    if num_hidden_layers > MOST_LAYERS_CHECKED:
        yield (
            ("num_hidden_layers",),
            f"{num_hidden_layers:,} layers",
            f"at most {MOST_LAYERS_CHECKED:,} layers are supported",
        )
        return
    resting = [index for index, layers in enumerate(groups) if layers == "rest"]
    if len(resting) > 1:
        yield ("groups", resting[1], "layers"), "a second group claims the rest", "one may"
        return
    owner: dict[int, int] = {}
    for index, layers in enumerate(groups):
        if layers == "rest":
            continue
        fault = _claim(owner, index, listed(layers), num_hidden_layers)
        if fault is not None:
            yield ("groups", index, "layers"), *fault
            return
    missing = [layer for layer in range(num_hidden_layers) if layer not in owner]
    if missing and not resting:
        yield (
            ("groups",),
            f"layer {missing[0]} belongs to no group, nor do {len(missing) - 1} others",
            "the groups' layers must cover num_hidden_layers",
        )
    if resting and not missing:
        yield ("groups", resting[0], "layers"), "no layer is left for 'rest'", "the others take all"


def _claim(
    owner: dict[int, int], index: int, slices: list[str], num_hidden_layers: int
) -> tuple[str, str] | None:
    """Note the owner of each layer of a group, or return what is wrong and why."""
    if "rest" in slices:
        return "'rest' cannot be in a list", "write layers: rest"
    for text in slices:
        if not re.fullmatch(_SLICE, text):
            return f"{text!r} is no slice", "write '0:3', '3:', '5::6', a list of these, or rest"
    size = 0
    for text in slices:
        start, stop, step = parse_slice(text)
        for layer in range(start, min(num_hidden_layers, _end(stop, num_hidden_layers)), step):
            size += 1
            if layer in owner:
                return (
                    f"layer {layer} belongs to group {owner[layer]} already",
                    "every layer is of one kind and is claimed once",
                )
            owner[layer] = index
    if size:
        return None
    return (
        f"no layer of {num_hidden_layers} is in {', '.join(map(repr, slices))}",
        f"layers are numbered 0 to {num_hidden_layers - 1}",
    )
