"""The rules that a layout must satisfy, each by the columns that it reads.

A rule asks the same functions as a query about one layout does. Over many layouts it asks them once
for each combination of what it reads.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dsv3calc.accounting.placement.stages import Stages
from dsv3calc.accounting.traffic.exchange import group_problems
from dsv3calc.ledger.line import given
from dsv3calc.model.architecture import experts_of
from dsv3calc.studies.layout.build import (
    head_problems,
    pipeline_problems,
    sequence_problems,
    training_problems,
)
from dsv3calc.studies.layout.check import (
    decode_problems,
    etp_problems,
    expert_problems,
    width_problems,
)
from dsv3calc.studies.search.request import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.layout.build import Problem
    from dsv3calc.studies.search.space import Columns

AXES = (
    "tp", "cp", "pp", "dp", "ep", "etp", "micro_batch", "redundant_experts", "schedule",
    "virtual_pipeline", "sequence_parallel", "layer_split", "recompute", "zero", "dcp",
)  # fmt: skip
"""The axes of a search that are fields of a layout."""


_MOST_CODES = 2**62
"""Combinations of columns that are numbered as they are; of more, those that occur are."""

SAME = "same"
"""The name of the rules that leave one of several names of a layout."""

_SAME = "the same layout by another name"
_KEPT = "one of several names of a layout is kept"


class Rule(NamedTuple):
    """A rule: its name, what it is in words, the columns that it needs, and its problems.

    ``problems`` yields what is wrong with a layout that has the values of these columns, and what
    else the search holds.
    """

    name: str
    words: str
    needs: tuple[str, ...]
    problems: Callable[[Layout, Mapping[str, Any]], Iterable[Problem]]


def layout_at(base: Layout, values: Mapping[str, Any]) -> Layout:
    """Return a layout with the values of axes put in; a split may be given by its number."""
    changes = {name: value for name, value in values.items() if name in AXES}
    if type(changes.get("layer_split")) is int:
        changes["layer_split"] = SPLITS[changes["layer_split"]]
    return msgspec.structs.replace(base, **changes)


class Combinations:
    """The combinations of some columns of a block, each found once, and what rules say of them."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.known: dict[Any, Any] = {}
        self._known: dict[tuple[str, ...], tuple[list[list[int]], Any]] = {}

    def of(self, names: tuple[str, ...]) -> tuple[list[list[int]], Any]:
        """Return the distinct combinations of columns, and for each row which one it has."""
        import numpy as np

        if names not in self._known:
            codes: Any = 0
            size = 1
            for name in names:
                distinct, each = np.unique(self.columns[name], return_inverse=True)
                if size * len(distinct) > _MOST_CODES:
                    numbered, codes = np.unique(codes, return_inverse=True)
                    size = len(numbered)
                codes, size = codes * len(distinct) + each, size * len(distinct)
            _, first, which = np.unique(codes, return_index=True, return_inverse=True)
            rows = [[int(self.columns[name][row]) for name in names] for row in first.tolist()]
            self._known[names] = (rows, which)
        return self._known[names]


def holds(rule: Rule, base: Layout, category: Mapping[str, Any], rows: Combinations) -> Any:
    """Say for each row whether a rule is satisfied; ``category`` has what all rows share."""
    import numpy as np

    fixed = {name: category[name] for name in rule.needs if name in category}
    names = tuple(name for name in rule.needs if name not in fixed)
    key = (id(rule), repr(fixed))
    if key not in rows.known:
        if names:
            distinct, which = rows.of(names)
            every = [dict(zip(names, each, strict=True)) for each in distinct]
            found = np.array([_is_kept(rule, base, {**fixed, **each}) for each in every])[which]
        else:
            found = np.bool_(_is_kept(rule, base, fixed))
        rows.known[key] = found
    return rows.known[key]


def _is_kept(rule: Rule, base: Layout, values: Mapping[str, Any]) -> bool:
    return next(iter(problems_of(rule, base, values)), None) is None


def problems_of(rule: Rule, base: Layout, values: Mapping[str, Any]) -> Iterable[Problem]:
    """Yield what a rule says against the values of the columns that it needs."""
    return rule.problems(layout_at(base, values), values)


def _of_field(field: str) -> Callable[[Layout, Mapping[str, Any]], Iterable[Problem]]:
    """Return the problems that a layout has by itself with one of its fields."""

    def problems(layout: Layout, _: Mapping[str, Any]) -> Iterable[Problem]:
        return ((what, why) for path, what, why in layout.problems() if path[0] == field)

    return problems


def _degrees(_: Layout, values: Mapping[str, Any]) -> Iterable[Problem]:
    names = [name for name in ("tp", "cp", "pp") if name in values]
    gpus = values["gpus"] - values.get("prefill_gpus", 0)
    if gpus % prod(values[name] for name in names):
        degrees = " x ".join(f"{name} {values[name]}" for name in names)
        yield (
            f"{degrees} do not divide {gpus:,} GPU{'s' * (gpus != 1)}",
            f"GPUs = {' x '.join(names)} x dp",
        )


def pinned(axis: str, values: Sequence[int]) -> Rule:
    """Return the rule that an axis that follows from others is one that is pinned."""
    return Rule(
        "pinned",
        f"{axis} is one of those pinned",
        (axis,),
        lambda layout, _: (
            (f"{axis} is {found}, not {' or '.join(map(str, values))}", "--pin")
            for found in [getattr(layout, axis)]
            if found not in values
        ),
    )


def _of_model(
    model: Model, *checks: Callable[[Model, Layout], Iterable[Problem]]
) -> Callable[[Layout, Mapping[str, Any]], Iterable[Problem]]:
    return lambda layout, _: (each for check in checks for each in check(model, layout))


def filled(hardware: Hardware) -> Rule:
    """Return the rule that expert-parallel groups fill their nodes, as exchanges are counted."""
    domain = None if hardware.scale_up is None else hardware.scale_up.domain_size
    return Rule(
        "nodes",
        "expert-parallel groups fill their nodes",
        ("tp", "pp", "dp", "ep", "etp"),
        lambda layout, _: group_problems(layout, domain or layout.ep),
    )


def serving_rules(
    model: Model,
    hardware: Hardware,
    undivided: Callable[[Layout, Mapping[str, Any]], Iterable[Problem]],
) -> list[Rule]:
    """List the rules of serving layouts that their degrees alone decide.

    ``undivided`` yields degrees that have no etp by the rule that it follows from.
    """

    def of_context(layout: Layout, values: Mapping[str, Any]) -> Iterable[Problem]:
        yield from _of_field("dcp")(layout, values)
        yield from decode_problems(model, layout)

    return [
        Rule(
            "decodes",
            "GPUs are left to decode",
            ("gpus", "prefill_gpus"),
            lambda _, values: (
                [(f"all {values['gpus']:,} GPUs prefill", "prefill_gpus are fewer")]
                * (values["prefill_gpus"] >= values["gpus"])
            ),
        ),
        Rule("degrees", "tp x pp divide the GPUs", ("gpus", "prefill_gpus", "tp", "pp"), _degrees),
        Rule("stages", "a layer for every stage", ("pp",), _of_model(model, pipeline_problems)),
        Rule("heads", "tp divides the heads", ("tp",), _of_model(model, head_problems)),
        Rule("widths", "tp divides the feed-forwards", ("tp",), _of_model(model, width_problems)),
        Rule(
            "experts",
            "ep divides the experts",
            ("ep", "redundant_experts"),
            _of_model(model, expert_problems),
        ),
        Rule("setup", "ep divides tp x dp, for etp", ("tp", "dp", "ep"), undivided),
        Rule("dcp", "GPUs with the same keys and values for dcp", ("tp", "dcp"), of_context),
        Rule("expert_widths", "etp divides an expert", ("etp",), _of_model(model, etp_problems)),
        Rule(
            "expert_groups",
            "ep x etp divide the GPUs of a stage",
            ("tp", "dp", "ep", "etp"),
            _of_field("ep"),
        ),
        filled(hardware),
    ]


def training_rules(model: Model, sequence: int, *, stepped: bool) -> list[Rule]:
    """List the rules of training layouts, in the order in which they are checked.

    ``stepped`` says whether the sequences of a step are given, which replicas share.
    """

    def of_model(
        check: Callable[[Model, Layout], Iterable[Problem]],
    ) -> Callable[[Layout, Mapping[str, Any]], Iterable[Problem]]:
        return lambda layout, _: check(model, layout)

    rules = [
        Rule("degrees", "tp x cp x pp divide the GPUs", ("gpus", "tp", "cp", "pp"), _degrees),
        Rule("stages", "a layer for every stage", ("pp",), of_model(pipeline_problems)),
        Rule("heads", "tp divides the heads", ("tp",), of_model(head_problems)),
        Rule("widths", "tp divides the feed-forwards", ("tp",), of_model(width_problems)),
        Rule("experts", "ep divides the experts", ("ep",), of_model(expert_problems)),
        Rule("expert_widths", "etp divides an expert", ("etp",), of_model(etp_problems)),
        Rule(
            "expert_groups",
            "ep x etp divide the GPUs of a stage",
            ("tp", "cp", "dp", "ep", "etp"),
            _of_field("ep"),
        ),
    ]
    if stepped:
        rules.append(
            Rule(
                "batch",
                "replicas have whole micro-batches",
                ("dp", "micro_batch"),
                _of_field("global_batch"),
            )
        )
    rules += [
        Rule(
            "schedule",
            "the schedule runs",
            ("schedule", "virtual_pipeline", "layer_split", "pp", "micro_batches"),
            lambda layout, values: training_problems(model, layout, values["micro_batches"]),
        ),
        Rule(
            "sequence",
            "cp, with sequence parallelism x tp, divides a sequence",
            ("cp", "tp", "sequence_parallel"),
            lambda layout, _: sequence_problems(layout, sequence),
        ),
    ]
    return rules


def keeps_every_micro_batch() -> Rule:
    """Return the rule that GPipe, which keeps every micro-batch, needs the sequences of a step."""
    return Rule(
        "batch",
        "GPipe with the sequences of a step",
        ("schedule",),
        lambda layout, _: (
            [("GPipe keeps every micro-batch, and no --global-batch is given", "--global-batch")]
            * (layout.schedule == "gpipe")
        ),
    )


def sameness(model: Model, *, mtp: bool, splits: Sequence[Any]) -> list[Rule]:
    """List the rules that leave one of several names of the same layout of training.

    ``mtp`` says whether MTP modules are trained, ``splits`` are the candidates of how layers are
    split over stages.
    """
    experts = bool(experts_of(model))

    def same(words: str, condition: Callable[[Mapping[str, Any]], bool]) -> Any:
        reason = (words, _KEPT)
        return lambda _, values: [reason] if condition(values) else []

    rules = [
        (
            ("tp", "sequence_parallel"),
            "sequence parallelism with tp 1",
            lambda values: values["sequence_parallel"] and values["tp"] == 1,
        ),
        (
            ("pp", "schedule"),
            "a schedule for several stages where there is one",
            lambda values: values["pp"] == 1 and values["schedule"] == "zb1p",
        ),
        (
            ("cp", "dp", "edp", "zero"),
            "ZeRO without replicas",
            lambda values: (
                values["zero"] > 0
                and values["dp"] * values["cp"] == 1
                and (not experts or values["edp"] == 1)
            ),
        ),
    ]
    names = ("pp", "schedule", "virtual_pipeline", "layer_split")
    return [
        *(split_rule(SAME, _SAME, names, model, mtp=mtp) for each in splits if each == "even"),
        *(Rule(SAME, _SAME, needs, same(words, check)) for needs, words, check in rules),
    ]


def split_rule(name: str, words: str, needs: tuple[str, ...], model: Model, *, mtp: bool) -> Rule:
    """Return the rule that refuses balanced stages that have the layers of even ones."""
    return Rule(name, words, needs, lambda layout, _: _balanced_alike(model, layout, mtp=mtp))


def _balanced_alike(model: Model, layout: Layout, *, mtp: bool) -> Iterable[Problem]:
    """Yield a problem where balanced stages have the layers that even ones have."""
    if layout.layer_split != "balanced":
        return
    even = msgspec.structs.replace(layout, layer_split="even")
    if _layers(model, layout, mtp=mtp) == _layers(model, even, mtp=mtp):
        yield "balanced stages have the layers of even ones", _KEPT


def _layers(model: Model, layout: Layout, *, mtp: bool) -> list[list[Any]]:
    """Return the layers of each group on each stage."""
    stages = Stages("search.split", model, layout, mtp=mtp)
    return [
        [line.value for line in stages.layers("search.split", given("search.stage", number, "1"))]
        for number in range(stages.number.value)
    ]
