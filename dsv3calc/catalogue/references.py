"""Which file a reference means: a preset's name or alias, a path, or a model's id on the hub."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from dsv3calc.catalogue import search_path
from dsv3calc.catalogue.overrides import describe
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.reading.diagnostics import Problem, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable

ENDINGS = (".yaml", ".yml", ".json")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LONGEST_NAME = 100
HUB_ID = rf"{NAME.pattern}/{NAME.pattern}"
"""Organisation and name of a model on Hugging Face."""
_MOST_NAMED = 3
"""Presets of one family that a hint names."""


def heading(path: str) -> tuple[str, list[str]]:
    """Read a preset's title and its other names without parsing the file."""
    try:
        with open(path, encoding="utf-8") as file:
            head = file.read(4096)
    except (OSError, UnicodeDecodeError):  # not ours to report: it was not asked for
        return "(unreadable)", []
    title = re.search(r"^title: *(.*)$", head, re.MULTILINE)
    listed = re.search(r"^aliases: *(?:\[([^\]]*)\]|((?:\n *- .*)+))", head, re.MULTILINE)
    parts = re.split(r",|\n *- ", listed[1] or listed[2] or "") if listed else []
    names = [part.strip("'\" \n") for part in parts]
    return title[1].strip("'\" ") if title else "", [name for name in names if name]


def model_names(incomplete: str) -> list[str]:
    """List the names, aliases and ids on the hub of models that begin with a text."""
    found = search_path.listing("model")
    names = [*found]
    if "/" in incomplete:
        names = [each for _, path in found.values() for each in _hub_id(path)]
    elif not any(name.startswith(incomplete) for name in found):
        names = [each for _, path in found.values() for each in heading(path)[1]]
    return [name for name in names if name.casefold().startswith(incomplete.casefold())]


def _hub_id(path: str) -> list[str]:
    """Return the id of the model that a preset was read from, if it names one."""
    try:
        with open(path, encoding="utf-8") as file:
            found = re.search(rf"huggingface\.co/({HUB_ID})/blob/", file.read())
    except (OSError, UnicodeDecodeError):  # not ours to report
        found = None
    return [found[1]] if found else []


def is_path(reference: str) -> bool:
    """Tell whether a reference is a path rather than a preset name."""
    return reference in ("-", ".", "..") or "/" in reference or reference.lower().endswith(ENDINGS)


def resolve(kind: str, reference: str, preset_path: str | None) -> tuple[str, str]:
    """Return why a file was taken, and the file.

    Raises
    ------
    UsageError
        If no preset has the name.
    """
    if reference == "-":
        return "standard input", "-"
    if is_path(reference):
        return _resolve_path(kind, reference, preset_path)
    found = _named(kind, reference, preset_path)
    if found is None:
        raise _unknown(kind, reference, preset_path)
    return found


def kinds_with(name: str, preset_path: str | None = None) -> list[str]:
    """List the kinds that have a preset of some name, or with that alias."""
    return [kind for kind in search_path.FOLDERS if _named(kind, name, preset_path)]


def _named(kind: str, name: str, preset_path: str | None) -> tuple[str, str] | None:
    """Find the preset of a name, as it is written first."""
    if not NAME.fullmatch(name):
        return None
    for place, path in search_path.candidates(kind, name, preset_path):
        return place.why, path
    return _otherwise_named(kind, name, preset_path)


def check_local(kind: str, reference: str, preset_path: str | None) -> None:
    """Refuse an address, and the id of a model on Hugging Face, with what to do instead."""
    address = re.match(r"https?://", reference)
    if not address and (kind != "model" or not is_hub_id(reference)):
        return
    name = reference.rstrip("/").rpartition("/")[2]
    hint = "download its config.json and name that file"
    if kind == "model":
        known = search_path.listing(kind, preset_path)
        found = _named_as_on_the_hub(reference, preset_path)
        if found:
            hint = f"the preset {os.path.basename(found[1])[:-5]}, or {hint}"
        elif relatives := related(name, known):
            hint += f" (presets of its family: {', '.join(relatives)})"
    what = "no address is contacted" if address else "no such file, and no preset has this name"
    raise InvalidInput([Problem(reference, None, None, what, next=hint)])


def _resolve_path(kind: str, reference: str, preset_path: str | None) -> tuple[str, str]:
    if kind == "model" and os.path.isdir(reference):
        return "given", os.path.join(reference, "config.json")
    if kind == "model" and is_hub_id(reference):
        known = _named_as_on_the_hub(reference, preset_path)
        if known is not None:
            return f"{known[0]}, by its id on the hub", known[1]
    if reference.startswith(f"{search_path.FOLDERS[kind]}/") and not os.path.lexists(reference):
        # comparisons/mla-vs-gqa.yaml and the like: a path inside a presets directory
        for place in search_path.search_path(preset_path):
            inside = os.path.join(place.directory, reference)
            if os.path.isfile(inside):
                return place.why, inside
    return "given", reference


def is_hub_id(reference: str) -> bool:
    """Tell whether a reference names a model as organisation/name, and not a file."""
    return (
        re.fullmatch(HUB_ID, reference) is not None
        and not reference.lower().endswith(ENDINGS)
        and not os.path.lexists(reference.partition("/")[0])
    )


def _named_as_on_the_hub(reference: str, preset_path: str | None) -> tuple[str, str] | None:
    """Find the model preset of an id or an address on the hub, whose name may end in -BF16."""
    name = reference.rstrip("/").rpartition("/")[2].casefold().removesuffix("-bf16")
    return _otherwise_named("model", name, preset_path)


def _otherwise_named(kind: str, name: str, preset_path: str | None) -> tuple[str, str] | None:
    """Find the preset that has a name in other letters, or lists it among its aliases."""
    known = search_path.listing(kind, preset_path)
    wanted = name.casefold()
    for own, (place, path) in known.items():
        if own.casefold() == wanted:
            return place.why, path
    for place, path in known.values():
        if wanted in (each.casefold() for each in heading(path)[1]):
            return f"{place.why}, alias of {os.path.basename(path)[:-5]}", path
    return None


def _unknown(kind: str, name: str, preset_path: str | None) -> UsageError:
    known = search_path.listing(kind, preset_path)
    aliases = [each for _, path in known.values() for each in heading(path)[1]]
    close = hint_for(name, known, aliases)
    message = f"there is no {_plainly(kind)} preset '{describe(name)}'"
    missing = search_path.missing_places()
    if missing:
        message += f" (and no directory {', '.join(describe(each) for each in missing)})"
    hint = f"{close} " if close else ""
    if kinds := kinds_with(name, preset_path):
        hint += f"{describe(name)} is a {' and a '.join(map(_plainly, kinds))} preset; "
    hint += f"dsv3calc presets list {search_path.FOLDERS[kind]}"
    if os.path.exists(name):
        hint += f"; for the file of that name write ./{name}"
    return UsageError(message, hint)


def _plainly(kind: str) -> str:
    return kind.replace("_", " ")


def hint_for(
    name: str, known: Iterable[str], aliases: Iterable[str] = (), *, cutoff: float = 0.6
) -> str:
    """Return the name that was probably meant as a question, or the presets of its family.

    A name with other numbers is another model, not a misspelt one, unless it is the beginning of
    a name. ``cutoff`` is how much alike, from 0 to 1, a misspelt name has to be.
    """
    known = [*known]
    close = suggest(name, [*known, *aliases], cutoff)
    longer = [each for each in known if each.startswith(name.casefold())]
    if len(longer) == 1:
        return f"did you mean '{longer[0]}'?"
    if close and _numbers(close) == _numbers(name):
        return f"did you mean '{close}'?"
    for each in (*known, *aliases):
        if each.partition("-")[2] == name.casefold():  # without the maker's name
            return f"did you mean '{each}'?"
    relatives = related(name, known)
    if relatives:
        return f"presets of its family: {', '.join(relatives)};"
    close = close if close in known else suggest(name, known, cutoff)
    return f"did you mean '{close}'?" if close else ""


def related(name: str, known: Iterable[str]) -> list[str]:
    """Return presets whose names begin as a name does, those of the most similar form first.

    Examples
    --------
    >>> related("Qwen3-30B-A3B-FP8", ["qwen2.5-7b", "qwen3-32b", "qwen3-235b-a22b"])
    ['qwen3-235b-a22b', 'qwen3-32b']
    """
    folded = name.casefold()
    own, words = _form(name), {*folded.split("-")}
    found = []
    for each in known:
        shared = len(words.intersection(each.split("-")))
        found.append((-_alike(own, _form(each)), -shared, -_alike(folded, each), each))
    return [row[-1] for row in sorted(found) if row[0]][:_MOST_NAMED]


def _form(name: str) -> list[str]:
    """Return the words of a name, the first as it is, the others without their numbers."""
    first, *rest = re.split(r"[-_]", name.casefold())
    return [first, *(re.sub(r"[\d.]+", "0", word) for word in rest)]


def _alike(one: Iterable[str], other: Iterable[str]) -> int:
    """Return how many words, or letters, two names begin with alike."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _numbers(name: str) -> list[str]:
    return re.findall(r"\d+", name)
