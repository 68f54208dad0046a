"""Answer ``import``: a Hugging Face ``config.json`` as a preset in our schema, as YAML."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from dsv3calc.catalogue import presets, references
from dsv3calc.errors import InvalidInput, UsageError
from dsv3calc.reading.diagnostics import quote
from dsv3calc.reading.source import Source
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.presets.fields import flatten


def import_preset(reference: str, name: str | None, ignore_keys: tuple[str, ...]) -> Answer:
    """Turn a ``config.json`` into a preset.

    Raises
    ------
    UsageError
        If the reference is a preset name, not a file.
    InvalidInput
        With every key that is unknown, missing or wrong.
    """
    if not references.is_path(reference):
        reference = f"./{reference}"
    preset = presets.load("model", reference, ignore_keys=ignore_keys)
    if preset.source.form != "json" or preset.imported is None:
        raise UsageError(
            f"{reference} is no Hugging Face config.json but a preset already",
            "dsv3calc presets validate checks presets",
        )
    data = dict(preset.imported)
    if name is not None:
        if not references.NAME.fullmatch(name) or len(name) > references.LONGEST_NAME:
            raise UsageError(
                f"--name {quote(name)}: a name has letters, digits, '.', '_' and '-', starts with "
                f"a letter or digit, and has at most {references.LONGEST_NAME} characters"
            )
        data["title"] = str(data["title"]).replace(str(data["name"]), name, 1)
        data["name"] = name
    answer = Answer("import", {"file": reference, "name": data["name"]}, "text")
    answer.rows = [{"field": field, "value": value} for field, value in flatten(preset.value)]
    answer.assumptions = [each.text for each in preset.assumptions]
    answer.warnings += preset.warnings
    answer.notes += preset.notes
    if preset.ignored:
        answer.notes.append(f"ignored keys: {', '.join(preset.ignored)}")
    comments = "".join(f"# assumed: {text}\n" for text in answer.assumptions)
    answer.text = comments + to_yaml(data)
    return answer


def to_yaml(data: dict[str, Any]) -> str:
    """Write plain data as YAML that the strict reader reads back equal."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes every value where it stands, and quotes what YAML 1.2 would take for a number."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the dumper's signature
            return True

    def text(dumper: Any, value: str) -> Any:
        try:
            same = bool(value.strip()) and Source("", value, "yaml").data == value
        except InvalidInput:  # not plain YAML at all: a colon, a bracket, a quote
            same = False
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if same else '"')

    Dumper.add_representer(str, text)
    written: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=90)
    return written
