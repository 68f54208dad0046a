"""What is measured of a device: kernels of many shapes, from which a budget of time chooses."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec

from dsv3calc.formulas.expert_times import expert_flops, expert_weight_bytes
from dsv3calc.formulas.kernel_times import product_bytes
from dsv3calc.formulas.kernels import gemm_flops
from dsv3calc.studies.measuring.machine import EAGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsv3calc.studies.measuring.machine import Calls, Machine

BITS = {"bf16": 16, "fp16": 16, "fp32": 32, "fp64": 64, "fp8": 8}
ROWS = (1, 8, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
WIDE = (256, 512, 1024, 2048, 4096, 7168, 8192, 14336)
"""Columns and depths of products."""
WIDEST = 4
"""Most columns for one of depth, and the other way round: as models have them."""
LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)
HEADS = ((8, 8), (8, 2), (32, 32), (32, 8), (64, 8))
"""Heads of queries, and of keys and values."""
HEAD_DIM = 128
BATCHES = (1, 4, 16, 64)
CONTEXTS = (512, 1024, 2048, 4096, 8192, 16384, 65536)
EXPERTS = ((512, 256, 16, 2), (1024, 512, 32, 4), (2048, 768, 128, 8), (4096, 1536, 128, 8))
"""Hidden size, width of an expert, experts, and how many of them a token goes to."""
TOKENS = (1, 8, 16, 64, 256, 1024, 4096, 16384)
COPIES = tuple(2**power for power in range(12, 33, 2))
MESSAGES = tuple(2**power for power in range(13, 31))
RANKS = (2, 4, 8)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel of a shape: how a row tells of it, what it costs, what makes its calls.

    ``flops`` and ``moved`` estimate how long a call is.
    """

    area: str
    id: str
    group: str
    what: str
    dtype: str = ""
    value: dict[str, Any]
    layout: dict[str, Any] = {}
    batch: dict[str, Any] = {}
    series: dict[str, list[int]] = {}
    flops: float
    moved: float
    calls: Callable[[Machine], Calls | None]
    mode: str = ""


def products(dtype: str) -> Iterator[Trial]:
    """List products of activations with a weight."""
    bits = BITS[dtype]
    for rows, columns, depth in product(ROWS, WIDE, WIDE):
        if max(columns, depth) > WIDEST * min(columns, depth):
            continue
        yield Trial(
            area="kernel_gemm", id=f"gemm-{dtype}-m{rows}-n{columns}-k{depth}",
            group=f"gemm|{columns}|{depth}", what="matrix product", dtype=dtype,
            value={"m": rows, "n": columns, "k": depth},
            flops=gemm_flops(1, rows, columns, depth),
            moved=product_bytes(1, rows, columns, depth, bits, bits, bits),
            calls=lambda machine, m=rows, n=columns, k=depth: machine.product(dtype, m, n, k),
        )  # fmt: skip


def prefills(dtype: str) -> Iterator[Trial]:
    """List causal attention over new tokens."""
    size = BITS[dtype] / 8
    for (heads, shared), length in product(HEADS, LENGTHS):
        yield Trial(
            area="kernel_attention", id=f"prefill-{dtype}-h{heads}-kv{shared}-l{length}",
            group=f"prefill|{heads}|{shared}", what="causal attention over new tokens, GQA",
            dtype=dtype, value={"heads": heads, "kv_heads": shared, "head_dim": HEAD_DIM},
            batch={"batch": 1}, series={"len": [length]},
            flops=2.0 * heads * length**2 * HEAD_DIM,
            # scores may pass through memory
            moved=size * length * (heads * length + 4 * heads * HEAD_DIM),
            calls=lambda machine, n=length, h=heads, s=shared: machine.prefill(
                dtype, n, h, s, HEAD_DIM
            ),
        )  # fmt: skip


def decodes(dtype: str) -> Iterator[Trial]:
    """List attention over a cache."""
    size = BITS[dtype] / 8
    for (heads, shared), batch, context in product(HEADS, BATCHES, CONTEXTS):
        yield Trial(
            area="kernel_attention",
            id=f"decode-{dtype}-h{heads}-kv{shared}-b{batch}-c{context}",
            group=f"decode|{heads}|{shared}|{batch}", what="attention over a cache, GQA",
            dtype=dtype, value={"heads": heads, "kv_heads": shared, "head_dim": HEAD_DIM},
            batch={"batch": batch}, series={"kv_len": [context]},
            flops=4.0 * batch * heads * context * HEAD_DIM,
            moved=2 * size * batch * context * shared * HEAD_DIM,
            calls=lambda machine, b=batch, c=context, h=heads, s=shared: machine.decode(
                dtype, b, c, h, s, HEAD_DIM
            ),
        )  # fmt: skip


def experts(dtype: str) -> Iterator[Trial]:
    """List the routed experts of a layer, each with as many rows as any other."""
    for (hidden, inter, count, chosen), tokens in product(EXPERTS, TOKENS):
        rows = tokens * chosen
        hit = min(count, rows)
        yield Trial(
            area="kernel_grouped_gemm", id=f"experts-{dtype}-h{hidden}-e{count}-t{tokens}",
            group=f"experts|{hidden}|{count}",
            what="routed experts of a layer: permutation, products, SwiGLU, sum", dtype=dtype,
            value={"hidden": hidden, "inter": inter, "experts": count, "topk": chosen,
                   "distribution": "balanced"},
            layout={"ep": 1}, series={"num_tokens_global": [tokens]},
            flops=expert_flops(rows, hidden, inter),
            moved=expert_weight_bytes(hit, hidden, inter, BITS[dtype]),
            calls=lambda machine, t=tokens, e=hit, r=rows // hit, h=hidden, i=inter:
                machine.experts(dtype, t, e, r, h, i),
        )  # fmt: skip


def copies() -> Iterator[Trial]:
    """List copies from 4 KiB: the shortest tell what a launch takes."""
    for size in COPIES:
        yield Trial(
            area="kernel_other", id=f"copy-{size}", group=f"copy|{size}", what="copy in memory",
            value={"bytes_moved": 2 * size}, flops=0, moved=2 * size,
            calls=lambda machine, n=size: machine.copy(n),
        )  # fmt: skip


def collectives(devices: int) -> Iterator[Trial]:
    """List collectives between the devices of this host."""
    for name, ranks, size in product(
        ("all_reduce", "all_gather", "reduce_scatter"), RANKS, MESSAGES
    ):
        if ranks <= devices:
            yield Trial(
                area="collective_other", id=f"{name}-{ranks}-{size}", group=f"{name}|{ranks}",
                what=f"{name} in one domain", dtype="bf16", value={"gpus": ranks},
                series={"message_bytes": [size]}, flops=0, moved=size,
                calls=lambda machine, c=name, n=ranks, b=size: machine.collective(c, n, b),
            )  # fmt: skip


def eager(trials: list[Trial], count: int) -> list[Trial]:
    """Return some trials that the host calls one by one."""
    return [
        msgspec.structs.replace(
            trial, id=f"{trial.id}-{EAGER}", mode=EAGER, value={**trial.value, "mode": EAGER}
        )
        for trial in trials[:count]
    ]
