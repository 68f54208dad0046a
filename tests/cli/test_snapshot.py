"""``dsv3calc snapshot``: goldens that the next check keeps."""

import pytest

from dsv3calc.__main__ import run
from dsv3calc.catalogue import presets
from dsv3calc.exit_status import ExitStatus


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def called(*arguments):
        status = run(list(arguments))
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        assert "internal error" not in found.err
        return status, found.out, found.err

    return called


def test_to_the_screen_and_to_a_file(call, tmp_path):
    queries = ("snapshot", "kv deepseek-v3", "params deepseek-v3 --variant checkpoint")
    status, out, _ = call(*queries)
    assert status == ExitStatus.OK
    assert '    expect: 70272\n    unit: "B/token"\n' in out
    assert call(*queries, "-o", "numbers.yaml")[0] == ExitStatus.OK
    assert (tmp_path / "numbers.yaml").read_text() == out
    assert call("check", "numbers.yaml")[0] == ExitStatus.OK


def test_presets_of_another_directory(call, tmp_path):
    models = tmp_path / "elsewhere" / "models"
    models.mkdir(parents=True)
    text = presets.load("model", "deepseek-v3").source.text
    (models / "mine.yaml").write_text(text.replace("kv_lora_rank: 512", "kv_lora_rank: 640"))
    assert call("snapshot", "kv mine")[0] == ExitStatus.USAGE
    status, out, _ = call("snapshot", "kv mine", "--preset-path", "elsewhere")
    assert status == ExitStatus.OK
    assert "expect: 85888\n" in out  # 61 layers of 640 + 64 values of two bytes


def test_an_existing_file_is_not_overwritten(call, tmp_path):
    (tmp_path / "numbers.yaml").write_text("mine")
    status, _, err = call("snapshot", "kv deepseek-v3", "-o", "numbers.yaml")
    assert status == ExitStatus.USAGE
    assert "the file exists" in err
    assert (tmp_path / "numbers.yaml").read_text() == "mine"


def test_chosen_quantities(call):
    status, out, _ = call(
        "snapshot", "params deepseek-v3", "--quantity", "weights.*", "--quantity", "parameters.mtp"
    )
    assert status == ExitStatus.OK
    assert 'quantity: "weights.bytes"' in out
    assert 'quantity: "parameters.mtp"' in out
    assert 'quantity: "parameters.total"' not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "QUERY"),
        (("kv deepseek-v9",), "deepseek-v9"),
        (("kv deepseek-v3", "kv  deepseek-v3"), "given twice"),
        (("kv deepseek-v3", "--quantity", "nothing.*"), "matches no quantity"),
        (("kv deepseek-v3 --json",), "output options"),
        (("check numbers.yaml",), "no query"),
    ],
)
def test_what_is_refused(call, arguments, words):
    status, out, err = call("snapshot", *arguments)
    assert status == ExitStatus.USAGE
    assert words in err
    assert not out


def test_what_if_queries_are_kept_as_typed(call):
    status, out, _ = call("snapshot", "kv deepseek-v3 --set kv_lora_rank=256 --tokens 8Ki")
    assert status == ExitStatus.OK
    assert 'query: "kv deepseek-v3 --set kv_lora_rank=256 --tokens 8Ki"' in out
    assert '"model.groups.0.attention.kv_lora_rank": 256' in out


def test_a_query_without_quotes_is_told_how_to_be_written(program):
    err = program.refused(ExitStatus.USAGE, "snapshot", "kv", "deepseek-v3", "-o", "x.yaml").err
    assert "each query is one argument, in quotes" in err
    assert "dsv3calc snapshot 'kv deepseek-v3'" in err
