"""Answer ``validate``: every row that can be expressed, predicted and scored."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.ledger.line import Ledger, Line, given, total
from dsv3calc.reading.diagnostics import Problem
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.measurements.areas import UnknownDevice
from dsv3calc.studies.measurements.calibration import SHIPPED, files_of
from dsv3calc.studies.measurements.cases import Case, NotExpressed
from dsv3calc.studies.measurements.collected import Left, express
from dsv3calc.studies.measurements.predict import Predictor
from dsv3calc.studies.measurements.score import Score, Scored, score_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.studies.measurements.steps import StepCase

MOST_WARNINGS = 20
HEADINGS = ("area", "kind", "row", "hardware", "size", "predicted", "measured", "error")
"""Columns of ``--rows``; JSON has all that is known of a row."""


class Validated:
    """What ``validate`` finds: scored times, rows left out by why, the first to tell of."""

    def __init__(self, files: list[str], **chosen: Any) -> None:
        predictor = Predictor(chosen.get("preset_path"))
        self.scored: list[Scored] = []
        self.reasons: Counter[tuple[str, str, bool]] = Counter()
        self.told: list[Left] = []
        self.untold = 0
        for row, result in express(files, **chosen):
            if isinstance(result, Left):
                self._leave(result)
                continue
            why = self._score(result, predictor)
            if why:
                self.reasons[row.area, why, False] += 1

    def _score(self, cases: list[Case] | list[StepCase], predictor: Predictor) -> str:
        """Score the cases of a row; return why where none can be predicted."""
        why, before = "", len(self.scored)
        for case in cases:
            try:
                self.scored += _scored(case, predictor)
            except NotExpressed as error:
                why = str(error)
        return why if len(self.scored) == before else ""

    def _leave(self, left: Left) -> None:
        self.reasons[left.area, left.why, left.unusable] += 1
        if left.unusable or UnknownDevice.is_meant(left.why):
            if len(self.told) < MOST_WARNINGS:
                self.told.append(left)
            else:
                self.untold += 1

    def areas(self) -> dict[str, list[Scored]]:
        """Return the scored times by area."""
        found: dict[str, list[Scored]] = {}
        for each in self.scored:
            found.setdefault(each.area, []).append(each)
        return found


def _scored(case: Case | StepCase, predictor: Predictor) -> list[Scored]:
    found = predictor(case) if isinstance(case, Case) else predictor.step(case)
    return [
        Scored(
            area=case.row.area, kind=case.kind, group=case.row.group, row=case.row.id,
            hardware=case.device.name, size=_size(case, index), measured=measured,
            predicted=predicted, roofline=bound, place=found.place, origin=found.origin,
            seen=found.seen, flat=found.flat[index] if found.flat else None,
        )
        for index, (measured, predicted, bound) in enumerate(
            zip(case.seconds, found.seconds, found.bound, strict=True)
        )
    ]  # fmt: skip


def _size(case: Case | StepCase, index: int) -> str:
    """Return the sizes of one point in words: those of its series, and single ones."""
    parts = []
    for name, values in case.sizes.items():
        value = values[index] if index < len(values) else values[0]
        parts.append(f"{name} {value:,.0f}")
    return ", ".join(parts)


def answer_validate(
    file: str = SHIPPED,
    *,
    areas: Sequence[str] = (),
    hardware: Sequence[str] = (),
    rows: bool = False,
    fail_over: float | None = None,
    preset_path: str | None = None,
) -> Answer:
    """Predict and score the rows of a file, or the shipped ones.

    The status is 1 if the median error of an area is above ``fail_over``.

    Raises
    ------
    UsageError
        If ``fail_over`` is no error.
    InvalidInput
        If a line is wrong, or no row can be predicted.
    """
    if fail_over is not None and not 0 <= fail_over < math.inf:
        raise UsageError(f"--fail-over {fail_over:g}: an error is 0 or more", "0.1 is 10 %")
    found = Validated(files_of(file), areas=areas, hardware=hardware, preset_path=preset_path)
    if not found.scored:
        whys = "; ".join(f"{why} ({count})" for (_, why, _), count in found.reasons.items())
        what = "no row can be predicted"
        raise InvalidInput([Problem(file, None, None, what, why=whys[:600])])
    query: dict[str, Any] = {"file": file, "areas": list(areas), "hardware": list(hardware)}
    if fail_over is not None:
        query["fail_over"] = fail_over
    answer = Answer("validate", query, "validate")
    scores: dict[str, Score] = {}
    for area, scored in found.areas().items():
        scores[area] = score_of(scored)
        kinds = sorted({each.kind for each in scored})
        for kind in kinds if len(kinds) > 1 else ():
            scores[f"{area}.{kind}"] = score_of([each for each in scored if each.kind == kind])
    lines = [line for name, score in scores.items() for line in _lines(name, score)]
    answer.columns.append(Column("validate", "predicted against measured", Ledger("", lines)))
    answer.query["scores"] = {n: _plain(score) for n, score in scores.items()}
    answer.query["left_out"] = [
        {"area": area, "why": why, "unusable": unusable, "rows": count}
        for (area, why, unusable), count in sorted(found.reasons.items())
    ]
    if rows:
        answer.headings = list(HEADINGS)
        answer.rows = [_detail(each) for each in found.scored]
    if file != SHIPPED:
        _tell_problems(answer, found)
    if fail_over is not None:
        over = [a for a, s in scores.items() if "." not in a and s.median > fail_over]
        if over:
            answer.status = ExitStatus.CHECK_FAILED
            answer.causes.append(f"median error above {fail_over:g}: {', '.join(over)}")
            answer.warn(answer.causes[0])
    return answer


def _lines(name: str, score: Score) -> list[Line]:
    values = {
        "rows": (score.rows, "1"),
        "groups": (score.groups, "1"),
        "points": (score.points, "1"),
        "median_abs_error": (score.median, "ratio"),
        "median_low": (score.low, "ratio"),
        "median_high": (score.high, "ratio"),
        "bias": (score.bias, "ratio"),
        "within_10": (score.within_10, "ratio"),
        "within_20": (score.within_20, "ratio"),
        "within_50": (score.within_50, "ratio"),
        "roofline_error": (score.roofline, "ratio"),
    }
    if score.flat is not None:
        values["mfu_40_error"] = (score.flat, "ratio")
    return [
        total(f"validate.{name}.{last}", (given(f"{name}.{last}", *value),))
        for last, value in values.items()
    ]


def _plain(score: Score) -> dict[str, Any]:
    return {name: getattr(score, name) for name in score.__struct_fields__}


def _detail(each: Scored) -> dict[str, Any]:
    return {
        "area": each.area,
        "kind": each.kind,
        "row": each.row,
        "hardware": each.hardware,
        "size": each.size,
        "predicted": each.predicted,
        "measured": each.measured,
        "error": each.error,
        "roofline_error": each.roofline_error,
        "entry": each.place,
        "origin": each.origin or None,
        "seen": each.seen,
    }


def _tell_problems(answer: Answer, found: Validated) -> None:
    """Warn of rows of a user's file that contradict a bound, and of unknown devices, by line."""
    for each in found.told:
        hint = f" ({each.hint})" if each.hint else ""
        answer.warn(f"{each.place.file}:{each.place.line}: {each.id}: {each.why}{hint}")
    if found.untold:
        answer.warn(f"{found.untold:,} more rows of this kind")
