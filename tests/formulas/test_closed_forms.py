"""The other formulas against counting one by one."""

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import architecture, cached_tokens, flops, kv_cache, precision, roofline

few = st.integers(1, 5)
some = st.integers(1, 300)


def products(rows, columns):
    """Multiply a matrix with a vector in thought, and count the multiply-adds."""
    return sum(1 for _ in range(rows) for _ in range(columns))


@given(depth=st.integers(0, 60), start=st.integers(0, 70), data=st.data())
def test_slice_length_is_python_s(depth, start, data):
    stop = data.draw(st.integers(0, 70))
    step = data.draw(st.integers(1, 9))
    assert architecture.slice_length(depth, start, stop, step) == len(range(depth)[start:stop:step])


@given(layers=few, copies=few, rows=few, columns=few)
def test_elements_of_matrices_and_vectors(layers, copies, rows, columns):
    count = layers * copies * products(rows, columns)
    assert architecture.matrix_elements(layers, copies, rows, columns) == count
    assert architecture.vector_elements(layers, copies, rows) == layers * copies * rows


@given(batch=few, sequence=few, past=st.integers(0, 5))
def test_tokens_of_a_pass_and_of_its_context(batch, sequence, past):
    new = [(b, t) for b in range(batch) for t in range(sequence)]
    held = [(b, t) for b in range(batch) for t in range(past + sequence)]
    assert architecture.tokens_processed(batch, sequence) == len(new)
    assert architecture.tokens_in_context(batch, sequence, past) == len(held)


@given(tokens=few, layers=few, copies=few, rows=few, columns=few)
def test_linear_flops_are_two_for_each_multiply_add(tokens, layers, copies, rows, columns):
    multiply_adds = sum(products(rows, columns) for _ in range(tokens * layers * copies))
    found = flops.linear_flops(tokens, layers, copies, rows, columns)
    assert found == 2 * multiply_adds


@given(layers=few, hidden=few, vocabulary=few, tokens=few)
def test_twelve_l_h2_is_a_generic_block_and_the_head(layers, hidden, vocabulary, tokens):
    attention = 4 * products(hidden, hidden)
    feed_forward = 2 * products(4 * hidden, hidden)
    forward = 2 * (layers * (attention + feed_forward) + products(vocabulary, hidden))
    assert flops.twelve_l_h2_flops(2, layers, hidden, vocabulary, tokens) == forward * tokens
    step = flops.twelve_l_h2_flops(6, layers, hidden, vocabulary, tokens)
    assert step == flops.training_flops(3, forward * tokens)


@given(active=st.integers(1, 10**13), tokens=st.integers(1, 10**8))
def test_six_n_is_exact_beyond_64_bits(active, tokens):
    assert flops.six_n_flops(6, active, tokens) == 6 * active * tokens


@given(vectors=few, width=st.integers(1, 60), bits=st.integers(1, 16), data=st.data())
def test_entry_bytes_of_vectors_and_their_scales(vectors, width, bits, data):
    group = data.draw(st.integers(1, 70))
    scale_bits = data.draw(st.integers(0, 32))
    total_bits = 0
    for _ in range(vectors):
        for channel in range(width):
            total_bits += bits
            if channel % group == 0:  # a group starts here, with a scale of its own
                total_bits += scale_bits
    found = kv_cache.entry_bytes(vectors, width, bits, group, scale_bits)
    assert found == math.ceil(Fraction(total_bits, 8))


@given(tokens=some, window=some)
def test_a_bounded_layer_keeps_the_last_tokens(tokens, window):
    assert cached_tokens.retained_tokens(tokens, window) == len(range(tokens)[-window:])
    assert cached_tokens.window_kept(window) == len(range(window)[1:])


@given(tokens=some, page=st.integers(1, 70))
def test_pages_are_filled_one_after_another(tokens, page):
    pages = len({token // page for token in range(tokens)})
    assert cached_tokens.paged_tokens(tokens, page) == pages * page


@given(batch=few, layers=few, tokens=few, each=some)
def test_cache_bytes(batch, layers, tokens, each):
    held = sum(each for _ in range(batch) for _ in range(layers) for _ in range(tokens))
    assert kv_cache.cache_bytes(batch, layers, tokens, each) == held
    assert kv_cache.token_bytes_in_layers(layers, each) == sum(each for _ in range(layers))
    assert kv_cache.cached_vectors(layers) == 2 * layers


def test_the_cache_of_v2_is_smaller_by_what_its_paper_prints():
    six_bits = (512 + 64) * 60 * 6 // 8
    assert six_bits == 25_920
    assert round(100 * kv_cache.cache_reduction(six_bits, 2 * 8 * 128 * 95 * 2), 1) == 93.3
    assert kv_cache.cache_reduction(3, 2) == -0.5


@given(available=st.integers(0, 5000), each=some)
def test_sequences_fit_and_one_more_does_not(available, each):
    count = kv_cache.sequences_that_fit(available, each)
    assert count * each <= available < (count + 1) * each


@given(layers=few, copies=few, rows=some, columns=some, data=st.data())
def test_block_scales_cover_the_edges(layers, copies, rows, columns, data):
    high, wide = data.draw(st.integers(1, 130)), data.draw(st.integers(1, 130))
    blocks = len({row // high for row in range(rows)}) * len({c // wide for c in range(columns)})
    found = precision.block_scales(layers, copies, rows, columns, high, wide)
    assert found == layers * copies * blocks


@given(elements=st.integers(0, 10**15), bits=st.integers(1, 64))
def test_stored_bytes_round_up(elements, bits):
    found = precision.stored_bytes(elements, bits)
    assert found * 8 - 7 <= elements * bits <= found * 8


@given(amount=st.integers(1, 10**18), rate=st.integers(1, 10**15))
def test_roofline_quotients_are_exact_or_nearest(amount, rate):
    exact = Fraction(amount, rate)
    for quotient in (roofline.compute_time, roofline.memory_time, roofline.arithmetic_intensity):
        assert quotient(amount, rate) == float(exact) or quotient(amount, rate) == exact
    assert roofline.per_token(amount * rate, rate) == amount
    assert type(roofline.per_token(amount * rate, rate)) is int


@given(flops_=st.integers(1, 10**15), peak=st.integers(1, 10**15), bandwidth=st.integers(1, 10**13))
def test_compute_and_memory_meet_at_the_ridge(flops_, peak, bandwidth):
    seconds = roofline.compute_time(flops_, peak)
    ridge = roofline.ridge_intensity(flops_, seconds, bandwidth)
    moved_at_ridge = flops_ / ridge
    assert math.isclose(moved_at_ridge / bandwidth, seconds, rel_tol=1e-12)
