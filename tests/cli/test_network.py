from fractions import Fraction
from itertools import product

import pytest

from dsv3calc.accounting.collisions import fullest_path
from dsv3calc.exit_status import ExitStatus


def columns(found):
    return {column["id"]: column["values"] for column in found.data["columns"]}


def test_the_topologies_of_the_paper(program):
    found = columns(program.json("network", "mpft", "ft3", "slim-fly", "dragonfly", "--radix", 64))
    assert list(found) == ["mpft", "ft3", "slim-fly", "dragonfly"]
    assert found["mpft"]["network.endpoints"] == 16_384
    assert found["slim-fly"]["network.links"] == 36_163
    for values in found.values():
        assert {
            *("network.endpoints", "network.switches", "network.links", "network.diameter"),
            *("network.bisection_links", "network.cost", "network.cost_per_endpoint"),
        } <= values.keys()


def test_the_answer_follows_the_schema(program, schema):
    for arguments in (["--variant", "both"], ["--endpoints", "16384"], ["--q", "27"]):
        found = program.json("network", *arguments)
        schema("answer").validate(found.data)


def test_the_smallest_radix(program):
    found = columns(program.json("network", "--endpoints", "16384"))
    assert {name: values["network.radix"] for name, values in found.items()} == {
        "ft2": 182,
        "mpft": 64,
        "ft3": 42,
        "slim-fly": 52,
        "dragonfly": 31,
    }


def test_the_query_can_be_asked_again(program):
    first = program.json(
        *("network", "mpft", "slim-fly", "dragonfly", "--planes", 4, "--q", 27, "--groups", 9),
        *("--switch-price", "$1k", "--link-price", "2.5 USD"),
    )
    echoed = dict(first.data["query"])
    assert echoed["switch_price"] == 1000
    assert echoed["link_price"] == 2.5
    topologies = echoed.pop("topologies")
    options = [
        word for name, value in echoed.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    again = program.json("network", *topologies, *options)
    assert again.data["query"] == first.data["query"]
    assert again.data["columns"] == first.data["columns"]


def test_a_table_for_people(program):
    shown = program.ok("network", "ft2", "slim-fly", "--radix", 64)
    assert "≤ 12,209" in shown.out
    assert "switches of 64 ports" in shown.out
    assert "≤ 1,024" not in shown.out
    assert "Calibration" in shown.out + shown.err
    smallest = program.ok("network", "ft2", "--endpoints", "16384", "--variant", "canonical")
    assert "the smallest switches for 16,384 endpoints" in smallest.out


@pytest.mark.parametrize("format_", ["csv", "markdown"])
def test_other_formats(program, format_):
    assert "4385.3125" in program.ok("network", "ft2", "--format", format_, "--exact").out.replace(
        ",", ""
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["slim-fly", "--q", "28"], "27 and 29"),
        (["torus"], "ft2"),
        (["ft2", "--radix", "63"], "--radix 64"),
        (["ft2", "--radix", "-2"], "--radix"),
        (["ft2", "--radix", "64 GB"], "--radix"),
        (["ft2", "--switch-price", "cheap"], "--switch-price"),
        (["ft2", "--link-price", "-1"], "--link-price"),
        (["ft2", "--variant", "all"], "both"),
        (["ft2", "--network", "infiniband-nd"], "infiniband-ndr"),
    ],
)
def test_wrong_options(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, "network", *arguments).err


@pytest.mark.parametrize(("flows", "paths"), [(1, 3), (5, 3), (6, 4), (8, 2), (4, 1)])
def test_the_fullest_path_is_that_of_every_case(flows, paths):
    """Brute force: every way in which the flows choose paths."""
    cases = [max(map(case.count, case)) for case in product(range(paths), repeat=flows)]
    counted = {load: Fraction(cases.count(load), len(cases)) for load in set(cases)}
    assert dict(fullest_path(flows, paths)) == pytest.approx(counted)


def test_what_flows_lose_is_told_beside_the_cost(program):
    built = ("network", "mpft", "ft3", "--radix", 64, "--endpoints", 2048, "--oversubscription", 3)
    given = ("--flows", 16, "--planes-down", 2, "--exchange-time", "1ms")
    mpft, ft3 = columns(program.json(*built, *given)).values()
    for found, planes in ((mpft, 8 / 6), (ft3, 1)):
        loads = dict(fullest_path(16, 16))
        assert sum(loads.values()) == pytest.approx(1)
        fullest = sum(load * chance for load, chance in loads.items())
        assert found["network.ecmp_time_factor"] == pytest.approx(fullest)
        mean = 1 - (15 / 16) ** 16
        assert 1 / fullest < found["network.ecmp_slowest_share"] < mean
        assert found["network.exchange_time"] == pytest.approx(3e-3 * planes * fullest)
    assert mpft["network.latency"] == pytest.approx(3.7e-6)
    assert ft3["network.latency"] == pytest.approx(4.6e-6)


def test_many_flows_have_no_slowest_one(program):
    found = program.json(
        "network", "ft2", "--radix", 64, "--endpoints", 2048, "--flows", 10**6, "--network", "roce"
    )
    assert "counted up to" in found.data["notes"][0]
    assert "network.ecmp_slowest_share" not in found.values
