"""Algorithms of collectives played step by step, each byte counted on its link.

The players move tensors of real numbers: what they send counts only if they end with the right sum.
"""

from collections import Counter
from fractions import Fraction

import pytest

from dsv3calc.formulas import algorithms, transfers

SHAPES = [(g, m) for g in (1, 2, 3, 4, 8) for m in (1, 2, 3, 4, 5, 8)]
every_shape = pytest.mark.parametrize(("members", "nodes"), SHAPES)
PAYLOAD = 480


class Fabric:
    """Counts what each GPU sends and receives on its two links."""

    def __init__(self, members):
        self.members = members
        self.sent = Counter()
        self.received = Counter()

    def send(self, source, target, size):
        link = "up" if source // self.members == target // self.members else "out"
        self.sent[link, source] += size
        self.received[link, target] += size

    def conserves(self):
        return all(
            sum(size for (link, _), size in self.sent.items() if link == each)
            == sum(size for (link, _), size in self.received.items() if link == each)
            for each in ("up", "out")
        )

    def busiest(self, link, ranks):
        return max(max(self.sent[link, rank], self.received[link, rank]) for rank in range(ranks))


def play_ring(fabric, ring, shares, size, *, gather):
    """Reduce-scatter, then all-gather, around a ring of ranks; ``shares[rank]`` is a list."""
    count = len(ring)
    for step in range(count - 1):
        moves = []
        for place, rank in enumerate(ring):
            share = (place - step) % count
            moves.append((rank, ring[(place + 1) % count], share, shares[rank][share]))
        for source, target, share, value in moves:
            shares[target][share] += value
            fabric.send(source, target, size)
    if not gather:
        return
    for step in range(count - 1):
        moves = []
        for place, rank in enumerate(ring):
            share = (place + 1 - step) % count
            moves.append((rank, ring[(place + 1) % count], share, shares[rank][share]))
        for source, target, share, value in moves:
            shares[target][share] = value
            fabric.send(source, target, size)


def rings(members, nodes):
    """Yield a ring for each member of a node: it leaves every node from that member."""
    for last in range(members):
        order = [(last + 1 + step) % members for step in range(members)]
        yield [node * members + place for node in range(nodes) for place in order]


@every_shape
@pytest.mark.parametrize("phases", [1, 2])
def test_rings_that_leave_a_node_by_each_of_its_gpus(members, nodes, phases):
    ranks = members * nodes
    fabric = Fabric(members)
    for ring in rings(members, nodes):
        shares = {rank: [rank * 100 + share for share in range(ranks)] for rank in range(ranks)}
        sums = [sum(shares[rank][share] for rank in range(ranks)) for share in range(ranks)]
        size = Fraction(PAYLOAD, members * ranks)
        play_ring(fabric, ring, shares, size, gather=phases == 2)
        for place, rank in enumerate(ring):
            own = (place + 1) % ranks
            assert shares[rank][own] == sums[own]
            assert phases == 1 or shares[rank] == sums
    assert fabric.conserves()
    arguments = phases, members, nodes, PAYLOAD
    for rank in range(ranks):
        assert fabric.sent["up", rank] == pytest.approx(algorithms.ring_scale_up_bytes(*arguments))
        out = algorithms.ring_scale_out_bytes(*arguments)
        assert fabric.sent["out", rank] == pytest.approx(out)
        whole = algorithms.exchange_bytes(phases, ranks, 1, PAYLOAD)
        both = fabric.sent["up", rank] + fabric.sent["out", rank]
        assert both == pytest.approx(whole)


@every_shape
def test_hierarchical_all_reduce(members, nodes):
    """Reduce-scatter in the node, all-reduce of each share between nodes, all-gather."""
    ranks = members * nodes
    fabric = Fabric(members)
    values = {rank: [rank * 100 + share for share in range(members)] for rank in range(ranks)}
    sums = [sum(values[rank][share] for rank in range(ranks)) for share in range(members)]
    for node in range(nodes):
        play_ring(
            fabric, range(node * members, (node + 1) * members), values,
            Fraction(PAYLOAD, members), gather=False,
        )  # fmt: skip
    for place in range(members):
        own = (place + 1) % members
        rail = [node * members + place for node in range(nodes)]
        parts = {rank: [Fraction(values[rank][own], nodes)] * nodes for rank in rail}
        play_ring(fabric, rail, parts, Fraction(PAYLOAD, members * nodes), gather=True)
        for rank in rail:
            assert sum(parts[rank]) == sums[own]
    for node in range(nodes):
        for source in range(members):
            for target in range(members):
                if source != target:
                    fabric.send(
                        node * members + source, node * members + target,
                        Fraction(PAYLOAD, members),
                    )  # fmt: skip
    assert fabric.conserves()
    for rank in range(ranks):
        up = algorithms.exchange_bytes(2, members, 1, PAYLOAD)
        out = algorithms.exchange_bytes(2, nodes, members, PAYLOAD)
        assert fabric.sent["up", rank] == pytest.approx(up)
        assert fabric.sent["out", rank] == pytest.approx(out)


@every_shape
def test_all_to_all_sends_straight_to_each_destination(members, nodes):
    ranks = members * nodes
    fabric = Fabric(members)
    for source in range(ranks):
        for target in range(ranks):
            if source != target:
                fabric.send(source, target, Fraction(PAYLOAD, ranks))
    assert fabric.conserves()
    up = algorithms.exchange_bytes(1, members, nodes, PAYLOAD)
    out = algorithms.exchange_bytes(1, nodes, 1, PAYLOAD)
    assert fabric.busiest("up", ranks) == pytest.approx(up)
    assert fabric.busiest("out", ranks) == pytest.approx(out)
    assert up + out == pytest.approx(algorithms.exchange_bytes(1, ranks, 1, PAYLOAD))


def parents(count):
    """Return the parent of each rank in a binary tree whose inner ranks are even ones.

    Rank 0 is the root with one child; below it an in-order tree over 1 .. count - 1.
    """
    found = {0: None}

    def hang(low, high, parent):
        if low > high:
            return
        size = 1 << (high - low + 1).bit_length() - 1  # the largest power of two that fits
        middle = low + size - 1
        found[middle] = parent
        hang(low, middle - 1, middle)
        hang(middle + 1, high, middle)

    hang(1, count - 1, 0)
    return found


def double_tree(count):
    """Return two trees: the second is the first, mirrored or shifted by one rank."""
    first = parents(count)
    place = (lambda rank: (rank + 1) % count) if count % 2 else (lambda rank: count - 1 - rank)
    second = {place(rank): None if up is None else place(up) for rank, up in first.items()}
    return first, second


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 17, 32, 64, 100])
def test_double_binary_tree_between_nodes(nodes):
    fabric = Fabric(1)
    half = Fraction(PAYLOAD, 2)
    for tree in double_tree(nodes):
        assert sorted(tree) == list(range(nodes))
        for rank, up in tree.items():
            if up is not None:
                fabric.send(rank, up, half)  # the sum on its way up
                fabric.send(up, rank, half)  # and back down
    assert fabric.conserves()
    bound = algorithms.tree_scale_out_bytes(1, nodes, PAYLOAD)
    busiest = fabric.busiest("out", nodes)
    assert busiest <= bound
    if nodes in (1, 2) or nodes >= 6:
        assert busiest == bound
    mean = Fraction(sum(fabric.sent.values()), nodes)
    assert mean == pytest.approx(algorithms.exchange_bytes(2, nodes, 1, PAYLOAD))
    assert algorithms.tree_scale_out_bytes(8, nodes, PAYLOAD) == bound // 8


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_a_switch_takes_every_share_once_and_gives_it_once(ranks):
    """Each GPU owns a share: the switch adds up the others' for it, and copies the sum to all."""
    sent, received = Counter(), Counter()
    share = Fraction(PAYLOAD, ranks)
    for owner in range(ranks if ranks > 1 else 0):
        for rank in range(ranks):
            if rank != owner:
                sent[rank] += share  # to be added in the switch
                received[rank] += share  # the sum, copied by the switch
        received[owner] += share  # the others' sum
        sent[owner] += share  # the whole sum
    expected = algorithms.switched_bytes(ranks, 1, PAYLOAD)
    assert all(sent[rank] == received[rank] == expected for rank in range(ranks))


@pytest.mark.parametrize(
    ("phases", "factor"), [(2, Fraction(14, 8)), (1, Fraction(7, 8))], ids=["all-reduce", "others"]
)
def test_bus_bandwidth_of_a_ring_is_that_of_its_link(phases, factor):
    """NCCL's tests: a ring of 8 on links of 100 B/s shows a bus bandwidth of 100 B/s."""
    moved = algorithms.exchange_bytes(phases, 8, 1, PAYLOAD)
    seconds = transfers.transfer_time(moved, 100, 1, 0, 0)
    algorithm = algorithms.algorithm_bandwidth(PAYLOAD, seconds)
    assert algorithms.bus_bandwidth(phases, 8, PAYLOAD, seconds) == pytest.approx(100)
    assert algorithm * factor == pytest.approx(100)


def test_published_bus_bandwidth():
    """A line of nccl-tests' README: 2 GPUs, all-reduce, where both bandwidths are the same."""
    assert algorithms.bus_bandwidth(2, 2, 134217728, 0.01) == pytest.approx(
        algorithms.algorithm_bandwidth(134217728, 0.01)
    )
