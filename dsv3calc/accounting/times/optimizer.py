"""The optimizer's step: what it reads, writes, computes and gathers of the states on a GPU."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.matrix_optimizer import by_muon
from dsv3calc.accounting.memory.sharding import Rules
from dsv3calc.accounting.memory.states import layer_tensors
from dsv3calc.accounting.parameters import tensor_elements
from dsv3calc.formulas import kernel_times, optimizers
from dsv3calc.ledger.line import Line, combined, computed, given, total
from dsv3calc.ledger.tags import Tags
from dsv3calc.model.operator import BUFFERS, ONE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsv3calc.accounting.times.share import Share
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.memory import Recipe

_WEIGHT_BITS = given("optimizer.weight_bits", 16, "bit", "a weight is written in BF16")
_GATHERED_BITS = given("optimizer.gathered_bits", 16, "bit", "updates are gathered in BF16")
_NO_MOMENT = given("optimizer.second_moment_bits", 0, "bit", "Muon has one moment")


class OptimizerWork:
    """Lines of a step of the optimizer on a GPU, a sum of products over places and their layers.

    ``moved`` [B] are bytes read and written; ``flops`` [FLOP] by component and ``gathered`` [B] are
    those of matrices that are orthogonalised, each once among the GPUs that divide it.
    """

    def __init__(self, share: Share, recipe: Recipe) -> None:
        self.share = share
        self.recipe = recipe
        self._moved: list[Line] = []
        self._gathered: list[Line] = []
        self._flops: dict[str, list[Line]] = {}
        arch = share.run.arch
        views = [*arch.groups]
        if share.run.conventions.mtp == "in" and arch.mtp is not None:
            views.append(arch.mtp)
        for view in views:
            tensors = [*layer_tensors(view, share.layout, Rules())]
            if view is arch.mtp:
                tensors += arch.mtp_tensors
            self._add(view.prefix, tensors, view, view.layers)
        tied = arch.model.tie_word_embeddings
        outer = [tensor for tensor in arch.outer if not (tied and tensor.name == "head")]
        self._add("model", outer, None, ONE)
        products = "sum_of_products"
        self.moved = combined("time.optimizer.bytes", products, self._moved, unit="B")
        self.flops = [
            combined(
                f"time.optimizer.flops.{component}",
                products,
                parts,
                unit="FLOP",
                tags=Tags(quantity="newton_schulz_flops", component=component),
                convention="Newton-Schulz steps, each matrix once among the GPUs that divide it",
            )
            for component, parts in self._flops.items()
        ]
        self.gathered = [
            combined(
                "time.optimizer.gathered_bytes",
                products,
                self._gathered,
                unit="B",
                convention="in BF16, each matrix by one of the GPUs that divide it; its time is "
                "not counted",
            )
            for _ in self._gathered[:1]
        ]

    def _add(
        self, place: str, tensors: Iterable[Tensor], view: GroupView | None, layers: Line
    ) -> None:
        name = f"time.optimizer.{place}"
        held: dict[bool, list[Line]] = {}
        for tensor in tensors:
            if tensor.weight_class in BUFFERS:
                continue  # no gradient reaches it
            muon = by_muon(self.recipe, tensor)
            which = f"{tensor.component}.{tensor.name}"
            whole = tensor_elements(f"{name}.whole.{which}", tensor, ONE)
            divisor = self.share.sharding.divisor(tensor, view, "optimizer")
            part = combined(f"{name}.elements.{which}", "ratio", (whole, divisor), unit="elements")
            held.setdefault(muon, []).append(part)
            if muon:
                self._orthogonalised(name, tensor, whole, divisor, layers)
        for muon, parts in held.items():
            which = ".muon" if muon else ""
            moment: dict[str, Any] = {"second_moment_bits": _NO_MOMENT} if muon else {}
            moved = computed(
                f"{name}.moved{which}",
                kernel_times.adam_bytes,
                ("recipe", self.recipe),
                elements=total(f"{name}.elements{which}", parts, unit="elements"),
                bits=_WEIGHT_BITS,
                **moment,
            )
            self._moved += (moved, layers)

    def _orthogonalised(
        self, name: str, tensor: Tensor, whole: Line, divisor: Line, layers: Line
    ) -> None:
        which = f"{tensor.component}.{tensor.name}"
        assert tensor.in_features is not None  # noqa: S101 - it is a matrix
        flops = computed(
            f"{name}.newton_schulz.whole.{which}",
            optimizers.newton_schulz_flops,
            ("recipe", self.recipe),
            copies=tensor.copies,
            out_features=tensor.out_features,
            in_features=tensor.in_features,
        )
        here = combined(f"{name}.newton_schulz.{which}", "ratio", (flops, divisor), unit="FLOP")
        self._flops.setdefault(tensor.component, []).extend((here, layers))
        gathered = computed(
            f"{name}.gathered.{which}",
            optimizers.gathered_matrix_bytes,
            elements=whole,
            bits=_GATHERED_BITS,
            divisor=divisor,
        )
        self._gathered += (gathered, layers)
