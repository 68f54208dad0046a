from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsv3calc.commands.request import OutputOptions
from dsv3calc.output import junit

COUNTS = {"tests", "failures", "errors", "time"}
RULES = {
    # element: attributes it must have, those it may have, children
    "testsuites": ({"name"} | COUNTS, set(), {"testsuite"}),
    "testsuite": ({"name", "skipped"} | COUNTS, set(), {"testcase", "system-out"}),
    "testcase": ({"classname", "name", "file", "time"}, {"line"}, {"failure", "error"}),
    "failure": ({"message", "type"}, set(), set()),
    "error": ({"message", "type"}, set(), set()),
    "system-out": (set(), set(), set()),
}
"""The part of JUnit that Jenkins and GitLab agree on, and that the reports keep to."""


def render(answer):
    return junit.render(answer, OutputOptions(format="junit"), color=False)


def parse(text):
    """Read a report, and hold it against the rules."""
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    assert text.isascii()
    assert text.endswith(">\n")
    root = ET.fromstring(text)  # noqa: S314 - our own output
    assert root.tag == "testsuites"
    _check_element(root)
    _check_counts(root, root.findall("testsuite/testcase"))
    for suite in root:
        _check_counts(suite, suite.findall("testcase"))
        assert "system-out" not in [child.tag for child in suite][:-1]
        names = [case.get("name") for case in suite.iter("testcase")]
        assert len(names) == len(set(names))
        assert all(case.get("classname") == suite.get("name") for case in suite.iter("testcase"))
    return root


def _check_element(element):
    needed, allowed, children = RULES[element.tag]
    assert needed <= set(element.attrib) <= needed | allowed
    tags = [child.tag for child in element]
    assert set(tags) <= children
    if element.tag == "testcase":
        assert len(tags) <= 1
        assert ("line" in element.attrib) == (tags != [])
    for child in element:
        _check_element(child)


def _check_counts(element, cases):
    assert int(element.get("tests")) == len(cases)
    for name, tag in (("failures", "failure"), ("errors", "error")):
        assert int(element.get(name)) == sum(case.find(tag) is not None for case in cases)


def test_a_suite_for_each_file_and_a_case_for_each_row(make_row, make_answer):
    other = make_row(file="numbers/other.yaml", column="v3", query="compare deepseek")
    root = parse(render(make_answer(make_row(), make_row("moved", quantity="a.b"), other)))
    assert [suite.get("name") for suite in root] == ["numbers/kv.yaml", "numbers/other.yaml"]
    assert [case.get("name") for case in root.iter("testcase")] == [
        "kv_cache.bytes_per_token of kv deepseek-v3",
        "a.b of kv deepseek-v3",
        "kv_cache.bytes_per_token[v3] of compare deepseek",
    ]
    assert root.get("name") == "dsv3calc check: 3 rows: 2 unchanged, 1 changed"


def test_a_moved_number_is_a_failure_with_all_there_is_to_know(make_row, make_answer):
    row = make_row("moved", source="paper, table 3", note="mind the heads")
    root = parse(render(make_answer(row)))
    (failure,) = root.iter("failure")
    assert failure.get("type") == "moved"
    assert failure.get("message") == (
        "kv_cache.bytes_per_token of kv deepseek-v3 is 80000 B/token, expected 70272 exactly"
    )
    assert failure.text.splitlines() == [
        "numbers/kv.yaml:7",
        "expected: 70272 B/token",
        "now: 80000 B/token",
        "tolerance: 70272 exactly",
        "difference: +9,728 (+13.8434%)",
        "because model.num_hidden_layers: 61 -> 62",
        "because formula entry_bytes changed",
        "source: paper, table 3",
        "note: mind the heads",
    ]
    assert root.find("testsuite/testcase").get("line") == "7"


def test_a_broken_row_is_an_error(make_row, make_answer):
    root = parse(render(make_answer(make_row("broken"))))
    (error,) = root.iter("error")
    assert error.get("type") == "broken"
    assert error.get("message").endswith(
        "cannot be checked: the answer has no quantity 'x'; did you mean 'y'?"
    )


def test_the_bounds_of_one_number_are_two_cases(make_row, make_answer):
    rows = [make_row(expected="<= 72KB"), make_row(expected=">= 60KB"), make_row(), make_row()]
    names = [case.get("name") for case in parse(render(make_answer(*rows))).iter("testcase")]
    assert [name.removeprefix("kv_cache.bytes_per_token of kv deepseek-v3") for name in names] == [
        ": <= 72KB",
        ": >= 60KB",
        "",
        " (2)",
    ]


def test_nothing_failed_and_nothing_checked(make_row, make_answer):
    root = parse(render(make_answer(make_row(), make_row(quantity="a.b"))))
    assert root.get("failures") == root.get("errors") == "0"
    assert len(parse(render(make_answer()))) == 0


def test_notes_and_warnings_stand_in_the_first_suite(make_row, make_answer):
    answer = make_answer(make_row())
    answer.notes.append("numbers/kv.yaml: 1 expectation updated")
    answer.warnings.append("mind\x1b")
    text = parse(render(answer)).find("testsuite/system-out").text
    assert text == "warning: mind\\x1b\nnote: numbers/kv.yaml: 1 expectation updated"


def test_hostile_texts_stay_texts(make_row, make_answer, hostile):
    names = ("file", "quantity", "query", "column", "source", "note", "difference", "tolerance")
    rows = [
        make_row(status, **dict.fromkeys(names, hostile), why=[hostile])
        for status in ("kept", "moved", "broken")
    ]
    root = parse(render(make_answer(*rows)))
    assert [child.tag for child in root.iter("testcase")] == ["testcase"] * 3


@given(st.text(), st.text(), st.text())
def test_any_text_gives_a_valid_report(make_row, make_answer, quantity, query, reason):
    row = make_row("moved", quantity=quantity, query=query, why=[reason])
    assert len(list(parse(render(make_answer(row))).iter("failure"))) == 1


def test_a_huge_row_is_kept_whole(make_row, make_answer):
    row = make_row("moved", why=["y" * 1_000_000], note="z" * 1_000_000)
    (failure,) = parse(render(make_answer(row))).iter("failure")
    assert len(failure.text) > 2_000_000


def test_the_bytes_are_always_the_same(check, golden_file):
    texts = {render(check(golden_file)) for _ in range(2)}
    assert len(texts) == 1
    assert "timestamp" not in texts.pop()


def test_a_real_check(check, golden_file):
    answer = check(golden_file)
    root = parse(render(answer))
    kept, moved, broken = root.iter("testcase")
    assert (kept.get("line"), moved.get("line"), broken.get("line")) == (None, "7", "11")
    assert "difference: +10,272" in moved.find("failure").text
    assert "note: the budget" in moved.find("failure").text
    assert "did you mean 'kv_cache.bytes_per_token'?" in broken.find("error").get("message")


@pytest.mark.parametrize("text", ["goldens: [", "gold:\n - query: 3\n", ""])
def test_a_file_that_cannot_be_read(check, golden_file, tmp_path, text):
    (tmp_path / golden_file).write_text(text)
    root = parse(render(check(golden_file)))
    assert int(root.get("errors")) == int(root.get("tests")) >= 1
    assert next(root.iter("testcase")).get("name") == "the whole file"


def test_figures_of_one_number_are_told_apart_by_their_ids(make_row, make_answer):
    answer = make_answer(make_row(id="I-1"), make_row(id="I-6.a"))
    names = [case.get("name") for case in parse(render(answer)).iter("testcase")]
    assert len(set(names)) == 2
    assert names[0].startswith("I-1: kv_cache.bytes_per_token of ")
