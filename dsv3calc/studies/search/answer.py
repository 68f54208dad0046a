"""Answer ``search``: the best layouts, how many were refused by which rule, and why one was."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import Infeasible
from dsv3calc.ledger.line import Ledger, Line, combined, given
from dsv3calc.ledger.tags import UNTAGGED, Tags
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.checked import positive
from dsv3calc.studies.search.infeasible import OPTIONS, infeasible
from dsv3calc.studies.search.request import TIMED, UNITS, check_phase, gpu_counts, is_compiled
from dsv3calc.studies.search.run import MORE_IS_BETTER
from dsv3calc.studies.search.serving import ServingSearch
from dsv3calc.studies.search.training import TrainingSearch
from dsv3calc.studies.search.why import told_of
from dsv3calc.studies.traffic.exchanges import asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.queries.search import SearchQuery
    from dsv3calc.studies.search.run import Search
    from dsv3calc.studies.search.why import Wanted
    from dsv3calc.studies.search.winner import Winner

DEFAULT_TOP = 3
LARGEST_TOP = 100
WORDS = {
    "memory": "memory of the fullest GPU",
    "traffic": "bytes between domains a step",
    "step_time": "time of a step",
    "step_walk": "  pass by pass",
    "tpot": "time per output token",
    "ttft": "time to the first token",
    "tokens_per_second_per_gpu": "tokens/s of a GPU",
    "dollars": "price of the run",
}
SERVED_WORDS = {**WORDS, "dollars": "price of a million output tokens"}


def words_of(phase: str) -> dict[str, str]:
    """Return what results are called in tables: result -> words."""
    return SERVED_WORDS if phase == "serve" else WORDS


def answer_search(query: SearchQuery) -> Answer:
    """Find the best layouts that fit.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    Infeasible
        If no layout satisfies what is asked.
    """
    check_phase(query)
    answer = Answer("search", asked(query))
    answer.notes += query.notes
    if not is_compiled(query) and query.engine == "fast":
        answer.notes.append("--engine fast needs the extra fast (llvmlite): numpy is used")
    most = positive("--top", query.top, DEFAULT_TOP, most=LARGEST_TOP)
    counts = gpu_counts(query.gpus, query.max_gpus)
    wanted = ServingSearch(query) if query.phase == "serve" else TrainingSearch(query)
    if query.why is not None:
        return told_of(wanted, answer, query.why, counts)
    title = wanted.model.value.title
    for gpus in counts:
        found = _found(wanted, gpus, most)
        if found is None and len(counts) == 1:
            raise infeasible(wanted, gpus)
        if found is None:
            answer.warn(f"{gpus[0]:,} GPU{'s' * (gpus[0] > 1)}: no layout satisfies what is asked")
            continue
        lines, winners = found
        id_ = wanted.model.name if len(counts) == 1 else f"{gpus[0]} GPUs"
        answer.columns.append(Column(id_, title, Ledger(title, lines)))
        _take_over(answer, winners[0], wanted)
    timed = query.phase == "train" and not {*TIMED}.isdisjoint(wanted.results)
    if timed and query.setup is None:
        answer.notes.append(
            "no estimate without a set-up (--setup): the time of a step hides all communication"
        )
    if not answer.columns:
        raise Infeasible("no layout of any of these numbers of GPUs satisfies what is asked")
    answer.query |= {
        "objective": ",".join(wanted.objectives),
        "phase": query.phase,
        **wanted.described,
    }
    return answer


def _found(
    wanted: Wanted, gpus: Sequence[int], most: int
) -> tuple[list[Line], list[Winner]] | None:
    """Search, and ask about the best by themselves; None where there are none."""
    search = wanted.search(gpus, most=most)
    start = perf_counter() if wanted.query.timing else None
    met = search.run()
    elapsed = None if start is None else perf_counter() - start
    wanted.last = search
    if not met:
        return None
    winners = [wanted.ask(each.axes) for each in met]
    if len(wanted.objectives) == 1:
        name = wanted.objectives[0]
        sign = -1 if name in MORE_IS_BETTER else 1
        winners.sort(key=lambda each: sign * each.results[name])
        if name in TIMED and all("step_walk" in each.results for each in winners):
            winners.sort(key=lambda each: each.results["step_walk"])
    return [*_counts(search, elapsed), *_best(wanted, winners)], winners


def _counts(search: Search, elapsed: float | None) -> list[Line]:
    """Give how many layouts there are, and what became of them."""
    refusals = search.refusals

    def counted(
        name: str, value: Any, words: str, unit: str = "1", *, tags: Tags = UNTAGGED
    ) -> Line:
        return Line(f"search.{name}", value, unit, "search", convention=words, tags=tags)

    by_rule = Tags(quantity="refused_by_rule")

    lines = [
        counted("space", search.size, "every combination of the axes"),
        counted("candidates", search.candidates, "combinations that pass all rules"),
        counted("refused", refusals.refused, "by a rule, by memory or by a condition"),
        *(
            counted(
                f"refused.{name}",
                number,
                search.words.get(name, "a condition (--where)"),
                tags=by_rule,
            )
            for name, number in refusals.by_rule.items()
            if number
        ),
        counted("refused.memory", refusals.over, "more memory than a device has"),
    ]
    for name in dict.fromkeys(condition.rule for condition in search.of_results):
        words = f"a condition of results ({OPTIONS[name]})"
        lines.append(counted(f"refused.{name}", refusals.unwanted[name], words))
    lines += [
        counted("fitting", refusals.fitting, "evaluated, and they fit"),
        counted("pruned", refusals.pruned, "skipped: cannot be among the best"),
    ]
    if refusals.median_excess is not None:
        excess = round(refusals.median_excess)
        words = "median excess of those that do not fit, to 1 %"
        lines.append(counted("excess", excess, words, "B"))
    if elapsed is not None:
        rate = search.candidates / max(elapsed, 1e-9)
        words = "candidates over the seconds of this search"
        lines.append(counted("layouts_per_second", rate, words, "1/s"))
    return lines


def _best(wanted: Wanted, winners: Sequence[Winner]) -> list[Line]:
    """Give the axes and the results of the best, each from a query about it alone."""
    lines, words = [], words_of(wanted.query.phase)
    for number, winner in enumerate(winners, 1):
        prefix = f"search.best.{number}"
        lines += [
            Line(f"{prefix}.{name}", value, "1", "search", convention=wanted.how(name))
            for name, value in _shown(winner.axes).items()
        ]
        for name in dict.fromkeys((*wanted.objectives, "memory", *winner.results)):
            source = given(f"best.{number}.{name}", winner.results[name], UNITS[name], "by itself")
            lines.append(
                combined(
                    f"{prefix}.{name}",
                    "sum",
                    [source],
                    convention=words[name],
                )
            )
    return lines


def _shown(axes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the axes of a layout as values of lines: words as they are, flags as 0 and 1."""
    found: dict[str, Any] = {}
    for name, value in axes.items():
        if isinstance(value, list):
            found[name] = ",".join(map(str, value))
        else:
            found[name] = int(value) if isinstance(value, bool) else value
    return found


def _take_over(answer: Answer, winner: Winner, wanted: Wanted) -> None:
    """Take over what the queries about the best layout say, and how to ask about it."""
    for each in winner.answers.values():
        add_new(answer.assumptions, each.assumptions)
        if each.command in ("train", "serve"):
            for text in each.warnings:
                answer.warn(f"the best layout: {text}")
        for source in each.sources:
            if source not in answer.sources:
                answer.sources.append(source)
        answer.brief |= each.brief
    add_new(answer.notes, [f"the best layout as a query: {wanted.command(winner.axes)}"])
    if "traffic" in winner.answers and isinstance(wanted, TrainingSearch):
        command = wanted.command(winner.axes, traffic=True)
        answer.notes.append(f"its traffic as a query (the sum of scale-out): {command}")
