"""Times of kernels: limits worked out by hand, experts by simulation, and single measurements.

Measured times are those of aiconfigurator's published data (Apache-2.0) and of the papers named.
"""

import math
import random

import pytest

from dsv3calc.formulas.expert_times import (
    expert_activation_bytes,
    expert_flops,
    expert_rows,
    expert_weight_bytes,
    hit_experts,
)
from dsv3calc.formulas.kernel_times import (
    adam_bytes,
    cast_bytes,
    kernel_time,
    pass_time,
    prefill_attention_time,
    product_bytes,
)
from dsv3calc.formulas.link_times import collective_time, exchange_time, tier_bandwidth

PEAK, BANDWIDTH = 989.4e12, 3.35e12
H100 = {"peak": PEAK, "bandwidth": BANDWIDTH, "compute_share": 0.8, "bandwidth_share": 0.85}


def kernel(flops, moved, steps=0, latency=1e-9, exponent=2, launch=4e-6):
    return kernel_time(
        flops=flops, moved=moved, serial_steps=steps, serial_latency=latency, exponent=exponent,
        launch=launch, **H100,
    )  # fmt: skip


@pytest.mark.parametrize("exponent", [1, 2, 3, 8])
def test_a_kernel_with_one_kind_of_work_takes_that_and_its_launch(exponent):
    second = 0.8 * PEAK
    assert kernel(second, 0, exponent=exponent) == pytest.approx(1 + 4e-6)
    assert kernel(0, 0.85 * BANDWIDTH, exponent=exponent) == pytest.approx(1 + 4e-6)
    assert kernel(0, 0, 10**9, exponent=exponent) == pytest.approx(1 + 4e-6)
    assert kernel(0, 0, exponent=exponent) == pytest.approx(4e-6)


def test_the_exponent_joins_between_the_sum_and_the_maximum():
    flops, moved = 0.8 * PEAK * 3e-3, 0.85 * BANDWIDTH * 4e-3
    assert kernel(flops, moved, exponent=1, launch=0) == pytest.approx(7e-3)
    assert kernel(flops, moved, exponent=2, launch=0) == pytest.approx(5e-3)
    assert 4e-3 < kernel(flops, moved, exponent=8, launch=0) < 4.1e-3


@pytest.mark.parametrize(
    ("tokens", "microseconds"), [(1, 88.63), (256, 94.22), (2048, 589.2), (16384, 5248)]
)
def test_a_product_on_an_h100_is_within_a_tenth_of_its_measurement(tokens, microseconds):
    """BF16, N 7168, K 16384: the output projection of DeepSeek-V3."""
    moved = product_bytes(1, tokens, 7168, 16384, 16, 16, 16)
    found = kernel(
        2 * tokens * 7168 * 16384, moved, steps=16384, latency=1e-9, exponent=4, launch=3e-6
    )
    assert found == pytest.approx(1e-6 * microseconds, rel=0.1)


@pytest.mark.parametrize(("length", "tflops"), [(512, 430.32), (2048, 565.544), (16384, 620.73)])
def test_flash_attention_3_reaches_its_published_rate(length, tflops):
    """PyTorch's benchmark on an H100: 16 heads of 128, 16,384 tokens, not causal."""
    flops = 4 * 16 * 128 * 16384 * length
    found = prefill_attention_time(flops, PEAK, 0.637, 234, length, 0, BANDWIDTH, 1, 0)
    assert flops / found / 1e12 == pytest.approx(tflops, rel=0.03)


def test_a_pass_takes_its_bytes_at_the_share_of_the_bandwidth():
    assert pass_time(3 * 10**9, 3 * 10**12, 0.5) == pytest.approx(2e-3)


def test_bytes_of_a_product_match_the_tensors():
    for bits in (4, 8, 16):
        activations = [[bits] * 6 for _ in range(5)]
        weights = [[8] * 6 for _ in range(7)]
        result = [[16] * 7 for _ in range(5)]
        total = sum(map(sum, activations)) + sum(map(sum, weights)) + sum(map(sum, result))
        assert product_bytes(3, 5, 7, 6, bits, 8, 16) == 3 * total / 8
    assert cast_bytes(5, 6, 4) == 5 * 6 * 2 + 5 * 6 / 2


def test_adam_with_bf16_moments_moves_less():
    assert adam_bytes(10, 16, 32, 32, 16, 16) == 10 * (4 + 2 * (4 + 2 + 2) + 2)


@pytest.mark.parametrize(("ep", "tokens"), [(1, 4), (4, 16), (8, 40)])
def test_experts_hit_agree_with_drawn_ones(ep, tokens):
    source = random.Random(7)  # noqa: S311 - draws of a test
    draws = 3000
    local = 32 // ep
    hit = sum(
        len({e for _ in range(tokens) for e in source.sample(range(32), 4) if e < local})
        for _ in range(draws)
    )
    assert hit_experts(32, 4, tokens, ep) == pytest.approx(hit / draws, rel=0.03)


def test_work_of_experts_is_that_of_three_products():
    rows = expert_rows(640, 8, 16, 1.25)
    assert rows == 400
    products = [(2048, 7168), (2048, 7168), (7168, 2048)]
    assert expert_flops(rows, 7168, 2048) == sum(2 * rows * n * k for n, k in products)
    assert expert_weight_bytes(5, 7168, 2048, 8) == 5 * sum(n * k for n, k in products)
    assert expert_activation_bytes(0, 9, 7168, 2048) == 9 * 7168 * 2 * 2


def test_a_collective_is_bound_by_latency_then_by_bandwidth():
    def time(moved, exponent, ranks=8):
        return collective_time(moved, 450e9, 0.8, ranks, 6e-6, 0.25, exponent)

    assert time(0, 0.6) == pytest.approx(6e-6 * 2.5)
    assert time(360e9, 1) == pytest.approx(1 + 15e-6)
    assert time(0, 1, ranks=2) == pytest.approx(6e-6)
    middle = 360e9 * 15e-6  # as long as the latency: a smaller exponent takes longer than the sum
    assert time(middle, 0.5) == pytest.approx(4 * 15e-6)


def test_a_ring_across_nodes_follows_its_slower_tier():
    up, out = 450e9, 50e9
    assert tier_bandwidth(up, 0.8, out, 0.9, 1, 8, 1) == pytest.approx(45e9)
    assert tier_bandwidth(up, 0.8, out, 0.9, 8, 8, 1) == pytest.approx(360e9)
    assert tier_bandwidth(up, 0.8, out, 0.9, 8, 4, 2) == pytest.approx(90e9)


@pytest.mark.parametrize(("tokens", "microseconds"), [(8, 15.75), (128, 39.83), (1024, 236.9)])
def test_a_low_latency_dispatch_is_within_a_tenth_of_its_measurement(tokens, microseconds):
    """DeepEP on eight H100, FP8, hidden 7168, top 8; each copy goes over NVLink."""
    moved = tokens * 8 * 7408
    found = exchange_time(moved, 450e9, 0.61, 0, 50e9, 0.9, 14e-6)
    assert found == pytest.approx(1e-6 * microseconds, rel=0.1)


def test_the_slower_tier_of_an_exchange_counts():
    assert exchange_time(10, 10, 1, 30, 10, 1, 1) == 4
    assert exchange_time(30, 10, 1, 10, 10, 1, 1) == 4
    assert math.isclose(exchange_time(30, 10, 0.5, 10, 10, 1, 1), 7)
