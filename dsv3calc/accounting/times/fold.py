"""The fold of a model's operators into seconds: by kernel, by layer group, and in all."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from dsv3calc.accounting.times.communication import AXES
from dsv3calc.accounting.times.device import Device
from dsv3calc.accounting.times.kernel_time import SECONDS, KernelTime
from dsv3calc.accounting.times.kernels import FORWARD, INPUT_GRADIENT, MODEL, kernels_of
from dsv3calc.accounting.times.optimizer import OptimizerWork
from dsv3calc.accounting.times.pass_exchanges import PassExchanges
from dsv3calc.accounting.times.rates import Rates
from dsv3calc.accounting.times.software import Software
from dsv3calc.accounting.times.work import WorkCounter
from dsv3calc.formulas import roofline
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.operator import LOOKUP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.times.exchanges import ExchangeLines
    from dsv3calc.accounting.times.kernels import Kernel
    from dsv3calc.accounting.times.setting import Setting

_PLACE = ("flops", "moved", *SECONDS)
"""What is summed over the kernels of a place and of a component."""


class Place:
    """A layer group, MTP's modules, or what stands outside of layers: its kernels and their sums.

    ``layer`` are the sums over the kernels of one layer, ``whole`` those over its ``layers``.
    """

    __slots__ = ("kernels", "layer", "layers", "name", "whole")

    def __init__(self, name: str, layers: Line, kernels: Sequence[KernelTime]) -> None:
        self.name = name
        self.layers = layers
        self.kernels = list(kernels)
        self.layer = _sums(f"time.{name}.layer", kernels)
        self.whole = {
            what: combined(
                f"time.{name}.{what}",
                "product",
                (line, layers),
                tags=Tags(quantity=what, group=name),
            )
            for what, line in self.layer.items()
        }

    @property
    def lines(self) -> list[Line]:
        """Every line that is shown of it."""
        each = [line for kernel in self.kernels for line in kernel.shown]
        return [*each, *self.layer.values(), *self.whole.values()]


def _sums(prefix: str, kernels: Sequence[KernelTime]) -> dict[str, Line]:
    found = {}
    for what in _PLACE:
        parts = [kernel.lines[what] for kernel in kernels if what in kernel.lines]
        if parts:
            found[what] = total(f"{prefix}.{what}", parts)
    return found


class PassLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``time.{bound,floor,estimate}`` [s] of a pass, and what they are made of.

    ``estimate`` is None without a set-up. ``kernels`` are the sums over all kernels, and
    ``communication`` what is sent, by name of the time.
    """

    bound: Line
    floor: Line
    estimate: Line | None
    compute_time: Line
    memory_time: Line
    kernels: dict[str, Line]
    communication: dict[str, Line]


class TimeLines(PassLines, frozen=True, eq=False, kw_only=True):
    """Lines of a pass, and what follows from them or explains them.

    ``optimizer`` is the step of the optimizer, which is no part of a pass, by name of the time.
    """

    rates: dict[str, Line]
    optimizer: dict[str, Line]
    components: list[Line]
    band: dict[str, Line]
    device: list[Line]
    parts: list[Line]


class Fold(PassExchanges):
    """The kernels and exchanges of a pass on a GPU of a layout, with their seconds."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._shown: dict[str, dict[str, list[Line]]] | None = None
        self._optimizer: dict[str, Line] | None = None
        self.device = Device(setting.hardware, setting.precision)
        self.rates = Rates(self.share, self.device, self.entries, setting.kv_format.bits)
        self.software = None
        if setting.setup is not None:
            self.software = Software(setting.setup, setting.hardware, self.share)
        gradient_bits = None
        if setting.recipe is not None:
            gradient_bits = field(("recipe", setting.recipe), "gradient_bits", "bit")
        self.counter = counter = WorkCounter(
            self.share, setting.precision, setting.kv_format, self.device.input_bits, gradient_bits
        )
        self.passes = counter.passes
        by_place: dict[str, list[KernelTime]] = {}
        for kernel in kernels_of(self.run, setting.layout):
            if kernel.routed and setting.experts_on_host:
                continue
            made = KernelTime(kernel, counter, self.device, self.rates, self.software)
            by_place.setdefault(kernel.place, []).append(made)
        self.places = [Place(name, self.layers[name], made) for name, made in by_place.items()]

    def of_stage(self, layers: Sequence[Line], embedding: Line, head: Line) -> Fold:
        """Return the part of a pass that one pipeline stage has.

        ``layers`` are those of each group on the stage; ``embedding`` and ``head`` tell whether it
        has what stands before and after all layers. Exchanges outside of layers are with the head.
        """
        found = copy(self)
        groups = [view.prefix for view in self.share.run.arch.groups]
        found.layers = {MODEL: head, **dict(zip(groups, layers, strict=True))}
        found.places = []
        for place in self.places:
            if place.name == MODEL:
                looked_up = [each for each in place.kernels if each.kernel.first.kind == LOOKUP]
                others = [each for each in place.kernels if each not in looked_up]
                found.places.append(Place("embedding", embedding, looked_up))
                found.places.append(Place("head", head, others))
            elif place.name in found.layers:
                found.places.append(Place(place.name, found.layers[place.name], place.kernels))
        return found

    def activation_again(self, kernel: Kernel) -> Line:
        """Give the time of the passes within a kernel of products, run once more by themselves."""
        name = f"time.{kernel.place}.{kernel.name}.again"
        moved = self.counter.inner_passes(name, kernel, FORWARD)
        return self.rates.passing(f"{name}.floor", total(f"{name}.moved", moved, unit="B"))

    def shown(self) -> dict[str, dict[str, list[Line]]]:
        """Give what the set-up shows of the exchanges of a layer, by place and pass.

        Raises
        ------
        UsageError
            If the device lacks what the exchanges need.
        """
        if self._shown is None:
            software, rates = self.software, self.link_rates()
            assert software is not None  # noqa: S101 - there is no estimate without one
            self._shown = {}
            for sending, _ in self.sendings():
                parts = [rates.one_call(sending), sending.calls]
                share = software.shown(AXES[sending.kind])
                parts += [] if share is None else [share]
                line = combined(f"{sending.name}.exposed", "product", parts, unit="s")
                where = FORWARD if sending.way == FORWARD else INPUT_GRADIENT
                self._shown.setdefault(sending.place, {}).setdefault(where, []).append(line)
        return self._shown

    def optimizer(self) -> dict[str, Line]:
        """Give the step of the optimizer on all states of a model, one stage after the other."""
        if self._optimizer is None:
            self._optimizer = _optimizer_times(self)
        return self._optimizer


def time_lines(fold: Fold) -> TimeLines:
    """Give the seconds of a pass as :func:`pass_lines` does, and what follows from them.

    Raises
    ------
    UsageError
        If the device or the set-up lacks what the pass needs.
    """
    sent = fold.exchanges()
    found = pass_lines(fold, sent)
    times = {"bound": found.bound, "floor": found.floor}
    if found.estimate is not None:
        times["estimate"] = found.estimate
    axes = [] if sent is None else sent.by_axis.values()
    return TimeLines(
        **{name: getattr(found, name) for name in found.__struct_fields__},
        rates=_token_rates(fold, times),
        optimizer=fold.optimizer(),
        components=_components(fold),
        band=band_lines("time", fold, found.estimate),
        device=fold.device.lines,
        parts=[*axes, *(line for place in fold.places for line in place.lines)],
    )


def pass_lines(fold: Fold, sent: ExchangeLines | None) -> PassLines:
    """Give the seconds of a pass through the whole model, pipeline stages one after the other.

    ``sent`` are the exchanges of the pass. ``bound`` is the longest of all computing at peak, all
    weights and caches read once and all bytes sent, as if they went on at the same time and
    activations stayed on chip; no schedule is shorter. ``floor`` adds up the kernels at measured
    rates, communication hidden as far as they last. ``estimate`` is what a set-up makes of that.

    Raises
    ------
    UsageError
        If the device or the set-up lacks what the pass needs.
    """
    whole = {
        what: [place.whole[what] for place in fold.places if what in place.whole]
        for what in (*_PLACE,)
    }
    kernels = {what: total(f"time.kernels.{what}", parts) for what, parts in whole.items() if parts}
    compute = total("time.compute_time", _over_layers(fold, "compute_time"), unit="s")
    resident = total("time.resident_bytes", _over_layers(fold, "resident"), unit="B")
    memory = computed(
        "time.memory_time",
        roofline.memory_time,
        convention="weights and cache read once; activations stay on chip",
        moved=resident,
        bandwidth=fold.device.bandwidth,
    )
    bounds, floors = [compute, memory], [kernels["floor"]]
    if sent is not None:
        bounds.append(sent.bound)
        floors.append(sent.floor)
    times = {
        "bound": combined(
            "time.bound", "maximum", bounds, convention="at peaks, everything overlapped"
        ),
        "floor": combined("time.floor", "maximum", floors, convention="kernels at measured rates"),
    }
    communication = {} if sent is None else {"bound": sent.bound, "floor": sent.floor}
    if fold.software is not None:
        parts = [kernels["estimate"]]
        if sent is not None:
            shown = fold.software.exposed(sent.by_axis, kernels["estimate"])
            communication["estimate"] = shown
            parts.append(shown)
        words = f"set-up {fold.software.setup.name}"
        times["estimate"] = total("time.estimate", parts, unit="s", convention=words)
    return PassLines(
        bound=times["bound"],
        floor=times["floor"],
        estimate=times.get("estimate"),
        compute_time=compute,
        memory_time=memory,
        kernels=kernels,
        communication=communication,
    )


def _over_layers(fold: Fold, what: str) -> list[Line]:
    """Return a line for each place: what its kernels add up to in all of its layers."""
    found = []
    for place in fold.places:
        one = total(
            f"time.{place.name}.layer.{what}", [kernel.lines[what] for kernel in place.kernels]
        )
        found.append(combined(f"time.{place.name}.{what}", "product", (one, place.layers)))
    return found


def _components(fold: Fold) -> list[Line]:
    """Sum the kernels of each component over all layers."""
    pairs: dict[tuple[str, str], list[Line]] = {}
    for place in fold.places:
        for kernel in place.kernels:
            component = kernel.kernel.first.component
            for what in _PLACE:
                if what in kernel.lines:
                    found = pairs.setdefault((component, what), [])
                    found += (kernel.lines[what], place.layers)
    return [
        combined(
            f"time.components.{component}.{what}",
            "sum_of_products",
            parts,
            tags=Tags(quantity=what, component=component),
        )
        for (component, what), parts in pairs.items()
    ]


def _token_rates(fold: Fold, times: dict[str, Line]) -> dict[str, Line]:
    """Give the tokens of a second: of a replica, and of each of its GPUs where stages are full."""
    share, found = fold.share, {}
    gpus = combined("time.gpus_of_a_stage", "product", (share.tp, share.cp), unit="1")
    for what, seconds in times.items():
        rate = combined(
            f"time.tokens_per_second.{what}", "ratio", (share.run.tokens, seconds), unit="tokens/s"
        )
        found[what] = rate
        found[f"{what}.per_gpu"] = combined(
            f"time.tokens_per_second_per_gpu.{what}",
            "ratio",
            (rate, gpus),
            unit="tokens/s",
            convention="every stage busy with another pass",
        )
    return found


def band_lines(prefix: str, fold: Fold, estimate: Line | None) -> dict[str, Line]:
    """Give the times that eight of ten measurements lie between, where the set-up has a band."""
    if fold.software is None or estimate is None:
        return {}
    phase = fold.setting.workload.phase
    band = fold.software.times.bands.get(phase)
    if band is None:
        return {}
    found = {}
    for name, deviation in (("p10", "p90"), ("p90", "p10")):
        place = f"setup.time.bands.{phase}.{deviation}"
        by = given(place, getattr(band, deviation), "ratio", "estimate / measurement - 1")
        over = total(f"{prefix}.{name}.estimate_over_measured", (given("one", 1, "ratio"), by))
        found[name] = combined(
            f"{prefix}.{name}",
            "ratio",
            (estimate, over),
            unit="s",
            convention=f"of {band.points:,} measurements that the set-up was scored on",
        )
    return found


def _optimizer_times(fold: Fold) -> dict[str, Line]:
    recipe = fold.setting.recipe
    if recipe is None:
        return {}
    work = OptimizerWork(fold.share, recipe)
    moved, bandwidth = work.moved, fold.device.bandwidth
    if not work.flops:
        bound = computed(
            "time.optimizer.bound", roofline.memory_time, moved=moved, bandwidth=bandwidth
        )
        return {"bound": bound, "floor": fold.rates.passing("time.optimizer.floor", moved)}
    flops = total("time.optimizer.flops", work.flops, unit="FLOP")
    passing = computed(
        "time.optimizer.memory_time", roofline.memory_time, moved=moved, bandwidth=bandwidth
    )
    seconds = computed(
        "time.optimizer.compute_time",
        roofline.compute_time,
        flops=flops,
        peak=fold.device.peak_of_dtype("bf16", "optimizer"),
    )
    parts = (
        fold.rates.passing("time.optimizer.passes", moved),
        fold.rates.wide_products("time.optimizer.products", flops),
    )
    return {
        "bound": combined("time.optimizer.bound", "maximum", (passing, seconds), unit="s"),
        "floor": total("time.optimizer.floor", parts, unit="s"),
        "flops": flops,
        "gathered_bytes": work.gathered[0],
    }
