"""Answer ``conventions list``: what can be counted in several ways."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from dsv3calc.accounting.conventions import BUNDLES, CHOICES
from dsv3calc.accounting.memory.conventions import MEMORY_CHOICES, MEMORY_WITHOUT_DEFAULT
from dsv3calc.accounting.parameters import INCLUSIONS, PARAMETER_VARIANTS
from dsv3calc.accounting.traffic.conventions import TRAFFIC_CHOICES, WITHOUT_DEFAULT
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.conventions.users import add_users


def list_conventions() -> Answer:
    """List every convention with its choices, the default first; inclusions and bundles between.

    Those of memory come after them, then those of traffic, its limits and networks. Each row says
    who counts so.
    """
    answer = Answer("conventions list", {}, "conventions")
    for convention, (option, choices) in CHOICES.items():
        fixes = {name: sorted(PARAMETER_VARIANTS[name][0]) for name in choices} if (
            convention == "parameters"
        ) else {}  # fmt: skip
        answer.rows += _rows(convention, option, choices, fixes)
    for name, words in INCLUSIONS.items():
        answer.rows.append(
            {
                "convention": "inclusion",
                "option": "--include, --exclude",
                "choice": name,
                "default": name in PARAMETER_VARIANTS["default"][0],
                "meaning": words,
                "fixes": [],
            }
        )
    for bundle in BUNDLES.values():
        answer.rows.append(
            {
                "convention": "bundle",
                "option": bundle.option,
                "choice": bundle.name,
                "default": False,
                "meaning": f"{bundle.words} ({bundle.source})",
                "fixes": [f"{name}={value}" for name, value in bundle.fixes.items()],
            }
        )
    for convention, (option, choices) in (MEMORY_CHOICES | TRAFFIC_CHOICES).items():
        answer.rows += _rows(convention, option, choices, {})
    add_users(answer.rows)
    return answer


def _rows(
    convention: str, option: str, choices: dict[str, str], fixes: dict[str, list[str]]
) -> list[dict[str, Any]]:
    return [
        {
            "convention": convention,
            "option": option,
            "choice": choice,
            "default": number == 0
            and convention not in (*WITHOUT_DEFAULT, *MEMORY_WITHOUT_DEFAULT),
            "meaning": words,
            "fixes": fixes.get(choice, []),
        }
        for number, (choice, words) in enumerate(choices.items())
    ]
