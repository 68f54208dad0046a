"""Keys that hold one entry for each layer, or the numbers of layers."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers.keys import ABSENT
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.importers.keys import Reader


def layer_list(
    reader: Reader,
    name: str,
    depth: int,
    allowed: Sequence[object],
    computed: Callable[[int], Any] | None = None,
) -> list[Any]:
    """Return one value for each layer; null (or an allowed absence) means ``computed``."""
    name, value = reader.find((name,), None)
    if value is ABSENT:
        return [allowed[0]] * depth
    if value is None and computed is not None:
        return [computed(layer) for layer in range(depth)]
    if not isinstance(value, list):
        reader.refuse(name, f"{name} is {quote(value)}", valid="a list, one entry a layer")
        return [allowed[0]] * depth
    if len(value) != depth and reader.sound("num_hidden_layers"):
        reader.refuse(name, f"{name} has {len(value)} entries for {depth} layers")
    wrong: dict[str, int] = {}
    for index, entry in enumerate(value):
        if not any(entry is one or (entry == one and type(entry) is type(one)) for one in allowed):
            wrong.setdefault(quote(entry), index)
    for text, index in wrong.items():
        reader.findings.refuse(
            (*reader.path, name, index),
            f"{name} holds {text}, which is not counted for {reader.findings.model_type}",
            valid=", ".join(quote(one) for one in allowed),
        )
    return value if reader.sound(name) else [allowed[0]] * depth


def layer_indices(reader: Reader, name: str, depth: int, first: int = 0) -> set[int] | None:
    """Return the layers that a list names by their number from ``first``, or None for null."""
    name, value = reader.find((name,), None)
    if value is ABSENT or value is None:
        return None
    if not isinstance(value, list):
        reader.refuse(name, f"{name} is {quote(value)}", valid="a list of layer numbers")
        return None
    for index, entry in enumerate(value):
        if isinstance(entry, bool) or not isinstance(entry, int) or not 0 <= entry - first < depth:
            if reader.sound("num_hidden_layers"):
                reader.findings.refuse(
                    (*reader.path, name, index),
                    f"{name} holds {quote(entry)}",
                    valid=f"layer numbers from {first} to {depth - 1 + first}",
                )
            return None
    return set(value)


def layer_overrides(reader: Reader, depth: int, *keys: str) -> dict[int, dict[str, int]] | None:
    """Return per_layer_config: the sizes that single layers have instead of the file's own.

    It is what the library writes of a model whose layers differ; None where the file has none.
    """
    name = "per_layer_config"
    reader.skip(name)
    if not reader.has(name):
        return None
    value = reader.data[name]
    found: dict[int, dict[str, int]] = {}
    if not isinstance(value, dict):
        reader.refuse(name, f"{name} is {quote(value)}", valid="an object, one entry a layer")
        return None
    for layer, sizes in value.items():
        sound = (
            layer.isdecimal()
            and int(layer) < depth
            and isinstance(sizes, dict)
            and all(key in keys and type(size) is int and size > 0 for key, size in sizes.items())
        )
        if not sound:
            reader.findings.refuse(
                (*reader.path, name, layer),
                f"{name} of layer {quote(layer)} is {quote(sizes)}",
                valid=f"sizes of a layer from 0 to {depth - 1}, of {', '.join(keys)}",
            )
            return None
        found[int(layer)] = sizes
    return found
