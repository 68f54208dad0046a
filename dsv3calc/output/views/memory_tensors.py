"""Tables of ``memory --by tensor``: each tensor of one layer with count, width, divisor, bytes."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.tags import Tags
from dsv3calc.model.saved import SHARED
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import Cell, Table, View, show, show_count
from dsv3calc.output.views.memory import heading, held_table, ranks_table

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_ACTIVATIONS = {
    "activations": "kept",
    "recomputed": "recomputed",
    "output_gradients": "gradient",
}
_OUTER = ("embedding", "head", "after")
_WORDS = {
    "embedding": "embedding",
    "head": "head",
    "after": "final norm",
    "mtp": "MTP module",
}
_MTP = {
    "memory.mtp": "beside MTP's layer",
    "memory.mtp.head": "of MTP's head",
}
_ENDS = {
    "embedding": "after the embedding",
    "head": "of final norm and head",
}
_SHORT = {"routed_experts": "routed ", "shared_experts": "shared "}
_STATES = ("weights", "gradients", "optimizer")

Held = list[tuple[Tags, "Line"]]
"""What a rank holds, by the tags of its lines, each with how many of it."""


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables of one rank: the fullest, or the one that was asked for."""
    named = answer.columns[0].ledger.named()
    rank = answer.query.get("rank", named["memory.worst.rank"].value)
    name = f"memory.rank.{rank}"
    held = _held(named[f"{name}.weights"])
    chunks = _chunks(named, name)
    tables = [
        ranks_table(named, exact=exact),
        _sums(named, rank, held, exact=exact),
        held_table(named, rank, exact=exact),
        _micro_batch(named, chunks, exact=exact),
    ]
    for each, count in held:
        if not each.group:
            continue
        title = _words(each) if count.value == 1 else f"one of {count.value:,} {_words(each)}"
        prefix = _prefix(each)
        tables.append(_states(named, [prefix], title, exact=exact))
        tables.append(_activations(named, prefix, "of one micro-batch", exact=exact))
        if each.group == "mtp":
            tables += [
                _activations(named, place, words, exact=exact) for place, words in _MTP.items()
            ]
    outer = [_prefix(each) for each, _ in held if each.component in _OUTER]
    if outer:
        tables.append(_states(named, outer, "outside the layers", exact=exact))
    ends = {each.component for _, kept in chunks for each, _ in kept}
    tables += [
        _activations(named, f"memory.{end}", words, exact=exact)
        for end, words in _ENDS.items()
        if end in ends
    ]
    words = f"tensors of a GPU of pipeline rank {rank}"
    return View([*heading(answer), words], tables)


def _held(line: Line) -> Held:
    """Return what a sum of products counts, as it stands there; nothing that there is none of."""
    pairs = zip(line.parts[::2], line.parts[1::2], strict=True)
    return [(each.tags, count) for count, each in pairs if count.value]


def _chunks(named: dict[str, Line], name: str) -> list[tuple[str, Held]]:
    """Return the chunks of a rank, and what keeps activations of a micro-batch there."""
    found: list[tuple[str, Held]] = []
    while f"{(chunk := f'{name}.chunk.{len(found)}')}.stage" in named:
        found.append((chunk, _held(named[f"{chunk}.activations"])))
    return found


def _words(tags: Tags) -> str:
    name = tags.group or tags.component
    return _WORDS.get(name, name)


def _prefix(tags: Tags) -> str:
    """Return what the names of the lines of a layer, or of what stands outside, begin with."""
    return f"memory.layer.{tags.group}" if tags.group else f"memory.{tags.component}"


def _sums(named: dict[str, Line], rank: int, held: Held, *, exact: bool) -> Table:
    """List layers and matrices that a rank holds, and its classes, which they add up to."""
    name = f"memory.rank.{rank}"
    rows = [
        [
            _words(each),
            show_count(count),
            *(show(named[f"{_prefix(each)}.{what}"], exact=exact) for what in _STATES),
        ]
        for each, count in held
    ]
    rows.append(["total", "", *(show(named[f"{name}.{what}"], exact=exact) for what in _STATES)])
    return Table("", [f"rank {rank}", "times", *_STATES], rows)


def _micro_batch(named: dict[str, Line], chunks: list[tuple[str, Held]], *, exact: bool) -> Table:
    """List what layers and head keep of a micro-batch, by stage."""
    rows = []
    waiting = any(f"{chunk}.activations.pending" in named for chunk, _ in chunks)
    for chunk, kept in chunks:
        rows.append([f"stage {named[f'{chunk}.stage'].value}"])
        for each, count in kept:
            prefix = _prefix(each)
            row = [f"  {_words(each)}", show_count(count)]
            row.append(show(_one(named, prefix, "activations"), exact=exact))
            rows.append([*row, *([show(_one(named, prefix, "pending"), exact=exact)] * waiting)])
        row = ["  total", "", show(named[f"{chunk}.activations"], exact=exact)]
        if waiting:
            row.append(show(named[f"{chunk}.activations.pending"], exact=exact))
        rows.append(row)
    return Table("", ["each micro-batch", "times", "in flight", *["waiting"] * waiting], rows)


def _one(named: dict[str, Line], prefix: str, what: str) -> Line | None:
    return named.get(f"{prefix}.all_{what}", named.get(f"{prefix}.{what}"))


def _arguments(line: Line) -> dict[str, Any]:
    return {name: getattr(value, "value", value) for name, value, _ in line.arguments}


def _factors(line: Line, elements: int, bits: float, *, exact: bool) -> list[Cell]:
    """Return elements, divisor and bytes of an element: what the formula of a line takes."""
    texts = (
        format_quantity(elements, "1", exact=exact),
        f"{_arguments(line)['divisor']:,}",
        f"{bits / 8:g}",
    )
    return [Cell(text, None, (line,)) for text in texts]


def _label(tags: Tags) -> str:
    return f"{_SHORT.get(tags.component, '')}{tags.tensor}"


def _activation_label(tags: Tags) -> str:
    return tags.tensor.replace("feed_forward", "ffn").replace("_", " ")


def _states(named: dict[str, Line], prefixes: list[str], title: str, *, exact: bool) -> Table:
    """List weights, gradients and optimizer states of tensors."""
    rows = []
    for prefix in prefixes:
        for line in named[f"{prefix}.weights"].parts:
            name = f"{line.tags.component}.{line.tags.tensor}"
            given = _arguments(line)
            others = [named.get(f"{prefix}.{what}.{name}") for what in _STATES[1:]]
            rows.append(
                [
                    _label(line.tags),
                    *_factors(line, given["elements"], given["bits"], exact=exact),
                    show(line, exact=exact),
                    *(show(other, exact=exact) for other in others),
                ]
            )
    if len(prefixes) == 1:
        sums = [show(named[f"{prefixes[0]}.{what}"], exact=exact) for what in _STATES]
        rows.append(["total", "", "", "", *sums])
    return Table("", [title, "elements", "over", "B/el", *_STATES], rows)


def _activations(named: dict[str, Line], prefix: str, title: str, *, exact: bool) -> Table:
    """List the activations of one micro-batch in one layer, kept or recomputed."""
    rows = []
    for what, words in _ACTIVATIONS.items():
        listed = named.get(f"{prefix}.{what}")
        for line in listed.parts if listed is not None else ():
            # Scattered outputs are a tensor times 1, or 0 where there is no tensor parallelism.
            if not line.arguments and not line.value:
                continue
            tensor = line if line.arguments else line.parts[0]
            given = _arguments(tensor)
            each = given["bits"]
            if given["scale_bits"]:
                each += given["scale_bits"] / given["group_size"]
            rows.append(
                [
                    _activation_label(line.tags),
                    *_factors(tensor, given["tokens"] * given["width"], each, exact=exact),
                    show(line, exact=exact),
                    "kept, shared" if words == "kept" and SHARED in line.convention else words,
                ]
            )
    for what, words in (*_ACTIVATIONS.items(), ("pending", "waiting")):
        listed = named.get(f"{prefix}.{what}")
        if listed is not None and listed.value:
            rows.append(["total", "", "", "", show(listed, exact=exact), words])
    headings = [title, "elements", "over", "B/el", "bytes", "activation"]
    return Table("", headings, rows, left=(5,))
