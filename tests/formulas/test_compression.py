"""Attention over compressed entries, against pairs that are counted one by one."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import compressed_attention, compression

SIZES = {
    "sequence": st.integers(1, 60),
    "past": st.integers(0, 60),
    "ratio": st.integers(1, 17),
}


def pairs(sequence, past, ratio, most):
    """Count the entries that each new token sees: of whole blocks that end with it or before."""
    return sum(min((past + i) // ratio, most) for i in range(1, sequence + 1))


@given(**SIZES)
def test_causal_pairs_are_those_of_whole_blocks(sequence, past, ratio):
    found = compressed_attention.compressed_causal_channel_flops(sequence, past, ratio)
    assert found == 2 * pairs(sequence, past, ratio, 10**9)


@given(**SIZES, most=st.integers(1, 20))
def test_causal_pairs_of_selected_entries(sequence, past, ratio, most):
    found = compressed_attention.selected_entries_causal_channel_flops(sequence, past, ratio, most)
    assert found == 2 * pairs(sequence, past, ratio, most)


@given(**SIZES, most=st.integers(1, 20))
def test_full_pairs_are_every_token_with_every_entry(sequence, past, ratio, most):
    entries = (past + sequence) // ratio
    full = compressed_attention.compressed_full_channel_flops(sequence, past, ratio)
    selected = compressed_attention.selected_entries_full_channel_flops(sequence, past, ratio, most)
    assert full == 2 * sequence * entries
    assert selected == 2 * sequence * min(entries, most)


@given(**SIZES)
def test_half_pairs_are_the_area_under_the_causal_ones(sequence, past, ratio):
    causal = compressed_attention.compressed_causal_channel_flops(sequence, past, ratio)
    half = compressed_attention.compressed_half_channel_flops(sequence, past, ratio)
    assert abs(half - causal) <= 2 * sequence + 1


@given(tokens=st.integers(0, 500), ratio=st.integers(1, 130))
def test_tokens_are_in_entries_or_waiting(tokens, ratio):
    entries = compression.compressed_tokens(tokens, ratio)
    waiting = compression.waiting_tokens(tokens, ratio)
    assert entries * ratio + waiting == tokens
    assert 0 <= waiting < ratio


@pytest.mark.parametrize(("held", "padded"), [(583, 584), (584, 584), (1, 8)])
def test_entries_are_padded(held, padded):
    assert compression.padded_entry_bytes(held, 8) == padded
