"""Answer ``compare``: designs side by side, each number with its ratio to the baseline."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger, combined, given
from dsv3calc.ledger.tags import RATIO, about
from dsv3calc.model.architecture import architecture_of
from dsv3calc.queries.base import CompareQuery, as_dict
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.checked import one_of
from dsv3calc.studies.compare.entries import entries_of
from dsv3calc.studies.compare.instance import QUERIES, WHERE_PLACED, WITHOUT_RATIO, instance_lines
from dsv3calc.studies.compare.setting import Setting, sections
from dsv3calc.studies.kv_formats import cite_kv_format
from dsv3calc.studies.preset_loader import PresetLoader, warn_context, warn_inapplicable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.ledger.line import Line
    from dsv3calc.schema.precision import Precision
    from dsv3calc.studies.compare.entries import Entry

MOST_COLUMNS = 100


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
    query, entries = entries_of(loader, query)
    if not entries:
        raise UsageError(
            "compare needs a model",
            "dsv3calc compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800",
        )
    answer = Answer("compare", as_dict(query))
    answer.notes += query.notes
    asked = _instance_sections(query, entries)
    for option, value in (("--serve", query.serve), ("--setup", query.setup)):
        if value and not asked:
            answer.warn(f"{option} has no effect: no column has a layout")
    precisions = [_add_column(answer, entry, asked) for entry in entries]
    _cite_precisions(answer, precisions)
    for each in (loader, *(entry.loader for entry in entries)):
        each.check_overrides()
    for error in loader.skipped:
        answer.warn(f"{error.message}: the other models have it")
    _add_settings(answer)
    _add_ratios(answer, query.baseline)
    return answer


def _instance_sections(query: CompareQuery, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the sections about a layout that are shown: those asked for, or those there may be.

    Raises
    ------
    UsageError
        If a column gives an option that no section shown depends on.
    """
    rows = sections(query.rows)
    if rows:
        shown = tuple(name for name in QUERIES if name in rows)
    else:
        shown = WHERE_PLACED if any(entry.placed for entry in entries) else ()
    for entry in entries:
        wanted = {name: list(_with_option(name)) for name in entry.own}
        wanted |= {section: [section] for section in entry.of_section}
        for name, having in wanted.items():
            if not set(having) & set(shown):
                raise UsageError(
                    f"{entry.title}: nothing that is shown depends on {name}",
                    f"add {' or '.join(having)} to --rows",
                )
    return shown


def _with_option(name: str) -> Iterator[str]:
    """Yield the sections about a layout that have an option."""
    return (section for section, query in QUERIES.items() if name in query.__struct_fields__)


def _add_column(answer: Answer, entry: Entry, asked: Sequence[str]) -> Preset[Precision]:
    """Count a column, cite what it stands on, and return its precision."""
    query, loader = entry.query, entry.loader
    setting = Setting(loader, query, entry.model)
    kv_format = setting.use_format_for(loader, answer, entry.title, entry.model)
    precision = loader.precision(query.precision, entry.preset)
    lines = setting.lines(loader, entry.design, precision, kv_format)
    decoding = setting.longest == setting.context + 1
    cached = setting.context if decoding else 0
    warn_context(answer, entry.title, entry.model, setting.longest, cached=cached)
    _warn_dropped(answer, entry)
    answer.cite(entry.preset)
    warn_inapplicable(
        answer, entry.title, entry.model, mla=query.mla, with_mtp=query.with_mtp or None
    )
    setting.warn_fallback(answer, precision)
    id_ = _unique(entry.title, answer.columns)
    for section in asked:
        found, other = _instance(section, entry, id_)
        lines += found
        _take_told(answer, other)
    column = Column(id_, entry.title, Ledger(entry.title, lines))
    column.settings = {
        "hardware": query.hardware or "",
        "layout": entry.layouts,
        "setup": query.setup or "",
        "precision": precision.name,
        "kv_dtype": kv_format.name,
        "batch": setting.batch,
        "context": setting.context,
        "sequence": setting.sequence,
    }
    answer.columns.append(column)
    answer.cite(setting.hardware, used=("peaks", "memory.bandwidth"))
    cite_kv_format(answer, setting.kv_format, [entry.model], setting.conventions)
    return precision


def _instance(section: str, entry: Entry, id_: str) -> tuple[list[Line], Answer]:
    """Return the lines of a section about a layout; a failure names the column."""
    try:
        return instance_lines(
            section, entry.query, entry.loader, entry.design, entry.options(section)
        )
    except UsageError as error:
        raise UsageError(f"{id_}: {error.message}", error.hint) from None


def _take_told(answer: Answer, other: Answer) -> None:
    """Take over what the answer about the layout of a column says, each text once."""
    add_new(answer.warnings, other.warnings)
    add_new(answer.notes, other.notes)
    add_new(answer.assumptions, other.assumptions)
    answer.brief |= other.brief
    answer.presets += other.presets
    answer.sources += [source for source in other.sources if source not in answer.sources]


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


def _unique(id_: str, columns: Sequence[Column]) -> str:
    taken = [column.id for column in columns]
    if id_ not in taken:
        return id_
    return next(f"{id_}#{n}" for n in range(2, len(taken) + 3) if f"{id_}#{n}" not in taken)


def _add_settings(answer: Answer) -> None:
    """Put what all columns have in common into the query of the answer."""
    for name in answer.columns[0].settings:
        values: list[Any] = [column.settings[name] for column in answer.columns]
        if len(set(values)) > 1 or name == "precision":
            continue
        if values[0] != "":
            answer.query[name] = values[0]


def _add_ratios(answer: Answer, baseline: str | None) -> None:
    """Add each column's ratios to the baseline's numbers, as lines of its ledger."""
    ids = [column.id for column in answer.columns]
    one_of("--baseline", baseline, ids, "")
    base = answer.columns[ids.index(baseline) if baseline else 0]
    answer.query["baseline"] = base.id
    reference = {line.name: line for line in base.ledger.lines}
    for column in answer.columns:
        ratios = []
        for line in column.ledger.lines:
            other = reference.get(line.name)
            if other is not None and other.value and line.name not in WITHOUT_RATIO:
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
