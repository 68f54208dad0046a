"""Presets: from a name, a path or standard input to a checked struct with its sources."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from dsv3calc.catalogue import search_path
from dsv3calc.catalogue.assumptions import Assumption, assumed, assumptions_of
from dsv3calc.catalogue.overrides import Override, apply_overrides, describe
from dsv3calc.catalogue.own import completed
from dsv3calc.catalogue.references import check_local, is_path, resolve
from dsv3calc.errors import InvalidInput, InvalidOverride, UsageError
from dsv3calc.reading.diagnostics import Problem
from dsv3calc.reading.source import Source, parse_json, read_source
from dsv3calc.schema.compiled import checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.reading.text import PathInData

T = TypeVar("T")

KEYS_NOT_IGNORED = ("model_type", "text_config")
"""Keys of a config.json without which it cannot be read."""
_MOST_CACHED = 256


class Preset(Generic[T]):
    """A loaded preset: its value, the file it came from, and what a reader must know of it.

    ``assumptions`` lists the values that nothing published states and no override replaces;
    ``imported`` is our plain data where the file is Hugging Face's, ``keys`` the path in it of the
    key behind each field. ``edited`` gives the
    ``NAME=VALUE`` of each path that an override changed; ``notes`` what else was read.
    """

    __slots__ = (
        "assumptions",
        "edited",
        "ignored",
        "imported",
        "keys",
        "kind",
        "name",
        "notes",
        "path",
        "source",
        "value",
        "warnings",
    )

    def __init__(self, kind: str, name: str, path: str, source: Source) -> None:
        self.kind = kind
        self.name = name
        self.path = path
        self.source = source
        self.value: T = None  # type: ignore[assignment] # set by the loader, once converted
        self.assumptions: list[Assumption] = []
        self.edited: dict[PathInData, str] = {}
        self.ignored: list[str] = []
        self.imported: dict[str, Any] | None = None
        self.keys: dict[str, tuple[str, ...]] = {}
        self.notes: list[str] = []
        self.warnings: list[str] = []


_TYPES = {
    "model": ("model", "Model"),
    "hardware": ("hardware", "Hardware"),
    "achieved": ("achieved", "AchievedDefaults"),
    "layout": ("layout", "Layout"),
    "network": ("network", "Network"),
    "comparison": ("comparison", "Comparison"),
    "precision": ("precision", "Precision"),
    "kv_format": ("precision", "KVFormat"),
    "recipe": ("memory", "Recipe"),
    "recompute": ("memory", "Recompute"),
    "setup": ("setup", "Setup"),
    "failures": ("failures", "Failures"),
}
"""Kind of preset -> module of ``dsv3calc.schema`` and struct."""


def type_of(kind: str) -> type[Any]:
    """Return the struct of a kind, importing its schema alone."""
    module, name = _TYPES[kind]
    found: type[Any] = getattr(import_module(f"dsv3calc.schema.{module}"), name)
    return found


_CACHE: dict[tuple[Any, ...], Preset[Any]] = {}


def load(
    kind: str,
    reference: str,
    *,
    preset_path: str | None = None,
    overrides: Sequence[Override] = (),
    ignore_keys: Sequence[str] = (),
    check_shipped: bool = False,
) -> Preset[Any]:
    """Load a preset.

    Parameters
    ----------
    kind
        One of ``search_path.FOLDERS``.
    reference
        A preset name; a path (it has a ``/`` or ends in .yaml, .yml or .json); or ``-``. For a
        model, a folder holding a ``config.json``, and Hugging Face's JSON too.
    preset_path
        A presets directory to look in first.
    overrides
        ``--set`` values for this preset.
    ignore_keys
        Keys of a ``config.json`` to pass over.
    check_shipped
        Check a shipped file again that was checked when the package was built.

    Raises
    ------
    UsageError
        If no preset has that name.
    InvalidInput
        If the file is not a valid preset, with every problem in it.
    """
    path, state = _found(kind, reference, preset_path)
    if state is None:
        check_local(kind, reference, preset_path)
    if state is None or check_shipped:
        return _read(kind, path, read_source(path), overrides, ignore_keys, check_shipped)
    key = (kind, path, state.st_mtime_ns, state.st_size, tuple(overrides), tuple(ignore_keys))
    cached = _CACHE.get(key)
    if cached is None:
        cached = _read(kind, path, read_source(path), overrides, ignore_keys)
        if len(_CACHE) >= _MOST_CACHED:
            _CACHE.clear()
        _CACHE[key] = cached
    return cached


_PATHS: dict[tuple[Any, ...], str] = {}


def _found(kind: str, reference: str, preset_path: str | None) -> tuple[str, os.stat_result | None]:
    """Return the file of a reference and its state, None for what is no file.

    The files of names are remembered while the surroundings stay the same.
    """
    if is_path(reference):
        path = resolve(kind, reference, preset_path)[1]
        return path, None if path == "-" else _state(path)
    key = (kind, reference, preset_path, search_path.surroundings())
    known = _PATHS.get(key)
    state = _state(known) if known else None
    if known is None or state is None:
        if len(_PATHS) >= _MOST_CACHED:
            _PATHS.clear()
        known = _PATHS[key] = resolve(kind, reference, preset_path)[1]
        state = _state(known)
    return known, state


def _state(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):  # ValueError: the name has a NUL
        return None


def _read(
    kind: str,
    path: str,
    source: Source,
    overrides: Sequence[Override],
    ignore_keys: Sequence[str],
    check_shipped: bool = False,  # noqa: FBT001, FBT002 - as load has it
) -> Preset[Any]:
    if path == "-" and source.text.lstrip()[:1] == "{":
        source = Source(source.name, source.text, "json", source.largest)
    preset: Preset[Any] = Preset(kind, "", path, source)
    to_check = check_shipped or overrides or ignore_keys
    preset.value = None if to_check else checked(kind, source)
    told = None
    if preset.value is None:
        told = _fill(preset, overrides, ignore_keys)
    preset.name = getattr(preset.value, "name", path)
    # an import's assumptions are told by the key that the config omits
    stated = assumed(preset.value) if told is None else [("", text, text) for text in told]
    preset.assumptions = assumptions_of(preset, stated, overrides)
    return preset


def _fill(
    preset: Preset[Any], overrides: Sequence[Override], ignore_keys: Sequence[str]
) -> list[str] | None:
    """Convert the data of a preset's file, with overrides; return what an import assumed."""
    kind, path, source = preset.kind, preset.path, preset.source
    is_json = kind == "model" and source.form == "json"
    data = parse_json(source, not_finite=True) if is_json else source.data
    told: list[str] | None = None
    if is_json and _is_huggingface(data):
        from dsv3calc.importers.huggingface import import_config

        for key in KEYS_NOT_IGNORED:
            if key in ignore_keys:
                raise UsageError(f"--ignore-key {key}: this key cannot be ignored")
        imported = import_config(source, ignore_keys=ignore_keys, beside=_beside(path))
        data = preset.imported = imported.data
        told = imported.assumptions
        preset.warnings += [
            f"--ignore-key {describe(key)} has no effect: {source.name} has no such key"
            for key in ignore_keys
            if f'"{key}"' not in source.text
        ]
        preset.ignored += imported.ignored
        preset.notes += imported.notes
        preset.keys = imported.keys
    elif is_json:
        data = parse_json(source)
    if ignore_keys and preset.imported is None:
        preset.warnings.append(f"--ignore-key has no effect: {source.name} is no config.json")
    if not isinstance(data, dict):
        words = f"a {kind} preset is a mapping of fields, not a value"
        if is_json:
            words = "config.json must be a JSON object"
        raise InvalidInput([Problem(source.name, 1, 1, words)])
    if kind == "setup" and "driver_context" in data:
        raise InvalidInput([_runtime_of_old(source)])
    data = completed(kind, path, source, data)
    preset.value, preset.edited = _overridden(kind, source, data, overrides)
    return told


def _runtime_of_old(source: Source) -> Problem:
    """Return what to do with a runtime preset of 0.1.0, whose fields a set-up has in a part."""
    at = source.position(("driver_context",), key=True)
    return Problem(
        source.name,
        at.line,
        at.column,
        "this is a runtime preset of 0.1.0, which set-ups replace",
        valid="memory: with these fields below it",
        next="move everything except name, title and sources below memory:, prefix the fields "
        "in provenance with memory., and move the file to the folder setups",
    )


def _beside(path: str) -> Source | None:
    """Return the file that tells how the weights beside a config.json are quantised."""
    if os.path.basename(path).casefold() != "config.json":
        return None
    from dsv3calc.importers.stored import BESIDE

    other = os.path.join(os.path.dirname(path), BESIDE)
    return read_source(other) if os.path.isfile(other) else None


def inside(
    model: Preset[Any], kind: str, value: Any, overrides: Sequence[Override] = ()
) -> Preset[Any]:
    """Return what a model's file holds of another kind as a preset, with overrides put in."""
    preset: Preset[Any] = Preset(kind, value.name, model.path, model.source)
    preset.imported = msgspec.to_builtins(value)
    preset.value = value
    if overrides:
        data = preset.imported
        preset.value, preset.edited = _overridden(kind, model.source, data, overrides)
    preset.name = value.name
    preset.assumptions = assumptions_of(preset, assumed(preset.value), overrides)
    return preset


def _overridden(
    kind: str, source: Source, data: dict[str, Any], overrides: Sequence[Override]
) -> tuple[Any, dict[PathInData, str]]:
    """Return the struct of a file's data with overrides put in, and where they are.

    Raises
    ------
    InvalidInput
        If the file is wrong.
    InvalidOverride
        If the file alone is right: a problem that an override brings elsewhere, such as between
        two peaks, is then that of the overrides of the same part.
    """
    from dsv3calc.schema.convert import convert

    edited, places = apply_overrides(kind, data, overrides)
    type_ = type_of(kind)
    try:
        return convert(source, edited, type_, overrides=places), places
    except InvalidInput as error:
        problems, unknown = error.problems, error.unknown
        if not places:
            raise
    try:
        convert(source, data, type_)
    except InvalidInput:
        raise InvalidInput(problems) from None
    blamed = [_blamed(problem, places) for problem in problems]
    raise InvalidOverride(blamed, unknown=unknown) from None


def _blamed(problem: Problem, places: dict[PathInData, str]) -> Problem:
    """Return a problem as that of the overrides of its part of the data, or of all."""
    if problem.line is None:
        return problem
    part = re.split(r"[.\[]", problem.path)[0]
    mine = [text for path, text in places.items() if path[0] == part] or [*places.values()]
    texts = " ".join(f"--set {text}" for text in dict.fromkeys(mine))
    return msgspec.structs.replace(problem, file=texts, line=None, column=None, source_line="")


def _is_huggingface(data: object) -> bool:
    """Tell a ``config.json`` from our own schema written as JSON, which lists layer groups."""
    return isinstance(data, dict) and "groups" not in data
