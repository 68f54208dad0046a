"""What an engine leaves for the cache: a share of the device, or of what is free on it."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.accounting.memory.buffers import SCOPE, software_buffers
from dsv3calc.accounting.placement.rank_order import degree
from dsv3calc.formulas import memory, server
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.tags import Tags

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.setup import SetupMemory

OUTSIDE = ("driver_context", "communication")
"""What a static pool's share is not taken of: it is there before the weights are loaded."""


class Pool:
    """The pool of a server's cache by the rule of its engine.

    ``share`` is in millionths; None where the set-up states what is reserved instead.
    """

    def __init__(
        self,
        software: SetupMemory,
        hardware: Hardware,
        layout: Layout,
        share: Any,
        pass_tokens: Line,
    ) -> None:
        self.software = software
        self.hardware = hardware
        self.layout = layout
        self.share = (
            None
            if share is None
            else given("setup.memory.memory_fraction", share, "1", "in millionths")
        )
        self.pass_tokens = pass_tokens

    def budget(self) -> Line:
        """Return the bytes of a device that weights, buffers and cache may take together."""
        scope = ("hardware.memory", self.hardware.memory)
        if self.software.pool == "device":
            return computed("serving.budget", server.server_budget, scope, memory_share=self.share)
        return combined("serving.budget", "sum", [field(scope, "usable", "B")], unit="B")

    def of_rank(self, name: str, rank: Line, weights: Line, buffers: Line) -> Line:
        """Return the bytes that the cache of a pipeline rank may take."""
        tags = Tags(quantity="kv_pool", rank=rank.value)
        if self.software.pool == "free":
            left = self._left(f"{name}.left", self.budget(), weights, buffers)
            return computed(
                f"{name}.kv_pool",
                server.server_budget,
                convention="a share of what remains after weights and buffers",
                tags=tags,
                usable=left,
                memory_share=self.share,
            )
        if self.software.pool == "device":
            return self._left(f"{name}.kv_pool", self.budget(), weights, buffers, tags=tags)
        nothing = given("serving.not_counted", 0, "B", "buffers, for which the share leaves room")
        return self._left(f"{name}.kv_pool", self._static(), weights, nothing, tags=tags)

    @staticmethod
    def _left(name: str, budget: Line, weights: Line, buffers: Line, **more: Any) -> Line:
        return computed(
            name,
            server.cache_pool,
            **more,
            budget=budget,
            weight_bytes=weights,
            buffer_bytes=buffers,
        )

    def _static(self) -> Line:
        """Return the bytes of a device that weights and cache may take."""
        outside = [
            line
            for line in software_buffers("serving", self.software, self.layout)
            if line.tags.quantity in OUTSIDE
        ]
        usable = combined(
            "serving.before_weights", "difference", [self.budget(), *outside], unit="B"
        )
        if self.share is not None:
            return computed(
                "serving.static", server.server_budget, usable=usable, memory_share=self.share
            )
        scope = (SCOPE, self.software)
        gpus = combined(
            "serving.replica_gpus",
            "product",
            [degree(self.layout, axis) for axis in ("tp", "cp", "pp")],
            unit="1",
        )

        def of_each(what: str, amount: Line) -> Line:
            factors = (field(scope, what, "B"), amount)
            return combined(f"serving.{what}", "product", factors, unit="B")

        reserved = total(
            "serving.reserved",
            [
                field(scope, "reserved", "B"),
                of_each("reserved_per_token", self.pass_tokens),
                of_each("reserved_per_gpu", gpus),
            ],
            unit="B",
        )
        return combined("serving.static", "difference", [usable, reserved], unit="B")

    def fits(self, name: str, used: Line, cache: Line, pool: Line) -> Line:
        """Tell whether a rank's bytes fit the device, and its cache the pool."""
        budget = self.budget()
        if self.software.pool == "device":
            return computed(f"{name}.fits", memory.fits, total_bytes=used, usable=budget)
        parts = [
            computed(f"{name}.{what}", memory.fits, total_bytes=line, usable=room)
            for what, line, room in (
                ("fits_device", used, budget),
                ("fits_pool", cache, pool),
            )
        ]
        return combined(f"{name}.fits", "product", parts, unit="1")
