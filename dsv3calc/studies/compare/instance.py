"""Memory and traffic of a column of ``compare``: the queries of these commands, asked for it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.errors import UsageError
from dsv3calc.queries.fields import fields_of
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.queries.traffic import TrafficQuery
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

QUERIES: dict[str, type[LayoutQuery]] = {"memory": MemoryQuery, "traffic": TrafficQuery}
"""Section -> the query whose answer it shows."""

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
}  # fmt: skip
"""Section -> the lines of its answer that are compared, where it has them."""

WITHOUT_RATIO = (
    "memory.worst.rank", "memory.free", "memory.fits", "serving.free", "serving.fits",
)  # fmt: skip
"""Lines that may be negative, or are numbers of a kind that has no ratio."""

_SHARED = ("hardware", "layout", "precision", "with_mtp", "serve")
_SERVING = ("batch", "context", "kv_dtype")
_KINDS_OF_TRAINING, _KINDS_OF_SERVING = {"recipe", "recompute"}, {"kv_format"}


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
        The options of the column that are not the comparison's, by field.

    Raises
    ------
    UsageError, InvalidInput
        As the column is wrong.
    """
    if not query.hardware:
        raise UsageError(f"--rows {section} needs a device", "give --hardware, or hardware=h800")
    struct = QUERIES[section]
    fields = fields_of(struct)
    values = {name: getattr(query, name) for name in _SHARED}
    values |= {name: value for name, value in own.items() if name in fields}
    placed = tuple(each.text for each in loader.overrides if each.kind == "layout")
    asked = struct(
        model=model.name, design=model, preset_path=query.preset_path, set=placed, **values
    )
    serving = query.serve or phase_of(asked, PresetLoader(asked)) in SERVING_PHASES
    more = {"sequence": query.sequence} if not serving else {}
    if serving and section == "memory":
        more = {name: getattr(query, name) for name in _SERVING}
    kinds = {field.option.preset for field in fields.values()} - {"model"}
    kinds -= _KINDS_OF_TRAINING if serving else _KINDS_OF_SERVING
    sets = tuple(each.text for each in loader.overrides if each.kind in kinds)
    loader.used |= kinds
    from dsv3calc.studies.dispatch import answer

    found = answer(msgspec.structs.replace(asked, set=sets, **more))
    named = found.columns[0].ledger.named() if found.columns else {}
    return [named[name] for name in LINES[section] if name in named], found
