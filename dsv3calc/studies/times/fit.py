"""Whether a device holds what a pass runs on: the answer of ``memory`` to the same question."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import Dsv3calcError
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.studies.layout.build import DEGREES
from dsv3calc.studies.memory.answer import answer_memory
from dsv3calc.studies.memory.same_question import same_fields

if TYPE_CHECKING:
    from dsv3calc.queries.time import TimeQuery
    from dsv3calc.studies.answer import Answer

_SAME = (
    "model", "hardware", "layout", *DEGREES, "setup", "layer_split", "redundant_experts",
    "shared_experts", "dispatch", "combine", "with_mtp", "sequence_parallel", "precision",
    "imbalance", "set", "preset_path", "ignore_keys", "design",
)  # fmt: skip
"""Fields that mean the same in both queries."""

_GIB = 2**30


def tell_fit(answer: Answer, query: TimeQuery) -> None:
    """Warn that a GPU does not hold what a pass needs; say nothing where ``memory`` cannot tell."""
    try:
        found = answer_memory(_asked(answer, query)).columns[0].ledger.named()
    except Dsv3calcError:
        return
    training = answer.query["phase"] == "train"
    fits = found.get("memory.fits" if training else "serving.fits")
    total = found.get("memory.worst.total" if training else "serving.total")
    if fits is None or total is None or fits.value:
        return
    answer.warn(
        f"it does not fit: a GPU needs {float(total.value) / _GIB:,.1f} GiB, more than it can use; "
        "dsv3calc memory shows the parts"
    )


def _asked(answer: Answer, query: TimeQuery) -> MemoryQuery:
    same = same_fields(query, _SAME)
    asked = answer.query
    if asked["phase"] == "train":
        return MemoryQuery(
            **same, micro_batch=asked["batch"], sequence=asked["sequence"], recipe=query.recipe,
            zero=query.zero, global_batch=query.global_batch,
        )  # fmt: skip
    return MemoryQuery(
        **same, serve=True, batch=asked["batch"], kv_dtype=query.kv_dtype,
        context=asked["context"] + asked["sequence"],
    )  # fmt: skip
