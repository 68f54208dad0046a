"""GPUs that prefill beside those that decode: axes of a search over layouts of a server.

``prefill_gpus`` of the GPUs prefill and the others decode; 0 are the same GPUs for both. Those that
prefill have a layout of their own, of ``prefill_tp``, ``prefill_ep`` and the dp that follows.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.serving import Server as Memory
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import given
from dsv3calc.model.architecture import architecture_of, experts_of
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.studies.search.axes import divisors_of
from dsv3calc.studies.search.request import BESIDE
from dsv3calc.studies.search.rules import Rule, problems_of
from dsv3calc.studies.search.space import Derived

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dsv3calc.queries.search import SearchQuery
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.studies.layout.build import Problem
    from dsv3calc.studies.memory.serving import Asked
    from dsv3calc.studies.search.space import Columns

COLUMNS = (*BESIDE, "prefill_dp", "prefill_etp")
"""What the layout of the GPUs that prefill follows from."""

_ALONE = {"pp": 1, "layer_split": 0, "prefill_gpus": 0}
"""What a layout has of axes that the GPUs that prefill have none of."""

_OWN = ("tp", "dp", "ep", "etp")


def check(query: SearchQuery, pins: Mapping[str, Sequence[int]]) -> None:
    """Refuse GPUs that prefill apart where nothing says how much they have to do, or how.

    Raises
    ------
    UsageError
        If the pins name such GPUs without the tokens of a response, or with a layout of theirs, or
        a degree of theirs without any.
    """
    check_work(query, pins, "--pin")
    degrees = [name for name in BESIDE[1:] if name in pins]
    if degrees and not any(pins.get("prefill_gpus", ())):
        least = max(pins[degrees[-1]])
        raise UsageError(
            f"--pin {degrees[-1]}: no GPUs prefill apart from others", f"--pin prefill_gpus={least}"
        )


def check_work(query: SearchQuery, pins: Mapping[str, Sequence[int]], option: str) -> None:
    """Refuse GPUs that prefill apart where the query says nothing of their work, or has others.

    Raises
    ------
    UsageError
        If the pins of an option name such GPUs.
    """
    named = [name for name in BESIDE if name in pins]
    if named and query.prefill_layout is not None:
        raise UsageError(
            f"{option} {named[0]} and --prefill-layout: both are the GPUs that prefill", "leave one"
        )
    if any(pins.get("prefill_gpus", ())) and query.response_tokens is None:
        raise UsageError(
            f"{option} prefill_gpus: their share of the work depends on the tokens of a response",
            "--response-tokens 500, and --prompt-tokens",
        )


def axes_of(model: Model, pins: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """Return the candidates: no GPUs, or those pinned with any tp and ep that divides them."""
    counts = [each for each in pins.get("prefill_gpus", ()) if each]
    if not counts:
        return {name: [0] if name == "prefill_gpus" else [1] for name in BESIDE}
    heads = max((each for view in architecture_of(model).groups for each in view.heads), default=1)
    found = {
        "prefill_gpus": pins["prefill_gpus"],
        "prefill_tp": divisors_of(counts, heads),
        "prefill_ep": divisors_of(counts, max(counts)) if experts_of(model) else [1],
    }
    return {name: pins.get(name, values) for name, values in found.items()}


def derived(etp: Callable[[Columns], Any]) -> dict[str, Derived]:
    """Return the degrees that follow; ``etp`` gives that of columns tp, dp and ep."""

    def replicas(columns: Columns) -> Any:
        import numpy as np

        return np.maximum(columns["prefill_gpus"] // columns["prefill_tp"], 1)

    needs = ("prefill_tp", "prefill_dp", "prefill_ep")
    return {
        "prefill_dp": Derived(("prefill_gpus", "prefill_tp"), replicas),
        "prefill_etp": Derived(
            needs, lambda columns: etp({name[len("prefill_") :]: columns[name] for name in needs})
        ),
    }


def layout_of(base: Layout, values: Mapping[str, Any]) -> Layout:
    """Return the layout of the GPUs that prefill, whose degrees may be recorded."""
    return msgspec.structs.replace(base, **{name: values[f"prefill_{name}"] for name in _OWN})


def option_of(axes: Mapping[str, Any], *, experts: bool) -> str:
    """Return the layout of the GPUs that prefill as ``--prefill-layout`` takes it."""
    names = _OWN if experts else ("tp", "dp")
    return ",".join(f"{name}={axes[f'prefill_{name}']}" for name in names)


def told(axes: Mapping[str, Any]) -> str:
    """Name the GPUs that prefill by their number and the degrees that are not 1."""
    degrees = ((name, axes[f"prefill_{name}"]) for name in _OWN)
    own = ", ".join(f"{name} {each}" for name, each in degrees if each > 1)
    return f"{axes['prefill_gpus']:,} GPUs that prefill" + f" ({own})" * bool(own)


def rule_of(rules: Sequence[Rule], base: Layout, asked: Asked, prompt: int) -> Rule:
    """Return the rule of the GPUs that prefill: ``rules`` hold for them, and a prompt fits."""

    def problems(_: Layout, values: Mapping[str, Any]) -> Iterable[Problem]:
        gpus = values["prefill_gpus"]
        if not gpus:
            if values["prefill_tp"] * values["prefill_ep"] > 1:
                yield "no GPUs prefill apart from others", "prefill_tp and prefill_ep are theirs"
            return
        layout = layout_of(base, values)
        own = {name: getattr(layout, name) for name in (*_OWN, "dcp", "redundant_experts")}
        for rule in rules:  # later ones rely on those before
            wrong = [*problems_of(rule, base, {**own, **_ALONE, "gpus": gpus})]
            if wrong:
                yield from wrong
                return
        yield from unloaded(layout, asked)
        yield from _excess(layout, asked, prompt)

    words = "the GPUs that prefill have a layout that fits"
    return Rule("prefill", words, COLUMNS, problems)


def unloaded(layout: Layout, asked: Asked) -> Iterable[Problem]:
    """Yield weights that a layout divides within blocks, which the engine refuses."""
    one = msgspec.structs.replace(layout, pp=1)
    for each in Memory(asked.model.value, one, asked.hardware.value, asked.serving).refused():
        yield each.words, f"set-up {asked.setup.name}"


def _excess(layout: Layout, asked: Asked, prompt: int) -> Iterable[Problem]:
    """Yield what GPUs lack for the weights, a pass and the cache of a prompt."""
    serving = msgspec.structs.replace(
        asked.serving, batch=1, concurrency=None, context=prompt, tokens=max(1, asked.chunk)
    )
    memory = Memory(asked.model.value, layout, asked.hardware.value, serving)
    taken = memory.taken("serving.prefill", given("serving.prefill.rank", 0, "1"))
    if not taken["fits"].value:
        total = format_quantity(taken["total"].value, "B")
        yield f"a GPU that prefills takes {total}", f"{asked.hardware.name} has less for a server"
