"""Shipped presets compiled at build: the same data as the YAML, taken only for the same text."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from dsv3calc.catalogue.compile_presets import compiled_folder
from dsv3calc.catalogue.own import completed
from dsv3calc.catalogue.presets import type_of
from dsv3calc.catalogue.search_path import FOLDERS, packaged_presets
from dsv3calc.reading import compiled_presets
from dsv3calc.reading.compiled_presets import MISSING, compiled, find
from dsv3calc.reading.source import Source, parsed, read_source
from dsv3calc.reading.text import Position
from dsv3calc.schema.compiled import KNOWN, checked
from dsv3calc.schema.convert import convert

FILES = sorted(Path(packaged_presets()).rglob("*.yaml"))
MODEL = Path(packaged_presets(), "models", "deepseek-v3.yaml")


def parse(text):
    return parsed(Source("", text))


@pytest.fixture(scope="module")
def content():
    return compiled_folder(packaged_presets())


@pytest.fixture
def file(tmp_path, monkeypatch, content):
    path = tmp_path / "presets.msgpack"
    path.write_bytes(content)
    monkeypatch.setattr(compiled_presets, "FILE", str(path))
    return path


def typed(data):
    """Return data with the type of each value: 1, 1.0 and true are equal in Python."""
    if isinstance(data, msgspec.Struct):
        return type(data), typed({name: getattr(data, name) for name in data.__struct_fields__})
    if isinstance(data, dict):
        return {key: typed(value) for key, value in data.items()}
    if isinstance(data, list):
        return [typed(each) for each in data]
    return type(data), data


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_shipped_file_is_compiled_to_what_its_yaml_says(path):
    source = read_source(path)
    assert typed(find(source.text)) == typed(parsed(source))


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("kind", FOLDERS)
def test_each_shipped_preset_is_compiled_to_the_struct_that_its_file_is_converted_to(kind):
    for path in sorted(Path(packaged_presets(), FOLDERS[kind]).glob("*.yaml")):
        source = read_source(path)
        data = completed(kind, str(path), source, parsed(source))
        assert typed(checked(kind, source)) == typed(convert(source, data, type_of(kind)))


@pytest.mark.usefixtures("file")
def test_a_preset_is_no_other_kind_and_no_other_text():
    source = read_source(MODEL)
    assert checked("hardware", source) is None
    assert checked("model", Source("", source.text + "\n")) is None
    assert checked("model", Source("", source.text, "json")) is None


@pytest.mark.usefixtures("file")
def test_a_struct_that_has_changed_is_converted(monkeypatch):
    class Model(msgspec.Struct):
        other: int

    monkeypatch.setitem(KNOWN, "model Model", Model)
    assert checked("model", read_source(MODEL)) is None


@pytest.mark.usefixtures("file")
def test_types_are_those_of_the_yaml():
    text = MODEL.read_text("utf-8")
    assert find(text)["name"] == "deepseek-v3"
    assert typed(find(text)["hidden_size"]) == (int, 7168)


@pytest.mark.usefixtures("file")
def test_a_changed_file_is_parsed(tmp_path):
    text = MODEL.read_text("utf-8")
    assert text.count("hidden_size: 7168") == 1
    changed = tmp_path / "deepseek-v3.yaml"
    changed.write_text(text.replace("hidden_size: 7168", "hidden_size: 7167"), "utf-8")
    assert find(changed.read_text("utf-8")) is MISSING
    assert read_source(changed).data["hidden_size"] == 7167


def test_what_was_compiled_before_a_change_is_not_used(tmp_path, monkeypatch):
    path = tmp_path / "stale.msgpack"
    path.write_bytes(compiled(["size: 1\n"], parse))
    monkeypatch.setattr(compiled_presets, "FILE", str(path))
    assert find("size: 1\n") == {"size": 1}
    assert Source("", "size: 2\n").data == {"size": 2}


def test_compiling_parses_and_does_not_copy(file):
    content = compiled(["size: 1\n"], parse)
    assert content[-1:] == b"\x01"
    file.write_bytes(content[:-1] + b"\x09")
    assert find("size: 1\n") == {"size": 9}
    assert compiled(["size: 1\n"], parse) == content


@pytest.mark.parametrize("content", [None, b"", b"\x00\x00", b"\xff" * 40, b"\x00\x00\x00\x01\xc1"])
def test_without_a_readable_compiled_file_everything_is_parsed(tmp_path, monkeypatch, content):
    path = tmp_path / "presets.msgpack"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(compiled_presets, "FILE", str(path))
    assert find(MODEL.read_text("utf-8")) is MISSING
    assert read_source(MODEL).data["hidden_size"] == 7168


@pytest.mark.usefixtures("file")
def test_data_are_the_readers_own():
    read_source(MODEL).data["hidden_size"] = 0
    assert read_source(MODEL).data["hidden_size"] == 7168


@pytest.mark.usefixtures("file")
def test_positions_are_those_of_the_yaml():
    source = read_source(MODEL)
    lines = source.text.split("\n")
    number = next(n for n, line in enumerate(lines, 1) if line.startswith("hidden_size:"))
    assert source.position(("hidden_size",)) == Position(number, len("hidden_size: ") + 1)


DUMP = """
import json, sys
from dsv3calc.reading import compiled_presets
compiled_presets.FILE = sys.argv[1]
from dsv3calc.__main__ import run
run(sys.argv[2:])
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def modules_after(file, *command):
    found = subprocess.run(
        [sys.executable, "-c", DUMP, str(file), *command], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert json.loads(found.stdout)["schema_version"] == 2
    return json.loads(found.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "command",
    [
        "kv deepseek-v3 --json",
        "kv deepseek-v3 --set kv_lora_rank=256 --json",
        "memory deepseek-v3 --layout v3-pretrain --hardware h800 --json",
        "compare mla-vs-gqa --json",
        "reproduce day6 --json",
    ],
)
def test_a_query_of_shipped_files_does_not_import_pyyaml(file, command):
    assert "yaml" not in modules_after(file, *command.split())


def test_a_query_of_a_users_file_imports_pyyaml(file, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(MODEL.read_text("utf-8") + "# mine\n", "utf-8")
    assert "yaml" in modules_after(file, "kv", str(mine), "--json")
