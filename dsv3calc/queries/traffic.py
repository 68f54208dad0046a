"""The queries about traffic as data; None means "not given", and the answer prints the default."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.base import Query
from dsv3calc.queries.fields import Annotated, Argument, Option
from dsv3calc.queries.layout import LayoutQuery

ROUTING, COLLECTIVES = "Routing", "Other collectives"


class TrafficQuery(LayoutQuery, frozen=True, kw_only=True):
    """What the GPUs of a layout send over which link, and how long it takes.

    Examples:

      dsv3calc traffic deepseek-v3 --layout v3-pretrain --hardware h800

      dsv3calc traffic deepseek-v3 --ep 64 --pass-tokens 128 --hardware h800

      dsv3calc traffic deepseek-v3 --layout v3-pretrain --hardware h800 --json

      dsv3calc traffic qwen3-32b --tp 8 --dp 8 --global-batch 64 --hardware h100
    """

    command: ClassVar[str] = "traffic"

    serve: Annotated[
        bool,
        Option("Count a forward pass of serving", shared.WORKLOAD, default="layout's phase"),
    ] = False
    sequence: Annotated[
        int | None,
        Option(
            "New tokens of each sequence", shared.WORKLOAD, flag="--seq", dimension="tokens",
            default="4096",
        ),
    ] = None  # fmt: skip
    tokens: Annotated[
        int | None,
        Option(
            "Tokens that one GPU dispatches in a micro-batch", shared.WORKLOAD,
            flag="--pass-tokens", old=("--tokens",), dimension="tokens",
            default="from --seq and the layout",
        ),
    ] = None  # fmt: skip
    precision: shared.DispatchedPrecision = None
    backward_dispatch: Annotated[
        str | None,
        Option(
            "Format of gradients sent to the experts in the backward pass", shared.FORMATS,
            metavar="FORMAT", default="as --dispatch", choices=shared.TRANSFER_FORMATS,
        ),
    ] = None  # fmt: skip
    backward_combine: Annotated[
        str | None,
        Option(
            "Format of gradients returned from the experts", shared.FORMATS, metavar="FORMAT",
            default="bf16", choices=shared.TRANSFER_FORMATS,
        ),
    ] = None  # fmt: skip
    no_scales: Annotated[bool, Option("Do not count scales", shared.FORMATS)] = False
    metadata: shared.Metadata = None
    forwarding: Annotated[
        str | None,
        Option(
            "node-limited, per-gpu or per-expert", ROUTING, metavar="WAY", default="node-limited",
            choices="accounting.traffic.exchange:FORWARDING",
        ),
    ] = None  # fmt: skip
    policy: Annotated[
        str | None,
        Option(
            "unrestricted, random-groups or group-limited", ROUTING, metavar="POLICY",
            default="the model's", choices="accounting.routing.destinations:POLICIES",
        ),
    ] = None  # fmt: skip
    law: Annotated[
        str | None,
        Option(
            "Distribution of router scores: uniform, sigmoid-normal, exponential", ROUTING,
            flag="--score-distribution", old=("--law",), metavar="NAME", default="uniform",
            choices="accounting.routing.score_laws:LAWS",
        ),
    ] = None  # fmt: skip
    group_score: Annotated[
        str | None,
        Option(
            "Score of a group: top2-sum, top-k-over-m-sum or max", ROUTING, metavar="SCORE",
            default="the model's", choices="accounting.routing.destinations:GROUP_SCORES",
        ),
    ] = None  # fmt: skip
    imbalance: Annotated[
        float | None,
        Option(
            "Traffic of the busiest GPU divided by the mean",
            ROUTING,
            dimension="ratio",
            default="1",
        ),
    ] = None
    network: shared.Network = None
    latency: shared.Latency = None
    scale_up_latency: Annotated[
        float | None,
        Option(
            "Latency of a message over the scale-up link", shared.LINKS, dimension="s", default="0"
        ),
    ] = None
    in_network: shared.InNetwork = False
    planes: Annotated[
        int | None,
        Option(
            "Planes of the scale-out network; counts the traffic that changes planes", shared.LINKS,
            dimension="count", default="none",
        ),
    ] = None  # fmt: skip
    compute_time: Annotated[
        float | None,
        Option(
            "Computation per layer of another micro-batch that overlaps", shared.LINKS,
            dimension="s",
        ),
    ] = None  # fmt: skip
    algorithm: Annotated[
        str | None,
        Option(
            "ring, tree, hierarchical or switch-reduced", COLLECTIVES, metavar="WAY",
            default="ring", choices="accounting.traffic.algorithms:ALGORITHMS",
        ),
    ] = None  # fmt: skip
    mla_context: Annotated[
        str | None,
        Option(
            "What context parallelism sends for MLA: latent or expanded", COLLECTIVES,
            metavar="FORM", default="latent", choices="accounting.traffic.collectives:MLA_CONTEXT",
        ),
    ] = None  # fmt: skip
    gradient_reduction: Annotated[
        str | None,
        Option(
            "Reduce gradients per step or per micro-batch", COLLECTIVES, metavar="WHEN",
            default="step; from ZeRO 2 micro-batch",
            choices="accounting.traffic.collectives:GRADIENT_REDUCTION",
        ),
    ] = None  # fmt: skip
    activation_dtype: Annotated[
        str | None,
        Option(
            "Data type of activations: fp32, bf16, fp16, fp8", COLLECTIVES, metavar="DTYPE",
            default="bf16", choices="studies.traffic.step_collectives:WIDTHS",
        ),
    ] = None  # fmt: skip
    gradient_dtype: Annotated[
        str | None,
        Option(
            "Data type of gradients", COLLECTIVES, metavar="DTYPE", default="fp32",
            choices="studies.traffic.step_collectives:WIDTHS",
        ),
    ] = None  # fmt: skip
    parameter_dtype: Annotated[
        str | None,
        Option(
            "Data type of parameters", COLLECTIVES, metavar="DTYPE", default="bf16",
            choices="studies.traffic.step_collectives:WIDTHS",
        ),
    ] = None  # fmt: skip


class LimitsEPQuery(Query, frozen=True, kw_only=True):
    """The upper limit on decoding speed with expert parallelism, and what sets it.

    Examples:

      dsv3calc limits ep deepseek-v3 --hardware h800 --pass-tokens 32

      dsv3calc limits ep --model deepseek-v3 --hardware h800 --convention isca25

      dsv3calc limits ep --model deepseek-v3 --hardware h100 --link scale-up

      dsv3calc limits ep --model kimi-k2 --hardware h800 --mtp-acceptance 85%

      dsv3calc limits ep deepseek-v3 --hardware h800 --context 8192 --in-network
    """

    command: ClassVar[str] = "limits ep"

    model: Annotated[str, Argument(shared.MODEL, metavar="[MODEL]", flag="--model", preset="model")]
    hardware: shared.Hardware
    tokens: Annotated[
        int | None,
        Option(
            "Tokens of one device in a micro-batch", shared.WORKLOAD, flag="--pass-tokens",
            old=("--tokens",), dimension="tokens", default="32",
        ),
    ] = None  # fmt: skip
    convention: Annotated[
        str | None,
        Option(
            "as-configured, or isca25 as the paper counts", shared.COUNTING, metavar="NAME",
            default="as-configured", choices="accounting.traffic.limits_ep:CONVENTIONS",
        ),
    ] = None  # fmt: skip
    link: Annotated[
        str | None,
        Option(
            "scale-out or scale-up", shared.LINKS, metavar="LINK", default="scale-out",
            choices="studies.traffic.limits_ep:LINK_NAMES",
        ),
    ] = None  # fmt: skip
    bandwidth: Annotated[
        str | None,
        Option(
            "nominal or achieved", shared.LINKS, metavar="KIND", default="nominal",
            choices="studies.traffic.limits_ep:BANDWIDTHS",
        ),
    ] = None  # fmt: skip
    precision: shared.DispatchedPrecision = None
    dispatch: shared.Dispatch = None
    combine: shared.Combine = None
    metadata: shared.Metadata = None
    network: shared.Network = None
    latency: shared.Latency = None
    host_traffic: Annotated[
        float | None,
        Option(
            "Other traffic of the link from host to device, one direction, such as 30GB/s",
            shared.LINKS, dimension="bytes/s", metavar="BANDWIDTH", default="none",
        ),
    ] = None  # fmt: skip
    in_network: shared.InNetwork = False
    codec_overhead: Annotated[
        float | None,
        Option(
            "Codec overhead: encoding and decoding time divided by exchange time, such as 50%",
            shared.FORMATS, dimension="ratio", default="none",
        ),
    ] = None  # fmt: skip
    context: Annotated[
        int | None,
        Option(
            f"{shared.CONTEXT}: count computation too, and show which is the "
            "limit", shared.WORKLOAD,
            dimension="tokens", default="none", number="past",
        ),
    ] = None  # fmt: skip
    mtp_acceptance: Annotated[
        float | None,
        Option("Acceptance rate of the MTP token, such as 85%", shared.WORKLOAD, dimension="ratio"),
    ] = None
    mtp_cost: Annotated[
        float | None,
        Option(
            "Share of a step that the MTP module adds", shared.WORKLOAD, dimension="ratio",
            default="0",
        ),
    ] = None  # fmt: skip
