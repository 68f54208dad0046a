"""``dsv3calc skill``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.commands.options import with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def skill() -> Callable[[], Answer]:
    """Print a skill file that teaches an assistant which query answers what.

    The form is that of SKILL.md: a header of YAML with name and description, then Markdown. Its
    examples are run by the tests.

    Examples:

      dsv3calc skill

      dsv3calc skill -o SKILL.md --force
    """
    from dsv3calc.studies.skill import answer_skill

    return answer_skill
