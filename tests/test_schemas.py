"""The published JSON Schemas: every preset, every answer and every error is valid under them."""

import copy
import json
import re
from fnmatch import fnmatchcase

import jsonschema
import pytest
from load_script import ROOT, load_script

from dsv3calc import api
from dsv3calc.__main__ import run
from dsv3calc.catalogue.search_path import FOLDERS
from dsv3calc.errors import InvalidInput
from dsv3calc.output.json_format import as_data
from dsv3calc.reading.source import Source, read_source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.study import Study
from dsv3calc.studies.sweep.points import Points

scripts = load_script("generate_schemas")
SCHEMAS = {
    path.name.removesuffix(".schema.json"): json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "presets" / "schema").glob("*.schema.json"))
}
FILES = [
    pytest.param(kind, path, id=f"{kind}-{path.stem}")
    for kind, folder in FOLDERS.items()
    for path in sorted((ROOT / "presets" / folder).glob("*.yaml"))
]
STUDY = ROOT / "examples/studies/mla-and-experts.yaml"


def closed(schema):
    """Return a schema that takes no names but those that it lists: nothing joins unnoticed."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if "properties" in found and "required" in found:
        found.setdefault("additionalProperties", False)
    return found


def validator(name, *, strict=False):
    schema = closed(SCHEMAS[name]) if strict else SCHEMAS[name]
    return jsonschema.Draft7Validator(schema)


def problems(name, data, *, strict=False):
    found = validator(name, strict=strict).iter_errors(data)
    return [f"{error.json_path}: {error.message}"[:500] for error in found]


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas(name):
    jsonschema.Draft7Validator.check_schema(SCHEMAS[name])
    jsonschema.Draft202012Validator.check_schema(
        {**SCHEMAS[name], "$schema": "https://json-schema.org/draft/2020-12/schema"}
    )
    text = json.dumps(SCHEMAS[name])
    for keyword in ("prefixItems", "unevaluatedProperties", "discriminator", "dependentRequired"):
        assert f'"{keyword}"' not in text
    for reference in re.findall(r'"\$ref": "#/\$defs/(\w+)"', text):
        assert reference in SCHEMAS[name]["$defs"]


def test_every_kind_of_preset_has_a_schema():
    assert set(SCHEMAS) == {*FOLDERS, "golden", "study", "answer", "errors"}
    assert set(scripts.PRESETS) == {*FOLDERS, "golden", "study"}


@pytest.mark.parametrize(("kind", "path"), FILES)
def test_presets_are_valid(kind, path):
    assert problems(kind, read_source(str(path)).data) == []
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert first == f"# yaml-language-server: $schema=../schema/{kind}.schema.json"


@pytest.mark.parametrize(("kind", "path"), FILES)
def test_schema_and_loader_refuse_the_same_changes(kind, path):
    data = read_source(str(path)).data
    changes = [({**data, "unknown_key": 1}), {key: data[key] for key in data if key != "name"}]
    changes += [{**data, key: -1} for key, value in data.items() if isinstance(value, int)]
    for changed in changes:
        assert problems(kind, changed)
        with pytest.raises(InvalidInput):
            convert(Source("changed.yaml", "{}"), copy.deepcopy(changed), scripts.PRESETS[kind])


def test_a_quantity_may_be_a_number_or_a_text():
    data = read_source(str(ROOT / "presets/hardware/h800.yaml")).data
    for value, fits in [(3.35e12, True), ("3.35 TB/s", True), ("fast", False), (0, False),
                        (None, False), ([], False)]:  # fmt: skip
        changed = copy.deepcopy(data)
        changed["scale_up"]["nominal"] = value
        assert bool(problems("hardware", changed)) != fits


def test_numbers_are_described():
    model = SCHEMAS["model"]
    assert model["properties"]["hidden_size"]["description"].endswith("[elements]")
    assert model["$defs"]["MLA"]["description"].startswith("Multi-head latent attention")
    assert "rows" not in SCHEMAS["comparison"]["properties"]["rows"].get("description", "")


QUERIES = [
    "params deepseek-v3",
    "params deepseek-v3 --variant checkpoint",
    "params gpt-oss-120b --by tensor",
    "params llama-4-maverick --by layer",
    "params qwen2.5-7b --set hidden_size=1024",
    "flops deepseek-v3 --phase train --seq 4096",
    "flops deepseek-v3.2 --phase decode --past 8192 --mla absorbed",
    "flops deepseek-v3 --convention isca25-table2",
    "flops qwen-72b --counting twelve-l-h2",
    "flops gemma-3-27b --as transformers --phase prefill",
    "flops qwen2.5-7b --mla naive",
    "kv deepseek-v3 --tokens 128k --batch 32 --kv-dtype fp8-mla",
    "kv gemma-3-27b --fit 40GiB --page-size 64",
    "kv deepseek-v3 --with-mtp",
    "compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800",
    "compare deepseek-v3 --vary deepseek-v3:attention=gqa:8 --hardware h100 --batch 64",
]


@pytest.mark.parametrize("query", QUERIES)
def test_answers_are_valid(query):
    answer = api.answer(query)
    for ledger in (False, True):
        data = json.loads(json.dumps(as_data(answer, ledger=ledger), allow_nan=False))
        assert problems("answer", data, strict=True) == []
        for column in data["columns"]:
            assert column["values"].keys() == column["units"].keys()
            assert set(column["main"]) <= column["values"].keys()


@pytest.mark.parametrize(
    "arguments",
    [
        ["presets", "list"],
        ["presets", "show", "h800"],
        ["presets", "where", "deepseek-v3"],
        ["presets", "diff", "deepseek-v3", "deepseek-v2"],
        ["presets", "validate", "presets/models/deepseek-v3.yaml"],
        ["conventions", "list"],
        ["import", "tests/importers/configs/llama.json"],
        ["explain", "flops", "deepseek-v3.2", "--phase", "decode"],
        ["explain", "compare", "deepseek-v3", "gpt-oss-120b", "--line", "kv_cache.bytes"],
        ["explain", "kv", "gemma-3-27b", "--fit", "40GiB", "--line", "kv_cache.fit.tokens"],
        ["formula", "list", "memory"],
        ["formula", "show", "stage_start"],
        ["formula", "derive", "kv_cache.bytes", "gemma-3-27b", "--free", "tokens,batch"],
        ["formula", "solve", "kv_cache.bytes <= 1GiB", "gemma-3-27b", "--for", "batch"],
        ["formula", "sensitivity", "flops.total", "gemma-3-27b"],
    ],
    ids=" ".join,
)
def test_listings_are_valid(arguments, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    status = run([*arguments, "--json"])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    assert problems("answer", json.loads(captured.out), strict=True) == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["params", "deepseek-v33"], "usage"),
        (["params"], "usage"),
        (["kv", "deepseek-v3", "--tokens", "7 apples"], "usage"),
        (["params", "deepseek-v3", "--set", "hidden_size=-1"], "usage"),
        (["params", "no/such/file.yaml"], "invalid-input"),
        (["params", "BROKEN"], "invalid-input"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_errors_are_valid(arguments, kind, capsys, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: x\nhiden_size: 7\ngroups: []\n", encoding="utf-8")
    arguments = [str(broken) if word == "BROKEN" else word for word in arguments]
    status = run([*arguments, "--json"])
    captured = capsys.readouterr()
    assert status in (2, 3)
    assert captured.out == ""
    data = json.loads(captured.err)
    assert problems("errors", data, strict=True) == []
    assert {entry["kind"] for entry in data["errors"]} == {kind}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.pop("warnings"),
        lambda data: data.update(schema_version=1),
        lambda data: data["columns"][0]["values"].update({"parameters.total": "671026419200"}),
        lambda data: data["columns"][0]["ledger"]["lines"][0].update(rule="guess"),
        lambda data: data["columns"][0]["ledger"]["lines"][0].update(value=None),
        lambda data: data["columns"][0]["ledger"]["lines"][0]["parts"][0].pop("unit"),
        lambda data: data["columns"][0]["ledger"]["lines"][0].update(formula="flops.linear_flops"),
        lambda data: data["sources"][0].update(kind="rumour"),
    ],
)
def test_a_spoilt_answer_is_not_valid(spoil):
    data = json.loads(json.dumps(as_data(api.answer("params deepseek-v3"), ledger=True)))
    assert problems("answer", data) == []
    spoil(data)
    assert problems("answer", data)


def test_a_reader_passes_over_what_it_does_not_know():
    data = as_data(api.answer("params deepseek-v3"))
    data["novelty"] = 1
    assert problems("answer", data) == []
    assert problems("answer", data, strict=True)


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"command": "kv", "model": "deepseek-v3", "context": "32Ki", "with_mtp": True}, True),
        ({"command": "kv", "model": "deepseek-v3", "tokens": 32768}, True),
        ({"command": "compare", "models": ["deepseek-v3"], "rows": ["flops"]}, True),
        ({"command": "limits ep", "model": "deepseek-v3", "hardware": "h800"}, True),
        ({"command": "limits ep", "model": "deepseek-v3"}, False),
        ({"command": "kv", "model": "deepseek-v3", "layout": "v3-pretrain"}, False),
        ({"command": "kv", "model": "deepseek-v3", "context": 0}, False),
        ({"command": "kv"}, False),
        ({"command": "presets list"}, False),
    ],
)
def test_a_query_by_keys_is_checked(query, fits):
    row = {"query": query, "quantity": "kv_cache.bytes", "expect": 1}
    assert bool(problems("golden", {"goldens": [row]})) != fits


@pytest.mark.parametrize(
    "line",
    [
        "kv deepseek-v3 --context 128k --kv-dtype fp8-mla --page-size 64",
        "flops deepseek-v3 --phase decode --context 8192",
        "params deepseek-v3 --include mtp",
        "compare deepseek-v3 qwen2.5-72b --batch 64",
    ],
)
def test_the_query_of_an_answer_is_a_query_by_keys(line):
    answer = api.answer(line)
    row = {"query": {"command": answer.command, **answer.query}, "quantity": "q", "expect": 1}
    assert problems("golden", {"goldens": [row]}) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("option: hardware", "option: hardwear"),
        ("    option: hardware\n", "    option: hardware\n    vary: 1\n"),
        ("  time: time.floor", "  time-floor: time.floor"),
        ("[h800, gb200-nvl72]", "[]"),
        ("title:", "headline:"),
    ],
)
def test_a_study_that_is_refused_is_wrong_by_its_schema(old, new):
    text = STUDY.read_text("utf-8")
    assert problems("study", Source("study.yaml", text).data) == []
    assert text.startswith("# yaml-language-server: $schema=../../presets/schema/study.schema")
    changed = Source("study.yaml", text.replace(old, new, 1))
    assert changed.data != Source("study.yaml", text).data
    assert problems("study", changed.data) != []
    with pytest.raises(InvalidInput):
        Points(convert(changed, changed.data, Study), api.answer, api.parse_query, changed)


def test_the_catalogue_leads_each_preset_to_its_schema():
    folder = ROOT / "presets"
    entries = json.loads((folder / "schema" / "catalog.json").read_text("utf-8"))["schemas"]
    kinds = {schema["$id"]: name for name, schema in SCHEMAS.items()}
    assert len(kinds) == len(SCHEMAS)
    for case in FILES:
        kind, path = case.values
        inside = path.relative_to(ROOT).as_posix()
        found = [
            kinds[entry["url"]]
            for entry in entries
            for pattern in entry["fileMatch"]
            if fnmatchcase(inside, pattern.removeprefix("**/"))
        ]
        assert found == [kind]
