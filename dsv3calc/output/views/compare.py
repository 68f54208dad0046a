"""Table of ``compare``: quantities down, designs across, ratios to the baseline beside."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.output.view import Cell, Table, View, show
from dsv3calc.studies.compare.rows import WEIGHT_PRECISIONS

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_BOUNDS = (
    ("compute_time", "compute time, at least"),
    ("memory_time", "memory time, at least"),
    ("intensity", "FLOP per byte"),
    ("ridge", "  at the ridge"),
    ("tokens_per_gpu_second", "tokens/GPU-s, at most"),
)
BOUND_PHASES = {"prefill bounds/token": "prefill", "decode bounds/token": "decode"}
"""Section of bounds -> its phase."""

_LINKS = (("scale_up", "scale-up"), ("scale_out", "scale-out"))

ROWS = (
    (
        "parameters",
        (
            ("parameters.total", "total"),
            ("parameters.active", "active per token"),
            ("parameters.active_share", "active share"),
        ),
    ),
    (
        "weights",
        (
            ("weights.bytes", "{precision}"),
            ("weights.in.bf16.bytes", "bf16"),
            ("weights.in.fp8-deepseek-v3.bytes", "fp8 (deepseek-v3)"),
            ("weights.in.int4.bytes", "int4"),
        ),
    ),
    (
        "training per token",
        (
            ("flops.train.per_token_by_attention.causal", "causal attention"),
            ("flops.train.per_token_by_attention.full", "full, masked too"),
            ("flops.train.per_token_by_attention.half", "half, S²/2"),
        ),
    ),
    ("training per token, {bundle}", (("flops.train.per_token", "total"),)),
    ("decode per token", (("flops.decode.per_token", "{context} cached"),)),
    (
        "KV cache{kv_dtype}",
        (
            ("kv_cache.bytes_per_token", "per token"),
            ("state.bytes_per_sequence", "state"),
            ("kv_cache.bytes_per_sequence", "{context} tokens"),
            ("kv_cache.bytes", "batch of {batch}"),
        ),
    ),
    *(
        (section, tuple((f"roofline.{phase}.{name}", words) for name, words in _BOUNDS))
        for section, phase in BOUND_PHASES.items()
    ),
    (
        "training memory of the fullest GPU",
        (
            *(
                (f"memory.worst.{part}", part)
                for part in ("weights", "gradients", "optimizer", "activations", "buffers")
            ),
            ("memory.worst.total", "total"),
            ("memory.usable", "usable"),
            ("memory.free", "free"),
            ("memory.fits", "fits"),
        ),
    ),
    (
        "serving memory of the fullest GPU",
        (
            ("serving.weights", "weights"),
            ("serving.buffers", "buffers"),
            ("serving.kv_bytes", "cache of the batch"),
            ("serving.total", "total"),
            ("serving.budget", "budget"),
            ("serving.free", "free"),
            ("serving.fits", "fits"),
            ("serving.kv_pool", "KV pool"),
            ("serving.kv_tokens", "tokens in the pool"),
            ("serving.max_sequences", "sequences that fit"),
            ("serving.longest_context", "longest context"),
        ),
    ),
    (
        "a pass",
        (
            ("time.bound", "bound"),
            ("time.floor", "floor"),
            ("time.estimate", "estimate"),
            ("time.p10", "  p10 of measurements"),
            ("time.p90", "  p90 of measurements"),
            ("time.kernels.floor", "kernels of a GPU, floor"),
            ("time.kernels.estimate", "  estimate"),
            ("time.communication.floor", "communication, floor"),
            ("time.communication.estimate", "  what the estimate does not hide"),
            ("time.tokens_per_second_per_gpu.bound", "tokens/s of a GPU, bound"),
            ("time.tokens_per_second_per_gpu.floor", "  floor"),
            ("time.tokens_per_second_per_gpu.estimate", "  estimate"),
        ),
    ),
    (
        "a training step",
        (
            ("train.gpus", "GPUs"),
            ("train.step.bound", "bound"),
            ("train.step.floor", "floor"),
            ("train.step.estimate", "estimate"),
            ("train.step.p10", "  p10 of measurements"),
            ("train.step.p90", "  p90 of measurements"),
            ("train.phase.1f1b", "overlapped pairs of passes"),
            ("train.phase.1f", "forward"),
            ("train.phase.1b", "gradients of inputs"),
            ("train.phase.1w", "gradients of weights"),
            ("train.phase.bubble", "bubble"),
            ("train.phase.optimizer", "optimizer"),
            ("train.tokens_per_second", "tokens/s"),
            ("train.mfu.causal", "MFU, causal attention"),
            ("train.hfu", "HFU, causal attention"),
            ("train.gpu_hours", "GPU-hours of the run"),
            ("train.dollars", "price of the run"),
            ("train.energy", "energy of the run"),
            ("train.energy_per_token", "energy of a token"),
            ("train.memory.worst.total", "memory of the fullest GPU"),
            ("train.memory.fits", "fits"),
        ),
    ),
    (
        "a server",
        (
            ("serve.batch", "sequences of a replica"),
            ("serve.max_batch", "sequences that fit"),
            ("serve.fits", "fits"),
            ("serve.concurrency", "sequences of the instance"),
            ("serve.held", "memory of a GPU"),
            ("serve.tokens_per_step", "tokens of a sequence in a step"),
            ("serve.tpot.bound", "time per output token, bound"),
            ("serve.tpot.floor", "  floor"),
            ("serve.tpot.estimate", "  estimate"),
            ("serve.tpot.p10", "  p10 of measurements"),
            ("serve.tpot.p90", "  p90 of measurements"),
            ("serve.tpot.serial", "  serial"),
            ("serve.tpot.overlapped", "  overlapped"),
            ("serve.tokens_per_second_per_user", "tokens/s of a sequence"),
            ("serve.tokens_per_second_per_gpu.decode", "output tokens/s of a GPU"),
            ("serve.tokens_per_second", "output tokens/s of the instance"),
            ("serve.tokens_per_second_per_gpu.prefill", "computed input tokens/s of a GPU"),
            ("serve.ttft", "time to the first token, without load"),
            ("serve.aggregated.tpot", "time per output token, prefill beside it"),
            (
                "serve.aggregated.tokens_per_second_per_gpu",
                "output tokens/s of a GPU that does both",
            ),
            ("serve.prefill_gpus_per_decode_gpu", "prefill GPUs for each decode GPU"),
            ("serve.disaggregated.tokens_per_second_per_gpu", "output tokens/s of a GPU of both"),
            ("serve.energy_per_token", "energy of a token"),
            ("serve.dollars_per_million.output", "price per million output tokens"),
            ("serve.dollars_per_million.input", "price per million computed input tokens"),
            ("serve.dollars_per_million.input_billed", "price per million billed input tokens"),
        ),
    ),
    (
        "expert traffic of a GPU",
        (
            ("traffic.copies_per_token.gpu", "copies per token, by GPU"),
            ("traffic.copies_per_token.node", "copies per token, by node"),
            *(
                (f"traffic.{way}.{link}_bytes_per_token", f"{way}, {words}, per token")
                for way in ("dispatch", "combine")
                for link, words in _LINKS
            ),
            *((f"traffic.step.{link}_bytes", f"a step, {words}") for link, words in _LINKS),
            ("traffic.distinct_experts_per_gpu", "distinct experts used"),
            ("traffic.time_per_layer", "time per layer, at least"),
            ("traffic.achieved.time_per_layer", "  at achieved bandwidths"),
        ),
    ),
)
"""Section -> the lines shown in it and their labels."""

_WHERE_PRESENT = ("state.bytes_per_sequence",)
"""Lines that are shown where one of the designs has something of it."""

WITHOUT_RATIO = (
    "parameters.active_share",
    "state.bytes_per_sequence",
    *(f"roofline.{phase}.ridge" for phase in BOUND_PHASES.values()),
)
"""Lines that are a share, that many designs have none of, or that a device alone decides."""

SETTINGS = {
    "hardware": "device",
    "layout": "layout",
    "setup": "set-up",
    "precision": "precision",
    "kv_dtype": "KV format",
    "batch": "batch",
    "context": "context",
    "sequence": "new tokens",
}
"""Setting of a column -> its words."""


YES_OR_NO = ("memory.fits", "serving.fits", "train.memory.fits", "serve.fits")
"""Lines that are 1 or 0."""


OTHER_WEIGHTS = {f"weights.in.{name}.bytes": name for name in WEIGHT_PRECISIONS}
"""Line of the weights in a precision that is shown for every design -> the precision."""


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table."""
    query = answer.query
    named = [column.ledger.named() for column in answer.columns]
    words = _words(answer)
    rows = _settings(answer)
    bundle = query.get("library") or query.get("convention")
    for section, quantities in ROWS:
        if ("{bundle}" in section) != bool(bundle) and section.startswith("training per"):
            continue
        found = []
        for name, label in quantities:
            if not any(name in lines for lines in named):
                continue
            if name in _WHERE_PRESENT and not any(lines[name].value for lines in named):
                continue
            if name == "kv_cache.bytes" and query.get("batch") == 1:
                continue
            if name in OTHER_WEIGHTS and OTHER_WEIGHTS[name] == query.get("precision"):
                continue  # the row above it
            found.append(
                [f"  {label.format_map(words)}", *(_cell(lines, name, exact) for lines in named)]
            )
        if found:
            if section in BOUND_PHASES:
                phase = BOUND_PHASES[section]
                found.append(["  bound by", *(_binding(lines, phase) for lines in named)])
            rows += [[section.format_map(words)], *found]
    headings = ["", *_titles(answer)]
    return View(_heading(answer), [Table("", headings, rows)])


def _titles(answer: Answer) -> list[str]:
    """Return the headings of the columns: what is different, where all are of one model."""
    titles = [column.title for column in answer.columns]
    model = titles[0].partition(":")[0]
    if len(titles) > 1 and all(title.startswith(f"{model}:") for title in titles):
        titles = [title.removeprefix(f"{model}:") for title in titles]
    return [title.replace(",", ", ") for title in titles]


def _words(answer: Answer) -> dict[str, str]:
    """Return what labels say of what all columns have in common."""
    query = answer.query
    words = {"precision": query.get("precision", "own precision")}
    for name in ("context", "batch"):
        words[name] = f"{query[name]:,}" if name in query else name
    words["kv_dtype"] = f", {query['kv_dtype']}" if "kv_dtype" in query else ""
    words["bundle"] = query.get("library") or query.get("convention") or ""
    return words


def _settings(answer: Answer) -> list[list[str]]:
    """Show what each column is counted with: its precision, and in what it differs."""
    rows = []
    for name, label in SETTINGS.items():
        values = [column.settings[name] for column in answer.columns]
        if len(set(values)) > 1 or name == "precision":
            shown = [f"{each:,}" if isinstance(each, int) else each or "-" for each in values]
            rows.append([label, *shown])
    return rows


def _heading(answer: Answer) -> str:
    """Say what all columns have in common."""
    query = answer.query
    told = [query[name] for name in ("hardware", "layout") if name in query]
    told += [f"batch {query['batch']:,}"] if "batch" in query else []
    work = [
        f"training and prefill of {query['sequence']:,} tokens" if _passes(query) else "",
        f"decode at {query['context']:,}" if "context" in query else "",
    ]
    parts = [", ".join(told), ", ".join(filter(None, work)), f"ratios to {query['baseline']}"]
    return "; ".join(filter(None, parts))


def _passes(query: dict[str, Any]) -> bool:
    """Say whether what is shown depends on the new tokens of each sequence."""
    still = {"parameters", "weights", "kv_cache"} | ({"memory"} if query.get("serve") else set())
    return "sequence" in query and not ("rows" in query and still.issuperset(query["rows"]))


def _cell(lines: dict[str, Line], name: str, exact: bool) -> str:  # noqa: FBT001
    if name in YES_OR_NO and name in lines:
        return "yes" if lines[name].value else "no"
    text = show(lines.get(name), exact=exact)
    ratio = lines.get(f"ratio_to_baseline.{name}")
    if ratio is None or name in WITHOUT_RATIO or ratio.value == 1:
        return text
    return Cell(f"{text} ({_times(ratio.value)})", lines[name])


def _times(value: float) -> str:
    if 0.1 <= value < 10:  # noqa: PLR2004 - where two decimals say enough
        return f"{value:.2f}x"
    if 0.001 <= value < 1000:  # noqa: PLR2004
        return f"{value:.3g}x" if value >= 1 else f"{value:.2g}x"
    return f"{value:.1e}x"


def _binding(lines: dict[str, Line], phase: str) -> str:
    compute, memory = (
        lines[f"roofline.{phase}.{kind}_time"].value for kind in ("compute", "memory")
    )
    return "compute" if compute >= memory else "memory"
