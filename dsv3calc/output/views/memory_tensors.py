"""Tables of ``memory --by tensor``: each tensor of one layer with count, width, divisor, bytes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.activation_tensors import SHARED
from dsv3calc.output.view import Table, View, show
from dsv3calc.output.views.memory import heading, ranks_table
from dsv3calc.quantity import format_quantity

if TYPE_CHECKING:
    from dsv3calc.ledger import Line
    from dsv3calc.studies.answer import Answer

_ACTIVATIONS = {
    "activations": "kept",
    "recomputed": "recomputed",
    "output_gradients": "gradient",
}
_PLACES = {
    "embedding": "embedding",
    "head": "head",
    "after": "final norm",
    "mtp": "MTP module, beside its layer",
    "mtp.head": "head of the MTP module",
}
_SHORT = {"routed_experts": "routed ", "shared_experts": "shared "}


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables of one rank: the fullest, or the one that was asked for."""
    named = answer.columns[0].ledger.named()
    rank = answer.query.get("rank", named["memory.worst.rank"].value)
    tables = [ranks_table(named, exact=exact)]
    for group, count in _groups(named, f"memory.rank.{rank}"):
        title = f"one of {count:,} {group}"
        tables.append(_states(named, f"memory.layer.{group}", title, exact=exact))
        tables.append(_activations(named, f"memory.layer.{group}", exact=exact))
    for place, words in _PLACES.items():
        if f"memory.{place}.weights" in named and named[f"memory.{place}.weights"].parts:
            tables.append(_states(named, f"memory.{place}", words, exact=exact))
        if f"memory.{place}.activations" in named:
            tables.append(_activations(named, f"memory.{place}", exact=exact))
    return View(heading(answer), tables)


def _groups(named: dict[str, Line], rank: str) -> list[tuple[str, int]]:
    """Return the layer groups that a rank holds, each with its number of layers."""
    counted = named[f"{rank}.weights"].parts
    found = []
    for count, states in zip(counted[::2], counted[1::2], strict=True):
        group = states.name.removeprefix("memory.layer.").removesuffix(".weights")
        if states.name.startswith("memory.layer.") and count.value:
            found.append((group, count.value))
    return found


def _arguments(line: Line) -> dict[str, Any]:
    return {name: getattr(value, "value", value) for name, value, _ in line.arguments}


def _label(name: str) -> str:
    component, _, tensor = name.partition(".")
    return f"{_SHORT.get(component, '')}{tensor}"


def _activation_label(name: str) -> str:
    return name.replace("feed_forward", "ffn").replace("_", " ")


def _states(named: dict[str, Line], prefix: str, title: str, *, exact: bool) -> Table:
    """List weights, gradients and optimizer states of tensors."""
    rows = []
    for line in named[f"{prefix}.weights"].parts:
        name = line.name.removeprefix(f"{prefix}.weights.")
        given = _arguments(line)
        others = [named.get(f"{prefix}.{what}.{name}") for what in ("gradients", "optimizer")]
        rows.append(
            [
                _label(name),
                format_quantity(given["elements"], "1", exact=exact),
                f"{given['divisor']:,}",
                f"{given['bits'] / 8:g}",
                show(line, exact=exact),
                *(show(other, exact=exact) for other in others),
            ]
        )
    headings = [title, "elements", "over", "B/el", "weights", "gradients", "optimizer"]
    return Table("", headings, rows)


def _activations(named: dict[str, Line], prefix: str, *, exact: bool) -> Table:
    """List the activations of one micro-batch in one layer, kept or recomputed."""
    rows = []
    for what, words in _ACTIVATIONS.items():
        listed = named.get(f"{prefix}.{what}")
        for line in listed.parts if listed is not None else ():
            given = _arguments(line)
            each = given["bits"]
            if given["scale_bits"]:
                each += given["scale_bits"] / given["group_size"]
            rows.append(
                [
                    _activation_label(line.name.rpartition(f".{what}.")[2]),
                    format_quantity(given["tokens"] * given["width"], "1", exact=exact),
                    f"{given['divisor']:,}",
                    f"{each / 8:g}",
                    show(line, exact=exact),
                    "kept, shared" if words == "kept" and SHARED in line.convention else words,
                ]
            )
    headings = ["of one micro-batch", "elements", "over", "B/el", "bytes", "activation"]
    return Table("", headings, rows, left=(5,))
