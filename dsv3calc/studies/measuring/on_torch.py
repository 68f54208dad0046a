"""A GPU, by the kernels that PyTorch calls: CUDA, or ROCm under the same names."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from contextlib import suppress
from importlib import import_module
from shutil import which
from typing import TYPE_CHECKING, Any

from dsv3calc.studies.measuring.machine import DRAWN, EAGER, GRAPH, Calls, Dealer, Facts, on_host

if TYPE_CHECKING:
    from collections.abc import Callable

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", "fp8": "float8_e4m3fn"}
BYTES = {"bf16": 2, "fp16": 2, "fp32": 4, "fp8": 1}
FP8_FROM = (8, 9)
"""Compute capability from which CUDA devices multiply FP8."""
USUAL_CACHE = 64 * 2**20
COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter")


def torch_or_none() -> Any:
    """Return PyTorch where it is installed and sees a GPU."""
    try:
        torch = import_module("torch")
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


class OnTorch:
    """A device of PyTorch. ``where`` is ``cuda``, or ``cpu`` to run the same code without a GPU."""

    def __init__(self, torch: Any, where: str = "cuda") -> None:
        self._torch = torch
        self._where = where
        self._gpu = where == "cuda"
        self.modes = (GRAPH, EAGER) if self._gpu else (EAGER,)
        self.facts = self._facts()
        self.dtypes: tuple[str, ...] = ("bf16",)
        if self._gpu and (torch.version.hip or torch.cuda.get_device_capability() >= FP8_FROM):
            self.dtypes = ("bf16", "fp8")
        self._dealer = Dealer(self._filled, BYTES.__getitem__, self.facts.cache)

    def _facts(self) -> Facts:
        torch = self._torch
        if not self._gpu:
            return Facts(
                title="CPU", memory=2**30, cache=USUAL_CACHE, library="PyTorch",
                software=f"PyTorch {torch.__version__}",
            )  # fmt: skip
        found = torch.cuda.get_device_properties(0)
        platform = (
            f"ROCm {torch.version.hip}" if torch.version.hip else f"CUDA {torch.version.cuda}"
        )
        driver = _smi("driver_version")
        return Facts(
            title=found.name,
            memory=found.total_memory,
            cache=getattr(found, "L2_cache_size", 0) or USUAL_CACHE,
            library="PyTorch",
            software=", ".join(
                filter(
                    None, [f"PyTorch {torch.__version__}", platform, driver and f"driver {driver}"]
                )
            ),
            multiprocessors=found.multi_processor_count,
            count=torch.cuda.device_count(),
        )

    def _filled(self, dtype: str, count: int) -> Any:
        wide = self._type("bf16" if dtype == "fp8" else dtype)
        drawn = self._torch.randn(DRAWN, dtype=wide, device=self._where).to(self._type(dtype))
        return drawn.repeat(-(-count // DRAWN))[:count]

    def _type(self, dtype: str) -> Any:
        return getattr(self._torch, DTYPES[dtype])

    def _empty(self, dtype: str, *shape: int) -> Any:
        return self._torch.empty(shape, dtype=self._type(dtype), device=self._where)

    def clocks(self) -> str:
        """Return the clock of the multiprocessors, with power and temperature."""
        found = _smi("clocks.sm,clocks.mem,power.draw,temperature.gpu") if self._gpu else ""
        names = ("SM {} MHz", "memory {} MHz", "{} W", "{} °C")
        parts = [each.strip() for each in found.split(",")] if found else []
        return ", ".join(name.format(part) for name, part in zip(names, parts, strict=False))

    def round(self, calls: Calls, mode: str) -> Callable[[], float]:
        """Return what runs all calls, one by one or as a graph, and gives the mean seconds."""
        if not self._gpu:
            return on_host(calls)
        cuda = self._torch.cuda
        run = self._graph(calls) if mode == GRAPH else _in_turn(calls)

        def timed() -> float:
            start, end = (cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            run()
            end.record()
            cuda.synchronize()
            return float(start.elapsed_time(end)) / 1000 / len(calls)

        return timed

    def _graph(self, calls: Calls) -> Callable[[], Any]:
        """Record calls once; what is chosen at the first call is chosen before that."""
        cuda = self._torch.cuda
        stream = cuda.Stream()
        stream.wait_stream(cuda.current_stream())
        with cuda.stream(stream):
            calls[0]()
        cuda.current_stream().wait_stream(stream)
        graph = cuda.CUDAGraph()
        with cuda.graph(graph):
            for call in calls:
                call()
        replay: Callable[[], Any] = graph.replay
        return replay

    def product(self, dtype: str, rows: int, columns: int, depth: int) -> Calls:
        """Return products of activations with a weight; FP8 casts the activations first."""
        torch, deal = self._torch, self._dealer.deal
        copies = self._dealer.copies(BYTES[dtype] * depth * (rows + columns))
        if dtype == "fp8":
            return [self._narrow_product(rows, columns, depth) for _ in range(copies)]
        out = self._empty(dtype, rows, columns)

        def one() -> Callable[[], Any]:
            a, b = deal(dtype, rows, depth), deal(dtype, columns, depth).t()
            return lambda: torch.mm(a, b, out=out)

        return [one() for _ in range(copies)]

    def _narrow_product(self, rows: int, columns: int, depth: int) -> Callable[[], Any]:
        torch, deal = self._torch, self._dealer.deal
        scale = torch.ones((), dtype=torch.float32, device=self._where)
        a, b = deal("bf16", rows, depth), deal("fp8", columns, depth).t()
        narrow = self._type("fp8")
        return lambda: torch._scaled_mm(  # noqa: SLF001 - its only name
            a.to(narrow), b, scale_a=scale, scale_b=scale, out_dtype=torch.bfloat16
        )

    def prefill(self, dtype: str, length: int, heads: int, shared: int, width: int) -> Calls:
        """Return causal attention over new tokens, with the write of keys and values."""
        attend = self._torch.nn.functional.scaled_dot_product_attention
        deal = self._dealer.deal
        cache = self._empty(dtype, 2, 1, shared, length, width)
        copies = self._dealer.copies(BYTES[dtype] * length * width * (heads + 2 * shared))

        def one() -> Callable[[], Any]:
            q = deal(dtype, 1, heads, length, width)
            k, v = deal(dtype, 1, shared, length, width), deal(dtype, 1, shared, length, width)

            def run() -> Any:
                cache[0].copy_(k)
                cache[1].copy_(v)
                return attend(q, k, v, is_causal=True, enable_gqa=True)

            return run

        return [one() for _ in range(copies)]

    def decode(
        self, dtype: str, batch: int, context: int, heads: int, shared: int, width: int
    ) -> Calls:
        """Return attention of one query for each sequence over a cache."""
        attend = self._torch.nn.functional.scaled_dot_product_attention
        deal = self._dealer.deal
        copies = self._dealer.copies(2 * BYTES[dtype] * batch * context * shared * width)

        def one() -> Callable[[], Any]:
            q = deal(dtype, batch, heads, 1, width)
            k = deal(dtype, batch, shared, context, width)
            v = deal(dtype, batch, shared, context, width)
            return lambda: attend(q, k, v, enable_gqa=True)

        return [one() for _ in range(copies)]

    def experts(
        self, dtype: str, tokens: int, hit: int, each: int, hidden: int, inter: int
    ) -> Calls:
        """Return routed experts: rows gathered, two products with SwiGLU between, rows added up."""
        torch, deal = self._torch, self._dealer.deal
        silu = torch.nn.functional.silu
        order = torch.randperm(hit * each, device=self._where)
        back, chosen = torch.argsort(order), hit * each // tokens
        source = order // chosen
        copies = self._dealer.copies(3 * BYTES[dtype] * hit * hidden * inter)

        def one() -> Callable[[], Any]:
            x = deal(dtype, tokens, hidden)
            up, down = deal(dtype, hit, hidden, 2 * inter), deal(dtype, hit, inter, hidden)

            def run() -> Any:
                both = torch.bmm(x[source].view(hit, each, hidden), up)
                made = torch.bmm(silu(both[..., :inter]) * both[..., inter:], down)
                return made.view(-1, hidden)[back].view(tokens, chosen, hidden).sum(1)

            return run

        return [one() for _ in range(copies)]

    def copy(self, size: int) -> Calls:
        """Return copies of so many bytes."""
        deal = self._dealer.deal
        count = max(1, size // BYTES["bf16"])
        out = self._empty("bf16", count)

        def one() -> Callable[[], Any]:
            source = deal("bf16", count)
            return lambda: out.copy_(source)

        return [one() for _ in range(self._dealer.copies(size))]

    def collective(self, name: str, ranks: int, size: int) -> Calls | None:
        """Return a collective of NCCL (RCCL) between the first devices of this process."""
        if not self._gpu or ranks > self.facts.count or name not in COLLECTIVES:
            return None
        torch = self._torch
        nccl = import_module("torch.cuda.nccl")
        count = max(ranks, size // BYTES["bf16"] // ranks * ranks)
        taken = count // ranks if name == "all_gather" else count
        given = count // ranks if name == "reduce_scatter" else count
        sent, got = (
            [
                torch.randn(each, dtype=torch.bfloat16, device=f"cuda:{rank}")
                for rank in range(ranks)
            ]
            for each in (taken, given)
        )
        run = getattr(nccl, name)
        return [lambda: run(sent, got)]

    def release(self) -> None:
        """Give the pools back to the device."""
        self._dealer.clear()
        if self._gpu:
            self._torch.cuda.empty_cache()


def _in_turn(calls: Calls) -> Callable[[], Any]:
    def run() -> None:
        for call in calls:
            call()

    return run


def _smi(fields: str) -> str:
    """Return what the driver's own program says of the first device; empty where there is none."""
    program = which("nvidia-smi")
    if program is None:
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(  # noqa: S603 - no shell, and no argument of the user's
            [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits", "--id=0"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
        return found.stdout.strip()
    return ""
