"""The skill file: which query answers what, for assistants."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import dsv3calc
from dsv3calc.studies.answer import Answer

FILE = "SKILL.md"


def answer_skill() -> Answer:
    """Return the skill file of this version."""
    path = os.path.join(os.path.dirname(dsv3calc.__file__), FILE)
    answer = Answer("skill", {}, "text")
    with open(path, encoding="utf-8") as file:
        answer.text = file.read()
    answer.rows = [{"file": FILE, "text": answer.text}]
    answer.notes.append(
        f"save it with -o {FILE} into a folder named dsv3calc, where the assistant reads skills"
    )
    return answer
