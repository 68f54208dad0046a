"""Answer ``params``: how many parameters a model has, active ones, and the bytes they take."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.parameters import (
    COMPONENTS,
    INCLUSIONS,
    included,
    parameter_lines,
    per_layer_lines,
    tensor_elements,
)
from dsv3calc.accounting.weights import scale_elements, weight_lines
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger, combined, given
from dsv3calc.model.architecture import architecture_of
from dsv3calc.queries.base import ParamsQuery, as_dict
from dsv3calc.schema.layers import layer_groups
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.checked import one_of
from dsv3calc.studies.preset_loader import PresetLoader, inclusions_of, warn_inapplicable

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.model import Model

BY = ("component", "tensor", "layer")

_TRAINED_BY_ACCELERATE = ("fp32", "bf16", "fp16")
"""Precisions of which accelerate's estimate of training is four times the weights."""


def answer_params(query: ParamsQuery) -> Answer:
    """Count the parameters of a model.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    one_of("--by", query.by, BY, "")
    if query.with_mtp and query.variant:
        raise UsageError("--with-mtp and --variant both say what is counted", "give one")
    loader = PresetLoader(query)
    preset = loader.model(query.model)
    variant = "with-mtp" if query.with_mtp else query.variant
    if query.library or query.convention:
        conventions = choose_conventions(
            {"parameters": variant},
            convention=query.convention,
            library=query.library,
            command="params",
        )
        variant = conventions.parameters
    inclusions, label = inclusions_of(variant or "default", query.include, query.exclude)
    precision = loader.precision(query.precision, preset)
    loader.check_overrides()

    weights = weight_lines(preset.value, precision.value, inclusions, f"{precision.name}; {label}")
    scales = scale_elements(weights) if "scales" in inclusions else None
    parameters = parameter_lines(preset.value, inclusions, label, scales=scales)
    layers: list[Line] = []
    answer = Answer("params", as_dict(query), f"params-{query.by}")
    answer.query["precision"] = precision.name
    if not (query.library or query.convention or query.with_mtp):
        answer.query["variant"] = variant or "default"
    answer.cite(preset, precision)
    answer.notes += query.notes
    warn_inapplicable(answer, preset.name, preset.value, with_mtp=query.with_mtp or None)
    _warn_of_absent(answer, query, preset.value)
    if query.by == "layer":
        per_layer = per_layer_lines(preset.value, inclusions)
        answer.rows = list(_layer_rows(preset.value, per_layer, inclusions, parameters.total))
        layers = [line for group in per_layer for line in group.values()]
    trained = _with_adam(query, precision.name, weights.bytes)
    ledger = Ledger(preset.value.title, [*parameters, *layers, *weights, *trained])
    answer.columns.append(Column(preset.name, preset.value.title, ledger))
    return answer


def _warn_of_absent(answer: Answer, query: ParamsQuery, model: Model) -> None:
    """Warn of parts that are named and that a model does not have."""
    whole = frozenset(INCLUSIONS) - {"scales"}  # scales are of the precision, and shown as 0
    named = [("--include", name) for name in query.include]
    named += [("--exclude", name) for name in query.exclude]
    named += [("--variant", "with-mtp")] if query.variant == "with-mtp" else []
    for option, name in named:
        without = whole - {"mtp" if name == "with-mtp" else name}
        counts = {parameter_lines(model, each, "all").total.value for each in (whole, without)}
        if without != whole and len(counts) == 1:
            answer.warn(f"{option} {name} has no effect: the model has no such parameters")


def _with_adam(query: ParamsQuery, precision: str, stored: Line) -> list[Line]:
    """Give what accelerate says that training with Adam takes, where its estimate is asked for.

    Raises
    ------
    UsageError
        If the estimate has no number of training in the precision.
    """
    if query.library != "accelerate":
        return []
    if precision not in _TRAINED_BY_ACCELERATE:
        raise UsageError(
            f"--as accelerate with the precision {precision}: it estimates training in "
            f"{', '.join(_TRAINED_BY_ACCELERATE)} alone",
            "--precision fp32",
        )
    copies = given("accelerate.copies", 4, "1", "weights, gradients and two moments, or 2 x FP32")
    return [combined("weights.training_with_adam", "product", (stored, copies))]


def _layer_rows(
    model: Model, per_layer: list[dict[str, Line]], inclusions: frozenset[str], whole: Line
) -> list[dict[str, Any]]:
    """List the layers in order, with what stands outside of them before and after.

    The rows sum to the total, whatever the variant counts beside the layers.
    """
    rows = []
    arch = architecture_of(model)
    in_layers = dict.fromkeys(name for lines in per_layer for name in lines if name != "total")
    columns = dict.fromkeys((*COMPONENTS, *in_layers), 0)
    tensors = [
        tensor
        for tensor in (*arch.outer, *arch.entry_tensors)
        if included(tensor, inclusions)
        and not (model.tie_word_embeddings and tensor.name == "head")
    ]
    outside = {tensor.name: tensor_elements(tensor.name, tensor).value for tensor in tensors}
    components = {tensor.name: tensor.component for tensor in tensors}
    if "embedding" in outside:
        rows.append(_outside_row("embedding", "embedding", outside.pop("embedding"), columns))
    groups = layer_groups(model.num_hidden_layers, [group.layers for group in model.groups])
    for number, index in enumerate(groups):
        row: dict[str, Any] = {
            "layer": number,
            "group": index,
            "attention_type": arch.groups[index].kinds[0],
            "feed_forward_type": arch.groups[index].kinds[1],
        }
        row |= {"embedding": 0, "head": 0} | dict.fromkeys(in_layers, 0)
        row |= {name: line.value for name, line in per_layer[index].items()}
        rows.append(row)
    for component in dict.fromkeys(components.values()):
        if component not in columns:
            rows = [row | {component: 0} for row in rows]
            columns[component] = 0
    rows += [
        _outside_row(name, components[name], value, columns)
        for name, value in sorted(outside.items())
    ]
    for line in whole.parts:
        component = line.tags.component
        if component not in columns:
            rows = [row | {component: 0} for row in rows]
            rows.append(rows[0] | _outside_row(component, component, line.value, columns))
    for row in rows:
        row["total"] = row.pop("total")  # last
    return rows


def _outside_row(name: str, component: str, value: int, columns: dict[str, int]) -> dict[str, Any]:
    row: dict[str, Any] = {"layer": name, "group": None}
    row |= {"attention_type": None, "feed_forward_type": None}
    return row | columns | {component: value, "total": value}
