"""Bytes of a server beside weights and cache: a pass, its logits, rows in transit, software."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.memory.buffers import SCOPE, software_buffers
from dsv3calc.accounting.memory.sharding import Rules, several
from dsv3calc.accounting.memory.states import layer_tensors
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.accounting.traffic.exchange import copy_bytes, experts_width
from dsv3calc.accounting.traffic.transfer_formats import TransferFormat
from dsv3calc.formulas import memory
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.tags import about
from dsv3calc.model.operator import ONE
from dsv3calc.model.saved import FP32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsv3calc.accounting.memory.activations import Activations
    from dsv3calc.accounting.memory.served import Serving
    from dsv3calc.model.layer import GroupView
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model

LOW_LATENCY = TransferFormat(
    name="low-latency",
    title="rows of DeepEP's low-latency kernels: BF16, and two BF16 numbers for each 128",
    bits=16,
    group_size=128,
    scale_bits=32,
    kind="paper",
    citation="deepseek-ai/DeepEP, csrc/legacy/config.hpp at dd758caf, struct LowLatencyLayout: "
    "buffers are sized for combining in BF16 with a smallest and a largest value for 128 channels",
    url="https://github.com/deepseek-ai/DeepEP",
    read="2026-11-25",
)


class Passes:
    """What a pass of a server needs, on every pipeline rank or where its head is."""

    def __init__(
        self,
        model: Model,
        layout: Layout,
        serving: Serving,
        views: Sequence[GroupView],
        activations: Activations,
    ) -> None:
        self.model = model
        self.layout = layout
        self.serving = serving
        self.views = views
        self.activations = activations
        self.one = self.one_pass()
        self.shared = self.in_common()

    def one_pass(self) -> Line:
        """Give the activations of a pass in the layer that has the most of them."""
        layers = [
            self.activations.of_layer(f"serving.layer.{view.prefix}", view).kept
            for view in self.views
        ]
        return combined(
            "serving.activations",
            "maximum",
            layers,
            convention="of one pass in one layer, the largest; none freed within it",
            tags=about("activations"),
        )

    def in_common(self) -> list[Line]:
        """Give what every rank needs beside weights, cache, a pass and its logits."""
        software = self.serving.software
        found = [*self._exchange(), *software_buffers("serving", software, self.layout)]
        if software.graphs:
            taken = [field((SCOPE, software), "graphs", "B")]
            found.append(combined("serving.graphs", "sum", taken, tags=about("graphs")))
        return found

    def pass_and_logits(self, name: str, head: Line) -> list[Line]:
        """Give the bytes of a pass and of the logits of the head, on a rank that has one.

        Where an engine profiles its sampler, the pass is over by then: the larger of both counts.
        """
        serving, software = self.serving, self.serving.software
        sequences = serving.sequences(self.layout)
        bits, divisor = FP32, ONE
        convention = "FP32, one position of each sequence"
        if software.sampled_sequences:
            scope = (SCOPE, software)
            sampled = field(scope, "sampled_sequences", "1")
            sequences = combined("serving.sampled", "maximum", (sequences, sampled), unit="1")
            bits = field(scope, "logit_bits", "bit")
            convention = "of the sampler that the engine profiles, on every GPU"
        elif self.layout.vocabulary_parallel:
            divisor = degree(self.layout, "tp")
        logits = computed(
            "serving.logits",
            memory.activation_bytes,
            convention=convention,
            tokens=sequences,
            width=field(("model", self.model), "vocab_size"),
            bits=bits,
            group_size=ONE,
            scale_bits=given("logits.scale_bits", 0, "bit"),
            divisor=divisor,
        )
        own = combined(f"{name}.logits", "product", (head, logits), unit="B", tags=about("logits"))
        if not software.sampled_sequences:
            return [self.one, own]
        larger = combined(
            f"{name}.pass_or_logits",
            "maximum",
            (self.one, own),
            unit="B",
            convention="a pass, or the logits after it",
            tags=about("pass_or_logits"),
        )
        return [larger]

    def _exchange(self) -> list[Line]:
        """Give the buffers that experts' rows pass through."""
        views = [view for view in self.views if view.experts is not None]
        if not views:
            return []
        exchanged = several("serving.is_exchanged", degree(self.layout, "ep"))
        found = []
        for view in views:
            name, width = f"serving.exchange.{view.prefix}", experts_width(view)
            if self.serving.low_latency:
                sent = combined(
                    f"{name}.tokens",
                    "ratio",
                    (self.activations.tokens, self.activations.divisors["split"]),
                    unit="tokens",
                )
                buffer = computed(
                    f"{name}.low_latency_buffer",
                    memory.low_latency_buffer,
                    convention=LOW_LATENCY.title,
                    slots=self._slots(view),
                    tokens=sent,
                    copy_bytes=copy_bytes(f"{name}.copy_bytes", self.model, LOW_LATENCY, **width),
                )
                found.append(combined(name, "product", (buffer, exchanged), unit="B"))
                continue
            exchange = self.serving.exchange
            copies = [
                copy_bytes(f"{name}.{phase}.copy_bytes", self.model, form, **width)
                for phase, form in (("dispatch", exchange.dispatch), ("combine", exchange.combine))
            ]
            row = total(f"{name}.row_bytes", copies, unit="B")
            rows = self.activations.rows(view)
            found.append(combined(name, "product", (rows, row, exchanged), unit="B"))
        return [combined("serving.exchange", "maximum", found, tags=about("exchange"))]

    def _slots(self, view: GroupView) -> Line:
        """Return the places for experts of a layer, which its weights are counted from."""
        tensors = layer_tensors(view, self.layout, Rules())
        return next(tensor.copies for tensor in tensors if tensor.division == "experts")
