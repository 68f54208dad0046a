"""Tables of ``serve``: the time per output token, rates, sequences that fit."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Table, View, show, show_count
from dsv3calc.output.views.serve_curve import headline

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_AXES = ("tp", "dp", "pp", "ep", "etp", "dcp")

_TPOT = (
    ("bound", "bound: at peaks, everything overlapped"),
    ("floor", "floor: kernels at measured rates"),
    ("estimate", "estimate"),
    ("serial", "  serial: kernels, then exchanges"),
    ("overlapped", "  overlapped: two half batches take turns"),
)
_HOST = (
    ("serve.host_seconds.bound", "experts by the host's CPUs, bound"),
    ("serve.host_seconds.floor", "experts by the host's CPUs, floor"),
    ("serve.host_bytes", "experts in the host's memory"),
    ("serve.host_free", "  free on the host"),
)
_RATES = (
    ("serve.tokens_per_step", "tokens of a sequence in a step"),
    ("serve.tokens_per_second_per_gpu.decode", "tokens/s of a GPU"),
    ("serve.tokens_per_second_per_user", "tokens/s of a sequence"),
    ("serve.tokens_per_second", "tokens/s of the instance"),
    ("serve.balancedness", "balancedness of the experts"),
)
_PREFILL = (
    ("serve.prefill.bound", "pass, bound"),
    ("serve.prefill.floor", "pass, floor"),
    ("serve.prefill.estimate", "pass, estimate"),
    ("serve.tokens_per_second_per_gpu.prefill", "computed tokens/s of a GPU"),
    ("serve.transfer.bytes", "cache of a prompt to the GPUs that decode"),
    ("serve.transfer.seconds", "  its transfer"),
    ("serve.transfer.wait", "  not hidden by prefill"),
    ("serve.ttft", "time to the first token, without load"),
)
_SHARED = (
    ("serve.prefill_gpus_per_decode_gpu", "prefill GPUs for each decode GPU"),
    ("serve.disaggregated.tokens_per_second_per_gpu", "output tokens/s of a GPU of both"),
    (
        "serve.disaggregated.one_of_each.tokens_per_second_per_gpu",
        "  with one instance of each",
    ),
    ("serve.aggregated.interference", "prefill between two decode steps"),
    ("serve.aggregated.tpot", "time per output token with it"),
    ("serve.aggregated.tokens_per_second_per_gpu", "output tokens/s of a GPU that does both"),
    ("serve.energy_per_token", "energy of an output token"),
    ("serve.dollars_per_million.output", "price per million output tokens"),
    ("serve.dollars_per_million.input", "price per million computed input tokens"),
    ("serve.dollars_per_million.input_billed", "price per million billed input tokens"),
)
_ANSWER = (
    ("serve.answer.first_token", "first token"),
    ("serve.answer.seconds", "whole response"),
    ("serve.answer.average_context", "tokens before one of its tokens, on average"),
    ("serve.answer.average_cache_bytes", "  cache of these"),
    ("serve.answer.final_cache_bytes", "cache at its end"),
    ("serve.answer.gpu_seconds", "GPU time"),
    ("serve.answer.dollars", "  its price"),
    ("serve.answer.energy", "  its energy"),
)
_LEARNING = (
    ("serve.rl.longest_seconds", "longest response"),
    ("serve.rl.longest_over_mean", "  over the average one"),
    ("serve.rl.waves", "waves of responses"),
    ("serve.rl.rollout_seconds", "all responses"),
    ("serve.rl.rollout_flops", "FLOPs of the responses"),
    ("serve.rl.log_probability_flops", "  of their log-probabilities, one model"),
    ("serve.rl.training_flops", "  of training on them"),
    ("serve.rl.weight_sync_seconds", "new weights to this instance"),
)
_COUNTS = (
    ("serve.concurrency", "sequences of the instance"),
    ("serve.max_batch", "sequences of a replica that fit"),
)


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    column = answer.columns[0]
    named = column.ledger.named()
    query = answer.query
    place = f"{query['hardware']}, {answer.layout}"
    fewest = named.get("serve.fewest_gpus")
    if fewest is not None:
        place = f"the fewest GPUs, {fewest.value:,} {query['hardware']}"
    heading = [
        f"{column.title}: serving on {place}",
        f"batch {query['batch']:,}, {query['context']:,} cached",
    ]
    fits = named["serve.fits"]
    if not fits.value:
        heading.insert(0, "DOES NOT FIT: the times are those of a memory that is large enough")
    by = headline(named)
    tables = [_tpot(named, query.get("setup"), exact=exact), _rates(named, by, exact=exact)]
    sections = (
        ("host", _HOST),
        ("prefill", _PREFILL),
        ("requests", _SHARED),
        ("one response", _ANSWER),
        ("a step of reinforcement learning", _LEARNING),
    )
    for title, wanted in sections:
        rows = [[words, show(named[name], exact=exact)] for name, words in wanted if name in named]
        if rows:
            tables.append(Table("", [title, ""], rows))
    if fewest is not None:
        tables.insert(0, _fewest(named))
    return View(heading, tables)


def _fewest(named: dict[str, Line]) -> Table:
    first = "serve.fewest_gpus"
    rows = [["GPUs", show_count(named[first])]]
    for axis in (*_AXES, "redundant_experts"):
        line = named.get(f"{first}.{axis}")
        if line is not None:
            rows.append([axis.replace("_", " "), show_count(line)])
    return Table("", ["fewest GPUs that are enough", ""], rows)


def _tpot(named: dict[str, Line], setup: str | None, *, exact: bool) -> Table:
    rows = []
    for what, words in _TPOT:
        line = named.get(f"serve.tpot.{what}")
        if line is None:
            continue
        label = f"{words}, {setup or 'as fitted to the host'}" if what == "estimate" else words
        rows.append([label, show(line, exact=exact)])
        if what == "estimate":
            for end in ("p10", "p90"):
                if f"serve.tpot.{end}" in named:
                    band = show(named[f"serve.tpot.{end}"], exact=exact)
                    rows.append([f"  {end} of measurements", band])
    return Table("", ["time per output token, the mean", ""], rows)


def _rates(named: dict[str, Line], by: str, *, exact: bool) -> Table:
    rows = [[words, show(named[name], exact=exact)] for name, words in _RATES if name in named]
    rows += [[words, show_count(named[name])] for name, words in _COUNTS if name in named]
    return Table("", [f"by the {by}", ""], rows)
