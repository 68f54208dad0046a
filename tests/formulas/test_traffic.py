"""Expert traffic's closed forms against enumeration; the identities of DeepEP and the paper."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy

from dsv3calc.formulas import algorithms, decoding, rank_groups, routing, traffic, transfers


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


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_ranks_per_node_against_a_list_of_gpus(size):
    for gpus, stride in product((1, 2, 4, 8, 16), (1, 2, 4, 8)):
        nodes = [rank * stride // size for rank in range(gpus)]
        most = max(nodes.count(node) for node in nodes)
        assert rank_groups.members_per_node(gpus, stride, size) == most


@pytest.mark.parametrize(
    ("bits", "group", "scale", "beside", "bytes_"),
    [
        (8, 128, 32, 16, 7408),
        (16, 1, 0, 0, 14336),
        (8, 128, 32, 0, 7392),
        (12, 128, 32, 0, 10976),
        (10, 128, 32, 0, 9184),
    ],
)
def test_bytes_of_a_copy(bits, group, scale, beside, bytes_):
    assert transfers.transfer_bytes(7168, bits, group, scale, beside) == bytes_


def test_identities_of_deepep():
    assert transfers.element_share(8, 128, 32, 16) == (1 + 4 / 128) / 2 == 0.515625
    for ranks, logical, physical in ((16, 43, 21.5), (32, 58, 43.5), (64, 51, 44.625)):
        assert logical * traffic.crossing_share(ranks, 8) == physical == logical * (1 - 8 / ranks)


def test_the_low_latency_table():
    """Bytes over latency: 128 tokens to 8 experts, ten slots masked (dispatch at EP128)."""
    moved = (128 * 8 - 10) * transfers.transfer_bytes(7168, 8, 128, 32, 16)
    assert int(moved / 192e-6 / 1e9) == 39


LOW_LATENCY = [  # ranks, then us and GB/s of dispatch, us and GB/s of combine
    # README.md of 2025-02-25
    (8, 163, 46, 318, 46), (16, 173, 43, 329, 44), (32, 182, 41, 350, 41),
    (64, 186, 40, 353, 41), (128, 192, 39, 369, 39), (256, 194, 39, 360, 40),
    # since 2025-06-05; today's docs/legacy.md
    (8, 77, 98, 114, 127), (16, 118, 63, 195, 74), (32, 155, 48, 273, 53),
    (64, 173, 43, 314, 46), (128, 192, 39, 369, 39), (256, 194, 39, 360, 40),
]  # fmt: skip


@pytest.mark.parametrize("row", LOW_LATENCY)
def test_each_cell_of_the_low_latency_tables(row):
    """Bandwidth is bytes over latency: rounded as printed, or cut off in four cells of 24."""
    _, *cells = row
    copies = 128 * 8 - 10  # ten slots of the test are masked
    each = (
        transfers.transfer_bytes(7168, 8, 128, 32, 16),
        transfers.transfer_bytes(7168, 16, 1, 0, 0),
    )
    for size, micros, printed in zip(each, cells[::2], cells[1::2], strict=True):
        found = copies * size / micros / 1e3
        cut_off = (micros, printed) in ((350, 41), (118, 63), (114, 127), (195, 74))
        assert (int(found) if cut_off else round(found)) == printed
        assert abs(found - printed) < 0.67


def test_the_limit_of_the_paper():
    assert decoding.hidden_in_thousands(7168) == 7000
    exchange = transfers.transfer_time(3 * 32 * 9 * 7000, 50 * 10**9, 1, 2, 0)
    assert exchange == 0.00012096
    assert decoding.two_micro_batch_time(exchange) == 0.00024192
    assert 1 / decoding.time_per_output_token(61, 0.00024192) == pytest.approx(67.76, abs=0.005)


def test_mtp_gain():
    assert decoding.mtp_gain(0.8, 0) == 1.8
    assert decoding.mtp_gain(0.85, 1 / 61) == pytest.approx(1.820, abs=5e-4)
    assert decoding.mtp_gain(0.9, 0.056) == pytest.approx(1.80, abs=5e-3)


def test_hidden_and_exposed_make_up_the_whole():
    for whole, beside in ((4, 1), (4, 4), (3, 8), (5, 0)):
        hidden = transfers.hidden_share(whole, beside) * whole
        assert hidden + transfers.exposed_time(whole, beside) == whole


def test_a_group_of_one_waits_for_nothing():
    assert transfers.transfer_time(0, 10**9, 1, algorithms.switched_messages(1, 1), 5) == 0
