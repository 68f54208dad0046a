"""Each conformance vector holds, has the stated form, and says who counted it."""

import json

import jsonschema
import pytest
from load_script import ROOT

import dsv3calc

FOLDER = ROOT / "docs" / "vectors"
SCHEMA = json.loads((FOLDER / "vectors.schema.json").read_text("utf-8"))
FILES = sorted(
    path
    for path in FOLDER.glob("*.json")
    if "models" not in path.name and "schema" not in path.name
)
MODELS = json.loads((FOLDER / "models.json").read_text("utf-8"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_vector_holds(path):
    data = json.loads(path.read_text("utf-8"))
    jsonschema.validate(data, SCHEMA)
    ids = [each["id"] for each in data["vectors"]]
    assert len(ids) == len({*ids}) >= 40
    found = {}
    for each in data["vectors"]:
        ledger = dsv3calc.query(each["query"])
        found[each["id"]] = (ledger[each["quantity"]], ledger.named()[each["quantity"]].unit)
        assert each["inputs"].get("model", "deepseek-v3") in MODELS
    assert found == {each["id"]: (int(each["value"]), each["unit"]) for each in data["vectors"]}
