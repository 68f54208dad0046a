"""A server as a query describes it: what holds for every batch, and its lines at one."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.serving.decode import decode_lines, pass_batch, replica_batch
from dsv3calc.accounting.times.fold import Fold
from dsv3calc.errors import UsageError
from dsv3calc.schema.workload import Workload
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.preset_loader import positive
from dsv3calc.studies.serve.inputs import Inputs
from dsv3calc.studies.serve.memory import memory_answer, memory_lines
from dsv3calc.studies.serve.prefill import Requests, prefill_layout, prefill_of, shared_lines

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.serve import ServeQuery


class Served(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A server at a batch: its decode pass, the answer about its memory, and its lines by name."""

    batch: int
    fold: Fold
    held: Answer
    lines: dict[str, Line]

    @property
    def fits(self) -> bool:
        """Whether the memory holds the batch."""
        return bool(self.lines["serve.fits"].value)

    @property
    def most(self) -> int | None:
        """The sequences of a replica that the memory holds; None where it limits none."""
        line = self.lines.get("serve.max_batch")
        return None if line is None else int(line.value)


class Server:
    """The presets, layouts and requests of a query, and its prefill, which know no batch.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """

    def __init__(self, query: ServeQuery, answer: Answer) -> None:
        self.query = query
        self.inputs = inputs = Inputs(query, answer)
        inputs.cite()
        self.requests = Requests(inputs)
        layout = prefill_layout(inputs)
        self.prefilled = None if layout is None else prefill_of(inputs, layout, self.requests)

    @property
    def name(self) -> str:
        """The device, the layout and the set-up, for a sentence."""
        setup = "" if self.inputs.setup is None else f", set-up {self.inputs.setup.name}"
        return f"{self.inputs.hardware.name}, {self.inputs.answer.layout}{setup}"

    @staticmethod
    def asked(query: ServeQuery) -> Server:
        """Return the server of another query, whose remarks nobody reads."""
        return Server(query, Answer("", {}))

    def asked_batch(self) -> int:
        """Return the sequences of a replica that the query gives, as they are or of an instance."""
        query = self.query
        if query.concurrency is None:
            return positive("--batch", query.batch, 1)
        if query.batch is not None:
            raise UsageError(
                "--batch and --concurrency: sequences of a replica, and of the whole instance",
                "leave one of them out",
            )
        concurrency = positive("--concurrency", query.concurrency, 1)
        return int(replica_batch(self.inputs.layout, concurrency))

    def at(self, batch: int, answer: Answer | None = None) -> Served:
        """Give the lines at a batch; how tokens are sent is told to ``answer``."""
        inputs = self.inputs
        fold = self._fold(batch, Answer("", {}) if answer is None else answer)
        decoded = decode_lines(
            fold, inputs.speculation, batch=batch, concurrency=self.query.concurrency
        )
        mtp = inputs.speculation is not None
        held = memory_answer(self.query, batch, inputs.context, mtp=mtp)
        lines = [*decoded.lines, *memory_lines(held).values()]
        lines += [] if self.prefilled is None else self.prefilled.lines
        lines += shared_lines(inputs, decoded, self.prefilled, self.requests, batch)
        return Served(batch=batch, fold=fold, held=held, lines={line.name: line for line in lines})

    def _fold(self, batch: int, answer: Answer) -> Fold:
        """Return the decode pass of a batch."""
        inputs = self.inputs
        part = pass_batch(inputs.layout, batch)
        workload = Workload(
            phase="decode", batch=part, sequence=inputs.new_tokens, past=inputs.context
        )
        fold = Fold(inputs.setting(workload, inputs.layout, answer))
        if not self.takes_turns(fold):
            return fold
        what = "sends nothing" if not fold.sendings() else ""
        what = what or ("decodes a batch of 1" if part == 1 else "")
        what = what or ("has pipeline stages" if inputs.layout.pp > 1 else "")
        if what:
            assert inputs.setup is not None  # noqa: S101 - it has the software
            raise UsageError(
                f"the set-up {inputs.setup.name} lets two half batches take turns at computing and "
                f"sending, and the layout {what}",
                "--set setup.time.overlap.two_batch=false, or another --batch or layout",
            )
        return fold

    @staticmethod
    def takes_turns(fold: Fold) -> bool:
        """Tell whether the set-up lets two half batches take turns."""
        return fold.software is not None and fold.software.times.overlap.two_batch

    @property
    def least(self) -> int:
        """The smallest batch that the set-up can decode."""
        setup = self.inputs.setup
        times = None if setup is None else setup.value.time
        return 2 if times is not None and times.overlap.two_batch else 1
