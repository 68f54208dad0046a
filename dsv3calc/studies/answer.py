"""The answer to a query: columns of ledgers, rows where a command lists things, what to know."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dsv3calc.exit_status import ExitStatus
from dsv3calc.model.architecture import architecture_of
from dsv3calc.reading.files import shown_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.accounting.placement.walk import Walk
    from dsv3calc.catalogue.presets import Preset
    from dsv3calc.ledger.line import Ledger, Line
    from dsv3calc.reading.text import PathInData
    from dsv3calc.studies.explain.explanation import Explanation
    from dsv3calc.studies.layout.expert_degrees import Rule
    from dsv3calc.studies.layout.placed import Placed

SCHEMA_VERSION = 2
_Item = TypeVar("_Item")


class Column:
    """One design's ledger with a short id and a title.

    ``settings`` are what it is counted with, by name, where columns may differ in it.
    """

    __slots__ = ("id", "ledger", "settings", "title")

    def __init__(self, id_: str, title: str, ledger: Ledger) -> None:
        self.id = id_
        self.title = title
        self.ledger = ledger
        self.settings: dict[str, Any] = {}


class Answer:
    """What a query found; every output format is a view of it.

    ``absent`` has by name the lines that it lacks and what would give them. ``asked`` is the query
    as it was written, where one of many was. ``headings`` names the fields
    of ``rows`` where there may be none of them. ``text`` is what a person gets to read instead of
    tables where the answer is a file, ``beside`` the text of further files, by path, that are
    written with it; ``status`` is the exit status that it means. ``explanations`` are what
    ``--explain`` asks for instead of tables. ``causes`` are the warnings and notes that say why a
    status is not 0 and what to do, which are told in any case then. ``walk`` is a training step by
    the clock, which pictures and traces show. ``layout`` names the layout that is counted,
    ``etp_rule`` what its etp follows from, ``placed`` is that layout with the model. ``brief`` has
    the short form of notes and assumptions that have one, empty where they change no number.
    ``remarks`` add warnings that are worth a count of their own: they are called where somebody
    reads them.
    """

    __slots__ = (
        "absent",
        "asked",
        "assumptions",
        "beside",
        "brief",
        "causes",
        "columns",
        "command",
        "etp_rule",
        "explanations",
        "headings",
        "layout",
        "notes",
        "placed",
        "presets",
        "query",
        "remarks",
        "rows",
        "sources",
        "status",
        "text",
        "view",
        "walk",
        "warnings",
    )

    def __init__(self, command: str, query: dict[str, Any], view: str = "") -> None:
        self.command = command
        self.query = query
        self.view = view or command
        self.presets: list[Preset[Any]] = []
        self.text = ""
        self.absent: dict[str, str] = {}
        self.asked = ""
        self.layout = ""
        self.etp_rule: Rule | None = None
        self.placed: Placed | None = None
        self.remarks: list[Callable[[], None]] = []
        self.explanations: list[Explanation] = []
        self.walk: Walk | None = None
        self.headings: list[str] = []
        self.status = ExitStatus.OK
        self.columns: list[Column] = []
        self.rows: list[dict[str, Any]] = []
        self.assumptions: list[str] = []
        self.beside: dict[str, str] = {}
        self.brief: dict[str, str] = {}
        self.causes: list[str] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.sources: list[dict[str, str]] = []

    def __repr__(self) -> str:
        """Show what was answered, column by column, and how much is to be known with it."""
        told = f"{len(self.assumptions)} assumptions, {len(self.warnings)} warnings"
        shown = [repr(column.ledger) for column in self.columns]
        shown += [f"{len(self.rows):,} rows"] if self.rows else []
        return "\n".join([f"Answer of {self.command} ({told})", *shown])

    def _repr_html_(self) -> str:
        """Show each column as a table in a notebook."""
        return "".join(column.ledger._repr_html_() for column in self.columns)

    def to_pandas(self) -> Any:
        """Return a DataFrame: values by name with a column for each design, or the listed rows.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        from dsv3calc.ledger.display import frame

        if not self.columns:
            return frame(self.rows, next(iter(self.rows[0]), "name") if self.rows else "name")
        named = [(column.id, column.ledger.named()) for column in self.columns]
        names = dict.fromkeys(name for _, lines in named for name in lines)
        return frame(
            (
                {
                    "name": name,
                    "unit": next(lines[name].unit for _, lines in named if name in lines),
                }
                | {id_: lines[name].value if name in lines else None for id_, lines in named}
                for name in names
            ),
            "name",
        )

    def cite(
        self,
        *presets: Preset[Any] | None,
        used: tuple[str, ...] = (),
        unused: tuple[str, ...] = (),
    ) -> None:
        """Take over the sources and assumptions of presets that the answer stands on.

        ``used`` limits the assumptions to fields with these prefixes, and a precision's to what the
        models cited before it have. Assumptions of fields with one of the prefixes ``unused``, and
        sources that they have alone, are left out.
        """
        for preset in presets:
            if preset is None:
                continue
            self.presets.append(preset)
            idle = _sources_of_alone(preset.value, unused)
            for name, source in getattr(preset.value, "sources", {}).items():
                if name in idle:
                    continue
                entry = {
                    "id": f"{preset.name}:{name}",
                    "kind": source.kind,
                    "citation": source.citation,
                    "url": source.url,
                    "read": source.read,
                }
                if entry not in self.sources:
                    self.sources.append(entry)
            add_new(self.warnings, preset.warnings)
            add_new(self.notes, [f"{preset.name}: {note}" for note in preset.notes])
            absent = self._absent_classes() if preset.kind == "precision" else ()
            bearing = [
                each
                for each in preset.assumptions
                if not used or not each.field or each.field.startswith(used)
                if not (each.field and unused and each.field.startswith(unused))
                if each.field.partition(".")[2] not in absent
            ]
            add_new(self.assumptions, [each.text for each in bearing])
            self.brief |= {each.text: each.brief for each in bearing}
            if preset.ignored:
                listed = f"{preset.name}: ignored keys: {', '.join(preset.ignored)}"
                add_new(self.notes, [listed])
                count = len(preset.ignored)
                keys = f"{count} keys are" if count > 1 else "1 key is"
                self.brief[listed] = f"{preset.name}: {keys} ignored, which change no count"

    def _absent_classes(self) -> set[str]:
        """Return the classes of weights that none of the models has."""
        from dsv3calc.accounting.parameters import model_tensors, mtp_tensors
        from dsv3calc.schema.precision import WEIGHT_CLASSES

        held = set()
        models = [preset.value for preset in self.presets if preset.kind == "model"]
        for arch in map(architecture_of, models):
            tensors = [*model_tensors(arch), *(mtp_tensors(arch) if arch.model.mtp else ())]
            held |= {tensor.weight_class for tensor in tensors}
        return set(WEIGHT_CLASSES) - held if models else set()

    def take_told(self, other: Answer) -> None:
        """Take over what another answer says beside its numbers, but for its notes."""
        self.assumptions, self.warnings = other.assumptions, other.warnings
        self.sources, self.brief = other.sources, other.brief

    def tell_when_all(self, text: str) -> None:
        """Add an assumption that changes no number: told with all others alone."""
        self.assumptions.append(text)
        self.brief[text] = ""

    def place_of(self, place: str) -> str:
        """Return the file and line of an input such as ``model.groups.0.attention.head_dim``.

        Nothing where it is no field of a file, or where several columns have one of that name.
        """
        kind, _, field = place.partition(".")
        found = {preset.path: preset for preset in self.presets if preset.kind == kind}
        if len(found) != 1 or not field:
            return ""
        preset = next(iter(found.values()))
        file = shown_path(preset.source.name)
        if preset.path == "-":
            return file
        names = field.split(".")
        steps: PathInData = tuple(int(step) if step.isdecimal() else step for step in names)
        if preset.imported is not None:
            steps = preset.keys.get(names[-1], ())
        return f"{file}:{preset.source.position(steps, key=True).line}" if steps else file

    def warn(self, text: str) -> None:
        """Add a warning once."""
        add_new(self.warnings, [text])


def add_new(items: list[_Item], more: Sequence[_Item]) -> None:
    """Append what is not listed yet."""
    items.extend(item for item in more if item not in items)


def line_tree(line: Line, told: set[str] | None = None) -> dict[str, Any]:
    """Return a line and everything below it as plain data: the ``ledger`` of the contract.

    A name means one line in a ledger. Where a line is needed again it is given by name and value
    alone, marked ``repeated``; ``told`` collects the names already given in full.
    """
    told = set() if told is None else told
    tree: dict[str, Any] = {"name": line.name, "value": line.value, "unit": line.unit}
    if line.rule != "given" and line.name in told:
        return tree | {"rule": line.rule, "repeated": True}
    told.add(line.name)
    tree["rule"] = line.rule
    if line.convention:
        tree["convention"] = line.convention
    if line.formula is not None:
        tree["formula"] = f"{line.formula.subject}.{line.formula.name}"
        tree["arguments"] = {
            name: _argument(value, origin, told) for name, value, origin in line.arguments
        }
    if line.parts:
        tree["parts"] = [line_tree(part, told) for part in line.parts]
    return tree


def _argument(value: Any, origin: str, told: set[str]) -> Any:
    if hasattr(value, "rule"):
        if value.rule == "given":
            return {"value": value.value, "from": value.name}
        return line_tree(value, told)
    return {"value": value, "from": origin} if origin else {"value": value}


def _sources_of_alone(value: Any, prefixes: tuple[str, ...]) -> set[str]:
    """Return the sources that only the fields with one of these prefixes are read from."""
    provenance = getattr(value, "provenance", {})
    inside = {source for field, source in provenance.items() if field.startswith(prefixes)}
    outside = {source for field, source in provenance.items() if not field.startswith(prefixes)}
    return inside - outside
