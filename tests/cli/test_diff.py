import json
import shutil
import subprocess
import sys

import pytest

from dsv3calc.__main__ import run
from dsv3calc.catalogue import presets
from dsv3calc.exit_status import ExitStatus


@pytest.fixture
def call(capsys):
    def called(*arguments):
        status = run(["diff", *arguments])
        found = capsys.readouterr()
        assert "Traceback" not in found.err
        assert "internal error" not in found.err
        return status, found.out, found.err

    return called


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """A repository whose my-model.yaml has another kv_lora_rank than at main."""
    text = presets.load("model", "deepseek-v3").source.text
    path = tmp_path / "my-model.yaml"
    path.write_text(text)
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run([shutil.which("git"), *identity, *arguments], cwd=tmp_path, check=True)
    path.write_text(text.replace("kv_lora_rank: 512", "kv_lora_rank: 520"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("edited")
def test_two_revisions_of_a_model(call):
    status, out, _ = call("main:my-model.yaml", "my-model.yaml", "--fail-over", "1%")
    assert status == ExitStatus.CHECK_FAILED
    assert "main:my-model.yaml -> my-model.yaml" in out
    assert "kv_cache.bytes_per_token" in out
    assert "+1.39 %" in out
    status, out, _ = call("main:my-model.yaml", "my-model.yaml", "--fail-over", "30%")
    assert status == ExitStatus.OK
    assert "0 beyond 30 %" in out
    status, _, _ = call("main:my-model.yaml", "my-model.yaml")
    assert status == ExitStatus.OK


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize(
    "revision", ["a{b", "a}b", "{", "HEAD^{commit}", "main@{0}", "HEAD^{/fir|x: y}"]
)
def test_braces_in_a_revision(call, revision):
    if "^" not in revision and "@" not in revision:
        subprocess.run([shutil.which("git"), "branch", revision], check=True)
    status, out, _ = call(f"{revision}:my-model.yaml", "my-model.yaml")
    assert status == ExitStatus.OK
    assert "+1.39 %" in out


@pytest.mark.usefixtures("edited")
def test_the_same(call):
    status, out, _ = call("main:my-model.yaml", "HEAD:my-model.yaml", "--fail-over", "0")
    assert status == ExitStatus.OK
    assert "note: the same" in out


@pytest.mark.parametrize("form", ["json", "csv", "markdown", "table"])
def test_every_format(call, form):
    status, out, _ = call("deepseek-v3", "kimi-k2", "--format", form, "--fail-over", "10%", "--all")
    assert status == ExitStatus.CHECK_FAILED
    assert "kv_cache.bytes_per_token" in out
    if form == "json":
        data = json.loads(out)
        keys = ["section", "column", "name", "unit", "a", "b", "difference", "ratio", "change"]
        assert list(data["rows"][0]) == [*keys, "status", "over"]
        assert data["query"]["of"] == "model"


def test_exact_numbers(call):
    _, out, _ = call("deepseek-v3", "kimi-k2", "--exact")
    assert "671,026,419,200" in out


def test_values_that_look_alike_are_told_apart(tmp_path, call):
    for name, value in (("a", 10**12), ("b", 10**12 + 1)):
        column = {"id": "m", "values": {"x": value}, "units": {"x": "B"}}
        data = {"schema_version": 1, "command": "kv", "columns": [column]}
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    _, out, _ = call(str(tmp_path / "a.json"), str(tmp_path / "b.json"))
    assert "1,000,000,000,001 B" in out
    assert "+1e-10 %" in out


def test_a_result_against_standard_input(tmp_path):
    ask = [sys.executable, "-m", "dsv3calc"]
    saved = tmp_path / "saved.json"
    subprocess.run([*ask, "kv", "deepseek-v3", "--json", "-o", saved], check=True)
    now = subprocess.run(
        [*ask, "kv", "deepseek-v3", "--tokens", "8192", "--json"], check=True, capture_output=True
    )
    done = subprocess.run(
        [*ask, "diff", saved, "-", "--fail-over", "1%", "--json"],
        input=now.stdout,
        capture_output=True,
        check=False,
    )
    assert done.returncode == ExitStatus.CHECK_FAILED
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["kv_cache.bytes"]["ratio"] == 2
    assert "kv_cache.bytes_per_token" not in rows


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["h100", "-"], 3),
        (["-", "-"], 2),
        (["", "h100"], 2),
        ([":", "h100"], 2),
        (["main:", "h100"], 2),
        (["no:thing", "h100"], 2),
        (["--", "-x:y", "h100"], 2),
        (["h100", "deepseek-v3"], 2),
        (["h100", "h101"], 2),
        (["h100", "h800", "--kind", "thing"], 2),
        (["bf16", "bf16"], 2),
        (["h100", "h800", "--fail-over", "much"], 2),
        (["h100", "missing.yaml"], 3),
        (["h100", "."], 3),
        (["h100", "./"], 3),
        (["h100", "\udcff:\udcff"], 2),
        (["h100", "\udcff.yaml"], 3),
    ],
)
def test_what_is_wrong_has_its_status(tmp_path, monkeypatch, call, arguments, status):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)
    found, out, err = call(*arguments)
    assert (found, out) == (status, "")
    assert err


def test_a_file_whose_name_is_not_utf8(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    text = presets.load("hardware", "h100").source.text
    try:
        (tmp_path / "\udcff.yaml").write_text(text)
    except OSError:  # a file system that takes UTF-8 alone has no such file either
        return
    status, out, _ = call("./\udcff.yaml", "h100", "--json")
    assert status == ExitStatus.OK
    assert json.loads(out)["query"]["a"] == "./\\udcff.yaml"
