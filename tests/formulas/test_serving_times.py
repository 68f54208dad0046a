"""Serving: draws of accepted tokens, published day averages, sums taken another way."""

import pytest

from dsv3calc.formulas import answers, serving_times


@pytest.mark.parametrize(("acceptance", "drafts"), [(0.85, 1), (0.6, 3), (0.0, 2), (0.99, 7)])
def test_accepted_tokens_are_the_mean_over_where_the_first_refusal_falls(acceptance, drafts):
    stops = [acceptance**kept * (1 - acceptance) * (kept + 1) for kept in range(drafts)]
    mean = sum(stops) + acceptance**drafts * (drafts + 1)
    assert serving_times.accepted_tokens(acceptance, drafts) == pytest.approx(mean)


def test_half_batches():
    assert [serving_times.larger_half(batch) for batch in (2, 3, 128)] == [1, 2, 64]
    assert serving_times.two_batch_time(3.0, 5.0) == 10.0


def test_the_day_of_deepseek():
    """Day 6: 608 billion tokens in, of them 342 found, 168 out; a price of $0.30 a million."""
    assert serving_times.cached_prompt_tokens(608, 342 / 608) == 342
    assert serving_times.million_token_cost(2, 14800 / 8) == pytest.approx(0.3003, abs=1e-4)
    ratio = serving_times.prefill_gpus_per_decode_gpu(608, 342 / 608, 1000.0, 168, 500.0)
    assert ratio == pytest.approx((608 - 342) / 1000 / (168 / 500))


def test_interference_is_the_prefill_of_the_prompts_that_arrive():
    steps, batch = 250, 64
    prompts = batch / steps
    found = serving_times.prefill_interference(batch, 1000, 0.5, steps, 1e-4)
    assert found == pytest.approx(prompts * 500 * 1e-4)


def test_steps_of_a_growing_context_add_up():
    """Each step by itself, and the tokens before each token of a response."""
    every = [5 + 0.25 * tokens for tokens in range(40, 61)]
    found = answers.growing_steps_time(len(every), every[0], every[-1])
    assert found == pytest.approx(sum(every))
    before = [7 + token for token in range(9)]
    assert answers.average_context(7, 9) == pytest.approx(sum(before) / 9)
    assert answers.rollout_waves(3, 8, 4) == 6
