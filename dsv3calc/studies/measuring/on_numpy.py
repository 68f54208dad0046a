"""A CPU, by the kernels that NumPy calls: BLAS for products, loops of its own for the rest."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import os
import platform
import re
from typing import TYPE_CHECKING, Any

from dsv3calc.studies.measuring.machine import DRAWN, EAGER, Calls, Dealer, Facts, on_host

if TYPE_CHECKING:
    from collections.abc import Callable

DTYPES = {"fp32": "float32", "fp64": "float64"}
BYTES = {"fp32": 4, "fp64": 8}
USUAL_CACHE = 32 * 2**20
"""Bytes of the last cache of a CPU that does not tell."""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


def _cache() -> int:
    """Return the bytes of the largest cache."""
    folder = "/sys/devices/system/cpu/cpu0/cache"
    found = [re.match(r"(\d+)([KM])", _read(f"{folder}/index{number}/size")) for number in range(5)]
    units = {"K": 2**10, "M": 2**20}
    return max((int(each[1]) * units[each[2]] for each in found if each), default=USUAL_CACHE)


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


class OnNumpy:
    """The CPU of this process; its calls come one by one, as there are no graphs."""

    modes = (EAGER,)
    dtypes = ("fp32",)

    def __init__(self) -> None:
        import numpy as np

        self._np = np
        self._random = np.random.default_rng(0)
        model = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self.facts = Facts(
            title=f"{model[1].strip() if model else platform.machine()}, {cores} cores",
            memory=_memory(),
            cache=_cache(),
            library="NumPy",
            software=f"NumPy {np.__version__}, {platform.system()} {platform.release()}",
            multiprocessors=cores,
        )
        self._dealer = Dealer(self._filled, BYTES.__getitem__, self.facts.cache)

    def _filled(self, dtype: str, count: int) -> Any:
        drawn = self._random.standard_normal(DRAWN, dtype=getattr(self._np, DTYPES[dtype]))
        return self._np.resize(drawn, count)

    def clocks(self) -> str:
        """Return the mean clock of the cores."""
        found = [float(each) for each in re.findall(r"cpu MHz\s*:\s*(\S+)", _read("/proc/cpuinfo"))]
        return f"{sum(found) / len(found):.0f} MHz" if found else ""

    def round(self, calls: Calls, mode: str) -> Callable[[], float]:  # noqa: ARG002 - as others
        """Return what runs some of the calls and gives the mean seconds of one."""
        return on_host(calls)

    def product(self, dtype: str, rows: int, columns: int, depth: int) -> Calls:
        """Return products of activations with a weight."""
        np, deal = self._np, self._dealer.deal
        out = np.empty((rows, columns), DTYPES[dtype])
        copies = self._dealer.copies(BYTES[dtype] * depth * (rows + columns))

        def one() -> Callable[[], Any]:
            a, b = deal(dtype, rows, depth), deal(dtype, columns, depth).T
            return lambda: np.matmul(a, b, out=out)

        return [one() for _ in range(copies)]

    def _softmax(self, scores: Any) -> Any:
        scores -= scores.max(axis=-1, keepdims=True)
        self._np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        return scores

    def prefill(self, dtype: str, length: int, heads: int, shared: int, width: int) -> Calls:
        """Return causal attention: the pairs above the diagonal are computed and masked."""
        np, deal = self._np, self._dealer.deal
        groups = heads // shared
        mask = np.triu(np.full((length, length), -np.inf, DTYPES[dtype]), 1)
        cache = np.empty((2, shared, length, width), DTYPES[dtype])
        copies = self._dealer.copies(BYTES[dtype] * length * width * (heads + 2 * shared))

        def one() -> Callable[[], Any]:
            q = deal(dtype, shared, groups, length, width)
            k, v = deal(dtype, shared, length, width), deal(dtype, shared, length, width)

            def run() -> Any:
                cache[0], cache[1] = k, v
                scores = np.matmul(q, k[:, None].swapaxes(-1, -2)) * (1 / math.sqrt(width)) + mask
                return np.matmul(self._softmax(scores), v[:, None])

            return run

        return [one() for _ in range(copies)]

    def decode(
        self, dtype: str, batch: int, context: int, heads: int, shared: int, width: int
    ) -> Calls:
        """Return attention of one query for each sequence over a cache."""
        np, deal = self._np, self._dealer.deal
        copies = self._dealer.copies(2 * BYTES[dtype] * batch * context * shared * width)

        def one() -> Callable[[], Any]:
            q = deal(dtype, batch, shared, heads // shared, width)
            k = deal(dtype, batch, shared, context, width).swapaxes(-1, -2)
            v = deal(dtype, batch, shared, context, width)
            return lambda: np.matmul(self._softmax(np.matmul(q, k) * (1 / math.sqrt(width))), v)

        return [one() for _ in range(copies)]

    def experts(
        self, dtype: str, tokens: int, hit: int, each: int, hidden: int, inter: int
    ) -> Calls:
        """Return routed experts: rows gathered, two products with SwiGLU between, rows added up."""
        np, deal = self._np, self._dealer.deal
        order = self._random.permutation(hit * each)
        back, chosen = np.argsort(order), hit * each // tokens
        copies = self._dealer.copies(3 * BYTES[dtype] * hit * hidden * inter)

        def one() -> Callable[[], Any]:
            x = deal(dtype, tokens, hidden)
            up, down = deal(dtype, hit, hidden, 2 * inter), deal(dtype, hit, inter, hidden)

            def run() -> Any:
                both = np.matmul(x[order // chosen].reshape(hit, each, hidden), up)
                gate, value = both[..., :inter], both[..., inter:]
                made = np.matmul(gate * (1 + np.tanh(gate / 2)) / 2 * value, down)
                return made.reshape(-1, hidden)[back].reshape(tokens, chosen, hidden).sum(1)

            return run

        return [one() for _ in range(copies)]

    def copy(self, size: int) -> Calls:
        """Return copies of so many bytes."""
        np, deal = self._np, self._dealer.deal
        count = max(1, size // BYTES["fp32"])
        out = np.empty(count, "float32")

        def one() -> Callable[[], Any]:
            source = deal("fp32", count)
            return lambda: np.copyto(out, source)

        return [one() for _ in range(self._dealer.copies(size))]

    def collective(self, name: str, ranks: int, size: int) -> Calls | None:  # noqa: ARG002 - one
        """Return nothing: there is one device."""
        return None

    def release(self) -> None:
        """Keep the pool: memory of a host is not short."""
