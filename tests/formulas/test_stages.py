"""Layers of pipeline stages against dealing them out, and counting them, one at a time."""

from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import stages

counts = st.integers(0, 40)
sizes = st.integers(1, 40)


def dealt(units, stages):
    """Deal units out to stages one at a time: how many each stage has."""
    found = [0] * stages
    for unit in range(units):
        found[unit % stages] += 1
    return found


@given(
    layers=sizes, number=st.integers(1, 12), leading=st.integers(0, 1), trailing=st.integers(0, 3)
)
def test_stages_start_where_dealing_out_layers_puts_them(layers, number, leading, trailing):
    """What stands before and after the layers takes places as layers do."""
    units = ["embedding"] * leading + [*range(layers)] + ["head"] * trailing
    starts, taken = [], 0
    for size in [*dealt(len(units), number), 0]:
        starts.append(sum(type(unit) is int for unit in units[:taken]))
        taken += size
    least = stages.least_layers(layers, number, leading, trailing)
    longer = stages.longer_stages(layers, number, leading, trailing, least)
    found = [
        stages.balanced_start(stages.stage_start(stage, least, longer), layers, leading)
        for stage in range(number + 1)
    ]
    assert found == starts
    assert found[0] == 0
    assert found[-1] == layers


@given(first=counts, held=counts, start=counts, length=counts)
def test_layers_of_one_kind_are_those_in_both_runs(first, held, start, length):
    stage, kind = range(first, first + held), range(start, start + length)
    found = stages.layers_in_stage(first, first + held, start, start + length)
    assert found == len(set(stage) & set(kind))


@given(first=counts, held=counts, start=counts, length=counts, step=st.integers(1, 9))
def test_every_few_layers_are_those_in_run_and_slice(first, held, start, length, step):
    stage = range(first, first + held)
    kind = range(start, start + length, step)
    found = stages.strided_layers_in_stage(first, first + held, start, start + length, step)
    assert found == len(set(stage) & set(kind))


@given(stage=counts, place=counts)
def test_a_stage_has_what_stands_on_it(stage, place):
    assert stages.stage_has(stage, place) == (stage == place)


@given(amount=counts)
def test_any_is_whether_there_is_one(amount):
    assert stages.any_of(amount) == (amount > 0)
