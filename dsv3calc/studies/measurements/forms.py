"""The forms that measurements are fitted to: formulas, with what of them is fitted and how far."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.formulas.kernel_times import kernel_time, pass_time, prefill_attention_time
from dsv3calc.formulas.link_times import collective_time, exchange_time
from dsv3calc.formulas.roofline import compute_time, memory_time
from dsv3calc.numbers.ops import maximum
from dsv3calc.schema.achieved import Collective, Exchange, Kernel, Pass, Prefill
from dsv3calc.studies.measurements.cases import NotExpressed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dsv3calc.schema.hardware import Hardware


class Parameter(msgspec.Struct, frozen=True):
    """A number that is fitted: where the search starts, its limits, whether it may be absent.

    One that measurements do not depend on is left at ``absent``: null, or 0 for a time and 1 for
    the share of something that costs nothing. An ``optional`` one is left there also where it
    brings nothing.
    """

    start: float
    least: float
    most: float
    absent: float | None = None
    optional: bool = False


SHARE = Parameter(0.7, 0.02, 4.0)
EXPONENT = 2.0
"""How compute, memory and serial steps join in every kernel: it scored best on unseen halves."""


class Form(msgspec.Struct, frozen=True):
    """A form: its entry's struct, its parameters, its time and its bound.

    ``time`` takes the values of an entry, the inputs of a point and the peaks of a device: numbers,
    or arrays of them. ``fixed`` are values that are not fitted.
    """

    struct: type[Any]
    parameters: dict[str, Parameter]
    time: Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Any]
    bound: Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
    fixed: dict[str, float] = {}


def peaks_of(
    device: Hardware, computes_in: str, *, needs_bandwidth: bool = False
) -> dict[str, float]:
    """Return the peaks of a device that forms need: those it has.

    Raises
    ------
    NotExpressed
        If it has no peak for a data type, or no bandwidth.
    """
    found: dict[str, float] = {}
    if device.memory.bandwidth is not None:
        found["bandwidth"] = device.memory.bandwidth
    elif computes_in or needs_bandwidth:
        raise NotExpressed(f"{device.name} has no memory bandwidth")
    if computes_in:
        if computes_in not in device.peaks:
            raise NotExpressed(f"{device.name} has no peak for {computes_in}")
        found["peak"] = device.peaks[computes_in]
    if device.scale_up is not None:
        found["scale_up_bandwidth"] = device.scale_up.nominal
    if device.scale_out is not None:
        found["scale_out_bandwidth"] = device.scale_out.nominal
    return found


def _kernel(entry: Mapping[str, Any], point: Mapping[str, Any], device: Mapping[str, Any]) -> Any:
    time = kernel_time(
        flops=point["flops"], peak=device["peak"], compute_share=entry["compute_share"],
        moved=point["moved"], bandwidth=device["bandwidth"],
        bandwidth_share=entry["bandwidth_share"],
        serial_steps=point["serial_steps"], serial_latency=entry.get("serial_latency") or 0,
        exponent=entry.get("exponent") or EXPONENT, launch=entry["launch"],
    )  # fmt: skip
    share = entry.get("pass_share")
    if share is None:
        return time
    return time + pass_time(point["pass_bytes"], device["bandwidth"], share)


def _kernel_bound(point: Mapping[str, Any], device: Mapping[str, Any]) -> Any:
    return maximum(
        compute_time(point["flops"], device["peak"]),
        memory_time(point["moved"], device["bandwidth"]),
    )


def _pass(entry: Mapping[str, Any], point: Mapping[str, Any], device: Mapping[str, Any]) -> Any:
    share = entry["bandwidth_share"]
    return pass_time(point["moved"], device["bandwidth"], share) + entry["launch"]


def _pass_bound(point: Mapping[str, Any], device: Mapping[str, Any]) -> Any:
    return memory_time(point["moved"], device["bandwidth"])


def _prefill(entry: Mapping[str, Any], point: Mapping[str, Any], device: Mapping[str, Any]) -> Any:
    return prefill_attention_time(
        flops=point["flops"], peak=device["peak"], compute_share=entry["compute_share"],
        half_length=entry["half_length"], sequence=point["sequence"],
        moved=point["moved"], bandwidth=device["bandwidth"],
        bandwidth_share=entry["bandwidth_share"], launch=entry["launch"],
    )  # fmt: skip


def _collective(
    entry: Mapping[str, Any], point: Mapping[str, Any], device: Mapping[str, Any]
) -> Any:
    return collective_time(
        moved=point["moved"], link_bandwidth=device["scale_up_bandwidth"],
        link_share=entry["link_share"], ranks=point["ranks"], latency=entry["latency"],
        latency_growth=entry["latency_growth"], exponent=entry["exponent"],
    )  # fmt: skip


def _collective_bound(point: Mapping[str, Any], device: Mapping[str, Any]) -> Any:
    return point["moved"] / device["scale_up_bandwidth"]


def _exchange(entry: Mapping[str, Any], point: Mapping[str, Any], device: Mapping[str, Any]) -> Any:
    far = point["crosses"]
    return exchange_time(
        scale_up_bytes=point["scale_up_bytes"], scale_up_bandwidth=device["scale_up_bandwidth"],
        scale_up_share=entry["scale_up_share"] or 1,
        scale_out_bytes=point["scale_out_bytes"], scale_out_bandwidth=device["scale_out_bandwidth"],
        scale_out_share=entry["scale_out_share"] or 1,
        latency=(entry["latency"] or 0) * (1 - far) + (entry["remote_latency"] or 0) * far,
    )  # fmt: skip


def unmeasured(entry: Mapping[str, Any], point: Mapping[str, Any]) -> str:
    """Return the value of an entry that a point needs and no measurement told; empty for none."""
    needed = {
        "scale_up_share": point.get("scale_up_bytes"),
        "scale_out_share": point.get("scale_out_bytes"),
        "remote_latency": point.get("crosses"),
        "latency": "crosses" in point and not point["crosses"],
    }
    return next((n for n, used in needed.items() if used and n in entry and entry[n] is None), "")


def _exchange_bound(point: Mapping[str, Any], device: Mapping[str, Any]) -> Any:
    return maximum(
        point["scale_up_bytes"] / device["scale_up_bandwidth"],
        point["scale_out_bytes"] / device["scale_out_bandwidth"],
    )


LAUNCH = Parameter(8e-6, 1e-7, 2e-4)
FORMS = {
    "kernel": Form(
        Kernel,
        {
            "compute_share": SHARE,
            "bandwidth_share": Parameter(0.8, 0.02, 1.5),
            "serial_latency": Parameter(5e-10, 1e-12, 1e-8, absent=0, optional=True),
            "pass_share": Parameter(0.4, 0.02, 4.0, optional=True),
            "launch": LAUNCH,
        },
        _kernel, _kernel_bound, {"exponent": EXPONENT},
    ),
    "pass": Form(
        Pass,
        {"bandwidth_share": Parameter(0.8, 0.02, 4.0), "launch": LAUNCH},
        _pass, _pass_bound,
    ),
    "prefill": Form(
        Prefill,
        {
            "compute_share": SHARE,
            "half_length": Parameter(500, 1, 1e5),
            "bandwidth_share": Parameter(0.7, 0.02, 4.0, absent=1.0),
            "launch": Parameter(8e-6, 1e-7, 2e-4, absent=0.0),
        },
        _prefill, _kernel_bound,
    ),
    "collective": Form(
        Collective,
        {
            "link_share": Parameter(0.75, 0.02, 2.0),
            "latency": LAUNCH,
            "latency_growth": Parameter(0.12, 1e-3, 3.0, absent=0, optional=True),
            "exponent": Parameter(0.6, 0.3, 1.5),
        },
        _collective, _collective_bound,
    ),
    "exchange": Form(
        Exchange,
        {
            "scale_up_share": Parameter(0.5, 0.02, 2.0),
            "scale_out_share": Parameter(0.9, 0.02, 2.0),
            "latency": Parameter(14e-6, 1e-6, 2e-4),
            "remote_latency": Parameter(22e-6, 1e-6, 4e-4),
        },
        _exchange, _exchange_bound,
    ),
}  # fmt: skip
"""Form of a case -> how its time is predicted and what of it is fitted."""
