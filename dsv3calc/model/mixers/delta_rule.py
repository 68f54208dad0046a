"""The delta rule of Gated DeltaNet and Kimi Delta Attention: what its recurrence costs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.formulas import mixers
from dsv3calc.model.mixers.recurrence import Recurrent, products
from dsv3calc.model.operator import Scan

if TYPE_CHECKING:
    from dsv3calc.ledger.line import Line

_EACH = "what the state holds for the key, its correction, the output"
_KERNEL = (
    "as flash-linear-attention's kernels: keys with keys and with queries, the inverse with keys "
    "and with values, scores with values; the inverse itself is left out"
)
_KERNEL_PRODUCTS = (3, 2, 3)


class DeltaRule(Recurrent):
    """A mixer whose recurrence is a delta rule."""

    library_products = (0, 0, 0)
    """Products of a chunk in transformers' code: over keys, over values, with the state."""

    library_words = ""

    def scan(self) -> Scan:
        """Return the forms of the delta rule."""
        size: dict[str, Line] = {
            "heads": self.heads,
            "state_rows": self.state_rows(),
            "state_columns": self.state_columns(),
        }
        chunk = {"chunk_size": self.field("chunk_size", "tokens")}

        def chunked(counts: tuple[int, int, int], words: str) -> dict[str, Line]:
            names = ("key", "value", "state")
            found = {
                f"{name}_products": products(name, count, words)
                for name, count in zip(names, counts, strict=True)
            }
            return size | chunk | found

        def step(count: int, words: str) -> dict[str, Line]:
            return size | {"state_products": products("state", count, words)}

        kernel = chunked(_KERNEL_PRODUCTS, _KERNEL)
        library = chunked(self.library_products, self.library_words)
        each = step(0, "elementwise in transformers' code: no matrix product")
        return Scan(
            {
                "recurrent": {"recurrence": (mixers.recurrence_flops, step(3, _EACH))},
                "chunked": {"recurrence": (mixers.chunked_flops, kernel)},
                "library": {"recurrence": (mixers.chunked_flops, library)},
                "library-step": {"recurrence": (mixers.recurrence_flops, each)},
            }
        )
