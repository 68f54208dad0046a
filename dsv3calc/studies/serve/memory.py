"""How many sequences a server holds: the answer of ``memory --serve`` to the same question."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.ledger.line import Line, total
from dsv3calc.ledger.substitution import Substitution
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.studies.memory.same_question import same_fields
from dsv3calc.studies.memory.serving import answer_serving

if TYPE_CHECKING:
    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.studies.answer import Answer

_SAME = (
    "model", "design", "hardware", "layout", "tp", "cp", "pp", "dp", "ep", "etp", "dcp", "setup",
    "layer_split", "redundant_experts", "shared_experts", "dispatch", "combine",
    "sequence_parallel", "memory_fraction", "offload", "precision", "kv_dtype", "imbalance", "set",
    "preset_path", "ignore_keys",
)  # fmt: skip
"""Fields that mean the same in both queries."""

SHOWN = {
    "max_batch": "serving.max_sequences",
    "fits": "serving.fits",
    "held": "serving.total",
    "host_bytes": "serving.host_bytes",
    "host_free": "serving.host_free",
}
"""Line of ``serve`` -> the line of ``memory --serve`` that it is."""


def memory_answer(query: ServeQuery, batch: int, context: int, *, mtp: bool) -> Answer:
    """Ask for the memory of a GPU of the server."""
    same = same_fields(query, _SAME)
    asked = MemoryQuery(**same, serve=True, batch=batch, context=context, with_mtp=mtp)
    return answer_serving(asked)


def memory_lines(found: Answer) -> dict[str, Line]:
    """Give the sequences that fit, whether those of the query do, and the bytes they take."""
    ledger = found.columns[0].ledger
    under = Substitution("serve.memory.", {})
    by_name = {line.name: line for line in ledger.lines}
    return {
        what: total(f"serve.{what}", (under.line(by_name[name]),))
        for what, name in SHOWN.items()
        if name in by_name
    }
