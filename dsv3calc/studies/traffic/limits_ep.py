"""Answer ``limits ep``: how fast expert parallelism lets a model decode, and under which count."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dsv3calc.accounting.traffic.limits_ep import CONVENTIONS, Limit, limit_lines, mtp_lines
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.errors import UsageError
from dsv3calc.ledger.line import Ledger
from dsv3calc.model.architecture import experts_of
from dsv3calc.numbers.quantity_format import format_quantity
from dsv3calc.studies.answer import Answer, Column
from dsv3calc.studies.preset_loader import PresetLoader, positive
from dsv3calc.studies.traffic.exchanges import (
    LARGEST_METADATA,
    asked,
    cite_formats,
    format_of,
    latency_of,
    model_dispatch,
    number,
    one_of,
)

if TYPE_CHECKING:
    from dsv3calc.queries.traffic import LimitsEPQuery
    from dsv3calc.schema.hardware import Hardware
    from dsv3calc.schema.model import Model
    from dsv3calc.schema.network import Network

PAPER = "isca25"
DEFAULT_TOKENS = 32
LARGEST_COST = 1000
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
    )
    loader.check_overrides()
    answer.query |= {
        "tokens": limit.tokens,
        "convention": convention,
        "link": link,
        "bandwidth": limit.bandwidth,
    }
    cite_formats(answer, limit.dispatch, limit.combine)
    found = limit_lines("limits.ep", model.value, hardware.value, limit, convention)
    lines = found.lines
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
    _remarks(answer, model.value, hardware.value, limit, network)
    answer.columns.append(Column(model.name, model.value.title, Ledger(model.value.title, lines)))
    return answer


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
    answer: Answer, model: Model, hardware: Hardware, limit: Limit, network: Network | None
) -> None:
    moe = experts_of(model)[0]
    answer.assumptions += [
        "one expert per device (shared experts included); every copy uses the link",
        "two micro-batches alternate; computation takes no longer than communication",
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
