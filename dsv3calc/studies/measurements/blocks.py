"""Blocks of ``achieved``: fitted from cases, as data and as YAML."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from dsv3calc.catalogue import presets
from dsv3calc.formulas.link_times import ring_latency_growth
from dsv3calc.studies.measurements.cases import TRACED
from dsv3calc.studies.measurements.fit import Columns, fitted, is_determined, rounded
from dsv3calc.studies.measurements.forms import FORMS
from dsv3calc.studies.measurements.halves import folds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dsv3calc.studies.measurements.cases import Case

Key = tuple[str, ...]
DEFAULTS = "default"
"""The preset of ``achieved`` that holds for devices without measurements."""
Block = dict[Key, dict[str, Any]]

TIES: dict[Key, tuple[Key, tuple[str, ...]]] = {
    ("gemm", "fp8_block-weight-gradient"): (
        ("gemm", "fp8_block-deepgemm"),
        ("bandwidth_share", "serial_latency", "launch"),
    ),
}
"""Entry -> the entry, and the values of it, that it takes over where its rows do not tell them."""
PHASES = {"all_gather": 1, "reduce_scatter": 1, "all_reduce": 2}
"""Collective that runs in a ring -> how often its payload goes around."""
SECONDS = ("launch", "latency", "remote_latency", "serial_latency")
WIDTH = 96
LARGE, SMALL = 10**5, 1e-3


def by_key(cases: Iterable[Case]) -> dict[Key, list[Case]]:
    """Return cases by entry; those beside communication only where an entry has no others."""
    found: dict[Key, list[Case]] = {}
    for case in cases:
        found.setdefault(case.key, []).append(case)
    for key, listed in found.items():
        alone = [case for case in listed if case.kind != TRACED]
        found[key] = alone or listed
    return {key: found[key] for key in sorted(found)}


def fit_block(cases: Iterable[Case]) -> Block:
    """Return the entries of one device: values alone, in the order in which ties need them."""
    listed = by_key(cases)
    found: Block = {}
    for key in sorted(listed, key=lambda each: each in TIES):
        ties = ties_of(key, listed[key], found)
        if is_determined(listed[key], ties):
            found[key] = fitted(listed[key], ties)
    return {key: found[key] for key in listed if key in found}


def ties_of(key: Key, cases: Sequence[Case], found: Block) -> dict[str, float]:
    """Return the values that an entry does not take from its own rows.

    They are those of another entry that was fitted, and the growth of a ring's latency where only
    groups of one size were measured.
    """
    if key[:2] == ("links", "collectives"):
        sizes = {point["ranks"] for case in cases for point in case.points}
        return {"latency_growth": _growth(key[-1])} if len(sizes) == 1 else {}
    tie = TIES.get(key)
    return {name: found[tie[0]][name] for name in tie[1]} if tie and tie[0] in found else {}


def _growth(collective: str) -> float:
    """Return what NCCL's own latencies say of a ring; an exchange reaches all GPUs at once."""
    phases = PHASES.get(collective)
    if phases is None:
        return 0.0
    known = presets.load("achieved", DEFAULTS).value
    return rounded(ring_latency_growth(phases, known.ring_base, known.ring_step))


def unseen_errors(cases: Sequence[Case], ties: dict[str, float]) -> list[tuple[Case, list[float]]]:
    """Return the errors of each case under a fit that did not see its half, or its group."""
    return [
        (case, Columns([case]).errors(entry))
        for entry, unseen in unseen_fits(cases, ties)
        for case in unseen
    ]


def unseen_fits(
    cases: Sequence[Case], ties: dict[str, float]
) -> list[tuple[dict[str, Any], list[Case]]]:
    """Return the fits that leave a half out, or a group, each with the cases left out."""
    found = []
    for seen, unseen in folds(cases):
        own = ties_of(seen[0].key, seen, {}) or ties
        if is_determined(seen, own):
            found.append((fitted(seen, own), unseen))
    return found


def described(
    entry: dict[str, Any],
    cases: Sequence[Case],
    unseen: Sequence[float],
    known: Iterable[str],
    transfer: float | None = None,
    kind: str = "fitted",
) -> dict[str, Any]:
    """Return an entry as a block holds it, with how it was fitted.

    ``known`` are the names of all rows: a pattern stands for rows where it fits no other.
    """
    errors = Columns(cases).errors(entry)
    fit: dict[str, Any] = {
        "kind": kind,
        "points": len(errors),
        "median_error": to_digits(quantile([abs(each) for each in errors], 0.5)),
        "p10": to_digits(quantile(errors, 0.1)),
        "p90": to_digits(quantile(errors, 0.9)),
    }
    if unseen:
        fit["unseen_error"] = to_digits(quantile([abs(each) for each in unseen], 0.5))
    if transfer is not None:
        fit["transfer_error"] = to_digits(transfer)
    sizes: dict[str, list[float]] = {}
    for case in cases:
        for name, listed in case.sizes.items():
            sizes.setdefault(name, []).extend(listed)
    fit["ranges"] = {name: [min(listed), max(listed)] for name, listed in sizes.items()}
    fit["rows"] = named(sorted({case.row.id for case in cases}), known)
    form = FORMS[cases[0].form]
    values: dict[str, Any] = {"computes_in": cases[0].computes_in} if cases[0].computes_in else {}
    values |= {name: entry[name] for name in form.struct.__struct_fields__ if name in entry}
    if "half_length" in values:
        values["half_length"] = round(values["half_length"])
    return {**{name: each for name, each in values.items() if each is not None}, "fit": fit}


def named(ids: list[str], known: Iterable[str]) -> list[str]:
    """Return the names of rows, as one pattern where it holds for them alone.

    >>> named(["a-n1", "a-n2"], ["a-n1", "a-n2", "b-n1"]), named(["a-1"], ["a-1"])
    (['a-n*'], ['a-1'])
    """
    start = _common(ids)
    end = _common([each[len(start) :][::-1] for each in ids])[::-1]
    same = [each for each in known if each.startswith(start) and each.endswith(end)]
    return [f"{start}*{end}"] if len(ids) > 1 and start and len(same) == len(ids) else ids


def _common(words: list[str]) -> str:
    """Return the beginning that words share."""
    first, last = min(words), max(words)
    same = (a == b for a, b in zip(first, last, strict=False))
    return first[: sum(takewhile(bool, same))]


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile by linear interpolation.

    >>> quantile([3, 1, 2], 0.5), quantile([0, 1], 0.25)
    (2.0, 0.25)
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def to_digits(value: float) -> float:
    """Return an error with three decimals."""
    return round(value, 3) + 0.0


def nested(entries: dict[Key, dict[str, Any]]) -> dict[str, Any]:
    """Return entries as the mapping that a block is."""
    tree: dict[str, Any] = {}
    for key, entry in entries.items():
        table = tree
        for name in key[:-1]:
            table = table.setdefault(name, {})
        table[key[-1]] = entry
    order = ("gemm", "experts", "attention", "links", "passes")
    return {name: tree[name] for name in order if name in tree}


def as_yaml(tree: dict[str, Any], indent: str = "") -> list[str]:
    """Return the lines of a block in YAML: entries in flow style, wrapped."""
    lines = []
    for name, value in tree.items():
        if not isinstance(value, dict):
            lines.append(f"{indent}{name}: {_scalar(name, value)}")
        elif name == "fit":
            lines += _wrapped(f"{indent}fit: {{", [*_items(value)], indent)
        else:
            lines += [f"{indent}{name}:", *as_yaml(value, f"{indent}  ")]
    return lines


def _items(fit: dict[str, Any]) -> list[str]:
    ranges = ", ".join(f"{k}: [{_number(a)}, {_number(b)}]" for k, (a, b) in fit["ranges"].items())
    plain = [f"{k}: {_scalar(k, v)}" for k, v in fit.items() if k not in ("ranges", "rows")]
    rows = list(fit["rows"])
    rows[0] = f"rows: [{rows[0]}"
    rows[-1] += "]"
    return [*plain, f"ranges: {{{ranges}}}", *rows]


def _wrapped(start: str, items: list[str], indent: str) -> list[str]:
    """Return items between braces, on as many lines as they need."""
    lines, current = [], start
    for number, item in enumerate(items):
        text = item + ("," if number + 1 < len(items) else "}")
        joined = current + ("" if current.endswith("{") else " ") + text
        if len(joined) > WIDTH and current.strip():
            lines.append(current)
            current = f"{indent}  {text}"
        else:
            current = joined
    return [*lines, current]


def _scalar(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if name in SECONDS and value:
        unit, factor = ("us", 1e6) if value >= SMALL * 1e-3 else ("ns", 1e9)
        return f"{_number(rounded(value * factor))} {unit}"
    return _number(value)


def _number(value: float) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
