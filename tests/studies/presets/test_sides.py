import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack

import pytest

from dsv3calc.catalogue import presets
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.studies.presets import sides

HEALTHY = {
    "schema_version": 1,
    "command": "kv",
    "columns": [{"id": "m", "values": {"x": 1}, "units": {"x": "B"}}],
}


def git(folder, *arguments):
    subprocess.run(
        [shutil.which("git"), "-c", "user.name=n", "-c", "user.email=e@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def kept():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with my-model.yaml and, below, models/other/config.json; the first is edited."""
    text = presets.load("model", "deepseek-v3").source.text
    path = tmp_path / "my-model.yaml"
    path.write_text(text)
    (tmp_path / "models" / "other").mkdir(parents=True)
    (tmp_path / "models" / "broken.yaml").write_text("groups: 3\n")
    (tmp_path / "models" / "kv.json").write_text(json.dumps(HEALTHY))
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    path.write_text(text.replace("kv_lora_rank: 512", "kv_lora_rank: 256"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def opened(reference, kept, kind=None):
    return sides.open_side(reference, kept, kind, None)


def rank(side):
    return side.preset.value.groups[0].attention.kv_lora_rank


@pytest.mark.usefixtures("repository")
def test_a_name_a_path_and_a_revision(kept):
    assert rank(opened("deepseek-v3", kept)) == 512
    assert rank(opened("my-model.yaml", kept)) == 256
    assert rank(opened("main:my-model.yaml", kept)) == 512
    assert rank(opened("HEAD:./my-model.yaml", kept)) == 512
    assert rank(opened("main@{2100-01-01 00:00:00}:my-model.yaml", kept)) == 512


def test_no_revision_means_what_is_staged(repository, kept):
    assert rank(opened(":my-model.yaml", kept)) == 512
    git(repository, "add", ".")
    assert rank(opened(":my-model.yaml", kept)) == 256


def test_a_path_is_seen_from_the_working_directory(repository, kept, monkeypatch):
    monkeypatch.chdir(repository / "models")
    assert rank(opened("main:../my-model.yaml", kept)) == 512
    assert rank(opened("main:/my-model.yaml", kept)) == 512
    with pytest.raises(UsageError, match="does not exist"):
        opened("main:none.yaml", kept)


def test_a_file_with_a_colon_in_its_name_is_a_file(repository, kept):
    shutil.copy(repository / "my-model.yaml", repository / "main:my-model.yaml")
    assert rank(opened("main:my-model.yaml", kept)) == 256
    (repository / "c:x").write_text(json.dumps(HEALTHY))
    assert opened("c:x", kept).result.columns[0].values == {"x": 1}


@pytest.mark.usefixtures("repository")
def test_a_result_of_a_revision(kept):
    side = opened("main:models/kv.json", kept)
    assert side.sort == "a result of 'kv'"


@pytest.mark.usefixtures("repository")
def test_a_broken_file_of_a_revision_is_told_by_the_name_it_was_asked_by(kept):
    with pytest.raises(InvalidInput) as caught:
        opened("main:models/broken.yaml", kept)
    text = str(caught.value)
    assert "main:models/broken.yaml:1:" in text
    assert "dsv3calc-" not in text


def test_an_imported_config_of_a_revision_takes_the_name_of_its_folder(repository, kept):
    source = os.path.join(os.path.dirname(__file__), "..", "..", "importers", "configs")
    shutil.copy(
        os.path.join(source, "deepseek_v3.json"), repository / "models" / "other" / "config.json"
    )
    git(repository, "add", ".")
    side = opened(":models/other/config.json", kept)
    assert side.preset.name == "other"
    assert opened("models/other", kept).preset.value.groups == side.preset.value.groups


@pytest.mark.usefixtures("repository")
def test_temporary_files_are_gone_afterwards():
    with ExitStack() as kept:
        side = opened("main:my-model.yaml", kept)
        assert os.path.exists(side.path)
    assert not os.path.exists(side.path)


def test_standard_input(monkeypatch, kept):
    text = json.dumps(HEALTHY).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    side = opened("-", kept)
    assert (side.label, side.result.command) == ("<stdin>", "kv")
    preset = presets.load("hardware", "h100").source.text.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(preset)))
    assert opened("-", kept).preset.kind == "hardware"


@pytest.mark.parametrize(
    "reference",
    ["", " ", ":", "main:", "main:/", ":/", "nope:x", "main:nope.yaml", "main:models", "main:.",
     "main:../x", "-x:y", "--output=x:y", "https://example.org/x.yaml", "a\x1b[31m:x", "a\nb:c",
     "a\0b:c", "\udcff:\udcff", "{:x", "x" * 5000 + ":y", "no-such-preset", "main:models/",
     "main:" + "x" * 5000],
)  # fmt: skip
@pytest.mark.usefixtures("repository")
def test_what_leads_nowhere_is_a_usage_error(kept, reference):
    with pytest.raises(UsageError) as caught:
        opened(reference, kept)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


@pytest.mark.usefixtures("repository")
def test_a_directory_of_a_revision_is_called_one(kept):
    with pytest.raises(UsageError, match="a directory"):
        opened("main:models", kept)


def test_no_repository(tmp_path, monkeypatch, kept):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="not a git repository"):
        opened("main:x.yaml", kept)


def test_no_git(repository, monkeypatch, kept):
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(UsageError, match="git is not installed"):
        opened("main:my-model.yaml", kept)


def test_a_git_that_hangs_is_left(repository, monkeypatch, kept):
    slow = repository / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{repository}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sides, "_GIT_SECONDS", 0.2)
    with pytest.raises(UsageError, match="longer than"):
        opened("main:my-model.yaml", kept)


@pytest.mark.usefixtures("repository")
def test_a_file_of_a_revision_that_is_too_large(monkeypatch, kept):
    monkeypatch.setattr(sides, "LARGEST_RESULT", 100)
    with pytest.raises(InvalidInput, match=r"main:my-model\.yaml: error: the file is too large"):
        opened("main:my-model.yaml", kept)


def test_a_plain_file_without_ending_is_pointed_to(repository, kept):
    (repository / "saved").write_text(json.dumps(HEALTHY))
    with pytest.raises(UsageError) as caught:
        opened("saved", kept)
    assert "./saved" in caught.value.hint
    assert opened("./saved", kept).result is not None


def broken(**more):
    return json.dumps(HEALTHY | more)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (broken(columns={}), "columns is a mapping"),
        (broken(columns=[3]), "columns"),
        (broken(columns=[{"id": "m", "values": {}}]), "missing field 'units'"),
        (broken(columns=[{"id": "m", "values": {"x": "1"}, "units": {"x": "B"}}]), "not a number"),
        (broken(columns=[{"id": "m", "values": {"x": None}, "units": {"x": "B"}}]), "a number"),
        (broken(columns=[{"id": "m", "values": {"x": True}, "units": {"x": "B"}}]), "a number"),
        (broken(columns=[{"id": "m", "values": {"x": 1}, "units": {}}]), "no unit"),
        (broken(columns=HEALTHY["columns"] * 2), "duplicate column id"),
        (broken(command=3), "command"),
        (broken(schema_version=3), "schema version 3"),
        (broken(schema_version="1"), "schema_version"),
        (broken().replace('"x": 1}', '"x": NaN}'), "not a number"),
        (broken().replace('"x": 1}', '"x": 1e999}'), "too large"),
        (broken().replace('"x": 1}', '"x": 9' + "9" * 5000 + "}"), "characters"),
        (broken()[:-1], "not JSON"),
        (broken(columns=[]) + "\n" + broken(), "not JSON"),
        ('{"schema_version": 1, "columns": ' + "[" * 100_000, "nested"),
    ],
)
def test_a_broken_result_is_invalid(tmp_path, kept, text, what):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=what):
        opened(str(path), kept)


def test_a_large_broken_result_is_refused_without_reading_it_twice(tmp_path, kept, monkeypatch):
    monkeypatch.setattr(sides, "_SLOW", 10)
    path = tmp_path / "broken.json"
    for text in (broken(schema_version=3), broken(columns=[3])):
        path.write_text(text)
        with pytest.raises(InvalidInput):
            opened(str(path), kept)


def test_a_config_of_another_tool_is_no_result(tmp_path, kept):
    path = tmp_path / "x.json"
    path.write_text('{"schema_version": 1, "a": 2}')
    with pytest.raises(InvalidInput, match="no preset of a known kind"):
        opened(str(path), kept)
