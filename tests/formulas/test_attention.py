"""Pairs counted one by one, against their closed forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import attention, windowed_attention

new = st.integers(1, 14)
cached = st.integers(0, 14)
span = st.integers(1, 12)


def pairs(sequence, past, sees):
    """Count (query, key) pairs of new queries with the keys at or before them that they see."""
    return sum(
        sees(query, key) for query in range(past, past + sequence) for key in range(query + 1)
    )


def double_area(sequence, height):
    """Give twice the area under a line that bends at integers only, by the trapezoid rule."""
    return sum(height(t) + height(t + 1) for t in range(sequence))


@given(sequence=new, past=cached)
def test_full_is_every_query_against_every_key(sequence, past):
    count = sum(1 for _ in range(sequence) for _ in range(past + sequence))
    assert attention.full_channel_flops(sequence, past) == 2 * count


@given(sequence=new, past=cached)
def test_causal_is_every_key_up_to_the_query(sequence, past):
    count = pairs(sequence, past, lambda _query, _key: True)
    assert attention.causal_channel_flops(sequence, past) == 2 * count
    # as the issue states it: S past + S(S+1)/2
    assert 2 * count == 2 * sequence * past + sequence * (sequence + 1)


@given(sequence=new, past=cached)
def test_half_is_the_area_under_the_diagonal(sequence, past):
    area = double_area(sequence, lambda t: past + t)
    assert attention.half_channel_flops(sequence, past) == area


@given(sequence=new, past=cached, window=span)
def test_sliding_causal_is_the_last_window_keys(sequence, past, window):
    count = pairs(sequence, past, lambda query, key: query - key < window)
    assert windowed_attention.window_causal_channel_flops(sequence, past, window) == 2 * count


@given(sequence=new, past=cached, window=span)
def test_sliding_half_is_the_area_under_the_bounded_diagonal(sequence, past, window):
    area = double_area(sequence, lambda t: min(past + t, window))
    assert windowed_attention.window_half_channel_flops(sequence, past, window) == area


@given(sequence=new, past=cached, window=span)
def test_sliding_full_is_every_query_against_what_the_cache_holds(sequence, past, window):
    held = len(range(past)[-(window - 1) :] if window > 1 else [])
    count = sum(1 for _ in range(sequence) for _ in range(held + sequence))
    assert windowed_attention.window_full_channel_flops(sequence, past, window) == 2 * count


@given(sequence=new, past=cached, chunk=span)
def test_chunked_causal_is_the_keys_of_the_query_s_chunk(sequence, past, chunk):
    count = pairs(sequence, past, lambda query, key: query // chunk == key // chunk)
    assert windowed_attention.chunk_causal_channel_flops(sequence, past, chunk) == 2 * count


@given(sequence=new, past=cached, chunk=span)
def test_chunked_half_counts_each_query_s_own_pair_half(sequence, past, chunk):
    count = pairs(sequence, past, lambda query, key: query // chunk == key // chunk)
    assert (
        windowed_attention.chunk_half_channel_flops(sequence, past, chunk) == 2 * count - sequence
    )


@given(sequence=new, past=cached, chosen=span)
def test_selected_causal_is_top_k_of_what_the_query_may_see(sequence, past, chosen):
    count = sum(min(len(range(query + 1)), chosen) for query in range(past, past + sequence))
    assert windowed_attention.window_causal_channel_flops(sequence, past, chosen) == 2 * count


@given(sequence=new, past=cached, chosen=span)
def test_selected_full_is_top_k_of_everything(sequence, past, chosen):
    count = sum(min(past + sequence, chosen) for _ in range(sequence))
    assert windowed_attention.selected_full_channel_flops(sequence, past, chosen) == 2 * count


COUNTS = {
    "full": (
        lambda s, p, _w: attention.half_channel_flops(s, p),
        lambda s, p, _w: attention.causal_channel_flops(s, p),
        lambda s, p, _w: attention.full_channel_flops(s, p),
    ),
    "sliding": (
        windowed_attention.window_half_channel_flops,
        windowed_attention.window_causal_channel_flops,
        windowed_attention.window_full_channel_flops,
    ),
    "chunked": (
        windowed_attention.chunk_half_channel_flops,
        windowed_attention.chunk_causal_channel_flops,
        windowed_attention.window_full_channel_flops,
    ),
    "selected": (
        windowed_attention.window_half_channel_flops,
        windowed_attention.window_causal_channel_flops,
        windowed_attention.selected_full_channel_flops,
    ),
}


@pytest.mark.parametrize("kind", COUNTS)
@given(sequence=st.integers(1, 10**6), past=st.integers(0, 10**6), window=st.integers(1, 10**6))
def test_half_up_to_causal_up_to_half_and_a_diagonal_and_up_to_full(kind, sequence, past, window):
    """The linear term is the diagonal: S/2 pairs, S channel FLOPs."""
    half, causal, full = (count(sequence, past, window) for count in COUNTS[kind])
    assert half <= causal <= half + sequence
    assert causal <= full


@pytest.mark.parametrize("kind", COUNTS)
@given(
    first=st.integers(1, 10**5),
    second=st.integers(1, 10**5),
    past=st.integers(0, 10**5),
    window=st.integers(1, 10**5),
)
def test_two_passes_cost_as_much_as_one(kind, first, second, past, window):
    for count in COUNTS[kind][:2]:
        whole = count(first + second, past, window)
        assert count(first, past, window) + count(second, past + first, window) == whole


@given(sequence=new, past=cached, extra=st.integers(0, 9))
def test_a_span_that_reaches_everything_is_full_attention(sequence, past, extra):
    reach = past + sequence + extra
    causal = attention.causal_channel_flops(sequence, past)
    half = attention.half_channel_flops(sequence, past)
    full = attention.full_channel_flops(sequence, past)
    assert windowed_attention.window_causal_channel_flops(sequence, past, reach) == causal
    assert windowed_attention.chunk_causal_channel_flops(sequence, past, reach + 1) == causal
    assert windowed_attention.window_half_channel_flops(sequence, past, reach) == half
    assert windowed_attention.chunk_half_channel_flops(sequence, past, reach + 1) == half
    assert windowed_attention.window_full_channel_flops(sequence, past, reach) == full
    assert windowed_attention.selected_full_channel_flops(sequence, past, reach) == full


@given(data=st.data())
def test_core_flops_are_two_for_each_multiply_add(data):
    batch, layers, heads, channels = (data.draw(st.integers(1, 3)) for _ in range(4))
    sequence, past = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 4))
    flops = 0
    for _ in range(batch * layers * heads):
        for query in range(past, past + sequence):
            for _key in range(query + 1):
                flops += 2 * channels
    channel = attention.causal_channel_flops(sequence, past)
    assert attention.attention_core_flops(batch, layers, heads, channels, channel) == flops


def test_widths_of_deepseek_v3():
    assert attention.mla_query_width(128, 128, 64) == 24_576
    assert attention.mla_kv_down_width(512, 64) == 576
    assert attention.mla_kv_up_width(128, 128, 128) == 32_768
    assert attention.heads_width(128, 128) == 16_384
    assert attention.indexer_channels(128) == 129
