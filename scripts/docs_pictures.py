"""The pictures of README and docs, each drawn from a query."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.api import answer
from dsv3calc.output.pictures.of_answer import as_svg, picture_of

QUERIES = {
    "memory": "memory deepseek-v3 --layout v3-pretrain --hardware h800",
    "traffic": "traffic deepseek-v3 --layout v3-pretrain --hardware h800",
    "roofline": "time deepseek-v3 --hardware h800 --phase decode --batch 64",
    "serving": "serve deepseek-v3 --layout v3-decode-ep320 --hardware h800 --curve",
    "pipeline": (
        "train llama-3.1-8b --hardware h100 --pp 4 --global-batch 8 --schedule interleaved"
        " --virtual-pipeline 2"
    ),
}
"""Name of a picture -> the query that it shows."""


def files() -> dict[str, str]:
    """Return the pictures by path."""
    return {
        f"docs/pictures/{name}.svg": as_svg(picture_of(answer(query)))
        for name, query in QUERIES.items()
    }
