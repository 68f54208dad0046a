"""Sections of ``compare`` about a layout: the queries of other commands, asked for each column."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.errors import UsageError
from dsv3calc.queries.fields import fields_of, keys_of
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.queries.serve import ServeQuery
from dsv3calc.queries.time import TimeQuery
from dsv3calc.queries.traffic import TrafficQuery
from dsv3calc.queries.train import TrainQuery
from dsv3calc.studies.layout.choose import SERVING_PHASES, phase_of
from dsv3calc.studies.preset_loader import PresetLoader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.base import CompareQuery
    from dsv3calc.queries.layout import LayoutQuery
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer

QUERIES: dict[str, type[LayoutQuery]] = {
    "memory": MemoryQuery,
    "traffic": TrafficQuery,
    "time": TimeQuery,
    "train": TrainQuery,
    "serve": ServeQuery,
}
"""Section -> the query whose answer it shows."""

WHERE_PLACED = ("memory", "traffic")
"""Sections that are shown where a column has a layout; the others where they are asked for."""

LINES = {
    "memory": (
        *(
            f"memory.worst.{part}"
            for part in (
                "rank", "weights", "gradients", "optimizer", "activations", "buffers", "allocated",
                "reserved", "total",
            )
        ),
        *(f"memory.{part}" for part in ("usable", "free", "fits")),
        *(
            f"serving.{part}"
            for part in (
                "weights", "buffers", "kv_bytes", "total", "budget", "free", "fits", "kv_pool",
                "kv_tokens", "max_sequences", "longest_context",
            )
        ),
    ),
    "traffic": tuple(
        f"traffic.{part}"
        for part in (
            "copies_per_token.gpu", "copies_per_token.node", "dispatch.scale_up_bytes_per_token",
            "dispatch.scale_out_bytes_per_token", "combine.scale_up_bytes_per_token",
            "combine.scale_out_bytes_per_token", "micro_batch.scale_up_bytes",
            "micro_batch.scale_out_bytes", "step.scale_up_bytes", "step.scale_out_bytes",
            "distinct_experts_per_gpu", "time_per_layer", "achieved.time_per_layer",
        )
    ),
    "time": tuple(
        f"time.{part}"
        for part in (
            "bound", "floor", "estimate", "p10", "p90", "compute_time", "memory_time",
            *(f"{part}.{what}" for part in (
                "kernels", "communication", "tokens_per_second", "tokens_per_second_per_gpu",
            ) for what in ("bound", "floor", "estimate")),
        )
    ),
    "train": tuple(
        f"train.{part}"
        for part in (
            "gpus", "step.bound", "step.floor", "step.estimate", "step.p10", "step.p90",
            "phase.1f1b", "phase.1f", "phase.1b", "phase.1w", "phase.bubble", "phase.optimizer",
            "tokens_per_second", "mfu.causal", "hfu", "gpu_hours", "dollars", "energy",
            "energy_per_token", "memory.worst.total", "memory.fits",
        )
    ),
    "serve": tuple(
        f"serve.{part}"
        for part in (
            "batch", "max_batch", "fits", "concurrency", "held", "tokens_per_step",
            *(f"tpot.{what}" for what in (
                "bound", "floor", "estimate", "p10", "p90", "serial", "overlapped",
            )),
            "tokens_per_second_per_user", "tokens_per_second_per_gpu.decode", "tokens_per_second",
            "tokens_per_second_per_gpu.prefill", "ttft", "aggregated.tpot",
            "aggregated.tokens_per_second_per_gpu", "prefill_gpus_per_decode_gpu",
            "disaggregated.tokens_per_second_per_gpu",
            "energy_per_token",
            *(f"dollars_per_million.{what}" for what in ("output", "input", "input_billed")),
        )
    ),
}  # fmt: skip
"""Section -> the lines of its answer that are compared, where it has them."""

WITHOUT_RATIO = (
    "memory.worst.rank", "memory.free", "memory.fits", "serving.free", "serving.fits",
    "serve.fits", "train.memory.fits",
)  # fmt: skip
"""Lines that may be negative, or are numbers of a kind that has no ratio."""

_SHARED = ("hardware", "layout", "setup", "precision", "with_mtp", "serve")
_WORKLOADS = {
    "train": ("sequence",),
    "prefill": ("batch", "sequence", "kv_dtype"),
    "decode": ("batch", "context", "kv_dtype"),
}
"""Phase -> what of the comparison's workload a query is asked with."""
_KINDS_OF_TRAINING, _KINDS_OF_SERVING = {"recipe", "recompute"}, {"kv_format"}
_PHASES = {"train": "train", "serve": "decode"}
"""Section -> the phase that it is about, where no layout decides it."""


def instance_lines(
    section: str,
    query: CompareQuery,
    loader: PresetLoader,
    model: Preset[Model],
    own: Mapping[str, Any],
) -> tuple[list[Line], Answer]:
    """Answer the query of a section for one column.

    Parameters
    ----------
    query
        The comparison with the options of the column.
    loader
        The loader of the column, which has its overrides.
    own
        The options of the section in the column that are not the comparison's, by field.

    Raises
    ------
    UsageError, InvalidInput
        As the column is wrong.
    """
    if not (own.get("hardware") or query.hardware):
        raise UsageError(f"--rows {section} needs a device", "give --hardware, or hardware=h800")
    struct = QUERIES[section]
    fields = fields_of(struct)
    values = {name: getattr(query, name) for name in _SHARED if name in fields}
    values |= {name: value for name, value in own.items() if name in fields}
    placed = tuple(each.text for each in loader.overrides if each.kind == "layout")
    asked = struct(
        model=model.name, design=model, preset_path=query.preset_path, set=placed, **values
    )
    phase = _PHASES.get(section) or _phase(asked, serve=query.serve)
    serving = phase in SERVING_PHASES
    kinds = {field.option.preset for field in fields.values()} - {"model"}
    kinds -= _KINDS_OF_TRAINING if serving else _KINDS_OF_SERVING
    sets = tuple(each.text for each in loader.overrides if each.kind in kinds)
    loader.used |= kinds
    from dsv3calc.studies.dispatch import answer

    more = {} if serving and section == "traffic" else _workload(query, struct, phase)
    more |= {name: value for name, value in own.items() if name in more}
    found = answer(msgspec.structs.replace(asked, set=sets, **more))
    named = found.columns[0].ledger.named() if found.columns else {}
    return [named[name] for name in LINES[section] if name in named], found


def _phase(asked: LayoutQuery, *, serve: bool) -> str:
    """Return the phase of a section that any phase has: asked for, or the layout's."""
    if isinstance(asked, TimeQuery):
        return asked.phase or phase_of(asked, PresetLoader(asked)) or "decode"
    served = serve or phase_of(asked, PresetLoader(asked)) in SERVING_PHASES
    return "decode" if served else "train"


def _workload(query: CompareQuery, struct: type[LayoutQuery], phase: str) -> dict[str, Any]:
    """Return the workload of the comparison in the fields of a query."""
    keys, names = keys_of(struct), _WORKLOADS.get(phase, ())  # the query refuses other phases
    return {keys[name][0].name: getattr(query, name) for name in names if name in keys}
