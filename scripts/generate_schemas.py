"""Write the JSON Schemas: of presets, for editors, and of what the command line prints.

Usage: ``python scripts/generate_schemas.py [--check]``. The schemas of presets come from the
structs that read them; those of answers and errors are written here, as the contract that they are.
Editors know draft 07 and older, so nothing newer is used.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys
from typing import Annotated, Any, get_args, get_origin

import msgspec
from fresh import write

from dsv3calc.catalogue.search_path import FOLDERS
from dsv3calc.formulas.registry.docstring import dedented
from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.ledger.rules import RULES
from dsv3calc.numbers.quantity import DIMENSIONS, LONGEST_TEXT
from dsv3calc.queries.fields import Field, fields_of, keys_of
from dsv3calc.queries.table import QUERIES, struct_of
from dsv3calc.schema.achieved import AchievedDefaults
from dsv3calc.schema.comparison import Comparison
from dsv3calc.schema.failures import Failures
from dsv3calc.schema.fields import Kind
from dsv3calc.schema.golden import GoldenFile
from dsv3calc.schema.hardware import Hardware
from dsv3calc.schema.layout import Layout
from dsv3calc.schema.memory import Recipe, Recompute
from dsv3calc.schema.model import Model
from dsv3calc.schema.network import Network
from dsv3calc.schema.precision import KVFormat, Precision
from dsv3calc.schema.setup import Setup
from dsv3calc.schema.study import Study
from dsv3calc.studies.answer import SCHEMA_VERSION
from dsv3calc.studies.explain.provenance import DEFINITION, QUERY

DRAFT = "http://json-schema.org/draft-07/schema#"

PRESETS: dict[str, type[msgspec.Struct]] = {
    "model": Model,
    "hardware": Hardware,
    "achieved": AchievedDefaults,
    "precision": Precision,
    "kv_format": KVFormat,
    "comparison": Comparison,
    "layout": Layout,
    "network": Network,
    "recipe": Recipe,
    "recompute": Recompute,
    "setup": Setup,
    "failures": Failures,
    "golden": GoldenFile,
    "study": Study,
}
"""Kind of preset, golden file or study -> the struct that reads it."""

Schema = dict[str, Any]


def preset_schema(kind: str) -> Schema:
    """Return the schema of a preset file."""
    type_ = PRESETS[kind]
    generated = msgspec.json.schema(type_)
    definitions: dict[str, Schema] = generated["$defs"]
    for struct in structs_of(type_, {}).values():
        _finish(definitions[struct.__name__], struct)
    if kind == "golden":
        definitions["Golden"]["properties"]["query"]["anyOf"][1] = {"$ref": "#/$defs/Query"}
        definitions["Query"] = query_schema()
    if kind == "study":
        options = sorted(option_names())
        for name in ("Axis", "Group"):
            definitions[name]["properties"]["option"]["anyOf"][0] = {"enum": options}
        columns = definitions["Study"]["properties"]["outputs"]
        columns["propertyNames"] = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
    root = definitions.pop(type_.__name__)
    root = {"$schema": DRAFT, **root}
    if definitions:
        root["$defs"] = definitions
    cleaned: Schema = _without_discriminators(root)
    return cleaned


def option_names() -> set[str]:
    """Return the options that some query has, without their dashes."""
    fields = [
        field for command in QUERIES.values() for field in fields_of(struct_of(command)).values()
    ]
    return {field.flag.removeprefix("--") for field in fields if not field.option.positional}


def query_schema() -> Schema:
    """Return the schema of a query that is stated by keys, from the fields of its struct."""
    queries = []
    for words, command in QUERIES.items():
        struct = struct_of(command)
        properties: dict[str, Schema] = {"command": {"const": words}}
        for key, (field, typed) in keys_of(struct).items():
            old = typed in field.option.old
            words_ = f"old name of {field.parameter}" if old else field.option.text
            properties[key] = {"description": words_, **_value_schema(field)}
        required = [field.name for field in fields_of(struct).values() if field.required]
        queries.append(
            {
                "description": command.help,
                "type": "object",
                "properties": properties,
                "required": ["command", *required],
                "additionalProperties": False,
            }
        )
    return {"description": "A query by keys: the names of its options.", "anyOf": queries}


def _value_schema(field: Field) -> Schema:
    """Return the schema of a field's value."""
    option = field.option
    if field.kind == "flag":
        return {"type": "boolean"}
    if option.dimension:
        number: Schema = {"type": "integer" if field.kind == "whole" else "number"}
        if field.kind == "whole" and option.least is not None:
            number["minimum"] = option.least
        return _or_text(number, option.dimension)
    text: Schema = {"type": "string"}
    if option.choices:
        text["examples"] = option.values()
    if field.kind == "texts":
        return {"anyOf": [text, {"type": "array", "items": text}]}
    return text


def structs_of(type_: Any, found: dict[str, type[msgspec.Struct]]) -> dict[str, Any]:
    """Collect the structs that a type is made of, by name."""
    struct = isinstance(type_, type) and issubclass(type_, msgspec.Struct)
    if struct and type_.__name__ not in found:
        found[type_.__name__] = type_
        for field in msgspec.structs.fields(type_):
            structs_of(field.type, found)
    for argument in get_args(type_):
        structs_of(argument, found)
    return found


def _finish(node: Schema, struct: type[msgspec.Struct]) -> None:
    """Add what msgspec does not tell: texts for quantities, and the meaning of numbers."""
    node["description"] = "\n".join(dedented(struct.__doc__ or "")).strip().replace("``", "`")
    for field in msgspec.structs.fields(struct):
        name = field.encode_name
        property_ = node["properties"][name]
        dimension, inside = dimension_of(field.type)
        if dimension and inside:
            property_["additionalProperties"] = _or_text(
                property_["additionalProperties"], dimension
            )
        elif dimension:
            property_ = node["properties"][name] = _or_text(property_, dimension)
        symbol = SYMBOLS.get(name)
        if symbol is not None and is_number(field.type):
            unit = "" if symbol.unit == "1" else f" [{symbol.unit}]"
            property_["description"] = f"{symbol.description}{unit}"


def dimension_of(type_: Any, *, inside: bool = False) -> tuple[str, bool]:
    """Return the dimension of a field, and whether it is that of a mapping's values."""
    if get_origin(type_) is Annotated:
        for meta in get_args(type_)[1:]:
            if isinstance(meta, msgspec.Meta) and meta.extra:
                return str(meta.extra["dimension"]), inside
    for argument in get_args(type_):
        dimension, deeper = dimension_of(argument, inside=inside or get_origin(type_) is dict)
        if dimension:
            return dimension, deeper
    return "", inside


def is_number(type_: Any) -> bool:
    """Tell whether a field holds a number, or a mapping of numbers."""
    if get_origin(type_) is dict:
        return is_number(get_args(type_)[1])
    if type_ in (int, float):
        return True
    known = get_args(type_)[:1] if get_origin(type_) is Annotated else get_args(type_)
    return any(is_number(argument) for argument in known)


def _or_text(node: Schema, dimension: str) -> Schema:
    """Let a number be given as a quantity in words too."""
    words, examples = DIMENSIONS[dimension]
    text = {
        "type": "string",
        "description": f"a quantity in words, or a plain number of {words}",
        "maxLength": LONGEST_TEXT,
        "pattern": r"^\s*[-+$]?\s*[0-9.]",
        "examples": list(examples),
    }
    outer = {key: value for key, value in node.items() if key in ("default", "description")}
    choices = node.get("anyOf") or [{k: v for k, v in node.items() if k not in outer}]
    return {"anyOf": [*choices, text], **outer}


def _without_discriminators(node: Any) -> Any:
    """Drop OpenAPI's ``discriminator``, which JSON Schema does not know."""
    if isinstance(node, dict):
        return {
            key: _without_discriminators(value)
            for key, value in node.items()
            if key != "discriminator"
        }
    return [_without_discriminators(item) for item in node] if isinstance(node, list) else node


def _object(description: str, properties: dict[str, Any], *optional: str, **more: Any) -> Schema:
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        **more,
    }


def _texts(description: str) -> Schema:
    return {"description": description, "type": "array", "items": {"type": "string"}}


def _text(description: str, **more: Any) -> Schema:
    return {"description": description, "type": "string", **more}


def _number(description: str = "") -> Schema:
    return {"type": "number"} | ({"description": description} if description else {})


def _value(description: str = "") -> Schema:
    """Describe the value of a line: a number, or a word such as a schedule that was found."""
    value = {"type": ["number", "string"], "pattern": "[A-Za-z]"}  # no number is written as text
    return value | ({"description": description} if description else {})


def _cell(description: str) -> Schema:
    """Return the schema of a plain value: a scalar, or a list or mapping of them."""
    return {
        "description": description,
        "type": ["string", "number", "boolean", "null", "array", "object"],
    }


def explanation_schemas() -> dict[str, Schema]:
    """Return what ``--explain`` adds to an answer: explained lines, their inputs and origins."""
    origin = _object(
        "Where a value was read.",
        {
            "kind": _text(
                "that of its source; query: the query or its defaults say it; definition: it is "
                "counted so",
                enum=[*get_args(Kind), QUERY, DEFINITION],
            ),
            "citation": _text("down to table or section, or the option"),
            "file": _text("the preset's file"),
            "line": {"description": "from 1", "type": "integer", "minimum": 1},
            "url": _text("where to look"),
            "read": _text("the date on which it was read"),
            "note": _text("what a reader should know"),
        },
        "citation", "file", "line", "url", "read", "note",
    )  # fmt: skip
    explained = _object(
        "A number in words, in symbols and with numbers put in. What stands in full already is "
        "given by name and value, marked repeated.",
        {
            "name": _text("of the line, or the place that a value was read from"),
            "value": _number("in the base unit, exact"),
            "unit": _text("the base unit"),
            "rule": _text("as in a ledger", enum=[*RULES, "formula", "search", "walk", "given"]),
            "convention": _text("what was counted, where there are several ways"),
            "formula": _text("subject.name in the registry", pattern=r"^[a-z_0-9]+\.[a-z_0-9]+$"),
            "summary": _text("what is computed, in a sentence"),
            "words": _text("the right-hand side in names"),
            "symbols": _text("the equation in symbols"),
            "numbers": _text("the right-hand side with the values put in; it gives the value"),
            "source": _text("whose formula it is"),
            "origin": {"$ref": "#/$defs/origin"},
            "inputs": {
                "description": "what goes in: a formula's arguments, or the parts of another rule",
                "type": "array",
                "items": _object(
                    "One input.",
                    {
                        "parameter": _text("name of the argument"),
                        "symbol": _text("as it stands in the equation"),
                        "meaning": _text("what the symbol stands for"),
                        "line": {"$ref": "#/$defs/explained"},
                    },
                    "parameter", "symbol", "meaning",
                ),
            },
            "repeated": {"description": "it stands in full earlier", "const": True},
        },
        "convention", "formula", "summary", "words", "symbols", "numbers", "source", "origin",
        "inputs", "repeated",
    )  # fmt: skip
    return {"explained": explained, "origin": origin}


def answer_schema() -> Schema:
    """Return the schema of what a command prints with ``--format json``."""
    line = _object(
        "One number and how it came to be. A line that a ledger needs again is given by name and "
        "value alone, marked repeated.",
        {
            "name": _text("dotted, stable name; of a given value, the place it was read from"),
            "value": _value("in the base unit, exact; a word for what is chosen by name"),
            "unit": _text("the base unit"),
            "rule": _text(
                "how the value follows: from the parts (sum, product, maximum, difference: first "
                "minus the others, ratio: first by second), from a formula of the arguments, by a "
                "search under the stated convention, by the walk of a schedule, or given",
                enum=[*RULES, "formula", "search", "walk", "given"],
            ),
            "convention": _text("what was counted, where there are several ways"),
            "formula": _text("subject.name in the registry", pattern=r"^[a-z_0-9]+\.[a-z_0-9]+$"),
            "arguments": {
                "description": "the formula's arguments by name",
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/argument"},
            },
            "parts": {
                "description": "the lines that the rule combines, in order",
                "type": "array",
                "items": {"$ref": "#/$defs/line"},
            },
            "repeated": {
                "description": "the line stands in full earlier in the same ledger",
                "const": True,
            },
        },
        "convention", "formula", "arguments", "parts", "repeated",
        dependencies={"formula": ["arguments"], "arguments": ["formula"]},
    )  # fmt: skip
    argument = {
        "description": "a value and where it was read, or the line that computed it",
        "anyOf": [
            _object(
                "a plain value",
                {"value": _number(), "from": _text("the field or option it was read from")},
                "from",
                additionalProperties=False,
            ),
            {"$ref": "#/$defs/line"},
        ],
    }
    column = _object(
        "One design.",
        {
            "id": _text("unique in the answer", minLength=1),
            "title": _text("for people"),
            "settings": {
                "description": "what the design is counted with; for compare alone",
                "type": "object",
                "additionalProperties": {"type": ["string", "integer"]},
            },
            "values": {
                "description": "the public lines by their stable names, in base units; every "
                "computed line with --ledger",
                "type": "object",
                "additionalProperties": _value(),
            },
            "units": {
                "description": "the unit of each of values",
                "type": "object",
                "additionalProperties": {"type": "string"},
            },
            "main": {
                "description": "the names of values that stand at the top of the ledger, and of "
                "their parts: what diff lists first",
                "type": "array",
                "items": _text("a name of values"),
            },
            "ledger": _object(
                "How the numbers came to be; with --ledger alone.",
                {
                    "title": _text("for people"),
                    "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
                },
            ),
        },
        "settings", "ledger",
    )  # fmt: skip
    source = _object(
        "Where values of a preset were read.",
        {
            "id": _text("preset:source"),
            "kind": _text("how the data came to be", enum=list(get_args(Kind))),
            "citation": _text("down to table or section"),
            "url": _text("empty where there is none"),
            "read": _text("the date on which it was read, or empty"),
        },
    )
    return {
        "$schema": DRAFT,
        "title": "An answer of dsv3calc",
        **_object(
            "What a command prints with --format json. Within one schema_version names keep their "
            "meaning and none goes away; new ones may join, so readers pass over what they do not "
            "know. Numbers are raw base units: exact integers as integers, never NaN or infinity.",
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "command": _text("the subcommand", minLength=1),
                "query": {
                    "description": "what was asked, defaults filled in",
                    "type": "object",
                    "additionalProperties": _cell("an option or argument"),
                },
                "columns": {
                    "description": "one for a single query, one per design for compare",
                    "type": "array",
                    "items": {"$ref": "#/$defs/column"},
                },
                "rows": {
                    "description": "what a command lists, where it lists anything",
                    "type": "array",
                    "items": {"type": "object", "additionalProperties": _cell("a cell")},
                },
                "assumptions": _texts("values that nothing published states, in words"),
                "warnings": _texts("what the reader may not expect"),
                "notes": _texts("how inputs were read"),
                "sources": {"type": "array", "items": {"$ref": "#/$defs/source"}},
                "explanations": {
                    "description": "how lines came about; with --explain alone",
                    "type": "array",
                    "items": _object(
                        "One line of one design.",
                        {
                            "column": _text("id of the design"),
                            "title": _text("for people"),
                            "line": {"$ref": "#/$defs/explained"},
                        },
                    ),
                },
            },
            "explanations",
        ),
        "$defs": {"column": column, "line": line, "argument": argument, "source": source}
        | explanation_schemas(),
    }


def errors_schema() -> Schema:
    """Return the schema of what stderr carries after a failure where JSON was asked for."""
    place = {"type": ["integer", "null"], "minimum": 1}
    problem = _object(
        "One problem of the input, the command line or a file.",
        {
            "kind": _text(
                "invalid-input: a preset or config, with its place; usage: the command line; "
                "file: it cannot be read or written; infeasible: nothing satisfies the query; "
                "internal: a defect of dsv3calc",
                enum=["invalid-input", "usage", "file", "infeasible", "internal"],
            ),
            "what": _text("the problem in a sentence", minLength=1),
            "next": _text("the command or step to try; may be empty"),
            "file": _text("the file's name as it was given"),
            "line": {"description": "from 1; null where there is no place", **place},
            "column": {"description": "from 1, in characters", **place},
            "path": _text("dotted path of the field"),
            "why": _text("why it matters"),
            "valid": _text("what would be accepted"),
            "suggestion": _text("what was probably meant"),
            "source_line": _text("the line of the file"),
        },
        "next", "file", "line", "column", "path", "why", "valid", "suggestion", "source_line",
        **{
            "if": {"properties": {"kind": {"const": "invalid-input"}}},
            "then": {
                "required": ["file", "line", "column", "path", "why", "valid", "suggestion", "next"]
            },
        },
    )  # fmt: skip
    return {
        "$schema": DRAFT,
        "title": "Errors of dsv3calc",
        **_object(
            "What stderr carries when a command with --format json fails; stdout is empty and the "
            "exit status is not 0.",
            {"errors": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/problem"}}},
        ),
        "$defs": {"problem": problem},
    }


STORE = "https://json.schemastore.org"
CATALOG = f"{STORE}/schema-catalog.json"


def address_of(name: str) -> str:
    """Return what a schema is called in a schema store."""
    return f"{STORE}/dsv3calc-{name.replace('_', '-')}.json"


def catalog() -> Schema:
    """Return the entries of the files that people write, as schema stores and editors take them."""
    matches = {kind: f"**/presets/{FOLDERS[kind]}/*.yaml" for kind in PRESETS if kind in FOLDERS}
    matches["golden"] = "**/presets/goldens/**/*.yaml"
    matches["study"] = "**/studies/*.yaml"
    others = {
        "golden": "A golden file of dsv3calc: numbers kept under test",
        "study": "A study of dsv3calc sweep: queries at every point of some axes",
    }
    entries = [
        {
            "name": f"dsv3calc {kind.replace('_', ' ')}",
            "description": others.get(kind, f"A preset of dsv3calc: {kind.replace('_', ' ')}"),
            "fileMatch": [match],
            "url": address_of(kind),
        }
        for kind, match in matches.items()
    ]
    return {"$schema": CATALOG, "version": 1, "schemas": entries}


def files() -> dict[str, str]:
    """Return each schema file with its text, and the catalogue of them."""
    schemas = {kind: preset_schema(kind) for kind in PRESETS}
    schemas |= {"answer": answer_schema(), "errors": errors_schema()}
    found = {
        f"presets/schema/{name}.schema.json": {
            "$schema": schema.pop("$schema"),
            "$id": address_of(name),
            **schema,
        }
        for name, schema in schemas.items()
    }
    found["presets/schema/catalog.json"] = catalog()
    return {
        name: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in found.items()
    }


if __name__ == "__main__":
    sys.exit(write(files()))
