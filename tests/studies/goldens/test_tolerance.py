"""What a golden row expects: tolerances, rounding as papers round, bounds in words."""

import math

import msgspec
import pytest

from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.schema.golden import Golden, Tolerance
from dsv3calc.studies.goldens.tolerance import difference, judge, rounded
from dsv3calc.studies.goldens.verdict import load_goldens


def kept(expect, value, *, tolerance=None, unit="B"):
    row = {"query": "kv x", "quantity": "q", "expect": expect, "tolerance": tolerance}
    return judge(msgspec.convert(row, Golden), value, unit).kept


@pytest.mark.parametrize(
    ("expect", "value", "tolerance", "found"),
    [
        (70_272, 70_272, None, True),
        (70_272, 70_273, None, False),
        (70_272, 70_272, "exact", True),
        # beyond 2^53 floats would call these equal
        (2**53 + 1, 2**53, None, False),
        (2**53, 2**53 + 1, "exact", False),
        # a number written as 1e6 is a float, an exact integer all the same
        (1e6, 1_000_000, None, True),
        (1e6, 1_000_001, None, False),
        (1e6, 1_000_000, "exact", True),
        # floats differ in their last bits between platforms
        (0.1 + 0.2, 0.3, None, True),
        (0.1 + 0.2, 0.3, "exact", False),
        (0.3, 0.3000001, None, False),
        # zero and negative values: the share is of the magnitude
        (0, 0, None, True),
        (0, 1, {"rel": 0.5}, False),
        (0, 1, {"abs": 1}, True),
        (0.0, 0, None, True),
        (-100, -104, {"rel": 0.05}, True),
        (-100, -106, {"rel": 0.05}, False),
        (-100, 100, {"rel": 0.05}, False),
        # the edge belongs to the tolerance
        (100, 110, {"rel": 0.1}, True),
        (100, 111, {"rel": 0.1}, False),
        (100, 103, {"abs": 3}, True),
        (100, 103.5, {"abs": 3}, False),
        (100, 100, {"abs": 0}, True),
    ],
)
def test_values(expect, value, tolerance, found):
    assert kept(expect, value, tolerance=tolerance) is found


@pytest.mark.parametrize(
    ("expect", "value", "digits", "found"),
    [
        (155_000_000_000, 155_014_000_000, 3, True),
        (250_000_000_000, 249_811_304_448, 3, True),
        (250_000_000_000, 249_811_304_448, 4, False),
        (67, 67.76, 2, False),  # what was cut off is not rounded
        (4.66, 4.6630, 3, True),
        (7.28, 7.3443, 3, False),
        (0, 0, 3, True),
        (-155, -154.6, 3, True),
        (0.00012, 0.000123, 2, True),
    ],
)
def test_rounded_values(expect, value, digits, found):
    assert kept(expect, value, tolerance={"rounds-to": digits}) is found


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (25, 1, "3E+1"),  # half away from zero; Python's round would say 20
        (35, 1, "4E+1"),
        (-25, 1, "-3E+1"),
        (0.125, 2, "0.13"),
        (2.675, 3, "2.68"),  # as it is written, not as the binary number below it
        (999.6, 3, "1000"),
        (9.995, 3, "10.00"),
        (10**40 + 5, 2, "1.0E+40"),
        (0.0, 3, "0.0"),
    ],
)
def test_halves_are_rounded_away_from_zero(value, digits, text):
    assert str(rounded(value, digits)) == text


def test_rounding_up_to_the_next_power_is_the_same_number():
    assert rounded(999.6, 3) == rounded(1000, 3) == 1000


@pytest.mark.parametrize(
    ("bound", "value", "unit", "found"),
    [
        ("<= 72KB", 72_000, "B/token", True),
        ("<=72KB", 72_001, "B/token", False),
        ("< 72KB", 72_000, "B/token", False),
        ("<= 72KiB", 73_728, "B/token", True),
        ("> 0", 1, "B", True),
        (">= 1", 1, "tokens", True),
        ("between 60KB and 72 KB", 70_272, "B", True),
        ("between 60KB and 72KB", 60_000, "B", True),
        ("between 60KB and 72KB", 59_999, "B", False),
        ("<= 37B", 37 * 10**9, "elements", True),
        ("<= 3B", 3, "B", True),
        ("<= 250 GFLOP", 249 * 10**9, "FLOP/token", True),
        ("<= 20 ms", 0.02, "s", True),
        (">= 90%", 0.91, "ratio", True),
        (">= -3", -2, "tokens/s", True),
        ("  <= 72KB  ", 1, "B", True),
    ],
)
def test_bounds(bound, value, unit, found):
    assert kept(bound, value, unit=unit) is found


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ("70272", "neither a number nor a bound"),
        ("72KB", "neither a number nor a bound"),
        ("~ 72KB", "neither a number nor a bound"),
        ("== 72KB", "neither a number nor a bound"),
        ("<= ", "does not start with a number"),
        ("<= 72 GFLOP", "not a unit of bytes"),
        ("between 72KB and 60KB", "the lower bound is above the upper one"),
        ("between 72KB", "neither a number nor a bound"),
        ("<= nan", "nan"),
        ("<= inf", "inf"),
    ],
)
def test_what_is_no_bound_is_refused(bound, words):
    with pytest.raises(UsageError) as caught:
        kept(bound, 1)
    assert words in caught.value.message
    assert caught.value.hint or "lower bound" in words


@pytest.mark.parametrize(
    ("expected", "value", "start"),
    [
        (70_272, 70_273, "+1 ("),
        (70_272, 60_272, "-10,000 ("),
        (0, 3, "+3"),
        (2.0, 1.5, "-0.5 (-25"),
        (-4, -5, "-1 ("),
    ],
)
def test_differences(expected, value, start):
    assert difference(expected, value).startswith(start)


@pytest.mark.parametrize("share", [math.inf, math.nan])
def test_no_expectation_is_infinite(share):
    row = msgspec.convert({"query": "kv x", "quantity": "q", "expect": 1.0}, Golden)
    row = msgspec.structs.replace(row, expect=share)
    assert [what for _, what, _ in row.problems()] == ["the expected value is not finite"]


@pytest.mark.parametrize(
    ("value", "expect", "tolerance", "kept"),
    [
        # half away from zero, and of the decimal that is written: 0.5625 prints as 0.563
        (0.5625, 0.563, {"rounds_to": 3}, True),
        (0.5625, 0.562, {"rounds_to": 3}, False),
        (0.56249, 0.562, {"rounds_to": 3}, True),
        (-0.5625, -0.563, {"rounds_to": 3}, True),
        (999.5, 1000, {"rounds_to": 3}, True),
        # what is cut off is the value; the expectation is the print
        (327_680, 327_000, {"truncates_to": 3}, True),
        (327_680, 328_000, {"truncates_to": 3}, False),
        (67.76, 67, {"truncates_to": 2}, True),
        (66.99, 67, {"truncates_to": 2}, False),
        (68.0, 67, {"truncates_to": 2}, False),
        (-67.76, -67, {"truncates_to": 2}, True),
        # digits in a unit of their own
        (9_361_686_528, 9_363_028_705, {"rounds_to": 3, "unit": "GiB"}, True),
        (9_361_686_528, 9_363_028_705, {"rounds_to": 4, "unit": "GiB"}, False),
        (9_361_686_528, 9_363_028_705, {"truncates_to": 3, "unit": "GiB"}, False),
        (9_361_686_528, 9_352_291_287, {"truncates_to": 3, "unit": "GiB"}, True),
        (10**40 + 1, 10**40, {"rounds_to": 17}, True),
    ],
)
def test_digits_as_papers_print_them(value, expect, tolerance, kept):
    golden = Golden(query="q", quantity="x", expect=expect, tolerance=Tolerance(**tolerance))
    assert judge(golden, value, "B").kept is kept
    turned = msgspec.structs.replace(golden, reproduces=False, why="it does not follow")
    verdict = judge(turned, value, "B")
    assert verdict.kept is not kept
    assert verdict.wanted.startswith("not ")


def test_a_unit_of_another_dimension():
    tolerance = Tolerance(rounds_to=3, unit="GiB")
    golden = Golden(query="q", quantity="x", expect=1, tolerance=tolerance)
    with pytest.raises(UsageError, match="tolerance: unit: 'GiB'"):
        judge(golden, 1, "s")


def test_a_bound_that_does_not_hold():
    golden = Golden(query="q", quantity="x", expect="> 640 GB/s", reproduces=False, why="line code")
    assert judge(golden, 630 * 10**9, "B/s").kept
    assert not judge(golden, 641 * 10**9, "B/s").kept


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tolerance": "{rounds-to: 3, truncates-to: 3}"}, "this has 2"),
        ({"tolerance": "{rel: 0.1, unit: GiB}"}, "a unit without digits"),
        ({"tolerance": "{unit: GiB}"}, "this has 0"),
        ({"reproduces": "false"}, "a figure that does not follow, and no reason"),
    ],
)
def test_what_a_row_may_not_say(tmp_path, fields, words):
    path = tmp_path / "numbers.yaml"
    extra = "".join(f", {name}: {value}" for name, value in fields.items())
    path.write_text(f"goldens: [{{query: kv deepseek-v3, quantity: x, expect: 1{extra}}}]")
    _, _, broken = load_goldens(str(path))
    assert words in str(broken[0])


def test_a_stated_figure_needs_a_reason_where_it_is_not_covered(tmp_path):
    path = tmp_path / "numbers.yaml"
    row = "{query: kv deepseek-v3, quantity: x, expect: 1}"
    stated = "{id: A-1, what: x, published: y, kind: not-covered, source: z}"
    path.write_text(f"goldens: [{row}]\nstated: [{stated}]")
    with pytest.raises(InvalidInput, match="nothing says what is missing"):
        load_goldens(str(path))


def test_rows_of_one_number_with_ids_stand_side_by_side(tmp_path):
    path = tmp_path / "numbers.yaml"
    rows = [f"{{id: A-{n}, query: kv deepseek-v3, quantity: x, expect: 1}}" for n in (1, 2, 2)]
    path.write_text(f"goldens: [{', '.join(rows)}]")
    _, _, broken = load_goldens(str(path))
    assert list(broken) == [2]
