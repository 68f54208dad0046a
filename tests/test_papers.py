"""The papers' figures as data: none forgotten, each as printed, each verdict held from outside.

The values below come from the papers and from arithmetic on what they print, not from this program.
"""

import math
import re
import shlex

import pytest

from dsv3calc.api import answer
from dsv3calc.studies.goldens.reproduce import answer_reproduce, paper_files
from dsv3calc.studies.goldens.verdict import load_goldens, query_text

FILES = paper_files()


def numbered(letter, last, *, without=(), parts=()):
    split = dict(parts)
    for number in range(1, last + 1):
        if number not in without:
            yield from (f"{letter}-{number}{each}" for each in split.get(number, ("",)))


IDS = [
    *numbered("I", 60, parts=[(36, "abcdefgh")]),
    *numbered("T", 42),
    *numbered("D", 14, without=(12,)),  # unit costs that the source does not print
    *numbered("E", 10, without=(7,), parts=[(5, "abcdef")]),  # a bound that it does not print
    *numbered("F", 10),
    *numbered("P", 2),
    *numbered("R", 4),
    *numbered("L", 2),
]
"""Figures of the papers, by a numbering of our own; one may have several cells."""

ROWS = {
    (name, row.id): row for name, path in FILES.items() for row in load_goldens(path)[1].goldens
}
STATED = {
    (name, each.id): each for name, path in FILES.items() for each in load_goldens(path)[1].stated
}
ANSWER = answer_reproduce((), only_failing=False, ask=answer)
OURS = {row["id"]: row for row in ANSWER.rows}


def test_every_file_is_sound():
    for path in FILES.values():
        assert not load_goldens(path)[2]


def test_no_figure_is_forgotten():
    known = {id_.partition(".")[0] for _, id_ in [*ROWS, *STATED]}
    assert not set(IDS) - known
    assert not {id_ for id_ in known if re.match(r"[ITDEFPRL]-\d", id_)} - set(IDS)


def test_ids_are_names():
    listed = [id_ for _, id_ in [*ROWS, *STATED]]
    twice = {id_ for id_ in listed if listed.count(id_) > 1}
    assert not twice
    assert all(re.fullmatch(r"[A-Z0-9a-z]+[-.][\w.-]+", id_) for id_ in listed)


def test_tables_are_whole():
    def count(start):
        return sum(id_.startswith(start) for _, id_ in ROWS)

    assert count("G-") == 38
    assert sum(id_.startswith("G-") and id_.endswith("-tflops") for _, id_ in STATED) == 38
    assert sum(count(f"I-{number}.") for number in range(43, 48)) == 5 * 3 + 2 * 3
    assert sum(count(f"I-36{letter}.") for letter in "abcdef") == 12 + 1
    assert sum(count(f"E-6.ep{ep}-") for ep in (8, 16, 32, 64)) == 16
    assert sum(count(f"E-6.ep{ep}-") for ep in (128, 256)) == 4


def test_every_row_is_told():
    for row in ROWS.values():
        assert row.id
        assert row.what
        assert row.published
        assert row.source
        assert row.unit
        assert row.kind
        assert row.reproduces or row.why


FACTORS = [1, 1000, 10**6, 10**9, 10**12, 1e-3, 1e-6, 0.01, 3600, 3_600_000, 3600 * 10**6, 86400,
           2**30, 2**40 / 60]  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.id)
def test_what_is_expected_is_what_is_printed(row):
    printed = re.search(r"[0-9][0-9,]*(?:\.[0-9]+)?", row.published)
    if printed is None or isinstance(row.expect, str) or row.converted:
        return
    number = float(printed[0].replace(",", ""))
    assert any(math.isclose(row.expect, number * factor, rel_tol=1e-9) for factor in FACTORS)


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.id)
def test_digits_that_count_are_those_that_are_printed(row):
    printed = re.search(r"[0-9][0-9,]*(?:\.[0-9]+)?", row.published)
    digits = getattr(row.tolerance, "rounds_to", None) or getattr(
        row.tolerance, "truncates_to", None
    )
    if printed is None or digits is None or row.converted:
        return
    text = printed[0].replace(",", "")
    shown = text.replace(".", "").lstrip("0")
    assert digits <= len(shown)
    assert digits == len(shown) or ("." not in text and not shown[digits:].strip("0"))


@pytest.mark.parametrize("key", [key for key in OURS if OURS[key]["group"] != "measured"])
def test_the_verdict_of_every_figure_holds(key):
    assert OURS[key]["group"] != "failing", OURS[key]


def test_enough_of_them():
    values = ANSWER.columns[0].ledger.values
    assert values["reproduce.closed_form_rows"] >= 120
    assert values["reproduce.failing"] == 0


# figure -> what the arithmetic on the paper's own inputs gives, and its unit in base units
DO_NOT_FOLLOW = {
    "I-5": (7.3443, 1),
    "I-11.moe-rows": (444.86, 1e9),
    "I-12.moe-rows": (2473.22, 1e9),
    "I-19.as-configured": (125.153, 1e-6),
    "I-28.middle": (1.85, 1),
    "I-36e.mpft-preset-peak": (0.38926, 1),
    "I-36h": (0.81, 1),
    "I-46.endpoints-canonical": (35_322, 1),
    "I-46.switches-canonical": (1_682, 1),
    "I-46.links-canonical": (36_163, 1),
    "I-47.endpoints-canonical": (262_656, 1),
    "I-47.switches-canonical": (16_416, 1),
    "I-47.links-canonical": (385_776, 1),
    "I-50": (1549.8, 1e6),
    "I-50.endpoint": (5.92, 1e3),
    "I-58.coded": (630.15, 1e9),
    "T-11": (75.61, 3600e3),
    "T-15": (37.55, 1e9),
    "T-16": (11.610, 1e9),
    "T-17": (2.541, 1e9),
    "T-18.mtp": (13.46, 1e9),
    "T-42": (1.875, 1),
    "F-1.share": (0.763, 1),
    "F-3.intensity": (241.8, 1),
    "M-3.moe": (21.434, 2**30),
    "O-9": (70.21, 1e9),
    "V4-6.pro": (0.2601, 1),
    "V4-6.flash": (0.1204, 1),
    "N-1": (1026.4, 1e9),
    "N-3": (41.785, 1e9),
}


def test_every_figure_that_does_not_follow_has_its_value_here():
    explained = {row["id"] for row in ANSWER.rows if row["group"] == "explained"}
    assert explained == set(DO_NOT_FOLLOW)


@pytest.mark.parametrize("key", DO_NOT_FOLLOW)
def test_what_figures_that_do_not_follow_are_instead(key):
    value, unit = DO_NOT_FOLLOW[key]
    assert OURS[key]["value"] / unit == pytest.approx(value, rel=0.01 if key == "I-36h" else 0.003)


# figure -> what arithmetic by hand gives before it is rounded
FOLLOW = {
    "I-9": 155.014e9,
    "I-10": 249.811e9,
    "I-11": 394.021e9,
    "I-12": 2447.855e9,
    "I-22": 67.76,
    "I-25": 1219.75,
    "I-36a.mpft": 272.800e9,
    "I-36a.mrft": 272.527e9,
    "I-36b.mpft": 432.47e12,
    "I-36b.mrft": 432.03e12,
    "I-36c.mpft": 385.14e12,
    "I-36c.mrft": 384.74e12,
    "I-36d.mpft": 0.43728,
    "I-36d.mrft": 0.43683,
    "I-36e.mpft": 0.38942,
    "I-36e.mrft": 0.38902,
    "I-48.mpft": 4394.5,
    "I-48.ft3": 7492,
    "T-3.from-step": 180.18e3 * 3600,
    "T-4": 3.662 * 86400,
    "T-5": 54.20 * 86400,
    "T-16.bare": 11.507e9,
    "T-17.bare": 2.439e9,
    "T-18": 684.53e9,
    "T-28": 12.8,
    "V2-4": 2.451e9,
    "V2-5": 1 - 25_920 / 389_120,
    "M-8.gradients": 23.284 * 2**30,
    "M-9": 5.5209 * 2**30,
    "M-4.second": 85.74 * 2**30,
    "D-5": 0.5625,
    "D-7.from-tokens": 5.4556,
    "D-6": 562_100,
    "D-8": 226.86,
    "D-14": 3.655 * 2**40 / 60,
    "F-3": 129.1,
    "F-6": 4094.2,
    "F-10": 865.6e12,
}


@pytest.mark.parametrize("key", FOLLOW)
def test_what_figures_that_follow_are_before_rounding(key):
    assert OURS[key]["value"] == pytest.approx(FOLLOW[key], rel=2e-4)


SAID_OUT_LOUD = {
    "7.28x": ("I-5", "7.344"),
    "dense rows of Table 2": ("I-11.moe-rows", "cannot be set side by side"),
    "NVL72 has 72 GPUs": ("I-23", "NVL72 joins 72"),
    "67 is cut off": ("I-22", "cut off"),
    "7K": ("I-19.as-configured", "7168"),
    "q = 28": ("I-46.endpoints-canonical", "no power of a prime"),
    "511 groups": ("I-47.endpoints-canonical", "513"),
    "cost of the Dragonfly": ("I-50", "1,537"),
    "36.7B": ("T-15", "37.55"),
    "eh_proj": ("T-16", "eh_proj"),
    "4:1 or 3.2:1": ("I-39.achieved", "3.2"),
    "bubble": ("I-36h", "twice"),
    "context extension": ("T-11", "75.6K"),
    "acceptance": ("I-27", "85 to 90 %"),
    "EP320, EP144, EP128": ("D-2.gpus", "EP128"),
    "61 or 62 layers": ("F-4", "61 layers"),
    "over 640 GB/s": ("I-58.coded", "630.15"),
    "the peak of Table 4": ("I-36d.mpft", "prints no peak"),
    "the peak of the preset": ("I-36e.mpft-preset-peak", "38.926 %"),
    "80 % of the peak": ("F-1.share", "76 %"),
    "bound by computation": ("F-3.intensity", "bound by memory"),
}


@pytest.mark.parametrize("key", SAID_OUT_LOUD)
def test_discrepancies_are_said_out_loud(key):
    id_, words = SAID_OUT_LOUD[key]
    assert words in OURS[id_]["why"]


def ids(kind):
    return {row.id for row in ROWS.values() if row.kind == kind}


def test_fitted_figures_are_those_whose_input_was_chosen():
    cells = [f"I-{n}.{cell}" for n in (46, 47) for cell in ("endpoints", "switches", "links")]
    costs = [f"I-49.{each}{what}" for each in ("ft2", "mpft", "ft3", "sf")
             for what in ("", "-endpoint")]  # fmt: skip
    peaks = [f"I-36{letter}.{network}" for letter in "de" for network in ("mpft", "mrft")]
    assert ids("fitted") == {
        "I-11", "I-12", "I-28", "I-50", "I-50.endpoint", "T-16.bare", "T-17.bare", "T-29", "T-38",
        *cells, *costs, *peaks,
    }  # fmt: skip


def test_identities_are_columns_of_tables():
    assert len(ids("identity")) == 38 + 20 + 5 + 2 + 5
    assert all(
        id_.startswith(("G-", "E-6.ep", "I-48.", "I-36f.", "T-1", "T-2."))
        for id_ in ids("identity")
    )


def test_derived_figures_start_from_a_model_a_layout_or_a_network():
    for row in ROWS.values():
        text = query_text(row.query)
        if row.kind == "derived":
            assert not text.startswith("formula eval") or " of " in text


def test_what_a_source_does_not_print_is_marked():
    converted = {row.id for row in ROWS.values() if row.converted}
    schedules = {id_ for id_ in ids("form") if id_.startswith(("P-1.", "T-21"))}
    assert converted == schedules | {
        "T-22", "T-23", "T-24", "T-10.32k", "T-10.128k", "HF.bytes", "I-32.intervals", "I-51",
        "F-2.flops", "F-2.bytes", "F-3.intensity", "E-6.dispatch-bytes", "E-6.combine-bytes",
        "E-8.ep16", "E-8.ep32", "E-8.ep64", "E-9", "M-14",
    }  # fmt: skip
    assert not converted - ids("form")
    assert all(OURS[id_]["relative_error"] is None for id_ in converted)


def test_a_figure_that_is_counted_twice_counts_once():
    by_id = {row.id: row for row in ROWS.values()}
    repeated = [row for row in ROWS.values() if row.repeats]
    for row in repeated:
        first = by_id[row.repeats]
        assert first.kind == row.kind
        assert not first.repeats
        assert isinstance(row.expect, str) or math.isclose(first.expect, row.expect, rel_tol=0.01)
    values = ANSWER.columns[0].ledger.values
    kinds = [values[f"reproduce.{kind}_rows"] for kind in ("derived", "identity", "form", "fitted")]
    assert sum(kinds) == values["reproduce.closed_form_rows"]
    once = sum(row.kind == "derived" for row in repeated)
    assert values["reproduce.derived_figures"] == values["reproduce.derived_rows"] - once


def test_queries_can_be_typed():
    for row in ROWS.values():
        text = query_text(row.query)
        assert shlex.split(text)
        assert "\n" not in text
