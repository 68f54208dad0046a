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


def test_a_copy_that_is_masked_is_not_sent():
    sent = [(token, expert) for token in range(128) for expert in range(8)][:-10]
    assert kernels.low_latency_bandwidth(128, 8, 10, 7408, 1) == len(sent) * 7408
