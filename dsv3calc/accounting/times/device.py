"""What a device computes each component in: peaks, formats of inputs, the memory bandwidth."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.device import memory_bandwidth
from dsv3calc.accounting.roofline import peak_of
from dsv3calc.accounting.weights import format_of
from dsv3calc.ledger.line import Line, field, given, total
from dsv3calc.ledger.tags import Tags, about
from dsv3calc.model.operator import CORE

if TYPE_CHECKING:
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.precision import Precision

MX_BLOCK = 32
"""Elements that share a scale in the formats of the OCP; NVFP4 has fewer."""

WHOLE_ROW = 2**20
"""Columns from which a scale is that of a whole row or matrix: none is as wide."""

WIDE = ("fp64", "fp32", "tf32", "bf16", "fp16")
"""Data types that products read as they are: nothing is cast."""


class Device:
    """A device under a precision: which data type each component runs in, against which peak."""

    def __init__(self, hardware: Hardware, precision: Precision) -> None:
        self.hardware = hardware
        self.precision = precision
        self.bandwidth = memory_bandwidth(hardware)
        self._peaks: dict[str, Line] = {}

    def peak_dtype(self, component: str) -> str:
        """Return the data type whose peak a component runs against."""
        return peak_of(self.precision, self.hardware, component)[0]

    def peak(self, component: str) -> Line:
        """Return the peak that a component runs against."""
        return self._peak(self.peak_dtype(component))

    def _peak(self, dtype: str) -> Line:
        if dtype not in self._peaks:
            peak = self.hardware.peaks[dtype]
            self._peaks[dtype] = given(f"hardware.peaks.{dtype}", peak, "FLOP/s", "dense peak")
        return self._peaks[dtype]

    @property
    def lines(self) -> list[Line]:
        """The peaks that were used, and the memory bandwidth."""
        return [
            total("time.bandwidth", (self.bandwidth,), tags=about("bandwidth")),
            *(
                total(f"time.peak.{dtype}", (peak,), tags=Tags(quantity="peak", dtype=dtype))
                for dtype, peak in self._peaks.items()
            ),
        ]

    def input_bits(self, component: str) -> Line | None:
        """Return the bits that a component's inputs are cast to, None where they stay as they are.

        A device without units for a narrow data type widens the weights instead.
        """
        if self.peak_dtype(component) in WIDE:
            return None
        name = self.precision.activations
        return field((f"precision.formats.{name}", self.precision.formats[name]), "bits", "bit")

    def peak_of_dtype(self, dtype: str, component: str) -> Line:
        """Return the peak of a data type; that of a component where the device has none."""
        return self._peak(dtype) if dtype in self.hardware.peaks else self.peak(component)

    def kernel_dtype(self, operator: Operator) -> str:
        """Return the data type of an operator's kernel, as measurements tell them apart.

        FP8 is by block where activations have scales for parts of a row, FP4 by its block's size.
        """
        dtype = self.peak_dtype(operator.component)
        if dtype == "fp8" and operator.kind != CORE:
            scale = self.precision.formats[self.precision.activations].scale
            return "fp8" if scale is None or scale.columns >= WHOLE_ROW else "fp8_block"
        if dtype == "fp4" and operator.weights:
            scale = format_of(self.precision, operator.weights[0])[1].scale
            small = scale is not None and scale.columns < MX_BLOCK
            return "fp4" if small else "mxfp4"
        return dtype
