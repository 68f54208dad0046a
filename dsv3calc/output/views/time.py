"""Tables of ``time``: the three times, then kernels, layer groups or components."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.output.view import Cell, Table, View, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.ledger.line import Ledger, Line
    from dsv3calc.studies.answer import Answer

SECONDS = ("bound", "floor", "estimate")
_SHAPE = ("copies", "rows", "columns", "depth")
_QUANTITIES = (*_SHAPE, "flops", "moved", "intensity", "compute_time", "launch", *SECONDS)
COMPONENTS = {
    "embedding": "embedding",
    "norms": "norms",
    "residual": "residual sums",
    "attention_projections": "attention projections",
    "attention_core": "attention core",
    "indexer": "DSA indexer",
    "mixer_projections": "mixer projections",
    "mixer_core": "scans and convolutions",
    "dense_ffn": "dense feed-forward",
    "router": "router",
    "routed_experts": "routed experts",
    "shared_experts": "shared experts",
    "mtp_projection": "MTP projection",
    "head": "head",
}


class KernelRow:
    """A kernel of a layer group with its lines by quantity."""

    __slots__ = ("component", "kernel", "lines", "place")

    def __init__(self, place: str, kernel: str, component: str) -> None:
        self.place = place
        self.kernel = kernel
        self.component = component
        self.lines: dict[str, Line] = {}

    def value(self, quantity: str) -> float:
        """Return the value of a quantity."""
        return float(self.lines[quantity].value)

    @property
    def wall(self) -> str:
        """What limits it: computing or memory at the peaks, or its launch at measured rates."""
        if self.value("launch") * 2 > self.value("floor"):
            return "launch"
        computing = self.value("compute_time") >= self.value("bound")
        return "compute" if computing else "memory"


def kernel_rows(ledger: Ledger) -> list[KernelRow]:
    """Return the kernels of an answer, in the order in which they run."""
    rows: dict[tuple[str, str], KernelRow] = {}
    for line in ledger.lines:
        tags = line.tags
        if not tags.operator or tags.quantity not in _QUANTITIES:
            continue
        place = tags.group or "model"
        row = rows.setdefault(
            (place, tags.operator), KernelRow(place, tags.operator, tags.component)
        )
        row.lines[tags.quantity] = line
    return [row for row in rows.values() if "bound" in row.lines]


def peaks_of(ledger: Ledger) -> tuple[float, dict[str, float]]:
    """Return the memory bandwidth of an answer's device, and the peaks that it runs against."""
    lines = [line for line in ledger.lines if line.tags.quantity in ("peak", "bandwidth")]
    peaks = {line.tags.dtype.upper(): float(line.value) for line in lines if line.tags.dtype}
    return next(float(line.value) for line in lines if not line.tags.dtype), peaks


def build(answer: Answer, *, exact: bool) -> View:
    """Build the tables."""
    column = answer.columns[0]
    named = column.ledger.named()
    query = answer.query
    times = [what for what in SECONDS if f"time.{what}" in named]
    words = {"bound": "bound", "floor": "floor", "estimate": f"estimate, {query.get('setup')}"}
    tables = [_summary(named, times, [words[what] for what in times], exact=exact)]
    tables += filter(None, [_orthogonalised(named, exact=exact)])
    if query["by"] == "operator":
        tables.append(_operators(column.ledger, named, times, exact=exact))
    elif query["by"] == "layer":
        tables.append(_places(named, kernel_rows(column.ledger), times, exact=exact))
    else:
        tables.append(_components(named, times, exact=exact))
    return View(_heading(answer, column.title), tables)


def _heading(answer: Answer, title: str) -> list[str]:
    query = answer.query
    new = "token" if query["sequence"] == 1 else "tokens"
    cached = "" if query["phase"] == "train" else f", {query['context']:,} cached"
    bandwidth, peaks = peaks_of(answer.columns[0].ledger)
    named = [f"{dtype} {format_quantity(peak, 'FLOP/s')}" for dtype, peak in peaks.items()]
    named.append(f"memory {format_quantity(bandwidth, 'B/s')}")
    return [
        f"{title}: {query['phase']} on {query['hardware']}, {answer.layout}",
        f"batch {query['batch']:,}, {query['sequence']:,} new {new} each{cached}",
        f"dense peaks: {', '.join(named)}",
    ]


_SUMMARY = (
    ("time.{}", "the pass"),
    ("time.kernels.{}", "  kernels of a GPU, one after the other"),
    ("time.communication.{}", "  communication"),
    ("time.optimizer.{}", "the optimizer, once a step"),
    ("time.tokens_per_second.{}", "tokens/s of a replica"),
    ("time.tokens_per_second_per_gpu.{}", "tokens/s of a GPU, all stages at work"),
)


def _summary(
    named: dict[str, Line], times: Sequence[str], headings: Sequence[str], *, exact: bool
) -> Table:
    rows = []
    for pattern, words in _SUMMARY:
        lines = [named.get(pattern.format(what)) for what in times]
        if any(line is not None for line in lines):
            rows.append([words, *(show(line, exact=exact) for line in lines)])
        if "time.p10" in named and pattern == "time.{}":
            band = " to ".join(show(named[f"time.{end}"], exact=exact) for end in ("p10", "p90"))
            rows.append(["  p10 to p90 of measurements", *[""] * (len(times) - 1), band])
    return Table("", ["", *headings], rows)


def _orthogonalised(named: dict[str, Line], *, exact: bool) -> Table | None:
    """Build the table of Muon's steps on a GPU; None where no matrix is orthogonalised."""
    flops = "time.optimizer.flops"
    if flops not in named:
        return None
    rows = [["Newton-Schulz steps", show(named[flops], exact=exact)]]
    rows += [
        [f"  {line.tags.component}", show(line, exact=exact)]
        for line in named.values()
        if line.tags.quantity == "newton_schulz_flops"
    ]
    rows.append(["gathered", show(named["time.optimizer.gathered_bytes"], exact=exact)])
    return Table("", ["Muon, once a step", "of a GPU"], rows)


def _shape(row: KernelRow, *, exact: bool) -> str:
    """Write rows, columns and depth of a product, and how many there are side by side."""
    if "rows" not in row.lines:
        return ""
    text = " × ".join(_size(row.lines[what], exact=exact) for what in _SHAPE[1:])
    count = row.lines["copies"].value
    return f"{_size(row.lines['copies'], exact=exact)} of {text}" if count != 1 else text


def _size(line: Line, *, exact: bool) -> str:
    value = line.value
    if isinstance(value, int) or exact:
        return f"{value:,}"
    return f"{value:,.1f}"


def _operators(
    ledger: Ledger, named: dict[str, Line], times: Sequence[str], *, exact: bool
) -> Table:
    """List the kernels of one layer of each group, with their share of the floor of the pass."""
    headings = ["of one layer", "rows × N × K", "FLOPs", "bytes", "FLOP/B", "wall", *times, "share"]
    whole = named["time.kernels.floor"]
    rows: list[list[str]] = []
    place = ""
    for row in kernel_rows(ledger):
        layers = _layers(named, row.place)
        if row.place != place:
            rows.append([_place_words(row.place, layers)])
            place = row.place
        rows.append(
            [
                f"  {row.kernel}",
                _shape(row, exact=exact),
                show(row.lines["flops"], exact=exact) if "intensity" in row.lines else "-",
                *(show(row.lines.get(what), exact=exact) for what in ("moved", "intensity")),
                row.wall,
                *(show(row.lines[what], exact=exact) for what in times),
                _share(row.lines["floor"], row.value("floor") * layers, whole),
            ]
        )
    rows.append(["all layers", "", *_total_cells(named, times, exact=exact), _all_of(whole)])
    return Table("", headings, rows, left=(1, 5))


def _total_cells(named: dict[str, Line], times: Sequence[str], *, exact: bool) -> list[str]:
    cells = [show(named[f"time.kernels.{what}"], exact=exact) for what in ("flops", "moved")]
    return [*cells, "", "", *(show(named[f"time.kernels.{what}"], exact=exact) for what in times)]


def _layers(named: dict[str, Line], place: str) -> float:
    parts = named[f"time.{place}.floor"].parts
    return float(parts[1].value)


def _place_words(place: str, layers: float) -> str:
    if place == "model":
        return "outside of layers"
    if place == "mtp":
        return f"MTP, {layers:g} module{'s' if layers > 1 else ''}"
    return f"{place}, {layers:g} layer{'s' if layers > 1 else ''}"


def _places(
    named: dict[str, Line], kernels: Sequence[KernelRow], times: Sequence[str], *, exact: bool
) -> Table:
    """List layer groups, each with the time of one of its layers."""
    rows = []
    whole = named["time.kernels.floor"]
    for place in dict.fromkeys(row.place for row in kernels):
        lines = [named[f"time.{place}.{what}"] for what in ("flops", "moved", *times)]
        one = named[f"time.{place}.layer.floor"]
        floor = named[f"time.{place}.floor"]
        share = _share(floor, floor.value, whole)
        words = _place_words(place, _layers(named, place))
        cells = [show(line, exact=exact) for line in lines]
        rows.append([words, *cells, show(one, exact=exact), share])
    cells = [
        show(named[f"time.kernels.{what}"], exact=exact) for what in ("flops", "moved", *times)
    ]
    rows.append(["all kernels", *cells, "", _all_of(whole)])
    headings = ["layer group", "FLOPs", "bytes", *times, "floor of one layer", "share"]
    return Table("", headings, rows)


def _components(named: dict[str, Line], times: Sequence[str], *, exact: bool) -> Table:
    rows = []
    whole = named["time.kernels.floor"]
    found = dict.fromkeys(
        line.tags.component
        for line in named.values()
        if line.tags.component and not line.tags.operator and line.tags.quantity == "floor"
    )
    for component in sorted(found, key=_order):
        lines = [
            named[f"time.components.{component}.{what}"] for what in ("flops", "moved", *times)
        ]
        cells = [show(line, exact=exact) for line in lines]
        floor = named[f"time.components.{component}.floor"]
        share = _share(floor, floor.value, whole)
        rows.append([COMPONENTS.get(component, component), *cells, share])
    cells = [
        show(named[f"time.kernels.{what}"], exact=exact) for what in ("flops", "moved", *times)
    ]
    rows.append(["all kernels", *cells, _all_of(whole)])
    return Table("", ["component", "FLOPs", "bytes", *times, "share"], rows)


def _order(component: str) -> int:
    return [*COMPONENTS, component].index(component)


def _share(line: Line, part: float, whole: Line) -> Cell:
    """Show what a line, or several layers of it, takes of the whole."""
    return Cell(f"{100 * part / (whole.value or 1):.2f} %", None, (line, whole))


def _all_of(whole: Line) -> Cell:
    return Cell("100.00 %", None, (whole,))
