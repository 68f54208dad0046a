"""FlashMLA's kernels, counted one by one where that is possible."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import flash_mla

few = st.integers(1, 6)


@given(heads=few, queries=few, tokens=few, extra=few, value=few)
def test_mla_by_its_arrays(heads, queries, tokens, extra, value):
    keys = np.ones((tokens, value + extra), np.float16)
    scores = [key.size for _ in range(heads * queries) for key in keys]
    outputs = [key[:value].size for _ in range(heads * queries) for key in keys]
    flops = 2 * (sum(scores) + sum(outputs))
    assert flash_mla.mla_kernel_flops(heads, queries, tokens, value + extra, value) == flops
    assert flash_mla.mla_kernel_bytes(tokens, value + extra) == keys.nbytes
    intensity = flash_mla.mla_kernel_intensity(heads, queries, value + extra, value)
    assert math.isclose(intensity, flops / keys.nbytes)


def test_each_conversion_takes_its_own_time():
    rates = (64, 32, 128, 16)
    assert flash_mla.dequantisation_cycles(512, *rates) == sum(512 / rate for rate in rates)


def test_queries_at_the_ridge():
    """There computing and reading take the same time, if keys were as wide as values."""
    queries = flash_mla.compute_bound_queries(865e12, 3.35e12)
    flops, moved = 2 * queries * (576 + 576), 2 * 576
    assert math.isclose(flops / 865e12, moved / 3.35e12)


def test_peaks_and_clocks():
    per_cycle = flash_mla.clock_flops(989e12, 1830e6, 132)
    assert math.isclose(per_cycle * 132 * 1830e6, 989e12)
    assert math.isclose(per_cycle * 132 * 1600e6, flash_mla.throttled_peak(989e12, 1830e6, 1600e6))
    assert flash_mla.mma_cycles(64, 576, 512, 4096) * 4096 == flash_mla.mla_kernel_flops(
        64, 1, 1, 576, 512
    )
