"""Read a Hugging Face ``config.json`` into the schema's plain data, without any of its libraries.

Every key is mapped, ignored by name, or a problem. For an absent switch or option the default of
the configuration class is taken and reported as an assumption; an absent size is a problem. Which
is which stands in one table for each ``model_type``, under ``families``.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.errors import InvalidInput
from dsv3calc.importers.assemble import assemble, cross_checks
from dsv3calc.importers.families import MARKS, MODULES, family
from dsv3calc.importers.findings import Findings
from dsv3calc.importers.ignored import COMMON, FIXED, SWITCHES
from dsv3calc.importers.stored import Stored
from dsv3calc.importers.wrappers import readers_of, towers_of
from dsv3calc.reading.diagnostics import quote, suggest
from dsv3calc.reading.source import parse_json
from dsv3calc.reading.text import MOST_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Collection

    from dsv3calc.importers.family import Architecture, Family
    from dsv3calc.importers.keys import Reader
    from dsv3calc.reading.source import Source


class Imported(msgspec.Struct, frozen=True):
    """A model as plain data of the schema, and what its reader should know.

    ``assumptions`` names each value that config.json does not hold; ``ignored`` each key that
    was left out, by name, because no count depends on it or because the caller said so; ``notes``
    what else was read. ``keys`` gives by schema field the path of the key that has its value.
    """

    data: dict[str, Any]
    assumptions: list[str]
    ignored: list[str]
    notes: list[str]
    keys: dict[str, tuple[str, ...]]


def import_config(
    source: Source, *, ignore_keys: Collection[str] = (), beside: Source | None = None
) -> Imported:
    """Return the model that a ``config.json`` describes.

    Parameters
    ----------
    source : Source
        The file's name and text.
    ignore_keys : Collection of str, optional
        Keys to treat as if they were absent.
    beside : Source, optional
        The hf_quant_config.json beside the file.

    Returns
    -------
    Imported

    Raises
    ------
    InvalidInput
        With every problem found, in file order.
    """
    data = parse_json(source, not_finite=True)
    findings = Findings(source, "", frozenset(ignore_keys))
    if not isinstance(data, dict):
        findings.refuse((), f"config.json holds {quote(data)}", valid="one JSON object")
        raise InvalidInput(findings.problems)
    readers, found = _readers(findings, data)
    architecture = _read(readers, found)
    stored = Stored(readers, beside)
    towers = towers_of(readers)
    for reader in readers:
        _check_architectures(reader)
        _check_other_keys(reader)
    imported: dict[str, Any] = {}
    if not findings.problems:
        imported = assemble(findings, found, architecture, stored.precision, towers)
        stored.put_into(imported)
        cross_checks(findings, found, imported)
    if findings.problems:
        findings.problems.sort(key=lambda each: (each.file, each.line or 0, each.column or 0))
        raise InvalidInput(findings.problems)
    return Imported(
        imported,
        list(findings.assumed.values()),
        list(findings.ignored),
        findings.notes,
        _keys(findings, found, data),
    )


def _keys(findings: Findings, found: Family, data: Any) -> dict[str, tuple[str, ...]]:
    """Return by schema field the path of the key that has its value; not what the file omits."""

    def stands(path: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return where a key stands: text_config may take one from the object around it."""
        for each in (path, path[-1:]):
            value = data
            for key in each:
                if not isinstance(value, dict) or key not in value:
                    break
                value = value[key]
            else:
                return None if isinstance(value, dict) else each
        return None

    places = {key: stands(path) for key, path in findings.places.items()}
    given = {key: path for key, path in places.items() if path is not None}
    renamed = {field: given[key] for field, key in found.fields.items() if key in given}
    return given | renamed


def _readers(findings: Findings, data: dict[str, Any]) -> tuple[list[Reader], Family]:
    """Return a reader of the object, and of the text_config inside where the family has one."""
    model_type = data.get("model_type")
    if model_type in (None, "transformer") and data.keys() >= MARKS:
        model_type = "mistral_params"  # Mistral's own files name no type of the library's
        data = data | {"model_type": model_type}
    if not isinstance(model_type, str) or model_type not in MODULES:
        raise _unsupported(findings, data)
    findings.model_type = model_type
    return readers_of(findings, family(model_type), data)


def _unsupported(findings: Findings, data: dict[str, Any]) -> InvalidInput:
    """Return the error for a family that is not supported, with what is."""
    given = data.get("model_type")
    what = f"model_type {quote(given)} is not supported"
    why = "the counts of each family follow its modelling code; another family's would be a guess"
    why = _REFUSED.get(given, why) if isinstance(given, str) else why
    step = ""
    if given is None:
        what, why = "model_type is missing", "it says which family's table the keys are read by"
    inner = data.get("text_config")
    nested = inner.get("model_type") if isinstance(inner, dict) else None
    if isinstance(nested, str) and nested in MODULES:
        step = f"import text_config alone: it is a {nested}"
    findings.refuse(
        ("model_type",),
        what,
        why=why,
        valid=", ".join(MODULES),
        suggestion=_misspelt(given) if isinstance(given, str) else "",
        next=step,
    )
    return InvalidInput(findings.problems)


_REFUSED = {
    "glm5_next": "its indexer scores pooled keys, which is not supported",
    "mllama": "its cross-attention layers read a vision tower, which is not supported",
    "qwen4_exp": "its n-gram embeddings of single layers, low-rank residual streams and indexer "
    "of pooled keys are not supported",
    "rwkv": "its time mixing is not a supported mixer",
    "xlstm": "its cells are not a supported mixer",
    "zamba": "its layers share the weights of one block, which is not supported",
    "zamba2": "its layers share the weights of two blocks and adapt them, which is not supported",
}
"""What a model_type that is known and not supported has that cannot be counted."""

_OTHER_FAMILIES = ("mllama", "olmo")
"""Families of their own whose ``model_type`` resembles that of a supported one."""


def _misspelt(given: str) -> str:
    """Return the supported ``model_type`` that was misspelt; another number is another family."""
    close = suggest(given, MODULES, cutoff=0.88)
    numbers = [[letter for letter in name if letter.isdigit()] for name in (given, close)]
    return close if numbers[0] == numbers[1] and given not in _OTHER_FAMILIES else ""


def _read(readers: list[Reader], found: Family) -> Architecture:
    if found.read is None:  # pragma: no cover - a test holds that every table can be read
        raise NotImplementedError
    return found.read(readers[-1])


def _check_architectures(reader: Reader) -> None:
    """Refuse a class with another head than the language model's."""
    reader.skip("architectures")
    if not reader.has("architectures"):
        return
    given = reader.data["architectures"]
    for name in given if isinstance(given, list) else [given]:
        if isinstance(name, str) and not any(letter.isalpha() for letter in name):
            text = f"architectures {quote(name)} names no class: the language model's is counted"
            reader.findings.assumed["architectures"] = text
        elif name not in reader.family.architectures:
            reader.refuse(
                "architectures",
                f"architecture {quote(name)} is not counted",
                why="another class may have other tensors, such as a classifier for the head",
                valid=", ".join(reader.family.architectures),
                next="--ignore-key architectures, if its tensors are the language model's",
            )


def _check_other_keys(reader: Reader) -> None:
    """Sort the keys that the family did not ask for: ignored, fixed to a value, or unknown."""
    findings, table = reader.findings, reader.family
    fixed = FIXED | table.fixed
    ignored = COMMON | table.ignored
    for name, value in reader.data.items():
        if len(findings.problems) >= MOST_PROBLEMS:
            return
        if name in findings.ignore_keys or (name in ignored and name not in reader.asked):
            findings.ignored[".".join((*reader.path, name))] = None
        elif name in reader.asked:
            continue
        elif name in fixed:
            allowed = fixed[name]
            if not any(value == one and type(value) is type(one) for one in allowed):
                reader.refuse(
                    name,
                    f"{name} {quote(value)} is not counted for model_type {findings.model_type}",
                    why="the family's modelling code has no such part",
                    valid=" or ".join(_fixed_text(one) for one in allowed),
                )
        else:
            _refuse_key(reader, name, [*reader.asked, *ignored, *fixed])
    for part in reader.parts:
        _check_other_keys(part)


def _fixed_text(value: object) -> str:
    return "{}" if value == {} else quote(value)


def _refuse_key(reader: Reader, name: str, known: list[str]) -> None:
    model_type = reader.findings.model_type
    switched = next((SWITCHES[start] for start in SWITCHES if name.startswith(start)), "")
    why = f"the importer of model_type {model_type} does not know it, and it may change a count"
    if switched:
        why = f"it may switch on {switched}, which would go uncounted for model_type {model_type}"
    reader.findings.refuse_key(
        (*reader.path, name),
        f"unknown key {quote(name)}",
        why=why,
        suggestion=suggest(name, [key for key in known if key not in reader.data], cutoff=0.8),
        next=f"--ignore-key {name}, if no count depends on it",
    )
