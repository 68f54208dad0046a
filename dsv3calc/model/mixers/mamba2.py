"""Mamba-2, as Nemotron-H, Granite 4 and Falcon-H1 have it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dsv3calc.formulas import attention, mixers
from dsv3calc.ledger.line import Line, combined, computed, given
from dsv3calc.model.mixers.recurrence import COMPONENT, VECTOR, Recurrent, products
from dsv3calc.model.operator import Scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.model.operator import Tensor
    from dsv3calc.schema.mixers import Mamba2

_PAIR = given("projections", 2, "1")


class Kind(Recurrent):
    """Mamba-2 of one layer group: a state space with one decay for each head."""

    spec: Mamba2
    inputs = ("in_proj_zx", "in_proj_bc", "in_proj_dt")
    norms = ("mixer_norm",)

    @property
    def heads(self) -> Line:
        """The heads: each has a state."""
        return self.field("mamba_num_heads", "1")

    @property
    def groups(self) -> Line:
        """The groups of heads that share both sides of the state."""
        return self.field("n_groups", "1")

    def state_rows(self) -> Line:
        """Return the elements of the state of a channel."""
        return self.field("ssm_state_size")

    def state_columns(self) -> Line:
        """Return the channels of a head."""
        return self.field("mamba_head_dim")

    @cached_property
    def value_width(self) -> Line:
        """The inner channels, of all heads."""
        return computed(
            f"{self.prefix}.inner_width",
            attention.heads_width,
            heads=self.heads,
            head_dim=self.state_columns(),
        )

    @cached_property
    def _sides(self) -> Line:
        name, parts = f"{self.prefix}.state_sides", (self.groups, self.state_rows(), _PAIR)
        return combined(name, "product", parts, unit="elements", convention="B and C")

    def convolved(self) -> dict[str, Line]:
        """Return the inner channels, and those of both sides of the state."""
        return {"split": self.value_width, "groups": self._sides}

    def make_tensors(self) -> Iterator[Tensor]:
        """List projections, convolution, decays, norm and output projection."""
        spec, hidden, inner = self.spec, self.hidden, self.value_width
        steps = self.field("mamba_num_heads")
        both = combined(f"{self.prefix}.gate_inner_width", "product", (inner, _PAIR))
        shapes = (
            ("in_proj_zx", both, "split"),
            ("in_proj_bc", self._sides, "groups"),
            ("in_proj_dt", steps, "split"),
        )
        for name, width, division in shapes:
            kind = "mixer_rates" if name == "in_proj_dt" else COMPONENT
            yield self.tensor(name, COMPONENT, width, hidden, division=division, weight_class=kind)
            if spec.proj_bias:
                yield self.tensor(f"{name}.bias", COMPONENT, width, division=division, **VECTOR)
        yield from self.convolutions(self.field("conv_kernel"), bias=spec.conv_bias)
        for name in ("A_log", "D", "dt_bias"):
            yield self.tensor(name, COMPONENT, steps, **VECTOR)
        if spec.gated_norm:
            yield self.tensor("mixer_norm", "norms", inner)
        yield self.tensor("out_proj", COMPONENT, hidden, inner)
        if spec.proj_bias:
            yield self.tensor("out_proj.bias", COMPONENT, hidden, division="replicated", **VECTOR)

    def scan(self) -> Scan:
        """Return the forms of the state space."""
        size = {
            "heads": self.heads,
            "state_rows": self.state_rows(),
            "state_columns": self.state_columns(),
        }
        chunk = {"chunk_size": self.field("chunk_size", "tokens")}

        def chunked(heads: Line, *counts: int) -> dict[str, Line]:
            names = ("key", "value", "state")
            found = {
                f"{name}_products": products(name, count)
                for name, count in zip(names, counts, strict=True)
            }
            return size | chunk | found | {"heads": heads}

        update = size | {"state_products": products("state", 2, "the update and the output")}
        output = size | {"state_products": products("state", 1, "the output; the rest elementwise")}
        return Scan(
            {
                "recurrent": {"recurrence": (mixers.recurrence_flops, update)},
                "chunked": {
                    "scores": (mixers.chunked_flops, chunked(self.groups, 1, 0, 0)),
                    "recurrence": (mixers.chunked_flops, chunked(self.heads, 0, 1, 2)),
                },
                "library": {
                    "recurrence": (mixers.chunked_flops, chunked(self.heads, 1, 1, 2)),
                    "between_chunks": (mixers.chunk_states_flops, size | chunk),
                },
                "library-step": {"recurrence": (mixers.recurrence_flops, output)},
            }
        )
