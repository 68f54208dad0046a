"""Tables of ``memory --serve``: what a GPU holds, and how much cache fits beside it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.serving import UNTIL_LET_GO
from dsv3calc.output.view import Table, View, show, show_count
from dsv3calc.output.views.memory import size_rows

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    named = answer.columns[0].ledger.named()
    query = answer.query
    heading = [
        (
            f"{answer.columns[0].title}: serving memory of one GPU on {answer.layout}, "
            f"{query['hardware']}"
        ),
        (
            f"{query['precision']}; cache in {query['kv_dtype']}, pages of {query['page_size']:,}; "
            f"{query['batch']:,} x {query['context']:,} tokens per replica"
        ),
    ]
    return View(heading, [_held(answer, named, exact=exact), _cache(answer, named, exact=exact)])


def _held(answer: Answer, named: dict[str, Line], *, exact: bool) -> Table:
    rank = named["serving.rank"].value
    buffers = [
        [f"  {line.tags.quantity.replace('_', ' ')}", show(line, exact=exact)]
        for line in named[f"serving.rank.{rank}.buffers"].parts
        if line.value
    ]
    fits = bool(named["serving.fits"].value)
    share = 100 * answer.query["memory_fraction"]
    words = f"budget ({share:g} % of usable on {answer.query['hardware']})"
    sizes = {
        "weights": named["serving.weights"],
        "buffers": named["serving.buffers"],
        "cache of the batch": named["serving.kv_bytes"],
        "total": named["serving.total"],
        words: named["serving.budget"],
        "free" if fits else "over by": named["serving.free"],
    }
    rows = size_rows(sizes, exact=exact)
    rows = [*rows[:2], *buffers, *rows[2:], ["fits", "yes" if fits else "no"]]
    place = "one GPU" if "serving.rank.1.weights" not in named else f"a GPU of rank {rank}"
    return Table("", [place, "bytes"], rows)


def _cache(answer: Answer, named: dict[str, Line], *, exact: bool) -> Table:
    query = answer.query
    rows = [
        ["KV pool", show(named["serving.kv_pool"], exact=exact)],
        ["per token", show(named["serving.kv_bytes_per_token"], exact=exact)],
        [
            f"per sequence of {query['context']:,} tokens",
            show(named["serving.kv_bytes_per_sequence"], exact=exact),
        ],
    ]
    tokens = named["serving.kv_tokens"]
    sequences = [
        f"{query['context']:,}-token sequences that fit",
        show_count(named["serving.max_sequences"]),
    ]
    rank = named["serving.rank"].value
    if named[f"serving.rank.{rank}.kv_tokens"].convention == UNTIL_LET_GO:
        rows[1][0] = "per token, before it leaves a window"
        held = show_count(named["serving.sequence_tokens"])
        rows += [
            sequences,
            ["  their tokens", held],
            ["tokens that fit before any leaves a window", show_count(tokens)],
        ]
    else:
        rows += [["tokens in the pool", show_count(tokens)], sequences]
    longest = named.get("serving.longest_context")
    if longest is not None:
        each = "" if query["batch"] == 1 else f" in each of {query['batch']:,} sequences"
        rows.append([f"longest context that fits{each}", show_count(longest, "tokens")])
    return Table("", ["KV cache of a replica, on each of its GPUs", ""], rows)
