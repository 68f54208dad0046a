"""What Megatron-LM's ``report_theoretical_memory`` says of a layout, class by class.

An average stage with one embedding, 18 bytes a parameter of which the optimizer's 12 are divided
among replicas, and activations of dense layers. Biases but the router's, and norms of queries and
keys, are not counted. DualPipe, context parallelism and the precision do not enter it. A policy of
recomputation only chooses the formula of the activations.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.memory.ranks import PARTS
from dsv3calc.accounting.memory.sharding import CLASSES, padded
from dsv3calc.accounting.parameters import tensor_elements
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.errors import UsageError
from dsv3calc.formulas import megatron, memory
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.operator import BUFFERS, ONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.accounting.memory.footprint import Footprint, Training
    from dsv3calc.accounting.memory.ranks import WorstLines
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recompute
    from dsv3calc.schema.model import Model

_BITS = {"weights": 16, "gradients": 32, "optimizer": 96}
_LATENT_NORMS = ("q_a_layernorm", "kv_a_layernorm")
_UNCOUNTED_NORMS = ("q_norm", "k_norm", "indexer_k_norm")


def _counted(tensor: Tensor) -> bool:
    """Tell whether the report counts a tensor."""
    if tensor.weight_class == "biases":
        return tensor.component == "router"
    return (
        tensor.weight_class not in BUFFERS
        and tensor.component != "indexer"
        and tensor.name not in _UNCOUNTED_NORMS
    )


def _place(tensor: Tensor) -> str:
    """Return how a tensor is sharded there: over tp, not at all, or with the experts."""
    if tensor.component == "routed_experts":
        return "experts"
    whole = tensor.component in ("norms", "router") and tensor.name not in _LATENT_NORMS
    return "replicated" if whole else "split"


def _parameters(model: Model, layout: Layout, *, mtp: bool) -> dict[str, Line]:
    """Count the parameters of the most loaded shard, by the way they are sharded."""
    arch = architecture_of(model)
    pp, tp = degree(layout, "pp"), degree(layout, "tp")
    places: dict[str, list[Line]] = {"split": [], "replicated": [], "experts": []}
    for view in arch.groups:
        for tensor in view.tensors:
            if _counted(tensor):
                name = f"megatron.parameters.{view.prefix}.{tensor.component}.{tensor.name}"
                places[_place(tensor)].append(tensor_elements(name, tensor))
    embedding, *outer = arch.outer
    norm = next(tensor for tensor in outer if tensor.name == "final_norm")
    places["replicated"].append(tensor_elements("megatron.parameters.final_norm", norm))
    found = {}
    for place, lines in places.items():
        every = total(f"megatron.parameters.{place}.all", lines, unit="elements")
        stage = combined(f"megatron.parameters.{place}.stage", "ratio", (every, pp))
        parts = [stage]
        if mtp and arch.mtp is not None:
            parts += [
                tensor_elements(f"megatron.parameters.mtp.{tensor.component}.{tensor.name}", tensor)
                for tensor in arch.mtp.tensors
                if _place(tensor) == place and _counted(tensor)
            ]
        if place == "split":
            here = tensor_elements("megatron.parameters.embedding", padded(embedding, layout))
            both = layout.pp == 1 and not model.tie_word_embeddings
            times = given("megatron.embeddings", 2 if both else 1, "1", "two with one stage")
            parts.append(combined("megatron.parameters.embeddings", "product", (here, times)))
        shard = total(f"megatron.parameters.{place}.shard", parts)
        divisor = {
            "split": tp,
            "replicated": ONE,
            "experts": combined(
                "megatron.experts", "product", (degree(layout, "ep"), degree(layout, "etp"))
            ),
        }[place]
        found[place] = combined(f"megatron.parameters.{place}", "ratio", (shard, divisor))
    return found


def _states(parameters: dict[str, Line], layout: Layout) -> dict[str, Line]:
    """Give the bytes of weights, gradients and optimizer states."""
    found = {}
    for what, bits in _BITS.items():
        width = given(f"megatron.{what}.bits", bits, "bit", "of each parameter")
        parts = []
        for place, count in parameters.items():
            replicas = ONE
            if what == "optimizer" and layout.zero:
                replicas = degree(layout, "edp" if place == "experts" else "dp")
            parts.append(
                computed(
                    f"megatron.{what}.{place}",
                    memory.shard_bytes,
                    elements=count,
                    bits=width,
                    divisor=replicas,
                )
            )
        found[what] = total(f"megatron.{what}", parts)
    return found


_MARGIN = given("megatron.margin", 1.05, "ratio", "the report's own, without SP")


def has_sequence_parallelism(layout: Layout, policy: Recompute) -> bool:
    """Tell whether the report uses its formula for sequence parallelism.

    It does where a run has sequence parallelism and selective recomputation. Megatron-LM turns
    sequence parallelism off where tp is 1.
    """
    selective = bool(policy.modules) and "full" not in policy.modules
    return layout.tp > 1 and layout.sequence_parallel and selective


_FORMS = {True: "megatron.with_sp", False: "megatron.without_sp"}
"""Whether there is sequence parallelism -> what the lines of its formula begin with."""


def _activations(footprint: Footprint, *, sp: bool) -> Line:
    """Give the activations with sequence parallelism and selective recomputation, or without."""
    model, layout = footprint.model, footprint.layout
    scopes = (("model", model), ("layout", layout))
    sizes: dict[str, Any] = {
        "batch": field(("layout", layout), "micro_batch", "1"),
        "sequence": footprint.activations.sequence,
    }
    name = f"{_FORMS[sp]}.activations"
    if sp:
        words = "with SP and selective recomputation"
        ends: dict[str, Any] = sizes
        layers = computed(
            f"{name}.layers",
            megatron.megatron_activations,
            *scopes,
            intermediate_size=_width(footprint),
            **sizes,
        )
        head = megatron.megatron_output_activations
    else:
        words = "without SP"
        ends = sizes | {"tp": ONE}  # the input of the embedding is not divided
        layers = computed(
            f"{name}.layers", megatron.megatron_activations_without_sp, *scopes, **sizes
        )
        head = megatron.megatron_output_activations_without_sp
    parts = [
        layers,
        computed(f"{name}.embedding", megatron.megatron_input_activations, *scopes, **ends),
    ]
    if layout.pp == 1:
        vocabulary = padded(architecture_of(model).outer[0], layout).out_features
        parts.append(computed(f"{name}.head", head, *scopes, vocab_size=vocabulary, **sizes))
    factors = [total(f"{name}.first_stage", parts)]
    batches = footprint.micro_batches
    if layout.schedule == "interleaved":
        factors.append(computed(f"{name}.interleaving", megatron.interleaving_penalty, *scopes))
    elif batches.value < layout.pp:
        pp = degree(layout, "pp")
        factors.append(combined(f"{name}.in_flight", "ratio", (batches, pp), unit="ratio"))
    if not sp:
        factors.append(_MARGIN)
    return combined(name, "product", factors, unit="B", convention=words)


def _width(footprint: Footprint) -> Line:
    """Return the width of a feed-forward: of dense layers, or of an expert where there are none."""
    views = footprint.views
    dense = [view for view in views if view.experts is None]
    return (dense or views)[0].feed_forward.inner_width


class MegatronLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Megatron-LM's figures [B], and how far ours are from them.

    ``printed`` are ``megatron.{weights,gradients,optimizer,activations,total}`` as its report
    prints them, ``differences`` are ``megatron.difference.{the same, buffers}``, ours less theirs,
    and the others are ``megatron.{with_sp,without_sp}.{activations,total}`` by each formula of the
    activations.
    """

    printed: dict[str, Line]
    differences: dict[str, Line]
    activations: tuple[Line, ...]
    totals: tuple[Line, ...]


def megatron_lines(footprint: Footprint, training: Training, ours: WorstLines) -> MegatronLines:
    """Give Megatron-LM's figures for a layout, and how far ours are from them.

    Parameters
    ----------
    footprint
        The layout, whose numbers are plain ones.
    training
        Its policy of recomputation.
    ours
        Its fullest rank.

    Raises
    ------
    UsageError
        If a layer is not one of attention and a feed-forward, or more stands beside it: the report
        knows no other.
    """
    if added := [type(each).__struct_config__.tag for each in footprint.model.additions]:
        raise UsageError(f"Megatron-LM's memory report knows no {', '.join(map(str, added))}")
    for view in footprint.views:
        if view.mixer.present:
            raise view.mixer.refusal("Megatron-LM's memory report")
        if not (view.attention.present and view.feed_forward.present):
            raise UsageError("Megatron-LM's memory report has attention and MLP in every layer")
    parameters = _parameters(footprint.model, footprint.layout, mtp=footprint.mtp)
    states = _states(parameters, footprint.layout)
    forms = {sp: _activations(footprint, sp=sp) for sp in (True, False)}
    printed = forms[has_sequence_parallelism(footprint.layout, training.recompute)]
    theirs = states | {"activations": total("megatron.activations", [printed])}
    theirs["total"] = total("megatron.total", list(theirs.values()))
    nothing = given("megatron.no_buffers", 0, "B")
    differences = {
        what: combined(
            f"megatron.difference.{what}",
            "difference",
            (ours.parts[what], theirs.get(what, nothing)),
        )
        for what in PARTS
    }
    return MegatronLines(
        printed=theirs,
        differences=differences,
        activations=tuple(forms.values()),
        totals=tuple(
            total(f"{_FORMS[sp]}.total", [*states.values(), line]) for sp, line in forms.items()
        ),
    )


_LEFT_OUT = {
    "biases": "biases of attention and experts",
    "norms": "norms of queries and keys",
    "indexer": "the indexer's weights",
}
_DIVIDED = "there only norms and routers are not divided over tp or the experts' GPUs"


def reasons(footprint: Footprint, training: Training, found: MegatronLines) -> list[str]:
    """Say why the figures differ: what there is of it in this layout, for the classes that do."""
    differ = {what for what in PARTS[:-1] if found.differences[what].value}
    stage = _stage_reason(footprint.layout)
    applies: dict[str, list[str]] = {}
    for what in CLASSES:
        if what in differ:
            own = [*([stage] if stage else []), *_state_reasons(footprint, training, what)]
            for words in own or [_DIVIDED]:
                applies.setdefault(words, []).append(what)
    said = [f"{', '.join(classes)}: {words}" for words, classes in applies.items()]
    if "activations" in differ:
        sp = has_sequence_parallelism(footprint.layout, training.recompute)
        said.append(f"activations: {_activation_reason(footprint, sp=sp)}")
    if "buffers" in differ:
        said.append("buffers: none there")
    said.append(
        "Megatron-LM takes one formula for activations with sequence parallelism and selective "
        "recomputation, and another one, plus 5 %, without; at tp 1 it turns sequence parallelism "
        "off"
    )
    return said


def _stage_reason(layout: Layout) -> str:
    if layout.pp == 1:
        return ""
    two = " (two under DualPipe)" if layout.schedule == "dualpipe" else ""
    return (
        f"an average stage and one embedding there; here each rank's own stages{two}, with "
        "embedding and head where they are"
    )


def _state_reasons(footprint: Footprint, training: Training, what: str) -> Iterator[str]:
    """Yield what sets apart the bytes of a parameter, or the replicas that share them."""
    model, layout, recipe = footprint.model, footprint.layout, training.recipe
    kept = {
        "gradients": recipe.gradient_bits,
        "optimizer": recipe.master_bits + recipe.first_moment_bits + recipe.second_moment_bits,
    }.get(what)
    if what == "optimizer" and recipe.matrix_optimizer == "muon":
        yield "two moments of every parameter there; here one of the matrices"
    if kept is not None and kept != _BITS[what]:
        yield f"{_BITS[what] // 8} bytes a parameter there; here {kept / 8:g}, the recipe's"
    if what == "weights":
        precision = training.precision
        bits = {
            precision.formats[name].bits
            for each, name in precision.weights.items()
            if each != "routing_bias"  # which is left out there
        }
        if recipe.compute_copy != "bf16" and bits != {_BITS[what]}:
            yield f"2 bytes a parameter there; here as {precision.name} stores them"
    least = {"weights": 3, "gradients": 2}.get(what)
    if least is not None and layout.zero >= least and layout.dp * layout.cp > 1:
        yield f"whole on every replica there; here ZeRO {layout.zero} divides them"
    if what == "optimizer" and layout.zero and layout.cp > 1:
        yield f"divided among dp there; here among dp x cp {layout.cp}"
    if what == "optimizer" and layout.mirror_optimizer:
        yield "here the two ranks of a stage share it"
    rows = padded(architecture_of(model).outer[0], layout).out_features.value
    if layout.vocabulary_parallel and not training.rules.padded and rows != model.vocab_size:
        yield f"a vocabulary of {rows:,} there, padded; here {model.vocab_size:,} (--padded)"
    if footprint.layout.redundant_experts:
        yield f"no redundant experts there; here {layout.redundant_experts:,}"
    yield from _left_out(model, what)


def _left_out(model: Model, what: str) -> Iterator[str]:
    """Yield which tensors the report does not count."""
    uncounted = {
        tensor.weight_class
        for view in architecture_of(model).groups
        for tensor in view.tensors
        if not _counted(tensor)
    }
    if what == "weights" and "routing_bias" in uncounted:
        yield "the routing bias is left out there"
    for weight_class, words in _LEFT_OUT.items():
        if weight_class in uncounted:
            yield f"{words} are left out there"


def _activation_reason(footprint: Footprint, *, sp: bool) -> str:
    model, layout = footprint.model, footprint.layout
    there = []
    if any(view.experts is not None for view in footprint.views):
        there.append("every layer is dense")
    cores = [each.core for view in footprint.views for each in view.operators() if each.core]
    if any(
        core.heads.value * channels.value != model.hidden_size
        for core in cores
        for channels in core.channels.values()
    ):
        there.append("heads are as wide as the hidden state")
    if sp:
        there.append("attention's core is recomputed")
    else:
        there += ["feed-forwards are four times as wide as the hidden state", "5 % are added"]
    if layout.pp > 1:
        there.append("a stage's layers are held for pp micro-batches")
    if layout.cp > 1:
        there.append("cp divides nothing")
    numbers = ", in the schedule's own numbers" if layout.pp > 1 else ""
    return f"there {', '.join(there)}; here each tensor is kept as the policy says{numbers}"
