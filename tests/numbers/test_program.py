"""Recorded arithmetic run on rows, against the same arithmetic on the rows themselves."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.numbers import compiled, ops, program, rows
from dsv3calc.numbers.in_columns import Table
from dsv3calc.numbers.program import Program
from dsv3calc.numbers.recorded import NotRecordedError, Record
from dsv3calc.numbers.rows import Groups

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
    lambda a, b: a**2 + b**0.5 * (b + 1) ** 3,
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


@given(steps=STEPS, count=st.integers(1, 60), data=st.data())
@pytest.mark.parametrize("code", ["numpy", "few rows", "compiled"])
def test_results_are_the_largest_of_all_values_of_an_input(code, steps, count, data):
    if code == "compiled" and not compiled.is_there():
        pytest.skip("llvmlite is not installed")
    random = np.random.default_rng(count)
    axes = {name: random.integers(0, 5, count).astype(float) for name in "abc"}
    axes["a"].sort()
    starts = [0, *(np.nonzero(np.diff(axes["a"]))[0] + 1).tolist(), count]
    slices = [*pairwise(starts)]
    turns = st.lists(st.integers(0, 5), min_size=1, max_size=3)
    groups = Groups(slices, "turn", frozenset("a"), [data.draw(turns) for _ in slices])
    record = Record()
    wanted = computed([record.input(name) for name in (*axes, "turn")], steps)
    expected = [[] for _ in wanted]
    for (start, stop), values in zip(slices, groups.values, strict=True):
        part = [each[start:stop] for each in axes.values()]
        every = [computed([*part, np.full(stop - start, turn)], steps) for turn in values]
        for number, each in enumerate(zip(*every, strict=True)):
            expected[number] += np.max(each, axis=0).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_LEAST_ROWS", 0)
        patch.setattr(program, "_FEW_ROWS", 100 if code == "few rows" else 0)
        patch.setattr(program, "_SHARE", 2)
        patch.setattr(rows, "BLOCK", data.draw(st.integers(1, 70)))
        patch.setattr(program, "_MANY", 10)
        patch.setattr(program, "_MANY_COMPILED", 10)
        ran = Program(record, wanted).run(Table(axes), groups, compiled=code == "compiled")
    for one, other in zip(ran, expected, strict=True):
        assert one.tolist() == other


def test_equal_operations_are_recorded_once_and_a_branch_is_refused():
    record = Record()
    a, b = record.input("a"), record.input("b")
    assert a + b is b + a
    assert a * 1 is a
    assert (a + b) * 2 is 2 * (b + a)
    with pytest.raises(NotRecordedError, match="branched on"):
        max(a, b)
    assert (
        a * 0
        == 0 / a
        == ops.ratio(0, a)
        == ops.floor_div(0, a)
        == ops.ceil_div(0, a)
        == 0 // a
        == 0
    )
    assert ops.is_nothing(a * 0)
    assert not ops.is_nothing(a + b)
    with pytest.raises(NotRecordedError, match="largest"):
        a.max()
