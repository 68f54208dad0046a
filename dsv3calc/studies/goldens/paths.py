"""Files that the queries of a golden file name: found from the golden file's folder."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shlex

from dsv3calc.catalogue.references import is_path


def seen_from_here(query: str, golden_file: str) -> str:
    """Return a query whose files are named from the working directory.

    A file that is not there from the folder of the golden file stays as it is named, and is looked
    for from the working directory.
    """
    folder = os.path.dirname(golden_file)
    if not folder:
        return query
    words = shlex.split(query)
    found = [_seen(word, folder) for word in words]
    return shlex.join(found) if found != words else query


def _seen(word: str, folder: str) -> str:
    """Return a word with its file, also in FILE:... and --option=FILE, named from here."""
    before, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    file, colon, after = value.partition(":")
    if not is_path(file) or os.path.isabs(file) or file == "-":
        return word
    beside = os.path.normpath(os.path.join(folder, file))
    if not os.path.exists(beside):
        return word
    beside = beside if is_path(beside) else os.path.join(".", beside)
    return f"{before}{equals}{beside}{colon}{after}"
