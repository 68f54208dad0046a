"""Answer ``which``: what fits on what, each pair asked as ``memory --serve`` asks it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.catalogue import presets, search_path
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.ledger.line import Ledger, combined, given
from dsv3calc.queries.base import as_dict
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.queries.options import OFFLOADED
from dsv3calc.studies.answer import Answer, Column, add_new
from dsv3calc.studies.checked import one_of, positive
from dsv3calc.studies.memory.answer import answer_memory
from dsv3calc.studies.memory.serving import DEFAULT_CONTEXT
from dsv3calc.studies.preset_loader import PresetLoader, warn_context, widened_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.queries.which import WhichQuery
    from dsv3calc.schema.hardware import Hardware

COMMON_PRECISIONS = ("bf16", "fp8", "int8", "int4")
"""Precisions that are tried for each model beside its own, where such a preset exists."""

LINES = ("weights", "buffers", "kv_bytes", "total", "budget", "free", "fits", "max_sequences",
         "host_bytes", "host_free")  # fmt: skip
"""Lines of ``serving`` that each pair takes over as ``which``."""


def answer_which(query: WhichQuery) -> Answer:
    """Ask for each model, device and precision whether the model can be served.

    Raises
    ------
    UsageError, InvalidInput
        If neither a model nor a device is given, or what is given is wrong.
    """
    if query.model is None and query.hardware is None:
        raise UsageError(
            "which needs a device or a model", "--hardware rtx-4090, or --model deepseek-v3"
        )
    answer = Answer("which", as_dict(query))
    answer.query["context"] = positive("--context", query.context, DEFAULT_CONTEXT)
    answer.query["batch"] = positive("--batch", query.batch, 1)
    positive("--gpus", query.gpus, 1)
    answer.notes += query.notes
    search = _Search(query, answer)
    search.check()
    for model in _names("model", query.model, query):
        for hardware in _names("hardware", query.hardware, query):
            search.add(model, hardware)
    search.tell_units()
    if not any(column.ledger.named()["which.fits"].value for column in answer.columns):
        answer.status = ExitStatus.INFEASIBLE
        answer.warn("nothing that was tried fits")
    answer.assumptions.append("one device of a tensor-parallel group; all layers on each")
    return answer


def _names(kind: str, given: str | None, query: WhichQuery) -> list[str]:
    return [given] if given is not None else list(search_path.listing(kind, query.preset_path))


class _Search:
    """Asks pair after pair, and keeps why some could not be asked."""

    def __init__(self, query: WhichQuery, answer: Answer) -> None:
        self.query = query
        self.answer = answer
        self.loader = PresetLoader(query)
        self.context = answer.query["context"]
        self.known = search_path.listing("precision", query.preset_path)
        self.widened: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}

    def check(self) -> None:
        """Refuse what is given and wrong at once, and not as a reason of each pair."""
        query = self.query
        for reference, load in (
            (query.model, self.loader.model),
            (query.hardware, self.loader.hardware),
            (query.kv_dtype, self.loader.kv_format),
        ):
            if reference is not None:
                load(reference)
        one_of("--offload", query.offload, OFFLOADED, "")
        for kind, name in (("precision", query.precision), ("setup", query.setup)):
            if name is not None:
                presets.load(kind, name, preset_path=query.preset_path)

    def add(self, model: str, hardware: str) -> None:
        """Add a column for each precision of a pair, or a row that says why there is none."""
        pinned = self.query.model is not None and self.query.hardware is not None
        try:
            device = self.loader.hardware(hardware)
            precisions = self._precisions(model)
            warn_context(self.answer, model, self.loader.model(model).value, self.context)
            self._ask_each(model, hardware, device.value, precisions)
        except (UsageError, InvalidInput) as error:
            if pinned and isinstance(error, UsageError) and self.query.gpus is not None:
                hint = error.hint.replace("--tp", "--gpus")
                raise UsageError(f"--gpus {self.query.gpus:,}: {error.message}", hint) from None
            if pinned:
                raise
            reason = error.message if isinstance(error, UsageError) else error.problems[0].what
            reason = reason.partition("; ")[0]
            self.answer.rows.append({"model": model, "hardware": hardware, "reason": reason})

    def tell_units(self) -> None:
        """Say on which devices weights of a precision that fits are widened before products."""
        for (wish, used), (devices, precisions) in self.widened.items():
            self.answer.notes.append(
                f"no {wish} peak on {', '.join(devices)}: {', '.join(precisions)} "
                f"{'is' if len(precisions) == 1 else 'are'} weight-only there, computed in {used}"
            )

    def _ask_each(self, model: str, hardware: str, device: Hardware, precisions: list[str]) -> None:
        """Ask in each precision; a host too small for some of them is told, and not an error."""
        small = []
        for precision in precisions:
            try:
                self._ask(model, hardware, device, precision)
            except UsageError as error:
                small.append(error)
                if self.query.offload is None or len(small) == len(precisions):
                    raise
                self.answer.notes.append(f"{model} in {precision}: {error.message}")

    def _precisions(self, model: str) -> list[str]:
        if self.query.precision:
            return [self.query.precision]
        own = self.loader.model(model).value.precision_name
        return [own, *(each for each in COMMON_PRECISIONS if each != own and each in self.known)]

    def _degrees(self, device: Hardware) -> Iterator[int]:
        if self.query.gpus is not None or self.query.model is None:
            yield positive("--gpus", self.query.gpus, 1)
            return
        link = device.scale_up
        most = 1 if link is None else (link.domain_size or device.node_size or 1)
        degree = 1
        while degree <= min(most, 64):
            yield degree
            degree *= 2

    def _ask(self, model: str, hardware: str, device: Hardware, precision: str) -> None:
        """Add the column of the fewest devices that hold the model, or of the most tried."""
        found: Column | None = None
        weights = 0
        degrees = list(self._degrees(device))
        for gpus in degrees:
            usable = device.memory.usable
            if gpus != degrees[-1] and usable is not None and weights > usable * gpus:
                continue  # the weights alone do not fit
            try:
                found = self._column(model, hardware, precision, gpus)
            except UsageError:
                if found is None:
                    raise
                break  # the model cannot be divided further
            lines = found.ledger.named()
            weights = weights or lines["which.weights"].value * gpus
            if lines["which.fits"].value:
                break
        if found is None:
            return
        self.answer.columns.append(found)
        if found.ledger.named()["which.fits"].value:
            asked = self.loader.precision(precision, self.loader.model(model)).value
            for pair in widened_types(asked, device).items():
                devices, precisions = self.widened.setdefault(pair, ({}, {}))
                devices[device.name] = precisions[precision] = None

    def _column(self, model: str, hardware: str, precision: str, gpus: int) -> Column:
        query = self.query
        asked = answer_memory(
            MemoryQuery(
                model=model, hardware=hardware, precision=precision, tp=gpus, serve=True, dp=1,
                context=query.context, batch=query.batch, kv_dtype=query.kv_dtype,
                setup=query.setup, offload=query.offload, set=query.set,
                preset_path=query.preset_path, ignore_keys=query.ignore_keys,
            )
        )  # fmt: skip
        if query.model is not None and query.hardware is not None:
            add_new(self.answer.assumptions, asked.assumptions)
        for source in asked.sources:
            if source not in self.answer.sources:
                self.answer.sources.append(source)
        named = asked.columns[0].ledger.named()
        lines = [
            named[f"serving.{name}"].renamed(f"which.{name}")
            for name in LINES
            if f"serving.{name}" in named
        ]
        lines.append(combined("which.gpus", "sum", [given("layout.tp", gpus, "1")]))
        title = f"{model}, {precision}, {hardware} x {gpus}"
        return Column(f"{model}|{precision}|{hardware}", title, Ledger(title, lines))
