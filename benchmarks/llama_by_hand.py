"""Results of layouts of Llama 3.1 8B as numpy expressions written by hand.

1F1B, ZeRO-1, no recomputation, no sequence parallelism, even stages, 8 H100s a node, sequences of
4,096 tokens, without a set-up. tp, cp and pp are powers of two, tp at most 8, so that it stays in a
node. The expressions know more than that: which rank is the fullest, that the last
one is the slowest, that no kernel at measured rates is faster than at peaks.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np

Columns = dict[str, Any]

SEQUENCE, SEQUENCES = 4096, 2**8 * 3**2 * 5 * 7 * 11
GIB, MIB = 2**30, 2**20
NODE = 8
LAYERS, HIDDEN, INNER, VOCABULARY, KEYS = 32, 4096, 14336, 128256, 1024

BANDWIDTH = 2.9011e12
LAUNCH = 2.29e-6
PRODUCT_RATE = 8.16255e14
SUMMED_UP = 9.37e-10
"""Seconds of a product for each element that it sums up."""

_LAYER = 2 * HIDDEN * HIDDEN + 2 * HIDDEN * KEYS + 3 * HIDDEN * INNER
_HEAD = VOCABULARY * HIDDEN


def memory(rows: Columns) -> Any:
    """Return the bytes of the fullest rank: the first one, or the last."""
    tp, cp, pp = rows["tp"], rows["cp"], rows["pp"]
    tokens = rows["micro_batch"] * SEQUENCE / cp
    several = pp > 1
    layers = LAYERS / pp
    layer = _LAYER / tp + 2 * HIDDEN
    matrix = _HEAD / tp
    of_each = 2 + 4 + 12 / (rows["dp"] * cp)
    saved = 2 * (2 * HIDDEN + 2 * KEYS + 3 * INNER) + 4 * 32
    kept = tokens * (4 * HIDDEN * 2 + saved / tp)
    work = tokens * (2 * 2 * HIDDEN + 2 * (HIDDEN + 2 * KEYS + 2 * INNER) / tp)
    work += 2 * (tokens * 2 * 2 * KEYS / tp) * (cp > 1)
    logits = tokens * 4 * VOCABULARY / tp
    at_head = np.maximum(work, logits + tokens * 2 * HIDDEN)
    head_kept = tokens * 2 * 2 * HIDDEN
    first = (layers * layer + matrix) * of_each
    first += np.minimum(pp, rows["micro_batches"]) * layers * kept + work
    last = (layers * layer + matrix + HIDDEN) * of_each + layers * kept + head_kept + at_head
    alone = last + matrix * of_each
    shared = 4 * 2 * HIDDEN * tokens * several + (32 + 512) * MIB
    shared += GIB * (tp * pp * cp * rows["dp"] > 1)
    return np.where(several, np.maximum(first, last), alone) + shared


def _used(rows: Columns) -> Any:
    """Return the GPUs of a node that all groups fill evenly; others are left idle."""
    step, axes = 1, []
    for name in ("tp", "cp", "dp", "pp"):
        axes.append((rows[name], step))
        step = step * rows[name]
    found = np.ones(len(rows["tp"]))
    for size in range(2, NODE + 1):
        fills = step >= size
        for ranks, apart in axes:
            reach = np.maximum(size // apart, 1)
            parts, nodes, steps = reach / ranks, ranks / reach, size / apart
            even = (parts == np.floor(parts)) | (nodes == np.floor(nodes))
            fills &= (ranks == 1) | (apart >= size) | ((steps == np.floor(steps)) & even)
        found[fills] = size
    return found


def traffic(rows: Columns) -> Any:
    """Return the bytes that a GPU sends between nodes in a step."""
    tp, cp, pp, dp = rows["tp"], rows["cp"], rows["pp"], rows["dp"]
    stage = tp * cp * dp
    used = _used(rows)
    batches = rows["micro_batches"]
    tokens = rows["micro_batch"] * SEQUENCE
    # keys and values go round a ring three times a layer; gradients are summed up over cp and dp
    inside = np.minimum(tp * cp, used) / tp
    ring = 2 * tokens * (2 * KEYS / tp) * (cp > inside) * (cp - 1) / (cp * inside)
    sent = 3 * LAYERS / pp * batches * ring
    in_node = np.minimum(stage, used)
    stages = used / in_node
    beyond = np.minimum(1, pp / stages - 1)
    hidden = 2 * HIDDEN * tokens / cp
    sent += batches * hidden * np.minimum(2, pp - 1) * beyond / np.minimum(2, stages)
    inside, copies = in_node / tp, cp * dp
    held = (_HEAD * (1 + (pp == 1)) + HIDDEN) / tp + (_LAYER / tp + 2 * HIDDEN) * LAYERS / pp
    beyond = np.minimum(1, copies / inside - 1)
    return sent + 6 * held * beyond * (copies - 1) / (copies * inside)


def _passing(moved: Any) -> Any:
    return LAUNCH + moved / BANDWIDTH


def _products(tokens: Any, into: Any, out: Any, weights: Any, summed: Any) -> list[Any]:
    """Return the seconds of a product, and of the gradients of its input and its weights.

    ``summed`` is what the gradient of an input sums up.
    """
    work = (2 * tokens * into * out / PRODUCT_RATE) ** 2
    activations = 2 * tokens * (into + out)
    passing = ((activations + 2 * weights) / BANDWIDTH) ** 2
    written = ((activations + 8 * weights) / BANDWIDTH) ** 2
    return [
        LAUNCH + (work + moved + (SUMMED_UP * each) ** 2) ** 0.5
        for moved, each in ((passing, into), (passing, summed), (written, tokens))
    ]


def step_time(rows: Columns) -> Any:
    """Return the seconds of a step at measured rates: the last rank is the slowest."""
    tp, cp, pp = rows["tp"], rows["cp"], rows["pp"]
    tokens = rows["micro_batch"] * SEQUENCE / cp
    hidden = 2 * HIDDEN * tokens
    norm = _passing(2 * hidden + 2 * HIDDEN), _passing(3 * hidden + 2 * HIDDEN)
    added = 3 * hidden / BANDWIDTH
    rotated = _passing(2 * tokens * (2 * (HIDDEN + KEYS)) / tp)
    gated = _passing(2 * tokens * 3 * INNER / tp), _passing(2 * tokens * 5 * INNER / tp)
    width, heads = HIDDEN / tp, (HIDDEN + 2 * KEYS) / tp
    square, inner = HIDDEN * width, INNER / tp
    each = [
        _products(tokens, HIDDEN, heads, square + 2 * HIDDEN * KEYS / tp, width),
        _products(tokens, width, HIDDEN, square, HIDDEN),
        _products(tokens, HIDDEN, 2 * inner, 2 * HIDDEN * inner, inner),
        _products(tokens, inner, HIDDEN, HIDDEN * inner, HIDDEN),
    ]
    flops = 2 * rows["micro_batch"] * width * SEQUENCE * (SEQUENCE + 1) / cp
    cached = 4 * tokens * width + 4 * rows["micro_batch"] * SEQUENCE * KEYS / tp
    forward = flops / 5.708838e14 * 1.1767578125 + cached / 3.08535e12 + 1.31e-5
    backward = 2 * cached / 3.35e12 + 2 * flops * 1.25 / 5.5505340000000006e14 * 1.30029296875
    ways = [sum(way) for way in zip(*each, strict=True)]
    layer = ways[0] + ways[1] + ways[2] + sum(norm) * 2 + added * 4
    layer += rotated * 2 + sum(gated) + forward + backward
    head = sum(_products(tokens, HIDDEN, VOCABULARY / tp, _HEAD / tp, VOCABULARY / tp)) + sum(norm)
    looked_up = np.ceil(2 * HIDDEN * tokens) / tp
    ends = _passing(2 * hidden + looked_up) + _passing(3 * hidden + looked_up)
    micro_batch = LAYERS / pp * layer + head + ends * (pp == 1)
    states = (_LAYER * LAYERS + 2 * _HEAD) / tp + (2 * LAYERS + 1) * HIDDEN
    optimizer = 30 * states / (cp * rows["dp"]) / BANDWIDTH / pp
    return (rows["micro_batches"] + pp - 1) * micro_batch + optimizer
