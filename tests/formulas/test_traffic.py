"""Expert traffic's closed forms against enumeration and a simulation of the forwarding."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from dsv3calc.formulas import routing, traffic


def draw(seed, gpus, experts, tokens=20_000):
    """Distinct destination GPUs of tokens with a source GPU each, all alike."""
    rng = np.random.default_rng(seed)
    sources = rng.integers(0, gpus, tokens)
    hit = np.zeros((tokens, gpus), dtype=bool)
    for _ in range(experts):
        hit[np.arange(tokens), rng.integers(0, gpus, tokens)] = True
    return sources, hit


@pytest.mark.parametrize(("gpus", "per_node"), [(16, 8), (32, 8), (12, 4), (8, 8)])
def test_copies_by_link_against_a_simulation_of_the_forwarding(gpus, per_node):
    """Send each token as the paper says, message by message, and count."""
    sources, hit = draw(7, gpus, 4, 4000)
    up = out = near = far = 0
    for source, row in zip(sources, hit, strict=True):
        places = np.flatnonzero(row)
        home = source // per_node
        for node in {place // per_node for place in places}:
            inside = [place for place in places if place // per_node == node]
            landing = node * per_node + source % per_node
            out += node != home
            up += sum(place != landing for place in inside)
        far += sum(place // per_node != home for place in places)
        near += sum(place // per_node == home and place != source for place in places)
    copies = hit.sum(1).mean()
    tokens = len(sources)
    close = {"abs": 0.06}
    assert routing.remote_destinations(copies, per_node) == pytest.approx(up / tokens, **close)
    assert traffic.crossing_copies(copies, gpus, per_node) == pytest.approx(far / tokens, **close)
    assert traffic.neighbour_copies(copies, gpus, per_node) == pytest.approx(near / tokens, **close)
    nodes = hit.reshape(tokens, -1, per_node).any(2).sum(1).mean()
    count = gpus // per_node
    assert traffic.crossing_copies(nodes, count, 1) == pytest.approx(out / tokens, **close)


def test_links_share_the_copies_that_leave_their_gpu():
    for gpus, per_node in ((64, 8), (16, 4), (8, 8), (1, 1)):
        near = traffic.neighbour_copies(Fraction(5), gpus, per_node)
        far = traffic.crossing_copies(Fraction(5), gpus, per_node)
        assert near + far == traffic.crossing_copies(Fraction(5), gpus, 1)


def test_one_node_forwards_what_neighbours_send():
    copies = sympy.Symbol("c")
    for gpus in (1, 2, 8):
        assert routing.remote_destinations(copies, gpus) == traffic.neighbour_copies(
            copies, gpus, gpus
        )
        assert traffic.crossing_copies(copies, gpus, gpus) == 0


def test_a_shared_replica_anywhere():
    """Enumerate every place of the replica for a token with given places."""
    for places, taken in ((4, 3), (8, 1), (5, 5)):
        found = Fraction(sum(taken + (where >= taken) for where in range(places)), places)
        assert Fraction(traffic.copies_with_shared(Fraction(taken), places)) == found
