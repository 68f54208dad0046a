"""The kernels of a pass: operators that run as one, in the order in which they run."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.operators import placed
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.operator import EXCHANGE, GROUPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.accounting.forward_pass import Pass
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.layout import Layout

MODEL, MTP = "model", "mtp"
"""The places of what stands outside of layers, and of what belongs to MTP modules."""

FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT = "forward", "input_gradient", "weight_gradient"
PASSES = (FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT)
"""The passes of a kernel: forward; gradients of its input; gradients of its weights."""

ATTENTION, INDEXER = "attention_core", "indexer"
"""Components of cores that meet keys."""


class Kernel:
    """Operators of one layer that run as one kernel.

    ``place`` is the layer group's prefix, ``mtp`` or ``model``. ``divided_tokens`` says that
    sequence parallelism divides its tokens over tp.
    """

    __slots__ = ("divided_tokens", "name", "operators", "place", "view")

    def __init__(
        self, place: str, view: GroupView | None, first: Operator, *, divided: bool
    ) -> None:
        self.place = place
        self.view = view
        self.name = first.kernel
        self.operators = [first]
        self.divided_tokens = divided

    @property
    def first(self) -> Operator:
        """The operator that says what kind it is."""
        return self.operators[0]

    @property
    def routed(self) -> bool:
        """Whether it computes on the rows of routed experts."""
        return self.first.kind == GROUPED and self.first.rows == "routed"

    @property
    def trained(self) -> bool:
        """Whether it has a backward pass."""
        return self.first.trained

    def tags(self, quantity: str) -> Tags:
        """Return the tags of a line about it."""
        group = "" if self.place == MODEL else self.place
        return Tags(
            quantity=quantity, component=self.first.component, operator=self.name, group=group
        )


def kernels_of(run: Pass, layout: Layout) -> Iterator[Kernel]:
    """Yield the kernels of a pass in the order in which they begin.

    Exchanges between GPUs are no kernels here, and neither are shared experts that the layout
    dispatches like routed ones: the routed experts' kernel has their rows.
    """
    place, inside = "", False
    open_: dict[str, Kernel] = {}
    for operator, view, where, _ in placed(run):
        if where != place:
            yield from open_.values()
            place, inside, open_ = where, False, {}
        inside = inside or "tp" in operator.before
        if operator.kind != EXCHANGE and not _dispatched(operator, layout):
            known = open_.get(operator.kernel)
            if known is not None:
                known.operators.append(operator)
            else:
                outside = _by_vocabulary(operator)
                divided = layout.sequence_parallel and not (inside or outside)
                owner = None if outside else _owner(run, where, view)
                open_[operator.kernel] = Kernel(where, owner, operator, divided=divided)
        inside = inside and "tp" not in operator.after
    yield from open_.values()


def _dispatched(operator: Operator, layout: Layout) -> bool:
    return operator.component == "shared_experts" and layout.shared_experts == "routed"


def _by_vocabulary(operator: Operator) -> bool:
    return any(tensor.division == "vocabulary" for tensor in operator.weights)


def _owner(run: Pass, place: str, view: GroupView | None) -> GroupView | None:
    """Return the layer group by which a kernel's tensors are divided: MTP's own too."""
    return run.arch.mtp if view is None and place == MTP else view
