"""A precision of a quantised file, and the layer groups divided where layers are stored unlike."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers.layer_slices import compact_slices
from dsv3calc.importers.quantised.formats import WHOLE
from dsv3calc.importers.quantised.modules import STEMS, UNNAMED, Matrix, matrices_of
from dsv3calc.importers.quantised.names import Names, plain_name
from dsv3calc.importers.quantised.storage import EVERY, Storage, Unexpressed, listed
from dsv3calc.schema.layers import layer_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

Key = tuple[str, str]
"""Class and tensor of a matrix."""

_COMPUTED = (
    "attention_projections",
    "dense_ffn",
    "routed_experts",
    "shared_experts",
    "indexer",
    "latent_projections",
    "mixer_projections",
)
_INPUTS = ("intermediate_size", "moe_intermediate_size")
"""Widths of a feed-forward that are the inputs of a matrix."""
_PARTS = ("attention.*", "feed_forward.*", "mixer.*")
"""What stands for parts whose matrices have no names here: they stay as they are."""
_WEIGHTS_OF = {"attention_projections": "attention", "mixer_projections": "mixer"}


class Assigned:
    """Which format each matrix of a model has, by layer group and in its prediction modules.

    ``groups`` are the model's groups, divided where layers of one group are stored unlike, and
    ``parts`` the numbers of those that each became; ``mtp_group`` is the group whose kind of layer
    a prediction module repeats.
    """

    __slots__ = ("by_group", "groups", "head", "mtp", "mtp_group", "parts", "told")

    def __init__(self, storage: Storage, data: dict[str, Any]) -> None:
        self.told = list(storage.told)
        experts = max(
            (group["feed_forward"].get("n_routed_experts", 0) for group in data["groups"]
             if group.get("feed_forward")),
            default=0,
        )  # fmt: skip
        try:
            chooser = _Chooser(storage, experts)
        except ValueError as error:
            raise Unexpressed(str(error)) from None
        depth = data["num_hidden_layers"]
        owners = layer_groups(depth, [group.get("layers", ":") for group in data["groups"]])
        self.groups: list[dict[str, Any]] = []
        self.by_group: list[dict[Key, str]] = []
        self.parts: list[range] = []
        self.mtp_group = 0
        mtp = data.get("mtp")
        for index, group in enumerate(data["groups"]):
            found = matrices_of(group)
            layers = [layer for layer, owner in enumerate(owners) if owner == index]
            first = len(self.groups)
            last = self._divide(group, layers, found, chooser, depth)
            self.parts.append(range(first, len(self.groups)))
            if mtp is not None and mtp.get("group") == index:
                self.mtp_group = last
        self.mtp: dict[Key, str] = {}
        if mtp is not None:
            repeated = mtp["layer"] if mtp.get("layer") else self.groups[self.mtp_group]
            matrices = matrices_of(repeated)
            self.mtp = {
                (each.weight_class, each.tensor): chooser.of(
                    [*each.modules(depth, STEMS), *each.modules(0, ("mtp.layers",))]
                )
                for each in matrices
            }
            own = [f"model.layers.{depth}.eh_proj", "mtp.fc"]
            self.mtp[("mtp_projection", "eh_proj")] = chooser.of(own)
        every = [*self.by_group, self.mtp]
        if any(form != "default" for kind in every for (_, name), form in kind.items()
               if name == UNNAMED):  # fmt: skip
            raise Unexpressed("layers whose matrices are not named in this importer")
        self.head = chooser.of(["lm_head"]) if storage.head else "default"
        if data.get("tie_word_embeddings"):
            self.head = "default"
        self.told += chooser.told()
        if {self.head, *(form for kind in every for form in kind.values())} == {"default"}:
            raise Unexpressed("it quantises no matrix that the model has")
        _check_groups(storage, data)

    def _divide(
        self,
        group: dict[str, Any],
        layers: Sequence[int],
        matrices: Sequence[Matrix],
        chooser: _Chooser,
        depth: int,
    ) -> int:
        """Add a group, in parts where its layers are stored unlike; return the last one's index."""
        kinds: list[dict[Key, str]] = []
        members: list[list[int]] = []
        last = 0
        for layer in layers:
            kind = {
                (each.weight_class, each.tensor): chooser.of(each.modules(layer))
                for each in matrices
            }
            if kind not in kinds:
                kinds.append(kind)
                members.append([])
            last = kinds.index(kind)
            members[last].append(layer)
        first = len(self.groups)
        for kind, own in zip(kinds, members, strict=True):
            part = dict(group)
            if len(kinds) > 1:
                part = {"layers": compact_slices(own, depth)} | part
                part["layers"] = compact_slices(own, depth)
            self.groups.append(part)
            self.by_group.append(kind)
        return first + last


def _check_groups(storage: Storage, data: dict[str, Any]) -> None:
    """Refuse groups of packed integers that do not divide the inputs of a matrix."""
    widths = {"hidden_size": data["hidden_size"]}
    for group in data["groups"]:
        part = group.get("feed_forward") or {}
        widths |= {name: part[name] for name in _INPUTS if part.get(name)}
    for form in storage.formats.values():
        size = form["scale"]["columns"] if form["dtype"].startswith("int") else WHOLE
        for name, width in widths.items():
            if size < WHOLE and width % size:
                words = f"groups of {size} inputs do not divide {name} {width}"
                raise Unexpressed(words, "group_size")


class _Chooser:
    """Finds the format of a module from the targets and the ignored names of a file."""

    def __init__(self, storage: Storage, experts: int) -> None:
        self._ignored = Names(storage.ignored, experts)
        self._unlisted = Names(storage.unlisted)
        self._targets = [
            (None if EVERY in names else Names(names, experts), key)
            for names, key in storage.targets
        ]
        lists = [self._ignored, *(names for names, _ in self._targets if names is not None)]
        partial = [name for names in lists for name in names.partial]
        if partial:
            raise ValueError(
                f"some experts alone of {partial[0].replace('experts.0', 'experts.N')}"
            )

    def of(self, names: Sequence[str]) -> str:
        """Return the format of a module by the names that it may have."""
        plain = [plain_name(name) for name in names]
        if self._ignored.has(plain) or self._unlisted.has(plain):
            return "default"
        for target, key in self._targets:
            if target is None or target.has(names):
                return key
        return "default"

    def told(self) -> list[str]:
        """Say which names of the lists are those of no matrix."""
        lists = [self._ignored, *(names for names, _ in self._targets if names is not None)]
        unknown = [name for names in lists for name in names.unknown()]
        unknown = [name for name in unknown if "gate" not in name and "router" not in name]
        if not unknown:
            return []
        return [f"no matrix of the model has these names of the file's list: {listed(unknown)}"]


def precision_of(storage: Storage, assigned: Assigned, citation: str) -> dict[str, Any]:
    """Return the precision of a file as plain data of the schema."""
    weights = {"default": "default", **_by_class(assigned), "routing_bias": "float32"}
    used = {*weights.values(), storage.activations}
    every = {**storage.formats, "float32": {"dtype": "float32", "bits": 32}}
    compute: dict[str, list[str]] = {"default": ["bf16"]}
    for name in _COMPUTED:
        if _quantised(assigned, _WEIGHTS_OF.get(name, name)):
            compute[name] = storage.compute
    if assigned.head != "default":
        compute["head"] = storage.compute
    text, url, read = storage.source
    return {
        "name": storage.name,
        "title": f"{storage.name} of the file's quantization_config",
        "formats": {key: form for key, form in every.items() if key in used},
        "weights": weights,
        "compute": compute,
        "activations": storage.activations,
        "sources": {
            "config": {"kind": "datasheet", "citation": citation},
            "writer": {"kind": "paper", "citation": text, "url": url, "read": read},
            "compute": {
                "kind": "assumed",
                "citation": "Products run in the data type of quantised inputs, else in 16 bits",
            },
            "routers": {
                "kind": "assumed",
                "citation": "Routers stay in 16 bits, a routing bias in FP32",
                "note": "Engines load them so whatever the list of modules says.",
            },
        },
        "provenance": {
            "default": "config",
            "formats": "writer",
            "compute": "compute",
            "weights.routing_bias": "routers",
        },
    }


def _by_class(assigned: Assigned) -> dict[str, str]:
    """Return formats by class where a class has one, else by tensor, else by layer group too."""
    places = [(f"groups.{number}.", kind) for number, kind in enumerate(assigned.by_group)]
    places += [("mtp.", assigned.mtp)] if assigned.mtp else []
    found: dict[str, str] = {}
    classes = dict.fromkeys(key[0] for _, kind in places for key in kind)
    for name in classes:
        if name in _PARTS:
            continue
        own = [{key: form for key, form in kind.items() if key[0] == name} for _, kind in places]
        values = {form for kind in own for form in kind.values()}
        tensors = {key: {kind[key] for kind in own if key in kind} for kind in own for key in kind}
        if len(values) == 1:
            found[name] = values.pop()
        elif all(len(forms) == 1 for forms in tensors.values()):
            found |= {f"{name}.{key[1]}": next(iter(forms)) for key, forms in tensors.items()}
        else:
            for place, kind in places:
                found |= {f"{place}{name}.{key[1]}": form for key, form in kind.items()
                          if key[0] == name}  # fmt: skip
    if assigned.head != "default":
        found["head"] = assigned.head
    return {name: form for name, form in found.items() if form != "default" or "." in name}


def _quantised(assigned: Assigned, name: str) -> bool:
    """Tell whether most matrices of a class are quantised."""
    forms = [form for kind in assigned.by_group for key, form in kind.items() if key[0] == name]
    return 2 * sum(form != "default" for form in forms) > len(forms)
