"""The time of kernels and exchanges at the rates that were measured of a device."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsv3calc.accounting.times.achieved import PRODUCTS
from dsv3calc.accounting.times.kernels import ATTENTION, FORWARD, INDEXER, WEIGHT_GRADIENT
from dsv3calc.accounting.times.work import NONE, element_bytes
from dsv3calc.formulas import expert_times, kernel_times
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.operator import CONVOLUTION, CORE, ONE, SCAN

if TYPE_CHECKING:
    from dsv3calc.accounting.times.achieved import Entries, Entry
    from dsv3calc.accounting.times.bound import BoundLines
    from dsv3calc.accounting.times.device import Device
    from dsv3calc.accounting.times.kernels import Kernel
    from dsv3calc.accounting.times.share import Share
    from dsv3calc.accounting.times.work import Work

_WIDE_BITS = 16
RESIDUAL = "residual"
"""The component of sums that kernels of norms do beside their own work."""
_ASIDE = given("time.launch_aside", 0, "s", "launching is a line of its own")
_FUSED = given("time.residual_launch", 0, "s", "added in the kernel of the norm that follows")
_RECOMPUTED = given("attention.backward_products", 5, "1", "scores are computed again")
_COUNTED = given("attention.counted_products", 4, "1", "of them in the FLOPs counted")


class FloorLines(NamedTuple):
    """The time of a kernel at measured rates: aside from its launch, the launch, both together."""

    body: Line
    launch: Line
    floor: Line


class Rates:
    """Times of kernels by the entries of a device's ``achieved`` block.

    ``met`` has for each kernel its entry, and the quantities that it was measured over.
    """

    def __init__(self, share: Share, device: Device, entries: Entries, cache_bits: int) -> None:
        self.share = share
        self.device = device
        self.entries = entries
        self.met: dict[str, tuple[Entry, dict[str, Line]]] = {}
        self.decode = share.run.workload.phase == "decode"
        self.dispatched = not (type(share.layout.ep) is int and share.layout.ep == 1)
        self.cache_dtype = "fp8" if cache_bits < _WIDE_BITS else "bf16"

    def floor(
        self, name: str, kernel: Kernel, what: str, work: Work, bound: BoundLines
    ) -> FloorLines:
        """Give the time of a pass of a kernel in one layer: at least its bound."""
        if work.flops.rule == "given":
            body, launch = self.passing(f"{name}.body", work.bytes), self._pass_launch(kernel)
        elif kernel.first.component in (ATTENTION, INDEXER) and kernel.first.kind == CORE:
            body, launch = self._attention(name, kernel, what, work)
        elif kernel.first.kind in (CORE, SCAN, CONVOLUTION):
            body, launch = self._other(name, kernel, work)
        else:
            body, launch = self._product(name, kernel, what, work)
        launched = total(f"{name}.body_and_launch", (body, launch), unit="s")
        return FloorLines(
            body,
            total(f"{name}.launch", (launch,), unit="s", tags=kernel.tags("launch")),
            combined(
                f"{name}.floor", "maximum", (launched, bound.bound), tags=kernel.tags("floor")
            ),
        )

    def _meets(self, kernel: Kernel, entry: Entry, **quantities: Line) -> None:
        """Note what of the workload an entry is used for, in the words of its ranges."""
        self.met[f"{kernel.place} {kernel.name}"] = (entry, quantities)

    def _pass_launch(self, kernel: Kernel) -> Line:
        """Return the launch of a memory-bound pass.

        A residual sum has none of its own: it is added in the kernel of the norm that follows.
        """
        if kernel.first.component == RESIDUAL:
            return _FUSED
        return self.entries.passes().value("launch")

    def passing(self, name: str, moved: Line) -> Line:
        """Give the time of a memory-bound pass without its launch."""
        entry = self.entries.passes()
        return computed(
            name,
            kernel_times.pass_time,
            convention=entry.words,
            moved=moved,
            bandwidth=self.device.bandwidth,
            bandwidth_share=entry.value("bandwidth_share"),
        )

    def wide_products(self, name: str, flops: Line) -> Line:
        """Give the time of products in BF16 that are large enough to wait for no memory."""
        return self._timed(name, "optimizer", self.entries.gemm("bf16"), flops, NONE, NONE)

    def _timed(
        self, name: str, component: str, entry: Entry, flops: Line, moved: Line, steps: Line
    ) -> Line:
        """Give the time of a kernel without its launch."""
        return computed(
            name,
            kernel_times.kernel_time,
            convention=entry.words,
            flops=flops,
            peak=self.device.peak_of_dtype(entry.computes_in, component),
            compute_share=entry.value("compute_share"),
            moved=moved,
            bandwidth=self.device.bandwidth,
            bandwidth_share=entry.value("bandwidth_share"),
            serial_steps=steps,
            serial_latency=entry.value("serial_latency"),
            exponent=entry.value("exponent"),
            launch=_ASIDE,
        )

    def _product(self, name: str, kernel: Kernel, what: str, work: Work) -> tuple[Line, Line]:
        component = kernel.first.component
        dtype = self.device.kernel_dtype(kernel.first)
        first = self.share.products(kernel)[0][0]
        steps = {FORWARD: first.depth, WEIGHT_GRADIENT: first.rows}.get(what, first.columns)
        if kernel.routed:
            entry = self._experts(dtype)
            self._meets(kernel, entry, tokens=self.share.group_tokens(), M=first.rows)
            parts = [
                self._timed(f"{name}.products", component, entry, work.flops, work.resident, steps)
            ]
            beside = self._expert_passes(name, kernel, what)
        else:
            entry = self.entries.gemm(dtype)
            self._meets(kernel, entry, M=first.rows)
            parts = [
                self._timed(f"{name}.products", component, entry, work.flops, work.bytes, steps)
            ]
            beside = self._cast_bytes(name, kernel, what, work)
        if beside is not None:
            parts += self._beside(f"{name}.passes", entry, beside)
        return total(f"{name}.body", parts, unit="s"), entry.value("launch")

    def _beside(self, name: str, entry: Entry, moved: Line) -> list[Line]:
        """Give the time of passes beside a product: of experts' kernels they may be part of it.

        Where a product was measured alone they go at the bandwidth of passes by themselves.
        """
        if not entry.has("pass_share"):
            return [self.passing(name, moved)] if entry.path[0] == PRODUCTS else []
        return [
            computed(
                name,
                kernel_times.pass_time,
                moved=moved,
                bandwidth=self.device.bandwidth,
                bandwidth_share=entry.value("pass_share"),
            )
        ]

    def _experts(self, dtype: str) -> Entry:
        """Return the entry of experts.

        Where a dispatch brings their rows it is that of a set-up's library, in decoding that of
        kernels whose rows lie padded.
        """
        if self.dispatched and self.decode:
            return self.entries.experts(dtype, masked=True)
        if self.dispatched and self.entries.expert_library:
            return self.entries.grouped(dtype)
        return self.entries.experts(dtype, masked=False)

    def _other(self, name: str, kernel: Kernel, work: Work) -> tuple[Line, Line]:
        """Give the time of a kernel that has no entry: at the rates of BF16 products."""
        entry, component = self.entries.gemm("bf16"), kernel.first.component
        body = self._timed(f"{name}.body", component, entry, work.flops, work.bytes, NONE)
        return body, entry.value("launch")

    def _cast_bytes(self, name: str, kernel: Kernel, what: str, work: Work) -> Line | None:
        """Count the bytes of casting a product's inputs; None where they stay as they are.

        The gradient of weights takes what the passes before it have cast: these also write it
        transposed, which is counted here.
        """
        bits = self.device.input_bits(kernel.first.component)
        if bits is None or work.cast is NONE:
            return None
        if what == WEIGHT_GRADIENT:
            return element_bytes(f"{name}.transposed_bytes", work.cast, bits)
        return computed(
            f"{name}.cast_bytes",
            kernel_times.cast_bytes,
            gemm_rows=work.cast,
            gemm_depth=ONE,
            activation_bits=bits,
        )

    def _expert_passes(self, name: str, kernel: Kernel, what: str) -> Line | None:
        """Count what permuting, casting and the activation function of experts move."""
        if what == WEIGHT_GRADIENT or kernel.view is None:
            return None
        first = self.share.products(kernel)[0][0]
        return computed(
            f"{name}.activation_bytes",
            expert_times.expert_activation_bytes,
            expert_rows_here=self.share.rows(kernel),
            rank_tokens=given("experts.rank_tokens", 0, "tokens", "rows come by a dispatch"),
            hidden_size=first.depth,
            moe_intermediate_size=first.columns,
        )

    def _attention(self, name: str, kernel: Kernel, what: str, work: Work) -> tuple[Line, Line]:
        run, view, component = self.share.run, kernel.view, kernel.first.component
        assert view is not None  # noqa: S101 - attention stands in layers
        latent = bool(view.attention.forms)
        if run.workload.phase == "decode":
            entry = self.entries.attention("decode", self.cache_dtype, latent=latent)
            steps = total(
                f"{name}.keys",
                [field(run.workload_scope, each, "tokens") for each in ("past", "sequence")],
            )
            self._meets(kernel, entry, context=steps)
            return (
                self._timed(f"{name}.body", component, entry, work.flops, work.bytes, steps),
                entry.value("launch"),
            )
        backward = what != FORWARD
        dtype = self.device.kernel_dtype(kernel.first)
        entry = self.entries.attention("backward" if backward else "prefill", dtype, latent=latent)
        sequence = field(run.workload_scope, "sequence", "tokens")
        self._meets(kernel, entry, length=sequence)
        flops = work.flops
        if backward:
            factor = combined("attention.recomputed", "ratio", (_RECOMPUTED, _COUNTED))
            flops = combined(f"{name}.flops_with_scores", "product", (flops, factor))
        body = computed(
            f"{name}.body",
            kernel_times.prefill_attention_time,
            convention=entry.words,
            flops=flops,
            peak=self.device.peak_of_dtype(entry.computes_in, component),
            compute_share=entry.value("compute_share"),
            half_length=entry.value("half_length"),
            sequence=sequence,
            moved=work.bytes,
            bandwidth=self.device.bandwidth,
            bandwidth_share=entry.value("bandwidth_share"),
            launch=_ASIDE,
        )
        return body, entry.value("launch")
