"""Gradients and parameters that one GPU reduces and gathers: which tensors it holds, divided how.

What a GPU holds is counted for a pipeline rank, or as the mean over the pipeline: see
:class:`Held`. Tensor parallelism divides matrices but not norms, routers, indexers, MLA's
down-projections and biases of row-parallel matrices, nor shared experts and dense feed-forwards
that the layout replicates.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.parameters import mtp_tensors, tensor_elements
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import collectives
from dsv3calc.ledger.line import Line, combined, computed, total
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import BUFFERS, ONE
from dsv3calc.schema.layout import BOTH_ENDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dsv3calc.accounting.placement.stages import Stages
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

PLACES = ("split", "replicated", "experts")

_PLACE_OF = {
    "split": "split",
    "key_value": "split",
    "groups": "split",
    "replicated": "replicated",
    "experts": "experts",
}
"""Division of a tensor -> how its gradients are counted here."""


def place_of(tensor: Tensor, layout: Layout | None = None) -> str:
    """Return how a tensor of a layer is divided within a stage; by default where it is local."""
    if layout is not None and layout.is_replicated(tensor.component):
        return "replicated"
    return _PLACE_OF[tensor.division]


class Held:
    """The part of a model that a GPU holds: layers, and matrices outside of them.

    Parameters
    ----------
    layers
        Layers of each group, those of MTP last where they count.
    stages
        What a GPU does for a micro-batch is one in ``stages`` of what these layers do.
    outer
        How many embeddings, heads and final norms there are; heads are left out where tied.
    words
        The convention of what is counted.
    """

    __slots__ = ("layers", "outer", "stages", "words")

    def __init__(
        self, layers: Sequence[Line], stages: Line, outer: Sequence[Line], words: str
    ) -> None:
        self.layers = layers
        self.stages = stages
        self.outer = outer
        self.words = words

    def elements(self, prefix: str, one_layer: Mapping[str, Sequence[Line]]) -> dict[str, Line]:
        """Count the trained elements of the layers by what :func:`layer_elements` returns."""
        return {
            place: combined(
                f"{prefix}.{place}_elements",
                "sum_of_products",
                [part for pair in zip(self.layers, each, strict=True) for part in pair],
                unit="elements",
            )
            for place, each in one_layer.items()
        }

    @property
    def embedding(self) -> Line:
        """How many embeddings there are, the head among them where it is the same matrix."""
        return self.outer[0]


def held_on_average(prefix: str, model: Model, layout: Layout, views: Sequence[GroupView]) -> Held:
    """Give the mean layers of a pipeline's ranks, with the final norm and the head.

    The embedding is added where an MTP module needs it, and where one rank is both ends of the
    pipeline (pp = 1, DualPipe's outer ranks, the first of a V).
    """
    pp, tied = degree(layout, "pp"), model.tie_word_embeddings
    embedding = ONE
    if not (tied or layout.schedule in BOTH_ENDS or architecture_of(model).mtp in views):
        embedding = computed(f"{prefix}.sole_stage", collectives.sole_stage, pp=pp)
    outer = [embedding, ONE] if tied else [embedding, ONE, ONE]
    return Held([view.layers for view in views], pp, outer, "mean of the layers over the stages")


def held_by_rank(prefix: str, split: Stages, rank: Line, copies: Line, words: str) -> Held:
    """Give the layers of a pipeline rank and what else stands on it.

    ``copies`` is the number of its stages of which a micro-batch passes one: 2 under DualPipe.
    """
    chunks = split.chunks(prefix, rank)
    return Held(split.held(prefix, chunks), copies, split.outer(prefix, chunks), words)


def layer_elements(
    prefix: str, model: Model, views: Sequence[GroupView], layout: Layout | None = None
) -> dict[str, list[Line]]:
    """Count the trained elements of one layer of each group, by how a stage divides them.

    What stands beside the layer of an MTP module belongs to it.
    """
    arch = architecture_of(model)
    found: dict[str, list[Line]] = {place: [] for place in PLACES}
    for view in views:
        of_view: dict[str, list[Line]] = {place: [] for place in PLACES}
        for tensor in mtp_tensors(arch) if view is arch.mtp else view.tensors:
            if tensor.weight_class not in BUFFERS:  # a buffer: it has no gradient
                place = place_of(tensor, layout)
                name = f"{prefix}.{view.prefix}.{place}_elements.{tensor.name}"
                of_view[place].append(tensor_elements(name, tensor, ONE))
        for place, lines in of_view.items():
            name = f"{prefix}.{view.prefix}.{place}_elements"
            found[place].append(total(name, lines, unit="elements"))
    return found


def outer_elements(prefix: str, model: Model, outer: Sequence[Line]) -> Line:
    """Count the elements outside the layers, so many times each: see :attr:`Held.outer`."""
    arch = architecture_of(model)
    embedding, head, *after = arch.outer
    first = [embedding, *arch.entry_tensors]
    heads = [] if model.tie_word_embeddings else [head]
    counts = [*[outer[0]] * len(first), *outer[1:-1], *[outer[-1]] * len(after)]
    pairs = [
        part
        for tensor, count in zip([*first, *heads, *after], counts, strict=True)
        for part in (tensor_elements(f"{prefix}.{tensor.name}", tensor), count)
    ]
    return combined(f"{prefix}.outer_elements", "sum_of_products", pairs, unit="elements")


def gradient_payloads(
    prefix: str,
    model: Model,
    layout: Layout,
    held: Held,
    one_layer: Mapping[str, Sequence[Line]],
    bits: Line,
    copies: Line,
) -> dict[str, Line]:
    """Give the bytes of one GPU's ``dense`` and ``experts`` tensors at a width of ``bits``.

    ``one_layer`` is what :func:`layer_elements` returns. ``copies`` is the number of stages that a
    GPU holds: 2 under DualPipe.
    """
    elements = held.elements(prefix, one_layer)
    tp = degree(layout, "tp")
    shares = {
        "split": [held.stages, tp],
        "replicated": [held.stages],
        "experts": [held.stages, degree(layout, "ep"), degree(layout, "etp")],
    }
    found = {}
    for place, divisors in shares.items():
        split = combined(f"{prefix}.{place}_split", "product", divisors)
        stage = computed(
            f"{prefix}.{place}_stage_bytes",
            collectives.shard_payload,
            elements=elements[place],
            bits=bits,
            split=split,
        )
        found[place] = combined(f"{prefix}.{place}_bytes", "product", (stage, copies))
    outer = computed(
        f"{prefix}.outer_bytes",
        collectives.shard_payload,
        elements=outer_elements(prefix, model, held.outer),
        bits=bits,
        split=tp if layout.vocabulary_parallel else ONE,
    )
    return {
        "dense": total(f"{prefix}.dense_bytes", (found["split"], found["replicated"], outer)),
        "experts": found["experts"],
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
    prefix: str,
    model: Model,
    held: Held,
    one_layer: Mapping[str, Sequence[Line]],
    bits: Line,
    copies: Line,
) -> Line:
    """Give the bytes of the gradients of what every tensor-parallel rank holds whole.

    Those of a GPU's layers, and of the final norm where it stands.
    """
    elements = held.elements(prefix, one_layer)
    layers = computed(
        f"{prefix}.stage_bytes",
        collectives.shard_payload,
        elements=elements["replicated"],
        bits=bits,
        split=held.stages,
    )
    arch = architecture_of(model)
    norm = arch.outer[-1]
    pairs = [tensor_elements(f"{prefix}.{norm.name}", norm), held.outer[-1]]
    ends = [(tensor, held.outer[0]) for tensor in arch.entry_tensors]
    ends += [(tensor, held.outer[-1]) for tensor in arch.outer[2:-1]]
    for tensor, count in ends:
        if tensor.division == "replicated":
            pairs += [tensor_elements(f"{prefix}.{tensor.name}", tensor), count]
    rule = "product" if len(pairs) == 2 else "sum_of_products"  # noqa: PLR2004 - one pair
    last = computed(
        f"{prefix}.final_norm_bytes",
        collectives.shard_payload,
        elements=combined(f"{prefix}.final_norms", rule, pairs, unit="elements"),
        bits=bits,
        split=ONE,
    )
    found = combined(f"{prefix}.layers_bytes", "product", (layers, copies))
    return total(f"{prefix}.payload", (found, last))
