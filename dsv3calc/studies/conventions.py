"""Answer ``conventions list``: what can be counted in several ways."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.accounting.conventions import BUNDLES, CHOICES
from dsv3calc.accounting.parameters import INCLUSIONS, PARAMETER_VARIANTS
from dsv3calc.studies.answer import Answer


def list_conventions() -> Answer:
    """List every convention with its choices, the default first, then bundles and inclusions."""
    answer = Answer("conventions list", {}, "conventions")
    for convention, (option, choices) in CHOICES.items():
        for number, (choice, words) in enumerate(choices.items()):
            includes = PARAMETER_VARIANTS[choice][0] if convention == "parameters" else ()
            answer.rows.append(
                {
                    "convention": convention,
                    "option": option,
                    "choice": choice,
                    "default": number == 0,
                    "meaning": words,
                    "fixes": sorted(includes),
                }
            )
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
    return answer
