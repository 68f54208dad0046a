"""Fat trees as built, against full trees, cabled graphs, published clusters and drawn flows."""

# SPDX-License-Identifier: Apache-2.0
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dsv3calc
from dsv3calc.accounting.network import built_tree_lines, fat_tree_lines
from dsv3calc.errors import Infeasible, UsageError
from dsv3calc.formulas.fabric import ecmp_mean_share


def network(*topologies, **given_):
    return dsv3calc.network(topologies=topologies, **given_).columns[0].ledger.named()


def test_the_cluster_of_2048_gpus():
    """2,048 endpoints in eight planes of 64-port switches: 8 leaves and 4 spines in each."""
    found = network("mpft", radix=64, endpoints=2048, planes=8)
    assert found["network.switches"].value == 96
    assert found["network.links"].value == 2048
    assert found["network.cost"].value == 96 * 81_500 + 2048 * 565


def test_nics_with_a_port_in_every_plane():
    found = network("mpft", radix=256, planes=4, every_plane=True)
    assert found["network.endpoints"].value == 256**2 // 2
    assert found["network.switches"].value == 4 * (256 + 128)


@given(half=st.integers(1, 12), tiers=st.sampled_from([2, 3]), planes=st.integers(1, 4))
def test_a_full_tree_as_built_is_the_full_tree(half, tiers, planes):
    full = fat_tree_lines(2 * half, tiers, planes)
    built = built_tree_lines(full.endpoints.value, 2 * half, tiers, planes)
    assert built.switches.value == full.switches.value
    assert built.links.value == full.links.value
    assert built.reach.value == full.endpoints.value


@settings(deadline=None)
@given(
    half=st.integers(1, 10),
    endpoints=st.integers(1, 150),
    ratio=st.sampled_from([(1, 1), (2, 1), (3, 1), (3, 2)]),
)
def test_two_tiers_can_be_cabled_so(half, endpoints, ratio):
    """Plug endpoints and uplinks one by one: every port is used once, no switch is missing."""
    radix = 2 * half + 4
    lines = built_tree_lines(endpoints, radix, 2, oversubscription=ratio)
    down, up = lines.leaf_ports.value, lines.leaf_uplinks.value
    if endpoints > lines.reach.value:
        return
    leaves = Counter(number // down for number in range(endpoints))
    assert max(leaves.values()) <= down
    assert down * ratio[1] <= up * ratio[0]
    cables = len(leaves) * up if len(leaves) > 1 else 0
    spines = lines.switches.value - len(leaves)
    ports = Counter(cable % spines for cable in range(cables))
    assert len(ports) == spines
    assert max(ports.values(), default=0) <= radix
    assert lines.links.value == cables
    assert cables > (spines - 1) * radix or not spines  # one spine fewer has too few ports


def test_hashed_flows_against_drawn_ones():
    draw = random.Random(7)  # noqa: S311 - a simulation
    for flows, paths in ((8, 8), (16, 4), (3, 32)):
        used = [len({draw.randrange(paths) for _ in range(flows)}) for _ in range(20_000)]
        assert ecmp_mean_share(flows, paths) == pytest.approx(
            sum(used) / len(used) / flows, rel=0.01
        )
    assert ecmp_mean_share(1, 8) == pytest.approx(1)


def test_planes_that_are_down():
    assert network("mpft", planes=8, planes_down=2)["network.lost_plane_factor"].value == 8 / 6


@pytest.mark.parametrize(
    ("topologies", "fields", "error", "words"),
    [
        (("ft2",), {"radix": 64, "endpoints": 2049}, Infeasible, "--radix 66"),
        (("slim-fly",), {"radix": 64, "endpoints": 100}, UsageError, "slim-fly"),
        (("ft2",), {"flows": 8}, UsageError, "--radix"),
        (("ft2",), {"radix": 64, "oversubscription": 0.5}, UsageError, "from 1 to"),
        (("ft2",), {"radix": 64, "every_plane": True}, UsageError, "mpft"),
        (("mpft",), {"planes": 8, "planes_down": 8}, UsageError, "from 1 to 7"),
        (("ft2",), {"radix": 64, "endpoints": 0}, UsageError, "--endpoints"),
    ],
)
def test_what_cannot_be_built_is_refused(topologies, fields, error, words):
    with pytest.raises(error) as caught:
        network(*topologies, **fields)
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_unnamed_trees_that_are_too_small_are_left_out():
    answer = dsv3calc.answer("network --radix 64 --endpoints 4096")
    assert [column.id for column in answer.columns] == ["mpft", "ft3"]
    assert any("ft2" in note for note in answer.notes)
