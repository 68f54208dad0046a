"""What a column of ``compare`` is counted with: workloads, conventions, formats, the device."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.kv_cache import kv_lines
from dsv3calc.accounting.roofline import peak_of, roofline_lines
from dsv3calc.errors import UsageError
from dsv3calc.reading.diagnostics import did_you_mean, quote
from dsv3calc.schema.workload import Workload
from dsv3calc.studies.checked import positive
from dsv3calc.studies.compare.instance import QUERIES
from dsv3calc.studies.compare.rows import flops_rows, parameter_rows, weight_rows
from dsv3calc.studies.preset_loader import DEFAULT_KV_FORMAT, check_kv_format

if TYPE_CHECKING:
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.base import CompareQuery
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.studies.answer import Answer
    from dsv3calc.studies.preset_loader import PresetLoader

DEFAULT_SEQUENCE = 4096
DEFAULT_CONTEXT = 4096

OF_A_DESIGN = ("parameters", "weights", "flops", "kv_cache", "roofline")
SECTIONS = (*OF_A_DESIGN, *QUERIES)


class Setting:
    """Workloads, conventions, formats, device and sections of one column."""

    __slots__ = (
        "batch",
        "context",
        "conventions",
        "hardware",
        "kv_format",
        "rows",
        "variant",
        "workloads",
    )

    def __init__(self, loader: PresetLoader, query: CompareQuery, model: Model) -> None:
        self.rows = sections(query.rows) or OF_A_DESIGN
        self.batch = positive("--batch", query.batch, 1)
        self.context = positive("--context", query.context, DEFAULT_CONTEXT)
        sequence = positive("--seq", query.sequence, DEFAULT_SEQUENCE)
        self.conventions = choose_conventions(
            {"mla": query.mla, "mtp": "in" if query.with_mtp else None},
            convention=query.convention,
            library=query.library,
            command="compare",
        )
        self.variant = "with-mtp" if query.with_mtp else self.conventions.parameters
        self.hardware = loader.hardware(query.hardware) if query.hardware else None
        self.kv_format = loader.kv_format(query.kv_dtype, model)
        if "roofline" in query.rows and self.hardware is None:
            raise UsageError("--rows roofline needs --hardware", "for example --hardware h800")
        self.workloads = {
            "train": Workload(phase="train", batch=self.batch, sequence=sequence, past=0),
            "prefill": Workload(phase="prefill", batch=self.batch, sequence=sequence, past=0),
            "decode": Workload(phase="decode", batch=self.batch, sequence=1, past=self.context),
        }

    @property
    def sequence(self) -> int:
        """New tokens of a sequence in training and prefill."""
        found: int = self.workloads["prefill"].sequence
        return found

    @property
    def longest(self) -> int:
        """Tokens of the longest context among the workloads."""
        return max(self.context + 1, self.sequence)

    def use_format_for(
        self, loader: PresetLoader, answer: Answer, title: str, model: Model
    ) -> Preset[KVFormat]:
        """Return the cache format of a column: BF16 where the one asked for does not apply."""
        try:
            check_kv_format(title, model, self.kv_format, self.conventions)
        except UsageError as error:
            if self.conventions.mla == "naive":
                raise
            answer.warn(f"{error.message}: its column is in {DEFAULT_KV_FORMAT}")
            return loader.kv_format(None)
        return self.kv_format

    def lines(
        self,
        loader: PresetLoader,
        design: Preset[Model],
        precision: Preset[Precision],
        kv_format: Preset[KVFormat],
    ) -> list[Line]:
        """Count one column, but for memory and traffic."""
        lines: list[Line] = []
        model = design.value
        if "parameters" in self.rows:
            lines += parameter_rows(model, self.variant)
        if "weights" in self.rows:
            lines += weight_rows(loader, design, precision, self.variant)
        if "flops" in self.rows:
            lines += flops_rows(model, self.workloads, self.conventions)
        if "kv_cache" in self.rows:
            lines += kv_lines(
                model,
                kv_format.value,
                self.conventions,
                batch=self.batch,
                tokens=self.context,
            )
        if "roofline" in self.rows and self.hardware is not None:
            for phase in ("prefill", "decode"):
                lines += roofline_lines(
                    f"roofline.{phase}",
                    model,
                    self.workloads[phase],
                    self.conventions,
                    precision=precision.value,
                    kv_format=kv_format.value,
                    hardware=self.hardware.value,
                )
        return lines

    def warn_fallback(self, answer: Answer, precision: Preset[Precision]) -> None:
        """Warn of products that a device computes in another data type than the precision's."""
        if self.hardware is None or "roofline" not in self.rows:
            return
        for component in precision.value.compute:
            used, first = peak_of(precision.value, self.hardware.value, component)
            if not first:
                wish = precision.value.compute[component][0]
                answer.warn(
                    f"{self.hardware.name} has no {wish} peak: {precision.name} is computed in "
                    f"{used} there"
                )


def sections(rows: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sections that are asked for.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    for row in rows:
        if row not in SECTIONS:
            raise UsageError(
                f"--rows {quote(row)}: choose among {', '.join(SECTIONS)}",
                did_you_mean(row, SECTIONS),
            )
    return rows
