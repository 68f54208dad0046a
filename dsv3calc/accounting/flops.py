"""FLOPs of a forward pass or a training step, by component and tensor."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dsv3calc.accounting.architecture import GroupView, Tensor
from dsv3calc.accounting.forward_pass import Pass
from dsv3calc.accounting.parameters import PARAMETER_VARIANTS, grouped, parameter_lines
from dsv3calc.formulas import architecture as shapes
from dsv3calc.formulas import attention, flops, roofline
from dsv3calc.ledger import Line, combined, computed, field, given, total
from dsv3calc.schema.model import MLA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.schema.model import Model
    from dsv3calc.schema.workload import Conventions, Workload

COMPONENTS = (
    "attention_projections",
    "attention_core",
    "indexer",
    "dense_ffn",
    "routed_experts",
    "shared_experts",
    "router",
    "head",
)
"""The lines of a FLOP table, in order; MTP joins where it is counted."""

ATTENTION_COUNTS = ("causal", "full", "half")

LIBRARY_RUNS_EVERY_EXPERT = ("llama4", "llama4_text")
"""``model_type`` of the models whose every token passes through every expert in transformers."""


def flops_lines(
    model: Model, workload: Workload, conventions: Conventions, prefix: str = "flops"
) -> list[Line]:
    """Count the FLOPs of a workload.

    Parameters
    ----------
    model
        The architecture.
    workload
        Phase, batch, new and cached tokens; ints, arrays or symbols.
    conventions
        How to count; see ``dsv3calc conventions list``.
    prefix
        What the lines' names start with.

    Returns
    -------
    Lines ``flops.total`` [FLOP] over ``flops.components.*``, ``flops.per_token``, ``flops.tokens``
    and, where the counting has attention scores, ``flops.by_attention.{causal,full,half}``.
    """
    run = Pass(model, workload, conventions, prefix)
    if conventions.counting != "matmul":
        whole = _rule_of_thumb(run)
        return [whole, *_per_token(run, whole)]
    components = _components(run, conventions.attention)
    label = f"matmul; attention {conventions.attention}"
    if any(isinstance(view.group.attention, MLA) for view in run.arch.groups):
        label += f"; MLA {run.mla}"
    whole = total(f"{prefix}.total", components, unit="FLOP", convention=label)
    return [whole, *_per_token(run, whole), *_by_attention(run, whole)]


def _per_token(run: Pass, whole: Line) -> list[Line]:
    return [
        computed(
            f"{run.prefix}.per_token",
            roofline.per_token,
            unit="FLOP/token",
            convention=whole.convention,
            amount=whole,
            tokens=run.tokens,
        ),
        run.tokens,
    ]


def _rule_of_thumb(run: Pass) -> Line:
    per_parameter = given(
        "flops_per_parameter",
        6 if run.workload.phase == "train" else 2,
        "1",
        "forward and backward" if run.workload.phase == "train" else "forward",
    )
    if run.conventions.counting == "twelve-l-h2":
        return computed(
            f"{run.prefix}.total",
            flops.twelve_l_h2_flops,
            run.arch.scope,
            convention="twelve-l-h2",
            flops_per_parameter=per_parameter,
            tokens=run.tokens,
        )
    variant = "with-mtp" if run.conventions.mtp == "in" else "default"
    lines = parameter_lines(run.arch.model, PARAMETER_VARIANTS[variant][0], variant)
    return computed(
        f"{run.prefix}.total",
        flops.six_n_flops,
        convention="six-n; N is active parameters without the input embedding",
        flops_per_parameter=per_parameter,
        active=lines[2],
        tokens=run.tokens,
    )


def _by_attention(run: Pass, whole: Line) -> list[Line]:
    """Count the total again under each way of counting attention, from the same other parts."""
    varied = [f"{run.prefix}.components.{name}" for name in ("attention_core", "indexer", "mtp")]
    others = [line for line in whole.parts if line.name not in varied]
    lines = []
    for count in ATTENTION_COUNTS:
        name = f"{run.prefix}.by_attention.{count}"
        if count == run.conventions.attention:
            lines.append(total(name, (whole,), convention=f"attention {count}"))
            continue
        varying = [
            _stepped(run, f"{name}.attention_core", _core_lines(run, f"{name}.core", count)),
            *_indexer_component(run, f"{name}.indexer", count),
        ]
        if run.conventions.mtp == "in" and run.arch.mtp is not None:
            varying.append(_mtp_component(run, f"{name}.mtp", count))
        lines.append(total(name, [*others, *varying], unit="FLOP", convention=f"attention {count}"))
    return lines


def _components(run: Pass, count: str) -> list[Line]:
    prefix = f"{run.prefix}.components"
    lines = []
    views = run.arch.groups
    for component in COMPONENTS:
        name = f"{prefix}.{component}"
        if component == "attention_core":
            lines.append(_stepped(run, name, _core_lines(run, name, count)))
        elif component == "indexer":
            lines.extend(_indexer_component(run, name, count))
        elif component == "head":
            lines.append(_head(run, name))
        elif component == "router" and run.conventions.router == "out":
            continue
        else:
            lines.append(_stepped(run, name, _linear_lines(run, name, views, component)))
    if run.conventions.mtp == "in" and run.arch.mtp is not None:
        lines.append(_mtp_component(run, f"{prefix}.mtp", count))
    return lines


def _stepped(run: Pass, name: str, forward: list[Line], *, gradients: bool = True) -> Line:
    """Sum a component's forward FLOPs; in training count its backward pass too."""
    if run.workload.phase != "train":
        return total(name, forward, unit="FLOP")
    passes = 3 if gradients else 1
    words = "forward, input gradients, weight gradients" if gradients else "forward alone"
    return computed(
        name,
        flops.training_flops,
        passes=given("passes", passes, "1", words),
        forward=total(f"{name}.forward", forward, unit="FLOP"),
    )


def _linear_lines(run: Pass, prefix: str, views: Iterable[GroupView], component: str) -> list[Line]:
    source = "attention" if component == "attention_projections" else component
    tensors = [
        tensor
        for view in views
        for tensor in view.tensors
        if tensor.component == source and tensor.in_features is not None
    ]
    absorbed = run.mla == "absorbed"
    kept = [tensor for tensor in tensors if not (absorbed and tensor.name == "kv_b_proj")]
    lines = grouped(prefix, kept, lambda name, tensor: _linear(run, name, tensor))
    if component == "attention_projections" and absorbed:
        lines.extend(_absorbing(run, prefix, views))
    return lines


def _linear(run: Pass, name: str, tensor: Tensor) -> Line:
    """Count one tensor's product with every token that passes through it."""
    assert tensor.in_features is not None  # noqa: S101 - vectors are not multiplied
    tokens = run.tokens
    if tensor.name == "kv_b_proj" and run.mla == "latent":
        tokens = computed("tokens_in_context", shapes.tokens_in_context, run.workload_scope)
    used = tensor.used
    every = run.conventions.routed_experts == "as-transformers"
    if (
        every
        and tensor.component == "routed_experts"
        and run.arch.model.model_type in LIBRARY_RUNS_EVERY_EXPERT
    ):
        used = tensor.copies
    return computed(
        name,
        flops.linear_flops,
        tokens=tokens,
        layers=tensor.layers,
        copies=used,
        out_features=tensor.out_features,
        in_features=tensor.in_features,
    )


def _absorbing(run: Pass, prefix: str, views: Iterable[GroupView]) -> list[Line]:
    """Count what replaces kv_b_proj when it is folded into queries and outputs."""
    tensors = []
    for view in views:
        if isinstance(view.group.attention, MLA):
            latent = field(view.attention, "kv_lora_rank")
            for name, channels in (
                ("absorb_q", "qk_nope_head_dim"),
                ("absorb_o", "v_head_dim"),
            ):
                tensors.append(
                    Tensor(
                        name,
                        "attention",
                        field(view.attention, channels),
                        latent,
                        layers=view.layers,
                        group=view.index,
                        copies=field(view.attention, "num_attention_heads", "1"),
                    )
                )
    return grouped(prefix, tensors, lambda name, tensor: _linear(run, name, tensor))


def _core_lines(
    run: Pass, prefix: str, count: str, views: Iterable[GroupView] | None = None
) -> list[Line]:
    """Count scores and weighted values of every layer group."""
    lines = []
    for view in run.arch.groups if views is None else views:
        channel = run.channel_flops(view, count)
        heads, *head_channels = view.once(
            ("core", run.mla), None, partial(_heads_and_channels, run, view)
        )
        for part, channels in zip(("scores", "values"), head_channels, strict=True):
            lines.append(
                computed(
                    f"{prefix}.{part}.{view.prefix}",
                    attention.attention_core_flops,
                    run.workload_scope,
                    convention=f"attention {count}",
                    layers=view.layers,
                    heads=heads,
                    head_channels=channels,
                    channel_flops=channel,
                )
            )
    return lines


def _heads_and_channels(run: Pass, view: GroupView) -> list[Line]:
    """Give the heads, the channels that a score sums over, and those of a weighted value."""
    scope = view.attention
    heads = field(scope, "num_attention_heads", "1")
    if not isinstance(view.group.attention, MLA):
        head_dim = field(scope, "head_dim")
        return [heads, head_dim, head_dim]
    rope = field(scope, "qk_rope_head_dim")
    name = f"{view.prefix}.score_channels"
    if run.mla == "absorbed":
        latent = field(scope, "kv_lora_rank")
        return [heads, total(name, (latent, rope)), latent]
    nope = field(scope, "qk_nope_head_dim")
    return [heads, total(name, (nope, rope)), field(scope, "v_head_dim")]


def _indexer_component(run: Pass, name: str, count: str) -> list[Line]:
    """Count the indexer, forward alone: its loss is its own, and no gradient passes on."""
    forward = _indexer_lines(run, name, count, run.arch.groups)
    if not forward:
        return []
    return [_stepped(run, name, forward, gradients=False)]


def _indexer_lines(run: Pass, name: str, count: str, views: Iterable[GroupView]) -> list[Line]:
    lines = _linear_lines(run, name, views, "indexer")
    for view in views:
        attend = view.group.attention
        if not isinstance(attend, MLA) or attend.indexer is None:
            continue
        scope = (f"{view.attention[0]}.indexer", attend.indexer)
        lines.append(
            computed(
                f"{name}.core.{view.prefix}",
                attention.attention_core_flops,
                run.workload_scope,
                convention=f"attention {count}",
                layers=view.layers,
                heads=field(scope, "index_n_heads", "1"),
                head_channels=computed(
                    f"{view.prefix}.indexer_channels", attention.indexer_channels, scope
                ),
                channel_flops=run.channel_flops(view, count, every_key=True),
            )
        )
    return lines


def _head_tokens(run: Pass) -> Line:
    if run.workload.logits == "last":
        return field(run.workload_scope, "batch", "tokens")
    return run.tokens


def _head(run: Pass, name: str) -> Line:
    forward = []
    if run.conventions.head == "in":
        forward.append(_head_line(run, f"{name}.lm_head"))
    return _stepped(run, name, forward)


def _head_line(run: Pass, name: str) -> Line:
    scope = run.arch.scope
    return computed(
        name,
        flops.linear_flops,
        tokens=_head_tokens(run),
        layers=given("one", 1, "1"),
        copies=given("one", 1, "1"),
        out_features=field(scope, "vocab_size"),
        in_features=field(scope, "hidden_size"),
    )


def _mtp_component(run: Pass, name: str, count: str) -> Line:
    """Count the MTP modules: projection, one layer, and the head once more for each.

    The parts have the names of the components, so that each runs against its own peak.
    """
    view = run.arch.mtp
    assert view is not None  # noqa: S101 - the callers asked
    parts = [_mtp_part(run, f"{name}.mtp_projection", run.arch.mtp_tensors)]
    for component in COMPONENTS:
        place = f"{name}.{component}"
        if component == "attention_core":
            parts.append(_stepped(run, place, _core_lines(run, place, count, (view,))))
        elif component == "indexer":
            forward = _indexer_lines(run, place, count, (view,))
            parts += [_stepped(run, place, forward, gradients=False)] if forward else []
        elif component == "head":
            if run.conventions.head == "in":
                line = _head_line(run, f"{place}.one")
                again = combined(f"{place}.again", "product", (line, view.layers), unit="FLOP")
                parts.append(_stepped(run, place, [again]))
        elif not (component == "router" and run.conventions.router == "out"):
            forward = _linear_lines(run, place, (view,), component)
            parts += [_stepped(run, place, forward)] if forward else []
    return total(name, parts)


def _mtp_part(run: Pass, name: str, tensors: Iterable[Tensor]) -> Line:
    forward = [
        _linear(run, f"{name}.{tensor.name}", tensor)
        for tensor in tensors
        if tensor.in_features is not None
    ]
    return _stepped(run, name, forward)
