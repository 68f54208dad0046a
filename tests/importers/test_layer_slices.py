"""Slices hold exactly the layers they were made of, and few of them where layers repeat."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.importers.layer_slices import compact_slices, group_layers
from dsv3calc.schema.layers import layer_groups, layer_problems


def members(slices, depth):
    return [layer for layer, group in enumerate(layer_groups(depth, [slices])) if group == 0]


@st.composite
def layer_sets(draw):
    depth = draw(st.integers(1, 130))
    layers = draw(st.sets(st.integers(0, depth - 1), min_size=1))
    return sorted(layers), depth


@given(layer_sets())
def test_slices_hold_exactly_the_layers(case):
    layers, depth = case
    assert members(compact_slices(layers, depth), depth) == layers


@given(st.integers(0, 50), st.integers(1, 12), st.integers(1, 20), st.integers(0, 30))
def test_evenly_spaced_layers_are_one_slice(start, step, count, more):
    layers = list(range(start, start + step * count, step))
    depth = layers[-1] + 1 + more
    found = compact_slices(layers, depth)
    assert isinstance(found, str)
    assert members(found, depth) == layers


@pytest.mark.parametrize(
    ("layers", "depth", "slices"),
    [
        (range(61), 61, ":"),
        (range(3), 61, "0:3"),
        (range(3, 61), 61, "3:"),
        (range(5, 62, 6), 62, "5::6"),
        (range(0, 10, 2), 20, "0:9:2"),
        ([4], 9, "4:5"),
        ([8], 9, "8:"),
        ([0, 1, 5, 6, 7], 9, ["0:2", "5:8"]),
        ([layer for layer in range(20) if layer % 4 < 2], 20, ["0::4", "1::4"]),
    ],
)
def test_as_people_write_them(layers, depth, slices):
    assert compact_slices(list(layers), depth) == slices


KINDS = [{"type": "gqa", "head_dim": size} for size in (16, 32, 64)]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=80))
def test_groups_give_each_layer_its_kind(kinds):
    attention = [KINDS[kind] for kind in kinds]
    feed_forward = [{"type": "dense"}] * len(kinds)
    groups = group_layers({"attention": attention, "feed_forward": feed_forward}, 2)
    slices = [group.get("layers", ":") for group in groups]
    assert list(layer_problems(len(kinds), slices)) == []
    owners = layer_groups(len(kinds), slices)
    assert [groups[owner]["attention"] for owner in owners] == attention
    assert owners[0] == 0
    assert len(groups) == len(set(kinds))


def test_five_sliding_layers_to_a_full_one():
    kinds = list(islice(cycle([KINDS[0]] * 5 + [KINDS[1]]), 62))
    groups = group_layers({"attention": kinds}, 4)
    assert [group["layers"] for group in groups] == ["rest", "5::6"]
    assert all(group["block_norms"] == 4 for group in groups)


def test_equal_kinds_are_one_group_whether_or_not_they_are_one_object():
    groups = group_layers({"attention": [dict(KINDS[0]) for _ in range(4)]}, 2)
    assert len(groups) == 1
    assert "layers" not in groups[0]


def test_a_part_that_a_layer_lacks_is_left_out_of_its_group():
    parts = {"attention": [KINDS[0], None, None], "feed_forward": [None, KINDS[1], KINDS[1]]}
    groups = group_layers(parts, [1, 1, 0])
    assert groups == [
        {"layers": "0:1", "attention": KINDS[0], "block_norms": 1},
        {"layers": "1:2", "feed_forward": KINDS[1], "block_norms": 1},
        {"layers": "2:", "feed_forward": KINDS[1], "block_norms": 0},
    ]
