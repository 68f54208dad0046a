"""Verdicts on made-up figures, and how a computed value is written beside a print."""

import textwrap

import pytest

from dsv3calc.api import answer
from dsv3calc.errors import UsageError
from dsv3calc.exit_status import ExitStatus
from dsv3calc.studies.goldens import reproduce
from dsv3calc.studies.goldens.as_printed import as_published, relative_error

GPUS = "formula eval unit_gpus unit_nodes=9 gpus_per_node=3"  # 27
SHARE = "formula eval cache_hit_share hit_tokens=342 input_tokens=608"  # 0.5625


@pytest.fixture
def papers(tmp_path, monkeypatch):
    """Write papers and ask for them; returns the answer."""

    def asked(*names, only_failing=False, **texts):
        found = {}
        for name, text in texts.items():
            path = tmp_path / f"{name}.yaml"
            path.write_text(textwrap.dedent(text), encoding="utf-8")
            found[name] = str(path)
        monkeypatch.setattr(reproduce, "paper_files", lambda: found)
        return reproduce.answer_reproduce(names, only_failing=only_failing, ask=answer)

    return asked


def row(query, quantity, expect, **fields):
    told = {"id": "A-1", "query": f'"{query}"', "quantity": f"formula.{quantity}", "expect": expect,
            "kind": "form"}  # fmt: skip
    told |= fields
    return "goldens: [{" + ", ".join(f"{name}: {value}" for name, value in told.items()) + "}]"


@pytest.mark.parametrize(
    ("text", "group", "verdict"),
    [
        (row(GPUS, "unit_gpus", 27, tolerance="exact"), "exact", "exact"),
        (row(GPUS, "unit_gpus", 27), "exact", "exact"),
        (row(GPUS, "unit_gpus", 26, tolerance="exact"), "failing", "FAILS"),
        (row(GPUS, "unit_gpus", 30, tolerance="{rounds-to: 1}"), "exact", "rounds to it"),
        (row(GPUS, "unit_gpus", 20, tolerance="{rounds-to: 1}"), "failing", "FAILS"),
        (row(GPUS, "unit_gpus", 20, tolerance="{truncates-to: 1}"), "exact", "cut off to it"),
        (row(SHARE, "cache_hit_share", 0.563, tolerance="{rounds-to: 3}"), "exact", "rounds to it"),
        (row(SHARE, "cache_hit_share", 0.562, tolerance="{truncates-to: 3}"), "exact",
         "cut off to it"),
        (row(SHARE, "cache_hit_share", 0.57, tolerance="{rel: 0.02}"), "within", "within 2 %"),
        (row(SHARE, "cache_hit_share", 0.57, tolerance="{rel: 0.01}"), "failing", "FAILS"),
        (row(GPUS, "unit_gpus", 25, tolerance="{abs: 2}"), "within", "within 8 %"),
        (row(GPUS, "unit_gpus", '"< 28"'), "exact", "as stated"),
        (row(GPUS, "unit_gpus", '"< 27"'), "failing", "FAILS"),
        (row(GPUS, "unit_gpus", 26, reproduces="false", why="odd"), "explained", "does not follow"),
        (row(GPUS, "unit_gpus", 27, reproduces="false", why="odd"), "failing", "FAILS"),
        (row(GPUS, "unit_gpus", 30, reproduces="false", why="odd", tolerance="{rounds-to: 1}"),
         "failing", "FAILS"),
        (row("formula eval quux", "quux", 1), "failing", "cannot be asked"),
        (row(GPUS, "quux", 1), "failing", "cannot be asked"),
        (row(GPUS, "unit_gpus", 26, reproduces="false"), "failing", "cannot be asked"),
    ],
)  # fmt: skip
def test_verdicts(papers, text, group, verdict):
    found = papers(made_up=text)
    (only,) = found.rows
    assert (only["group"], only["verdict"]) == (group, verdict)
    assert (found.status is ExitStatus.OK) == (group != "failing")
    values = found.columns[0].ledger.values
    assert values["reproduce.closed_form_rows"] == 1
    assert values[f"reproduce.{group}"] == 1
    assert found.status in (ExitStatus.OK, ExitStatus.CHECK_FAILED)


STATED = """
goldens: [{query: "QUERY", quantity: formula.unit_gpus, expect: 27, kind: derived}]
stated:
  - {id: B-1, what: speed, published: 7 km/h, kind: measured, source: a paper}
  - {id: B-2, what: size, published: XL, kind: setting, source: a paper}
  - {id: B-3, what: odds, published: 1:9, kind: not-covered, source: a paper, why: no dice here}
""".replace("QUERY", GPUS)


def test_figures_without_a_closed_form_are_counted_beside_the_others(papers):
    found = papers(made_up=STATED)
    assert found.columns[0].ledger.values == {
        "reproduce.closed_form_rows": 1,
        "reproduce.exact": 1,
        "reproduce.within": 0,
        "reproduce.explained": 0,
        "reproduce.failing": 0,
        "reproduce.measured": 1,
        "reproduce.settings": 1,
        "reproduce.not_covered": 1,
        "reproduce.derived_rows": 1,
        "reproduce.identity_rows": 0,
        "reproduce.form_rows": 0,
        "reproduce.fitted_rows": 0,
        "reproduce.derived_figures": 1,
        "reproduce.derived.exact": 1,
        "reproduce.derived.within": 0,
        "reproduce.derived.explained": 0,
        "reproduce.derived.failing": 0,
    }
    assert [each["verdict"] for each in found.rows] == ["exact", "measured", "setting",
                                                        "not covered"]  # fmt: skip
    assert [each["value"] for each in found.rows] == [27, None, None, None]


def test_only_failing_shows_less_and_counts_the_same(papers):
    bad = row(GPUS, "unit_gpus", 26)
    every = papers(good=STATED, bad=bad)
    found = papers(good=STATED, bad=bad, only_failing=True)
    assert [each["paper"] for each in found.rows] == ["bad"]
    assert found.columns[0].ledger.values == every.columns[0].ledger.values
    assert found.status == every.status == ExitStatus.CHECK_FAILED
    assert not papers(good=STATED, only_failing=True).rows


def test_one_of_several_papers(papers):
    texts = {"good": STATED, "bad": row(GPUS, "unit_gpus", 26)}
    assert papers("good", **texts).status is ExitStatus.OK
    assert papers("bad", "good", "bad", **texts).query["papers"] == ["bad", "good"]
    with pytest.raises(UsageError) as caught:
        papers("goood", **texts)
    assert "did you mean 'good'?" in caught.value.hint


def test_counts_are_lines_of_a_ledger(papers):
    ledger = papers(good=STATED, bad=row(GPUS, "unit_gpus", 26)).columns[0].ledger
    for line in ledger.walk():
        assert line.evaluate() == line.value
    assert ledger["papers.bad.failing"] == 1


def test_a_row_that_says_little_is_named_by_its_query(papers):
    fields = f'query: "{GPUS}", quantity: formula.unit_gpus, expect: 27, kind: form'
    found = papers(made_up=f"goldens: [{{{fields}}}]")
    (only,) = found.rows
    assert only["what"] == f"formula.unit_gpus of {GPUS}"
    assert (only["published"], only["ours"]) == ("27", "27")


def test_a_row_without_a_kind_fails(papers):
    found = papers(made_up=row(GPUS, "unit_gpus", 27, kind="null"))
    (only,) = found.rows
    assert (only["group"], only["kind"]) == ("failing", None)
    assert "one of derived, identity, form, fitted" in only["why"]
    assert found.status == ExitStatus.CHECK_FAILED


TWICE = """
goldens:
  - {id: A-1, query: QUERY, quantity: formula.unit_gpus, expect: 27, kind: derived}
  - {id: A-2, query: QUERY, quantity: formula.unit_gpus, expect: 27, kind: derived, repeats: A-1}
  - {id: A-3, query: QUERY, quantity: formula.unit_gpus, expect: 27, kind: fitted}
""".replace("QUERY", f'"{GPUS}"')


def test_derived_figures_are_counted_once(papers):
    found = papers(one=TWICE, two=TWICE.replace("A-1", "B-1").replace("A-2", "B-2"))
    values = found.columns[0].ledger.values
    assert values["reproduce.derived_rows"] == 4
    assert values["reproduce.fitted_rows"] == 2
    assert values["reproduce.derived_figures"] == values["reproduce.derived.exact"] == 2
    assert papers("one", one=TWICE).columns[0].ledger["reproduce.derived_figures"] == 1


def test_a_conversion_of_ours_is_no_printed_figure(papers):
    text = row(GPUS, "unit_gpus", 27, published="3 x 9 nodes", converted="true")
    (only,) = papers(made_up=text).rows
    assert (only["published"], only["ours"]) == ("3 x 9 nodes", "27")
    assert (only["verdict"], only["relative_error"]) == ("converted", None)


@pytest.mark.parametrize(
    ("published", "expect", "value", "unit", "ours"),
    [
        ("70.272 KB", 70272, 70272, "B/token", "70.272 KB"),
        ("327 KB", 327_000, 327_680, "B/token", "327.68 KB"),
        ("$562,027", 562_027, 562_100.4, "USD", "$562,100.4"),
        ("62,914,560", 62_914_560, 62_914_561, "tokens", "62,914,561"),
        ("640 GB/s, over", 640e9, 630.1538e9, "B/s", "630.15 GB/s"),
        ("approximately 1200", 1200, 1219.75, "tokens/s", "1219.75"),
        ("4:1", 4, 3.2, "ratio", "3.2:1"),
        ("half", 0.5, 0.50012, "ratio", "0.5001"),
        ("less than two months", "< 60 d", 4_682_812.5, "s", "1,300.8 h"),
        ("0", 0, 0.5, "ratio", "0.5"),
    ],
)
def test_a_value_as_the_paper_writes_it(published, expect, value, unit, ours):
    assert as_published(published, expect, value, unit) == ours


def test_relative_errors():
    assert relative_error(100, 101) == pytest.approx(0.01)
    assert relative_error(100, 100) == 0
    assert relative_error("< 5", 4) is None
    assert relative_error(0, 4) is None
