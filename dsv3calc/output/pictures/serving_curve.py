"""The curve of a server over batches: tokens a second of a GPU against those of a sequence."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.errors import UsageError
from dsv3calc.output.pictures.chart import Axis, Chart, Curve, Point

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_USER, _GPU = "serve.tokens_per_second_per_user", "serve.tokens_per_second_per_gpu.decode"


def chart_of(answer: Answer) -> Chart:
    """Return the chart of an answer of ``serve --curve``.

    Raises
    ------
    UsageError
        If the answer has one batch alone.
    """
    if answer.view != "serve-curve":
        raise UsageError("the picture of serve is that of several batches", "add --curve")
    inside, beyond, points = [], [], []
    for column in answer.columns:
        named = column.ledger.named()
        place = (float(named[_USER].value), float(named[_GPU].value))
        fits = bool(named["serve.fits"].value)
        points.append(Point(*place, column.title, _kind(named)))
        if fits:
            inside.append(place)
        else:
            beyond.append(place)
    curves = []
    if inside:
        curves.append(Curve(inside, "batches that memory holds"))
    if beyond:
        curves.append(Curve([*inside[-1:], *beyond], "batches beyond memory", 1))
    query = answer.query
    return Chart(
        f"{query['model']}: decoding on {query['hardware']}, {query['context']:,} cached",
        Axis("tokens/s of a sequence", "tokens/s"),
        Axis("output tokens/s of a GPU", "tokens/s"),
        curves=curves,
        points=points,
        remarks=[_limit(answer)],
    )


def _kind(named: dict[str, Line]) -> str:
    """Say on which side of what memory holds a batch is."""
    if not named["serve.fits"].value:
        return "does not fit"
    most = named.get("serve.max_batch")
    full = most is not None and most.value == named["serve.batch"].value
    return "the memory limit" if full else "fits"


def _limit(answer: Answer) -> str:
    """Say where memory ends."""
    line = answer.columns[0].ledger.named().get("serve.max_batch")
    if line is None:
        return "memory does not limit the batch"
    return f"memory holds batch {line.value:,} at most" if line.value else "no batch fits in memory"
