"""What the queries about expert traffic share: choices, formats, latencies."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.traffic.transfer_formats import FORMATS, TransferFormat
from dsv3calc.errors import UsageError
from dsv3calc.queries.base import as_dict
from dsv3calc.studies.checked import number, one_of

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.base import Query
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.network import Network
    from dsv3calc.schema.precision import Precision
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader

DEFAULT_TOKENS = 32
"""Tokens that a GPU dispatches in a micro-batch of decoding, where the query does not say."""
LONGEST_TIME = 3600
"""Seconds: no message and no layer takes an hour."""
LARGEST_IMBALANCE = 10**6
LARGEST_METADATA = 10**6


def asked(query: Query) -> dict[str, Any]:
    """Return a query for the answer, its quantities as plain integers."""
    found = as_dict(query)
    return {
        name: int(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in found.items()
    }


def imbalance_text(ratio: float, words: str) -> str:
    """Say what a load imbalance means; ``words`` has ``{}`` in place of the ratio."""
    told = "no load imbalance" if ratio == 1 else words.format(f"{ratio:g}")
    return f"{told} (--imbalance{' 1' if ratio == 1 else ''})"


def tell_imbalance(answer: Answer, ratio: float, words: str) -> None:
    """Add what a load imbalance means to the assumptions; a ratio of 1 changes no number."""
    text = imbalance_text(ratio, words)
    if ratio == 1:
        answer.tell_when_all(text)
    else:
        answer.assumptions.append(text)


def format_of(option: str, name: str | None, default: TransferFormat) -> TransferFormat:
    """Return the format that an option names."""
    return default if name is None else FORMATS[one_of(option, name, FORMATS, "")]


def dispatch_format(precision: Preset[Precision]) -> TransferFormat:
    """Return the format that a precision casts dispatched tokens to."""
    name = precision.value.activations
    form = precision.value.formats[name]
    scale = form.scale
    for known in FORMATS.values():
        if known.bits == form.bits and (
            known.scale_bits == 0
            if scale is None
            else (known.group_size, known.scale_bits) == (scale.columns, scale.bits)
        ):
            return known
    return TransferFormat(
        name=name,
        title=f"{form.dtype} as {precision.name} has it",
        bits=form.bits,
        group_size=scale.columns if scale is not None else 1,
        scale_bits=scale.bits if scale is not None else 0,
        kind="derived",
        citation=f"the activations of the precision {precision.name}",
    )


def cite_formats(answer: Answer, *formats: TransferFormat) -> None:
    """Take over the sources of formats; a format's assumption is printed."""
    for form in formats:
        entry = {
            "id": f"transfer_formats:{form.name}",
            "kind": form.kind,
            "citation": form.citation,
            "url": form.url,
            "read": form.read,
        }
        if entry not in answer.sources:
            answer.sources.append(entry)
            if form.kind == "assumed":
                text = f"{form.name}: {form.citation}"
                answer.assumptions.append(text)
                answer.brief[text] = f"{form.name}: {form.title}"


def latency_of(
    loader: PresetLoader, answer: Answer, reference: str | None, given: float | None
) -> float:
    """Return the latency of a message on the scale-out link: given, of a network, or none."""
    own = number("--latency", given, 0, most=LONGEST_TIME)
    if reference is None:
        if given is None:
            answer.assumptions.append("message latency is not counted: give --network or --latency")
        return own
    if given is not None:
        raise UsageError("--network and --latency both give a latency", "leave one out")
    preset: Preset[Network] = loader.network(reference)
    answer.cite(preset, used=("latency_same_leaf", "latency_cross_leaf"))
    network = preset.value
    cross = network.latency_cross_leaf
    found = network.latency_same_leaf if cross is None else cross
    answer.notes.append(
        f"a message takes {found * 1e6:.3g} us over {preset.name}, "
        + ("below one switch" if cross is None else "between two leaf switches")
    )
    return found


def model_dispatch(
    loader: PresetLoader,
    answer: Answer,
    model: Preset[Model],
    reference: str | None,
    name: str | None,
) -> TransferFormat:
    """Return the format of dispatched tokens: named, or that of the model's precision."""
    if name is not None and reference is None:
        return format_of("--dispatch", name, FORMATS["bf16"])
    precision = loader.precision(reference, model)
    answer.cite(precision, used=("activations",))
    return format_of("--dispatch", name, dispatch_format(precision))
