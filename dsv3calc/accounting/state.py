"""State: what a sequence keeps in the layers with a mixer, however long it is."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import mixers
from dsv3calc.ledger.line import Line, combined, computed, given
from dsv3calc.ledger.tags import Tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dsv3calc.model.block import StatePart
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.workload import Conventions

COLUMNS = {"engines": "kernel-minus-one", "as-transformers": "kernel"}
"""Convention -> the inputs of its convolution that a mixer keeps."""

_BITS = {"float32": 32, "bfloat16": 16, "float16": 16, "model": 16}


def state_parts(view: GroupView, conventions: Conventions) -> Iterator[tuple[StatePart, Line]]:
    """Yield what a layer keeps of a sequence, with the width of an element."""
    if conventions.state == "engines":
        for part in view.attention.state():
            yield part, given(f"state.{view.prefix}.{part.name}_bits", 32, "bit", "float32")
    for part in view.mixer.state(COLUMNS[conventions.state]):
        dtype = "model"
        if part.kind == "recurrent":
            dtype = view.mixer.library_state_dtype
            if conventions.state == "engines":
                dtype = view.mixer.spec.state_dtype
        words = "the model's data type, 16 bits" if dtype == "model" else dtype
        yield part, given(f"state.{view.prefix}.{part.name}_bits", _BITS[dtype], "bit", words)


def state_lines(
    name: str,
    views: Iterable[GroupView],
    batch: Line,
    conventions: Conventions,
    layers: Callable[[GroupView], Line] = lambda view: view.layers,
    share: Callable[[str, GroupView, StatePart], Line] = lambda _name, _view, part: part.elements,
) -> list[Line]:
    """Count the bytes of the states of ``batch`` sequences, a line for each part of a group.

    ``layers`` gives how many layers of a group are counted, ``share`` the elements of a part that
    are held of each.
    """
    return [
        computed(
            f"{name}.{part.name}.{view.prefix}",
            mixers.state_bytes,
            convention=bits.convention,
            tags=Tags(quantity="state", group=view.prefix),
            batch=batch,
            layers=layers(view),
            elements=share(f"{name}.{view.prefix}.{part.name}", view, part),
            bits=bits,
        )
        for view in views
        for part, bits in state_parts(view, conventions)
    ]


def with_copies(name: str, batch: Line, tokens: Line, state_interval: Any) -> Line:
    """Count the states of ``batch`` sequences: one of each, and the copies for prefix caching."""
    if state_interval is None:
        return batch
    interval = given("state_interval", state_interval, "tokens")
    each = computed(
        f"{name}.kept_states", mixers.kept_states, tokens=tokens, state_interval=interval
    )
    return combined(f"{name}.states", "product", (batch, each), unit="1")
