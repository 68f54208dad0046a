"""What the kinds of attention have in common: the block's input, and the core over pairs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.line import Line, combined
from dsv3calc.model.operator import CORE, Operator
from dsv3calc.model.saved import BYTE, FP32, Activation, Saving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dsv3calc.model.block import Attention
    from dsv3calc.model.operator import Core, Tensor

_CORE = "attention's core and the output projection"


def projections_input(attention: Attention) -> Callable[[Saving], Iterable[Activation]]:
    """Return what the first projection saves: the input that all of them read."""
    return lambda _: (attention.input("attention_input", "all projections of attention"),)


def attention_core(
    attention: Attention, core: Core, output: Callable[[], Line], weights: Iterable[Tensor] = ()
) -> Operator:
    """Return the operator of an attention's core; ``output`` gives the width of what it writes."""

    def saves(saving: Saving) -> Iterator[Activation]:
        saved: dict[str, Any] = {"operation": "attention"}
        yield Activation(
            "attention_output", output(), "split", linear_input=True, shared_by=_CORE, **saved
        )
        if saving.separate_output is not None:
            name = attention.width("context_output")
            width = combined(name, "product", (output(), saving.separate_output))
            yield Activation("context_output", width, "split", "core_attn")
        heads = attention.field("num_attention_heads", "elements")
        if saving.recompute.attention_kernel == "flash":
            yield Activation("logsumexp", heads, "split", "core_attn", bits=FP32, **saved)
            return
        scores = combined(
            attention.width("scores"),
            "product",
            (heads, saving.sequence),
            unit="elements",
            convention="every key of the sequence, masked ones too",
        )
        yield Activation("softmax", scores, "split", "core_attn", **saved)
        if saving.recompute.dropout:
            yield Activation("softmax_mask", scores, "split", "core_attn", bits=BYTE)
            yield Activation("softmax_dropped", scores, "split", "core_attn")

    return Operator(
        "core",
        CORE,
        "attention_core",
        weights,
        core=core,
        saves=saves,
        before=("cp",),
        after=("cp",),
    )
