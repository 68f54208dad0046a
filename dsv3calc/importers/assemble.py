"""From what a family's table read to the schema's plain data, with sources and last checks."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.importers.layer_slices import group_layers
from dsv3calc.schema.model import PARTS, LayerGroup, Model, struct_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.importers.family import Architecture, Family
    from dsv3calc.importers.findings import Findings

_DECIDES = {
    "attention_bias": ("attention_bias", "output_bias"),
    "attn_type_list": ("span",),
    "layer_types": ("layers",),
    "moe_layer_freq": ("layers",),
    "no_rope_layer_interval": ("layers",),
    "num_nextn_predict_layers": ("mtp",),
    "qk_norm_type": ("qk_norm",),
    "sliding_window_pattern": ("layers",),
    "topk_method": ("routing_bias",),
    "use_mtp": ("mtp",),
    "use_qk_norm": ("qk_norm",),
    "use_routing_bias": ("routing_bias",),
}
"""The schema fields behind a config key of another name."""


def assemble(
    findings: Findings,
    family: Family,
    architecture: Architecture,
    precision: str,
    towers: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the schema's plain data of a model."""
    name = _name(findings)
    groups = group_layers(_parts(architecture), architecture.block_norms)
    data: dict[str, Any] = {
        "name": name,
        "title": f"{name} (imported, model_type {findings.model_type})",
        "model_type": findings.model_type,
        "hidden_size": architecture.hidden_size,
        "vocab_size": architecture.vocab_size,
        "num_hidden_layers": len(architecture.attention),
        "tie_word_embeddings": architecture.tie_word_embeddings,
    }
    if architecture.head_bias:
        data["head_bias"] = True
    if architecture.norm != "rms":
        data |= {"norm": architecture.norm, "norm_bias": architecture.norm_bias}
    if architecture.max_position_embeddings is not None:
        data["max_position_embeddings"] = architecture.max_position_embeddings
    data |= {"precision": precision, "groups": groups}
    if architecture.additions:
        data["additions"] = architecture.additions
    if towers:
        data["towers"] = towers
    if architecture.mtp is not None:
        modules: dict[str, Any] = {"num_nextn_predict_layers": architecture.mtp[0]}
        modules |= _mtp_layer(groups, architecture)
        data["mtp"] = modules | {"stores_embedding_and_head": architecture.mtp[1]}
        stored = architecture.mtp_stored
        # files that hold no copies of these hold no modules either, unless a family knows better
        if not (architecture.mtp[1] if stored is None else stored):
            data["mtp"]["stored"] = False
    return data | _sources(findings, family, groups)


def _parts(architecture: Architecture) -> dict[str, Sequence[dict[str, Any] | None]]:
    """Return the parts of each layer by name, in the schema's order."""
    depth = len(architecture.attention)
    mixers = architecture.mixer or [None] * depth
    every = (architecture.attention, mixers, architecture.feed_forward)
    return dict(zip(PARTS, every, strict=True))


def _mtp_layer(groups: list[dict[str, Any]], architecture: Architecture) -> dict[str, Any]:
    """Return the group whose kind of layer a prediction module repeats, or a layer of its own.

    It is that of the last layer, unless the family says another.
    """
    last = {name: layers[-1] for name, layers in _parts(architecture).items()}
    own = architecture.mtp_layer
    kind = last if own is None else {name: own.get(name) for name in last}
    kinds = [{name: group.get(name) for name in last} for group in groups]
    if kind in kinds:
        return {"group": kinds.index(kind)}
    return {"layer": own}


def _name(findings: Findings) -> str:
    """Return a preset's name: of the file, or of its folder where the file is a config.json."""
    path = re.split(r"[/\\]", findings.source.name)
    stem = re.sub(r"\.json$", "", path[-1], flags=re.IGNORECASE)
    if stem.lower() == "config" and len(path) > 1:
        stem = path[-2]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("._-").lower()[:100]
    return name if name and name != "stdin" else findings.model_type.replace("_", "-")


def _sources(
    findings: Findings, family: Family, groups: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    sources: dict[str, Any] = {
        "config": {
            "kind": "datasheet",
            "citation": f"{findings.source.name[:500]} as given (model_type {findings.model_type})",
        }
    }
    provenance = {"default": "config"}
    renamed = {key: field for field, key in family.fields.items()}
    for key, text in findings.assumed.items():
        name = f"assumed_{key}"
        for field in _DECIDES.get(key, (renamed.get(key, key),)):
            paths = dict.fromkeys(_paths(field, groups), name)
            if paths:
                sources[name] = {"kind": "assumed", "citation": text}
                provenance |= paths
    return {"sources": sources, "provenance": provenance}


def _paths(field: str, groups: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the dotted places of a schema field: of the model, or in each layer group."""
    if field in Model.__struct_fields__:
        yield field
        return
    for index, group in enumerate(groups):
        if field in LayerGroup.__struct_fields__:
            yield f"groups.{index}.{field}"
        for part in (part for part in PARTS if part in group):
            struct = struct_of(part, group[part]["type"])
            if struct is not None and field in struct.__struct_fields__:
                yield f"groups.{index}.{part}.{field}"


def cross_checks(findings: Findings, family: Family, data: dict[str, Any]) -> None:
    """Add what the schema's own checks find, at the keys that the values came from."""
    model = msgspec.convert(data, Model)
    found: dict[str, tuple[str, str]] = {}
    for group in model.groups:
        for part in (group.attention, group.mixer, group.feed_forward):
            problems = getattr(part, "problems", None)  # a part may have nothing to check
            if problems is not None:
                for path, what, why in problems():
                    found.setdefault(str(path[0]), (what, why))
    for field, (what, why) in found.items():
        key = family.fields.get(field, field)
        findings.refuse(findings.places.get(key, ()), what, why=why)
