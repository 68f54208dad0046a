"""The axes of a search: candidates of degrees and categories, and columns that follow."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from dsv3calc.model.architecture import architecture_of, experts_of
from dsv3calc.numbers.divisors import divisors
from dsv3calc.studies.search.request import BATCHES, CATEGORIES, PLAIN, WORDS
from dsv3calc.studies.search.space import Derived

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.schema.model import Model
    from dsv3calc.studies.search.space import Columns

_MICRO_BATCHES = (1, 2, 4, 8, 16)
_CHUNKS = (1, 2, 4, 8)
_MOST_CONTEXT = 64
_MOST_DIVISIONS = 8
"""GPUs among which one expert is divided at most, unless it is pinned."""
_MOST_DCP = 8


def divisors_of(numbers: Sequence[int], most: int) -> list[int]:
    """Return the divisors of any of some numbers, up to a largest one."""
    return sorted({each for number in numbers for each in divisors(number) if each <= most})


def degree_axes(
    model: Model,
    gpus: Sequence[int],
    pins: dict[str, list[Any]],
    batch: int | None,
    *,
    exchanged: bool,
) -> dict[str, list[int]]:
    """Return the candidates of the degrees of training layouts.

    Divisors of the GPUs: tp up to the model's heads, cp up to 64, pp up to its layers, ep up to
    its experts, etp up to 8; micro-batches are powers of two up to 16. A pin takes their place.
    cp is 1 where layers have mixers, and, if a result counts what is ``exchanged``, where attention
    does not tell what context parallelism exchanges.
    """
    views = architecture_of(model).groups
    heads = max((each for view in views for each in view.heads), default=1)
    undivided = any(
        view.mixer.present or (exchanged and not view.attention.context_is_known) for view in views
    )
    experts = max((moe.n_routed_experts for moe in experts_of(model)), default=0)
    found = {
        "tp": divisors_of(gpus, heads),
        "cp": [1] if undivided else divisors_of(gpus, _MOST_CONTEXT),
        "pp": divisors_of(gpus, model.num_hidden_layers),
        "ep": divisors_of(gpus, experts) if experts else [1],
        "etp": divisors_of(gpus, min(heads, _MOST_DIVISIONS)) if experts else [1],
        "micro_batch": [each for each in _MICRO_BATCHES if batch is None or each <= batch],
    }
    return {name: pins.get(name, values) for name, values in found.items()}


def serving_axes(
    model: Model, gpus: Sequence[int], pins: dict[str, list[Any]]
) -> dict[str, list[int]]:
    """Return the candidates of the axes of serving layouts.

    Divisors of the GPUs that decode: tp up to the model's heads, pp up to its layers, ep up to all
    of them; dcp those up to 8; batches are powers of two up to 1,024, and the largest that fits.
    Layers are split evenly unless a pin says otherwise, by the number of a split in :data:`SPLITS`.
    """
    apart = pins.get("prefill_gpus", [0])
    every = gpus
    gpus = [each - less for each in gpus for less in apart if each > less] or [1]
    views = architecture_of(model).groups
    heads = max((each for view in views for each in view.heads), default=1)
    found = {
        "tp": divisors_of(gpus, heads),
        "pp": divisors_of(gpus, model.num_hidden_layers),
        "layer_split": [0],
        "ep": divisors_of(gpus, max(gpus)) if experts_of(model) else [1],
        "dcp": divisors_of(gpus, _MOST_DCP),
    }
    axes = {name: pins.get(name, values) for name, values in found.items()}
    axes |= {name: pins[name] for name in ("redundant_experts", "etp") if name in pins}
    return {"gpus": list(every), **axes, "asked": pins.get("batch", list(BATCHES))}


def category_axes(pins: dict[str, list[Any]], policies: Sequence[str]) -> dict[str, list[Any]]:
    """Return the candidates of the categories of training layouts."""
    found: dict[str, list[Any]] = {
        "schedule": sorted(WORDS["schedule"], key=lambda name: name != PLAIN["schedule"]),
        "virtual_pipeline": list(_CHUNKS),
        "sequence_parallel": list(WORDS["sequence_parallel"]),
        "layer_split": list(WORDS["layer_split"]),
        "recompute": list(policies),
        "zero": [0, 1, 2, 3],
    }
    return {name: pins.get(name, found[name]) for name in CATEGORIES}


def categories_together(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """List the combinations of the categories that change least of what is computed."""
    names = ("sequence_parallel", "recompute", "zero")
    every = product(*(axes[name] for name in names))
    return [dict(zip(names, each, strict=True)) for each in every]


def derived_columns(batch: int | None) -> dict[str, Derived]:
    """Return the columns that follow from degrees: replicas, theirs of experts, micro-batches."""

    def micro_batches(columns: Columns) -> Any:
        if batch is None:
            return 2 * columns["pp"]
        return batch // (columns["dp"] * columns["micro_batch"])

    return {
        "dp": Derived(
            ("gpus", "tp", "cp", "pp"),
            lambda columns: columns["gpus"] // (columns["tp"] * columns["cp"] * columns["pp"]),
        ),
        "edp": Derived(
            ("tp", "cp", "dp", "ep", "etp"),
            lambda columns: (
                columns["tp"] * columns["cp"] * columns["dp"] // (columns["ep"] * columns["etp"])
            ),
        ),
        "micro_batches": Derived(("dp", "micro_batch", "pp"), micro_batches),
    }
