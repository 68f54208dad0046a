"""Gradients and parameters that one GPU reduces and gathers: which tensors it holds, divided how.

Layers are divided evenly among the pipeline's ranks. The embedding stands on the first stage, the
final norm and the head on the last. Tensor parallelism divides matrices but not norms, routers,
indexers, MLA's down-projections and biases of row-parallel matrices, nor shared experts and dense
feed-forwards that the layout replicates.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.parameters import mtp_tensors, tensor_elements
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import collectives
from dsv3calc.ledger.line import Line, combined, computed, total
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import ONE
from dsv3calc.schema.layout import BOTH_ENDS

if TYPE_CHECKING:
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

PLACES = ("split", "replicated", "experts")

_PLACE_OF = {
    "split": "split",
    "key_value": "split",
    "replicated": "replicated",
    "experts": "experts",
}
"""Division of a tensor -> how its gradients are counted here."""


def place_of(tensor: Tensor, layout: Layout | None = None) -> str:
    """Return how a tensor of a layer is divided within a stage; by default where it is local."""
    if layout is not None and layout.is_replicated(tensor.component):
        return "replicated"
    return _PLACE_OF[tensor.division]


def layer_elements(
    prefix: str, model: Model, *, mtp: bool, layout: Layout | None = None
) -> dict[str, Line]:
    """Count the trained elements of all layers, by how a stage divides them."""
    arch = architecture_of(model)
    tensors = [tensor for view in arch.groups for tensor in view.tensors]
    if mtp:
        tensors += mtp_tensors(arch)
    found: dict[str, list[Line]] = {place: [] for place in PLACES}
    for number, tensor in enumerate(tensors):
        if tensor.weight_class != "routing_bias":  # a buffer: it has no gradient
            place = place_of(tensor, layout)
            name = f"{prefix}.{place}_elements.{number}.{tensor.name}"
            found[place].append(tensor_elements(name, tensor))
    return {
        place: total(f"{prefix}.{place}_elements", lines, unit="elements")
        for place, lines in found.items()
    }


def outer_elements(prefix: str, model: Model, layout: Layout) -> Line:
    """Count the elements outside the layers on the fullest stage: the last, with the head.

    A rank that is both ends of a pipeline (pp = 1, DualPipe's outer ranks, the first of a V) has
    the embedding too, unless it is tied: the same matrix.
    """
    outer = [
        tensor_elements(f"{prefix}.{each.name}", each) for each in architecture_of(model).outer
    ]
    parts = outer[1:]
    if not model.tie_word_embeddings:
        embedding = outer[0]
        if layout.schedule not in BOTH_ENDS:
            sole = computed(f"{prefix}.sole_stage", collectives.sole_stage, pp=degree(layout, "pp"))
            embedding = combined(f"{prefix}.embedding_here", "product", (embedding, sole))
        parts.append(embedding)
    return total(f"{prefix}.outer_elements", parts, unit="elements")


def gradient_payloads(
    prefix: str, model: Model, layout: Layout, bits: Line, *, mtp: bool, copies: Line
) -> dict[str, Line]:
    """Give the bytes of one GPU's ``dense`` and ``experts`` tensors at a width of ``bits``.

    ``copies`` is the number of stages that a GPU holds: 2 under DualPipe.
    """
    elements = layer_elements(prefix, model, mtp=mtp, layout=layout)
    pp, tp = degree(layout, "pp"), degree(layout, "tp")
    shares = {
        "split": [pp, tp],
        "replicated": [pp],
        "experts": [pp, degree(layout, "ep"), degree(layout, "etp")],
    }
    held = {}
    for place, divisors in shares.items():
        split = combined(f"{prefix}.{place}_split", "product", divisors)
        stage = computed(
            f"{prefix}.{place}_stage_bytes",
            collectives.shard_payload,
            elements=elements[place],
            bits=bits,
            split=split,
        )
        held[place] = combined(f"{prefix}.{place}_bytes", "product", (stage, copies))
    outer = computed(
        f"{prefix}.outer_bytes",
        collectives.shard_payload,
        elements=outer_elements(prefix, model, layout),
        bits=bits,
        split=tp if layout.vocabulary_parallel else ONE,
    )
    return {
        "dense": total(f"{prefix}.dense_bytes", (held["split"], held["replicated"], outer)),
        "experts": held["experts"],
    }


def tied_payload(prefix: str, model: Model, layout: Layout, bits: Line) -> Line:
    """Give the bytes of one GPU's share of the embedding's gradients."""
    embedding = architecture_of(model).outer[0]
    return computed(
        f"{prefix}.payload",
        collectives.shard_payload,
        elements=tensor_elements(f"{prefix}.{embedding.name}", embedding),
        bits=bits,
        split=degree(layout, "tp") if layout.vocabulary_parallel else ONE,
    )


def replicated_payload(
    prefix: str, model: Model, layout: Layout, bits: Line, *, mtp: bool, copies: Line
) -> Line:
    """Give the bytes of the gradients of what every tensor-parallel rank holds whole.

    Those of a GPU's layers, and of the final norm on the last stage.
    """
    layers = computed(
        f"{prefix}.stage_bytes",
        collectives.shard_payload,
        elements=layer_elements(prefix, model, mtp=mtp, layout=layout)["replicated"],
        bits=bits,
        split=degree(layout, "pp"),
    )
    norm = architecture_of(model).outer[-1]
    last = computed(
        f"{prefix}.final_norm_bytes",
        collectives.shard_payload,
        elements=tensor_elements(f"{prefix}.{norm.name}", norm),
        bits=bits,
        split=ONE,
    )
    held = combined(f"{prefix}.layers_bytes", "product", (layers, copies))
    return total(f"{prefix}.payload", (held, last))
