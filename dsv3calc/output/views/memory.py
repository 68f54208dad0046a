"""Tables of ``memory``: pipeline ranks by class, the fullest against the device, one in detail."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.buffers import AT_WORK, SHARED
from dsv3calc.accounting.memory.ranks import PARTS
from dsv3calc.accounting.placement.stages import LAYERS
from dsv3calc.numbers.decimals import BINARY
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import Table, View, show

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
    tables = [_fullest(answer, named, exact=exact), ranks_table(named, exact=exact)]
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


def _gibibytes(value: float, *, decimals: int) -> str:
    """Return bytes in GiB for a column of them, long ones with so many decimals."""
    size = value / BINARY["Gi"]
    return f"{size:,.2f}" if abs(size) < _LONG else f"{size:,.{decimals}f}"


def _exactly(value: float) -> str:
    return format_quantity(value, "1", exact=True)


def ranks_table(named: dict[str, Line], *, exact: bool) -> Table:
    """List the pipeline ranks; neighbours with the same numbers share a row."""
    worst = named["memory.worst.rank"].value
    found: list[tuple[str, list[float]]] = []
    first = number = 0
    usable = named.get("memory.usable")
    while f"memory.rank.{number}.total" in named:
        values = [named[f"memory.rank.{number}.{part}"].value for part in PARTS]
        if usable is not None:
            values.append(usable.value - values[-1])
        if found and values == found[-1][1]:
            found.pop()
        else:
            first = number
        mark = " *" if first <= worst <= number else ""
        found.append(((f"{first}" if first == number else f"{first}-{number}") + mark, values))
        number += 1
    headings = [HEADINGS.get(part, part) for part in PARTS]
    if usable is not None:
        headings.append("free")
    if exact:
        rows = [[label, *map(_exactly, values)] for label, values in found]
        return Table("", ["rank, B", *headings], rows)
    for decimals, short in ((1, {}), (0, {}), (0, _SHORT)):
        table = Table(
            "",
            ["rank, GiB", *(short.get(heading, heading) for heading in headings)],
            [
                [label, *(_gibibytes(value, decimals=decimals) for value in values)]
                for label, values in found
            ],
        )
        if _width(table) <= _WIDEST:
            break
    return table


def _width(table: Table) -> int:
    columns = zip(table.headings, *table.rows, strict=True)
    return 1 + sum(3 + max(map(len, column)) for column in columns) - 3


def _fullest(answer: Answer, named: dict[str, Line], *, exact: bool) -> Table:
    sizes = {"total": named["memory.worst.total"]}
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
    return [[label, text] for label, text in found.items()]


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
            f"{line.value:,} {line.tags.group}"
            for line in named[f"{name}.chunk.{chunk}.activations"].parts
            if line.tags.quantity == LAYERS and line.value
        ]
        row = [f"stage {stage.value}", ", ".join(layers) or "-"]
        for what, held in (("activations", counts), ("activations.pending", waiting)):
            each = f"{name}.chunk.{chunk}.{what}"
            row += [f"{held[each]:,}", show(named[each], exact=exact)] if each in held else []
        rows.append(row)
        chunk += 1
    headings = [f"rank {rank}", "layers", "in flight", "each"]
    headings += ["waiting", "each"] if waiting else []
    blanks = [""] * (len(headings) - 2)
    rows.append(["total", *blanks, show(named[f"{name}.activations"], exact=exact)])
    return Table("", headings, rows, left=(1,))


def _at_peak(named: dict[str, Line], name: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return, by chunk, the micro-batches in flight when a rank holds most, and those waiting."""
    line = named[f"{name}.activations"]
    if line.rule == "maximum":
        line = max(line.parts, key=lambda moment: moment.value)
    found: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for count, each in zip(line.parts[::2], line.parts[1::2], strict=True):
        found[each.tags.quantity == "pending"][each.name] = count.value
    return found


def _buffers(named: dict[str, Line], rank: int, *, exact: bool) -> Table:
    rows, name = [], f"memory.rank.{rank}"
    for line in named[f"{name}.buffers"].parts:
        parts = line.parts if line.name == SHARED else (line,)
        rows += [[_label(part), show(part, exact=exact)] for part in parts if part.value]
        if line.tags.quantity == AT_WORK:
            _, largest = max(line.parts, key=lambda product: product.value).parts
            rows += [
                [f"  {_label(part)}", show(part, exact=exact)]
                for part in largest.parts
                if part.value and line.value
            ]
    rows.append(["total", show(named[f"{name}.buffers"], exact=exact)])
    return Table("", ["buffers", "bytes"], rows)


def _label(line: Line) -> str:
    return line.tags.quantity.replace("_", " ")


def _fewest(answer: Answer, named: dict[str, Line], *, exact: bool) -> Table | None:
    gpus = named.get("memory.fewest_gpus")
    if gpus is None:
        return None
    rows = [["GPUs", f"{gpus.value:,}"]]
    rows += [
        [axis, f"{named[f'memory.fewest_gpus.{axis}'].value:,}"] for axis in ("dp", "pp", "ep")
    ]
    if "memory.given.gpus" in named:
        fits = "fits" if named["memory.given.fits"].value else "does not fit"
        rows += [
            [f"{answer.query['layout']} itself", f"{named['memory.given.gpus'].value:,}"],
            [f"  {fits}: needs", show(named["memory.given.total"], exact=exact)],
        ]
    return Table("", ["fewest GPUs at which it fits", ""], rows)
