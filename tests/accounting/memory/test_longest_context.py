"""The longest context is the last whose cache the pool holds, whatever the cache's shape."""

from hypothesis import example, given
from hypothesis import strategies as st

from dsv3calc.accounting.memory.serving_ranks import _last_within


def cache_of(window, page, growing, bounded):
    """Return the bytes of a cache by tokens: growing layers in pages, others up to a window."""
    return lambda tokens: -(-tokens // page) * page * growing + min(tokens, window) * bounded


@given(
    window=st.integers(0, 5000), page=st.sampled_from([1, 7, 64, 1024]),
    growing=st.integers(1, 10**6), bounded=st.integers(0, 10**7), pool=st.integers(0, 10**12),
)  # fmt: skip
@example(window=0, page=1, growing=1, bounded=0, pool=0)
def test_one_token_more_does_not_fit(window, page, growing, bounded, pool):
    asked = []

    def rising(tokens):
        asked.append(tokens)
        return cache_of(window, page, growing, bounded)(tokens)

    found = _last_within(rising, pool, 2**50)
    held = cache_of(window, page, growing, bounded)
    assert found == 0 or held(found) <= pool
    assert held(found + 1) > pool
    assert len(asked) <= 45
