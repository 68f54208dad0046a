"""Columns give each row the number that whole arrays give it, to the last bit."""

import numpy as np
import pytest
from drawn import examples
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.numbers import in_numpy, ops
from dsv3calc.numbers.in_columns import Table

ROWS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=60
)


def of(ops_, a, b, c):
    """Return a composition with every operation, of columns or of arrays."""
    shared = ops_.maximum(a * b, 7 - c) + ops_.minimum(b, 2) ** 2 / a
    steps = ops_.floor_div(shared, c) + ops_.ceil_div(b, a) - ops_.ratio(c, b)
    chosen = ops_.where(ops_.exceeds(a, b), steps, 3 * c) + ops_.lookup([4, 3, 2, 1, 0], a)
    return -(chosen + ops_.binomial(6, b)) + (1 - shared) * (2 / c)


@given(ROWS)
@examples(60)
def test_columns_compute_what_arrays_do(rows):
    arrays = np.array(rows, dtype=float).T
    table = Table(dict(zip("abc", arrays, strict=True)))
    with np.errstate(all="ignore"):
        expected = of(in_numpy, *arrays)
        found = table.values(of(ops, *map(table.column, "abc")))
    assert found.tolist() == np.broadcast_to(expected, (len(rows),)).tolist()


def test_a_column_is_kept_for_each_combination_alone():
    numbers = np.arange(1000)
    table = Table({"a": numbers % 4, "b": numbers % 5, "c": numbers})
    both = table.column("a") * table.column("b")
    assert len(both.values) == 20
    assert len((both + table.column("c")).values) == 1000
    assert table.values(both).tolist() == (numbers % 4 * (numbers % 5)).tolist()
    assert table.values(3).tolist() == [3] * 1000
    assert ops.elementwise(lambda a, b: a + b, table.column("a"), 2).values.tolist() == [2, 3, 4, 5]


def test_a_column_is_no_condition_and_equals_itself_alone():
    column = Table({"a": np.array([1, 1])}).column("a")
    assert (column == 1) is False
    with pytest.raises(TypeError, match="branched"):
        bool(column > 1)
