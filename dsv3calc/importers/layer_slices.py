"""Sets of layers as the schema writes them: a few slices instead of a list of numbers."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_PERIOD = 64


def compact_slices(layers: Sequence[int], num_hidden_layers: int) -> str | list[str]:
    """Return slices that hold exactly ``layers`` (ascending, at least one) of a model.

    One slice where the layers are consecutive or evenly spaced, else the shorter of their
    consecutive runs and the residues of a period.

    Examples
    --------
    >>> compact_slices([0, 1, 2], 61), compact_slices([5, 11, 17], 18)
    ('0:3', '5::6')
    >>> compact_slices([0, 1, 3, 4, 6, 7], 8)
    ['0::3', '1::3']
    """
    if len(layers) == num_hidden_layers:
        return ":"
    step = layers[1] - layers[0] if len(layers) > 1 else 1
    if all(after - before == step for before, after in itertools.pairwise(layers)):
        return _slice(layers[0], layers[-1], step, num_hidden_layers)
    runs = _runs(layers, num_hidden_layers)
    periodic = _periodic(layers, num_hidden_layers)
    return periodic if periodic and len(periodic) < len(runs) else runs


def _slice(first: int, last: int, step: int, num_hidden_layers: int) -> str:
    stop = "" if last + step >= num_hidden_layers else f"{last + 1}"
    return f"{first}:{stop}" if step == 1 else f"{first}:{stop}:{step}"


def _runs(layers: Sequence[int], num_hidden_layers: int) -> list[str]:
    runs = []
    first = layers[0]
    for before, after in zip(layers, [*layers[1:], -1], strict=True):
        if after != before + 1:
            runs.append(_slice(first, before, 1, num_hidden_layers))
            first = after
    return runs


def _periodic(layers: Sequence[int], num_hidden_layers: int) -> list[str]:
    belongs = bytearray(num_hidden_layers)
    for layer in layers:
        belongs[layer] = 1
    for period in range(2, min(LONGEST_PERIOD, num_hidden_layers // 2) + 1):
        if belongs[period:] == belongs[:-period]:
            return [f"{start}::{period}" for start in range(period) if belongs[start]]
    return []


def group_layers(
    parts: dict[str, Sequence[dict[str, Any] | None]],
    block_norms: int | Sequence[int],
) -> list[dict[str, Any]]:
    """Return the schema's layer groups, in the order of their first layers.

    ``parts`` gives for each part of a layer one of each layer, None where it lacks it. The layers
    of one group take "rest" where they would need several slices; a model whose layers are all of
    one kind names no layers.
    """
    depth = len(next(iter(parts.values())))
    norms = [block_norms] * depth if isinstance(block_norms, int) else block_norms
    kinds: list[tuple[Any, ...]] = []
    members: list[list[int]] = []
    seen: dict[tuple[int, ...], int] = {}
    for layer, found in enumerate(zip(norms, *parts.values(), strict=True)):
        identity = (found[0], *(id(part) for part in found[1:]))
        kind = seen.get(identity)
        if kind is None:
            if found not in kinds:
                kinds.append(found)
                members.append([])
            kind = seen[identity] = kinds.index(found)
        members[kind].append(layer)
    slices = [compact_slices(layers, depth) for layers in members]
    lists = [found for found in slices if isinstance(found, list)]
    if lists:
        slices[slices.index(max(lists, key=len))] = "rest"
    groups = []
    for (count, *found), layers in zip(kinds, slices, strict=True):
        group: dict[str, Any] = {} if len(kinds) == 1 else {"layers": layers}
        group |= {name: dict(part) for name, part in zip(parts, found, strict=True) if part}
        groups.append(group if count == 2 else group | {"block_norms": count})  # noqa: PLR2004
    return groups
