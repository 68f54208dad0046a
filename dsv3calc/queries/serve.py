"""The query about serving as data; None means "not given", and the answer prints the default."""

# SPDX-License-Identifier: Apache-2.0
from typing import Annotated, ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.fields import Option
from dsv3calc.queries.layout import LayoutQuery

REQUESTS = "Requests"


class ServeQuery(LayoutQuery, frozen=True, kw_only=True):
    """Time per output token of a server, tokens a second of a GPU, sequences that fit.

    Examples:

      dsv3calc serve deepseek-v3 --layout day6-decode-ep144 --hardware h800

      dsv3calc serve llama-3.1-8b --hardware h100 --setup vllm --batch 32

      dsv3calc serve qwen2.5-72b --hardware h200 --tp 8 --setup sglang

      dsv3calc serve qwen2.5-72b --hardware h200 --tp 8 --slo 'tpot<=20ms'
    """

    command: ClassVar[str] = "serve"
    alone: ClassVar[bool] = True

    batch: Annotated[
        int | None,
        Option(
            "Sequences of one attention replica; of --curve the largest number", REQUESTS,
            dimension="count", default="1",
        ),
    ] = None  # fmt: skip
    concurrency: Annotated[int | None, Option(shared.CONCURRENCY, REQUESTS, dimension="count")] = (
        None
    )
    slo: Annotated[
        tuple[str, ...],
        Option(
            "Take the largest batch that meets this: 'tpot<=50ms', 'ttft<=2s'; repeatable",
            REQUESTS, metavar="LIMIT",
        ),
    ] = ()  # fmt: skip
    curve: Annotated[bool, Option("Show batches up to what memory holds, and beyond", REQUESTS)] = (
        False
    )
    past: Annotated[
        int | None,
        Option(
            shared.CONTEXT, REQUESTS, flag="--context", dimension="tokens", default="4096",
        ),
    ] = None  # fmt: skip
    draft_tokens: shared.DraftTokens = None
    acceptance: shared.Acceptance = None
    prompt_tokens: Annotated[
        int | None,
        Option("Tokens of a prompt", REQUESTS, dimension="tokens", default="4096"),
    ] = None
    response_tokens: Annotated[
        int | None,
        Option(
            "Tokens of a response: its time, how prefill and decoding share GPUs", REQUESTS,
            dimension="tokens", default="none: not told",
        ),
    ] = None  # fmt: skip
    samples: Annotated[
        int | None,
        Option(
            "Responses to each prompt of a step of reinforcement learning", REQUESTS,
            dimension="count", default="none: no such step",
        ),
    ] = None  # fmt: skip
    prompts: Annotated[
        int | None,
        Option(
            "Prompts of such a step", REQUESTS, dimension="count",
            default="1",
        ),
    ] = None  # fmt: skip
    longest: Annotated[
        int | None,
        Option(
            "Tokens of the longest response of such a step", REQUESTS, dimension="tokens",
            default="those of a response",
        ),
    ] = None  # fmt: skip
    hit_rate: Annotated[
        float | None,
        Option(
            "Share of a prompt that is found in the cache", REQUESTS, dimension="ratio",
            default="0",
        ),
    ] = None  # fmt: skip
    prefill_batch: Annotated[
        int | None,
        Option(
            "Prompts of one prefill pass of a replica", REQUESTS, dimension="count", default="1",
        ),
    ] = None  # fmt: skip
    prefill_layout: Annotated[
        str | None,
        Option(
            "Layout preset of the GPUs that prefill, where those are others", shared.DEGREES,
            metavar="NAME", default="the same GPUs", preset="layout",
        ),
    ] = None  # fmt: skip
    decode_hit_rate: Annotated[
        float | None,
        Option(
            "Share of a prompt whose cache the GPUs that decode have already", REQUESTS,
            dimension="ratio", default="0",
        ),
    ] = None  # fmt: skip
    transfer: Annotated[
        str | None,
        Option(
            "When caches go to the GPUs that decode: by-layer, as computed, or at-end", REQUESTS,
            metavar="WHEN", default="by-layer", choices="studies.serve.prefill:TRANSFERS",
        ),
    ] = None  # fmt: skip
    dcp: shared.Dcp = None
    expert_exchange: Annotated[
        str | None,
        Option(
            "How experts get the tokens of other replicas: all-to-all, or gather: all of them",
            shared.EXPERTS, metavar="HOW", default="all-to-all",
            choices="studies.serve.inputs:EXCHANGES",
        ),
    ] = None  # fmt: skip
    offload: shared.Offload = None
    sequence_parallel: shared.SequenceParallel = None
    setup: Annotated[
        str | None,
        Option(
            "Set-up of software, which the estimate is for", shared.DEGREES, metavar="NAME",
            default="none: no estimate, memory as of pytorch", preset="setup",
        ),
    ] = None  # fmt: skip
    memory_fraction: Annotated[
        float | None,
        Option(
            "Share of the device that the server takes", shared.DEGREES,
            dimension="ratio", metavar="SHARE", default="the set-up's",
        ),
    ] = None  # fmt: skip
    precision: shared.ProductPrecision = None
    kv_dtype: shared.KVDtype = None
    imbalance: shared.Imbalance = None
    oversubscription: shared.Oversubscription = None
    in_network: shared.InNetwork = False
    pue: shared.Pue = None
