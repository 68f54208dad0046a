"""What an answer of ``time`` takes for granted, and what a reader must know with it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.times.communication import AXES, expert_assumptions
from dsv3calc.model.architecture import experts_of
from dsv3calc.studies.answer import add_new
from dsv3calc.studies.layout.build import DEGREES
from dsv3calc.studies.preset_loader import warn_units
from dsv3calc.studies.traffic.exchanges import imbalance_text

if TYPE_CHECKING:
    from dsv3calc.accounting.times.achieved import Entry
    from dsv3calc.accounting.times.fold import Fold
    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.achieved import Limits
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader

LEAST_SHARE = 0.05
"""Of the time of a pass: a kernel below it is not warned of."""


def remarks(answer: Answer, fold: Fold, *, staged: bool = False) -> None:
    """Add the assumptions, notes and warnings of a pass to its answer.

    ``staged`` says that sends between pipeline stages are counted.
    """
    setting = fold.setting
    layout, model = setting.layout, setting.model
    warn_units(answer, setting.precision, setting.hardware)
    rate_remarks(answer, fold)
    if experts_of(model):
        answer.assumptions.append(
            "routing: every expert is equally likely, and a pass reads the expected number of "
            "distinct experts; "
            + imbalance_text(float(setting.imbalance), "the busiest GPU has {} times the mean rows")
        )
    if layout.ep > 1:
        add_new(answer.assumptions, expert_assumptions(setting))
    if layout.pp > 1 and not staged:
        answer.notes.append(
            f"the pass goes through {layout.pp:,} stages one after the other; sends between them, "
            "gradients' reductions and bubbles are not counted"
        )
    elif setting.workload.phase == "train":
        answer.notes.append("one micro-batch: reductions of gradients are not counted")
    if setting.setup is None and not setting.experts_on_host:
        answer.notes.append("no estimate without a set-up (--setup)")


def setup_remarks(answer: Answer, fold: Fold, floor: Line, estimate: Line | None) -> None:
    """Say why an estimate lies below the floor, and why it has no band."""
    if fold.software is None or estimate is None:
        return
    name, times = fold.software.setup.name, fold.software.times
    if estimate.value < floor.value and times.launch_factor is not None:
        answer.notes.append(
            f"the estimate is below the floor: with {name} launches overlap other kernels "
            f"(launch_factor {times.launch_factor:g}), while the floor counts each in full"
        )
    phase = fold.setting.workload.phase
    if phase not in times.bands:
        answer.notes.append(
            f"no band for the estimate: too few measurements of {_DOING[phase]} stand for {name}"
        )


_DOING = {"train": "training", "prefill": "prefill", "decode": "decoding"}


def warn_idle_overlaps(answer: Answer, fold: Fold, loader: PresetLoader) -> None:
    """Warn of overlaps that ``--set`` gives to a set-up for axes on which nothing is sent."""
    layout = fold.setting.layout
    sent = {AXES[sending.kind] for sending, _ in fold.sendings()}
    sent |= {axis for axis in ("dp", "pp") if getattr(layout, axis) > 1}
    sent |= {"dp"} if layout.cp > 1 else set()  # its GPUs reduce gradients together
    for each in loader.overrides:
        before, _, axis = each.path.rpartition(".")
        of_axis = (each.kind, before) == ("setup", "time.overlap") and axis in DEGREES
        if of_axis and axis not in sent:
            answer.warn(f"--set {each.text} has no effect: nothing is sent over {axis} here")


def rate_remarks(answer: Answer, fold: Fold) -> None:
    """Say of which devices the measured rates are, and where kernels lie outside of their range."""
    _rates(answer, fold)
    _extrapolated(answer, fold)
    if any(view.mixer.present for view in fold.share.run.arch.groups):
        answer.assumptions.append(
            "scans and convolutions are timed as BF16 products: none of their kernels was measured"
        )


def _rates(answer: Answer, fold: Fold) -> None:
    """Say of which devices the measured rates are, and how far such rates are off."""
    hardware = fold.setting.hardware.name
    others: dict[str, list[Entry]] = {}
    for entry in fold.entries.used.values():
        if entry.instead_of:
            place = " ".join((*entry.path[:-1], entry.instead_of))
            answer.warn(f"no measured rate of {place} is known: that of {entry.path[-1]} is taken")
        if entry.fit.kind == "assumed" or entry.whose != hardware:
            others.setdefault(entry.whose, []).append(entry)
    for whose, entries in others.items():
        errors = [
            entry.fit.transfer_error for entry in entries if entry.fit.transfer_error is not None
        ]
        words = ""
        if errors:
            low, high = (f"{100 * error:.0f}" for error in (min(errors), max(errors)))
            between = low if low == high else f"{low} to {high}"
            words = f"; such rates are {between} % off in the median on held-out devices"
        names = ", ".join(_name(entry) for entry in entries)
        answer.assumptions.append(f"{hardware}: measured rates of {whose} for {names}{words}")


def _extrapolated(answer: Answer, fold: Fold) -> None:
    """Warn of kernels that matter and lie outside of the range in which rates were measured."""
    whole = sum(float(place.whole["floor"].value) for place in fold.places)
    outside: dict[tuple[str, str], tuple[Limits, list[float]]] = {}
    for place in fold.places:
        for each in place.kernels:
            share = each.lines["floor"].value * place.layers.value / whole
            found = fold.rates.met.get(f"{place.name} {each.kernel.name}")
            if found is None or share < LEAST_SHARE:
                continue
            entry, quantities = found
            for name, line in quantities.items():
                limits = entry.fit.ranges.get(name)
                if limits and not limits[0] <= line.value <= limits[1]:
                    key = (_name(entry), name)
                    outside.setdefault(key, (limits, []))[1].append(line.value)
    for (which, name), (limits, values) in outside.items():
        low, high = (f"{value:,g}" for value in limits)
        far = " to ".join(f"{value:,g}" for value in sorted({min(values), max(values)}))
        answer.warn(
            f"{which}: {name} is {far}, and was measured from {low} to {high}: extrapolated"
        )


def _name(entry: Entry) -> str:
    """Return what an entry holds for, without the block that it stands in."""
    return " ".join(entry.path)
