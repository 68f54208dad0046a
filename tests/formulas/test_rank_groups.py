"""Which members of a group share a node, against lists of GPUs."""

from itertools import product

import pytest

from dsv3calc.formulas import rank_groups


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_ranks_per_node_against_a_list_of_gpus(size):
    for gpus, stride in product((1, 2, 4, 8, 16), (1, 2, 4, 8)):
        nodes = [rank * stride // size for rank in range(gpus)]
        most = max(nodes.count(node) for node in nodes)
        assert rank_groups.members_per_node(gpus, stride, size) == most


def test_mirrored_pairs_by_listing_them():
    for pp in (2, 4, 6, 8, 16):
        for members in [n for n in range(1, pp + 1) if pp % n == 0]:
            together = {rank // members == (pp - 1 - rank) // members for rank in range(pp)}
            expected = 2 if together == {True} else 1
            assert rank_groups.mirrored_members(pp, members) == expected
