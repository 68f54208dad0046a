"""Formulas of mixers against loops over tokens and chunks, and against counts by torch."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import mixers

COUNT = st.integers(1, 6)
SEQUENCE = st.integers(1, 300)


def product(rows, inner, columns):
    return 2 * rows * inner * columns


@given(COUNT, COUNT, SEQUENCE, COUNT, st.integers(0, 3), COUNT, COUNT)
def test_a_recurrence_is_products_of_each_token_with_the_state(
    layers, batch, sequence, heads, products, rows, columns
):
    one = sum(product(1, rows, columns) for _ in range(sequence) for _ in range(products))
    found = mixers.recurrence_flops(layers, batch, sequence, heads, products, rows, columns)
    assert found == layers * batch * heads * one


@given(SEQUENCE, st.integers(1, 64), st.integers(1, 8), st.integers(1, 8))
def test_chunks_are_padded_and_blocks_are_not(sequence, chunk, rows, columns):
    lengths = [min(chunk, sequence - start) for start in range(0, sequence, chunk)]

    def flops(length):
        scores, values = product(length, rows, length), product(length, length, columns)
        return scores + values + 2 * product(length, rows, columns)

    padded = mixers.chunked_flops(1, 1, sequence, chunk, 1, 1, 1, 2, rows, columns)
    assert padded == flops(chunk) * len(lengths)
    blocked = mixers.blocked_flops(1, 1, sequence, chunk, 1, rows, columns)
    assert blocked == sum(map(flops, lengths))
    assert blocked <= padded


@pytest.mark.parametrize(("sequence", "counted"), [(128, 22_052_339_712), (1024, 176_369_172_480)])
def test_gated_delta_net_as_torch_counts_it(sequence, counted):
    """Qwen3-Next-80B-A3B in transformers 5.24: 36 layers, convolution included."""
    scan = mixers.chunked_flops(36, 1, sequence, 64, 32, 2, 1, 3, 128, 128)
    convolution = 36 * 2 * 4 * 8192 * mixers.convolved_positions(1, sequence, 4)
    assert scan + convolution == counted


def test_mamba2_as_torch_counts_it():
    """Nemotron-H-56B in transformers 5.24: 54 layers, 128 and 4096 tokens."""
    for sequence, counted in ((128, 263_890_206_720), (4096, 8_878_982_234_112)):
        scan = mixers.chunked_flops(54, 1, sequence, 128, 256, 1, 1, 2, 256, 64)
        scan += mixers.chunk_states_flops(54, 1, sequence, 128, 256, 256, 64)
        convolution = 54 * 2 * 4 * 20480 * mixers.convolved_positions(1, sequence, 4)
        assert scan + convolution == counted


@given(st.integers(1, 8), st.integers(1, 200))
def test_a_convolution_that_pads_on_both_sides(kernel, sequence):
    padded = sequence + 2 * (kernel - 1)
    assert mixers.convolved_positions(3, sequence, kernel) == 3 * (padded - kernel + 1)
    assert mixers.kept_inputs(kernel) == kernel - 1


def test_the_state_of_qwen3_next():
    recurrent = mixers.state_bytes(1, 36, 32 * 128 * 128, 32)
    convolution = mixers.state_bytes(1, 36, 8192 * 4, 16)
    assert recurrent + convolution == 77_856_768
