"""Kernels, counted one by one where that is possible."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import kernels

few = st.integers(1, 6)


@given(groups=few, rows=few, columns=few, depth=few)
def test_products_by_their_arrays(groups, rows, columns, depth):
    made = [
        (np.ones((rows, depth), np.int8), np.ones((columns, depth), np.int8)) for _ in range(groups)
    ]
    results = [(a @ b.T).astype(np.float16) for a, b in made]
    moved = sum(a.nbytes + b.nbytes for a, b in made) + sum(each.nbytes for each in results)
    multiplications = int(sum(each.sum() for each in results))  # each adds 1 x 1
    assert kernels.fp8_gemm_bytes(groups, rows, columns, depth) == moved
    assert kernels.gemm_flops(groups, rows, columns, depth) == 2 * multiplications
    rate = 10**12
    seconds = Fraction(2 * multiplications, rate)
    found = kernels.fp8_gemm_bandwidth(rows, columns, depth, rate)
    assert math.isclose(found, moved / seconds, rel_tol=1e-12)


@given(heads=few, queries=few, tokens=few, extra=few, value=few)
def test_mla_by_its_arrays(heads, queries, tokens, extra, value):
    keys = np.ones((tokens, value + extra), np.float16)
    scores = [key.size for _ in range(heads * queries) for key in keys]
    outputs = [key[:value].size for _ in range(heads * queries) for key in keys]
    flops = 2 * (sum(scores) + sum(outputs))
    assert kernels.mla_kernel_flops(heads, queries, tokens, value + extra, value) == flops
    assert kernels.mla_kernel_bytes(tokens, value + extra) == keys.nbytes
    intensity = kernels.mla_kernel_intensity(heads, queries, value + extra, value)
    assert math.isclose(intensity, flops / keys.nbytes)


def test_each_conversion_takes_its_own_time():
    rates = (64, 32, 128, 16)
    assert kernels.dequantisation_cycles(512, *rates) == sum(512 / rate for rate in rates)


def test_a_copy_that_is_masked_is_not_sent():
    sent = [(token, expert) for token in range(128) for expert in range(8)][:-10]
    assert kernels.low_latency_bandwidth(128, 8, 10, 7408, 1) == len(sent) * 7408


def test_queries_at_the_ridge():
    """There computing and reading take the same time, if keys were as wide as values."""
    queries = kernels.compute_bound_queries(865e12, 3.35e12)
    flops, moved = 2 * queries * (576 + 576), 2 * 576
    assert math.isclose(flops / 865e12, moved / 3.35e12)


def test_peaks_and_clocks():
    per_cycle = kernels.clock_flops(989e12, 1830e6, 132)
    assert math.isclose(per_cycle * 132 * 1830e6, 989e12)
    assert math.isclose(per_cycle * 132 * 1600e6, kernels.throttled_peak(989e12, 1830e6, 1600e6))
    assert kernels.mma_cycles(64, 576, 512, 4096) * 4096 == kernels.mla_kernel_flops(
        64, 1, 1, 576, 512
    )
