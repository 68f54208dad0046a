"""Checked rows and answers, as the outputs get them, and texts that a stranger might put there."""

import pytest

from dsv3calc.api import answer as ask
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.goldens.check import answer_check

HOSTILE = (
    "x\n::error::injected",
    "\r\n::stop-commands::token",
    "##[add-mask]secret",
    "100%0A::warning::x",
    "a:b,line=1::c",
    "]]><script>alert(1)</script>&amp;\"'",
    "red \x1b[31m \x00 \ufffe \ud800 \u2028 \u202e",
    "| a | b \\| c \\",
    "[click](https://example.org) ![image](x) @team #1 `code` $x$ www.example.org",
)


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def hostile(request):
    return request.param


@pytest.fixture(scope="session")
def make_row():
    def make(status="kept", **changes):
        row = {
            "file": "numbers/kv.yaml",
            "line": None if status == "kept" else 7,
            "status": status,
            "id": None,
            "quantity": "kv_cache.bytes_per_token",
            "column": None,
            "query": "kv deepseek-v3",
            "expected": 70272,
            "value": 70272,
            "unit": "B/token",
            "difference": "+0 (+0.0000%)",
            "tolerance": "70272 exactly",
            "why": [],
            "source": None,
            "note": None,
        }
        if status == "moved":
            row |= {"value": 80000, "difference": "+9,728 (+13.8434%)"}
            row["why"] = ["model.num_hidden_layers: 61 -> 62", "formula entry_bytes changed"]
        if status == "broken":
            row |= dict.fromkeys(("value", "difference", "tolerance"))
            row["why"] = ["the answer has no quantity 'x'; did you mean 'y'?"]
        return row | changes

    return make


@pytest.fixture(scope="session")
def make_answer():
    def make(*rows):
        counts = {
            "files": sorted({row["file"] for row in rows}),
            "checked": len(rows),
            "moved": sum(row["status"] == "moved" for row in rows),
            "broken": sum(row["status"] == "broken" for row in rows),
        }
        answer = Answer("check", counts, "check")
        answer.rows = list(rows)
        return answer

    return make


@pytest.fixture(scope="session")
def check():
    def check_file(path):
        return answer_check([path], only=None, update=False, exit_zero=False, ask=ask)

    return check_file


@pytest.fixture
def golden_file(tmp_path, monkeypatch):
    """Return a real file in the working directory: one row kept, one moved, one broken."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    path = tmp_path / "numbers" / "kv.yaml"
    path.parent.mkdir()
    path.write_text(
        "goldens:\n"
        "  - query: kv deepseek-v3\n"
        "    quantity: kv_cache.bytes_per_token\n"
        "    expect: 70272\n"
        "  - query: kv deepseek-v3\n"
        "    quantity: kv_cache.bytes_per_token\n"
        "    expect: '<= 60KB'\n"
        "    note: the budget\n"
        "  - query: kv deepseek-v3\n"
        "    quantity: kv_cache.bytes_per_tokn\n"
        "    expect: 70272\n"
    )
    return "numbers/kv.yaml"
