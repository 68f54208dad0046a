"""The limit that expert parallelism sets to decoding, by itself: no computation takes time."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.accounting.traffic.exchange import copy_bytes, experts_width
from dsv3calc.accounting.traffic.experts import check_alike, expert_layers, expert_views
from dsv3calc.accounting.traffic.transfer_formats import FORMATS, TransferFormat
from dsv3calc.errors import UsageError
from dsv3calc.formulas import decoding, host, transfers
from dsv3calc.ledger.line import Line, combined, computed, field, given, total
from dsv3calc.ledger.named_lines import NamedLines

if TYPE_CHECKING:
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.model import Model

CONVENTIONS = {
    "as-configured": "the model's hidden size, its layers with experts, scales, latency",
    "isca25": "arXiv:2505.09343 section 2.3.2: hidden size in whole thousands, every layer counted "
    "as one with experts, no scales, no latency",
}
"""How the limit is counted; the first is the default."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """What the limit is asked for.

    ``tokens`` are those of one device and micro-batch, ``latency`` that of a message in seconds,
    ``host_traffic`` what else uses the link over which a NIC reaches its device, in B/s.
    """

    tokens: Any
    link: str = "scale_out"
    bandwidth: str = "nominal"
    dispatch: TransferFormat = FORMATS["fp8"]
    combine: TransferFormat = FORMATS["bf16"]
    latency: Any = 0
    metadata_bytes: Any = 0
    host_traffic: Any = None


class LimitLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """Lines ``PREFIX.{all_to_all_time,time_per_layer,tpot}`` [s], ``.tokens_per_second``.

    The others are what these are made of: they are listed with them.
    """

    all_to_all_time: Line
    time_per_layer: Line
    tpot: Line
    tokens_per_second: Line
    layers: Line
    experts_per_token: Line
    copy_bytes: tuple[Line, Line]
    bandwidth: Line

    @property
    def lines(self) -> list[Line]:
        """The lines that a ledger lists."""
        shared = [] if self.bandwidth.rule == "given" else [self.bandwidth]
        return [
            *shared,
            self.all_to_all_time,
            self.time_per_layer,
            self.tpot,
            self.tokens_per_second,
        ]


def limit_lines(
    prefix: str, model: Model, hardware: Hardware, limit: Limit, convention: str
) -> LimitLines:
    """Bound decoding where each device holds one expert and two micro-batches alternate.

    Every copy of a token, to its routed and its shared experts, crosses the link.

    Raises
    ------
    UsageError
        If the model has no routed experts or layers with different ones, or the device no such link
        or bandwidth.
    """
    views = expert_views(model)
    if not views:
        raise UsageError(
            f"{model.name} has no routed experts, so expert parallelism does not limit it",
            "choose a mixture of experts, such as deepseek-v3",
        )
    check_alike(model, views)
    paper = convention == "isca25"
    words = CONVENTIONS[convention]
    experts, copies, moved = _moved(prefix, model, limit, paper=paper)
    bandwidth = _bandwidth(hardware, limit)
    exchange = computed(
        f"{prefix}.all_to_all_time",
        transfers.transfer_time,
        convention=f"dispatch and combine of a micro-batch; {words}",
        moved=moved,
        link_bandwidth=bandwidth,
        imbalance=given("imbalance", 1, "ratio", "all devices are equally loaded"),
        rounds=given("phases", 2, "1", "dispatch and combine"),
        latency=given("latency", 0 if paper else limit.latency, "s"),
    )
    layer = computed(
        f"{prefix}.time_per_layer",
        decoding.two_micro_batch_time,
        convention=words,
        communication_seconds=exchange,
    )
    depth = field(("model", model), "num_hidden_layers", "1")
    layers = depth if paper else expert_layers(views)
    tpot = computed(
        f"{prefix}.tpot",
        decoding.time_per_output_token,
        convention=words,
        layers=layers,
        layer_seconds=layer,
    )
    one = given("one", 1, "tokens")
    rate = combined(
        f"{prefix}.tokens_per_second",
        "ratio",
        (one, tpot),
        unit="tokens/s",
        convention="of one request, without multi-token prediction",
    )
    return LimitLines(
        all_to_all_time=exchange,
        time_per_layer=layer,
        tpot=tpot,
        tokens_per_second=rate,
        layers=layers,
        experts_per_token=experts,
        copy_bytes=copies,
        bandwidth=bandwidth,
    )


def _moved(
    prefix: str, model: Model, limit: Limit, *, paper: bool
) -> tuple[Line, tuple[Line, Line], Line]:
    """Give the copies of a token, the bytes of one each way, and those that a device moves."""
    routed = expert_views(model)[0].experts
    assert routed is not None  # noqa: S101 - expert_views lists no other
    experts = total(
        f"{prefix}.experts_per_token",
        (routed.chosen, field(routed.scope, "n_shared_experts", "1")),
    )
    dispatch, combine = limit.dispatch, limit.combine
    arguments: dict[str, Any] = experts_width(expert_views(model)[0])
    if paper:
        dispatch, combine = FORMATS["fp8"].without_scales(), FORMATS["bf16"]
        arguments["hidden_size"] = computed(
            f"{prefix}.hidden_size", decoding.hidden_in_thousands, ("model", model)
        )
        if model.hidden_size < 1000:  # noqa: PLR2004 - what "7K" cuts to
            raise UsageError(
                f"{model.name}: a hidden size of {model.hidden_size} is less than one thousand, "
                "and this convention counts whole thousands",
                "leave out --convention isca25",
            )
    beside = 0 if paper else limit.metadata_bytes
    ways = (
        copy_bytes(f"{prefix}.dispatch_bytes", model, dispatch, beside, **arguments),
        copy_bytes(f"{prefix}.combine_bytes", model, combine, **arguments),
    )
    copies = total(f"{prefix}.bytes_per_copy", ways)
    tokens = given("workload.tokens", limit.tokens, "tokens", "of one device and micro-batch")
    moved = combined(
        f"{prefix}.bytes",
        "product",
        (copies, tokens, experts),
        unit="B",
        convention="one device, one layer; every copy crosses the link",
    )
    return experts, ways, moved


def _bandwidth(hardware: Hardware, limit: Limit) -> Line:
    device = getattr(hardware, limit.link)
    words = limit.link.replace("_", "-")
    if device is None:
        raise UsageError(f"{hardware.name} has no {words} link", "choose another --link")
    if getattr(device, limit.bandwidth) is None:
        raise UsageError(
            f"the {limit.bandwidth} bandwidth of {hardware.name}'s {words} link is not known",
            "leave out --bandwidth",
        )
    nic = field((f"hardware.{limit.link}", device), limit.bandwidth, "B/s")
    return nic if limit.host_traffic is None else _left_of_lane(hardware, nic, limit.host_traffic)


def _left_of_lane(hardware: Hardware, nic: Line, traffic: Any) -> Line:
    """Give what other traffic of the host's link leaves to the NIC.

    Raises
    ------
    UsageError
        If the host has no link to its devices, or nothing is left of it.
    """
    link = None if hardware.host is None else hardware.host.link
    if link is None:
        raise UsageError(
            f"{hardware.name} has no link to its host in its preset, which the NIC would share",
            "--set hardware.host.link='{name: PCIe 5.0 x16, nominal: 63 GB/s}'",
        )
    left = computed(
        "limits.ep.nic_bandwidth",
        host.shared_lane_bandwidth,
        nic_bandwidth=nic,
        host_lane_bandwidth=field(("hardware.host.link", link), "nominal", "B/s"),
        host_traffic=given("host_traffic", traffic, "B/s"),
    )
    if left.value <= 0:
        raise UsageError(
            f"--host-traffic leaves no bandwidth of {link.name} for the NIC",
            "give less than the link has",
        )
    return left


class MTPLines(NamedLines, frozen=True, eq=False, kw_only=True):
    """What multi-token prediction gains: a factor, and the rate with it."""

    gain: Line
    tokens_per_second: Line


def mtp_lines(prefix: str, rate: Line, acceptance: Any, cost: Any) -> MTPLines:
    """Give what multi-token prediction adds to a rate."""
    gain = computed(
        f"{prefix}.mtp_gain",
        decoding.mtp_gain,
        acceptance=given("mtp_acceptance", acceptance, "ratio"),
        mtp_cost=given("mtp_cost", cost, "ratio"),
    )
    name, factors = f"{prefix}.tokens_per_second_with_mtp", (rate, gain)
    return MTPLines(
        gain=gain, tokens_per_second=combined(name, "product", factors, unit="tokens/s")
    )
