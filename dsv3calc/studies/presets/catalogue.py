"""Answers about presets themselves: list, show, where, diff, validate."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dsv3calc.catalogue import presets, references, search_path
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.queries.base import CompareQuery
from dsv3calc.reading.diagnostics import Problem, did_you_mean, quote
from dsv3calc.reading.source import parse_json, read_source
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.compare.answer import answer_compare
from dsv3calc.studies.goldens.verdict import load_goldens
from dsv3calc.studies.presets.fields import flatten, side_by_side
from dsv3calc.studies.presets.figures import UNITS, figures_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.catalogue.presets import Preset

_TELLING_FIELDS = (
    ("groups", "model"),
    ("goldens", "golden"),
    ("designs", "comparison"),
    ("peaks", "hardware"),
    ("interruptions", "failures"),
    ("ring_base", "achieved"),
    ("modules", "recompute"),  # has formats too
    ("formats", "precision"),
    ("bits", "kv_format"),
    ("latency_same_leaf", "network"),
    ("gradient_bits", "recipe"),
    ("ring_base", "achieved"),
    ("memory", "setup"),
    ("driver_context", "setup"),  # a runtime of 0.1.0, which is refused with what to do
    ("model_type", "model"),
    ("ep", "layout"),
    ("dp", "layout"),
    ("pp", "layout"),
    ("tp", "layout"),
)
"""A field that only one kind of preset has -> that kind, in the order they are looked for."""


def kind_named(word: str | None) -> str | None:
    """Return the kind that a user names, in singular or plural, or by its folder.

    Raises
    ------
    UsageError
        If there is no such kind.
    """
    if word is None:
        return None
    names = {name: kind for kind, folder in search_path.FOLDERS.items() for name in (kind, folder)}
    names |= {name.replace("_", "-"): kind for name, kind in names.items()}
    names |= dict.fromkeys(("runtime", "runtimes"), "setup")  # their name in 0.1.0
    if word not in names:
        raise UsageError(
            f"there is no kind of preset called {quote(word)}; "
            f"kinds: {', '.join(search_path.FOLDERS.values())}",
            did_you_mean(word, names),
        )
    return names[word]


def list_presets(kind: str | None, preset_path: str | None, *, figures: bool = True) -> Answer:
    """List the presets that can be named, with the place that each comes from.

    Models and devices are listed with ``figures``, where wanted.
    """
    answer = Answer("presets list", {"kind": kind}, "rows")
    for each in search_path.FOLDERS if kind is None else (kind,):
        for name, (place, path) in search_path.listing(each, preset_path).items():
            title, aliases = references.heading(path)
            row: dict[str, Any] = {"kind": each, "name": name, "title": title, "aliases": aliases}
            answer.rows.append(row | {"from": place.why})
    if figures and kind in UNITS and answer.rows:
        answer.view = "presets list"
        for row in answer.rows:
            row.update(figures_of(kind, row["name"], preset_path))
    return answer


def find_preset(reference: str, kind: str | None, preset_path: str | None) -> Preset[Any]:
    """Load a preset whose kind may be left open.

    Raises
    ------
    UsageError
        If no kind, or more than one, has a preset of that name.
    """
    if kind is None:
        kind = (
            kind_of_file(reference)
            if references.is_path(reference)
            else kind_of_name(reference, preset_path)
        )
    if kind == "golden":
        raise UsageError(f"{reference} is a golden file, not a preset", "dsv3calc check FILE")
    return presets.load(kind, reference, preset_path=preset_path)


def kind_of_name(reference: str, preset_path: str | None) -> str:
    """Tell which kind of preset has a name.

    Raises
    ------
    UsageError
        If no kind has it, or more than one.
    """
    found = references.kinds_with(reference, preset_path)
    if len(found) > 1:
        raise UsageError(
            f"{reference} is a preset of several kinds: {', '.join(found)}",
            f"add --kind {found[0]}",
        )
    if not found:
        names = [
            name for each in search_path.FOLDERS for name in search_path.listing(each, preset_path)
        ]
        close = references.hint_for(reference, names, cutoff=0.8)  # of so many one is soon alike
        raise UsageError(
            f"there is no preset {quote(reference)}",
            f"{close} dsv3calc presets list".strip(),
        )
    return found[0]


def kind_of_file(path: str) -> str:
    """Tell what kind of preset a file holds by a field that only this kind has.

    Raises
    ------
    InvalidInput
        If it has none of them.
    """
    import os

    if path != "-" and (os.path.isdir(path) or references.is_hub_id(path)):
        return "model"
    data: object = {"groups": []}
    if path != "-":
        source = read_source(path)
        # a config.json may hold Infinity where no count depends on it
        is_json = source.form == "json"
        data = parse_json(source, not_finite=True) if is_json else source.data
    if isinstance(data, dict):
        for field, kind in _TELLING_FIELDS:
            if field in data:
                return kind
    words = ", ".join(f"{field} ({kind})" for field, kind in _TELLING_FIELDS)
    raise InvalidInput(
        [Problem(path, 1, 1, "this is no preset of a known kind", valid=f"a file with {words}")]
    )


def show_preset(reference: str, kind: str | None, preset_path: str | None) -> Answer:
    """Show a preset as its file has it, with the values filled in by default as rows."""
    preset = find_preset(reference, kind, preset_path)
    answer = Answer("presets show", {"name": preset.name, "kind": preset.kind}, "text")
    answer.query["file"] = preset.path
    answer.rows = [
        {"field": field, "value": value} for field, value in flatten(preset.value, everything=True)
    ]
    answer.text = preset.source.text
    answer.cite(preset)
    answer.assumptions.clear()  # the text itself says what is assumed
    return answer


def where_preset(reference: str, kind: str | None, preset_path: str | None) -> Answer:
    """Show the file a name resolves to, and the files of that name it shadows."""
    found = kind or (
        kind_of_file(reference)
        if references.is_path(reference)
        else kind_of_name(reference, preset_path)
    )
    # the file is not read: one that is broken, and hides another, is what is looked for here
    why, used = references.resolve(found, reference, preset_path)
    if used == reference:
        references.check_local(found, reference, preset_path)
    answer = Answer("presets where", {"name": reference, "kind": found}, "rows")
    answer.rows.append({"file": used, "from": why, "used": True})
    if not references.is_path(reference):
        for place, path in search_path.candidates(found, reference, preset_path):
            if path != used:
                answer.rows.append({"file": path, "from": place.why, "used": False})
    return answer


def diff_presets(first: str, second: str, kind: str | None, preset_path: str | None) -> Answer:
    """Compare two presets field by field.

    Raises
    ------
    UsageError
        If they are of different kinds.
    """
    one, two = (find_preset(each, kind, preset_path) for each in (first, second))
    if one.kind != two.kind:
        raise UsageError(
            f"{first} is a {one.kind} and {second} a {two.kind}",
            "two presets of one kind can be compared",
        )
    answer = Answer("presets diff", {"a": one.name, "b": two.name, "kind": one.kind}, "rows")
    answer.headings = ["field", "a", "b", "ratio"]
    for field, a, b in side_by_side(one.value, two.value):
        if a == b and type(a) is type(b):
            continue
        row: dict[str, Any] = {"field": field, "a": a, "b": b, "ratio": None}
        if _is_number(a) and _is_number(b) and a:
            row["ratio"] = b / a
        answer.rows.append(row)
    if not answer.rows:
        answer.notes.append(f"{one.name} and {two.name} have the same values")
    return answer


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def validate_files(files: Sequence[str]) -> Answer:
    """Check preset files (or config.json files) of any kind.

    Raises
    ------
    InvalidInput
        With every problem of every file.
    """
    answer = Answer("presets validate", {"files": list(files)}, "rows")
    problems: list[Problem] = []
    for file in files:
        path = file if references.is_path(file) else f"./{file}"
        try:
            kind = kind_of_file(path)
            if kind == "golden":
                _, _, broken = load_goldens(path)
                problems += [problem for row in broken.values() for problem in row]
                row = {"file": file, "kind": kind, "name": None, "valid": not broken}
                answer.rows.append(row)
                continue
            preset = presets.load(kind, path, check_shipped=True)
            if preset.kind == "comparison":
                answer_compare(CompareQuery(models=(path,)))
        except InvalidInput as error:
            problems += error.problems
            continue
        except UsageError as error:
            problems.append(Problem(path, None, None, error.message, next=error.hint))
            continue
        answer.rows.append({"file": file, "kind": preset.kind, "name": preset.name, "valid": True})
        if not preset.path.endswith("config.json"):
            stem = re.sub(r".*/|\.\w+$", "", file)
            if stem != preset.name:
                answer.warn(f"{file}: a preset is found by its file name, but it is named "
                            f"{preset.name}")  # fmt: skip
    if problems:
        raise InvalidInput(problems)
    return answer
