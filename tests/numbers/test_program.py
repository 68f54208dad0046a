"""Recorded arithmetic run on rows, against the same arithmetic on the rows themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.numbers import compiled, ops, program, rows
from dsv3calc.numbers.in_columns import Table
from dsv3calc.numbers.program import Program
from dsv3calc.numbers.recorded import NotRecordedError, Record

TWO = (
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (b + 1),
    ops.maximum,
    ops.minimum,
    lambda a, b: ops.floor_div(a, b + 1),
    lambda a, b: ops.ceil_div(a, b + 1),
    lambda a, b: ops.where(ops.exceeds(a, b), a, b + 2),
    lambda a, b: ops.where(a <= b, 3, a),
    lambda a, b: -a + 2 * b,
    lambda a, b: ops.lookup([5, 7, 9], ops.minimum(a, 2)) + b,
    lambda a, b: ops.binomial(ops.minimum(a, 9), ops.minimum(b, 9)),
)


STEPS = st.lists(
    st.tuples(st.integers(0, len(TWO) - 1), st.integers(0), st.integers(0)),
    min_size=3,
    max_size=25,
)


def computed(values, steps):
    """Return some results of steps: each a function of two values that are there."""
    found = [*values]
    for function, one, other in steps:
        a, b = found[one % len(found)], found[other % len(found)]
        found.append(ops.minimum(ops.maximum(TWO[function](a, b), 0), 1000))
    return found[-3:]


@given(
    steps=STEPS,
    few=st.integers(0, 60),
    block=st.integers(1, 70),
)
def test_a_program_gives_what_its_operations_give(steps, few, block):
    random = np.random.default_rng(few)
    axes = {name: random.integers(0, 5, 60).astype(float) for name in "abc"}
    record = Record()
    wanted = computed([record.input(name) for name in axes], steps)
    expected = computed([*axes.values()], steps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "BLOCK", block)
        patch.setattr(program, "_FEW_ROWS", few)
        patch.setattr(program, "_SHARE", 2)
        patch.setattr(program, "_MANY", few // 4)
        found = Program(record, wanted).run(Table(axes))
    for one, other in zip(found, expected, strict=True):
        assert (one == other).all()


@given(steps=STEPS, count=st.integers(1, 40))
def test_compiled_code_gives_what_numpy_gives(steps, count):
    if not compiled.is_there():
        pytest.skip("llvmlite is not installed")
    random = np.random.default_rng(count)
    axes = {name: random.integers(0, 5, count).astype(float) for name in "abc"}
    record = Record()
    wanted = computed([record.input(name) for name in axes], steps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_LEAST_ROWS", 0)
        patch.setattr(compiled, "BLOCK", 16)
        found = Program(record, wanted).run(Table(axes), compiled=True)
    for one, other in zip(found, Program(record, wanted).run(Table(axes)), strict=True):
        assert (one == other).all()


def test_equal_operations_are_recorded_once_and_a_branch_is_refused():
    record = Record()
    a, b = record.input("a"), record.input("b")
    assert a + b is b + a
    assert a * 1 is a
    assert (a + b) * 2 is 2 * (b + a)
    with pytest.raises(NotRecordedError, match="branched on"):
        max(a, b)
    assert a * 0 == 0 / a == ops.ratio(0, a) == ops.floor_div(0, a) == ops.ceil_div(0, a) == 0
    assert ops.is_nothing(a * 0)
    assert not ops.is_nothing(a + b)
    with pytest.raises(NotRecordedError, match="largest"):
        a.max()
