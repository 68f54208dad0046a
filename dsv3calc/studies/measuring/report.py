"""What was measured as rows, as a preset with its fitted block, and as an answer."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import msgspec

from dsv3calc.catalogue import presets, references
from dsv3calc.schema.hardware import Hardware, Memory
from dsv3calc.schema.measurement import Row
from dsv3calc.schema.provenance import Source
from dsv3calc.studies.measurements.areas import EAGER, LARGEST_CACHE
from dsv3calc.studies.measurements.fit import rounded
from dsv3calc.studies.measurements.preset_text import spliced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.studies.measuring.machine import Facts
    from dsv3calc.studies.measuring.sweep import Sweep, Timed

SOURCE = "measured"
MICRO = 1e6
ROWS_ENDING = ".rows.jsonl"


def name_of(title: str) -> str:
    """Return a name of a preset from what a device calls itself.

    >>> name_of("Intel(R) Xeon(R) CPU @ 2.50GHz, 2 cores")
    'intel-xeon-cpu-2.50ghz-2-cores'
    """
    plain = re.sub(r"\((?:R|TM|C)\)", "", title, flags=re.IGNORECASE)
    found = re.sub(r"[^A-Za-z0-9.]+", "-", plain).strip("-.").casefold()
    return found[: references.LONGEST_NAME] or "device"


def rows_of(name: str, facts: Facts, found: Sweep, date: str) -> list[Row]:
    """Return what was measured as rows: one for each kernel and shape."""
    return [
        Row(
            id=f"{name}-{timed.trial.id}",
            area=timed.trial.area,
            group=timed.trial.group,
            what=f"{timed.trial.what}, {facts.library}",
            hw=name,
            hw_detail=facts.title,
            n=1,
            prec=timed.trial.dtype,
            layout=timed.trial.layout,
            batch=timed.trial.batch,
            value=timed.trial.value
            | ({} if timed.trial.series else {"latency_us": _micro(timed.seconds)}),
            series=timed.trial.series | {"latency_us": [_micro(timed.seconds)]}
            if timed.trial.series
            else {},
            src="dsv3calc calibrate",
            ref=facts.software,
            date=date,
        )
        for timed in found.timed
    ]


def _micro(seconds: float) -> float:
    return float(f"{seconds * MICRO:.5g}")


def rows_text(rows: Sequence[Row]) -> str:
    """Return rows as JSON lines, without what is empty."""
    listed = (msgspec.to_builtins(row) for row in rows)
    return "".join(
        json.dumps({key: value for key, value in row.items() if value not in ("", {}, None)}) + "\n"
        for row in listed
    )


def measured_device(name: str, facts: Facts, found: Sweep) -> Hardware:
    """Return the device as measurements alone describe it.

    Its peaks are the fastest rates that any kernel reached: of computing by data type, and of
    moving what no cache holds.
    """
    alone = [each for each in found.timed if each.trial.mode != EAGER]
    peaks = {found.dtype: found.probed[0]}
    for each in alone:
        if each.trial.dtype and each.trial.flops:
            rate = each.trial.flops / each.seconds
            peaks[each.trial.dtype] = max(peaks.get(each.trial.dtype, 0), rate)
    large = min(LARGEST_CACHE, 2 * facts.cache)
    return Hardware(
        name=name,
        title=facts.title,
        peaks={dtype: rounded(peak) for dtype, peak in peaks.items()},
        memory=Memory(
            marketed=facts.memory,
            usable=facts.memory,
            bandwidth=rounded(max(_moving(alone, large), default=found.probed[1])),
        ),
        multiprocessors=facts.multiprocessors,
        sources={SOURCE: Source(kind="measured", citation=f"dsv3calc calibrate on {facts.title}")},
        provenance={"default": SOURCE},
    )


def _moving(timed: Sequence[Timed], least: int) -> list[float]:
    """Return the rates of kernels that move at least so many bytes."""
    return [each.trial.moved / each.seconds for each in timed if each.trial.moved >= least]


def source_text(facts: Facts, date: str, how: Sequence[str], rows_file: str) -> list[str]:
    """Return the lines of the source that measurements are."""
    beside = f"Raw rows: {rows_file}." if rows_file else "The raw rows were not kept."
    note = " ".join([*how, beside])
    return [
        f"  {SOURCE}:",
        "    kind: measured",
        f"    citation: {_quoted(f'dsv3calc calibrate on {facts.title}; {facts.software}')}",
        f"    read: {_quoted(date)}",
        f"    note: {_quoted(note)}",
    ]


def preset_text(device: Hardware, block: list[str], source: list[str]) -> str:
    """Return the preset of a device of which nothing but measurements is known."""
    memory = device.memory
    peaks = [f"  {dtype}: {peak / 1e12:g} TFLOPS" for dtype, peak in device.peaks.items()]
    lines = [
        f"name: {device.name}",
        f"title: {_quoted(device.title)}",
        "",
        "peaks:  # the fastest rates that a kernel reached: a data sheet's are higher",
        *peaks,
        "memory:",
        f"  marketed: {memory.marketed} B",
        f"  usable: {memory.usable} B",
        f"  bandwidth: {(memory.bandwidth or 0) / 1e9:g} GB/s  # likewise",
        *([f"multiprocessors: {device.multiprocessors}"] if device.multiprocessors else []),
        "",
        *block,
        "",
        "sources:",
        *source,
        "",
        "provenance:",
        f"  default: {SOURCE}",
    ]
    return "\n".join(lines) + "\n"


def preset_on(
    base: presets.Preset[Hardware], name: str, block: list[str], source: list[str]
) -> str:
    """Return a preset with its data sheet as it stands, and a measured block.

    What a file of one's own leaves out is written out: name, title, sources.
    """
    text = base.source.text
    for field in ("aliases", "name"):
        text = re.sub(rf"^{field}:.*\n", "", text, count=1, flags=re.MULTILINE)
    head = f"name: {name}\n"
    if not re.search(r"^title:", text, re.MULTILINE):
        head += f"title: {_quoted(base.value.title)}\n"
    schema = re.match(r"# yaml-language-server.*\n", text)
    text = (schema[0] + head + text[schema.end() :]) if schema else head + text
    if not re.search(r"^sources:", text, re.MULTILINE):
        text = re.sub(r"^source:.*\n", "", text, count=1, flags=re.MULTILINE).rstrip("\n")
        own = base.value.sources["own"]
        text += f"\n\nsources:\n  own: {{kind: {own.kind}, citation: {_quoted(own.citation)}}}\n"
        text += "\nprovenance:\n  default: own\n"
    text = spliced(text, block)
    text = text.replace("\nsources:\n", "\n".join(["", "sources:", *source, ""]), 1)
    return text.replace("\nprovenance:\n", f"\nprovenance:\n  achieved: {SOURCE}\n", 1)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
