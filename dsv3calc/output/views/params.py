"""Tables of ``params``: components (or tensors, or layers), totals, and bytes by data type."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.weights import SCALES
from dsv3calc.output.view import Table, View, show, show_count, show_share

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Ledger, Line
    from dsv3calc.studies.answer import Answer

LABELS = {
    "embedding": "embedding",
    "head": "head",
    "attention": "attention",
    "mixer": "mixers",
    "dense_ffn": "dense feed-forward",
    "latent_projections": "latent projections",
    "routed_experts": "routed experts",
    "shared_experts": "shared experts",
    "router": "router",
    "norms": "norms",
    "indexer": "DSA indexer",
    "compressor": "compressors",
    "hyper_connections": "hyper-connections",
    "altup": "AltUp",
    "laurel": "LAuReL",
    "per_layer_input": "per-layer inputs",
    "per_layer_embedding": "per-layer embedding",
    "position_embedding": "position embedding",
    "mtp": "MTP modules",
    "mtp_copies": "MTP's embedding, head",
    "scales": "quantisation scales",
}


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    column = answer.columns[0]
    named = column.ledger.named()
    variant, precision = named["parameters.total"].convention, answer.query["precision"]
    tables = [
        _layers(answer, named)
        if answer.view == "params-layer"
        else _components(answer, named, exact)
    ]
    totals = [
        [words, show(named[name], exact=exact)]
        for name, words in (
            ("parameters.total", "total"),
            ("parameters.active", "active per token"),
            ("parameters.active_without_embedding", "active without input embedding"),
        )
    ]
    if named["parameters.mtp"].value and "parameters.components.mtp" not in named:
        totals.append(
            ["MTP modules, not counted above", show(named["parameters.mtp"], exact=exact)]
        )
    if "parameters.whole" in named:
        totals += [
            [words, show(named[f"parameters.{name}"], exact=exact)]
            for name, words in (("towers", "towers beside the language model"), ("whole", "both"))
        ]
    tables.append(Table("", [f"variant {variant}", "parameters"], totals))
    tables.append(_weights(column.ledger, named, precision, exact=exact))
    return View(f"{column.title}: parameters, variant {variant}", tables)


def _components(answer: Answer, named: dict[str, Line], exact: bool) -> Table:  # noqa: FBT001
    total = named["parameters.total"]
    rows = []
    for line in total.parts:
        if not line.value:
            continue
        name = line.tags.component
        rows.append([LABELS.get(name, name), *_cells(line, total, exact)])
        if answer.view == "params-tensor" and name != "scales":
            for part in line.parts[0].parts if name == "mtp" else line.parts:
                label = part.tags.tensor or part.tags.component
                rows.append([f"  {LABELS.get(label, label)}", *_cells(part, total, exact)])
    return Table("", ["component", "parameters", "share"], rows)


def _cells(line: Line, total: Line, exact: bool) -> list[str]:  # noqa: FBT001
    return [show(line, exact=exact), show_share(line, total)]


def _layers(answer: Answer, named: dict[str, Line]) -> Table:
    """List the layers; runs of equal layers are shown once, as a range."""
    names = [
        name
        for name in answer.rows[0]
        if name not in ("layer", "group", "attention_type", "feed_forward_type", "total")
        and any(row.get(name) for row in answer.rows)
    ]
    rows: list[list[str]] = []
    first = last = None
    previous: dict[str, object] = {}
    for row in answer.rows:
        rest = {name: value for name, value in row.items() if name != "layer"}
        if rows and rest == previous and isinstance(row["layer"], int):
            last = row["layer"]
            rows[-1][0] = f"{first}-{last}"
            continue
        first, previous = row["layer"], rest
        kind = " ".join(filter(None, (row["attention_type"], row["feed_forward_type"])))
        lines = _lines(row, names, named)
        shown = [show_count(lines[name]) if name in lines else "" for name in [*names, "total"]]
        rows.append([str(first), kind, *shown])
    headings = ["layer", "kind", *(LABELS.get(name, name) for name in names), "total"]
    return Table("", headings, rows, left=(1,))


def _lines(row: dict[str, Any], names: list[str], named: dict[str, Line]) -> dict[str, Line]:
    """Return the lines of a layer by component, or the one of what is outside the layers."""
    if row["group"] is not None:
        prefix = f"parameters.per_layer.groups.{row['group']}"
        return {name: named[f"{prefix}.{name}"] for name in [*names, "total"] if row.get(name)}
    (component,) = (name for name in names if row.get(name))
    whole = f"parameters.components.{component}"
    line = named.get(f"{whole}.{row['layer']}") or named[whole]
    return {component: line, "total": line}


def _weights(ledger: Ledger, named: dict[str, Line], precision: str, *, exact: bool) -> Table:
    elements = {line.tags.dtype: line for line in named["weights.elements"].parts}
    rows = []
    for line in named["weights.bytes"].parts:
        dtype = line.tags.dtype
        rows.append([dtype, show(elements[dtype], exact=exact), show(line, exact=exact)])
    total = ledger.get("weights.elements"), named["weights.bytes"]
    scaled = any(line.tags.component == SCALES for line in ledger.walk())
    rows.append(
        [
            "total, scales included" if scaled else "total",
            *(show(line, exact=exact) for line in total),
        ]
    )
    trained = named.get("weights.training_with_adam")
    if trained is not None:
        rows.append(["training with Adam, as accelerate estimates", "", show(trained, exact=exact)])
    return Table("", [f"weights in {precision}", "elements", "bytes"], rows)
