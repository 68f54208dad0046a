"""What a search is asked for: its phase, GPUs, objectives and pins."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from dsv3calc.errors import UsageError
from dsv3calc.model.architecture import experts_of
from dsv3calc.numbers import quantity
from dsv3calc.queries.fields import flag_of
from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.schema.layout import Schedule
from dsv3calc.studies.checked import check_names
from dsv3calc.studies.layout.build import LARGEST_DEGREE
from dsv3calc.studies.search.conditions import SHORT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.queries.search import SearchQuery
    from dsv3calc.schema.model import Model

PHASES = ("train", "serve")
OBJECTIVES = ("memory", "traffic", "step_time", "tokens_per_second_per_gpu", "dollars")
SERVED_OBJECTIVES = ("memory", "tpot", "ttft", "tokens_per_second_per_gpu", "dollars")
EVERY_OBJECTIVE = tuple(dict.fromkeys((*OBJECTIVES, *SERVED_OBJECTIVES)))
TIMED = ("step_time", "tokens_per_second_per_gpu", "dollars")
"""Objectives that need the time of a step."""

UNITS = {
    "memory": "B",
    "traffic": "B",
    "step_time": "s",
    "step_walk": "s",
    "tpot": "s",
    "ttft": "s",
    "tokens_per_second_per_gpu": "tokens/s",
    "dollars": "USD",
}
"""Result -> its unit."""

MOST_OBJECTIVES = 3
LARGEST_GPUS = LARGEST_DEGREE

WORDS = {
    "schedule": get_args(Schedule),
    "layer_split": ("even", "balanced"),
    "sequence_parallel": (False, True),
}
SPLITS = WORDS["layer_split"]
"""Splits of layers that columns have by number."""

DEGREES = ("tp", "cp", "pp", "ep", "etp", "micro_batch")
"""Axes that are columns, beside the GPUs, in the order in which they are joined."""

CATEGORIES = (
    "schedule", "virtual_pipeline", "sequence_parallel", "layer_split", "recompute", "zero",
)  # fmt: skip
"""Axes that are no columns."""

PLAIN: dict[str, Any] = {
    "tp": 1,
    "cp": 1,
    "pp": 1,
    "ep": 1,
    "etp": 1,
    "micro_batch": 1,
    "schedule": "1f1b",
    "virtual_pipeline": 1,
    "sequence_parallel": False,
    "layer_split": "even",
    "recompute": "none",
    "zero": 0,
}
"""What a layout has of an axis that it does not name."""

TRAINING_AXES = (*DEGREES, "dp", *CATEGORIES)

BESIDE = ("prefill_gpus", "prefill_tp", "prefill_ep")
"""Axes of GPUs that prefill beside those that decode: how many of all GPUs, and their layout."""

SERVING_AXES = (
    "tp", "pp", "layer_split", "ep", "dcp", "redundant_experts", "etp", "dp", *BESIDE, "batch",
)  # fmt: skip
"""Axes of serving layouts; dp follows from the others, and etp and redundant experts unless pinned.
"""

MOST = 0
"""The batch that stands for the largest one that memory holds and that meets --slo."""

BATCHES = (MOST, *(2**each for each in range(11)))

ENGINES = ("numpy", "fast")
"""What computes the layouts: numpy, or compiled code where the extra ``fast`` is installed."""

_OF_TRAINING = ("sequence", "global_batch", "train_tokens", "recipe", "engine")
_OF_SERVING = (
    "past", "slo", "concurrency", "prompt_tokens", "response_tokens", "hit_rate", "prefill_layout",
    "draft_tokens", "acceptance", "memory_fraction", "kv_dtype",
)  # fmt: skip


def check_phase(query: SearchQuery) -> None:
    """Refuse a phase that there is not, and options of the other one.

    Raises
    ------
    UsageError
        With what is wrong.
    """
    phase = query.phase
    if phase not in PHASES:
        raise UsageError(
            f"--phase {quote(phase)}: expected {' or '.join(PHASES)}",
            did_you_mean(phase, PHASES, "--phase train"),
        )
    others = _OF_TRAINING if phase == "serve" else _OF_SERVING
    given = [flag_of(query, name) for name in others if getattr(query, name) not in (None, ())]
    if given:
        other = next(each for each in PHASES if each != phase)
        raise UsageError(f"--phase {phase} has no use for {', '.join(given)}", f"--phase {other}")


def is_compiled(query: SearchQuery) -> bool:
    """Tell whether layouts are computed by compiled code: as asked, where it can run.

    Raises
    ------
    UsageError
        If there is no such engine.
    """
    if query.engine is None:
        return False
    check_names([query.engine], ENGINES, "--engine {}: there is none of that name", "choose from")
    if query.engine != "fast":
        return False
    from dsv3calc.numbers import compiled

    return compiled.is_there()


def read_objectives(
    text: str | None, default: str, known: Sequence[str] = OBJECTIVES
) -> tuple[str, ...]:
    """Read the objectives of a search.

    Raises
    ------
    UsageError
        If one is unknown or named twice, or there are too many.
    """
    names = tuple(part.strip().replace("-", "_") for part in (text or default).split(","))
    check_names(names, known, "--objective {}: there is none of that name", "choose from")
    if len(set(names)) < len(names):
        raise UsageError(f"--objective {quote(text or '')}: one is named twice", "name each once")
    if len(names) > MOST_OBJECTIVES:
        raise UsageError(
            f"--objective {quote(text or '')}: a front has two or three objectives",
            "leave some out",
        )
    return names


def read_pins(texts: Sequence[str], option: str, axes: Sequence[str]) -> dict[str, list[Any]]:
    """Read pins such as ``pp=16,schedule=1f1b|zb1p``: axis -> what it may be.

    Raises
    ------
    UsageError
        If there is no such axis, a value is none of the axis, or two contradict each other.
    """
    found: dict[str, tuple[str, list[Any]]] = {}
    for part in parts_of(texts):
        name, equals, value = part.partition("=")
        axis = axis_of(part)
        if not equals or axis not in axes:
            typed = name.strip().replace("-", "_")
            raise UsageError(
                f"{option} {quote(part)}: "
                + ("expected AXIS=VALUE" if not equals else f"there is no axis {quote(typed)}"),
                did_you_mean(axis, axes, f"axes: {', '.join(axes)}"),
            )
        values = [_value(option, axis, each.strip()) for each in value.split("|")]
        if axis in found and found[axis][1] != values:
            raise UsageError(
                f"{option} {quote(part)} contradicts {quote(found[axis][0])}", "give one of them"
            )
        distinct = [each for number, each in enumerate(values) if each not in values[:number]]
        found[axis] = (part, distinct)
    return {axis: values for axis, (_, values) in found.items()}


def parts_of(texts: Sequence[str]) -> list[str]:
    """Return the pins of some texts one by one.

    >>> parts_of(["pp=16, ep=64", "layer_split=3,5"])
    ['pp=16', 'ep=64', 'layer_split=3,5']
    """
    pattern = r",(?=\s*[A-Za-z_-]+\s*=)"
    return [part.strip() for text in texts for part in re.split(pattern, text)]


def axis_of(part: str) -> str:
    """Return the axis that a pin names, which may be written in short."""
    typed = part.partition("=")[0].strip().replace("-", "_")
    return SHORT.get(typed, typed)


def numbered_splits(pins: dict[str, list[Any]], option: str) -> None:
    """Put the numbers of splits into pins in their place.

    Raises
    ------
    UsageError
        If a split lists the layers of each stage.
    """
    for split in pins.get("layer_split", ()):
        if split not in SPLITS and split not in range(len(SPLITS)):
            raise UsageError(
                f"{option} layer_split={','.join(map(str, split))}: a list suits one pp alone",
                f"choose from: {', '.join(SPLITS)}",
            )
    if "layer_split" in pins:
        numbers = {each: number for number, each in enumerate(SPLITS)}
        pins["layer_split"] = [numbers.get(each, each) for each in pins["layer_split"]]


def check_experts(model: Preset[Model], pins: Mapping[str, Sequence[int]], option: str) -> None:
    """Refuse degrees of experts where no layer has any.

    Raises
    ------
    UsageError
        If a pin is such a degree.
    """
    if experts_of(model.value):
        return
    for name in ("ep", "etp", "redundant_experts", "prefill_ep"):
        for each in pins.get(name, ()):
            if each > (name != "redundant_experts"):
                raise UsageError(
                    f"{option} {name}={each}: no layer of {model.name} has routed experts",
                    "leave it out",
                )


def _value(option: str, axis: str, text: str) -> Any:
    """Read what an axis may be."""
    if axis == "sequence_parallel":
        if text not in ("true", "false"):
            raise UsageError(f"{option} {axis}={quote(text)}: expected true or false")
        return text == "true"
    if axis == "layer_split":
        return _split(option, text)
    if axis == "recompute":
        return text
    if axis == "batch" and text == "most":
        return MOST
    if axis in WORDS:
        if text not in WORDS[axis]:
            known = ", ".join(map(str, WORDS[axis]))
            raise UsageError(f"{option} {axis}={quote(text)}: no such {axis}", f"known: {known}")
        return text
    least = 0 if axis in ("zero", "redundant_experts", "prefill_gpus") else 1
    most = 3 if axis == "zero" else LARGEST_DEGREE
    try:
        number = quantity.parse(text, "count", minimum=least)
    except UsageError as error:
        raise UsageError(f"{option} {axis}={text}: {error.message}", error.hint) from None
    if number > most:
        raise UsageError(f"{option} {axis}={text}: it is {most:,} at most")
    return int(number)


def _split(option: str, text: str) -> Any:
    from dsv3calc.studies.layout.build import layer_split

    try:
        return layer_split(text)
    except UsageError as error:
        message = error.message.replace("--layer-split", f"{option} layer_split")
        raise UsageError(message, error.hint) from None


def gpu_counts(gpus: int | tuple[int, ...] | None, most: int | None) -> list[list[int]]:
    """Return the GPUs of each search that is asked for: one, or one for each number.

    Raises
    ------
    UsageError
        If neither or both are given, or one is too large.
    """
    if (gpus is None) is (most is None):
        given = "both are given" if gpus is not None else "neither is given"
        raise UsageError(f"--gpus or --max-gpus: {given}", "--gpus 2048, or --max-gpus 512")
    several = gpus if isinstance(gpus, tuple) else (most if gpus is None else gpus,)
    numbers = [int(each) for each in several if each is not None]
    for each in numbers:
        if not 1 <= each <= LARGEST_GPUS:
            raise UsageError(f"{each:,} GPUs: expected 1 to {LARGEST_GPUS:,}")
    if gpus is not None:
        return [[each] for each in dict.fromkeys(numbers)]
    last = numbers[0]
    powers = [2**each for each in range(last.bit_length()) if 2**each <= last]
    return [sorted({*powers, last})]
