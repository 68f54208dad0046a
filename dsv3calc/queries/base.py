"""The queries as data: what a command line or a golden row says, before any default is filled in.

None means "not given": the default then depends on the phase or on the model, and the answer
prints it. The docstring of a query is the help of its command. Annotations are evaluated: the
command line, the keyword API and golden files are made from them.
"""

# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from typing import Any, ClassVar, Self

import msgspec

from dsv3calc.queries import options as shared
from dsv3calc.queries.fields import Annotated, Argument, Option


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What every query has: overrides, where to look for presets, keys of a config to ignore."""

    command: ClassVar[str] = ""

    set: shared.Sets = ()
    preset_path: shared.PresetPath = None
    ignore_keys: shared.IgnoreKeys = ()
    notes: tuple[str, ...] = ()
    design: Any = None
    """The model itself, as a loaded preset, where a query is asked of one that has no file."""

    def looking_in(self, preset_path: str | None) -> Self:
        """Return the query with a presets directory to look in first, where it names none."""
        if preset_path is None or self.preset_path is not None:
            return self
        return msgspec.structs.replace(self, preset_path=preset_path)

    def completed(self, parse_query: Callable[[str], "Query"]) -> Self:  # noqa: ARG002 - see below
        """Return the query with what its texts ask for; ``parse_query`` reads a query in them."""
        return self


class ParamsQuery(Query, frozen=True, kw_only=True):
    """Parameters of a model, total and active, and the bytes of its weights.

    Examples:

      dsv3calc params deepseek-v3

      dsv3calc params deepseek-v3 --variant checkpoint --exact

      dsv3calc params ./config.json --by layer --format csv
    """

    command: ClassVar[str] = "params"

    model: shared.Model
    by: Annotated[
        str,
        Option(
            "component, tensor or layer", shared.SHOWN, metavar="UNIT", default="component",
            choices="studies.params:BY",
        ),
    ] = "component"  # fmt: skip
    variant: Annotated[
        str | None,
        Option(
            "default, trainable, with-mtp, checkpoint, non-embedding, without-head or matmul",
            shared.COUNTING,
            metavar="NAME", choices="accounting.parameters:PARAMETER_VARIANTS",
        ),
    ] = None  # fmt: skip
    include: Annotated[
        tuple[str, ...],
        Option(
            "Include in the count: mtp, scales, mtp-copies ...; repeatable", shared.COUNTING,
            metavar="WHAT", choices="accounting.parameters:INCLUSIONS",
        ),
    ] = ()  # fmt: skip
    exclude: Annotated[
        tuple[str, ...],
        Option(
            "Exclude from the count: embedding, head, norms ...; repeatable", shared.COUNTING,
            metavar="WHAT", choices="accounting.parameters:INCLUSIONS",
        ),
    ] = ()  # fmt: skip
    precision: Annotated[
        str | None,
        Option(
            "Precision preset", shared.FORMATS, metavar="NAME", default="the model's own",
            preset="precision",
        ),
    ] = None  # fmt: skip
    with_mtp: shared.WithMtp = False
    library: shared.Library = None
    convention: str | None = None


class FlopsQuery(Query, frozen=True, kw_only=True):
    """FLOPs of a training step, a prefill or a decode step, by component.

    Examples:

      dsv3calc flops deepseek-v3 --phase train --seq 4096

      dsv3calc flops deepseek-v3 --phase decode --context 8192 --mla absorbed

      dsv3calc flops deepseek-v3 --phase decode --draft-tokens 2

      dsv3calc flops deepseek-v3 --convention isca25-table2
    """

    command: ClassVar[str] = "flops"

    model: shared.Model
    phase: Annotated[
        str,
        Option(
            "train, prefill or decode", shared.WORKLOAD, metavar="PHASE", default="train",
            choices="schema.workload:Phase",
        ),
    ] = "train"  # fmt: skip
    batch: shared.Batch = None
    sequence: Annotated[
        int | tuple[int, ...] | None,
        Option(
            "New tokens of each sequence; of a packed batch: 512,1024,2048", shared.WORKLOAD,
            flag="--seq", dimension="tokens", default="4096, and 1 in decode", separator="+",
        ),
    ] = None  # fmt: skip
    past: Annotated[
        int | None,
        Option(
            shared.CONTEXT, shared.WORKLOAD, flag="--context", old=("--past",), dimension="tokens",
            least=0, default="4096 in decode, 0 in prefill",
        ),
    ] = None  # fmt: skip
    last_logit: shared.LastLogit = False
    counting: Annotated[
        str | None,
        Option(
            "matmul, six-n, six-n-attention or twelve-l-h2", shared.COUNTING, metavar="HOW",
            default="matmul", choices=f"{shared.CONVENTIONS}/counting",
        ),
    ] = None  # fmt: skip
    attention: Annotated[
        str | None,
        Option(
            "causal, full, half or clamped", shared.COUNTING, metavar="COUNT", default="causal",
            choices=f"{shared.CONVENTIONS}/attention",
        ),
    ] = None  # fmt: skip
    mla: shared.Mla = None
    scan: Annotated[
        str | None,
        Option(
            "recurrent or chunked: how mixers' recurrences are counted", shared.COUNTING,
            metavar="FORM", default="recurrent", choices=f"{shared.CONVENTIONS}/scan",
        ),
    ] = None  # fmt: skip
    head: Annotated[
        str | None,
        Option(
            "Count the head", shared.COUNTING, metavar="IN|OUT", default="in",
            choices=f"{shared.CONVENTIONS}/head",
        ),
    ] = None  # fmt: skip
    router: Annotated[
        str | None,
        Option(
            "Count routers", shared.COUNTING, metavar="IN|OUT", default="in",
            choices=f"{shared.CONVENTIONS}/router",
        ),
    ] = None  # fmt: skip
    recompute: Annotated[
        str | None,
        Option(
            "In training: none, or full for a second forward pass", shared.COUNTING, metavar="HOW",
            default="none", choices=f"{shared.CONVENTIONS}/recompute",
        ),
    ] = None  # fmt: skip
    with_mtp: shared.WithMtp = False
    draft_tokens: shared.DraftTokens = None
    acceptance: shared.Acceptance = None
    draft_model: shared.DraftModel = None
    convention: shared.Convention = None
    library: shared.Library = None


class KVQuery(Query, frozen=True, kw_only=True):
    """KV cache of a model: per token, sequence and batch, and what fits.

    Examples:

      dsv3calc kv deepseek-v3 --context 128k --batch 32 --kv-dtype fp8-mla

      dsv3calc kv gemma-3-27b --context 128Ki --page-size 16

      dsv3calc kv deepseek-v3 --context 8192 --fit 40GiB --json
    """

    command: ClassVar[str] = "kv"

    model: shared.Model
    tokens: Annotated[
        int | None,
        Option(
            f"{shared.CONTEXT}; 128k is 128,000 and 128Ki 131,072", shared.WORKLOAD,
            flag="--context", old=("--tokens",), dimension="tokens", default="4096",
        ),
    ] = None  # fmt: skip
    batch: shared.Batch = None
    kv_dtype: shared.KVDtype = None
    page_size: Annotated[
        int | None,
        Option("Tokens of a cache page", shared.WORKLOAD, dimension="tokens", default="1"),
    ] = None
    state_interval: Annotated[
        int | None,
        Option(shared.STATE_INTERVAL, shared.WORKLOAD, dimension="tokens", default="no copies"),
    ] = None
    fit: Annotated[
        int | None,
        Option(
            "Show what fits in this many bytes, such as 40GiB", shared.SHOWN, dimension="bytes",
            number="available",
        ),
    ] = None  # fmt: skip
    mla: shared.Mla = None
    with_mtp: shared.WithMtp = False
    draft_tokens: shared.DraftTokens = None
    draft_model: shared.DraftModel = None
    convention: str | None = None
    library: shared.Library = None


class CompareQuery(Query, frozen=True, kw_only=True):
    """Compare designs side by side, with ratios to the first.

    A column is a model, or a model with what is different there: attention=gqa:8 (mha, mqa),
    feed_forward=dense-active or dense-total, any field of the model as in --set, and any option of
    compare, memory, traffic, time, train and serve: precision, kv_dtype, hardware, layout, ep.
    Where a column has a layout or degrees, memory and traffic are shown too; time, train and serve
    are shown with --rows. train.layout=v3-pretrain is an option of the rows of train alone.

    Examples:

      dsv3calc compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800

      dsv3calc compare deepseek-v3 --vary deepseek-v3:attention=gqa:8

      dsv3calc compare deepseek-v3 deepseek-v3:num_experts_per_tok=6

      dsv3calc compare deepseek-v3:ep=8 deepseek-v3:ep=64 --hardware h200

      dsv3calc compare deepseek-v3 kimi-k2 --context 128Ki --batch 64 --json
    """

    command: ClassVar[str] = "compare"

    models: Annotated[
        tuple[str, ...],
        Argument(
            "Columns to compare, each MODEL or MODEL:NAME=VALUE,NAME=VALUE; or one comparison file",
            metavar="MODEL...", preset="model",
        ),
    ] = ()  # fmt: skip
    vary: Annotated[
        tuple[str, ...],
        Option(
            "Add a what-if column, MODEL:NAME=VALUE; repeatable", shared.SHOWN,
            metavar="MODEL:NAME=VALUE",
        ),
    ] = ()  # fmt: skip
    baseline: Annotated[
        str | None,
        Option("Column that ratios refer to", shared.SHOWN, metavar="COLUMN", default="the first"),
    ] = None
    hardware: Annotated[
        str | None,
        Option(
            "Add roofline bounds on this device", shared.SHOWN, metavar="NAME", preset="hardware"
        ),
    ] = None
    layout: Annotated[
        str | None,
        Option(
            "Add memory and traffic on this layout", shared.SHOWN, metavar="NAME", preset="layout"
        ),
    ] = None
    setup: Annotated[
        str | None,
        Option(
            "Software set-up for sections about a layout", shared.SHOWN, metavar="NAME",
            default="each section's own default", preset="setup",
        ),
    ] = None  # fmt: skip
    serve: Annotated[bool, Option("Show memory and traffic of serving", shared.SHOWN)] = False
    precision: Annotated[
        str | None,
        Option(
            "One precision for all", shared.FORMATS, metavar="NAME", default="each its own",
            preset="precision",
        ),
    ] = None  # fmt: skip
    kv_dtype: shared.KVDtype = None
    batch: shared.Batch = None
    context: Annotated[
        int | None,
        Option(
            shared.CONTEXT, shared.WORKLOAD, dimension="tokens", number="past", default="4096",
        ),
    ] = None  # fmt: skip
    sequence: shared.Sequence = None
    mla: shared.Mla = None
    rows: Annotated[
        tuple[str, ...],
        Option(
            "Show only these sections: parameters, weights, flops, kv_cache, roofline, memory, "
            "traffic, time, train, serve; comma-separated",
            shared.SHOWN, metavar="SECTIONS", choices="studies.compare.setting:SECTIONS",
            separator=",",
        ),
    ] = ()  # fmt: skip
    with_mtp: shared.WithMtp = False
    convention: shared.Convention = None
    library: shared.Library = None


def as_dict(query: Query) -> dict[str, Any]:
    """Return a query for the ``query`` field of an answer: what was given, defaults left out.

    Together with the workload that a study adds it can be asked again, as a golden's query.
    """
    found: dict[str, Any] = {}
    for name in query.__struct_fields__:
        value = getattr(query, name)
        if name not in ("notes", "design") and value not in (None, (), False):
            found[name] = list(value) if isinstance(value, tuple) else value
    return found
