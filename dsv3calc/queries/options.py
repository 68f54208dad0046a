"""Fields that several queries have, each declared once.

Annotations here are evaluated: they are what the command line is made from.
"""

# SPDX-License-Identifier: Apache-2.0

from dsv3calc.queries.fields import Annotated, Argument, Option

WORKLOAD, COUNTING, PRESETS = "Workload", "Counting", "Presets"
DEGREES, EXPERTS, FORMATS = "Device and layout", "Experts", "Formats"
TRAINING, ACTIVATIONS = "Training", "Activations in training"
SERVING = "Serving: with --serve, or a layout for serving"
SHOWN = "What is shown"
REQUESTS = "Requests"
"""Titles of sections of the help."""

CONVENTIONS = "accounting.conventions:CHOICES"

MODEL = "Preset name, path to a preset or config.json (or its folder), or - for stdin"

Model = Annotated[str, Argument(MODEL, metavar="MODEL", preset="model")]
Sets = Annotated[
    tuple[str, ...],
    Option(
        "Change a field: num_experts_per_tok=4, groups.1.attention.head_dim=64, "
        "hardware.memory.bandwidth='4 TB/s'; repeatable",
        PRESETS,
        metavar="NAME=VALUE",
    ),
]
PresetPath = Annotated[str | None, Option("Look for presets here first", PRESETS, metavar="DIR")]
IgnoreKeys = Annotated[
    tuple[str, ...],
    Option(
        "Ignore a key of a config.json; repeatable", PRESETS, flag="--ignore-key", metavar="KEY"
    ),
]
Hardware = Annotated[
    str, Option("Device preset, such as h800", DEGREES, metavar="NAME", preset="hardware")
]

Batch = Annotated[int | None, Option("Sequences", WORKLOAD, dimension="count", default="1")]
Sequence = Annotated[
    int | None,
    Option(
        "New tokens of each sequence", WORKLOAD, flag="--seq", dimension="tokens", default="4096"
    ),
]
CONTEXT = "Tokens of each sequence in the cache"
Context = Annotated[int | None, Option(CONTEXT, WORKLOAD, dimension="tokens", default="4096")]

CONCURRENCY = (
    "Sequences of the whole instance, instead of --batch; replicas are padded to the largest"
)

Mla = Annotated[
    str | None,
    Option(
        "naive, absorbed or latent", COUNTING, metavar="FORM", default="by phase",
        choices=f"{CONVENTIONS}/mla",
    ),
]  # fmt: skip
STATE_INTERVAL = "Tokens between two copies of the mixers' state, for prefix caching"
WithMtp = Annotated[bool, Option("Count multi-token prediction", COUNTING)]
Convention = Annotated[
    str | None,
    Option(
        "A bundle of conventions, such as isca25-table2", COUNTING, metavar="NAME",
        choices="accounting.conventions:BUNDLE_NAMES",
    ),
]  # fmt: skip
Library = Annotated[
    str | None,
    Option(
        "Count as transformers, torchtitan, nanogpt, vllm, sglang or accelerate does", COUNTING,
        flag="--as", metavar="LIBRARY", choices="accounting.conventions:LIBRARY_NAMES",
    ),
]  # fmt: skip

Setup = Annotated[
    str | None,
    Option(
        "Software set-up: memory overheads, rule for dividing experts", DEGREES,
        old=("--runtime",), metavar="NAME", default="pytorch", preset="setup",
    ),
]  # fmt: skip
KVDtype = Annotated[
    str | None,
    Option(
        "Format of the cache: bf16, fp8, int8, int4, fp8-mla, or a path", FORMATS, metavar="NAME",
        default="bf16", preset="kv_format",
    ),
]  # fmt: skip
TRANSFER_FORMATS = "accounting.traffic.transfer_formats:FORMATS"
Dispatch = Annotated[
    str | None,
    Option(
        "Format of dispatched tokens: bf16, fp8, e5m6, logfmt-8, logfmt-10", FORMATS,
        metavar="FORMAT", default="the precision's", choices=TRANSFER_FORMATS,
    ),
]  # fmt: skip
Combine = Annotated[
    str | None,
    Option(
        "Format of combined tokens", FORMATS, metavar="FORMAT", default="bf16",
        choices=TRANSFER_FORMATS,
    ),
]  # fmt: skip
DispatchedPrecision = Annotated[
    str | None,
    Option(
        "Precision whose activations are dispatched", FORMATS, metavar="NAME",
        default="the model's", preset="precision",
    ),
]  # fmt: skip
Metadata = Annotated[
    int | None,
    Option(
        "Bytes of metadata per dispatched copy; DeepEP's low-latency kernels send 16", FORMATS,
        dimension="bytes", least=0, default="0", number="metadata_bytes",
    ),
]  # fmt: skip

LINKS = "Links"
Network = Annotated[
    str | None,
    Option(
        "Network preset for the message latency of the scale-out link", LINKS, metavar="NAME",
        preset="network",
    ),
]  # fmt: skip
Latency = Annotated[
    float | None,
    Option(
        "Latency of a message over the scale-out link, such as 3.7us", LINKS, dimension="s",
        default="0",
    ),
]  # fmt: skip

InNetwork = Annotated[bool, Option("Switches multicast dispatch and reduce combine", LINKS)]

SPECULATION = "Speculation"
DraftTokens = Annotated[
    int | None,
    Option(
        "Drafted tokens per decode step", SPECULATION, dimension="count",
        default="none: no speculation",
    ),
]  # fmt: skip
Acceptance = Annotated[
    float | None,
    Option(
        "Probability that a drafted token is accepted, given that the earlier ones "
        "were", SPECULATION,
        dimension="ratio",
    ),
]  # fmt: skip
DraftModel = Annotated[
    str | None,
    Option(
        "Draft model", SPECULATION, metavar="MODEL", default="the model's MTP modules",
        preset="model",
    ),
]  # fmt: skip

LastLogit = Annotated[
    bool, Option("Compute the head for the last position only", WORKLOAD)
]  # fmt: skip
Schedule = Annotated[
    str | None,
    Option(
        "gpipe, 1f1b, interleaved, zb1p, zbv, dualpipe or dualpipev", TRAINING,
        metavar="NAME", default="1f1b", choices="schema.layout:Schedule",
    ),
]  # fmt: skip
VirtualPipeline = Annotated[
    int | None,
    Option("Layer chunks per rank, for interleaved", TRAINING, dimension="count"),
]  # fmt: skip
SequenceParallel = Annotated[
    bool | None, Option("Sequence parallelism: divide tokens over tp between blocks", DEGREES)
]  # fmt: skip
TrainedSequence = Annotated[
    int | None,
    Option(
        "New tokens of each sequence", TRAINING, flag="--seq", dimension="tokens",
        default="4096",
    ),
]  # fmt: skip
Recipe = Annotated[
    str | None,
    Option(
        "Bits of gradients, master weights and moments", FORMATS, metavar="NAME",
        default="the precision's", preset="recipe",
    ),
]  # fmt: skip
Recomputation = Annotated[
    str | None,
    Option(
        "none, selective, full, v3-recompute, or modules: layernorm,moe_act",
        ACTIVATIONS, metavar="POLICY", default="layout's", preset="recompute",
        choices="model.saved:MODULES", separator=",",
    ),
]  # fmt: skip
Dcp = Annotated[
    int | None,
    Option(
        "Decode context parallelism: TP GPUs that share the tokens of one cache",
        SERVING, dimension="count", default="1",
    ),
]  # fmt: skip
OFFLOADED = ("experts=host",)
"""What a server can keep elsewhere than on its devices."""
Offload = Annotated[
    str | None,
    Option(
        "experts=host: keep routed experts in host memory and compute them on its CPUs",
        EXPERTS, metavar="WHAT=WHERE", default="all on devices",
        choices="queries.options:OFFLOADED",
    ),
]  # fmt: skip
Imbalance = Annotated[
    float | None,
    Option(
        "Expert rows of the busiest GPU divided by the mean", EXPERTS,
        dimension="ratio", default="1",
    ),
]  # fmt: skip
ProductPrecision = Annotated[
    str | None,
    Option(
        "Precision of weights, products and dispatched tokens", FORMATS,
        metavar="NAME", default="the model's", preset="precision",
    ),
]  # fmt: skip
Oversubscription = Annotated[
    float | None,
    Option(
        "Oversubscription: bandwidth below leaf switches divided by that above", LINKS,
        dimension="ratio", default="1",
    ),
]  # fmt: skip
Pue = Annotated[
    float | None,
    Option(
        "Power usage effectiveness (PUE), for energies", DEGREES,
        dimension="ratio", metavar="FACTOR", default="1: devices only",
    ),
]  # fmt: skip
EstimatedSetup = Annotated[
    str | None,
    Option(
        "Software set-up for the estimate", DEGREES, metavar="NAME",
        default="none: no estimate", preset="setup",
    ),
]  # fmt: skip
Slo = Annotated[
    tuple[str, ...],
    Option(
        "Find the largest batch that meets this limit: 'tpot<=50ms', 'ttft<=2s'; repeatable",
        REQUESTS, metavar="LIMIT",
    ),
]  # fmt: skip
ServedContext = Annotated[
    int | None,
    Option(
        CONTEXT, REQUESTS, flag="--context", dimension="tokens", default="4096",
    ),
]  # fmt: skip
PromptTokens = Annotated[
    int | None,
    Option("Tokens of a prompt", REQUESTS, dimension="tokens", default="4096"),
]
ResponseTokens = Annotated[
    int | None,
    Option(
        "Tokens of a response, for its time and for prefill on the same GPUs", REQUESTS,
        dimension="tokens", default="none",
    ),
]  # fmt: skip
HitRate = Annotated[
    float | None,
    Option(
        "Share of a prompt found in the cache", REQUESTS, dimension="ratio",
        default="0",
    ),
]  # fmt: skip
PrefillLayout = Annotated[
    str | None,
    Option(
        "Layout of separate prefill GPUs: a preset, or degrees such as tp=4,dp=2", DEGREES,
        metavar="NAME", default="the same GPUs", preset="layout",
    ),
]  # fmt: skip
MemoryFraction = Annotated[
    float | None,
    Option(
        "Share of device memory that the server uses", DEGREES,
        dimension="ratio", metavar="SHARE", default="the set-up's",
    ),
]  # fmt: skip
ServedSetup = Annotated[
    str | None,
    Option(
        "Software set-up for the estimate", DEGREES, metavar="NAME",
        default="none: no estimate; memory overheads of pytorch", preset="setup",
    ),
]  # fmt: skip
