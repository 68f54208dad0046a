"""Bytes of activations of one micro-batch in one layer: kept, recomputed, waiting for gradients."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.memory.sharding import several
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.formulas import architecture, memory
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.tags import UNTAGGED, Tags
from dsv3calc.model.architecture import architecture_of
from dsv3calc.model.block import refusal
from dsv3calc.model.operator import (
    CAST,
    CONVOLUTION,
    CORE,
    EXCHANGE,
    GROUPED,
    LOOKUP,
    ONE,
    PASS,
    PRODUCT,
)
from dsv3calc.model.saved import BF16, DTYPES, FP32, SHARED, Activation, Product, Saving
from dsv3calc.model.saved_operations import saved_outputs, scattered_outputs
from dsv3calc.schema.memory import Recompute
from dsv3calc.schema.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dsv3calc.accounting.memory.sharding import Sharding
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import Precision

COUNTED = (PRODUCT, GROUPED, CORE, CONVOLUTION, PASS, CAST, LOOKUP, EXCHANGE)
"""Kinds of operators of which it is known what they save."""

NOTHING_RECOMPUTED = Recompute(
    name="none",
    title="a forward pass",
    modules=[],
    sources={"definition": Source(kind="derived", citation="a forward pass keeps nothing")},
    provenance={"default": "definition"},
)

_NO_SCALES = (ONE, given("activation.scale_bits", 0, "bit"))


class SavedActivations:
    """What one layer (or the head) has of one micro-batch.

    ``kept`` [B] stays until the backward pass; ``recomputed`` [B] and ``gradients`` [B], those of
    the outputs of matrices, are there while that of the layer runs; ``pending`` [B] is what a
    weight gradient that waits needs, where the schedule lets it. ``carried`` [B] are the keys and
    values among what is kept or recomputed.
    """

    __slots__ = ("carried", "gradients", "kept", "pending", "recomputed")

    def __init__(
        self,
        kept: Line,
        recomputed: Line,
        gradients: Line,
        pending: Line | None,
        carried: Line | None = None,
    ) -> None:
        self.kept = kept
        self.recomputed = recomputed
        self.gradients = gradients
        self.pending = pending
        self.carried = carried


def working_bits(precision: Precision) -> Line:
    """Return the bits of an activation that no GEMM casts: 32 where a precision's are FP32."""
    return FP32 if precision.formats[precision.activations].bits == FP32.value else BF16


def dropping_modules(views: Iterable[GroupView], layout: Layout) -> set[str]:
    """Return the modules whose recomputation drops something in some layers of a layout."""
    nothing = given("workload.sequence", 0, "tokens")
    saving = Saving(NOTHING_RECOMPUTED, layout, nothing)
    return {
        module
        for view in views
        for operator in view.operators()
        for each in operator.saves(saving)
        for module in each.dropped_by
    }


class Activations:
    """The activations of a micro-batch on a layout, under a policy of recomputation.

    Parameters
    ----------
    model, layout
        Their numbers may be ints, arrays or symbols.
    sharding
        The divisors of the layout.
    recompute
        What is recomputed, and how what is kept is written.
    sequence, imbalance
        Tokens of a sequence; rows that the experts of the fullest GPU receive over the mean.
    waiting
        Whether weight gradients wait: the schedule divides the backward pass.
    working
        Bits of what is computed in the model's precision: 16, or 32 where all of it is FP32.
    separate_output
        Whether attention keeps its output before an all-to-all of context parallelism too.
    """

    def __init__(
        self,
        model: Model,
        layout: Layout,
        sharding: Sharding,
        recompute: Recompute,
        *,
        sequence: Any,
        imbalance: Any,
        waiting: bool,
        working: Line = BF16,
        separate_output: bool = False,
    ) -> None:
        self.model = model
        self.layout = layout
        self.sharding = sharding
        self.recompute = recompute
        self.waiting = waiting
        self.working = working
        self.sequence = given("workload.sequence", sequence, "tokens")
        self.imbalance = given(
            "workload.imbalance",
            imbalance,
            "ratio",
            "rows of the most loaded GPU divided by the mean",
        )
        self.tokens = computed(
            "memory.micro_batch.tokens",
            architecture.tokens_processed,
            batch=field(("layout", layout), "micro_batch", "1"),
            sequence=self.sequence,
        )
        cp, tp = degree(layout, "cp"), degree(layout, "tp")
        split = combined("memory.divisor.split", "product", (cp, tp), unit="1")
        self.divisors = {
            "block": split if layout.sequence_parallel else cp,
            "whole": cp,
            "split": split,
            "rows": ONE,
            "row_split": degree(layout, "etp"),
        }
        self._context = cp
        self._separate = None
        if separate_output and layout.context_parallel_method == "all-to-all":
            self._separate = several("memory.is_context_parallel", cp)
        self._rows: dict[str, Line] = {}

    def rows(self, view: GroupView) -> Line:
        """Count the rows that a GPU's experts receive of a micro-batch."""
        if view.prefix not in self._rows:
            experts = view.experts
            assert experts is not None  # noqa: S101 - only such layers have rows
            chosen = experts.chosen
            if self.layout.shared_experts == "routed" and experts.spec.n_shared_experts:
                shared = field(experts.scope, "n_shared_experts", "1")
                chosen = total(f"memory.layer.{view.prefix}.experts_per_token", [chosen, shared])
            self._rows[view.prefix] = computed(
                f"memory.layer.{view.prefix}.received_rows",
                memory.received_rows,
                ("layout", self.layout),
                tokens=self.tokens,
                experts_per_token=chosen,
                imbalance=self.imbalance,
            )
        return self._rows[view.prefix]

    def _divisor(self, place: str, view: GroupView | None) -> Line:
        if place != "key_value":
            return self.divisors[place]
        assert view is not None  # noqa: S101 - the head has no keys
        key = f"key_value.{view.prefix}"
        if key not in self.divisors:
            parts = (self._context, self.sharding.key_value(view))
            self.divisors[key] = combined(f"memory.divisor.{key}", "product", parts, unit="1")
        return self.divisors[key]

    def _bytes(
        self,
        name: str,
        width: Line,
        place: str,
        view: GroupView | None,
        bits: Line,
        *scales: Line,
        convention: str,
        tags: Tags,
    ) -> Line:
        rows = place in ("rows", "row_split")
        group_size, scale_bits = scales or _NO_SCALES
        return computed(
            name,
            memory.activation_bytes,
            convention=convention,
            tags=tags,
            tokens=self.rows(view) if rows and view is not None else self.tokens,
            width=width,
            bits=bits,
            group_size=group_size,
            scale_bits=scale_bits,
            divisor=self._divisor(place, view),
        )

    def working_bytes(self, name: str, width: Line, place: str) -> Line:
        """Give the bytes of a tensor of a micro-batch that no format is chosen for."""
        words = DTYPES[self.working.name]
        return self._bytes(name, width, place, None, self.working, convention=words, tags=UNTAGGED)

    def _one(self, name: str, each: Activation, view: GroupView | None) -> Line:
        formats = self.recompute.formats
        chosen = formats.get(each.name)
        if chosen is None and each.linear_input:
            chosen = formats.get("linear_input")
        if chosen is None and each.bits is BF16:
            chosen = formats.get("default")
        shared = f"; {SHARED} {each.shared_by}" if each.shared_by else ""
        return self._written(f"{name}.{each.name}", each, view, chosen, each.bits, shared)

    def _written(
        self,
        name: str,
        tensor: Activation | Product,
        view: GroupView | None,
        chosen: str | None = None,
        bits: Line = BF16,
        words: str = "",
    ) -> Line:
        """Give the bytes of a tensor in a format by name, or as it is computed."""
        width, place, tags = tensor.width, tensor.place, Tags(tensor=tensor.name)
        if chosen is None:
            bits = self.working if bits is BF16 else bits
            words = f"{DTYPES[bits.name]}{words}"
            return self._bytes(name, width, place, view, bits, convention=words, tags=tags)
        form = FORMATS[chosen]
        scope = (f"transfer_formats.{chosen}", form)
        scales = (field(scope, "group_size"), field(scope, "scale_bits", "bit"))
        words = f"{form.title}{words}"
        bits = field(scope, "bits", "bit")
        return self._bytes(name, width, place, view, bits, *scales, convention=words, tags=tags)

    def of_layer(self, prefix: str, view: GroupView) -> SavedActivations:
        """Give the bytes of one layer of a group.

        Returns
        -------
        Lines ``PREFIX.{activations,recomputed,output_gradients}`` and, where weight gradients wait,
        ``PREFIX.pending`` [B], over a line for each tensor.
        """
        tags = Tags(group=view.prefix)
        return self._sorted(prefix, view.operators(), view, tags, waiting=self.waiting)

    def of_embedding(self, prefix: str) -> SavedActivations:
        """Give the bytes of what stands between the embedding and the first layer."""
        arch, tags = architecture_of(self.model), Tags(component="embedding")
        operators = [arch.embedding, *arch.entry]
        return self._sorted(prefix, operators, None, tags, waiting=False)

    def of_head(self, prefix: str) -> SavedActivations:
        """Give the bytes of a final norm's and a head's inputs.

        The head's weight gradient does not wait: it follows the loss at once. The gradient of its
        output takes the place of the logits.
        """
        arch, tags = architecture_of(self.model), Tags(component="head")
        operators = [*arch.exit, *arch.head]
        return self._sorted(prefix, operators, None, tags, waiting=False)

    def of_mtp(self, prefix: str) -> SavedActivations:
        """Give the bytes of what an MTP module has before its layer."""
        operators, tags = architecture_of(self.model).mtp_projection, Tags(component="mtp")
        return self._sorted(prefix, operators, None, tags, waiting=self.waiting)

    def _saved(self, operators: Iterable[Operator]) -> tuple[list[Activation], list[Product]]:
        """List what operators save, kept or not, and the outputs of matrix products."""
        saving = Saving(self.recompute, self.layout, self.sequence, self._separate)
        activations: list[Activation] = []
        products: list[Product] = []
        for operator in operators:
            if operator.kind not in COUNTED and operator.scan is None:
                raise refusal("the activations", operator.words)
            activations += operator.saves(saving)
            product = operator.output(saving)
            if product is not None:
                products.append(product)
        return activations, products

    def _sorted(
        self,
        prefix: str,
        operators: Iterable[Operator],
        view: GroupView | None,
        tags: Tags,
        *,
        waiting: bool,
    ) -> SavedActivations:
        operators = [*operators]
        activations, products = self._saved(operators)
        kept = [] if view is None else self._outputs(f"{prefix}.activations", operators, view)
        dropped: list[Line] = []
        inputs: list[Line] = []
        carried: list[Line] = []
        for each in activations:
            stays = each.kept(self.recompute)
            if not stays and each.needed_by:
                continue  # read by nothing that is recomputed
            name = f"{prefix}.{'activations' if stays else 'recomputed'}"
            line = self._one(name, each, view)
            (kept if stays else dropped).append(line)
            if each.linear_input:
                inputs.append(line)
            if each.carried:
                carried.append(line)
        gradients = [
            self._written(f"{prefix}.output_gradients.{each.name}", each, view) for each in products
        ]
        policy = f"recompute {self.recompute.name}"

        def summed(quantity: str, lines: list[Line], convention: str) -> Line:
            about = msgspec.structs.replace(tags, quantity=quantity)
            name = f"{prefix}.{quantity}"
            return total(name, lines, unit="B", convention=convention, tags=about)

        return SavedActivations(
            summed("activations", kept, policy),
            summed("recomputed", dropped, policy),
            summed(
                "output_gradients",
                gradients,
                "of every matrix of the layer, none freed within it: an upper bound",
            ),
            self._pending(prefix, inputs, gradients, products, view) if waiting else None,
            total(f"{prefix}.keys_and_values", carried, unit="B") if carried else None,
        )

    def _outputs(self, prefix: str, operators: Sequence[Operator], view: GroupView) -> list[Line]:
        """Give the bytes of what a policy keeps of operations by name, attention's aside."""
        if not self.recompute.saved_operations:
            return []
        saving = Saving(self.recompute, self.layout, self.sequence, self._separate)
        found = [
            self._written(f"{prefix}.{product.name}", product, view)
            for product in saved_outputs(operators, saving)
        ]
        scatters = several("memory.is_scattered", degree(self.layout, "tp"))
        for product in scattered_outputs(operators, saving):
            line = self._written(f"{prefix}.{product.name}.of_each", product, view)
            name = f"{prefix}.{product.name}"
            found.append(combined(name, "product", (line, scatters), unit="B", tags=line.tags))
        return found

    def _pending(
        self,
        prefix: str,
        inputs: Sequence[Line],
        gradients: Sequence[Line],
        products: Sequence[Product],
        view: GroupView | None,
    ) -> Line:
        """Give the bytes of what weight gradients need: inputs, and gradients of outputs."""
        chosen = self.recompute.formats.get("output_gradients")
        if chosen is not None:
            gradients = [
                self._written(f"{prefix}.pending.{each.name}", each, view, chosen)
                for each in products
            ]
        return total(
            f"{prefix}.pending",
            [*inputs, *gradients],
            unit="B",
            convention="inputs of matrices, and gradients of their outputs",
        )
