"""The passes of a training step as trace events, which Perfetto and Chrome's viewer read."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dsv3calc.output.pictures.pipeline import KINDS, kind_of, walk_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.studies.answer import Answer

_MICROSECONDS = 1_000_000


def trace_texts(answer: Answer) -> Iterator[str]:
    """Yield the parts of a JSON file: a thread for each pipeline rank, a slice for each step.

    Raises
    ------
    UsageError
        If the step has too many passes to be shown one by one.
    """
    found = walk_of(answer)
    title = f"{answer.columns[0].title}: {answer.layout}, {answer.query['hardware']}"
    yield '{"displayTimeUnit": "ms", "traceEvents": [\n'
    yield json.dumps(_named("process_name", title, 0))
    for rank, events in enumerate(found.ranks):
        yield f",\n{json.dumps(_named('thread_name', f'rank {rank}', rank))}"
        for event in events:
            slice_: dict[str, Any] = {
                "name": " ".join(f"{kind}{number}" for kind, _, number in event.step),
                "cat": KINDS[kind_of(event.step)].label,
                "ph": "X",
                "ts": event.start * _MICROSECONDS,
                "dur": (event.end - event.start) * _MICROSECONDS,
                "pid": 0,
                "tid": rank,
                "args": {
                    "chunk": [chunk for _, chunk, _ in event.step],
                    "micro_batch": [number for _, _, number in event.step],
                },
            }
            yield f",\n{json.dumps(slice_)}"
    yield "\n]}\n"


def _named(what: str, name: str, rank: int) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": 0, "tid": rank, "args": {"name": name}}
