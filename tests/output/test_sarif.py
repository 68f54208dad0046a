import json
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dsv3calc import __version__
from dsv3calc.commands.request import OutputOptions
from dsv3calc.output import sarif


def closed(required, **optional):
    """Return a schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": required | optional,
    }


TEXT = {"type": "string", "minLength": 1}
MESSAGE = closed({"text": TEXT})
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RULE = closed(
    {
        "id": TEXT,
        "name": {"type": "string", "pattern": r"^[A-Za-z]+$", "maxLength": 255},
        "shortDescription": closed({"text": TEXT | {"maxLength": 1024}}),
        "fullDescription": closed({"text": TEXT | {"maxLength": 1024}}),
        "help": MESSAGE,
        "defaultConfiguration": closed({"level": LEVEL}),
    }
)
LOCATION = closed(
    {
        "physicalLocation": closed(
            {
                "artifactLocation": closed(
                    {"uri": TEXT | {"pattern": r"^[A-Za-z0-9_.~/%:+-]+$"}},
                    uriBaseId=TEXT,
                ),
                "region": closed({"startLine": {"type": "integer", "minimum": 1}}),
            }
        )
    }
)
RESULT = closed(
    {
        "ruleId": TEXT,
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": {"const": "error"},
        "message": MESSAGE,
        "locations": {"type": "array", "minItems": 1, "maxItems": 1, "items": LOCATION},
        "partialFingerprints": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        },
    }
)
RUN = closed(
    {
        "tool": closed(
            {
                "driver": closed(
                    {
                        "name": TEXT,
                        "version": TEXT,
                        "rules": {"type": "array", "items": RULE, "uniqueItems": True},
                    }
                )
            }
        ),
        "invocations": {
            "type": "array",
            "items": closed(
                {"executionSuccessful": {"const": True}},
                toolExecutionNotifications={
                    "type": "array",
                    "minItems": 1,
                    "items": closed({"level": LEVEL, "message": MESSAGE}),
                },
            ),
        },
        "results": {"type": "array", "maxItems": 5000, "items": RESULT},
        "properties": {"type": "object"},
    }
)
LOG = closed(
    {
        "$schema": {"type": "string", "pattern": "^https://.*/sarif-schema-2[.]1[.]0[.]json$"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "maxItems": 1, "items": RUN},
    }
)
"""What SARIF 2.1.0 demands of a log, what GitHub needs beyond, and nothing that is misspelt."""

VALIDATOR = Draft202012Validator(LOG)


def render(answer):
    return sarif.render(answer, OutputOptions(format="sarif"), color=False)


def parse(text):
    """Read a log, hold it against the schema and return its run."""
    assert text.isascii()
    assert text.endswith("}\n")
    log = json.loads(text)
    VALIDATOR.validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    return run


def places(run):
    return [result["locations"][0]["physicalLocation"] for result in run["results"]]


def test_the_schema_of_this_test_is_one():
    Draft202012Validator.check_schema(LOG)


def test_a_result_for_each_failed_row(make_row, make_answer):
    run = parse(render(make_answer(make_row(), make_row("moved"), make_row("broken", line=12))))
    assert run["tool"]["driver"]["version"] == __version__
    moved, broken = run["results"]
    assert (moved["ruleId"], broken["ruleId"]) == ("number-moved", "row-broken")
    assert moved["message"]["text"].split("\n") == [
        "kv_cache.bytes_per_token of kv deepseek-v3 is 80000 B/token, expected 70272 exactly",
        "difference: +9,728 (+13.8434%)",
        "because model.num_hidden_layers: 61 -> 62",
        "because formula entry_bytes changed",
    ]
    assert places(run) == [
        {
            "artifactLocation": {"uri": "numbers/kv.yaml", "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": line},
        }
        for line in (7, 12)
    ]
    assert run["properties"] == {
        "summary": "3 rows: 1 unchanged, 1 changed, 1 error",
        "resultsLeftOut": 0,
    }


def test_nothing_failed(make_row, make_answer):
    run = parse(render(make_answer(make_row())))
    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True}]
    assert len(run["tool"]["driver"]["rules"]) == 2


def test_at_most_5000_results(make_row, make_answer):
    rows = [make_row("moved", line=i + 1) for i in range(5_011)]
    (run,) = json.loads(render(make_answer(*rows)))["runs"]  # jsonschema takes long for so many
    assert [place["region"]["startLine"] for place in places(run)] == list(range(1, 5_001))
    assert run["properties"]["resultsLeftOut"] == 11


def test_word_of_the_results_left_out(make_row, make_answer, monkeypatch):
    monkeypatch.setattr(sarif, "MOST_RESULTS", 3)
    rows = [make_row("moved", line=i + 1) for i in range(4)]
    run = parse(render(make_answer(*rows[:3])))
    assert len(run["results"]) == 3
    assert run["invocations"] == [{"executionSuccessful": True}]
    run = parse(render(make_answer(*rows)))
    assert len(run["results"]) == 3
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notification["level"] == "warning"
    assert notification["message"]["text"] == (
        "1 of 4 failed rows are left out: only the first 3 are listed"
    )


def test_notes_and_warnings_are_notifications(make_row, make_answer):
    answer = make_answer(make_row())
    answer.warnings.append("mind\x1b")
    answer.notes.append("1 expectation updated")
    assert parse(render(answer))["invocations"][0]["toolExecutionNotifications"] == [
        {"level": "warning", "message": {"text": "mind\\x1b"}},
        {"level": "note", "message": {"text": "1 expectation updated"}},
    ]


def test_a_row_is_known_again_wherever_it_stands(make_row, make_answer):
    def fingerprints(*rows):
        found = parse(render(make_answer(*rows)))["results"]
        return [result["partialFingerprints"]["goldenRow/v1"] for result in found]

    (first,) = fingerprints(make_row("moved"))
    assert fingerprints(make_row("moved", line=90, value=3, why=[])) == [first]
    others = fingerprints(
        make_row("moved", file="numbers/other.yaml"),
        make_row("moved", quantity="a.b"),
        make_row("moved", column="v3"),
        make_row("moved", query="kv deepseek-v2"),
        make_row("moved", expected="<= 72KB"),
        make_row("moved", expected=">= 60KB"),
    )
    assert len({first, *others}) == 7
    whole = dict.fromkeys(("query", "quantity"), "(file)")
    problems = [f"numbers/kv.yaml:{line}:1: error: {what}" for line, what in ((3, "a"), (4, "b"))]
    found = fingerprints(*(make_row("broken", **whole, why=[text]) for text in problems))
    assert len(set(found)) == 2
    moved = problems[0].replace(":3:", ":30:")
    assert fingerprints(make_row("broken", **whole, why=[moved])) == found[:1]


@pytest.mark.parametrize("name", ["a b/c#d?e.yaml", "é%41.yaml", "c:d.yaml", "\udcff.yaml"])
def test_places_are_valid_references(make_row, make_answer, name):
    run = parse(render(make_answer(make_row("moved", file=name))))
    uri = places(run)[0]["artifactLocation"]["uri"]
    assert urlsplit(uri).scheme == ""
    assert unquote_to_bytes(uri).decode("utf-8", "surrogateescape") == name


def test_a_file_outside_of_the_repository(make_row, make_answer, tmp_path, monkeypatch):
    (tmp_path / "top").mkdir()
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "top"))
    file = tmp_path / "elsewhere.yaml"
    place = places(parse(render(make_answer(make_row("moved", file=str(file))))))[0]
    assert place["artifactLocation"] == {"uri": file.as_uri()}


def test_hostile_texts_stay_texts(make_row, make_answer, hostile):
    names = ("quantity", "query", "column", "source", "note", "difference", "tolerance")
    rows = [
        make_row(status, **dict.fromkeys(names, hostile), why=[hostile])
        for status in ("moved", "broken")
    ]
    for result in parse(render(make_answer(*rows)))["results"]:
        text = result["message"]["text"]
        assert text.replace("\n", "").isprintable()
        assert "](" not in text.replace("\\](", "")


@given(st.text(), st.text(), st.text())
def test_any_text_gives_a_valid_log(make_row, make_answer, quantity, query, reason):
    rows = [make_row("moved", quantity=quantity, query=query, why=[reason])]
    rows.append(make_row("broken", quantity=quantity, query=query, why=[reason]))
    assert len(parse(render(make_answer(*rows)))["results"]) == 2


def test_a_real_check(check, golden_file):
    answer = check(golden_file)
    text = render(answer)
    assert text == render(check(golden_file))
    moved, broken = parse(text)["results"]
    assert "expected <= 60KB" in moved["message"]["text"]
    assert "did you mean" in broken["message"]["text"]
    assert [place["region"]["startLine"] for place in places(parse(text))] == [7, 11]


def test_the_help_says_that_update_changes_no_budget(make_row, make_answer):
    log = json.loads(render(make_answer(make_row("moved"))))
    text = log["runs"][0]["tool"]["driver"]["rules"][0]["help"]["text"]
    assert "A budget is never updated: edit its bound" in text
