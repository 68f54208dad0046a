"""Answer ``limits ep``: how fast expert parallelism lets a model decode, and under which count."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.traffic.ep_beside import (
    codec_lines,
    computing_lines,
    in_network_lines,
    message_lines,
)
from dsv3calc.accounting.traffic.experts import expert_views
from dsv3calc.accounting.traffic.limits_ep import CONVENTIONS, Limit, limit_lines, mtp_lines
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger
from dsv3calc.model.architecture import experts_of
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.checked import number, one_of, positive
from dsv3calc.studies.preset_loader import PresetLoader
from dsv3calc.studies.traffic.exchanges import (
    DEFAULT_TOKENS,
    LARGEST_METADATA,
    asked,
    cite_formats,
    format_of,
    latency_of,
    model_dispatch,
)

if TYPE_CHECKING:
    from dsv3calc.accounting.traffic.limits_ep import LimitLines
    from dsv3calc.ledger.line import Line
    from dsv3calc.queries.traffic import LimitsEPQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.network import Network

PAPER = "isca25"
LARGEST_COST = 1000
LARGEST_TRAFFIC = 10**18
NOT_IN_PAPER = ("dispatch", "combine", "metadata", "network", "latency", "precision")
BANDWIDTHS = ("nominal", "achieved")
LINK_NAMES = {"scale-out": "scale_out", "scale-up": "scale_up"}


def answer_limits_ep(query: LimitsEPQuery) -> Answer:
    """Bound decoding by the time that experts' copies take on a link.

    Raises
    ------
    UsageError, InvalidInput
        As the query or a preset is wrong.
    """
    default = next(iter(CONVENTIONS))
    convention = one_of("--convention", query.convention, CONVENTIONS, default)
    if convention == PAPER:
        _check_paper(query)
    answer = Answer("limits ep", asked(query))
    answer.notes += query.notes
    loader = PresetLoader(query)
    model = loader.model(query.model)
    hardware = loader.hardware(query.hardware)
    answer.cite(model)
    answer.cite(hardware, used=("scale_up", "scale_out"))
    link = one_of("--link", query.link, LINK_NAMES, "scale-out")
    limit = Limit(
        tokens=positive("--pass-tokens", query.tokens, DEFAULT_TOKENS),
        link=LINK_NAMES[link],
        bandwidth=one_of("--bandwidth", query.bandwidth, BANDWIDTHS, "nominal"),
        dispatch=model_dispatch(loader, answer, model, query.precision, query.dispatch),
        combine=format_of("--combine", query.combine, FORMATS["bf16"]),
        latency=latency_of(loader, answer, query.network, query.latency),
        metadata_bytes=number("--metadata", query.metadata, 0, most=LARGEST_METADATA),
        host_traffic=_host_traffic(query, link),
    )
    if query.context is None:
        loader.check_overrides()
    answer.query |= {
        "tokens": limit.tokens,
        "convention": convention,
        "link": link,
        "bandwidth": limit.bandwidth,
    }
    cite_formats(answer, limit.dispatch, limit.combine)
    found = limit_lines("limits.ep", model.value, hardware.value, limit, convention)
    lines = found.lines + _beside(query, answer, model.value, hardware.value, limit, found)
    if query.mtp_acceptance is not None:
        acceptance = number("--mtp-acceptance", query.mtp_acceptance, 0, most=1)
        cost = number("--mtp-cost", query.mtp_cost, 0, most=LARGEST_COST)
        lines += mtp_lines("limits.ep", found.tokens_per_second, acceptance, cost)
    elif query.mtp_cost is not None:
        raise UsageError("--mtp-cost without --mtp-acceptance", "give both")
    for other in CONVENTIONS:
        if other != convention and model.value.hidden_size >= 1000:  # noqa: PLR2004 - "7K"
            prefix = f"limits.ep.{other.replace('-', '_')}"
            lines += limit_lines(prefix, model.value, hardware.value, limit, other)
    if limit.link == "scale_out":
        _compare_links(answer, model.value, hardware.value, limit, convention)
    network = None if query.network is None else loader.network(query.network).value
    computes = query.context is not None
    _remarks(answer, model.value, hardware.value, limit, network, computes=computes)
    answer.columns.append(Column(model.name, model.value.title, Ledger(model.value.title, lines)))
    return answer


def _host_traffic(query: LimitsEPQuery, link: str) -> float | None:
    if query.host_traffic is None:
        return None
    if link != "scale-out":
        raise UsageError(
            f"--host-traffic: the {link} link does not share the link of the host",
            "leave out --link",
        )
    return number("--host-traffic", query.host_traffic, 0, most=LARGEST_TRAFFIC)


def _beside(
    query: LimitsEPQuery,
    answer: Answer,
    model: Model,
    hardware: Hardware,
    limit: Limit,
    found: LimitLines,
) -> list[Line]:
    """Give what else was asked: messages, switches, coders, computation."""
    prefix = "limits.ep"
    lines = message_lines(prefix, found, hardware, limit.tokens)
    if query.in_network:
        lines += in_network_lines(prefix, found)
    if query.codec_overhead is not None:
        if limit.combine.name == "bf16":
            raise UsageError(
                "--codec-overhead: BF16 is not encoded", "give --combine logfmt-8 or another format"
            )
        overhead = number("--codec-overhead", query.codec_overhead, 0, most=LARGEST_COST)
        plain = msgspec.structs.replace(limit, combine=FORMATS["bf16"])
        plain_lines = limit_lines("limits.ep.plain", model, hardware, plain, "as-configured")
        lines += codec_lines(prefix, found, plain_lines, overhead)
    if query.context is not None:
        added = computing_lines(prefix, found, _computation(query, answer, model, limit))
        own, over, *_ = added
        binds = "computation" if over.value > 1 else "the network"
        answer.notes.append(
            f"{binds} binds: of a layer and micro-batch {format_quantity(own.value, 's')} of "
            f"computation at peaks, {format_quantity(found.all_to_all_time.value, 's')} of exchange"
        )
        lines += added
    return lines


def _computation(query: LimitsEPQuery, answer: Answer, model: Model, limit: Limit) -> Line:
    """Ask ``time`` for a layer with experts, one expert on each device."""
    view = expert_views(model)[0]
    assert view.experts is not None  # noqa: S101 - it has experts
    devices = view.experts.spec.n_routed_experts
    from dsv3calc.queries.time import TimeQuery
    from dsv3calc.studies.times.answer import answer_time

    timed = answer_time(
        TimeQuery(
            model=query.model, hardware=query.hardware, phase="decode", batch=limit.tokens,
            context=query.context, dp=devices, ep=devices, set=query.set, design=query.design,
            preset_path=query.preset_path, ignore_keys=query.ignore_keys,
        )
    )  # fmt: skip
    answer.assumptions.append(
        f"{devices:,} devices, a routed expert and a copy of all else on each; kernels at peaks"
    )
    return timed.columns[0].ledger.named()[f"time.{view.prefix}.layer.bound"]


def _compare_links(
    answer: Answer, model: Model, hardware: Hardware, limit: Limit, convention: str
) -> None:
    """Note what the scale-up link gives, where a token's experts may all lie in its domain."""
    if hardware.scale_up is None:
        return
    domain, moe = hardware.scale_up.domain_size, experts_of(model)[0]
    copies = moe.num_experts_per_tok + moe.n_shared_experts
    if domain is None or domain < copies or getattr(hardware.scale_up, limit.bandwidth) is None:
        return
    inside = msgspec.structs.replace(limit, link="scale_up", latency=0)
    tpot = limit_lines("limits.ep.scale_up", model, hardware, inside, convention).tpot.value
    answer.notes.append(
        f"{hardware.name} joins {domain:,} devices by {hardware.scale_up.name}: where they hold "
        f"all experts, --link scale-up gives {format_quantity(tpot, 's')} per token"
    )


def _check_paper(query: LimitsEPQuery) -> None:
    for name in NOT_IN_PAPER:
        if getattr(query, name) is not None:
            raise UsageError(
                f"--convention {PAPER} fixes formats and latency; it cannot go with --{name}",
                f"leave out --convention {PAPER}: its figures are shown beside the others",
            )


def _remarks(
    answer: Answer,
    model: Model,
    hardware: Hardware,
    limit: Limit,
    network: Network | None,
    *,
    computes: bool,
) -> None:
    moe = experts_of(model)[0]
    answer.assumptions += [
        "one expert per device (shared experts included); every copy uses the link",
        "two micro-batches alternate"
        + ("" if computes else "; computation takes no longer than communication"),
    ]
    device = getattr(hardware, limit.link)
    if network is not None and network.radix is not None and limit.link == "scale_up":
        answer.warn(
            f"{network.name} joins nodes, and its latency is taken for {device.name}: "
            "--network nvlink, or give --latency"
        )
    domain = device.domain_size
    if domain is not None and domain < moe.n_routed_experts:
        answer.warn(
            f"one expert per device needs at least {moe.n_routed_experts:,} devices "
            f"({moe.n_routed_experts + moe.n_shared_experts:,} with the shared experts), and "
            f"{device.name} of {hardware.name} joins {domain:,}: only its bandwidth is taken"
        )
