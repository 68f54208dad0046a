"""What a layout's collectives move: pipelines listed send by send, payloads by hand."""

import itertools
import math
from collections import Counter

import pytest

from dsv3calc.formulas import algorithms, collectives

PAYLOAD = 480


def looped_sends(pp, chunks):
    """Count the sends of each rank: chunk c of the model is on rank c mod pp."""
    sends = Counter()
    received = Counter()
    stages = [number % pp for number in range(pp * chunks)]
    return _sends(stages, sends, received)


def _sends(stages, sends, received):
    for here, there in itertools.pairwise(stages):
        if here != there:
            sends[here] += 1  # the activation
            received[there] += 1
            sends[there] += 1  # its gradient
            received[here] += 1
    assert sends.total() == received.total()
    return sends


@pytest.mark.parametrize("chunks", [1, 2, 3, 4])
@pytest.mark.parametrize("pp", [1, 2, 3, 4, 8])
def test_pipeline_sends_of_the_busiest_rank(pp, chunks):
    busiest = max(looped_sends(pp, chunks).values(), default=0)
    assert collectives.pipeline_sends(pp, chunks) == busiest
    if chunks == 2:  # down the ranks and back up
        v_shaped = _sends([*range(pp), *reversed(range(pp))], Counter(), Counter())
        assert 2 * collectives.pipeline_sends(pp, 1) == max(v_shaped.values(), default=0)


@pytest.mark.parametrize(
    ("pp", "members"), [(4, 1), (4, 2), (8, 4), (8, 8), (2, 2), (2, 1), (6, 2)]
)
def test_share_of_sends_that_leave_a_node_at_its_edge(pp, members):
    sends, crossing = Counter(), Counter()
    for here in range(pp - 1):
        for source, target in ((here, here + 1), (here + 1, here)):
            sends[source] += 1
            crossing[source] += source // members != target // members
    share = collectives.pipeline_crossing_share(members, pp // members)
    busiest = max(crossing.values())
    assert share * collectives.pipeline_sends(pp, 1) == busiest


def test_groups_of_one_send_nothing():
    assert algorithms.exchange_bytes(2, 1, 1, PAYLOAD) == 0
    assert algorithms.ring_scale_up_bytes(2, 1, 1, PAYLOAD) == 0
    assert algorithms.ring_scale_out_bytes(2, 1, 1, PAYLOAD) == 0
    assert algorithms.switched_bytes(1, 1, PAYLOAD) == 0
    assert collectives.pipeline_sends(1, 3) == 0


def test_tokens_and_elements_by_hand():
    assert collectives.activation_payload(2, 4096, 7168, 16, 8) == 2 * 4096 * 7168 * 2 // 8
    assert collectives.shard_payload(1000, 32, 8) == 500
    assert collectives.held_heads(8, 16, 1) == 1
    assert collectives.held_heads(8, 2, 16) == 16
    assert collectives.expert_replicas(2, 2, 16, 8, 2) == 4
    assert math.prod([collectives.sole_stage(pp) for pp in (1, 1)]) == 1
    assert collectives.sole_stage(2) == 0
