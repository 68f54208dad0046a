"""A server as a query describes it: what holds for every batch, and its lines at one."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from copy import copy
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dsv3calc.accounting.host_experts import hosted_lines
from dsv3calc.accounting.serving.decode import BATCH, decode_lines, pass_batch
from dsv3calc.accounting.times.fold import Fold
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import given
from dsv3calc.ledger.substitution import Substitution
from dsv3calc.schema.workload import Workload
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.layout.build import refuse
from dsv3calc.studies.memory.serving import replica_sequences
from dsv3calc.studies.serve.inputs import Inputs
from dsv3calc.studies.serve.memory import memory_answer, memory_lines
from dsv3calc.studies.serve.prefill import (
    Requests,
    asks_for_prefill,
    prefill_layout,
    prefill_of,
    shared_lines,
)
from dsv3calc.studies.setups import overlap_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsv3calc.accounting.serving.decode import DecodeLines
    from dsv3calc.accounting.serving.prefill import PrefillLines
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.schema.layout import Layout


class Held(NamedTuple):
    """The answer about the memory of a GPU at a batch, and its lines by name."""

    answer: Answer
    lines: Mapping[str, Line]

    @property
    def fits(self) -> bool:
        """Whether the memory holds the batch."""
        return bool(self.lines["serve.fits"].value)

    @property
    def most(self) -> int | None:
        """The sequences of a replica that the memory holds; None where it limits none."""
        line = self.lines.get("serve.max_batch")
        return None if line is None else int(line.value)


class Served(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A server at a batch: its decode pass, the answer about its memory, and its lines by name."""

    batch: int
    fold: Fold
    decoded: DecodeLines
    held: Answer
    lines: dict[str, Line]

    @property
    def fits(self) -> bool:
        """Whether the memory holds the batch."""
        return Held(self.held, self.lines).fits

    @property
    def most(self) -> int | None:
        """The sequences of a replica that the memory holds; None where it limits none."""
        return Held(self.held, self.lines).most


class Server:
    """The presets, layouts and requests of a query, and its prefill, which know no batch.

    ``times`` gives the times at a batch, ``held`` the memory of a GPU.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """

    def __init__(self, query: ServeQuery, answer: Answer) -> None:
        self.query = query
        inputs = Inputs(query, answer)
        inputs.cite()
        self.requests = Requests(inputs)
        self.settle(inputs)

    def settle(self, inputs: Inputs, *, prefill: bool = True, tell: bool = True) -> None:
        """Take over inputs, and time what follows from them for every batch."""
        self.inputs = inputs
        self.prefilled = self._prefill(tell=tell) if prefill else None
        self.times = cache(self._brief)
        self.held = cache(self._held)

    def on(self, layout: Layout, *, prefill: bool, beside: Layout | None = None) -> Server:
        """Return the server on another layout, whose degrees may be recorded; nothing is checked.

        Its ``times`` alone may be asked for: ``held`` asks a query, which has numbers. They have
        no times of ``prefill`` where it is not wanted. ``beside`` is the layout of other GPUs that
        prefill.
        """
        found = copy(self)
        found.settle(self.inputs.on(layout, beside), prefill=prefill, tell=False)
        return found

    def _prefill(self, *, tell: bool = True) -> PrefillLines | None:
        """Time a prefill pass; where nothing asks for it, tell why it cannot be timed."""
        inputs = self.inputs
        if inputs.hosted:
            if asks_for_prefill(self.query):
                raise UsageError(
                    f"--offload {self.query.offload}: prefill is not timed",
                    "dsv3calc host gives bounds from the peaks of the CPUs",
                )
            inputs.answer.notes.append(
                "no prefill times: dsv3calc host gives bounds from the peaks of the CPUs"
            )
            return None
        layout = prefill_layout(inputs)
        if layout is None:
            inputs.answer.notes.append(
                f"the layout {inputs.layout.name} is for decoding: --prefill-layout names that of "
                "the GPUs that prefill"
            )
            return None
        try:
            return prefill_of(inputs, layout, self.requests, tell=tell)
        except UsageError as error:
            if asks_for_prefill(self.query):
                raise
            inputs.answer.notes.append(f"no prefill times: {error.message}")
            return None

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
        return replica_sequences(self.query, self.inputs.layout)

    def at(self, batch: int, answer: Answer | None = None) -> Served:
        """Give the lines at a batch; how tokens are sent is told to ``answer``."""
        fold = self._fold(batch, Answer("", {}) if answer is None else answer)
        held = self.held(batch)
        decoded = self._decoded(fold, batch)
        lines = {**self._lines(decoded, batch), **held.lines}
        return Served(batch=batch, fold=fold, decoded=decoded, held=held.answer, lines=lines)

    def _brief(self, batch: int) -> dict[str, Line]:
        """Give the times at a batch by name, and not those that only bound them."""
        decoded = self._decoded(self._fold(batch, Answer("", {})), batch, brief=True, named=False)
        return self._lines(decoded, batch)

    def step_at(self, batch: int, tokens: int) -> Line:
        """Give the time per output token of a batch whose sequences have so many cached tokens."""
        fold = self._fold(batch, Answer("", {}), tokens)
        cached = given(f"serve.cached_{tokens}", tokens, "tokens")
        under = Substitution(f"serve.at_{tokens}.", {"workload.past": cached})
        return under.line(self._decoded(fold, batch, brief=True).headline)

    def _decoded(
        self, fold: Fold, batch: int, *, brief: bool = False, named: bool = True
    ) -> DecodeLines:
        inputs = self.inputs
        hosted = None
        if inputs.hosted:
            sequences = given(BATCH, batch, "1")
            of_host = (inputs.model.value, inputs.precision.value, inputs.hardware.value)
            several = self.query.curve or bool(self.query.slo)
            hosted = hosted_lines(*of_host, sequences, fitted=not several)
        return decode_lines(
            fold,
            inputs.speculation,
            hosted,
            batch=batch,
            concurrency=self.query.concurrency,
            brief=brief,
            named=named,
        )

    def _lines(self, decoded: DecodeLines, batch: int) -> dict[str, Line]:
        inputs = self.inputs
        lines = [*decoded.lines]
        lines += [] if self.prefilled is None else self.prefilled.lines
        lines += shared_lines(inputs, decoded, self.prefilled, self.requests, batch)
        return {line.name: line for line in lines}

    def _held(self, batch: int, context: int | None = None) -> Held:
        """Ask for the memory of a GPU at a batch, of the context of the query or another one."""
        inputs = self.inputs
        mtp = inputs.speculation is not None
        answer = memory_answer(self.query, batch, context or inputs.context, mtp=mtp)
        return Held(answer, {line.name: line for line in memory_lines(answer).values()})

    def _fold(self, batch: int, answer: Answer, context: int | None = None) -> Fold:
        """Return the decode pass of a batch, at the context of the query or another one."""
        inputs = self.inputs
        part = pass_batch(inputs.layout, batch)
        workload = Workload(
            phase="decode", batch=part, sequence=inputs.new_tokens, past=context or inputs.context
        )
        fold = Fold(inputs.setting(workload, inputs.layout, answer))
        lacks = {"paired": ("decoding has no passes of a schedule", "another set-up")}
        if part == 1 or not fold.sendings():
            what = "the layout " + ("decodes a batch of 1" if part == 1 else "sends nothing")
            lacks["two_batch"] = (what, "another --batch or layout")
        refuse(overlap_problems(None if inputs.setup is None else inputs.setup.value, lacks))
        return fold

    @property
    def least(self) -> int:
        """The smallest batch that the set-up can decode."""
        setup = self.inputs.setup
        times = None if setup is None else setup.value.time
        return 2 if times is not None and times.overlap.two_batch else 1
