"""Table of ``kv``: the cache per token, layer, sequence and batch, and what fits."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.kv_cache import PER_LAYER
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import Table, View, show

if TYPE_CHECKING:
    from dsv3calc.studies.answer import Answer


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    column = answer.columns[0]
    named = column.ledger.named()
    query = answer.query
    rows = [["per token, all layers", show(named["kv_cache.bytes_per_token"], exact=exact)]]
    growing, state = named["kv_cache.growing_bytes_per_token"], named["state.bytes_per_sequence"]
    if growing.value != named["kv_cache.bytes_per_token"].value:
        rows.append(["per token, layers without a window", show(growing, exact=exact)])
    per_layer = "kv_cache.bytes_per_token_per_layer"
    if per_layer in named:
        rows.append(["per token and layer", show(named[per_layer], exact=exact)])
    else:
        for line in column.ledger.lines:
            if line.tags.quantity == PER_LAYER:
                label = line.tags.group.replace(".", " ")
                rows.append([f"per token and layer of {label}", show(line, exact=exact)])
    if state.value:
        rows.append(["state per sequence, however long", show(state, exact=exact)])
    rows.append(
        [
            f"per sequence of {query['tokens']:,} tokens",
            show(named["kv_cache.bytes_per_sequence"], exact=exact),
        ]
    )
    if query["batch"] != 1:
        rows.append([f"batch of {query['batch']:,}", show(named["kv_cache.bytes"], exact=exact)])
    if "fit" in query:
        memory = format_quantity(query["fit"], "B", exact=exact)
        rows += [
            [
                f"{query['tokens']:,}-token sequences that fit in {memory}",
                f"{named['kv_cache.fit.sequences'].value:,}",
            ]
        ]
        longest = named.get("kv_cache.fit.tokens")
        if longest is not None:
            each = "" if query["batch"] == 1 else f", each of {query['batch']:,} sequences"
            rows.append(
                [f"longest context that fits in {memory}{each}", f"{longest.value:,} tokens"]
            )
    pages = f", pages of {query['page_size']:,} tokens" if "page_size" in query else ""
    heading = f"{column.title}: KV cache in {query['kv_dtype']}{pages}"
    return View(heading, [Table("", ["KV cache", "bytes"], rows)])
