"""How a file stores its weights, from its dtype and ``quantization_config``.

A preset is named where one says the same; a precision of the file's own is written otherwise.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers.findings import Findings
from dsv3calc.importers.quantised.precision import Assigned, precision_of
from dsv3calc.importers.quantised.storage import Unexpressed
from dsv3calc.importers.quantised.writers import storage_of
from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.source import parse_json

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader
    from dsv3calc.importers.quantised.storage import Storage
    from dsv3calc.reading.source import Source

_DTYPES = ("torch_dtype", "dtype")
_PRESETS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
"""Data type of a checkpoint -> the preset that stores everything in it."""
BESIDE = "hf_quant_config.json"
"""File beside a config.json that says how its weights are quantised, where that does not."""

_LINEAR = frozenset({"attention", "dense_ffn", "routed_experts", "shared_experts"})
_SAME = {
    "fp8-block-128x128": ("fp8-deepseek-v3", _LINEAR | {"indexer"}),
    "awq-int4-g128": ("int4", _LINEAR),
    "mxfp4-experts": ("mxfp4", frozenset({"routed_experts"})),
}
"""What a file stores -> the preset that stores so, and the classes that it quantises."""


class Stored:
    """What the files say of the storage of weights.

    ``precision`` is the name of a preset, and what stands in ``storage`` where a file is quantised.
    """

    __slots__ = ("_findings", "_path", "_reader", "precision", "storage")

    def __init__(self, readers: list[Reader], beside: Source | None = None) -> None:
        self._reader = readers[0]
        self._findings = self._reader.findings
        self._path: tuple[str, ...] = ("quantization_config",)
        self.storage: Storage | None = None
        for reader in readers:
            reader.skip("quantization_config", *_DTYPES)
        given = [reader for reader in readers if reader.has("quantization_config")]
        dtype = self._dtype(readers, quantised=bool(given or beside))
        self.precision = _PRESETS[dtype]
        if given:
            self._reader = given[0]
            self._path = (*given[0].path, "quantization_config")
            self._read(given[0].data["quantization_config"], dtype)
        elif beside is not None and "quantization_config" not in self._findings.ignore_keys:
            self._read_beside(beside, dtype)

    def _dtype(self, readers: list[Reader], *, quantised: bool) -> str:
        for reader in readers:
            for name in _DTYPES:
                if not reader.has(name):
                    continue
                dtype = str(reader.data[name]).removeprefix("torch.")
                if dtype in _PRESETS:
                    return dtype
                if not quantised:
                    what = f"{name} {quote(reader.data[name])} matches no precision preset"
                    reader.refuse(name, what, valid=", ".join(_PRESETS))
                return "bfloat16"
        words = "config.json names no dtype"
        if not quantised:
            readers[0].findings.assumed["precision"] = f"precision = bf16: {words}"
        return "bfloat16"

    def _read_beside(self, beside: Source, dtype: str) -> None:
        """Read the file beside, where problems are then told."""
        findings = self._findings
        self._findings = Findings(beside, findings.model_type, findings.ignore_keys)
        self._findings.problems = findings.problems
        self._path = ("quantization",)
        data = parse_json(beside)
        config = data.get("quantization") if isinstance(data, dict) else data
        findings.notes.append(f"the quantisation is read in {BESIDE}, beside config.json")
        self._read(
            {"quant_method": "modelopt"} | config if isinstance(config, dict) else config, dtype
        )

    def _read(self, config: Any, dtype: str) -> None:
        if not isinstance(config, dict):
            self._refuse(f"{self._path[-1]} is {quote(config)}", valid="an object")
            return
        try:
            self.storage = storage_of(config, dtype)
        except Unexpressed as error:
            self._inexpressible(error)

    def _inexpressible(self, error: Unexpressed) -> None:
        what = f"no precision can express this quantisation: {error.words}"
        self._refuse(what, *error.keys)

    def _refuse(self, what: str, *keys: str, valid: str = "") -> None:
        self._findings.refuse(
            (*self._path, *keys),
            what,
            why="the bytes of its weights would be a guess",
            valid=valid,
            next="--ignore-key quantization_config counts the weights in torch_dtype",
        )

    def put_into(self, data: dict[str, Any]) -> None:
        """Put the precision into a model's data, whose layer groups it may divide."""
        if self.storage is None:
            return
        if self.storage.kv_format is not None:
            data["kv_format"] = self.storage.kv_format
        if self.storage.experts and not self._reader.family.by_experts:
            words = "experts of another format than the rest (moe_quant_algo)"
            self._inexpressible(Unexpressed(words, "moe_quant_algo"))
            return
        try:
            assigned = Assigned(self.storage, data)
        except Unexpressed as error:
            self._unnamed(data, error)
            return
        preset = self._same(assigned, data)
        if preset is not None:
            data["precision"] = preset
            self._tell_preset(data, preset, assigned.told)
            return
        citation = f"{self._path[-1]} of {self._findings.source.name[:400]}, as given"
        data["precision"] = precision_of(self.storage, assigned, citation)
        _divide(data, assigned)
        if assigned.told:
            self._assume(data, "precision: " + "; ".join(assigned.told))

    def _same(self, assigned: Assigned, data: dict[str, Any]) -> str | None:
        """Return the preset that stores every matrix in the same way."""
        assert self.storage is not None  # noqa: S101 - as in put_into
        name, classes = _SAME.get(self.storage.name, ("", frozenset()))
        kinds = [*assigned.by_group, assigned.mtp]
        same = all(
            (form != "default") == (key[0] in classes)
            for kind in kinds
            for key, form in kind.items()
        )
        if not name or not same or assigned.head != "default":
            return None
        return self._own_preset(name, data)

    def _own_preset(self, name: str, data: dict[str, Any]) -> str:
        """Return the preset of a family that stores blocks of FP8 in a way of its own."""
        reader, family = self._reader, self._reader.family
        if not name.startswith("fp8") or not family.fp8:
            return name
        if not family.by_experts:
            return family.fp8
        assert self.storage is not None  # noqa: S101 - as in put_into
        given = self.storage.experts or reader.data.get("expert_dtype")
        if given is None:
            words = "experts in FP8 too, as no expert_dtype is given"
            self._assume(data, f"precision = {family.fp8}: {words}")
        elif given != "fp8" and given not in family.by_experts:
            what = f"expert_dtype {quote(given)} matches no precision preset"
            reader.refuse("expert_dtype", what, valid=", ".join([*family.by_experts, "fp8"]))
        return family.by_experts.get(str(given), family.fp8)

    def _tell_preset(self, data: dict[str, Any], preset: str, told: list[str]) -> None:
        assert self.storage is not None  # noqa: S101 - as in put_into
        listed = bool(self.storage.ignored)
        if preset == "fp8-deepseek-v3" and not self._reader.family.fp8 and not listed:
            told = [
                *told,
                "the blocks of 128x128 are config.json's; what stays in bfloat16 is DeepSeek-V3's",
            ]
        if told:
            self._assume(data, f"precision = {preset}: {'; '.join(told)}")

    def _assume(self, data: dict[str, Any], text: str) -> None:
        self._reader.findings.assumed["precision"] = text
        data["sources"]["assumed_precision"] = {"kind": "assumed", "citation": text}
        data["provenance"]["precision"] = "assumed_precision"

    def _unnamed(self, data: dict[str, Any], error: Unexpressed) -> None:
        """Take the preset of a model whose matrices have no names here, or refuse."""
        assert self.storage is not None  # noqa: S101 - as in put_into
        name, _ = _SAME.get(self.storage.name, ("", None))
        if not name or not error.words.startswith("layers whose"):
            self._inexpressible(error)
            return
        preset = self._own_preset(name, data)
        data["precision"] = preset
        if preset != name:
            return  # the family's own preset says which tensors it quantises
        which = "the format is the file's; which tensors stay unquantised is the preset's"
        self._assume(data, f"precision = {preset}: {which}")


def _divide(data: dict[str, Any], assigned: Assigned) -> None:
    """Replace layer groups by their parts, and what refers to them by number."""
    data["groups"] = assigned.groups
    if data.get("mtp") is not None and "group" in data["mtp"]:
        data["mtp"]["group"] = assigned.mtp_group
    moved: dict[str, str] = {}
    for field, source in data["provenance"].items():
        head, _, rest = field.partition(".")
        index, _, inside = rest.partition(".")
        if head != "groups" or not index.isdecimal():
            moved[field] = source
            continue
        for each in assigned.parts[int(index)]:
            moved[f"groups.{each}.{inside}" if inside else f"groups.{each}"] = source
    data["provenance"] = moved
