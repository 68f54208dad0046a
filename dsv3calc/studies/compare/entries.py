"""Columns of ``compare`` as they are asked for: a model, and what is different in its column."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.catalogue.overrides import Override, UnknownField, parse_overrides
from dsv3calc.errors import InvalidInput, InvalidOverride, UsageError
from dsv3calc.queries.base import CompareQuery
from dsv3calc.queries.fields import fields_of, keys_of
from dsv3calc.reading.diagnostics import Problem, quote, suggest
from dsv3calc.studies.compare.instance import QUERIES
from dsv3calc.studies.compare.vary import CHANGES, read_changes, split_variation, vary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.fields import Field
    from dsv3calc.schema.comparison import Comparison, Design
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.preset_loader import PresetLoader

_NOT_OF_A_COLUMN = {
    "models", "vary", "baseline", "rows", "model", "set", "preset_path", "ignore_keys", "by",
    "rank", "require_fit", "fewest_gpus",
}  # fmt: skip
"""Options that say what is compared or shown."""


class Entry:
    """One column to be: a loaded model, its title, and what is different there.

    ``query`` is the comparison with the options of the column, ``own`` are those that sections
    about a layout have beside, ``of_section`` those of one section alone. ``loader`` has the
    overrides of the column. ``design`` is the model as changed.
    """

    __slots__ = ("design", "loader", "of_section", "own", "preset", "query", "title")

    def __init__(
        self,
        query: CompareQuery,
        loader: PresetLoader,
        reference: str,
        changes: Sequence[tuple[str, str]] = (),
        overrides: tuple[Override, ...] = (),
        title: str = "",
    ) -> None:
        found = _sorted(changes)
        overrides += tuple(each for each in found.overrides if each.kind == "model")
        others = tuple(each for each in found.overrides if each.kind != "model")
        self.loader = loader.beside(others) if others else loader
        self.preset = self._load(reference, overrides)
        words = ",".join(f"{name}={value}" for name, value in changes)
        self.title = title or ":".join(filter(None, (self.preset.name, words)))
        self.design: Preset[Model] = self.preset
        if found.architecture:
            self.design = copy(self.preset)
            self.design.value = vary(self.preset.value, found.architecture)
        self.query = msgspec.structs.replace(query, **found.settings)
        self.own = found.own
        self.of_section = found.of_section

    def _load(self, reference: str, overrides: tuple[Override, ...]) -> Preset[Model]:
        try:
            return self.loader.one_of_several(reference, overrides)
        except UnknownField as error:
            name = error.override.path
            close = suggest(name, [*CHANGES, *options()])
            raise UsageError(
                f"{quote(reference)} has no field {quote(name)}, and no option is called so",
                f"did you mean '{close}=...'?" if close else error.hint,
            ) from None

    @property
    def model(self) -> Model:
        """The model with the changes of its column."""
        return self.design.value

    @property
    def placed(self) -> bool:
        """Whether the column says how GPUs are used."""
        return self.query.layout is not None or bool(self.own)

    def options(self, section: str) -> dict[str, Any]:
        """Return the options of a section in this column that are not the comparison's."""
        return {**self.own, **self.of_section.get(section, {})}

    @property
    def layouts(self) -> str:
        """The layout of the column, or that of each section that has its own."""
        own = [f"{name} {each['layout']}" for name, each in self.of_section.items()
               if "layout" in each]  # fmt: skip
        return ", ".join([*([self.query.layout] if self.query.layout else []), *own])


class _Sorted(msgspec.Struct):
    """Changes of a column by what they change."""

    architecture: list[tuple[str, str]] = msgspec.field(default_factory=list)
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    own: dict[str, Any] = msgspec.field(default_factory=dict)
    of_section: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    overrides: tuple[Override, ...] = ()


def _sorted(changes: Iterable[tuple[str, str]]) -> _Sorted:
    found = _Sorted()
    known = options()
    sets = []
    for name, value in changes:
        key = name.replace("-", "_")
        section, _, rest = key.partition(".")
        if name in CHANGES:
            found.architecture.append((name, value))
        elif key in known:
            field, read = _read(known[key], value)
            own = field.name not in fields_of(CompareQuery)
            (found.own if own else found.settings)[field.name] = read
        elif section in QUERIES:
            field, read = _read(_option_of(section, rest), value)
            found.of_section.setdefault(section, {})[field.name] = read
        else:
            sets.append(f"{name}={value}")
    found.overrides = parse_overrides(sets)
    return found


def _read(option: tuple[Field, str], value: str) -> tuple[Field, Any]:
    field, typed = option
    raw: Any = {"true": True, "false": False}.get(value, value)
    return field, field.read(typed, raw if field.kind == "flag" else value)


def _option_of(section: str, key: str) -> tuple[Field, str]:
    """Return an option of one section alone."""
    known = {
        name: option
        for name, option in keys_of(QUERIES[section]).items()
        if option[0].name not in _NOT_OF_A_COLUMN
    }
    if key not in known:
        close = suggest(key, known)
        raise UsageError(
            f"{section} has no option {quote(key)}",
            f"did you mean '{section}.{close}=...'?" if close else f"dsv3calc {section} --help",
        )
    return known[key]


def options() -> Mapping[str, tuple[Field, str]]:
    """Return the options that a column can give by their names; those of compare go first."""
    return {
        key: (field, typed)
        for struct in (*QUERIES.values(), CompareQuery)
        for key, (field, typed) in keys_of(struct).items()
        if field.name not in _NOT_OF_A_COLUMN
    }


def entries_of(loader: PresetLoader, query: CompareQuery) -> tuple[CompareQuery, list[Entry]]:
    """Load the designs; a single reference may be a comparison file instead of a model.

    Raises
    ------
    UsageError, InvalidInput
        As the query, the file or a model is wrong.
    """
    models = query.models
    if len(models) == 1 and _is_comparison(models[0], query.preset_path):
        try:
            return _from_file(loader, query, models[0])
        except UsageError as error:  # what the file says is wrong, not the command line
            raise InvalidInput(
                [Problem(models[0], None, None, error.message, next=error.hint)]
            ) from None
    found = [Entry(query, loader, *split_variation(text, plain=True)) for text in models]
    found += [Entry(query, loader, *split_variation(text)) for text in query.vary]
    return query, found


def _is_comparison(reference: str, preset_path: str | None) -> bool:
    """Tell whether a reference is a comparison: a file that lists designs, or a preset of one."""
    from dsv3calc.catalogue import references, search_path
    from dsv3calc.reading.source import read_source

    if reference == "-":
        data = read_source("-").data
        return isinstance(data, dict) and "designs" in data
    if references.is_path(reference):
        if not reference.endswith((".yaml", ".yml")):
            return False
        data = read_source(references.resolve("comparison", reference, preset_path)[1]).data
        return isinstance(data, dict) and "designs" in data
    if next(search_path.candidates("model", reference, preset_path), None) is not None:
        return False
    return next(search_path.candidates("comparison", reference, preset_path), None) is not None


_OF_A_FILE = (
    "hardware", "layout", "setup", "precision", "kv_dtype", "batch", "context", "sequence",
    "baseline",
)  # fmt: skip


def _from_file(
    loader: PresetLoader, query: CompareQuery, reference: str
) -> tuple[CompareQuery, list[Entry]]:
    """Take designs and workload from a file; an option on the command line goes before it."""
    from dsv3calc.catalogue import presets

    preset = presets.load("comparison", reference, preset_path=query.preset_path)
    comparison: Comparison = preset.value
    from_file: dict[str, Any] = {
        name: getattr(comparison, name) for name in _OF_A_FILE if getattr(query, name) is None
    }
    if not query.rows:
        from_file["rows"] = tuple(comparison.rows)
    from_file["serve"] = query.serve or comparison.serve
    merged = msgspec.structs.replace(query, **from_file)
    found = [_designed(loader, design, merged) for design in comparison.designs]
    found += [Entry(merged, loader, *split_variation(text)) for text in query.vary]
    return merged, found


def _designed(loader: PresetLoader, design: str | Design, query: CompareQuery) -> Entry:
    if isinstance(design, str):
        return Entry(query, loader, *split_variation(design, plain=True))
    overrides = tuple(
        Override("model", name, _yaml(value), f"{name}={_yaml(value)}")
        for name, value in design.set.items()
    )
    if design.precision:
        query = msgspec.structs.replace(query, precision=design.precision)
    changes = read_changes(design.vary)
    try:
        made = Entry(query, loader, design.model, changes, overrides, design.title)
    except InvalidOverride as error:
        raise InvalidInput(error.problems) from None  # the comparison's file gives them
    if not design.title:
        made.title = ":".join([made.title, *design.set])
    return made


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
