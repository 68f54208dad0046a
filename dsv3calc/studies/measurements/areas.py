"""Areas of measurements: who expresses their rows. A new area is a row of ``AREAS``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.catalogue import presets, references
from dsv3calc.errors import UsageError
from dsv3calc.reading.diagnostics import quote
from dsv3calc.studies.measurements import attention, links, passes, products, servers, steps
from dsv3calc.studies.measurements.cases import Case, NotExpressed
from dsv3calc.studies.measurements.forms import FORMS, peaks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.measurement import Row

AREAS: dict[str, Callable[[Row, Hardware], list[Case] | list[steps.StepCase]]] = {
    "kernel_gemm": products.products,
    "kernel_grouped_gemm": products.experts,
    "kernel_attention": attention.attention,
    "kernel_other": passes.passes,
    "collective_other": links.links,
    "collective_a2a": links.links,
    "training_dense": steps.training,
    "training_moe": steps.training,
    "inference_e2e": steps.serving,
    "inference_decode": servers.decoding,
    "inference_prefill": servers.prefilling,
}
"""Area -> what turns its row into cases, or says why it cannot."""

KINDS = {
    "dense": "dense products",
    "grouped": "grouped products, the product alone",
    "fused": "routed experts of a layer",
    "masked": "experts after a low-latency dispatch",
    "prefill": "attention over new tokens, GQA",
    "mla_prefill": "attention over new tokens, MLA",
    "decode": "attention over a cache, GQA",
    "mla_decode": "attention over a cache, MLA",
    "prefill_rate": "FLOP/s of attention by library",
    "backward_rate": "FLOP/s of its backward pass by library",
    "mla_prefill_rate": "FLOP/s of MLA by library",
    "mla_backward_rate": "FLOP/s of its backward pass by library",
    "copy": "copies in memory",
    "traced": "kernels beside communication in a training step",
    "nccl": "NCCL in one domain",
    "custom_all_reduce": "all-reduce of TensorRT-LLM",
    "low_latency": "DeepEP, low latency",
    "normal": "DeepEP, normal",
    "one_sided": "NVLink exchange, one-sided",
    "two_sided": "NVLink exchange, two-sided",
    "step_hgx": "training steps, nodes of up to 8 devices",
    "step_nvl72": "training steps, racks of one domain",
    "tpot_agg": "time of an output token, prefill beside it",
    "tpot_of_server": "time of an output token, from tokens a second",
    "prefill_rate_of_server": "time of a prefill pass, from tokens a second",
    "tpot_disagg": "time of an output token, decode alone",
}
"""Kind of a case -> what is measured."""

EAGER = "eager"
"""What ``value.mode`` of a row says where the host launches each call by itself."""
LARGEST_CACHE = 256 * 2**20
"""Bytes beyond which no cache on chip holds what a kernel reads: the bound of memory holds."""
TOLERANCE = 0.97
"""Part of a bound below which a time contradicts it: clocks and sizes are rounded."""


class Devices:
    """Devices by the names that rows give them; each is loaded once."""

    def __init__(self, preset_path: str | None = None) -> None:
        self._preset_path = preset_path
        self._found: dict[str, Hardware] = {}
        self._unknown: dict[str, str] = {}

    def __call__(self, name: str) -> Hardware:
        """Return a device.

        Raises
        ------
        NotExpressed
            If no preset has the name, in small letters, or lists it among its aliases.
        """
        key = name.casefold()
        if key in self._found:
            return self._found[key]
        if key not in self._unknown:
            if references.NAME.fullmatch(key):
                try:
                    loaded = presets.load("hardware", key, preset_path=self._preset_path)
                except UsageError as error:
                    self._unknown[key] = error.hint
                else:
                    self._found[key] = loaded.value
                    return self._found[key]
            else:
                self._unknown[key] = ""
        raise UnknownDevice(name, self._unknown[key])

    def load(self, name: str) -> Hardware:
        """Return a device that a person names: rows may name it, though it be no shipped one.

        Raises
        ------
        UsageError, InvalidInput
            If there is no such preset, or it is wrong.
        """
        found: Hardware = presets.load("hardware", name, preset_path=self._preset_path).value
        self.add(found)
        return found

    def add(self, device: Hardware) -> None:
        """Let rows name a device."""
        names = (device.name, *device.aliases)
        self._found |= {each.casefold(): device for each in names}


UNKNOWN = "unknown hardware"
BEYOND = "numbers beyond what formulas compute with"


class UnknownDevice(NotExpressed):
    """A device that no preset describes."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"{UNKNOWN} {quote(name)}" if name else "no hardware stated")
        self.hint = hint

    @staticmethod
    def is_meant(why: str) -> bool:
        """Tell whether a reason is that of an unknown device."""
        return why.startswith(UNKNOWN)


class Unusable(Exception):
    """What contradicts a row."""


def cases_of(row: Row, devices: Devices) -> list[Case] | list[steps.StepCase]:
    """Express a row.

    Raises
    ------
    Unusable
        If the row says so, or a time of it is below a bound that holds.
    NotExpressed
        If no formula can be asked for it.
    """
    if row.unusable:
        raise Unusable(row.unusable)
    express = AREAS.get(row.area)
    if express is None:
        raise NotExpressed("an area without a predictor")
    if row.value.get("mode") == EAGER:
        raise NotExpressed("called one by one: the time may be that of the host")
    device = devices(row.hw)
    try:
        found = express(row, device)
        for case in found:
            if isinstance(case, Case):
                _check_bound(case)
    except ArithmeticError:
        raise NotExpressed(BEYOND) from None
    return found


def _check_bound(case: Case) -> None:
    """Refuse times below the peaks of the device.

    A switch that adds up moves half of what a ring does, so that an all-reduce has its bound
    halved; what fits a cache may be read faster than memory gives it. Bytes of an exchange are
    expected ones, which bound nothing.
    """
    if case.form == "exchange":
        return
    device = peaks_of(case.device, case.computes_in, needs_bandwidth=case.form == "pass")
    form = FORMS[case.form]
    for point, seconds in zip(case.points, case.seconds, strict=True):
        sure = dict(point)
        if sure.get("moved", 0) < LARGEST_CACHE and ("flops" in sure or case.form == "pass"):
            sure["moved"] = 0
        bound = form.bound(sure, device)
        if "all_reduce" in case.entry[-1]:
            bound /= 2
        if seconds < TOLERANCE * bound:
            raise Unusable(
                f"{seconds * 1e6:.4g} us is below the bound of {bound * 1e6:.4g} us "
                f"by the peaks of {case.device.name}"
            )
