"""A GPU's share of a kernel in one layer: rows, shapes of products, bytes of weights."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.flops import rows_of
from dsv3calc.accounting.memory.sharding import Rules, Sharding
from dsv3calc.accounting.memory.states import States, expert_slots_line
from dsv3calc.accounting.parameters import tensor_elements
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import experts, memory
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.operator import CONVOLUTION, GROUPED, ONE, PRODUCT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsv3calc.accounting.forward_pass import Pass
    from dsv3calc.accounting.times.kernels import Kernel
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator, Tensor
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.precision import Precision


class Product(msgspec.Struct, frozen=True, eq=False):
    """One matrix product on a GPU: how many equal ones side by side, and the shape of each."""

    groups: Line
    rows: Line
    columns: Line
    depth: Line


def divided(name: str, whole: Line, parts: Sequence[Line]) -> Line:
    """Divide a line by what is no plain 1."""
    several = [part for part in parts if part is not ONE]
    if not several:
        return whole
    by = several[0] if len(several) == 1 else combined(f"{name}.split", "product", several)
    return combined(name, "ratio", (whole, by), unit=whole.unit)


class Share:
    """What a GPU of a layout has of each kernel.

    ``imbalance`` is the load of the busiest GPU's experts over the mean: times follow that GPU.
    """

    def __init__(self, run: Pass, layout: Layout, precision: Precision, imbalance: Any = 1) -> None:
        self.run = run
        self.layout = layout
        self.imbalance = given("time.imbalance", imbalance, "ratio", "busiest GPU over the mean")
        self.sharding = Sharding(layout, Rules())
        # a kernel reads the weights that ZeRO-3 has gathered for it, not the shard that is kept
        gathered = Sharding(msgspec.structs.replace(layout, zero=0), Rules())
        self.states = States(gathered, None, precision)
        self.tp, self.cp = degree(layout, "tp"), degree(layout, "cp")
        self.etp = degree(layout, "etp")
        self._known: dict[Any, Line] = {}

    def rows(self, kernel: Kernel) -> Line:
        """Count the rows that a kernel has on a GPU in one layer."""
        operator = kernel.first
        if operator.rows == "routed" and kernel.view is not None:
            return self._once(
                ("routed", kernel.view.prefix), lambda: self._routed_rows(kernel.view)
            )
        last = operator.rows == "logits" and self.run.workload.logits == "last"
        axes = [] if last else [self.cp]
        if kernel.divided_tokens and operator.rows != "logits":
            axes.append(self.tp)
        name = "logits" if last else operator.rows
        name = f"time.rows.{name}{'.divided' if len(axes) > 1 else ''}"
        return self._once(name, lambda: divided(name, rows_of(self.run, operator), axes))

    def _once(self, key: Any, make: Callable[[], Line]) -> Line:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def expert_slots(self, view: GroupView) -> Line:
        """Count the places for experts of a layer, replicas included."""
        key = ("slots", view.prefix)
        return self._once(key, lambda: expert_slots_line(view, self.layout))

    def group_tokens(self) -> Line:
        """Count the tokens of the expert-parallel group that a GPU is in."""

        def make() -> Line:
            gpus = [self.run.tokens, degree(self.layout, "ep"), self.etp]
            name = "time.expert_group_tokens"
            held = combined(f"{name}.of_replicas", "product", gpus, unit="tokens")
            return divided(name, held, [self.tp, self.cp])

        return self._once("group_tokens", make)

    def chosen(self, view: GroupView) -> Line:
        """Count the experts that a token is sent to, shared ones too where they are dispatched."""
        routed = view.experts
        assert routed is not None  # noqa: S101 - routed rows are those of experts
        if self.layout.shared_experts != "routed":
            return routed.chosen
        shared = field(routed.scope, "n_shared_experts", "1")
        return total(f"time.{view.prefix}.experts_per_token", (routed.chosen, shared))

    def _routed_rows(self, view: GroupView | None) -> Line:
        assert view is not None  # noqa: S101 - asked by the caller
        name = f"time.{view.prefix}.routed_rows"
        copies = combined(
            f"{name}.of_group", "product", (self.group_tokens(), self.chosen(view)), unit="tokens"
        )
        mean = divided(f"{name}.mean", copies, [degree(self.layout, "ep")])
        return combined(name, "product", (mean, self.imbalance), unit="tokens")

    def _split(self, tensor: Tensor, view: GroupView | None) -> Line:
        """Return the GPUs that share one matrix."""
        if tensor.division == "experts":
            return self.etp
        return self.sharding.shards(tensor, view)[1]

    def products(self, kernel: Kernel) -> list[list[Product]]:
        """List the products of a kernel: those of one list read the same input."""
        found: list[list[Product]] = []
        for operator in kernel.operators:
            if operator.kind not in (PRODUCT, GROUPED, CONVOLUTION):
                continue
            made = [self._product(kernel, operator, tensor) for tensor in operator.matrices]
            if found and operator.kind == PRODUCT:
                found[0] += made
            else:
                found.append(made)
        return found

    def _product(self, kernel: Kernel, operator: Operator, tensor: Tensor) -> Product:
        name = f"time.{kernel.place}.{kernel.name}.{tensor.name}"
        parts = self._split(tensor, kernel.view)
        columns, depth = tensor.out_features, tensor.in_features
        groups = ONE if kernel.routed else tensor.used
        assert depth is not None  # noqa: S101 - matrices have one
        if operator.kind == GROUPED and not kernel.routed:
            groups = divided(f"{name}.groups", tensor.copies, [parts])
        elif {"tp", "etp"} & {*operator.after}:
            depth = divided(f"{name}.depth", depth, [parts])
        else:
            columns = divided(f"{name}.columns", columns, [parts])
        return Product(groups, self.rows(kernel), columns, depth)

    def weights(self, kernel: Kernel) -> Line:
        """Count the bytes of weights that a kernel reads: of experts the expected distinct ones."""
        return self._once(("weights", kernel.place, kernel.name), lambda: self._weights(kernel))

    def _weights(self, kernel: Kernel) -> Line:
        name = f"time.{kernel.place}.{kernel.name}.weights"
        tensors = [
            self._held(tensor, kernel.view)
            for operator in kernel.operators
            for tensor in operator.weights
        ]
        stored = self.states.of(name, tensors, kernel.view, ("weights",))["weights"]
        if not kernel.routed or kernel.view is None:
            return stored
        slots = tensors[0].copies
        hit = computed(
            f"{name}.distinct_experts",
            experts.expected_distinct_experts,
            n_routed_experts=slots,
            num_experts_per_tok=self.chosen(kernel.view),
            tokens=self.group_tokens(),
        )
        return computed(
            f"{name}.hit",
            experts.expected_expert_share,
            unit="B",
            convention="expected distinct experts of the tokens of the expert-parallel group",
            elements=stored,
            hit=hit,
            n_routed_experts=slots,
        )

    def _held(self, tensor: Tensor, view: GroupView | None) -> Tensor:
        """Return a tensor as one layer holds it: experts with their replicas."""
        if tensor.division != "experts" or view is None:
            return tensor
        return tensor.changed(copies=self.expert_slots(view))

    def gradients(self, kernel: Kernel, bits: Line) -> Line:
        """Count the bytes of weight gradients that a pass adds to: they are read and written."""
        name = f"time.{kernel.place}.{kernel.name}.gradients"
        held = [
            computed(
                f"{name}.{tensor.name}",
                memory.shard_bytes,
                elements=tensor_elements(f"{name}.elements.{tensor.name}", tensor, ONE),
                bits=bits,
                divisor=self.sharding.shards(tensor, kernel.view)[1],
            )
            for operator in kernel.operators
            for tensor in (self._held(each, kernel.view) for each in operator.matrices)
        ]
        twice = given(
            "gradients.moves", 2, "1", "read and written, because gradients are accumulated"
        )
        return combined(name, "product", (total(f"{name}.once", held, unit="B"), twice))
