"""Tables of ``memory``: pipeline ranks by class, the fullest against the device, one in detail."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.buffers import AT_WORK, SHARED
from dsv3calc.accounting.memory.ranks import PARTS
from dsv3calc.accounting.placement.stages import LAYERS
from dsv3calc.numbers.decimals import BINARY
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import Cell, Table, View, show, show_count

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.studies.answer import Answer

_FOUR_DIGITS = 1000
_LONG = 100  # GiB from which on a second decimal only widens the table
_AXES = ("tp", "cp", "pp", "dp", "ep", "etp")
HEADINGS = {"gradients": "grads"}
_SHORT = {"activations": "activ."}
_WIDEST = 80  # columns, and headings grow shorter from there on


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    named = answer.columns[0].ledger.named()
    alike = answer.query["by"] != "rank"
    ranks = ranks_table(named, exact=exact, alike=alike)
    tables = [_fullest(answer, named, exact=exact), ranks]
    if "rank" in answer.query:
        rank = answer.query["rank"]
        tables += [held_table(named, rank, exact=exact), _buffers(named, rank, exact=exact)]
    fewest = _fewest(answer, named, exact=exact)
    return View(heading(answer), tables + ([fewest] if fewest else []))


def heading(answer: Answer) -> list[str]:
    """Say what was counted, in two lines."""
    query = answer.query
    where = _found(answer.columns[0].ledger.named()) or answer.layout
    times = "" if query["micro_batch"] == 1 else f"micro-batches of {query['micro_batch']:,} x "
    counted = (
        f"{times}{query['sequence']:,} tokens; {query['precision']}; recipe {query['recipe']}; "
        f"recompute {query['recompute']}"
    )
    return [
        f"{answer.columns[0].title}: training memory of one GPU on {where}, {query['hardware']}",
        counted,
    ]


def _found(named: dict[str, Line]) -> str:
    """Name a layout that was searched for; nothing where the query gives it."""
    gpus = named.get("memory.fewest_gpus")
    if gpus is None:
        return ""
    degrees = {axis: named[f"memory.fewest_gpus.{axis}"].value for axis in _AXES}
    told = [f"{axis} {degree:,}" for axis, degree in degrees.items() if degree > 1]
    return f"the fewest GPUs, {gpus.value:,}" + (f" ({', '.join(told)})" if told else "")


def _bytes(value: float, lines: tuple[Line, ...], *, decimals: int | None) -> Cell:
    """Return bytes in GiB for a column of them, long ones with so many decimals; None: all."""
    if decimals is None:
        text = format_quantity(value, "1", exact=True)
    else:
        size = value / BINARY["Gi"]
        text = f"{size:,.2f}" if abs(size) < _LONG else f"{size:,.{decimals}f}"
    return Cell(text, lines[0]) if len(lines) == 1 else Cell(text, None, lines)


def alike_ranks(named: dict[str, Line], *, together: bool) -> list[tuple[int, int]]:
    """Return the first and the last of each run of pipeline ranks that hold the same."""
    found: list[tuple[int, int]] = []
    before: list[float] = []
    while f"memory.rank.{(number := found[-1][1] + 1 if found else 0)}.total" in named:
        held = [named[f"memory.rank.{number}.{part}"].value for part in PARTS]
        if together and held == before:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
        before = held
    return found


def ranks_table(named: dict[str, Line], *, exact: bool, alike: bool = True) -> Table:
    """List the pipeline ranks; neighbours that are alike share a row."""
    worst = named["memory.worst.rank"].value
    found: list[tuple[str, list[float], list[tuple[Line, ...]]]] = []
    usable = named.get("memory.usable")
    for first, last in alike_ranks(named, together=alike):
        lines = [named[f"memory.rank.{last}.{part}"] for part in PARTS]
        values = [line.value for line in lines]
        sources: list[tuple[Line, ...]] = [(line,) for line in lines]
        if usable is not None:
            values.append(usable.value - values[-1])
            sources.append((usable, lines[-1]))
        mark = " *" if first <= worst <= last else ""
        label = (f"{first}" if first == last else f"{first}-{last}") + mark
        found.append((label, values, sources))
    headings = [HEADINGS.get(part, part) for part in PARTS]
    if usable is not None:
        headings.append("free")
    short: dict[str, str]
    for decimals, short in ((None, {}),) if exact else ((1, {}), (0, {}), (0, _SHORT)):
        table = Table(
            "",
            [f"rank, {'B' if exact else 'GiB'}", *(short.get(name, name) for name in headings)],
            [
                [label, *map(partial(_bytes, decimals=decimals), values, sources)]
                for label, values, sources in found
            ],
        )
        if _width(table) <= _WIDEST:
            break
    return table


def _width(table: Table) -> int:
    columns = zip(table.headings, *table.rows, strict=True)
    return 1 + sum(3 + max(map(len, column)) for column in columns) - 3


def _fullest(answer: Answer, named: dict[str, Line], *, exact: bool) -> Table:
    allocated, reserved = named["memory.worst.allocated"], named["memory.worst.reserved"]
    sizes = {"allocated": allocated}
    if reserved.value != allocated.value:
        sizes["reserved"] = reserved
    sizes["total"] = named["memory.worst.total"]
    if "memory.fits" in named:
        fits = bool(named["memory.fits"].value)
        sizes[f"usable on {answer.query['hardware']}"] = named["memory.usable"]
        sizes["free" if fits else "over by"] = named["memory.free"]
    rows = size_rows(sizes, exact=exact)
    if "memory.fits" in named:
        rows.append(["fits", "yes" if fits else "no"])
    return Table("", [f"* fullest: rank {named['memory.worst.rank'].value}", "bytes"], rows)


def size_rows(sizes: dict[str, Line], *, exact: bool) -> list[list[str]]:
    """Return rows of sizes without their signs, in GiB where their own units differ.

    What is less than a MiB keeps its unit.
    """
    found = {label: show(line, exact=exact).removeprefix("-") for label, line in sizes.items()}
    if not exact and len({text.rpartition(" ")[2] for text in found.values()}) > 1:
        found |= {
            label: _one_unit(abs(line.value))
            for label, line in sizes.items()
            if abs(line.value) >= BINARY["Mi"]
        }
    return [[label, Cell(text, sizes[label])] for label, text in found.items()]


def size(line: Line, *, exact: bool) -> str:
    """Return a size that stands beside others in GiB: in GiB too, where it is more than one."""
    large = not exact and line.value >= BINARY["Ti"]
    return Cell(_one_unit(line.value), line) if large else show(line, exact=exact)


def _one_unit(value: int) -> str:
    whole, rest = divmod(value, BINARY["Gi"])
    if not rest:
        return f"{whole:,} GiB"
    size = value / BINARY["Gi"]
    return f"{size:,.1f} GiB" if size >= _FOUR_DIGITS else f"{size:#.4g} GiB"


def held_table(named: dict[str, Line], rank: int, *, exact: bool) -> Table:
    """List what the chunks of a rank are: their stages, layers, and micro-batches at the peak."""
    name = f"memory.rank.{rank}"
    rows = []
    chunk = 0
    counts, waiting = _at_peak(named, name)
    while (stage := named.get(f"{name}.chunk.{chunk}.stage")) is not None:
        layers = [
            line
            for line in named[f"{name}.chunk.{chunk}.activations"].parts
            if line.tags.quantity == LAYERS and line.value
        ]
        words = ", ".join(f"{line.value:,} {line.tags.group}" for line in layers) or "-"
        row = [f"stage {stage.value}", Cell(words, None, layers)]
        for what, held in (("activations", counts), ("activations.pending", waiting)):
            each = f"{name}.chunk.{chunk}.{what}"
            row += [show_count(held[each]), show(named[each], exact=exact)] if each in held else []
        rows.append(row)
        chunk += 1
    headings = [f"rank {rank}", "layers", "in flight", "each"]
    headings += ["waiting", "each"] if waiting else []
    blanks = [""] * (len(headings) - 2)
    rows.append(["total", *blanks, show(named[f"{name}.activations"], exact=exact)])
    return Table("", headings, rows, left=(1,))


def _at_peak(named: dict[str, Line], name: str) -> tuple[dict[str, Line], dict[str, Line]]:
    """Return, by chunk, the micro-batches in flight when a rank holds most, and those waiting."""
    line = named[f"{name}.activations"]
    if line.rule == "maximum":
        line = max(line.parts, key=lambda instant: instant.value)
    elif line.rule == "at_largest":
        middle = len(line.parts) // 2
        held = [instant.value for instant in line.parts[:middle]]
        line = line.parts[middle + held.index(max(held))]
    found: tuple[dict[str, Line], dict[str, Line]] = ({}, {})
    for count, each in zip(line.parts[::2], line.parts[1::2], strict=True):
        found[each.tags.quantity == "pending"][each.name] = count
    return found


def _buffers(named: dict[str, Line], rank: int, *, exact: bool) -> Table:
    rows, covered, name = [], [], f"memory.rank.{rank}"
    for line in named[f"{name}.buffers"].parts:
        parts = line.parts if line.name == SHARED else (line,)
        rows += [[_label(part), show(part, exact=exact)] for part in parts if part.value]
        layers = next((each for name, each, _ in line.arguments if name == "part_bytes"), line)
        absent = line.tags.quantity in _OF_HEAD and not _has_head(named, name)
        if layers.value and not line.value and not absent:
            covered.append([f"  {_label(line)}", show(layers, exact=exact)])
        if line.tags.quantity == AT_WORK and line.value:
            _, largest = max(layers.parts, key=lambda product: product.value).parts
            rows += [
                [f"  {_label(part)}", show(part, exact=exact)]
                for part in largest.parts
                if part.value
            ]
    rows.append(["total", show(named[f"{name}.buffers"], exact=exact)])
    if covered:
        rows += [["at a moment that takes less in all"], *covered]
    return Table("", ["buffers", "bytes"], rows)


_OF_HEAD = ("logits", "head_at_work")


def _has_head(named: dict[str, Line], name: str) -> bool:
    """Tell whether a chunk of a rank ends in a head."""
    chunk = 0
    while (line := named.get(f"{name}.chunk.{chunk}.has_head")) is not None and not line.value:
        chunk += 1
    return line is not None


def _label(line: Line) -> str:
    return line.tags.quantity.replace("_", " ")


def _fewest(answer: Answer, named: dict[str, Line], *, exact: bool) -> Table | None:
    gpus = named.get("memory.fewest_gpus")
    if gpus is None:
        return None
    rows = [["GPUs", show_count(gpus)]]
    rows += [[axis, show_count(named[f"memory.fewest_gpus.{axis}"])] for axis in ("dp", "pp", "ep")]
    if "memory.given.gpus" in named:
        fits = "fits" if named["memory.given.fits"].value else "does not fit"
        rows += [
            [f"{answer.query['layout']} itself", show_count(named["memory.given.gpus"])],
            [f"  {fits}: needs", show(named["memory.given.total"], exact=exact)],
        ]
    return Table("", ["fewest GPUs at which it fits", ""], rows)
