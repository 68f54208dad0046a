"""What is told below an answer, in proportion to it."""

# SPDX-License-Identifier: Apache-2.0
import pytest

from dsv3calc.output.layout import lines_of
from dsv3calc.output.notes import MOST, told_of
from dsv3calc.output.options import OutputOptions
from dsv3calc.output.view import View
from dsv3calc.studies.answer import Answer


def answer_telling(assumptions, brief=None, notes=()):
    answer = Answer("kv", {})
    answer.assumptions, answer.notes = list(assumptions), list(notes)
    answer.brief = dict(brief or {})
    answer.warn("careful")
    return answer


def told(answer, **options):
    return told_of(answer, OutputOptions(**options))


def test_five_at_most_and_the_rest_is_counted():
    answer = answer_telling([f"a{number}" for number in range(9)], notes=["n"])
    found = told(answer)
    assert len(found.shown) == 1 + MOST
    assert found.shown[:2] == [("warning", "careful"), ("note", "n")]
    assert found.more == "5 more: --notes all"
    assert len(found.shown) + len(found.hidden) == 1 + 9 + 1


def test_a_single_line_more_is_told_instead_of_counted():
    found = told(answer_telling([f"a{number}" for number in range(6)]))
    assert len(found.shown) == 1 + 6
    assert found.more == ""


def test_what_the_query_left_open_comes_before_what_presets_assume():
    found = told(answer_telling(["layout x: tp: long", "dp is 1"], {"layout x: tp: long": "short"}))
    assert found.shown[1:] == [("assumed", "dp is 1"), ("assumed", "short")]
    assert found.more == "in full: --notes all"


def test_one_assumption_of_two_fields_is_told_once():
    found = told(
        answer_telling(
            ["x: a: same", "x: b: same"], dict.fromkeys(["x: a: same", "x: b: same"], "x: same")
        )
    )
    assert found.shown[1:] == [("assumed", "x: same")]


def test_what_changes_no_number_is_told_with_all_others_alone():
    answer = answer_telling([])
    answer.tell_when_all("no load imbalance")
    assert told(answer).shown == [("warning", "careful")]
    assert ("assumed", "no load imbalance") in told(answer, notes="all").shown


def test_none_keeps_warnings_and_quiet_does_not():
    answer = answer_telling(["a"], notes=["n"])
    assert told(answer, notes="none").shown == [("warning", "careful")]
    quiet = told(answer, notes="none", quiet=True)
    assert (quiet.shown, quiet.hidden, quiet.shortened) == ([], [], False)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_in_short_each_takes_one_line_of_a_terminal(width):
    texts = [("note", "word " * 30), ("assumed", "x " * 60), ("warning", "word " * 30)]
    lines = [line.text for line in lines_of(View([], []), texts, width=width, in_brief=True)]
    assert len([line for line in lines if line.startswith(("note", "assumed"))]) == 2
    assert all(len(line) <= width for line in lines)
    assert lines[0].endswith(" …")
    assert " ".join(lines[2:]).split() == ["warning:", *["word"] * 30]
