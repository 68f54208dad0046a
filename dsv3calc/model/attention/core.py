"""What the kinds of attention have in common: the block's input, and the core over pairs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.ledger.line import Line, combined, given
from dsv3calc.model.operator import CORE, PASS, PRODUCT, Operator
from dsv3calc.model.saved import BYTE, FP32, Activation, Product, Saving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dsv3calc.model.block import Attention
    from dsv3calc.model.operator import Core, Tensor

PROJECTIONS = "attention_projections"
_CORE = "attention's core and the output projection"


def projections_input(attention: Attention) -> Callable[[Saving], Iterable[Activation]]:
    """Return what the first projection saves: the input that all of them read."""
    return lambda _: (attention.input("attention_input", "all projections of attention"),)


def projection(attention: Attention, name: str, **options: Any) -> Operator:
    """Return the product of a projection with its input."""
    return Operator(name, PRODUCT, PROJECTIONS, attention.weights(name), **options)


def latent_norm(attention: Attention, name: str, reads: str) -> Operator:
    """Return the norm of a latent, which is whole on every GPU."""
    weights = attention.weights(name)
    width = weights[0].out_features
    return Operator(
        name,
        PASS,
        "norms",
        weights,
        reads=(width,),
        writes=(width,),
        saves=lambda _: (Activation(reads, width, "block"),),
    )


def attention_core(
    attention: Attention, core: Core, output: Callable[[], Line], weights: Iterable[Tensor] = ()
) -> Operator:
    """Return the operator of an attention's core; ``output`` gives the width of what it writes."""
    gated = getattr(attention.spec, "output_gate", "none") != "none"
    shared = "" if gated else _CORE

    def saves(saving: Saving) -> Iterator[Activation]:
        saved: dict[str, Any] = {"operation": "attention"}
        name, width = "attention_output", output()
        yield Activation(name, width, "split", linear_input=not gated, shared_by=shared, **saved)
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
        division="split",
    )


def score_scaling(
    owner: Attention, name: str, component: str, heads: Line, **options: Any
) -> Tensor:
    """Return the learned scale and bias of each head's scores."""
    both = given("score_scaling_vectors", 2, "1", "a scale and a bias of each head")
    return owner.tensor(name, component, heads, copies=both, weight_class="biases", **options)


def gate_tensor(attention: Attention, values: Line) -> Iterator[Tensor]:
    """List the projection that gates the core's output, ``values`` wide, where there is one."""
    gate = attention.spec.output_gate
    if gate != "none":
        width = values if gate == "channel" else attention.field("num_attention_heads")
        yield attention.tensor("output_gate", "attention", width, attention.hidden)


def gate_operators(attention: Attention, output: Callable[[], Line]) -> Iterator[Operator]:
    """List the projection of the gate and its product with the core's output."""
    weights = attention.weights("output_gate")
    if not weights:
        return
    width, written = weights[0].out_features, output()
    saved = combined(attention.width("output_gate"), "product", (width,), unit="elements")
    yield Operator(
        "output_gate",
        PRODUCT,
        PROJECTIONS,
        weights,
        output=lambda _: Product("output_gate", saved, "split"),
    )
    yield Operator(
        "gating",
        PASS,
        "attention_core",
        reads=(written, width),
        writes=(written,),
        saves=lambda _: (
            Activation("output_gate", saved, "split"),
            Activation("gated_output", output(), "split", linear_input=True),
        ),
    )
