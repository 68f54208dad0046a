import csv
import gc
import io
import json
import tracemalloc

import pytest

from dsv3calc.exit_status import ExitStatus

QUERIES = """\
# the numbers of the paper
params deepseek-v3

dsv3calc kv deepseek-v3 --tokens 128k
flops deepseek-v3 --phase decode
compare deepseek-v3 llama-3.1-405b --hardware h800
"""


def test_a_document_on_each_line(program, file):
    path = file("queries.txt", QUERIES)
    found = program.ok("eval", path, "--json")
    documents = [json.loads(line) for line in found.out.splitlines()]
    assert [each["command"] for each in documents] == ["params", "kv", "flops", "compare"]
    assert [each["query"]["line"] for each in documents] == [2, 4, 5, 6]
    alone = program.json("params", "deepseek-v3").data
    assert documents[0]["columns"] == alone["columns"]


def test_stdin_and_line_endings(program):
    found = program.ok("eval", "-", "--json", stdin=QUERIES.replace("\n", "\r\n"))
    assert len(found.out.splitlines()) == 4


def test_other_formats(program, file):
    path = file("queries.txt", QUERIES)
    rows = list(csv.DictReader(io.StringIO(program.ok("eval", path, "--format", "csv").out)))
    total = next(r for r in rows if r["quantity"] == "parameters.total" and r["line"] == "2")
    assert int(total["value"]) == 671_026_419_200
    assert "70.27" in program.ok("eval", path).out or "68.6" in program.ok("eval", path).out
    assert program.ok("eval", path, "--format", "markdown").out.count("**") > 2


def test_into_a_file(program, file, tmp_path):
    path = file("queries.txt", QUERIES)
    program.ok("eval", path, "-o", "out.json")
    assert len((tmp_path / "out.json").read_text("utf-8").splitlines()) == 4


def test_wrong_lines_are_told_and_the_others_answered(program, file):
    path = file("queries.txt", "kv nope\nflops deepseek-v3 --phase trian\n" + QUERIES)
    found = program("eval", path, "--json")
    assert found.status == ExitStatus.INVALID_INPUT
    assert [json.loads(line)["query"]["line"] for line in found.out.splitlines()] == [4, 6, 7, 8]
    assert [each["line"] for each in found.errors] == [1, 2]
    spoken = program("eval", path)
    assert ":1: error: there is no model preset 'nope'" in spoken.err
    assert ":2: error: --phase 'trian'" in spoken.err
    assert "2 problems found" in spoken.err


def test_a_query_without_a_solution_is_a_wrong_line(program, file):
    """405B parameters of 2 bytes do not fit on a GPU of 80 GB, whatever dp is."""
    impossible = "memory llama-3.1-405b --hardware h100 --fewest-gpus --tp 1 --pp 1"
    found = program("eval", file("queries.txt", f"{impossible}\nparams deepseek-v3\n"), "--json")
    assert found.status == ExitStatus.INVALID_INPUT
    assert len(found.out.splitlines()) == 1
    assert "fits on no layout" in found.errors[0]["what"]


def test_wrong_lines_leave_no_file(program, file, tmp_path):
    path = file("queries.txt", QUERIES + "kv nope\n")
    program.refused(ExitStatus.INVALID_INPUT, "eval", path, "-o", "out.json")
    assert [each.name for each in tmp_path.iterdir()] == ["queries.txt"]


def test_a_file_of_any_size_is_read(program, file):
    path = file("queries.txt", "# a comment of 24 bytes\n" * 30_000 + "params deepseek-v3\n")
    found = program.ok("eval", path, "--json")
    assert [json.loads(line)["query"]["line"] for line in found.out.splitlines()] == [30_001]


def test_after_fifty_wrong_lines_in_a_row_the_rest_is_not_read(program, file):
    lines = "params nope\n" * 49 + "params deepseek-v3\n"
    found = program("eval", file("queries.txt", lines * 2 + "params nope\n" * 51), "--json")
    assert len(found.out.splitlines()) == 2
    assert found.errors[-1]["line"] == 150
    assert "50 lines in a row are wrong" in found.errors[-1]["what"]
    assert [each["line"] for each in found.errors[:49]] == list(range(1, 50))


def test_standard_input_is_the_queries_alone(program):
    found = program("eval", "-", "--json", stdin="params -\nparams deepseek-v3\n")
    assert len(found.out.splitlines()) == 1
    assert "the input is empty" in found.errors[0]["what"]


@pytest.mark.parametrize("form", ["json", "table"])
def test_memory_does_not_grow_with_the_queries(program, file, form):
    def peak(count):
        path = file(f"{count}.txt", "params qwen2.5-72b\nkv deepseek-v3 --tokens 4k\n" * count)
        gc.collect()
        tracemalloc.start()
        try:
            program.ok("eval", path, "--format", form, "-o", f"{count}.{form}")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)  # what is imported and cached once
    few, many = peak(50), peak(200)
    assert many < 1.2 * few, "four times the queries, and garbage that is not collected yet"


@pytest.mark.parametrize(
    "line",
    [
        "parms deepseek-v3",
        "params",
        "params deepseek-v3 --json",
        "params deepseek-v3 -o evil.json",
        "params deepseek-v3 --nonsense",
        "params deepseek-v3 --set hidden_size=7K",
        "params 'deepseek-v3",
        "params --help",
        "params -h",
        "--version",
        "--help",
        "--install-completion",
        "presets list",
        "import config.json",
        "eval queries.txt",
        "params \x1b[31m",
        "params deepseek-v3\x00",
        "params -",
        "compare",
    ],
)
def test_wrong_lines(program, file, tmp_path, line):
    path = file("queries.txt", f"params deepseek-v3\n{line}\n")
    found = program("eval", path)
    assert found.status == ExitStatus.INVALID_INPUT
    assert "queries.txt:2" in found.err
    assert "671.03 B" in found.out, "the first line is answered"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["queries.txt"]


@pytest.mark.parametrize("content", [b"", b"\n \n", b"# nothing\n", b"params \xff\n", b"\x00" * 9])
def test_wrong_files(program, file, content):
    program.refused(ExitStatus.INVALID_INPUT, "eval", file("queries.txt", content))


def test_a_line_that_has_no_solution(program, file):
    query = "memory llama-3.1-70b --hardware h100 --fewest-gpus --set hardware.memory.usable=2GiB"
    path = file("queries.txt", f"kv deepseek-v3\n{query}\nkv nope\n")
    found = program("eval", path, "--json")
    assert found.status == ExitStatus.INVALID_INPUT
    assert [json.loads(line)["query"]["line"] for line in found.out.splitlines()] == [1]
    found = program("eval", path)
    assert "queries.txt:2: error: llama-3.1-70b fits on no layout" in found.err
    assert "queries.txt:3: error: there is no model preset 'nope'" in found.err


def test_presets_of_another_directory(program, file, preset_text):
    text = preset_text("models", "deepseek-v3")
    file("elsewhere/models/mine.yaml", text.replace("kv_lora_rank: 512", "kv_lora_rank: 640"))
    path = file(
        "queries.txt",
        "kv mine\nformula eval stored_bytes elements='parameters.total of params mine' bits=8\n",
    )
    program.refused(ExitStatus.INVALID_INPUT, "eval", path)
    found = program.ok("eval", path, "--preset-path", "elsewhere", "--json")
    first, second = (json.loads(line)["columns"][0]["values"] for line in found.out.splitlines())
    # 61 layers of 640 + 64 values of two bytes
    assert first["kv_cache.bytes_per_token"] == 85_888
    # a row of W_DKV has 7168 elements, a column of W_UK and W_UV 128 heads of 128 + 128, and the
    # norm of the latent one: arXiv:2412.19437v2, equations 1 and 5 and section 4.2
    assert second["formula.stored_bytes"] == 671_026_419_200 + 61 * 128 * (7168 + 32768 + 1)


def test_no_such_file(program):
    program.refused(ExitStatus.INVALID_INPUT, "eval", "nothing.txt")
    program.refused(ExitStatus.INVALID_INPUT, "eval", "./")
    program.refused(ExitStatus.USAGE, "eval")


@pytest.mark.parametrize(
    "content",
    ["params " + "x" * 300_000, "params nope\n" * 20_000, "params deepseek-v3 --x\n" * 10_000],
    ids=["long-line", "unknown-presets", "unknown-options"],
)
def test_hostile_files_end_soon(program, file, within, content):
    with within(10):
        program.refused(ExitStatus.INVALID_INPUT, "eval", file("queries.txt", content))


def test_a_line_may_state_its_query_by_keys(program, file):
    path = file(
        "q.txt",
        '{"command": "kv", "model": "deepseek-v3", "context": "128k"}\n'
        '{"command": "kv", "model": "deepseek-v3", "tokens": 128000}\n',
    )
    found = program.ok("eval", path, "--json")
    documents = [json.loads(line) for line in found.out.splitlines()]
    wanted = 128_000 * 61 * 576 * 2
    values = [each["columns"][0]["values"]["kv_cache.bytes"] for each in documents]
    assert values == [wanted, wanted]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"command": "kv", "model": "deepseek-v3", "context": {"a": 1}}', "context is no text"),
        ('{"command": "kv", "model": "deepseek-v3", "contxt": 1}', "did you mean --context"),
        ('{"command": "kv", "model": "a", "model": "b"}', "in this query"),
        ('{"command": "kv"', "in this query"),
        ('{"model": "deepseek-v3"}', "the query has no command"),
    ],
)
def test_a_query_by_keys_that_is_wrong(program, file, line, words):
    path = file("q.txt", f"{line}\n")
    assert words in program.refused(ExitStatus.INVALID_INPUT, "eval", path).err
