"""Golden rows: found, answered and judged; what is wrong with a file is never a pass."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dsv3calc.api import answer
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.studies.goldens.verdict import check_rows, golden_files, load_goldens, query_text


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def written(text, name="numbers.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(textwrap.dedent(text), encoding="utf-8")
        return name

    return written


def check(*paths, only=None):
    return list(check_rows(paths, only, ask=answer))


def test_a_number_as_expected(write):
    (row,) = check(
        write("""
        goldens:
          - query: kv deepseek-v3
            quantity: kv_cache.bytes_per_token
            expect: 70272
            unit: B/token
            source: arXiv:2505.09343, Table 1
        """)
    )
    assert (row.status, row.value, row.unit) == ("kept", 70_272, "B/token")


def test_a_drifted_number(write):
    (row,) = check(
        write("""
        goldens:
          - query: kv deepseek-v3
            quantity: kv_cache.bytes_per_token
            expect: 70000
            made_from: {model.groups.0.attention.kv_lora_rank: 500, formula.entry_bytes: 0badc0de}
        """)
    )
    assert (row.status, row.value) == ("moved", 70_272)
    assert row.difference.startswith("+272 (")
    place = "model.groups.0.attention.kv_lora_rank"
    (reason,) = [reason for reason in row.reasons if reason.startswith(place)]
    assert reason.startswith(f"{place}: 500 -> 512 (")
    file, line = reason.rstrip(")").rpartition("(")[2].rsplit(":", 1)
    assert Path(file).read_text(encoding="utf-8").splitlines()[int(line) - 1].endswith(": 512")
    assert "formula entry_bytes changed" in row.reasons
    assert row.locate() == 5


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "{query: kv deepseek-v3, quantity: kv_cache.bytes_per_tokn, expect: 1}",
            ["no quantity 'kv_cache.bytes_per_tokn'", "did you mean 'kv_cache.bytes_per_token'"],
        ),
        (
            "{query: kv deepseek-v3, quantity: something.else.entirely, expect: 1}",
            ["no quantity 'something.else.entirely'"],
        ),
        (
            "{query: kv deepseek-v3.9, quantity: kv_cache.bytes, expect: 1}",
            ["no model preset 'deepseek-v3.9'", "of its family: deepseek-v3"],
        ),
        (
            "{query: kv deepseek-v3 --tokn 3, quantity: kv_cache.bytes, expect: 1}",
            ["No such option", "--tokens"],
        ),
        ("{query: latency deepseek-v3, quantity: kv_cache.bytes, expect: 1}", ["no query"]),
        ("{query: 'kv ''', quantity: kv_cache.bytes, expect: 1}", ["cannot read the query"]),
        ("{query: kv --help, quantity: kv_cache.bytes, expect: 1}", []),
        ("{query: kv deepseek-v3 --json, quantity: kv_cache.bytes, expect: 1}", ["output options"]),
        (
            "{query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 1, unit: GB}",
            ["kv_cache.bytes is in B, not in GB"],
        ),
        (
            "{query: kv deepseek-v3, quantity: kv_cache.bytes, expect: '70272'}",
            ["neither a number nor a bound", "write 70272"],
        ),
        (
            "{query: compare deepseek-v3 qwen2.5-72b, quantity: parameters.total, expect: 1}",
            ["2 columns", "deepseek-v3, qwen2.5-72b"],
        ),
        (
            "{query: compare deepseek-v3 qwen2.5-72b, column: qwen2.5-27b, quantity: q, expect: 1}",
            ["no column 'qwen2.5-27b'", "did you mean 'qwen2.5-72b'"],
        ),
        ("{query: {command: kv}, quantity: kv_cache.bytes, expect: 1}", ["MODEL"]),
        ("{query: {model: deepseek-v3}, quantity: kv_cache.bytes, expect: 1}", []),
        (
            "{query: {command: kv, model: deepseek-v3, tokn: 3}, quantity: q, expect: 1}",
            ["tokn"],
        ),
    ],
)
def test_a_row_that_cannot_be_checked_is_broken(write, row, words):
    (found,) = check(write(f"goldens:\n  - {row}\n"))
    assert found.status == "broken"
    assert found.message
    assert [word for word in words if word not in found.message] == []
    assert found.locate() == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the input is empty"),
        ("# nothing yet\n", "only comments"),
        ("goldens: []\n", "at least 1 item"),
        ("rows: []\n", "goldens"),
        (
            "goldens: [{query: kv x, quantity: q, expect: 1, tolerance: {rell: 0.1}}]",
            "did you mean 'rel'",
        ),
        (
            "goldens: [{query: kv x, quantity: q, expect: 1, tolerance: {}}]",
            "this has 0",
        ),
        (
            "goldens: [{query: kv x, quantity: q, expect: 1, tolerance: {rel: 0.1, abs: 1}}]",
            "this has 2",
        ),
        (
            "goldens: [{query: kv x, quantity: q, expect: 1, tolerance: {rel: 1}}]",
            "cannot fail",
        ),
        (
            "goldens: [{query: kv x, quantity: q, expect: 1, tolerance: {rel: -0.1}}]",
            "rel",
        ),
        (
            "goldens: [{query: kv x, quantity: q, expect: 1, tolerance: {rounds-to: 0}}]",
            "rounds-to",
        ),
        (
            "goldens: [{query: kv x, quantity: q, expect: '<= 3', tolerance: exact}]",
            "a bound has no tolerance",
        ),
        (
            "goldens: [{query: kv x, quantity: q, expect: true}]",
            "expect",
        ),
        (
            "goldens: [{query: kv x, quantity: q, expected: 3}]",
            "did you mean 'expect'",
        ),
        ("goldens: [{query: kv -, quantity: q, expect: 3}]", "standard input"),
        ("goldens: [{query: {command: kv, model: '-'}, quantity: q, expect: 3}]", "standard input"),
        ("goldens: [{query: {command: kv, model: {a: 3}}, quantity: q, expect: 3}]", "no text"),
    ],
)
def test_a_file_that_cannot_be_read_is_broken(write, text, words):
    rows = check(write(text))
    assert {row.status for row in rows} == {"broken"}
    assert words in " ".join(row.message for row in rows)


def test_a_file_of_another_kind_is_one_error(write):
    write('{"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32}', "config.json")
    (row,) = check("config.json")
    assert row.status == "broken"
    assert "this is no golden file: it has no 'goldens'" in row.message
    near = " ".join(each.message for each in check(write("golden: []\n")))
    assert "did you mean" in near


def test_a_row_stands_once(write):
    first, found = check(
        write("""
        goldens:
          - query: kv deepseek-v3
            quantity: kv_cache.bytes
            expect: 1
          - query: {command: kv, model: deepseek-v3}
            quantity: kv_cache.bytes
            expect: 2
        """)
    )
    assert (first.status, found.status) == ("moved", "broken")
    assert "this row is already defined at line 3" in found.message
    assert "would be shown" in found.message


def test_a_number_and_its_budgets_stand_side_by_side(write):
    rows = check(
        write("""
        goldens:
          - {query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: 70272}
          - {query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: <= 72KB}
          - {query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: '> 1'}
        """)
    )
    assert [row.status for row in rows] == ["kept"] * 3


def test_one_broken_file_does_not_hide_another(write):
    broken = write("", "a.yaml")
    good = write(
        "goldens: [{query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 1}]", "b.yaml"
    )
    rows = check(broken, good, "missing.yaml")
    assert [(row.file, row.status) for row in rows] == [
        ("a.yaml", "broken"),
        ("b.yaml", "moved"),
        ("missing.yaml", "broken"),
    ]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("dsv3calc  kv\n deepseek-v3", "kv deepseek-v3"),
        (
            {"command": "kv", "model": "deepseek-v3", "tokens": 8192, "kv_dtype": "fp8-mla"},
            "kv deepseek-v3 --tokens 8192 --kv-dtype fp8-mla",
        ),
        (
            {"command": "flops", "model": "x", "with_mtp": True, "last_logit": False, "past": None},
            "flops x --with-mtp",
        ),
        (
            {"command": "params", "model": "x", "set": ["a=1", "b=2"]},
            "params x --set a=1 --set b=2",
        ),
        ({"command": "params", "model": "my model.yaml"}, "params 'my model.yaml'"),
        ({"command": "compare", "models": ["a", "b"], "batch": 4}, "compare a b --batch 4"),
        # as --json prints a query: fields whose option has another name
        (
            {"command": "flops", "model": "x", "sequence": 8, "library": "transformers"},
            "flops x --seq 8 --as transformers",
        ),
        ({"command": "kv", "model": "x", "ignore_keys": ["a"]}, "kv x --ignore-key a"),
        ({"command": "compare", "rows": ["weights", "flops"]}, "compare --rows weights,flops"),
    ],
)
def test_a_query_as_a_command_line(query, text):
    assert query_text(query) == text


def test_structured_queries_are_answered_as_the_command_line_is(write):
    rows = check(
        write("""
        goldens:
          - query: {command: kv, model: deepseek-v3, tokens: 8192, kv_dtype: fp8-mla}
            quantity: kv_cache.bytes_per_token
            expect: 40016
          - query:
              command: params
              model: deepseek-v3
              exclude: [embedding, head]
            quantity: parameters.total
            expect: 669173061120
          - query: {command: flops, model: deepseek-v3, seq: 4096, with_mtp: true}
            quantity: flops.per_token
            expect: "> 260 GFLOP"
          - query: {command: compare, models: [deepseek-v3, qwen2.5-72b]}
            column: qwen2.5-72b
            quantity: parameters.total
            expect: 72706203648
        """)
    )
    assert [(row.status, row.message) for row in rows] == [("kept", "")] * 4


@pytest.mark.parametrize(
    "query",
    [
        "flops deepseek-v3 --phase decode --past 8192 --batch 4 --mla naive --with-mtp",
        "flops deepseek-v3 --phase prefill --seq 128 --as transformers --last-logit",
        "kv deepseek-v3 --tokens 32Ki --kv-dtype fp8-mla --page-size 64",
        "params deepseek-v3 --exclude embedding --exclude head --set num_experts_per_tok=4",
        "compare deepseek-v3 qwen2.5-72b --rows weights,kv_cache --baseline qwen2.5-72b",
    ],
)
def test_the_query_that_json_prints_is_a_golden_query(query):
    found = answer(query)
    printed = {"command": found.command, **found.query}
    again = answer(query_text(printed))
    assert again.columns[0].ledger.named().keys() == found.columns[0].ledger.named().keys()
    assert [line.value for line in again.columns[0].ledger.lines] == [
        line.value for line in found.columns[0].ledger.lines
    ]


def test_only_some_rows(write):
    file = write("""
    goldens:
      - {query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 1}
      - {query: params deepseek-v3, quantity: parameters.total, expect: 1}
      - {query: kv qwen2.5-72b, quantity: kv_cache.bytes, expect: 1}
    """)
    assert [row.index for row in check(file, only="kv_cache.*")] == [0, 2]
    assert [row.index for row in check(file, only="*deepseek-v3")] == [0, 1]
    assert [row.index for row in check(file, only="params deepseek-v3")] == [1]
    with pytest.raises(UsageError, match="matches no row"):
        check(file, only="KV_CACHE.*")
    # a file that cannot be read may hold the rows: it is reported whatever the pattern is
    assert [row.status for row in check("missing.yaml", only="nothing")] == ["broken"]


def test_files_of_a_directory(write, tmp_path):
    for name in ("g/b.yaml", "g/a.yml", "g/deep/c.yaml", "g/notes.txt"):
        write("goldens: []", name)
    found = golden_files(["g", "g/b.yaml"])
    assert found == ["g/a.yml", "g/b.yaml", "g/deep/c.yaml"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="no golden file is in this directory"):
        golden_files(["empty"])


def test_positions_are_those_of_the_file(write):
    source, file, _ = load_goldens(
        write("""\
        # a comment
        goldens:
          - {query: kv deepseek-v3, quantity: kv_cache.bytes, expect: 1}

          - quantity: kv_cache.bytes_per_token
            query: kv deepseek-v3
            expect:
              2
        """)
    )
    assert [source.position(("goldens", i, "expect")).line for i in range(2)] == [3, 8]
    assert len(file.goldens) == 2


MEASURE = """
import json, resource, sys
from dsv3calc.__main__ import run
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(["check", sys.argv[1], "--json", "-o", sys.argv[3]])
before = peak()
status = run(["check", sys.argv[2], "--json", "-o", sys.argv[4]])
print(json.dumps({"status": status, "before": before, "after": peak()}))
"""


def test_ten_thousand_rows_in_bounded_memory(write, tmp_path):
    """200 queries and 50 budgets on each: what is kept of a row is small, answers are not kept."""
    pytest.importorskip("resource")
    lines = [
        f"  - {{query: kv deepseek-v3 --tokens {query + 1}, quantity: kv_cache.bytes_per_sequence, "
        f"expect: '<= {70_272 * (query + 1) + number}'}}\n"
        for query in range(200)
        for number in range(50)
    ]
    write("goldens:\n" + lines[0], "one.yaml")
    write("goldens:\n" + "".join(lines), "many.yaml")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, "one.yaml", "many.yaml", "one.json", "many.json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    found = json.loads(done.stdout)
    assert found["status"] == 0
    assert json.loads((tmp_path / "many.json").read_text())["query"]["checked"] == 10_000
    unit = 1024 if sys.platform != "darwin" else 1
    assert (found["after"] - found["before"]) * unit < 100 * 1024**2


def test_an_id_names_a_row(write):
    name = write("""
        goldens:
          - {id: A-1, query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: 70272}
          - {id: A-2, query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: 70000,
             tolerance: {truncates-to: 2}}
        """)
    first, second = check(name)
    assert first.name == "A-1: kv_cache.bytes_per_token of kv deepseek-v3"
    assert (first.status, second.status) == ("kept", "kept")
    assert check(name, only="A-2")[0].golden.id == "A-2"
    assert len(check(name, only="kv_cache.* of kv *")) == 2
