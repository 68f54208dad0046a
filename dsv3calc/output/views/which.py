"""Table of ``which``: models or devices down, precisions across, the room left in each cell."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.output.view import Cell, Table, View, show
from dsv3calc.studies.which import COMMON_PRECISIONS

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

    Found = dict[str, dict[str, Line]]  # precision -> lines of its column


def build(answer: Answer, *, exact: bool) -> View:
    """Build the table: what fits in some precision, the largest first; below it what does not."""
    query = answer.query
    searches_models = query.get("model") is None
    found: dict[str, Found] = {}
    for column in answer.columns:
        model, precision, hardware = column.id.split("|")
        found.setdefault(model if searches_models else hardware, {})[precision] = (
            column.ledger.named()
        )
    fitting = {name: each for name, each in found.items() if any(map(_fits, each.values()))}
    common = [
        precision
        for precision in COMMON_PRECISIONS
        if any(precision in each for each in fitting.values())
    ]
    rows = [
        [name, *_own(each, exact=exact), *(_cell(each.get(one), exact=exact) for one in common)]
        for name, each in sorted(fitting.items(), key=lambda item: _order(item[1]))
    ]
    what = "model" if searches_models else "device"
    heading = (
        f"models that fit on {query['hardware']}"
        if searches_models
        else f"devices that hold {query['model']}"
    )
    fits = Table("", [what, "published in", "as published", *common], rows, left=(1,), labels=2)
    shown = "room left on each device" if searches_models else "devices, and room left on each"
    return View(
        [
            f"{heading}: {shown}",
            f"{query['batch']:,} x {query['context']:,} tokens in the cache",
        ],
        [
            *([fits] if rows else []),
            *_others(answer, found, fitting, what, exact=exact),
        ],
    )


def _fits(lines: dict[str, Line]) -> bool:
    return bool(lines["which.fits"].value)


def _order(found: Found) -> tuple[float, float]:
    """Return what rows are sorted by: the fewest devices, then the largest weights."""
    fewest = min(lines["which.gpus"].value for lines in found.values() if _fits(lines))
    largest = max(
        lines["which.weights"].value * lines["which.gpus"].value for lines in found.values()
    )
    return fewest, -largest


def _own(found: Found, *, exact: bool) -> tuple[str, str]:
    """Return the format that is tried first, the model's own, and its cell."""
    name = next(iter(found))
    return name, _cell(found[name], exact=exact)


def _cell(lines: dict[str, Line] | None, *, exact: bool) -> str:
    if lines is None or not _fits(lines):
        return "-"
    gpus, free = lines["which.gpus"], lines["which.free"]
    room = show(free, exact=exact)
    return room if gpus.value == 1 else Cell(f"{gpus.value} x {room}", None, (gpus, free))


def _others(
    answer: Answer, found: dict[str, Found], fitting: dict[str, Found], what: str, *, exact: bool
) -> list[Table]:
    """Return the table of what does not fit, by how much, and of what could not be asked."""
    rows = []
    for name, each in found.items():
        if name in fitting:
            continue
        precision, lines = min(each.items(), key=lambda item: -item[1]["which.free"].value)
        short = show(lines["which.total"], exact=exact)
        gpus = lines["which.gpus"].value
        rows.append(
            [name, f"{short} in {precision} on {'one' if gpus == 1 else f'each of {gpus}'}"]
        )
    rows += [
        [row["model" if what == "model" else "hardware"], row["reason"]] for row in answer.rows
    ]
    return [Table("does not fit", [what, "needs"], rows, left=(1,))] if rows else []
