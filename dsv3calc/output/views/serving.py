"""Tables of ``memory --serve``: what a GPU holds, and how much cache fits beside it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.serving import UNTIL_LET_GO
from dsv3calc.output.view import Table, View, show, show_count
from dsv3calc.output.views.memory import size, size_rows

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer


_SHARE_OF = {
    "free": "of what remains after weights and buffers",
    "static": "of the device with the weights",
}
"""Kind of pool -> what the share of an engine is taken of."""

_HOST = {
    "serving.host_bytes": "experts in the host's memory",
    "serving.host_free": "  free on the host",
}


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    named = answer.columns[0].ledger.named()
    return View(
        heading(answer), [_held(answer, named, exact=exact), _cache(answer, named, exact=exact)]
    )


def heading(answer: Answer) -> list[str]:
    """Say what was counted, in two lines; first that it cannot be loaded, where that is so."""
    query = answer.query
    refused = f"cannot be loaded by {query['setup']}: a GPU would hold parts of quantisation blocks"
    loadable = answer.columns[0].ledger.named()["serving.loadable"].value
    return [
        *([] if loadable else [refused]),
        (
            f"{answer.columns[0].title}: serving memory of one GPU on {answer.layout}, "
            f"{query['hardware']}"
        ),
        (
            f"{query['precision']}; cache in {query['kv_dtype']}, pages of {query['page_size']:,}; "
            f"{query['batch']:,} x {query['context']:,} tokens per replica"
        ),
    ]


def budget_words(answer: Answer) -> str:
    """Name what a GPU has for serving."""
    words = f"usable on {answer.query['hardware']}"
    if answer.query["pool"] == "device":
        return f"budget ({100 * answer.query['memory_fraction']:g} % of {words})"
    return words


def _held(answer: Answer, named: dict[str, Line], *, exact: bool) -> Table:
    rank = named["serving.rank"].value
    buffers = [
        [f"  {line.tags.quantity.replace('_', ' ')}", size(line, exact=exact)]
        for line in named[f"serving.rank.{rank}.buffers"].parts
        if line.value
    ]
    sizes = {
        "weights": named["serving.weights"],
        "buffers": named["serving.buffers"],
        "cache of the batch": named["serving.kv_bytes"],
        "total": named["serving.total"],
        budget_words(answer): named["serving.budget"],
        "over by" if named["serving.free"].value < 0 else "free": named["serving.free"],
    }
    for name, words in _HOST.items():
        if name in named:
            sizes[words] = named[name]
    rows = size_rows(sizes, exact=exact)
    rows = [*rows[:2], *buffers, *rows[2:]]
    if named["serving.loadable"].value:
        rows.append(["fits", _verdict(named)])
    else:
        rows += [["can be loaded", "no"], ["its bytes would fit", _verdict(named)]]
    place = "one GPU" if "serving.rank.1.weights" not in named else f"a GPU of rank {rank}"
    return Table("", [place, "bytes"], rows)


def _verdict(named: dict[str, Line]) -> str:
    if named["serving.fits"].value:
        return "yes"
    return "no" if named["serving.free"].value < 0 else "no: the cache exceeds the pool"


def _of_what(answer: Answer) -> str:
    """Say which share of the device an engine gives its cache, where that is not what is left."""
    share = answer.query["memory_fraction"]
    if answer.query["pool"] == "device":
        return ""
    if share is None:
        return ", beside what the engine reserves"
    return f" ({100 * share:g} % {_SHARE_OF[answer.query['pool']]})"


def _cache(answer: Answer, named: dict[str, Line], *, exact: bool) -> Table:
    query = answer.query
    rows = [
        [f"KV pool{_of_what(answer)}", size(named["serving.kv_pool"], exact=exact)],
        ["per token", show(named["serving.kv_bytes_per_token"], exact=exact)],
        [
            f"per sequence of {query['context']:,} tokens",
            show(named["serving.kv_bytes_per_sequence"], exact=exact),
        ],
    ]
    state = named["serving.state_bytes_per_sequence"]
    if state.value:
        rows.insert(2, ["state per sequence", show(state, exact=exact)])
    tokens = named.get("serving.kv_tokens")
    sequences = [
        f"{query['context']:,}-token sequences that fit",
        show_count(named["serving.max_sequences"]),
    ]
    rank = named["serving.rank"].value
    if tokens is None:
        rows.append(sequences)
    elif named[f"serving.rank.{rank}.kv_tokens"].convention == UNTIL_LET_GO:
        rows[1][0] = "per token, before it leaves a window"
        held = show_count(named["serving.sequence_tokens"])
        rows += [
            sequences,
            ["  their tokens", held],
            ["tokens that fit before any leaves a window", show_count(tokens)],
        ]
    else:
        beside = ", beside the batch's states" if state.value else ""
        rows += [[f"tokens in the pool{beside}", show_count(tokens)], sequences]
    longest = named.get("serving.longest_context")
    if longest is not None:
        each = "" if query["batch"] == 1 else f" in each of {query['batch']:,} sequences"
        rows.append([f"longest context that fits{each}", show_count(longest, "tokens")])
    return Table("", ["KV cache of a replica, on each of its GPUs", ""], rows)
