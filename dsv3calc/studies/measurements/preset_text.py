"""The text of a preset of hardware with another ``achieved`` block."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

BLOCK = re.compile(r"^achieved:\n(?:[ ].*\n|\n(?=[ ]))*\n?", re.MULTILINE)


def spliced(text: str, block: list[str]) -> str:
    r"""Return a preset with the lines of a block in place of its own, before its sources.

    >>> print(spliced("name: a\n\nsources: {}\n", ["achieved:", "  like: b"]))
    name: a
    <BLANKLINE>
    achieved:
      like: b
    <BLANKLINE>
    sources: {}
    <BLANKLINE>
    """
    rest = BLOCK.sub("", text, count=1)
    before, line, after = rest.partition("\nsources:")
    return "{}\n{}".format(before, "\n".join([*block, "", ""])) + line.removeprefix("\n") + after
