"""Files that nest a language model as ``text_config``, and the towers beside it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dsv3calc.errors import InvalidInput
from dsv3calc.importers.families import family
from dsv3calc.importers.keys import Reader
from dsv3calc.reading.diagnostics import quote
from dsv3calc.schema.fields import LARGEST_COUNT

if TYPE_CHECKING:
    from dsv3calc.importers.family import Family
    from dsv3calc.importers.findings import Findings

_NESTED = ("text_config", "vision_config", "audio_config", "tie_word_embeddings")


def readers_of(
    findings: Findings, found: Family, data: dict[str, Any]
) -> tuple[list[Reader], Family]:
    """Return a reader of the object, and of the text_config inside where the family has one."""
    outer = Reader(findings, found, data)
    outer.skip("model_type")
    if found.inside:
        return _readers_inside(outer)
    model_type, inner = data["model_type"], data.get("text_config")
    if found.text and inner is None and "hidden_size" in data:
        return _readers_of_flat(outer)
    # a file may name the language model's type outside too
    nested = isinstance(inner, dict) and inner.get("model_type") == model_type
    if not found.text and not nested:
        return [outer], found
    outer.skip(*_NESTED)
    texts = (found.text, *found.other_texts) if found.text else (model_type,)
    text = _text(findings, data, texts)
    findings.model_type = text.get("model_type", texts[0])
    text_family = family(findings.model_type)
    reader = Reader(findings, text_family, _with_tie(outer, text), ("text_config",))
    reader.skip("model_type")
    return [outer, reader], text_family


def _readers_of_flat(outer: Reader) -> tuple[list[Reader], Family]:
    """Return readers of a file of an older form, whose language model is not nested."""
    found, text_family = outer.family, family(outer.family.text)
    own = found.ignored | {"model_type", "architectures", "vision_config", "audio_config"}
    inner = {name: value for name, value in outer.data.items() if name not in own}
    outer.skip(*_NESTED, *inner)
    outer.findings.model_type = found.text
    return [outer, Reader(outer.findings, text_family, inner)], text_family


def _readers_inside(outer: Reader) -> tuple[list[Reader], Family]:
    """Return readers of a file that holds the object with the text_config beside other models."""
    findings, found = outer.findings, outer.family
    inner = outer.data.get(found.inside)
    outer.skip(found.inside, *found.beside)
    if not isinstance(inner, dict):
        what = f"{found.inside} is {'missing' if inner is None else quote(inner)}"
        findings.refuse((found.inside,), what, valid="an object with a text_config")
        raise InvalidInput(findings.problems)
    for name in found.beside:
        if outer.has(name):
            findings.assumed[name] = f"{name} is left out: only the language model is counted"
    middle = Reader(findings, found, inner, (found.inside,))
    middle.skip("model_type", *_NESTED)
    text = _text(findings, inner | {"model_type": outer.data["model_type"]}, (found.text,))
    findings.model_type = found.text
    text_family = family(found.text)
    path = (found.inside, "text_config")
    reader = Reader(findings, text_family, _with_tie(middle, text), path)
    reader.skip("model_type")
    return [outer, middle, reader], text_family


def _text(findings: Findings, data: dict[str, Any], texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the text_config, an object of one of the types."""
    inner, model_type = data.get("text_config"), data["model_type"]
    if not isinstance(inner, dict):
        what = "text_config is missing" if inner is None else f"text_config is {quote(inner)}"
        why = f"model_type {model_type} nests its language model there"
        findings.refuse(("text_config",), what, why=why, valid="an object")
        raise InvalidInput(findings.problems)
    text_type = inner.get("model_type", texts[0])
    if text_type not in texts:
        what = f"text_config is of model_type {quote(text_type)}"
        findings.refuse(("text_config", "model_type"), what, valid=", ".join(texts))
        raise InvalidInput(findings.problems)
    return inner


def _with_tie(outer: Reader, inner: dict[str, Any]) -> dict[str, Any]:
    """Return the text_config with tie_word_embeddings, which may stand beside it instead.

    Where both stand, they say the same; or the family knows that published files mean the inner.
    """
    name = "tie_word_embeddings"
    if not outer.has(name):
        return inner
    tied = outer.data[name]
    if inner.get(name, tied) == tied:
        return inner | {name: tied}
    if outer.family.inner_tie:
        outer.findings.assumed[name] = (
            f"{name} is that of text_config, {json.dumps(not tied)}: the other one is the default "
            "of the outer class, and the published files follow the inner"
        )
        return inner
    if outer.family.outer_tie:
        outer.findings.assumed[name] = (
            f"{name} is {json.dumps(tied)}, that beside text_config: the inner one is the default "
            "of the inner class, and the published files follow the outer"
        )
    else:
        outer.refuse(name, f"{name} contradicts that of text_config")
    return inner | {name: tied}


def towers_of(readers: list[Reader]) -> list[dict[str, Any]]:
    """Count the towers beside a language model, those that the file describes.

    What is not known of them is left out and told.
    """
    if len(readers) == 1:
        return []
    outer = readers[-2]
    found: list[dict[str, Any]] = []
    for name in ("vision", "audio"):
        key = f"{name}_config"
        if not outer.has(key):
            continue
        count = None
        config = outer.data[key]
        if name == "vision" and outer.family.vision and isinstance(config, dict):
            from dsv3calc.importers import towers

            hidden_size = readers[-1].data.get("hidden_size")
            sizes = towers.Sizes(config, outer.data, hidden_size)
            count = getattr(towers, outer.family.vision)(sizes)
            if sizes.missing:
                count = None
        if count is None or count > LARGEST_COUNT:
            text = f"{key} is left out: only the language model is counted"
            outer.findings.assumed[key] = text
        else:
            found.append({"name": name, "parameters": count})
    return found
