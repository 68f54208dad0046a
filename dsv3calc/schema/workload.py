"""What a model is asked to do, and under which conventions that is counted."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any, Literal

import msgspec

Phase = Literal["train", "prefill", "decode"]

DEFAULT_BATCH = 1
DEFAULT_SEQUENCE = {"train": 4096, "prefill": 4096, "decode": 1}
DEFAULT_PAST = {"train": 0, "prefill": 0, "decode": 4096}


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One forward pass (or training step): ``batch`` sequences of ``sequence`` new tokens each.

    ``past`` tokens of each sequence are cached. ``logits`` says for which positions the head runs.
    The numbers may be ints, arrays or symbols.
    """

    phase: Phase
    batch: Any
    sequence: Any
    past: Any
    logits: Literal["all", "last"] = "all"


class Conventions(msgspec.Struct, frozen=True, kw_only=True):
    """How things are counted where the field counts them in several ways.

    See ``dsv3calc conventions list`` for what each choice means.
    """

    counting: Literal["matmul", "six-n", "six-n-attention", "twelve-l-h2"] = "matmul"
    attention: Literal["causal", "full", "half", "clamped"] = "causal"
    mla: Literal["by-phase", "naive", "absorbed", "latent"] = "by-phase"
    head: Literal["in", "out"] = "in"
    router: Literal["in", "out"] = "in"
    mtp: Literal["in", "out"] = "out"
    routed_experts: Literal["chosen", "as-transformers"] = "chosen"
    sparse_attention: Literal["selected", "masked-dense"] = "selected"
    window_cache: Literal["window", "window-minus-one"] = "window"
    index_keys: Literal["format", "as-keys"] = "format"
    scan: Literal["recurrent", "chunked", "as-transformers"] = "recurrent"
    state: Literal["engines", "as-transformers"] = "engines"
    recompute: Literal["none", "full"] = "none"
    n_parameters: Literal["without-embedding", "all"] = "without-embedding"
    parameters: str = "default"
