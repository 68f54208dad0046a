import pytest

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
