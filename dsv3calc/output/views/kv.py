"""Table of ``kv``: the cache per token, layer, sequence and batch, and what fits."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.kv_cache import PER_LAYER
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import Table, View, show, show_count
from dsv3calc.schema.layers import layer_groups, layers_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer


STEP = {
    "bytes": "while drafted tokens are verified",
    "verified": "  cache and state of the model",
    "state_copies": "  a state of each drafted token",
    "drafts": "  cache of the draft",
}


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    column = answer.columns[0]
    named = column.ledger.named()
    query = answer.query
    rows = [["per token, all layers", show(named["kv_cache.bytes_per_token"], exact=exact)]]
    growing = named["kv_cache.growing_bytes_per_token"]
    if growing.value != named["kv_cache.bytes_per_token"].value:
        rows.append(["per token, layers without a window", show(growing, exact=exact)])
    per_layer = "kv_cache.bytes_per_token_per_layer"
    if per_layer in named:
        rows.append(["per token and layer", show(named[per_layer], exact=exact)])
    else:
        lines = [line for line in column.ledger.lines if line.tags.quantity == PER_LAYER]
        whose = _layers(answer)
        rows += [
            [f"per token and layer, {whose(line.tags.group)}", show(line, exact=exact)]
            for line in lines
        ]
    rows += _kept(named, query, exact=exact)
    rows.append(
        [
            f"per sequence of {query['tokens']:,} tokens",
            show(named["kv_cache.bytes_per_sequence"], exact=exact),
        ]
    )
    if query["batch"] != 1:
        rows.append([f"batch of {query['batch']:,}", show(named["kv_cache.bytes"], exact=exact)])
    if "kv_cache.step.bytes" in named:
        rows += [
            [words, show(named[f"kv_cache.step.{name}"], exact=exact)]
            for name, words in STEP.items()
            if named[f"kv_cache.step.{name}"].value
        ]
    if "fit" in query:
        memory = format_quantity(query["fit"], "B", exact=exact)
        rows += [
            [
                f"{query['tokens']:,}-token sequences that fit in {memory}",
                show_count(named["kv_cache.fit.sequences"]),
            ]
        ]
        longest = named.get("kv_cache.fit.tokens")
        if longest is not None:
            each = "" if query["batch"] == 1 else f", each of {query['batch']:,} sequences"
            rows.append(
                [f"longest context that fits in {memory}{each}", show_count(longest, "tokens")]
            )
    pages = f", pages of {query['page_size']:,} tokens" if "page_size" in query else ""
    heading = f"{column.title}: KV cache in {query['kv_dtype']}{pages}"
    return View(heading, [Table("", ["KV cache", "bytes"], rows)])


def _layers(answer: Answer) -> Callable[[str], str]:
    """Return what says which layers a group is: ``groups.1``, or the MTP module."""
    model = next(preset.value for preset in answer.presets if preset.kind == "model")
    owner = layer_groups(model.num_hidden_layers, [group.layers for group in model.groups])

    def words(group: str) -> str:
        name, _, index = group.partition(".")
        if not index.isdecimal():
            return f"of {group}"
        return f"{layers_in_words(owner, int(index))} ({name} {index})"

    return words


def _kept(named: dict[str, Line], query: dict[str, Any], *, exact: bool) -> list[list[str]]:
    """List what a sequence keeps however long it is, and the copies of its state."""
    rows = []
    windows, state = named["kv_cache.window_bytes_per_sequence"], named["state.bytes_per_sequence"]
    if windows.value:
        rows.append(["windows per sequence, when full", show(windows, exact=exact)])
    if state.value:
        kept = dict.fromkeys(line.convention for line in state.parts)
        rows.append([f"state per sequence, {' and '.join(kept)}", show(state, exact=exact)])
    copies = named.get("state.copies_bytes_per_sequence")
    if copies is not None and copies.value:
        each = f"{query['state_interval']:,}"
        rows.append([f"copies of the state, each {each} tokens", show(copies, exact=exact)])
    return rows
