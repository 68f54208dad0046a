"""Routed experts of a server in the memory of its host: what can be asked of them."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.accounting.host_experts import host_room, routed_lines
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Line, total
from dsv3calc.ledger.substitution import Substitution
from dsv3calc.queries.options import OFFLOADED
from dsv3calc.studies.checked import one_of

if TYPE_CHECKING:
    from dsv3calc.queries.memory import MemoryQuery
    from dsv3calc.queries.serve import ServeQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.layout import Layout
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.precision import Precision


def experts_on_host(query: MemoryQuery | ServeQuery, layout: Layout) -> bool:
    """Tell whether the routed experts are in the memory of the host.

    Raises
    ------
    UsageError
        If they are, and the layout has more than the devices of one tensor-parallel group.
    """
    if query.offload is None:
        return False
    kind = one_of("--offload", query.offload, OFFLOADED, "")
    if layout.gpus != layout.tp or layout.ep != 1:
        raise UsageError(
            f"--offload {kind}: the host of one node computes the experts, and the layout has "
            f"dp {layout.dp:,}, pp {layout.pp:,}, cp {layout.cp:,}, ep {layout.ep:,}",
            "leave them out, or --offload",
        )
    if layout.redundant_experts or layout.shared_experts == "routed":
        raise UsageError(
            f"--offload {kind}: the layout has redundant experts or dispatches shared ones",
            "leave out --redundant-experts and --shared-experts routed",
        )
    return True


def host_lines(model: Model, precision: Precision, hardware: Hardware) -> list[Line]:
    """Give what the experts take of the host's memory, and what it has left.

    Raises
    ------
    UsageError
        If the model has no routed experts, or the host is too small for them.
    """
    held = routed_lines(model, precision)[0]
    found = {"host_bytes": held, "host_free": host_room(hardware, held)}
    under = Substitution("serving.", {})
    return [total(f"serving.{what}", (line,)) for what, line in under.lines(found).items()]
