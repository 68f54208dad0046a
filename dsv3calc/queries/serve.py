"""The query about serving as data; None means "not given", and the answer prints the default."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.fields import Annotated, Option
from dsv3calc.queries.layout import LayoutQuery

REQUESTS = shared.REQUESTS


class ServeQuery(LayoutQuery, frozen=True, kw_only=True):
    """Time per output token of a server, tokens per second and GPU, sequences that fit.

    Examples:

      dsv3calc serve deepseek-v3 --layout day6-decode-ep144 --hardware h800

      dsv3calc serve llama-3.1-8b --hardware h100 --setup vllm --batch 32

      dsv3calc serve qwen2.5-72b --hardware h200 --tp 8 --setup sglang

      dsv3calc serve qwen2.5-72b --hardware h200 --tp 8 --slo 'tpot<=20ms'

      dsv3calc serve qwen2.5-72b --hardware h200 --concurrency 500 --fewest-gpus
    """

    command: ClassVar[str] = "serve"
    alone: ClassVar[bool] = True

    batch: Annotated[
        int | None,
        Option(
            "Sequences of one attention replica; with --curve the largest batch", REQUESTS,
            dimension="count", default="1",
        ),
    ] = None  # fmt: skip
    concurrency: Annotated[int | None, Option(shared.CONCURRENCY, REQUESTS, dimension="count")] = (
        None
    )
    slo: shared.Slo = ()
    fewest_gpus: Annotated[
        bool,
        Option(
            "Find the fewest GPUs that are enough, also for --slo",
            shared.SHOWN,
        ),
    ] = False
    curve: Annotated[
        bool, Option("Show a range of batches, up to the memory limit and beyond", REQUESTS)
    ] = False
    past: shared.ServedContext = None
    draft_tokens: shared.DraftTokens = None
    acceptance: shared.Acceptance = None
    prompt_tokens: shared.PromptTokens = None
    response_tokens: shared.ResponseTokens = None
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
    hit_rate: shared.HitRate = None
    prefill_batch: Annotated[
        int | None,
        Option(
            "Prompts of one prefill pass of a replica", REQUESTS, dimension="count", default="1",
        ),
    ] = None  # fmt: skip
    prefill_layout: shared.PrefillLayout = None
    decode_hit_rate: Annotated[
        float | None,
        Option(
            "Share of a prompt whose cache the decode GPUs already hold", REQUESTS,
            dimension="ratio", default="0",
        ),
    ] = None  # fmt: skip
    transfer: Annotated[
        str | None,
        Option(
            "When caches are sent to the decode GPUs: by-layer, as computed, or at-end", REQUESTS,
            metavar="WHEN", default="by-layer", choices="studies.serve.prefill:TRANSFERS",
        ),
    ] = None  # fmt: skip
    dcp: shared.Dcp = None
    expert_exchange: Annotated[
        str | None,
        Option(
            "How experts receive tokens of other replicas: all-to-all, or gather (all tokens)",
            shared.EXPERTS, metavar="HOW", default="all-to-all",
            choices="studies.serve.inputs:EXCHANGES",
        ),
    ] = None  # fmt: skip
    offload: shared.Offload = None
    sequence_parallel: shared.SequenceParallel = None
    setup: shared.ServedSetup = None
    memory_fraction: shared.MemoryFraction = None
    precision: shared.ProductPrecision = None
    kv_dtype: shared.KVDtype = None
    imbalance: shared.Imbalance = None
    oversubscription: shared.Oversubscription = None
    in_network: shared.InNetwork = False
    pue: shared.Pue = None
