"""What the loss and the head of a micro-batch take, by the way in which the loss is computed."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.memory.sharding import several
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import loss, memory
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.memory.activations import Activations
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.setup import SetupMemory

CHUNKED = "chunked"


class Loss(msgspec.Struct, frozen=True):
    """Bits for each logit of a micro-batch, and in words what they are.

    ``kept`` stay from the forward to the backward pass of the loss, ``forward`` and ``backward``
    are its peaks, ``gradient`` is there while the head's own backward pass runs.
    """

    kept: int
    forward: int
    backward: int
    gradient: int
    words: str


LOSSES = {
    "fp32-logits": Loss(32, 32, 32, 32, "one FP32 tensor, overwritten by its gradient"),
    "eager": Loss(
        16 + 32, 16 + 32 + 32, 16 + 32 + 2 * 32, 16 + 16,
        "BF16 logits, their FP32 copy, the log-softmax, and two FP32 gradients; nothing is fused",
    ),
    "vocab-parallel": Loss(
        32, 16 + 32, 32 + 16, 16,
        "BF16 logits, an FP32 softmax overwritten by its gradient, and a BF16 gradient",
    ),
    "compiled": Loss(
        16, 16, 16 + 16, 16,
        "BF16 logits and their BF16 gradient: the compiler fuses what is in FP32",
    ),
    "fused": Loss(16, 16, 16, 16, "BF16 logits, overwritten by their gradient"),
    CHUNKED: Loss(
        0, 16 + 32 + 32, 16 + 32 + 2 * 32, 16 + 16,
        "as eager, of one chunk of tokens at a time",
    ),
}  # fmt: skip
"""How a loss is computed -> what it takes."""


class HeadBuffers:
    """What a micro-batch keeps of its logits, and what its loss and head take at work [B].

    ``largest`` is the most that they take, ``logits`` and ``beyond`` its parts: what has the shape
    of the logits, and what else there is. ``output`` are the logits as an output.

    Parameters
    ----------
    model, layout, activations, software
        Those of the footprint.
    at_work
        What else there is while the head's backward pass runs, such as a gradient of its weights.
    """

    __slots__ = (
        "_activations",
        "_layout",
        "_model",
        "_software",
        "beyond",
        "kept",
        "largest",
        "logits",
        "output",
    )

    def __init__(
        self,
        model: Model,
        layout: Layout,
        activations: Activations,
        software: SetupMemory,
        at_work: Sequence[Line],
    ) -> None:
        self._model = model
        self._layout = layout
        self._activations = activations
        self._software = software
        kind = LOSSES[software.loss]
        name = "memory.buffers.logits_of_micro_batch"
        self.kept = given(name, 0, "B", kind.words)
        if kind.kept:
            words = f"{kind.words}: from the forward to the backward pass of the loss"
            self.kept = self._logits(name, kind.kept, words)
        gradient = self._logits("memory.buffers.head.logits_gradient", kind.gradient, kind.words)
        peaks = [
            gradient,
            *(
                self._logits(f"memory.buffers.loss.{name}", bits, kind.words)
                for name, bits in (("forward", kind.forward), ("backward", kind.backward))
                if bits > kind.gradient
            ),
        ]
        self.logits = combined("memory.buffers.loss", "maximum", peaks)
        backward = total(
            "memory.buffers.head",
            [gradient, *self._inputs(), *at_work],
            convention="while the backward pass of the head runs",
        )
        self.largest = combined(
            "memory.buffers.loss_and_head",
            "maximum",
            [*peaks[1:], backward],
            convention="the largest of the loss's peaks and the head's backward pass",
        )
        self.beyond = combined(
            "memory.buffers.head.beyond_loss", "difference", (self.largest, self.logits)
        )
        self.output = self._logits("memory.buffers.output", 16, "BF16 logits, an output")

    def _logits(self, name: str, bits: int, words: str) -> Line:
        """Return so many bits for each logit: of a micro-batch, or of a chunk of it."""
        activations, layout = self._activations, self._layout
        tokens, cp = activations.tokens, degree(layout, "cp")
        divisor = activations.divisors["split"] if layout.vocabulary_parallel else cp
        if self._software.loss == CHUNKED:
            scope = ("setup.memory", self._software)
            tokens = computed(
                "memory.buffers.loss.tokens", loss.chunk_tokens, scope, tokens=tokens, cp=cp
            )
            divisor = degree(layout, "tp") if layout.vocabulary_parallel else ONE
        return computed(
            name,
            memory.activation_bytes,
            convention=words,
            tokens=tokens,
            width=field(("model", self._model), "vocab_size"),
            bits=given(f"loss.{self._software.loss}.{bits}_bits", bits, "bit", words),
            group_size=ONE,
            scale_bits=given("logits.scale_bits", 0, "bit"),
            divisor=divisor,
        )

    def _inputs(self) -> list[Line]:
        """Return the gradient of the head's input, and the input where it was gathered."""
        parallel = self._layout.vocabulary_parallel
        width = field(("model", self._model), "hidden_size")
        place = "whole" if parallel else "block"
        name = "memory.buffers.head.input_gradient"
        found = [self._activations.working_bytes(name, width, place)]
        if parallel and self._layout.sequence_parallel:
            gathered = several("memory.buffers.head.is_gathered", degree(self._layout, "tp"))
            name = "memory.buffers.head.gathered_input"
            found.append(combined(name, "product", (found[0], gathered), unit="B"))
        return found
