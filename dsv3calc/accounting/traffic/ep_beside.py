"""What stands beside the limit of expert parallelism: messages, coders, switches, computation."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.formulas import decoding
from dsv3calc.formulas import in_network as in_network_formulas
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.model.operator import ONE

if TYPE_CHECKING:
    from dsv3calc.accounting.traffic.limits_ep import LimitLines
    from dsv3calc.schema.hardware import Hardware

WAYS = given("phases", 2, "1", "dispatch and combine")


def message_lines(prefix: str, found: LimitLines, hardware: Hardware, tokens: Any) -> list[Line]:
    """Give the messages that a device sends in a second, and the time that a CPU has for each."""
    sent = combined(
        f"{prefix}.messages",
        "product",
        (WAYS, given("workload.tokens", tokens, "tokens"), found.experts_per_token),
        unit="1",
        convention="of one device, layer and micro-batch: one for each copy, each way",
    )
    rate = combined(
        f"{prefix}.messages_per_second",
        "ratio",
        (sent, found.all_to_all_time),
        unit="1",
        convention="of one device, in a second",
    )
    lines = [rate]
    if hardware.node_size is not None:
        node = combined(
            f"{prefix}.messages_per_second_of_a_node",
            "product",
            (rate, field(("hardware", hardware), "node_size", "1")),
            unit="1",
        )
        one = given("one_second", 1, "s")
        lines.append(
            combined(
                f"{prefix}.proxy_seconds",
                "ratio",
                (one, node),
                unit="s",
                convention="per message, if one thread posts all messages of a node",
            )
        )
        lines.insert(1, node)
    return lines


def in_network_lines(prefix: str, found: LimitLines) -> list[Line]:
    """Give the limit where switches multicast dispatch and add up combine."""
    share = computed(
        f"{prefix}.in_network_share",
        in_network_formulas.in_network_share,
        link_copies=found.experts_per_token,
        dispatch_bytes=found.copy_bytes[0],
        combine_bytes=found.copy_bytes[1],
    )
    return [
        share,
        combined(
            f"{prefix}.in_network_tpot",
            "product",
            (found.tpot, share),
            unit="s",
            convention="multicast and reduction, both directions at once; latency counted alike",
        ),
    ]


def codec_lines(prefix: str, found: LimitLines, plain: LimitLines, overhead: Any) -> list[Line]:
    """Compare a coded combine with one in the plain format, the coder's time on top."""
    shorter = combined(
        f"{prefix}.transfer_ratio",
        "ratio",
        (found.copy_bytes[1], plain.copy_bytes[1]),
        unit="ratio",
        convention="bytes of a combined copy, over BF16",
    )
    factor = computed(
        f"{prefix}.codec_factor",
        in_network_formulas.codec_factor,
        transfer_ratio=shorter,
        codec_overhead=given("codec_overhead", overhead, "ratio"),
    )
    at_most = combined(f"{prefix}.codec_ratio", "ratio", (ONE, shorter), unit="ratio")
    return [
        shorter,
        factor,
        combined(
            f"{prefix}.codec_break_even",
            "difference",
            (at_most, ONE),
            unit="ratio",
            convention="the overhead below which compression saves time",
        ),
    ]


def computing_lines(prefix: str, found: LimitLines, computing: Line) -> list[Line]:
    """Give a layer in which computation, too, takes time, and the larger of the two."""
    own = total(
        f"{prefix}.compute_time",
        (computing,),
        convention="kernels of one layer and micro-batch at peaks, one after the other",
    )
    longer = combined(f"{prefix}.binding_time", "maximum", (own, found.all_to_all_time), unit="s")
    layer = computed(
        f"{prefix}.time_per_layer_with_computation",
        decoding.two_micro_batch_time,
        communication_seconds=longer,
    )
    return [
        own,
        combined(
            f"{prefix}.compute_over_exchange",
            "ratio",
            (own, found.all_to_all_time),
            unit="ratio",
            convention="above 1 computation is the limit, below 1 the network",
        ),
        layer,
        combined(
            f"{prefix}.tpot_with_computation",
            "product",
            (found.layers, layer),
            unit="s",
            convention="every layer counted as an MoE layer",
        ),
    ]


def network_lines(
    copies: Line, dispatch: Line, combine: Line, *, in_network: bool, planes: Any = None
) -> list[Line]:
    """Give what switches save of a token's copies, and what changes planes inside a node.

    ``copies`` are those that cross the scale-out link, ``dispatch`` and ``combine`` their bytes.
    """
    lines = []
    if in_network and copies.value >= 1:
        lines.append(
            computed(
                "traffic.in_network_share",
                in_network_formulas.in_network_share,
                convention="of scale-out bytes; both directions of the NIC at once",
                link_copies=copies,
                dispatch_bytes=dispatch,
                combine_bytes=combine,
            )
        )
    if planes is not None:
        moved = computed(
            "traffic.plane_changes_per_token",
            in_network_formulas.plane_changes,
            link_copies=copies,
            planes=given("planes", planes, "1"),
        )
        both = total("traffic.copy_bytes_of_both", (dispatch, combine))
        lines += [
            moved,
            combined(
                "traffic.plane_change_bytes_per_token",
                "product",
                (moved, both),
                unit="B/token",
                convention="dispatch and combine of one layer, over the scale-up link",
            ),
        ]
    return lines
