"""Closed forms of shards and buffers against counting one layer, or one element, at a time."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import memory

sizes = st.integers(1, 40)


@given(heads=st.integers(1, 16), factor=st.integers(1, 8), fewer_gpus=st.booleans())
def test_keys_are_divided_while_each_gpu_has_a_head_of_its_own(heads, factor, fewer_gpus):
    """Deal heads to GPUs, or GPUs to heads: parts are the different sets of heads."""
    kv, tp = (heads * factor, heads) if fewer_gpus else (heads, heads * factor)
    owned = {
        frozenset(head for head in range(kv) if head * tp // kv == gpu)
        or frozenset([gpu * kv // tp])
        for gpu in range(tp)
    }
    assert memory.key_value_shards(kv, tp) == len(owned)


@given(elements=sizes, divisor=sizes, bits=st.sampled_from([8, 16, 32]))
def test_shards_add_up_and_padded_shards_are_the_largest(elements, divisor, bits):
    share = memory.shard_bytes(elements, bits, Fraction(divisor))
    assert share * divisor == Fraction(elements * bits, 8)
    shards = [len(range(gpu, elements, divisor)) for gpu in range(divisor)]
    assert memory.padded_shard_bytes(elements, bits, divisor) == max(shards) * bits // 8


@given(vocabulary=st.integers(1, 5000), multiple=st.sampled_from([1, 64, 128]), tp=sizes)
def test_a_padded_vocabulary_is_the_next_that_divides(vocabulary, multiple, tp):
    padded = memory.padded_vocabulary(vocabulary, multiple, tp)
    assert padded == next(
        rows
        for rows in range(vocabulary, vocabulary + multiple * tp)
        if rows % (multiple * tp) == 0
    )


def test_padding_of_the_functional_test_of_megatron():
    """131,073 tokens are 131,584 rows over four GPUs: gpt3_7b_tp4_pp1_memory_speed."""
    assert memory.padded_vocabulary(131_073, 128, 4) == 131_584


@given(width=sizes, group=sizes, tokens=sizes, bits=st.sampled_from([8, 12, 16]))
def test_every_begun_group_of_an_activation_has_a_scale(width, group, tokens, bits):
    groups = len(range(0, width, group))
    found = memory.activation_bytes(tokens, width, bits, group, 32, Fraction(1))
    assert found == tokens * (Fraction(width * bits, 8) + 4 * groups)


@pytest.mark.parametrize(("tp", "cp", "etp", "ep"), [(1, 1, 1, 8), (2, 1, 1, 4), (2, 2, 2, 2)])
def test_rows_that_are_sent_are_received(tp, cp, etp, ep):
    """All GPUs of a stage send what they have; etp of them receive each row."""
    tokens, chosen, dp = 64, 2, 8
    received = memory.received_rows(tokens, chosen, tp, cp, etp, 1)
    assert (tp * cp * dp) % (ep * etp) == 0
    assert received * tp * cp * dp == tokens * dp * chosen * etp


def test_redundant_places_hold_shared_experts_too():
    assert memory.expert_slots(256, 0, 0) == 256
    assert memory.expert_slots(256, 32, 0) == 288  # arXiv:2412.19437, section 3.4.1
    assert memory.expert_slots(256, 64, 1) == 320  # and 3.4.2
    assert memory.expert_slots(256, 0, 1) == 257


def test_exactly_full_fits():
    assert [memory.fits(total, 100) for total in (99, 100, 101, math.inf)] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("experts", "tokens", "gib"),
    [(256, 128, 1.7773), (288, 128, 1.9995), (320, 128, 2.2217), (256, 256, 3.5547)],
)
def test_low_latency_buffers_are_those_of_deepep(experts, tokens, gib):
    """csrc/legacy/config.hpp at dd758caf, hidden size 7168: 2H and 4H / 128 bytes a copy."""
    copy = 2 * 7168 + 4 * 7168 // 128
    found = memory.low_latency_buffer(experts, tokens, copy)
    assert found / 2**30 == pytest.approx(gib, abs=1e-4)
