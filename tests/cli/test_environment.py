"""Installations that lack something: what still works, and what is refused with what to install."""

import json
import subprocess
import sys

import pytest
import yaml

import dsv3calc
from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.exit_status import ExitStatus
from dsv3calc.reading.source import Source, parsed
from dsv3calc.reading.text import DEEPEST

FEWEST = ["memory", "deepseek-v3", "--hardware", "h800", "--tp", "8", "--fewest-gpus"]
NEEDS = {
    "numpy": FEWEST,
    "sympy": ["formula", "derive", "kv_cache.bytes", "deepseek-v3", "--free", "tokens"],
}


@pytest.fixture
def without(monkeypatch):
    """Return what makes a package impossible to import."""

    def remove(package, *users):
        for name in [each for each in sys.modules if each.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)
        for name in users:  # they would keep what they imported
            monkeypatch.delitem(sys.modules, name, raising=False)

    return remove


@pytest.mark.parametrize("package", NEEDS)
def test_a_package_that_is_needed_is_named(program, without, package):
    without(package)
    found = program.refused(ExitStatus.USAGE, *NEEDS[package])
    assert f"this needs the Python package {package}" in found.err
    assert f"python -m pip install {package}" in found.err
    program.ok("kv", "deepseek-v3")


def test_a_row_that_needs_a_package_leaves_the_others(program, file, without):
    without("numpy")
    path = file(
        "numbers.yaml",
        f"goldens:\n  - {{query: '{' '.join(FEWEST)}', quantity: memory.worst.total, expect: 1}}\n"
        "  - {query: kv deepseek-v3, quantity: kv_cache.bytes_per_token, expect: 70272}\n",
    )
    found = program("check", path, "--json")
    assert found.status == ExitStatus.INVALID_INPUT
    assert [row["status"] for row in found.data["rows"]] == ["broken", "kept"]
    assert "numpy" in found.data["rows"][0]["why"][0]


def test_from_python(without):
    without("numpy")
    with pytest.raises(dsv3calc.UsageError, match="numpy"):
        dsv3calc.query(" ".join(FEWEST))


def test_tables_without_rich_are_plain(program, without):
    plain = program.ok("kv", "deepseek-v3")
    without("rich", "dsv3calc.output.terminal")
    found = program.ok("kv", "deepseek-v3", "--color", "always")
    assert (found.out, found.err) == (plain.out, plain.err)


NESTED = "[" * (DEEPEST + 1)
REFUSED = {
    "a: 1\na: 2\n": "duplicate key",
    "a: &x 1\n": "anchor",
    "a: *x\n": "alias",
    "a: !t 1\n": "tag",
    "<<: 1\n": "merge key",
    "a: 1\n---\nb: 2\n": "second document",
    "%YAML 1.1\n---\na: 1\n": "another version of YAML",
    "a: .inf\n": "not a number",
    "a: [1\n": "not YAML",
    "\ta: 1\n": "tabs",
    'a: "\\ud800"\n': "escape",
    'a: "\\U00110000"\n': "escape",
    f"{NESTED}\n": f"more than {DEEPEST} levels",
    "# nothing\n": "no data",
}
PURE = """
import json, pathlib, sys
sys.modules["yaml._yaml"] = None  # PyYAML built without libyaml
import yaml
assert not hasattr(yaml, "CSafeLoader") and not hasattr(yaml, "CParser")
from dsv3calc.errors import InvalidInput
from dsv3calc.reading.source import Source, parsed
paths, refused = json.load(sys.stdin)
said = []
for text in refused:
    try:
        said.append(repr(Source("x", text).data))
    except InvalidInput as error:
        said.append(str(error))
data = [parsed(Source(path, pathlib.Path(path).read_text("utf-8"))) for path in paths]
json.dump([data, said], sys.stdout)
"""


def test_without_libyaml_the_same_is_read_and_refused(process_environment, tmp_path):
    folder = packaged_presets()
    paths = [
        f"{folder}/{name}.yaml"
        for name in (
            "models/deepseek-v3", "models/gpt-oss-120b", "hardware/h800", "layouts/v3-pretrain",
            "precisions/fp8-deepseek-v3", "goldens/papers/isca25",
        )
    ]  # fmt: skip
    assert hasattr(yaml, "CSafeLoader")
    found = subprocess.run(
        [sys.executable, "-c", PURE], input=json.dumps([paths, list(REFUSED)]),
        env=process_environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    data, said = json.loads(found.stdout)
    for path, read in zip(paths, data, strict=True):
        with open(path, encoding="utf-8") as file:
            assert read == parsed(Source(path, file.read()))
    for (text, words), told in zip(REFUSED.items(), said, strict=True):
        assert words in told, (text, told)


def test_a_query_without_libyaml(process_environment, tmp_path):
    script = (
        "import sys; sys.modules['yaml._yaml'] = None; "
        "from dsv3calc.__main__ import run; sys.exit(run(sys.argv[1:]))"
    )
    with open(f"{packaged_presets()}/models/deepseek-v3.yaml", encoding="utf-8") as file:
        text = file.read()
    # a text that was not compiled
    (tmp_path / "mine.yaml").write_text(f"{text}# mine\n", encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-c", script, "kv", "mine.yaml", "--json"], env=process_environment,
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == ExitStatus.OK, found.stderr
    assert json.loads(found.stdout)["columns"][0]["values"]["kv_cache.bytes_per_token"] == 70272
