"""Answer ``compare``: designs side by side, each number with its ratio to the baseline."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.conventions import choose_conventions
from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.kv_cache import kv_lines
from dsv3calc.accounting.parameters import PARAMETER_VARIANTS, parameter_lines
from dsv3calc.accounting.roofline import peak_of, roofline_lines
from dsv3calc.accounting.weights import weight_lines
from dsv3calc.catalogue.overrides import Override
from dsv3calc.errors import InvalidInput, InvalidOverride, UsageError
from dsv3calc.ledger.line import Ledger, Line, combined, given, total
from dsv3calc.ledger.tags import RATIO, about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.queries.base import CompareQuery, as_dict
from dsv3calc.reading.diagnostics import Problem, quote, suggest
from dsv3calc.schema.workload import Workload
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.compare.vary import read_changes, split_variation, vary
from dsv3calc.studies.kv_formats import cite_kv_format
from dsv3calc.studies.preset_loader import (
    DEFAULT_KV_FORMAT,
    PresetLoader,
    check_kv_format,
    positive,
    warn_context,
    warn_inapplicable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.schema.comparison import Comparison, Design
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import KVFormat, Precision
    from dsv3calc.schema.workload import Conventions

WEIGHT_PRECISIONS = ("bf16", "fp8-deepseek-v3", "int4")
"""Precisions under which every design's weights are shown beside its own."""

DEFAULT_SEQUENCE = 4096
DEFAULT_CONTEXT = 4096

MOST_COLUMNS = 100

SECTIONS = ("parameters", "weights", "flops", "kv_cache", "roofline")


class Entry:
    """One column to be: a loaded model, its title, its precision."""

    __slots__ = ("model", "precision", "preset", "title")

    def __init__(
        self,
        preset: Preset[Model],
        title: str,
        precision: str | None,
        changes: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.preset = preset
        self.title = title
        self.model = vary(preset.value, changes) if changes else preset.value
        self.precision = dict(changes).get("precision", precision)


class Setting:
    """What all columns share: workloads, conventions, formats, the device, the sections shown."""

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

    def __init__(self, loader: PresetLoader, query: CompareQuery) -> None:
        self.rows = _sections(query.rows)
        self.variant = "with-mtp" if query.with_mtp else "default"
        self.batch = positive("--batch", query.batch, 1)
        self.context = positive("--context", query.context, DEFAULT_CONTEXT)
        sequence = positive("--seq", query.sequence, DEFAULT_SEQUENCE)
        self.conventions = choose_conventions(
            {"mla": query.mla, "mtp": "in" if query.with_mtp else None}
        )
        self.hardware = loader.hardware(query.hardware) if query.hardware else None
        self.kv_format = loader.kv_format(query.kv_dtype)
        if "roofline" in query.rows and self.hardware is None:
            raise UsageError("--rows roofline needs --hardware", "for example --hardware h800")
        self.workloads = {
            "train": Workload(phase="train", batch=self.batch, sequence=sequence, past=0),
            "prefill": Workload(phase="prefill", batch=self.batch, sequence=sequence, past=0),
            "decode": Workload(phase="decode", batch=self.batch, sequence=1, past=self.context),
        }

    @property
    def longest(self) -> int:
        """Tokens of the longest context among the workloads."""
        sequence: int = self.workloads["prefill"].sequence
        return max(self.context + 1, sequence)

    def format_for(self, loader: PresetLoader, answer: Answer, entry: Entry) -> Preset[KVFormat]:
        """Return the cache format of a column: BF16 where the one asked for does not apply."""
        try:
            check_kv_format(entry.title, entry.model, self.kv_format, self.conventions)
        except UsageError as error:
            if self.conventions.mla == "naive":
                raise
            answer.warn(f"{error.message}: its column is in {DEFAULT_KV_FORMAT}")
            return loader.kv_format(None)
        return self.kv_format

    def lines(
        self,
        loader: PresetLoader,
        model: Model,
        precision: Preset[Precision],
        kv_format: Preset[KVFormat],
    ) -> list[Line]:
        """Count one column."""
        lines: list[Line] = []
        if "parameters" in self.rows:
            lines += _parameter_rows(model, self.variant)
        if "weights" in self.rows:
            lines += _weight_rows(loader, model, precision, self.variant)
        if "flops" in self.rows:
            lines += _flops_rows(model, self.workloads, self.conventions)
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


def answer_compare(query: CompareQuery) -> Answer:
    """Put designs side by side.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    if len(query.models) + len(query.vary) > MOST_COLUMNS:
        raise UsageError(f"compare takes at most {MOST_COLUMNS} columns")
    loader = PresetLoader(query)
    query, entries = _entries(loader, query)
    if not entries:
        raise UsageError(
            "compare needs a model",
            "dsv3calc compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800",
        )
    setting = Setting(loader, query)
    answer = Answer("compare", as_dict(query))
    answer.query |= {"batch": setting.batch, "context": setting.context}
    answer.query |= {"sequence": setting.workloads["train"].sequence}
    answer.query |= {"kv_dtype": setting.kv_format.name}
    if setting.hardware is not None:
        answer.query["hardware"] = setting.hardware.name
    answer.notes += query.notes
    precisions: list[Preset[Precision]] = []
    for entry in entries:
        kv_format = setting.format_for(loader, answer, entry)
        precision = loader.precision(entry.precision, entry.preset)
        lines = setting.lines(loader, entry.model, precision, kv_format)
        decoding = setting.longest == setting.context + 1
        cached = setting.context if decoding else 0
        warn_context(answer, entry.title, entry.model, setting.longest, cached=cached)
        _warn_dropped(answer, entry)
        answer.cite(entry.preset)
        precisions.append(precision)
        warn_inapplicable(
            answer, entry.title, entry.model, mla=query.mla, with_mtp=query.with_mtp or None
        )
        if setting.hardware is not None and "roofline" in setting.rows:
            _warn_fallback(answer, precision, setting.hardware)
        answer.columns.append(
            Column(_unique(entry.title, answer.columns), entry.title, Ledger(entry.title, lines))
        )
    _cite_precisions(answer, precisions)
    answer.cite(setting.hardware, used=("peaks", "memory.bandwidth"))
    models = [entry.model for entry in entries]
    cite_kv_format(answer, setting.kv_format, models, setting.conventions)
    loader.check_overrides()
    for error in loader.skipped:
        answer.warn(f"{error.message}: the other models have it")
    _add_ratios(answer, query.baseline)
    return answer


def _cite_precisions(answer: Answer, precisions: Sequence[Preset[Precision]]) -> None:
    """Cite the precision of each column, and name the columns where it is not that of all."""
    columns: dict[str, list[str]] = {}
    for column, precision in zip(answer.columns, precisions, strict=True):
        for each in precision.assumptions:
            columns.setdefault(each.text, []).append(column.id)
    count = len(answer.assumptions)
    answer.cite(*precisions)
    for number, text in enumerate(answer.assumptions[count:], count):
        if len(columns[text]) < len(precisions):
            where = f" (only in {', '.join(columns[text])}): "
            answer.assumptions[number] = told = text.replace(": ", where, 1)
            answer.brief[told] = answer.brief.pop(text).replace(": ", where, 1)


def _warn_dropped(answer: Answer, entry: Entry) -> None:
    """Warn of what a what-if change leaves behind without being asked to."""
    before, now = (architecture_of(model).groups for model in (entry.preset.value, entry.model))
    for old, new in zip(before, now, strict=True):
        if old.attention.indexer is not None and not new.attention.forms:
            answer.warn(f"{entry.title}: the DSA indexer goes with MLA: this column has none")
            return


def _entries(loader: PresetLoader, query: CompareQuery) -> tuple[CompareQuery, list[Entry]]:
    """Load the designs; a single reference may be a comparison file instead of a model."""
    models = query.models
    if len(models) == 1 and _is_comparison(models[0], query.preset_path):
        try:
            return _from_file(loader, query, models[0])
        except UsageError as error:  # what the file says is wrong, not the command line
            raise InvalidInput(
                [Problem(models[0], None, None, error.message, next=error.hint)]
            ) from None
    entries = [_entry(loader.one_of_several(name), query.precision) for name in models]
    entries += [_varied(loader, text, query.precision) for text in query.vary]
    return query, entries


def _entry(preset: Preset[Model], precision: str | None) -> Entry:
    return Entry(preset, preset.name, precision)


def _varied(loader: PresetLoader, text: str, precision: str | None) -> Entry:
    reference, changes = split_variation(text)
    preset = loader.one_of_several(reference)
    words = ",".join(f"{name}={value}" for name, value in changes)
    return Entry(preset, f"{preset.name}:{words}", precision, changes)


def _is_comparison(reference: str, preset_path: str | None) -> bool:
    """Tell whether a reference is a comparison: a file that lists designs, or a preset of one."""
    from dsv3calc.catalogue import presets, search_path
    from dsv3calc.reading.source import read_source

    if reference == "-":
        data = read_source("-").data
        return isinstance(data, dict) and "designs" in data
    if presets.is_path(reference):
        if not reference.endswith((".yaml", ".yml")):
            return False
        data = read_source(presets.resolve("comparison", reference, preset_path)[1]).data
        return isinstance(data, dict) and "designs" in data
    if next(search_path.candidates("model", reference, preset_path), None) is not None:
        return False
    return next(search_path.candidates("comparison", reference, preset_path), None) is not None


def _from_file(
    loader: PresetLoader, query: CompareQuery, reference: str
) -> tuple[CompareQuery, list[Entry]]:
    """Take designs and workload from a file; an option on the command line goes before it."""
    from dsv3calc.catalogue import presets

    preset = presets.load("comparison", reference, preset_path=query.preset_path)
    comparison: Comparison = preset.value
    from_file = {
        name: getattr(comparison, name)
        for name in (
            "hardware",
            "precision",
            "kv_dtype",
            "batch",
            "context",
            "sequence",
            "baseline",
        )
        if getattr(query, name) is None
    }
    if not query.rows:
        from_file["rows"] = tuple(comparison.rows)
    merged = msgspec.structs.replace(query, **from_file)
    entries = [_designed(loader, design, merged.precision) for design in comparison.designs]
    entries += [_varied(loader, text, merged.precision) for text in query.vary]
    return merged, entries


def _designed(loader: PresetLoader, design: str | Design, precision: str | None) -> Entry:
    if isinstance(design, str):
        return _entry(loader.one_of_several(design), precision)
    overrides = tuple(
        Override("model", name, _yaml(value), f"{name}={_yaml(value)}")
        for name, value in design.set.items()
    )
    try:
        preset = loader.one_of_several(design.model, overrides)
    except InvalidOverride as error:
        raise InvalidInput(error.problems) from None  # the comparison's file gives them
    changes = read_changes(design.vary)
    title = design.title or ":".join(
        [preset.name, *(f"{name}={value}" for name, value in changes), *design.set]
    )
    return Entry(preset, title, design.precision or precision, changes)


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sections(rows: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sections that are asked for, all of them by default."""
    for row in rows:
        if row not in SECTIONS:
            close = suggest(row, SECTIONS)
            raise UsageError(
                f"--rows {quote(row)}: choose among {', '.join(SECTIONS)}",
                f"did you mean '{close}'?" if close else "",
            )
    return rows or SECTIONS


def _parameter_rows(model: Model, variant: str) -> list[Line]:
    counted = parameter_lines(model, PARAMETER_VARIANTS[variant][0], variant)
    share = combined(
        "parameters.active_share",
        "ratio",
        (counted.active, counted.total),
        unit="ratio",
        convention="active over total: 1 is dense",
    )
    return [*counted, share]


def _weight_rows(
    loader: PresetLoader, model: Model, precision: Preset[Any], variant: str
) -> list[Line]:
    inclusions = PARAMETER_VARIANTS[variant][0]
    lines = [*weight_lines(model, precision.value, inclusions, precision.name)]
    for name in WEIGHT_PRECISIONS:
        other = loader.precision(name, precision)
        stored = weight_lines(model, other.value, inclusions, name).bytes
        lines.append(_under(stored, f"weights.in.{name}"))
    return lines


def _under(line: Line, prefix: str) -> Line:
    """Return a weights line and its parts under another prefix: names in a ledger are unique."""
    parts = [part.renamed(f"{prefix}.bytes_by_dtype.{part.tags.dtype}") for part in line.parts]
    return total(f"{prefix}.bytes", parts, unit="B", convention=line.convention)


def _flops_rows(
    model: Model, workloads: dict[str, Workload], conventions: Conventions
) -> list[Line]:
    train, decode = (
        flops_lines(model, workloads[phase], conventions, f"flops.{phase}")
        for phase in ("train", "decode")
    )
    each = [
        combined(
            f"flops.train.per_token_by_attention.{count}",
            "ratio",
            (whole, train.tokens),
            unit="FLOP/token",
            convention=whole.convention,
        )
        for count, whole in train.by_attention.items()
    ]
    return [*train, *each, *decode]


def _warn_fallback(answer: Answer, precision: Preset[Any], hardware: Preset[Hardware]) -> None:
    for component in precision.value.compute:
        used, first = peak_of(precision.value, hardware.value, component)
        if not first:
            wish = precision.value.compute[component][0]
            answer.warn(
                f"{hardware.name} has no {wish} peak: {precision.name} is computed in {used} there"
            )


def _unique(id_: str, columns: Sequence[Column]) -> str:
    taken = [column.id for column in columns]
    if id_ not in taken:
        return id_
    return next(f"{id_}#{n}" for n in range(2, len(taken) + 3) if f"{id_}#{n}" not in taken)


def _add_ratios(answer: Answer, baseline: str | None) -> None:
    """Add each column's ratios to the baseline's numbers, as lines of its ledger."""
    ids = [column.id for column in answer.columns]
    if baseline is not None and baseline not in ids:
        close = suggest(baseline, ids)
        raise UsageError(
            f"--baseline {quote(baseline)}: choose one of {', '.join(ids)}",
            f"did you mean '{close}'?" if close else "",
        )
    base = answer.columns[ids.index(baseline) if baseline else 0]
    answer.query["baseline"] = base.id
    reference = {line.name: line for line in base.ledger.lines}
    for column in answer.columns:
        ratios = []
        for line in column.ledger.lines:
            other = reference.get(line.name)
            if other is not None and other.value:
                against = given(f"{base.id}:{line.name}", other.value, other.unit)
                ratios.append(
                    combined(
                        f"{RATIO}.{line.name}",
                        "ratio",
                        (line, against),
                        unit="ratio",
                        convention=f"to {base.id}",
                        tags=about(RATIO),
                    )
                )
        if column is not base:
            column.ledger = Ledger(column.ledger.title, [*column.ledger.lines, *ratios])
