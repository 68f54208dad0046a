"""FLOPs of a forward pass or a training step, by component and tensor."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.forward_pass import Pass
from dsv3calc.accounting.parameters import grouped
from dsv3calc.accounting.rules_of_thumb import EVERYTHING_RECOMPUTED, rule_of_thumb
from dsv3calc.accounting.scans import scan_form, scan_lines
from dsv3calc.formulas import architecture as shapes
from dsv3calc.formulas import attention, flops, mixers, roofline
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.block import refusal
from dsv3calc.model.operator import CONVOLUTION, CORE, GROUPED, NO_PRODUCT, PRODUCT, SCAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator, Tensor
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.workload import Conventions, Workload

COMPONENTS = (
    "attention_projections",
    "attention_core",
    "mixer_projections",
    "mixer_core",
    "indexer",
    "dense_ffn",
    "latent_projections",
    "routed_experts",
    "shared_experts",
    "router",
    "head",
)
"""The lines of a FLOP table, in order; MTP joins where it is counted."""

_WHERE_PRESENT = ("mixer_projections", "mixer_core", "indexer", "latent_projections")
"""Components without a line where a model has none of their operators."""

ATTENTION_COUNTS = ("causal", "full", "half")

GRADIENTS = {
    PRODUCT: (1, 1),
    GROUPED: (1, 1),
    CONVOLUTION: (1, 1),
    CORE: (2, 0),
    SCAN: (2, 0),
}
"""Kind of operator -> FLOPs of its input gradients and weight gradients over those forward.

A core has two inputs, both of them computed: queries and keys, or scores and values. So has each
product of a scan.
"""

_MTP = Tags(component="mtp")

LIBRARY_RUNS_EVERY_EXPERT = ("llama4", "llama4_text")
"""``model_type`` of the models whose every token passes through every expert in transformers."""


class FlopsLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``PREFIX.total`` [FLOP] over ``.components.*``, ``.per_token`` and ``.tokens``.

    ``by_attention`` are ``PREFIX.by_attention.{causal,full,half}``, by :data:`ATTENTION_COUNTS`:
    none where the counting has no attention scores.
    """

    total: Line
    per_token: Line
    tokens: Line
    by_attention: dict[str, Line]


def flops_lines(
    model: Model, workload: Workload, conventions: Conventions, prefix: str = "flops"
) -> FlopsLines:
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
    """
    run = Pass(model, workload, conventions, prefix)
    if conventions.counting != "matmul":
        return _results(run, rule_of_thumb(run, lambda: _every_pair(run)), {})
    components = _components(run, conventions.attention)
    label = f"matmul; attention {conventions.attention}"
    label += EVERYTHING_RECOMPUTED if conventions.recompute == "full" else ""
    if any(view.attention.forms for view in run.arch.groups):
        label += f"; MLA {run.mla}"
    if any(view.mixer.present for view in run.arch.groups):
        label += f"; scan {scan_form(run)}"
    whole = total(f"{prefix}.total", components, unit="FLOP", convention=label)
    return _results(run, whole, _by_attention(run, whole))


def _results(run: Pass, whole: Line, by_attention: dict[str, Line]) -> FlopsLines:
    each = computed(
        f"{run.prefix}.per_token",
        roofline.per_token,
        unit="FLOP/token",
        convention=whole.convention,
        amount=whole,
        tokens=run.tokens,
    )
    return FlopsLines(total=whole, per_token=each, tokens=run.tokens, by_attention=by_attention)


class Component:
    """The operators of one line of the FLOP table that multiply: matrices, cores, then scans."""

    __slots__ = ("cores", "name", "products", "scans", "tags", "trained")

    def __init__(
        self,
        name: str,
        operators: Sequence[tuple[GroupView | None, Operator]] = (),
        group: str = "",
    ) -> None:
        """Sort them by kind.

        Raises
        ------
        UsageError
            If the FLOPs of one's kind are not known.
        """
        self.name = name
        self.tags = Tags(component=name, group=group)
        kinds: dict[str, dict[Tensor, Operator]] = {PRODUCT: {}, GROUPED: {}, CONVOLUTION: {}}
        self.cores: list[tuple[GroupView, Operator]] = []
        self.scans: list[tuple[GroupView, Operator]] = []
        for view, operator in operators:
            if operator.kind == CORE and view is not None:
                self.cores.append((view, operator))
            elif operator.scan is not None and view is not None:
                self.scans.append((view, operator))
            elif operator.kind in kinds:
                kinds[operator.kind] |= dict.fromkeys(operator.matrices, operator)
            elif operator.kind not in NO_PRODUCT:
                raise refusal("the FLOPs", operator.words)
        self.products = kinds[PRODUCT] | kinds[GROUPED] | kinds[CONVOLUTION]
        self.trained = all(operator.trained for _, operator in operators)


def components_of(run: Pass, views: Sequence[GroupView], group: str = "") -> list[Component]:
    """Return the components of layer groups in order, listed the first time.

    ``group`` names the layer group that they are counted for, where it is one by itself.
    """

    def listed() -> list[Component]:
        found: dict[str, list[tuple[GroupView | None, Operator]]] = {
            name: [] for name in COMPONENTS
        }
        for operator in () if group else (*run.arch.entry, *run.arch.exit):
            if operator.kind not in NO_PRODUCT:
                found.setdefault(operator.component, []).append((None, operator))
        for view in views:
            for operator in view.operators(run.mla):
                if operator.kind not in NO_PRODUCT:
                    found.setdefault(operator.component, []).append((view, operator))
        return [Component(name, operators, group) for name, operators in found.items()]

    return run.arch.cached(("components", run.mla, views[0].prefix), None, listed)


def _every_pair(run: Pass) -> list[Line]:
    """Count the pairs of query and key of the layers, masked ones too."""
    return [
        line
        for part in components_of(run, run.arch.groups)
        if part.name == "attention_core"
        for line in _component(run, f"{run.prefix}.components.attention_core", part, "full")
    ]


def _by_attention(run: Pass, whole: Line) -> dict[str, Line]:
    """Count the total again under each way of counting attention, from the same other parts."""
    parts = [part for part in components_of(run, run.arch.groups) if part.cores]
    varied = {"mtp", *(part.name for part in parts)}
    others = [line for line in whole.parts if line.tags.component not in varied]
    lines: dict[str, Line] = {}
    for count in ATTENTION_COUNTS:
        name = f"{run.prefix}.by_attention.{count}"
        if count == run.conventions.attention:
            lines[count] = total(name, (whole,), convention=f"attention {count}")
            continue
        varying = []
        for part in parts:
            place = f"{name}.core" if part.name == "attention_core" else ""
            varying += _component(run, f"{name}.{part.name}", part, count, place)
        if run.conventions.mtp == "in" and run.arch.mtp is not None:
            varying.append(_mtp_component(run, f"{name}.mtp", count))
        words = f"attention {count}"
        lines[count] = total(name, [*others, *varying], unit="FLOP", convention=words)
    return lines


def _components(run: Pass, count: str) -> list[Line]:
    lines = []
    for part in components_of(run, run.arch.groups):
        name = f"{run.prefix}.components.{part.name}"
        if part.name == "head":
            lines.append(_head(run, name, part.tags))
        elif part.name == "router" and run.conventions.router == "out":
            continue
        else:
            found = _component(run, name, part, count)
            if not found and part.name not in _WHERE_PRESENT:
                found = [_stepped(run, name, [], part.tags)]
            lines += found
    if run.conventions.mtp == "in" and run.arch.mtp is not None:
        lines.append(_mtp_component(run, f"{run.prefix}.components.mtp", count))
    return lines


def _component(run: Pass, name: str, part: Component, count: str, place: str = "") -> list[Line]:
    """Count the operators of a component: nothing where it has none.

    The names of its parts begin with ``place``, or else with its own.
    """
    prefix = place or name
    forward = grouped(
        prefix,
        part.products,
        lambda each, tensor: product_line(run, each, part.products[tensor], tensor),
    )
    for view, operator in part.cores:
        forward += core_lines(run, prefix, view, operator, count)
    for view, operator in part.scans:
        forward += scan_lines(run, prefix, view, operator)
    if not forward:
        return []
    return [_stepped(run, name, forward, part.tags, gradients=part.trained)]


def _stepped(
    run: Pass, name: str, forward: list[Line], tags: Tags, *, gradients: bool = True
) -> Line:
    """Sum a component's forward FLOPs; in training count its backward pass too."""
    if run.workload.phase != "train":
        return total(name, forward, unit="FLOP", tags=tags)
    passes = 1 + sum(GRADIENTS[PRODUCT]) if gradients else 1
    words = "forward, input gradients, weight gradients" if gradients else "forward alone"
    if run.conventions.recompute == "full":
        passes, words = passes + 1, f"{words}; forward again"
    return computed(
        name,
        flops.training_flops,
        tags=tags,
        passes=given("passes", passes, "1", words),
        forward=total(f"{name}.forward", forward, unit="FLOP"),
    )


def product_line(run: Pass, name: str, operator: Operator, tensor: Tensor) -> Line:
    """Count the product of one matrix with every row that passes through it."""
    assert tensor.in_features is not None  # noqa: S101 - vectors are not multiplied
    copies = tensor.used
    if operator.rows == "routed" and run.conventions.routed_experts == "as-transformers":
        every = run.arch.model.model_type in LIBRARY_RUNS_EVERY_EXPERT
        copies = tensor.copies if every else tensor.most
    return computed(
        name,
        flops.linear_flops,
        tags=tensor.tags,
        tokens=rows_of(run, operator),
        layers=tensor.layers,
        copies=copies,
        out_features=tensor.out_features,
        in_features=tensor.in_features,
    )


def rows_of(run: Pass, operator: Operator) -> Line:
    """Count the tokens that an operator works on; each matrix says how many of it serve a token."""
    if operator.rows == "context":
        return computed("tokens_in_context", shapes.tokens_in_context, run.workload_scope)
    if operator.rows == "logits" and run.workload.logits == "last":
        return field(run.workload_scope, "batch", "tokens")
    if operator.kind == CONVOLUTION and run.conventions.scan == "as-transformers":
        return _library_positions(run, operator)
    return run.tokens


def _library_positions(run: Pass, operator: Operator) -> Line:
    """Count the positions that transformers convolves: those that it cuts off too."""
    name = f"{run.prefix}.convolved_positions"
    if run.workload.phase == "decode":
        kept = given(f"{name}.each", 2, "1", "the last inputs and the new one, less the kernel")
        return combined(name, "product", (run.tokens, kept), unit="tokens")
    kernel = operator.matrices[0].in_features
    return computed(name, mixers.convolved_positions, run.workload_scope, conv_kernel=kernel)


def core_lines(
    run: Pass, prefix: str, view: GroupView, operator: Operator, count: str
) -> list[Line]:
    """Count the products of an attention core with the pairs that its layer group's span leaves."""
    core = operator.core
    assert core is not None  # noqa: S101 - an attention core has one
    pairs = run.channel_flops(view, operator, count)
    return [
        computed(
            f"{prefix}.{part}.{view.prefix}",
            attention.attention_core_flops,
            run.workload_scope,
            convention=f"attention {count}",
            tags=Tags(component=operator.component, operator=part, group=view.prefix),
            layers=view.layers,
            heads=core.heads,
            head_channels=channels,
            channel_flops=pairs,
        )
        for part, channels in core.channels.items()
    ]


def _head(run: Pass, name: str, tags: Tags) -> Line:
    forward = [_head_line(run, f"{name}.lm_head")] if run.conventions.head == "in" else []
    return _stepped(run, name, forward, tags)


def _head_line(run: Pass, name: str) -> Line:
    head = run.arch.head[-1]
    return product_line(run, name, head, head.matrices[0])


def _mtp_component(run: Pass, name: str, count: str) -> Line:
    """Count the MTP modules: projection, one layer, and the head once more for each.

    The parts have the names of the components, so that each runs against its own peak.
    """
    view = run.arch.mtp
    assert view is not None  # noqa: S101 - the callers asked
    place = f"{name}.mtp_projection"
    projection = [(None, operator) for operator in run.arch.mtp_projection]
    parts = _component(run, place, Component("mtp_projection", projection, view.prefix), count)
    for part in components_of(run, (view,), view.prefix):
        place = f"{name}.{part.name}"
        if part.name == "head":
            if run.conventions.head == "in":
                line = _head_line(run, f"{place}.one")
                again = combined(f"{place}.again", "product", (line, view.layers), unit="FLOP")
                parts.append(_stepped(run, place, [again], part.tags))
        elif not (part.name == "router" and run.conventions.router == "out"):
            parts += _component(run, place, part, count)
    return total(name, parts, tags=_MTP)
