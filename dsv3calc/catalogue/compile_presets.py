"""What is compiled of a folder of presets when the package is built: data and checked structs."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from dsv3calc.catalogue.own import completed
from dsv3calc.catalogue.presets import type_of
from dsv3calc.catalogue.search_path import FOLDERS
from dsv3calc.errors import InvalidInput
from dsv3calc.reading.compiled_presets import compiled, texts_of
from dsv3calc.reading.source import Source, parsed
from dsv3calc.schema.compiled import as_plain
from dsv3calc.schema.convert import convert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def compiled_folder(folder: str, texts: Iterable[str] | None = None) -> bytes:
    """Return the content of the compiled file of a folder of presets, or of some of its texts."""
    chosen = texts_of(folder) if texts is None else texts
    return compiled(chosen, lambda text: parsed(Source("", text)), _structs(folder))


def _structs(folder: str) -> Iterator[tuple[str, str, object]]:
    """Yield text, kind and plain struct of each preset that says all of itself."""
    for kind, name in FOLDERS.items():
        for text in texts_of(os.path.join(folder, name)):
            source = Source("", text)
            data = parsed(source)
            with suppress(InvalidInput):  # a wrong one is told when it is read
                if isinstance(data, dict) and completed(kind, "", source, data) == data:
                    yield text, kind, as_plain(convert(source, data, type_of(kind)))
