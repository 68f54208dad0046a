"""What a kernel does on one GPU in one layer: shapes, FLOPs, bytes, elements that are cast."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.flops import GRADIENTS
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.roofline import cache_read, state_passes
from dsv3calc.accounting.scans import scan_lines
from dsv3calc.accounting.state import state_lines
from dsv3calc.accounting.times.kernels import (
    ATTENTION,
    FORWARD,
    INDEXER,
    INPUT_GRADIENT,
    PASSES,
    WEIGHT_GRADIENT,
)
from dsv3calc.accounting.times.share import Product, Share, divided
from dsv3calc.accounting.weights import format_of
from dsv3calc.formulas import attention, kernels, kv_cache, memory
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.block import refusal
from dsv3calc.model.operator import (
    CONVOLUTION,
    CORE,
    GROUPED,
    LOOKUP,
    NO_PRODUCT,
    ONE,
    PRODUCT,
    SCAN,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.accounting.times.kernels import Kernel
    from dsv3calc.model.block import StatePart
    from dsv3calc.model.layer import GroupView
    from dsv3calc.model.operator import Operator
    from dsv3calc.schema.precision import KVFormat, Precision

NONE = given("nothing", 0, "elements")

_SCAN_SIDES = given("scan.sides", 4, "1", "queries, keys and values as wide as its outputs")
_PLAIN = given("time.activation_bits", 16, "bit", "activations in BF16")


class Work(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What a pass of a kernel does on a GPU in one layer.

    ``resident`` are bytes of weights and cache, which are read whatever stays on chip;
    ``activations`` are those of its inputs and outputs. ``cast`` are the elements that are
    cast before a product. ``bytes`` are all bytes.
    """

    flops: Line
    resident: Line
    activations: Line
    cast: Line
    bytes: Line


class WorkCounter:
    """Counts the work of kernels on a GPU of a layout.

    ``input_bits`` gives the bits to which the inputs of a component's products are cast, None where
    they stay in BF16; ``gradient_bits`` those of weight gradients, in training.
    """

    def __init__(
        self,
        share: Share,
        precision: Precision,
        kv_format: KVFormat,
        input_bits: Callable[[str], Line | None],
        gradient_bits: Line | None = None,
    ) -> None:
        self.share = share
        self.run = share.run
        self.precision = precision
        self.kv_format = kv_format
        self.input_bits = input_bits
        self.gradient_bits = gradient_bits

    @property
    def passes(self) -> tuple[str, ...]:
        """The passes of the workload."""
        return PASSES if self.run.workload.phase == "train" else PASSES[:1]

    def works(self, kernel: Kernel) -> dict[str, Work]:
        """Count the work of each pass of a kernel."""
        name = f"time.{kernel.place}.{kernel.name}"
        kind = kernel.first.kind
        if kind in (PRODUCT, GROUPED):
            make = self._product_work
        elif kind == CORE:
            make = self._core_work
        elif kind == CONVOLUTION:
            make = self._convolution_work
        elif kind == SCAN:
            make = self._scan_work
        elif kind in NO_PRODUCT:
            make = self._pass_work
        else:
            raise refusal("the time", kernel.first.words)
        several = len(self.passes) > 1
        passes = self.passes if kernel.trained else self.passes[:1]
        if kind not in (PRODUCT, GROUPED, CONVOLUTION):
            passes = passes[:2]  # gradients of norms' weights are no pass of their own
        return {each: make(f"{name}.{each}" if several else name, kernel, each) for each in passes}

    def _work(
        self, name: str, flops: Line, resident: Line, activations: Line, cast: Line = NONE
    ) -> Work:
        return Work(
            flops=flops,
            resident=resident,
            activations=activations,
            cast=cast,
            bytes=total(f"{name}.bytes", (resident, activations), unit="B"),
        )

    def _product_work(self, name: str, kernel: Kernel, what: str) -> Work:
        lists = self.share.products(kernel)
        flops = [
            computed(
                f"{name}.flops.{number}.{place}",
                kernels.gemm_flops,
                gemm_groups=each.groups,
                gemm_rows=each.rows,
                gemm_columns=each.columns,
                gemm_depth=each.depth,
            )
            for number, products in enumerate(lists)
            for place, each in enumerate(products)
        ]
        narrow = self.input_bits(kernel.first.component)
        moved, cast = self._product_activations(name, lists, what, narrow)
        moved += self.inner_passes(name, kernel, what)
        resident = self._weights_or_gradients(kernel, what)
        return self._work(
            name,
            total(f"{name}.flops", flops, tags=kernel.tags("flops")),
            resident,
            total(f"{name}.activations", moved, unit="B"),
            cast,
        )

    def _product_activations(
        self, name: str, lists: list[list[Product]], what: str, narrow: Line | None
    ) -> tuple[list[Line], Line]:
        """Count the bytes of inputs and outputs of products, and the elements that are cast."""
        moved, cast = [], []
        for number, products in enumerate(lists):
            first = products[0]
            wide = [each.columns for each in products]
            columns = wide[0] if len(wide) == 1 else total(f"{name}.columns.{number}", wide)
            sides = {
                "inputs": (first.groups, first.rows, first.depth),
                "outputs": (first.groups, first.rows, columns),
            }
            elements = {
                side: combined(f"{name}.{side}.{number}", "product", parts, unit="elements")
                for side, parts in sides.items()
            }
            read = {FORWARD: ("inputs",), INPUT_GRADIENT: ("outputs",)}.get(what, tuple(sides))
            for side, line in elements.items():
                taken = side in read
                bits = narrow if taken and narrow is not None else _PLAIN
                if taken or what != WEIGHT_GRADIENT:
                    moved.append(element_bytes(f"{name}.{side}_bytes.{number}", line, bits))
                if taken and narrow is not None:
                    cast.append(line)
        return moved, total(f"{name}.cast", cast, unit="elements") if cast else NONE

    def inner_passes(self, name: str, kernel: Kernel, what: str) -> list[Line]:
        """Count the activations of passes that run within a kernel of products."""
        if what == WEIGHT_GRADIENT:
            return []
        return [
            self._moved(f"{name}.{operator.name}", kernel, operator, what)
            for operator in kernel.operators
            if operator.kind in NO_PRODUCT
        ]

    def _moved(self, name: str, kernel: Kernel, operator: Operator, what: str) -> Line:
        """Count the bytes that a memory-bound pass reads and writes.

        Backward it reads its input too, unless it is linear, and the gradient of its output.
        """
        again = what != FORWARD and not operator.linear
        widths = [*operator.reads, *operator.writes, *(operator.reads if again else ())]
        width = total(f"{name}.width", widths, unit="elements")
        elements = combined(
            f"{name}.elements", "product", (self.share.rows(kernel), width), unit="elements"
        )
        return element_bytes(f"{name}.activations", elements, _PLAIN, self._pass_parts(operator))

    def _pass_parts(self, operator: Operator) -> Line:
        if self.share.layout.is_replicated(operator.component):
            return ONE
        return {"split": self.share.tp, "experts": self.share.etp}.get(operator.division, ONE)

    def _pass_work(self, name: str, kernel: Kernel, what: str) -> Work:
        operator = kernel.first
        moved = self._moved(name, kernel, operator, what)
        tags = kernel.tags("flops")
        flops = given(f"{name}.flops", 0, "FLOP", "no matrix product", tags)
        if operator.kind == LOOKUP:
            return self._work(name, flops, self._looked_up(name, kernel), moved)
        return self._work(name, flops, self.share.weights(kernel), moved)

    def _looked_up(self, name: str, kernel: Kernel) -> Line:
        """Count the rows of a table that tokens look up: those that the head reads aside."""
        table = kernel.first.weights[0]
        if table.tied:
            return given(f"{name}.resident", 0, "B", "the head reads the whole table")
        key, form = format_of(self.precision, table)
        width = table.in_features
        assert width is not None  # noqa: S101 - the embedding is a matrix
        whole = computed(
            f"{name}.table_rows",
            kv_cache.entry_bytes,
            vectors=self.share.rows(kernel),
            width=width,
            bits=field((f"precision.formats.{key}", form), "bits", "bit"),
            group_size=width,
            scale_bits=given("unscaled", 0, "bit"),
        )
        return divided(f"{name}.resident", whole, [self.share.sharding.shards(table, None)[1]])

    def _core_work(self, name: str, kernel: Kernel, what: str) -> Work:
        operator, view, core = kernel.first, kernel.view, kernel.first.core
        assert core is not None and view is not None  # noqa: S101, PT018 - cores stand in layers
        run = self.run
        split = self.share.tp if operator.division == "split" else ONE
        heads = divided(f"{name}.heads", core.heads, [split])
        pairs = run.channel_flops(view, operator, run.conventions.attention)
        parts = [
            computed(
                f"{name}.{part}",
                attention.attention_core_flops,
                run.workload_scope,
                convention=f"attention {run.conventions.attention}",
                layers=ONE,
                heads=heads,
                head_channels=channels,
                channel_flops=pairs,
            )
            for part, channels in core.channels.items()
        ]
        whole = total(f"{name}.of_sequence", parts, unit="FLOP")
        forward = divided(f"{name}.of_a_gpu", whole, [self.share.cp])
        times = 1 if what == FORWARD else GRADIENTS[CORE][0]
        flops = combined(
            f"{name}.flops",
            "product",
            (forward, given("passes", times, "1", what)),
            tags=kernel.tags("flops"),
        )
        width = total(f"{name}.channels", [*core.channels.values()], unit="elements")
        sides = (self.share.rows(kernel), heads, width, *self._token_parts())
        queries = combined(f"{name}.elements", "product", sides, unit="elements")
        moved = [element_bytes(f"{name}.queries_and_outputs", queries, _PLAIN)]
        read = [self.share.weights(kernel)] if operator.weights else []  # attention sinks
        if run.workload.phase != "train":
            read += self._cache(name, view, operator)
            if not view.mixer.present and operator is _first_core(view, run.mla):
                read += self._states(name, view)
        elif operator.component == ATTENTION:
            moved.append(self._new_keys(name, view, heads, width))
        resident = total(f"{name}.resident", read, unit="B")
        activations = total(f"{name}.activations_once", moved, unit="B")
        if what != FORWARD:
            both = given("backward.sides", 2, "1", "inputs and their gradients")
            activations = combined(f"{name}.activations", "product", (activations, both))
        return self._work(name, flops, resident, activations)

    def _convolution_work(self, name: str, kernel: Kernel, what: str) -> Work:
        """Count a convolution over each channel: it moves its input and its output."""
        products = self.share.products(kernel)[0]
        flops = [
            computed(
                f"{name}.flops.{number}",
                kernels.gemm_flops,
                gemm_groups=each.groups,
                gemm_rows=each.rows,
                gemm_columns=each.columns,
                gemm_depth=each.depth,
            )
            for number, each in enumerate(products)
        ]
        width = total(f"{name}.channels", [each.columns for each in products], unit="elements")
        sides = given("convolution.sides", 2, "1", "its input and its output")
        elements = combined(
            f"{name}.elements", "product", (self.share.rows(kernel), width, sides), unit="elements"
        )
        resident = self._weights_or_gradients(kernel, what)
        moved = element_bytes(f"{name}.activations", elements, _PLAIN)
        whole = total(f"{name}.flops", flops, tags=kernel.tags("flops"))
        return self._work(name, whole, resident, moved)

    def _weights_or_gradients(self, kernel: Kernel, what: str) -> Line:
        """Count the bytes of weights that a pass reads, or of gradients that it adds to."""
        if what == WEIGHT_GRADIENT and self.gradient_bits is not None:
            return self.share.gradients(kernel, self.gradient_bits)
        return self.share.weights(kernel)

    def _scan_work(self, name: str, kernel: Kernel, what: str) -> Work:
        """Count a mixer's recurrence: heads divided over tp, states moved in serving."""
        operator, view, run = kernel.first, kernel.view, self.run
        assert operator.scan is not None and view is not None  # noqa: S101, PT018
        whole = total(
            f"{name}.of_sequence", scan_lines(run, name, view, operator, ONE), unit="FLOP"
        )
        forward = divided(f"{name}.of_a_gpu", whole, [self.share.tp, self.share.cp])
        times = 1 if what == FORWARD else GRADIENTS[SCAN][0]
        passes = given("passes", times, "1", what)
        flops = combined(f"{name}.flops", "product", (forward, passes), tags=kernel.tags("flops"))
        read = [self.share.weights(kernel)]
        if run.workload.phase != "train":
            read += self._states(name, view)
        values = view.mixer.weights("out_proj")[0].in_features
        assert values is not None  # noqa: S101 - a projection is a matrix
        width = divided(f"{name}.width", values, [self.share.tp])
        elements = combined(
            f"{name}.elements", "product", (self.share.rows(kernel), width, _SCAN_SIDES),
            unit="elements",
        )  # fmt: skip
        return self._work(
            name,
            flops,
            total(f"{name}.resident", read, unit="B"),
            element_bytes(f"{name}.activations", elements, _PLAIN),
        )

    def _states(self, name: str, view: GroupView) -> list[Line]:
        """Count the bytes of states that a pass moves in one layer on a GPU; none without any."""
        run = self.run

        def held(place: str, owner: GroupView, part: StatePart) -> Line:
            groups = part.division == "groups"
            by = self.share.sharding.groups(owner) if groups else self.share.tp
            whole = part.division == "replicated"
            return part.elements if whole else divided(place, part.elements, [by])

        batch = field(run.workload_scope, "batch", "1")
        states = state_lines(f"{name}.state", [view], batch, run.conventions, lambda _: ONE, held)
        if not states:
            return []
        once = total(f"{name}.state.held", states, unit="B")
        passes = state_passes(name, run.workload)
        return [combined(f"{name}.state", "product", (once, passes), unit="B")]

    def _new_keys(self, name: str, view: GroupView, heads: Line, width: Line) -> Line:
        """Count the bytes of keys and values of all tokens of the replica's sequences."""
        shared = view.attention.key_value_heads
        if shared is not None:
            place = f"{name}.key_value_heads"
            heads = divided(place, shared, [self.share.sharding.key_value(view)])
        elements = combined(
            f"{name}.key_elements", "product", (self.run.tokens, heads, width), unit="elements"
        )
        return element_bytes(f"{name}.keys_and_values", elements, _PLAIN)

    def _cache(self, name: str, view: GroupView, operator: Operator) -> list[Line]:
        """Count the bytes of the cache that a core reads on a GPU, by entry."""
        run = self.run
        indexed = operator.component == INDEXER
        if not indexed and operator is not _first_core(view, run.mla):
            return []
        found = []
        for entry, line in cache_read(
            name, view, ONE, run.workload, run.conventions, self.kv_format
        ):
            if (entry.kind == INDEXER) is indexed:
                parts = [self.share.cp, *self._token_parts()]
                if entry.division == "key_value":
                    parts.append(self.share.sharding.key_value(view))
                elif entry.division == "split":
                    parts.append(self.share.tp)
                found.append(divided(f"{name}.cache.{entry.kind}", line, parts))
        return found

    def _token_parts(self) -> list[Line]:
        """Return the GPUs that share the tokens of a cache, and each other's heads; none for one.

        Decode context parallelism leaves the pairs of a GPU as they are: more heads, fewer tokens.
        """
        layout = self.share.layout
        alone = type(layout.dcp) is int and layout.dcp == 1
        return [] if alone or self.run.workload.phase != "decode" else [degree(layout, "dcp")]


def _first_core(view: GroupView, form: str) -> Operator:
    """Return the core that the cache of a layer is counted with, where it has several."""
    return next(
        each for each in view.operators(form) if each.kind == CORE and each.component == ATTENTION
    )


def element_bytes(name: str, elements: Line, bits: Line, divisor: Line = ONE) -> Line:
    """Count the bytes of elements of so many bits."""
    return computed(name, memory.shard_bytes, elements=elements, bits=bits, divisor=divisor)
