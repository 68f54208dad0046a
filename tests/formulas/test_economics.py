"""Time, money and utilisation, added up step by step."""

import math

from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.formulas import deployment, economics, serving_costs, utilisation

some = st.integers(1, 10**6)


@given(tokens=some, flops=some, seconds=some, gpus=st.integers(1, 4096), peak=some)
def test_a_step_s_rate(tokens, flops, seconds, gpus, peak):
    each = tokens * flops / seconds / gpus
    assert math.isclose(utilisation.training_rate(flops, tokens, seconds, gpus), each)
    share = utilisation.model_flops_utilisation(flops, tokens, seconds, gpus, peak)
    assert math.isclose(share, each / peak)
    assert math.isclose(share, utilisation.share_of_peak(each, peak))
    steps = 24 * 60 * 60 / seconds
    assert math.isclose(utilisation.tokens_per_day(tokens, seconds), steps * tokens)


@given(tokens=some, flops=some, rate=some, gpus=st.integers(1, 4096))
def test_gpu_time_and_what_the_clock_says(tokens, flops, rate, gpus):
    gpu_time = economics.training_gpu_time(tokens, flops, rate)
    elapsed = economics.elapsed_time(gpu_time, gpus)
    assert math.isclose(elapsed * gpus * rate, tokens * flops)
    assert math.isclose(economics.gpu_cost(gpu_time, 2), gpu_time / 3600 * 2)
    assert math.isclose(economics.scaled_gpu_time(gpu_time, tokens, 7), gpu_time * 7 / tokens)
    day = economics.time_at_daily_tokens(tokens, 1000)
    assert math.isclose(day / 86400 * 1000, tokens)


def test_a_day_of_serving_hour_by_hour():
    nodes = [278] * 12 + [144] * 12
    cost = sum(8 * 2 * each for each in nodes)
    assert serving_costs.fleet_daily_cost(sum(nodes) / 24, 8, 2) == cost
    sold = serving_costs.token_revenue(3 * 10**6, 5 * 10**6, 7 * 10**6, 0.1, 0.5, 2)
    assert math.isclose(sold, 3 * 0.1 + 5 * 0.5 + 7 * 2)
    assert serving_costs.profit_margin(300, 100) == 2
    assert serving_costs.cache_hit_share(3, 12) == 0.25
    assert math.isclose(serving_costs.cost_per_million_tokens(cost, 10**9), cost / 1000)


@given(inputs=some, outputs=some, rate_in=some, rate_out=some)
def test_a_fleet_is_two_fleets(inputs, outputs, rate_in, rate_out):
    fleet = serving_costs.fleet_of_rates(inputs, rate_in, outputs, rate_out)
    prefill = serving_costs.fleet_of_rates(inputs, rate_in, 0, rate_out)
    decode = serving_costs.fleet_of_rates(0, rate_in, outputs, rate_out)
    assert math.isclose(fleet, prefill + decode)
    assert math.isclose(serving_costs.node_throughput(inputs, prefill), rate_in)
    assert math.isclose(serving_costs.node_throughput(outputs, decode), rate_out)


def test_units_of_deployment():
    assert deployment.unit_gpus(40, 8) == deployment.attention_gpus(4, 80) == 320
    placed = [expert % 144 for expert in range(256 + 32)]
    assert {placed.count(gpu) for gpu in range(144)} == {
        deployment.experts_per_gpu(256, 32, 0, 144)
    }
    assert deployment.pcie_bandwidth(16, 10**9, 8, 10) == 12.8e9
