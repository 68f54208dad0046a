"""Conformance vectors: counts and published figures by which other tools can be checked.

Values come from outside: counts by PyTorch and transformers in ``tests/oracle/figures``, and what
papers print, in ``presets/goldens/papers``. Nothing here is computed by this program but the form.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

import dsv3calc

if TYPE_CHECKING:
    from collections.abc import Iterator

    Vector = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "tests" / "oracle" / "figures"
LIBRARY = "PyTorch 2.13 and transformers 5.23, on the model built from its config.json"
LIMITED = {"batch": (1,), "new_tokens": (1, 4096)}
"""Of the many counts of FLOPs, those that are listed."""

_TOTALS = {
    "total": (
        "parameters.total",
        "every stored parameter, DeepSeek's routing bias too; no multi-token prediction",
        "",
    ),
    "trainable": (
        "parameters.total",
        "as torch counts parameters: DeepSeek's routing bias is a buffer there",
        " --as transformers",
    ),
}
_ACTIVE = {
    "active_all": (
        "parameters.active",
        "parameters that one token uses: its routed experts, embedding and head included",
        "",
    ),
    "active_excl_input_embedding": (
        "parameters.active_without_embedding",
        "parameters that one token uses, without the embedding",
        "",
    ),
}
_FLOPS = (
    "matrix products alone, 2*m*n*k each; attention in full, masked pairs included; MLA expands "
    "its latent in every pass; Llama 4 runs every expert on every token and DeepSeek-V3.2 masks a "
    "dense attention, as the library does"
)
_PHASES = {
    "prefill": "--phase prefill",
    "prefill_last_logit": "--phase prefill --last-logit",
    "decode": "--phase decode",
    "train_step": "--phase train",
}


def files() -> dict[str, str]:
    """Return the files of vectors by path."""
    groups = {
        "parameters": ("Parameters", list(_parameters())),
        "kv_cache": ("KV cache", list(_caches())),
        "flops": ("FLOPs of a pass", list(_flops())),
        "published": ("What papers and repositories print", list(_published())),
    }
    names = {each["inputs"].get("model") for _, found in groups.values() for each in found}
    models = {name: _architecture(name) for name in sorted(filter(None, names))}
    found = {
        f"docs/vectors/{name}.json": _file(title, vectors)
        for name, (title, vectors) in groups.items()
    }
    told = json.dumps(models, indent=1, ensure_ascii=False)
    return {**found, "docs/vectors/models.json": f"{told}\n"}


def _file(title: str, vectors: list[Vector]) -> str:
    """Return the text of a file: a vector a line, so that a change is one line too."""
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in vectors)
    head = f'"$schema": "vectors.schema.json",\n"title": {json.dumps(title)},'
    return f'{{\n{head}\n"vectors": [\n{lines}\n]\n}}\n'


def _read(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FIGURES / name).read_text("utf-8"))
    return found


def _vector(
    name: str, inputs: dict[str, Any], quantity: str, value: int, unit: str, **told: str
) -> Vector:
    """Return a vector; its value is a text, as some readers of JSON round large integers."""
    return {
        "id": name,
        "inputs": inputs,
        "quantity": quantity,
        "value": str(value),
        "unit": unit,
        **told,
    }


def _parameters() -> Iterator[Vector]:
    for case in _read("params.json"):
        model = case["model"]
        for counts, rows in ((case, _TOTALS), (case.get("moe", {}), _ACTIVE)):
            for key, (quantity, convention, option) in rows.items():
                if key in counts:
                    yield _vector(
                        f"parameters/{model}/{key}",
                        {"model": model},
                        quantity,
                        counts[key],
                        "elements",
                        convention=convention,
                        source=LIBRARY,
                        query=f"params {model}{option}",
                    )


def _caches() -> Iterator[Vector]:
    for case in _read("kv_cache.json"):
        model, batch, tokens = case["model"], case["batch"], case["seq"]
        yield _vector(
            f"kv_cache/{model}/{batch}x{tokens}",
            {"model": model, "batch": batch, "tokens": tokens, "bytes_per_element": 2},
            "kv_cache.bytes",
            case["bytes"],
            "B",
            convention="held after a pass in BF16; a sliding layer keeps one token less than its "
            "window",
            source=LIBRARY,
            query=f"kv {model} --context {tokens} --batch {batch} --as transformers",
        )


def _flops() -> Iterator[Vector]:
    for case in _read("flops.json"):
        if any(case[key] not in kept for key, kept in LIMITED.items()):
            continue
        model, mode = case["model"], case["mode"]
        inputs = {
            "model": model,
            "phase": "train" if mode == "train_step" else mode.split("_", maxsplit=1)[0],
            "batch": case["batch"],
            "new_tokens": case["new_tokens"],
            "past_tokens": case.get("past", 0),
            "logits": "last token" if mode == "prefill_last_logit" else "every token",
        }
        past = "" if mode == "train_step" else f" --context {case['past']}"
        yield _vector(
            f"flops/{model}/{mode}/{case['new_tokens']}+{case.get('past', 0)}",
            inputs,
            "flops.total",
            case["total"],
            "FLOP",
            convention=_FLOPS,
            source=LIBRARY,
            query=f"flops {model} {_PHASES[mode]} --batch {case['batch']} "
            f"--seq {case['new_tokens']}{past} --as transformers",
        )


def _published() -> Iterator[Vector]:
    """Yield the published figures that are whole numbers and follow exactly."""
    for path in sorted((ROOT / "presets" / "goldens" / "papers").glob("*.yaml")):
        for row in yaml.safe_load(path.read_text("utf-8"))["goldens"]:
            exact = row.get("tolerance") == "exact" and row.get("reproduces", True)
            if not exact or row["kind"] == "fitted" or not isinstance(row["query"], str):
                continue
            if row["query"].startswith("traffic"):  # a law of routing, no count
                continue
            if isinstance(row["expect"], int):
                yield _vector(
                    f"published/{path.stem}/{row['id']}",
                    _inputs(row["query"]),
                    row["quantity"],
                    row["expect"],
                    row.get("unit", "1"),
                    published=str(row["published"]),
                    convention=row.get("convention", ""),
                    source=row["source"],
                    query=row["query"],
                )


def _inputs(query: str) -> dict[str, Any]:
    """Return what a query says by name."""
    words = shlex.split(query)
    found: dict[str, Any] = {}
    if words[:2] == ["formula", "eval"]:
        found["formula"] = words[2]
        return found | dict(word.split("=", 1) for word in words[3:])
    while words and not words[0].startswith("--"):
        found["model" if found else "command"] = words.pop(0)
    while words:
        name = words.pop(0).removeprefix("--").replace("-", "_")
        found[name] = words.pop(0) if words and not words[0].startswith("--") else True
    if found["command"] in ("network", "limits"):
        found["topology"] = found.pop("model", "")
    return found


def _architecture(name: str) -> dict[str, Any]:
    """Return the numbers of a model, without where they were read."""
    data = msgspec.to_builtins(dsv3calc.load_model(name))
    told = ("sources", "provenance", "notes")
    return {key: value for key, value in data.items() if key not in told and value is not None}
