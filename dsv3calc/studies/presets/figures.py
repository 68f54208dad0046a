"""The figures that people choose a model or a device by, for ``presets list``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.catalogue import presets
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.queries.base import KVQuery, ParamsQuery
from dsv3calc.studies.kv import answer_kv
from dsv3calc.studies.params import answer_params

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware

UNITS = {
    "model": {
        "parameters": "elements",
        "active_parameters": "elements",
        "kv_bytes_per_token": "B/token",
        "kv_growing_bytes_per_token": "B/token",
        "constant_bytes_per_sequence": "B",
    },
    "hardware": {
        "memory": "B",
        "bandwidth": "B/s",
        "bf16": "FLOP/s",
        "fp8": "FLOP/s",
        "fp4": "FLOP/s",
        "scale_up": "B/s",
        "domain_size": "1",
        "scale_out": "B/s",
        "dollars_per_hour": "USD/h",
    },
}
"""Kind of preset -> its figures, and their units in the ledger's words."""


def figures_of(kind: str, name: str, preset_path: str | None) -> dict[str, Any]:
    """Return the figures of a preset by name; those that it lacks, or that fail, are None."""
    empty: dict[str, Any] = dict.fromkeys(UNITS[kind])
    try:
        if kind == "model":
            return empty | _of_model(name, preset_path)
        return empty | _of_device(presets.load(kind, name, preset_path=preset_path).value)
    except (InvalidInput, UsageError):
        return empty  # the list still names a file that is broken; validate says why


def _of_model(name: str, preset_path: str | None) -> dict[str, Any]:
    counted = answer_params(ParamsQuery(model=name, preset_path=preset_path))
    cached = answer_kv(KVQuery(model=name, preset_path=preset_path))
    parameters = counted.columns[0].ledger.named()
    cache = cached.columns[0].ledger.named()
    return {
        "parameters": parameters["parameters.total"].value,
        "active_parameters": parameters["parameters.active"].value,
        "kv_bytes_per_token": cache["kv_cache.bytes_per_token"].value,
        "kv_growing_bytes_per_token": cache["kv_cache.growing_bytes_per_token"].value,
        "constant_bytes_per_sequence": cache["kv_cache.window_bytes_per_sequence"].value
        + cache["state.bytes_per_sequence"].value,
    }


def _of_device(device: Hardware) -> dict[str, Any]:
    peaks, up, out = device.peaks, device.scale_up, device.scale_out
    return {
        "memory": device.memory.usable or device.memory.marketed,
        "bandwidth": device.memory.bandwidth,
        "bf16": peaks.get("bf16"),
        "fp8": peaks.get("fp8", peaks.get("mxfp8")),
        "fp4": peaks.get("fp4", peaks.get("mxfp4")),
        "scale_up": up and up.nominal,
        "domain_size": up and up.domain_size,
        "scale_out": out and out.nominal,
        "dollars_per_hour": device.dollars_per_hour,
    }
