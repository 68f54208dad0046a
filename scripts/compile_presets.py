"""Compile the shipped presets while the package is built (``dsv3calc.reading.compiled_presets``).

Hatchling runs this for wheels and for editable installs. After a change of how YAML is read or
checked, an editable install must be made again; a preset that was changed is read from its YAML.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PresetsHook(BuildHookInterface):  # type: ignore[type-arg, misc] # as hatchling documents it
    """Writes the compiled file and adds it to what is built, though git ignores it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile the presets before the files are collected."""
        sys.path.insert(0, self.root)
        try:
            from dsv3calc.catalogue.compile_presets import compiled_folder
            from dsv3calc.reading.compiled_presets import FILE
        finally:
            sys.path.remove(self.root)
        os.makedirs(os.path.dirname(FILE), exist_ok=True)
        unfinished = f"{FILE}.{os.getpid()}"  # another build of this checkout may be running
        with open(unfinished, "wb") as file:
            file.write(compiled_folder(os.path.join(self.root, "presets")))
        os.replace(unfinished, FILE)
        build_data["artifacts"].append(os.path.relpath(FILE, self.root))
