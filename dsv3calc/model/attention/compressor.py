"""What makes one entry of several tokens: a weighted mean whose weights are projected too."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas import compression
from dsv3calc.ledger.line import Line, combined, computed, given
from dsv3calc.model.block import CacheEntry, CachePart, StatePart
from dsv3calc.model.operator import ONE, PASS, PRODUCT, Operator
from dsv3calc.model.saved import FP32, Activation, Product, Saving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.block import Attention
    from dsv3calc.model.operator import Tensor

_BOTH = given("compressor.projections", 2, "1", "what is averaged, and the weights of the average")


class Compressor:
    """A compressor of a compressed attention: of its entries, or of its indexer's keys.

    ``component`` is the line of the tables that it is counted in; ``channels`` are those of an
    entry, which stands for ``ratio`` tokens.
    """

    def __init__(
        self,
        attention: Attention,
        component: str,
        channels: Line,
        ratio: Line,
        *,
        trained: bool = True,
    ) -> None:
        self.attention = attention
        self.ratio = ratio
        self.component = component
        self.channels = channels
        self.trained = trained
        self._prefix = component if component == "compressor" else f"{component}_compressor"

    @property
    def width(self) -> Line:
        """The width of what is projected of a token: twice an entry where blocks overlap."""
        return computed(
            f"{self.attention.prefix}.{self._prefix}_width",
            compression.compressor_width,
            head_dim=self.channels,
            blocks=self._blocks,
        )

    def tensors(self) -> Iterator[Tensor]:
        """List the two projections, the bias of each place in a block, and the entries' norm."""
        owner, width = self.attention, self.width
        for name in ("kv_proj", "gate_proj"):
            yield owner.tensor(
                f"{self._prefix}.{name}",
                self.component,
                width,
                owner.hidden,
                division="replicated",
            )
        yield owner.tensor(
            f"{self._prefix}.position_bias",
            self.component,
            width,
            copies=self.ratio,
            weight_class="biases",
            division="replicated",
        )
        yield owner.tensor(f"{self._prefix}.norm", "norms", self.channels, division="replicated")

    def operators(self) -> Iterator[Operator]:
        """List the projections and the mean; the entries' norm works on one of many tokens."""
        weights, width = self.attention.weights, self.width
        for name in ("kv_proj", "gate_proj"):
            place = f"{self._prefix}.{name}"
            yield Operator(
                place,
                PRODUCT,
                self.component,
                weights(place),
                output=lambda _, place=place: Product(place, width, "block"),  # type: ignore[misc] # bound early
                trained=self.trained,
            )
        yield Operator(
            f"{self._prefix}.mean",
            PASS,
            self.component,
            weights(f"{self._prefix}.position_bias", f"{self._prefix}.norm"),
            reads=(width, width),
            saves=self._saved,
            trained=self.trained,
        )

    def _saved(self, _: Saving) -> Iterator[Activation]:
        for what in ("values", "weights"):
            yield Activation(f"{self._prefix}_{what}", self.width, "block", bits=FP32)

    @property
    def _blocks(self) -> Line:
        spec = self.attention.spec
        words = "neighbouring blocks overlap" if spec.overlap else "blocks stand apart"
        return given("compressor_blocks", 2 if spec.overlap else 1, "1", words)

    def state(self) -> StatePart:
        """Return what engines keep: values and weights of the tokens of open blocks, in FP32."""
        name = f"state.{self.attention.prefix}.{self._prefix}"
        rows = combined(f"{name}_tokens", "product", (self._blocks, self.ratio), unit="tokens")
        elements = combined(f"{name}_elements", "product", (self.width, rows, _BOTH))
        return StatePart(self._prefix, "compressor", elements, "replicated")

    def kept_by_library(self) -> list[CacheEntry]:
        """List what transformers keeps: tokens without an entry, and where blocks overlap the last.

        Values and weights of the first have the model's data type; weights of the second are FP32.
        """
        name = self._prefix
        waiting = [CachePart(f"{name}_waiting", _BOTH, self.width)]
        entries = [
            CacheEntry(
                f"{name}_waiting",
                waiting,
                "replicated",
                ratio=self.ratio,
                rows=compression.waiting_tokens,
            )
        ]
        if self.attention.spec.overlap:
            last = [
                CachePart(f"{name}_last_values", ONE, self.channels),
                CachePart(f"{name}_last_weights", ONE, self.channels, "fp32"),
            ]
            entries.append(
                CacheEntry(
                    f"{name}_last",
                    last,
                    "replicated",
                    ratio=self.ratio,
                    rows=compression.last_block_tokens,
                )
            )
        return entries
