"""Bytes that a GPU holds of the tensors of one layer: weights, gradients, optimizer states."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.matrix_optimizer import by_muon, state_bits
from dsv3calc.accounting.memory.sharding import CLASSES, Rules, Sharding
from dsv3calc.accounting.parameters import tensor_elements
from dsv3calc.accounting.placement.expert_slots import shared_slots
from dsv3calc.accounting.weights import block_values, format_of
from dsv3calc.formulas import memory
from dsv3calc.ledger.line import Line, computed, field, given, total
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.operator import BUFFERS, ONE, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.memory import Recipe
    from dsv3calc.schema.precision import Format, Precision

COMPUTE_COPIES = {
    "stored": "one copy, as the precision stores weights",
    "stored-twice": "as stored, plus a column-wise copy of weights that have scales",
    "bf16": "one copy in BF16, cast on use",
    "gathered": "one copy in BF16; under ZeRO-3 it exists only while it is gathered",
    "bf16-and-stored": "a copy in BF16, plus one as the precision stores weights",
}
"""Which copies of the weights the forward pass reads: name -> words."""

GATHERED = 3
"""The ZeRO stage from which weights are gathered while a layer runs."""

_BF16 = given("compute_copy.bits", 16, "bit", "a copy in BF16")


def layer_tensors(view: GroupView, layout: Layout, rules: Rules) -> Iterable[Tensor]:
    """Yield the tensors of one layer as a layout holds them: experts with their replicas."""
    for tensor in view.tensors:
        if tensor.division == "experts" and view.experts is not None:
            yield tensor.changed(copies=expert_slots_line(view, layout))
        elif tensor.component == "shared_experts" and layout.shared_experts == "routed":
            continue  # they take places among the routed ones
        elif rules.no_routing_bias and tensor.weight_class == "routing_bias":
            continue
        elif rules.replicated_query_rope:
            yield from view.attention.query_parts(tensor)
        else:
            yield tensor


def expert_slots_line(view: GroupView, layout: Layout) -> Line:
    """Count the places for experts of one layer, replicas and dispatched shared ones included."""
    experts = view.experts
    assert experts is not None  # noqa: S101 - asked of layers with experts
    return computed(
        f"memory.layer.{view.prefix}.expert_slots",
        memory.expert_slots,
        experts.scope,
        ("layout", layout),
        shared_slots=given(
            "layout.shared_experts", shared_slots(experts.spec, layout), "1", layout.shared_experts
        ),
    )


class States:
    """How tensors are kept: the recipe's bits, the precision's formats, the layout's divisors."""

    def __init__(
        self,
        sharding: Sharding,
        recipe: Recipe | None,
        precision_: Precision,
        twice: frozenset[str] = frozenset(),
    ) -> None:
        self.sharding = sharding
        self.twice = twice
        self.recipe = recipe
        self.precision = precision_
        self.copy = "stored" if recipe is None else recipe.compute_copy
        padded = sharding.rules.padded
        self.bytes_of = memory.padded_shard_bytes if padded else memory.shard_bytes
        if recipe is None:
            return
        scope = ("recipe", recipe)
        self.gradient_bits = field(scope, "gradient_bits", "bit")
        self._optimizer_bits = {
            muon: state_bits(recipe, muon=muon)
            for muon in {False, recipe.matrix_optimizer == "muon"}
        }

    def of(
        self,
        prefix: str,
        tensors: Iterable[Tensor],
        view: GroupView | None,
        classes: Sequence[str] = CLASSES,
        component: str = "",
    ) -> dict[str, Line]:
        """Give the bytes of tensors by class; those of weights alone where nothing is trained.

        ``component`` says what the tensors are where they are none of a layer.

        Returns
        -------
        Class -> line ``PREFIX.CLASS`` [B], over a line for each tensor.
        """
        parts: dict[str, list[Line]] = {what: [] for what in classes}
        for tensor in tensors:
            name = f"{tensor.component}.{tensor.name}"
            elements = tensor_elements(f"{prefix}.elements.{name}", tensor, ONE)
            if "weights" in parts:
                parts["weights"] += self._weights(
                    f"{prefix}.weights.{name}", tensor, view, elements
                )
            if self.recipe is None or tensor.weight_class in BUFFERS:
                continue  # a buffer: it is not trained by gradients
            for what, bits in (
                ("gradients", self.gradient_bits),
                ("optimizer", self._optimizer_bits[by_muon(self.recipe, tensor)]),
            ):
                if what in parts:
                    parts[what].append(
                        self._held(f"{prefix}.{what}.{name}", elements, bits, tensor, view, what)
                    )
        group = "" if view is None else view.prefix
        return {
            what: total(
                f"{prefix}.{what}",
                lines,
                unit="B",
                tags=Tags(quantity=what, component=component, group=group),
            )
            for what, lines in parts.items()
        }

    def _held(
        self,
        name: str,
        elements: Line,
        bits: Line,
        tensor: Tensor,
        view: GroupView | None,
        what: str,
        beside: str = "",
    ) -> Line:
        """Give the bytes of a tensor, or of what is stored ``beside`` it: another copy, scales."""
        tags = tensor.tags
        if beside:
            tags = msgspec.structs.replace(tags, tensor=f"{tensor.name}{beside}")
        return computed(
            name,
            self.bytes_of,
            tags=tags,
            elements=elements,
            bits=bits,
            divisor=self.sharding.divisor(tensor, view, what),
        )

    def _weights(
        self, name: str, tensor: Tensor, view: GroupView | None, elements: Line
    ) -> Sequence[Line]:
        """Give the bytes of a tensor's compute copies, their scales beside them."""
        key, form = format_of(self.precision, tensor)
        if self.copy == "gathered" and self.sharding.layout.zero == GATHERED:
            return []  # the optimizer's master weights are cast as they are gathered
        if self.copy in ("bf16", "gathered") and tensor.weight_class not in BUFFERS:
            return [self._held(name, elements, _BF16, tensor, view, "weights")]
        lines = self._stored(name, key, form, tensor, view, elements)
        scaled = form.scale is not None and tensor.in_features is not None
        by_software = self.copy == "stored" and key in self.twice and tensor.in_features is not None
        if by_software or (self.copy == "stored-twice" and scaled):
            lines += self._stored(name, key, form, tensor, view, elements, ".column_wise")
        if self.copy == "bf16-and-stored" and form.bits < _BF16.value:
            copy = self._held(f"{name}.bf16", elements, _BF16, tensor, view, "weights", ".bf16")
            lines.append(copy)
        return lines

    def _stored(
        self,
        name: str,
        key: str,
        form: Format,
        tensor: Tensor,
        view: GroupView | None,
        elements: Line,
        copy: str = "",
    ) -> list[Line]:
        """Give the bytes of a copy as the precision stores it, its scales after it."""
        name = f"{name}{copy}"
        scope = (f"precision.formats.{key}", form)
        bits = field(scope, "bits", "bit")
        lines = [self._held(name, elements, bits, tensor, view, "weights", copy)]
        for number, scale in enumerate(form.scales if tensor.in_features is not None else ()):
            which = f"scales.{number}" if number else "scales"
            where = f"more_scales.{number - 1}" if number else "scale"
            scale_scope = (f"{scope[0]}.{where}", scale)
            place = f"{name}.{which}"
            blocks = f"{name}.scale_elements" if not number else f"{place}.elements"
            scales = block_values(blocks, scale_scope, tensor, layers=ONE)
            stored = [field(scale_scope, "bits", "bit")]
            if scale.zero_point_bits:
                stored.append(field(scale_scope, "zero_point_bits", "bit"))
            each = stored[0] if len(stored) == 1 else total(f"{name}.scale_bits", stored)
            beside = f"{copy}.{which}"
            lines.append(self._held(place, scales, each, tensor, view, "weights", beside))
        return lines
