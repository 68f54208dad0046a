"""Where presets are looked for, and which of several files of one name wins."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

import dsv3calc
from dsv3calc.errors import UsageError
from dsv3calc.reading.diagnostics import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = {
    "model": "models",
    "hardware": "hardware",
    "precision": "precisions",
    "kv_format": "kv_formats",
    "comparison": "comparisons",
    "layout": "layouts",
    "network": "networks",
    "recipe": "recipes",
    "recompute": "recompute",
    "setup": "setups",
    "failures": "failures",
    "achieved": "achieved",
}
"""Kind of preset -> folder inside a presets directory."""

PRESET_PATH_VARIABLE = "DSV3CALC_PATH"


class Place(msgspec.Struct, frozen=True):
    """A presets directory and why it is searched."""

    why: str
    directory: str


def packaged_presets() -> str:
    """Return the directory of the shipped presets.

    In a wheel it lies inside the package; in a checkout (an editable install) beside it.
    """
    package = os.path.dirname(os.path.abspath(dsv3calc.__file__))
    inside = os.path.join(package, "data", "presets")
    if os.path.isdir(inside):
        return inside
    return os.path.join(os.path.dirname(package), "presets")


def surroundings() -> tuple[str | None, ...]:
    """Return everything outside of the arguments that decides where presets are looked for."""
    try:
        directory: str | None = os.getcwd()
    except OSError:  # the working directory was removed
        directory = None
    environment = os.environ.get
    return (
        directory,
        environment(PRESET_PATH_VARIABLE),
        environment("XDG_CONFIG_HOME"),
        environment("HOME"),
    )


def search_path(preset_path: str | None = None) -> list[Place]:
    """Return the presets directories that exist, the first to win first.

    ``--preset-path``, then ``DSV3CALC_PATH`` (several, separated as in PATH), then the nearest
    ``presets/`` upward from the working directory, then the user's configuration, then the
    shipped ones. As in PATH, a directory of the variable that does not exist is passed over, and
    told where a name is not found.

    Raises
    ------
    UsageError
        If the directory of ``--preset-path`` does not exist.
    """
    places = []
    if preset_path is not None:
        if not os.path.isdir(preset_path):
            raise UsageError(f"--preset-path {quote(preset_path)}: there is no such directory")
        places.append(Place("--preset-path", preset_path))
    entries = os.environ.get(PRESET_PATH_VARIABLE, "").split(os.pathsep)
    places.extend(Place(PRESET_PATH_VARIABLE, entry) for entry in entries if entry)
    shipped = packaged_presets()
    nearest = _nearest()
    if nearest and nearest != shipped:
        places.append(Place("project presets/", nearest))
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    configured = f"{home}/dsv3calc/presets"
    if os.path.isdir(configured):
        places.append(Place("user configuration", configured))
    places.append(Place("shipped", shipped))
    return places


def _nearest() -> str | None:
    """Find the nearest ``presets/`` that has a folder of ours, from the working directory up."""
    try:
        directory = os.getcwd()
    except OSError:  # the working directory was removed
        return None
    while True:
        candidate = os.path.join(directory, "presets")
        if os.path.isdir(candidate) and any(
            os.path.isdir(f"{candidate}/{folder}") for folder in FOLDERS.values()
        ):
            return candidate
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def candidates(kind: str, name: str, preset_path: str | None = None) -> Iterator[tuple[Place, str]]:
    """Yield every file of a preset name, the winner first."""
    for place in search_path(preset_path):
        path = f"{place.directory}/{FOLDERS[kind]}/{name}.yaml"
        if os.path.isfile(path):
            yield place, path


def listing(kind: str, preset_path: str | None = None) -> dict[str, tuple[Place, str]]:
    """Return the winning file of every preset name of a kind, by name; opens no file."""
    found: dict[str, tuple[Place, str]] = {}
    for place in search_path(preset_path):
        folder = f"{place.directory}/{FOLDERS[kind]}"
        try:
            names = sorted(os.listdir(folder))
        except OSError:  # a place without this kind
            continue
        for file in names:
            name, ending = file[:-5], file[-5:]
            path = f"{folder}/{file}"
            # what is not a regular file (a pipe, a loop of links) could not be read either
            if ending == ".yaml" and name not in found and os.path.isfile(path):
                found[name] = place, path
    return dict(sorted(found.items()))


def missing_places() -> list[str]:
    """Return the directories of the environment's variable that do not exist."""
    return [
        f"{place.why} {place.directory}"
        for place in search_path()
        if place.why == PRESET_PATH_VARIABLE and not os.path.isdir(place.directory)
    ]
