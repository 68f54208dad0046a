"""``dsv3calc conventions list``."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

from dsv3calc.commands.options import with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsv3calc.studies.answer import Answer


@with_output
def conventions_list() -> Callable[[], Answer]:
    """List conventions, their choices, and the bundles of them.

    Examples:

      dsv3calc conventions list

      dsv3calc conventions list --json
    """
    from dsv3calc.studies.conventions.answer import list_conventions

    return list_conventions
