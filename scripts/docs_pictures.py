"""The pictures of README and docs, each drawn from a query or from the shipped study."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from dsv3calc.api import answer, parse_query
from dsv3calc.output.pictures.of_answer import as_svg, picture_of
from dsv3calc.output.pictures.sweep_map import writer_of
from dsv3calc.studies.sweep.answer import run_study

STUDY = Path(__file__).parents[1] / "examples" / "studies" / "mla-and-experts.yaml"

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
    texts = {name: as_svg(picture_of(answer(query))) for name, query in QUERIES.items()}
    texts["sweep"] = _of_study()
    return {f"docs/pictures/{name}.svg": text for name, text in texts.items()}


def _of_study() -> str:
    """Return the picture of the front of the shipped study."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "sweep.svg")
        drawn = partial(writer_of, png=False)
        run_study(str(STUDY), str(path), "svg", ask=answer, parse=parse_query, drawn=drawn)
        return path.read_text("utf-8")
