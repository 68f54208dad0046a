"""Parameters of a model: total, active, by component and tensor; and the bytes they take."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import architecture as shapes
from dsv3calc.formulas import experts
from dsv3calc.ledger.line import Line, combined, computed, field, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.architecture import Architecture, architecture_of
from dsv3calc.model.operator import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.model import Model

COMPONENTS = (
    "embedding",
    "head",
    "attention",
    "dense_ffn",
    "routed_experts",
    "shared_experts",
    "router",
    "norms",
    "indexer",
)
"""The lines of a parameter table, in order; MTP and scales join where a variant includes them."""

INCLUSIONS = {
    "embedding": "the input embedding",
    "head": "the output head (the same matrix as the embedding where tied)",
    "router": "the routers' linear layers",
    "routing-bias": "the per-expert bias that balances routing, a buffer in most libraries",
    "routing-table": "tables of the experts that a token of the vocabulary goes to, buffers too",
    "norms": "norm weights and biases",
    "biases": "biases of linear layers, attention sinks, and the vectors of mixers such as decays",
    "mtp": "multi-token-prediction modules: their layers, projections and norms",
    "mtp-copies": "the copies of embedding and head that a checkpoint stores for each MTP module",
    "scales": "quantisation scales, where the precision stores any",
}
"""What a parameter count may or may not include. Attention and feed-forward always count."""

_EVERYTHING = frozenset({"embedding", "head", "router", "routing-bias", "norms", "biases"})

PARAMETER_VARIANTS: dict[str, tuple[frozenset[str], str]] = {
    "default": (
        _EVERYTHING,
        "everything the model computes with, without MTP, its copies and scales",
    ),
    "trainable": (_EVERYTHING - {"routing-bias"}, "as torch counts parameters(): no buffers"),
    "with-mtp": (_EVERYTHING | {"mtp"}, "the default and the MTP modules"),
    "checkpoint": (
        _EVERYTHING | {"routing-table", "mtp", "mtp-copies", "scales"},
        "every element that the published files store",
    ),
    "non-embedding": (_EVERYTHING - {"embedding", "head"}, "layers and final norm only"),
    "without-head": (_EVERYTHING - {"head"}, "the default without the output head"),
    "matmul": (frozenset({"head", "router"}), "matrices used in matrix products"),
}
"""Named inclusion lists."""

_SWITCH = {
    "norms": "norms",
    "biases": "biases",
    "mixer_vectors": "biases",
    "routing_bias": "routing-bias",
    "routing_table": "routing-table",
}


def included(tensor: Tensor, inclusions: frozenset[str]) -> bool:
    """Tell whether a parameter count with these inclusions has this tensor."""
    switch = _SWITCH.get(tensor.weight_class)
    if switch is not None and switch not in inclusions:
        return False
    if tensor.tied and "head" in inclusions:
        return True
    return tensor.component not in INCLUSIONS or tensor.component in inclusions


def tensor_elements(name: str, tensor: Tensor, layers: Line | None = None) -> Line:
    """Count the elements of one tensor over ``layers``, by default all layers of its group."""
    layers = tensor.layers if layers is None else layers
    if tensor.in_features is None:
        return computed(
            name,
            shapes.vector_elements,
            tags=tensor.tags,
            layers=layers,
            copies=tensor.copies,
            width=tensor.out_features,
        )
    return computed(
        name,
        shapes.matrix_elements,
        tags=tensor.tags,
        layers=layers,
        copies=tensor.copies,
        out_features=tensor.out_features,
        in_features=tensor.in_features,
    )


def grouped(prefix: str, tensors: Iterable[Tensor], line_of: Any) -> list[Line]:
    """Return one line per tensor name: of the tensor itself, or its sum over layer groups."""
    by_name: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        by_name.setdefault(tensor.name, []).append(tensor)
    lines = []
    for name, same in by_name.items():
        full = f"{prefix}.{name}"
        if len(same) == 1:
            lines.append(line_of(full, same[0]))
        else:
            parts = [line_of(f"{full}.groups.{tensor.group}", tensor) for tensor in same]
            tags = Tags(component=same[0].component, tensor=name)
            lines.append(total(full, parts, tags=tags))
    return lines


def model_tensors(arch: Architecture) -> list[Tensor]:
    """List the tensors of a model without MTP; a tied head is the embedding and not listed."""
    tied = arch.model.tie_word_embeddings
    outer = [tensor for tensor in arch.outer if not (tied and tensor.name == "head")]
    layers = [tensor for view in arch.groups for tensor in view.tensors]
    return [*outer, *arch.entry_tensors, *layers]


def mtp_tensors(arch: Architecture) -> list[Tensor]:
    """List the tensors of the MTP modules, their shared embedding and head aside."""
    if arch.mtp is None:
        return []
    return [*arch.mtp.tensors, *arch.mtp_tensors]


def _copies(arch: Architecture) -> list[Tensor]:
    """List the embedding and head that a checkpoint stores again for each MTP module."""
    if arch.mtp is None or arch.model.mtp is None or not arch.model.mtp.stores_embedding_and_head:
        return []
    return [
        Tensor(
            f"{tensor.name}_copy",
            "mtp_copies",
            tensor.out_features,
            tensor.in_features,
            layers=arch.mtp.layers,
            weight_class=tensor.name,
        )
        for tensor in arch.outer
        if tensor.name in ("embedding", "head")
    ]


def _left_out(arch: Architecture, inclusions: frozenset[str]) -> bool:
    """Tell whether a count of what is stored meets MTP modules that the files do not hold."""
    mtp = arch.model.mtp
    return "mtp-copies" in inclusions and mtp is not None and not mtp.stored


def counted_tensors(arch: Architecture, inclusions: frozenset[str]) -> list[Tensor]:
    """List the tensors that a count with these inclusions has, MTP and its copies among them."""
    tensors = model_tensors(arch)
    if "mtp" in inclusions and not _left_out(arch, inclusions):
        tensors = tensors + mtp_tensors(arch)
    counted = [tensor for tensor in tensors if included(tensor, inclusions)]
    return counted + (_copies(arch) if "mtp-copies" in inclusions else [])


class ParameterLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``parameters.*`` [elements]; ``mtp`` is None where the total is made of it already.

    ``towers`` stand beside the language model and ``whole`` is both: None where there is no tower.
    """

    total: Line
    active: Line
    active_without_embedding: Line
    mtp: Line | None
    towers: Line | None
    whole: Line | None


def parameter_lines(
    model: Model, inclusions: frozenset[str], convention: str, *, scales: Line | None = None
) -> ParameterLines:
    """Count a model's parameters.

    Parameters
    ----------
    model
        The architecture; its numbers may be ints, arrays or symbols.
    inclusions
        Which of :data:`INCLUSIONS` count.
    convention
        The name of that list, for the lines.
    scales
        The line of :func:`scale_elements`, where the variant counts scales.
    """
    arch = architecture_of(model)
    key = ("parameters", inclusions, convention)
    return arch.cached(key, scales, lambda: _parameter_lines(arch, inclusions, convention, scales))


def _parameter_lines(
    arch: Architecture, inclusions: frozenset[str], convention: str, scales: Line | None
) -> ParameterLines:
    components = _components(arch, inclusions)
    mtp = total("parameters.mtp", (), unit="elements")
    if arch.mtp is not None:
        # beside a total that leaves MTP out, the modules are shown whole
        shown = inclusions if "mtp" in inclusions else frozenset(INCLUSIONS)
        counted = [tensor for tensor in mtp_tensors(arch) if included(tensor, shown)]
        mtp = total("parameters.mtp", _by_component("parameters.mtp", counted))
        if "mtp" in inclusions and not _left_out(arch, inclusions):
            components["mtp"] = total(
                "parameters.components.mtp",
                (mtp,),
                convention=convention,
                tags=Tags(component="mtp"),
            )
    if scales is not None:
        components["scales"] = scales
    whole = total(
        "parameters.total", list(components.values()), unit="elements", convention=convention
    )
    active = _active(arch, whole, components, inclusions, convention)
    apart = [] if arch.model.tie_word_embeddings else [components["embedding"]]
    towers, every = _towers(arch, whole)
    return ParameterLines(
        towers=towers,
        whole=every,
        total=whole,
        active=active,
        active_without_embedding=combined(
            "parameters.active_without_embedding",
            "difference",
            (active, *apart),
            convention=f"{convention}; input embedding out, head in",
        ),
        mtp=None if "mtp" in components else mtp,
    )


def _towers(arch: Architecture, text: Line) -> tuple[Line | None, Line | None]:
    """Count the towers beside the language model, and the whole with both."""
    if not arch.model.towers:
        return None, None
    lines = [
        total(
            f"parameters.towers.{tower.name}",
            (field((f"model.towers.{index}", tower), "parameters"),),
        )
        for index, tower in enumerate(arch.model.towers)
    ]
    towers = total("parameters.towers", lines, unit="elements")
    return towers, total("parameters.whole", (text, towers), convention=text.convention)


def _by_component(prefix: str, tensors: Sequence[Tensor]) -> list[Line]:
    """Sum tensors by component, leaving out what the model does not have."""
    return [
        total(
            f"{prefix}.{component}",
            grouped(
                f"{prefix}.{component}",
                [tensor for tensor in tensors if tensor.component == component],
                tensor_elements,
            ),
            tags=Tags(component=component),
        )
        for component in dict.fromkeys(tensor.component for tensor in tensors)
    ]


def _components(arch: Architecture, inclusions: frozenset[str]) -> dict[str, Line]:
    tensors = model_tensors(arch)
    if "mtp-copies" in inclusions:
        tensors += _copies(arch)
    lines = {}
    for component in dict.fromkeys((*COMPONENTS, *(tensor.component for tensor in tensors))):
        chosen = [
            tensor
            for tensor in tensors
            if tensor.component == component and included(tensor, inclusions)
        ]
        if chosen or component in COMPONENTS:
            prefix = f"parameters.components.{component}"
            parts = grouped(prefix, chosen, tensor_elements)
            tags = Tags(component=component)
            lines[component] = total(prefix, parts, unit="elements", tags=tags)
    return lines


def _active(
    arch: Architecture,
    whole: Line,
    components: dict[str, Line],
    inclusions: frozenset[str],
    convention: str,
) -> Line:
    """Count what one token passes through: all but the routed experts not chosen for it."""
    views = [*arch.groups]
    if arch.mtp is not None and "mtp" in inclusions and not _left_out(arch, inclusions):
        views.append(arch.mtp)
    idle = []
    for view in views:
        if view.experts is not None:
            name = f"parameters.inactive.{view.prefix}"
            routed = _routed(f"{name}.routed_experts", view, inclusions)
            count: Callable[..., Any] = experts.inactive_expert_elements
            if view.experts.spec.zero_expert_num:
                count = experts.expected_inactive_elements
            idle.append(computed(name, count, view.experts.scope, elements=routed))
    stored_only = [components[name] for name in ("mtp_copies", "scales") if name in components]
    return combined(
        "parameters.active",
        "difference",
        (whole, total("parameters.inactive", idle, unit="elements"), *stored_only),
        convention=convention,
    )


def _routed(name: str, view: GroupView, inclusions: frozenset[str]) -> Line:
    tensors = [
        tensor
        for tensor in view.tensors
        if tensor.component == "routed_experts" and included(tensor, inclusions)
    ]
    return total(name, [tensor_elements(f"{name}.{tensor.name}", tensor) for tensor in tensors])


def per_layer_lines(model: Model, inclusions: frozenset[str]) -> list[dict[str, Line]]:
    """Count one layer of each group by component, with its ``total``."""
    found = []
    for view in architecture_of(model).groups:
        prefix = f"parameters.per_layer.{view.prefix}"
        lines = {}
        components = dict.fromkeys((*COMPONENTS, *(each.component for each in view.tensors)))
        for component in components:
            if component in ("embedding", "head"):
                continue
            parts = [
                tensor_elements(f"{prefix}.all.{component}.{tensor.name}", tensor)
                for tensor in view.tensors
                if tensor.component == component and included(tensor, inclusions)
            ]
            group = total(f"{prefix}.all.{component}", parts, unit="elements")
            tags = Tags(component=component, group=view.prefix)
            name, quotient = f"{prefix}.{component}", (group, view.layers)
            lines[component] = combined(name, "ratio", quotient, tags=tags)
        tags = Tags(quantity="total", group=view.prefix)
        lines["total"] = total(f"{prefix}.total", list(lines.values()), tags=tags)
        found.append(lines)
    return found
