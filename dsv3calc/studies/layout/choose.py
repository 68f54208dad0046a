"""The layout of a query with ``--set layout.…`` put in, and what a layout says of its use."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.catalogue.overrides import Override, apply_overrides
from dsv3calc.errors import InvalidInput, InvalidOverride, UsageError
from dsv3calc.model.architecture import experts_of
from dsv3calc.queries.fields import flag_of
from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.source import Source
from dsv3calc.schema.layout import Layout
from dsv3calc.studies.checked import positive
from dsv3calc.studies.layout.build import (
    DEGREES,
    WrongDegrees,
    fields_given,
    layout_of,
    layout_preset,
    refuse,
)
from dsv3calc.studies.layout.degrees import Degrees
from dsv3calc.studies.layout.expert_degrees import Rule, setup_rule, told, with_etp
from dsv3calc.studies.layout.placed import Placed

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.base import Query
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader

SERVING_PHASES = {"prefill": "prefill", "decode": "decoding"}
"""Phase of a layout that serves -> what that is called."""

_UNSTATED = Layout(name="unstated", title="unstated", sources={}, provenance={})
"""A layout that states nothing: its values are the defaults."""


def chosen_layout(
    query: Query,
    loader: PresetLoader,
    answer: Answer,
    model: Model,
    *,
    used: tuple[str, ...] = (),
    serving: bool = False,
) -> Layout:
    """Return the layout of a query: a preset or options, with each ``--set layout.…`` put in.

    ``used`` names the fields that the answer depends on: all where none is named. Assumptions of
    others are left out, and their options are told to have no effect.
    ``answer`` gets the layout, its name and the rule of its etp, printed where it is a default.

    Raises
    ------
    UsageError
        If there is no such preset, no degree is given, they do not multiply out, or an option and
        a ``--set`` give the same field.
    InvalidOverride
        If the value of a ``--set`` is none that the field takes.
    """
    edits = [each for each in loader.overrides if each.kind == "layout"]
    for each in edits:
        if getattr(query, each.path, None) is not None:
            option = flag_of(query, each.path)
            raise UsageError(
                f"{option} and --set {quote(each.text)} give the same field", "leave one out"
            )
    given = {name for name in DEGREES if getattr(query, name, None) is not None}
    given |= {each.path for each in edits}

    of_setup = _rule_of_setup(query, loader, answer, serving=serving)

    def degrees(layout: Layout, file: dict[str, Any]) -> Degrees:
        return Degrees(
            model,
            layout,
            given=given,
            stated=given | file.keys(),
            serving=serving,
            dp_follows=not file and "dp" not in given,
            of_setup=of_setup,
        )

    asked = query
    if of_setup is not None and of_setup.equals_tp and "etp" not in given and experts_of(model):
        asked = _with_etp_of_tp(query)
    try:
        layout = _stated_layout(asked, loader, answer, edits, used)
    except WrongDegrees as error:
        reference = getattr(query, "layout", None)
        file = _file_of(None if reference is None else loader.layout(reference))
        wrong = degrees(error.layout, file)
        problem = _of_default(error, model, wrong.rule)
        raise _hinted(problem, wrong) from None
    preset = layout_preset(query, loader)
    chosen = degrees(layout, _file_of(preset))
    loader.degree_hint = chosen.hint
    answer.layout = _name_of(query, layout, preset, edits)
    answer.etp_rule = rule = chosen.rule
    try:
        found = with_etp(layout, model, rule)
        refuse([(what, why) for _, what, why in found.problems()])
    except UsageError as error:
        raise _hinted(error, chosen) from None
    answer.assumptions += told(found, model, rule)
    unused = tuple(name for name in fields_given(query) if used and name not in used)
    answer.placed = Placed(model, found, serving=serving, unused=unused)
    return found


def _rule_of_setup(
    query: Query, loader: PresetLoader, answer: Answer, *, serving: bool
) -> Rule | None:
    """Return the rule of etp that the set-up of a query names; None where it names none."""
    name = getattr(query, "setup", None)
    if name is None and not any(each.kind == "setup" for each in loader.overrides):
        return None
    rule, warning = setup_rule(loader.setup(name).value, serving=serving)
    if warning:
        answer.warn(warning)
    return rule


def _with_etp_of_tp(query: Any) -> Any:
    """Return a query of options that gives etp as its tp, so that dp follows from both."""
    return query if query.layout is not None else msgspec.structs.replace(query, etp=query.tp or 1)


def _of_default(error: WrongDegrees, model: Model, rule: Rule) -> UsageError:
    """Return the problem of the default of etp, where it has one; else the error as it is."""
    try:
        with_etp(error.layout, model, rule)
    except UsageError as problem:
        return problem
    return error


def _hinted(error: UsageError, degrees: Degrees) -> UsageError:
    """Return an error with the degrees that would do added to its hint."""

    def hint() -> str:
        found = degrees.hint()
        return f"{error.hint}: {found}" if found else error.hint

    return UsageError(error.message, hint)


def _stated_layout(
    query: Query, loader: PresetLoader, answer: Answer, edits: list[Override], used: tuple[str, ...]
) -> Layout:
    """Return the layout as the query and its preset state it."""
    if getattr(query, "layout", None) is not None or not edits:
        return layout_of(query, loader, answer, used)
    loader.used.add("layout")
    degrees = {
        each.path: int(each.value)
        for each in edits
        if each.path in DEGREES and each.value.isascii() and each.value.isdecimal()
    }
    layout = layout_of(msgspec.structs.replace(query, **degrees), loader, answer, used)
    answer.assumptions += [f"the layout: --set {each.text}" for each in edits]
    return _with(layout, edits)


def _file_of(preset: Preset[Layout] | None) -> dict[str, Any]:
    """Return the fields of a preset as its file states them."""
    data = None if preset is None else preset.source.data
    return data if isinstance(data, dict) else {}


def _name_of(
    query: Query, layout: Layout, preset: Preset[Layout] | None, edits: list[Override]
) -> str:
    """Name a layout for a heading: the preset, with the fields that the query changed."""
    if preset is None:
        return "the layout of the options" if layout.gpus > 1 else "one GPU"
    fields = [*fields_given(query), *dict.fromkeys(each.path.partition(".")[0] for each in edits)]
    data, found = _file_of(preset), []
    for name in fields:
        value = getattr(layout, name, None)
        if value == data.get(name, getattr(_UNSTATED, name, None)):
            continue
        words = name.replace("_", " ")
        if value is True:
            found.append(words)
        else:
            found.append(f"{words} {value}" if type(value) in (int, str) else f"another {words}")
    return f"{layout.name} with {', '.join(found)}" if found else layout.name


def serving_note(phase: str | None) -> str:
    """Say that a layout's phase makes a query serve."""
    return f"the layout is for {SERVING_PHASES[str(phase)]}: counted with --serve"


def phase_of(query: Query, loader: PresetLoader) -> str | None:
    """Return the phase that the layout of a query says it is for; None where it does not say."""
    reference = getattr(query, "layout", None)
    if reference is None:
        edits = (each for each in loader.overrides if (each.kind, each.path) == ("layout", "phase"))
        return next((each.value for each in edits), None)
    try:
        return loader.layout(reference).value.phase
    except InvalidInput:  # the options may mend it
        preset = layout_preset(query, loader)
        return None if preset is None else preset.value.phase


def _with(layout: Layout, edits: list[Override]) -> Layout:
    """Return a layout made of options with edits put in, checked like a file."""
    from dsv3calc.schema.convert import convert

    data: dict[str, Any] = msgspec.to_builtins(layout)
    edited, places = apply_overrides("layout", data, edits)
    source = Source("the options of the query", msgspec.json.encode(data).decode(), "json")
    try:
        return convert(source, edited, Layout, overrides=places)
    except InvalidInput as error:
        if any(problem.file.startswith("--set") for problem in error.problems):
            raise InvalidOverride(error.problems) from None
        options = ", ".join(f"--set {quote(each.text)}" for each in edits)
        raise UsageError(
            f"{options}: " + "; ".join(problem.what for problem in error.problems),
            "; ".join(problem.why for problem in error.problems),
        ) from None


def sequence_of(query: Any, layout: Layout, answer: Answer, default: int) -> int:
    """Return the tokens of a sequence: of the query, the layout, or else the default."""
    given = positive("--seq", query.sequence, default)
    if query.sequence is not None or layout.sequence is None:
        return given
    _tell(answer, layout, "sequence", f"{layout.sequence:,} tokens", "--seq")
    return layout.sequence


def named_by(query: Any, layout: Layout, answer: Answer, field: str) -> str | None:
    """Return the preset of a query's ``precision`` or ``recipe``: its own, or the layout's."""
    given, own = getattr(query, field), getattr(layout, field)
    if given is not None or own is None:
        return given  # type: ignore[no-any-return]
    _tell(answer, layout, field, own, flag_of(query, field))
    return own  # type: ignore[no-any-return]


def _tell(answer: Answer, layout: Layout, field: str, value: str, option: str) -> None:
    answer.notes.append(f"{field}: {value}, of the layout {layout.name} ({option})")
