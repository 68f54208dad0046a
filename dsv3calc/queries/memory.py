"""The query about memory as data; None means "not given", and the answer prints the default."""

# SPDX-License-Identifier: Apache-2.0
from typing import ClassVar

from dsv3calc.queries import options as shared
from dsv3calc.queries.fields import Annotated, Option
from dsv3calc.queries.layout import LayoutQuery


class MemoryQuery(LayoutQuery, frozen=True, kw_only=True):
    """Memory of a layout's GPUs by class, and whether it fits: training or serving.

    Examples:

      dsv3calc memory deepseek-v3 --layout v3-pretrain --hardware h800

      dsv3calc memory qwen2.5-72b --tp 8 --zero 1 --hardware h200 --by tensor

      dsv3calc memory llama-3.1-8b --dp 8 --zero 3 --hardware h100 --require-fit

      dsv3calc memory qwen2.5-72b --serve --layout dense-tp8 --hardware h200
    """

    command: ClassVar[str] = "memory"

    schedule: shared.Schedule = None
    virtual_pipeline: shared.VirtualPipeline = None
    sequence_parallel: shared.SequenceParallel = None
    mirror_optimizer: Annotated[
        bool | None,
        Option(
            "The two DualPipe ranks of a stage share one shard of optimizer states",
            shared.TRAINING,
        ),
    ] = None
    sequence: shared.TrainedSequence = None
    precision: Annotated[
        str | None,
        Option(
            "Precision of weights and dispatched tokens", shared.FORMATS, metavar="NAME",
            default="the model's", preset="precision",
        ),
    ] = None  # fmt: skip
    recipe: shared.Recipe = None
    compute_copy: Annotated[
        str | None,
        Option(
            "Copy of the weights: stored, stored-twice, bf16, gathered, bf16-and-stored",
            shared.FORMATS, metavar="COPY", default="recipe's",
            choices="accounting.memory.states:COMPUTE_COPIES",
        ),
    ] = None  # fmt: skip
    recompute: shared.Recomputation = None
    attention_kernel: Annotated[
        str | None,
        Option(
            "flash, or unfused: scores are kept", shared.ACTIVATIONS, metavar="KERNEL",
            default="flash", choices="studies.memory.inputs:KERNELS",
        ),
    ] = None  # fmt: skip
    routing_weights: Annotated[
        str | None,
        Option(
            "Apply routing weights before or after the down-projection", shared.ACTIVATIONS,
            metavar="WHEN", default="before", choices="studies.memory.inputs:ORDERS",
        ),
    ] = None  # fmt: skip
    dropout: Annotated[bool, Option("Count dropout masks", shared.ACTIVATIONS)] = False
    offload: shared.Offload = None
    imbalance: shared.Imbalance = None
    padded: Annotated[
        bool, Option("Count whole elements, and a padded vocabulary", shared.COUNTING)
    ] = False
    library: Annotated[
        str | None,
        Option(
            "Count as mem-2502.07846 does, or show megatron's figures beside ours",
            shared.COUNTING, flag="--as", metavar="LIBRARY",
            choices="accounting.memory.conventions:LIBRARIES",
        ),
    ] = None  # fmt: skip
    by: Annotated[
        str,
        Option(
            "class, tensor (of one rank), or rank: a row for each, in CSV too", shared.SHOWN,
            metavar="PART", default="class",
            choices="studies.memory.answer:BY",
        ),
    ] = "class"  # fmt: skip
    rank: Annotated[
        int | None,
        Option(
            "Pipeline rank to show in detail", shared.SHOWN, dimension="count", least=0,
            default="the fullest",
        ),
    ] = None  # fmt: skip
    require_fit: Annotated[bool, Option("Exit with 1 if it does not fit", shared.SHOWN)] = False
    fewest_gpus: Annotated[
        bool,
        Option(
            "Find the fewest GPUs on which it fits, varying dp, pp and ep that are not given",
            shared.SHOWN,
        ),
    ] = False
    serve: Annotated[bool, Option("Serve the model instead of training it", shared.SERVING)] = False
    context: Annotated[
        int | None,
        Option(shared.CONTEXT, shared.SERVING, dimension="tokens", default="4096"),
    ] = None
    batch: Annotated[
        int | None,
        Option(
            "Sequences of one attention replica", shared.SERVING, dimension="count",
            default="1",
        ),
    ] = None  # fmt: skip
    concurrency: Annotated[
        int | None, Option(shared.CONCURRENCY, shared.SERVING, dimension="count")
    ] = None
    tokens: Annotated[
        int | None,
        Option(
            "Tokens of one pass of a replica", shared.SERVING, flag="--pass-tokens",
            old=("--tokens",), dimension="tokens", default="one for each sequence",
        ),
    ] = None  # fmt: skip
    dcp: shared.Dcp = None
    kv_dtype: Annotated[
        str | None,
        Option(
            "Format of the cache: bf16, fp8, int8, int4, fp8-mla, or a path",
            shared.SERVING, metavar="NAME", default="bf16", preset="kv_format",
        ),
    ] = None  # fmt: skip
    memory_fraction: Annotated[
        float | None,
        Option(
            "Share of device memory that the server uses", shared.SERVING,
            dimension="ratio", metavar="SHARE", default="the set-up's",
        ),
    ] = None  # fmt: skip
    page_size: Annotated[
        int | None,
        Option(
            "Tokens of a page of the cache", shared.SERVING, dimension="tokens",
            default="the set-up's",
        ),
    ] = None  # fmt: skip
    state_interval: Annotated[
        int | None,
        Option(shared.STATE_INTERVAL, shared.SERVING, dimension="tokens", default="no copies"),
    ] = None
    absorbed: Annotated[bool, Option("Keep a BF16 copy of MLA's kv_b_proj", shared.SERVING)] = False
    low_latency: Annotated[
        bool, Option("Count the buffers of low-latency kernels", shared.SERVING)
    ] = False
