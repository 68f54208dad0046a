"""The speed of a search: layouts a second, and its memory, for DeepSeek-V3 and Llama 3.1 8B.

Layouts are the combinations that pass all rules; the search counts a time of a step for each, or
a bound of it, and memory of those that may be among the best. ``--whole`` counts both for all. Time
is processor time of one core.

Run: ``python benchmarks/search.py [--whole] [--gpus 64 512 2048]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import resource
import time

from dsv3calc.queries.search import SearchQuery
from dsv3calc.studies.search.training import TrainingSearch

MODELS = {"deepseek-v3": "h800", "llama-3.1-8b": "h100"}
SEQUENCES_OF_A_GPU = 8


def measure(model: str, gpus: int, *, whole: bool) -> None:
    """Search once, and print what it took."""
    start = time.process_time()
    query = SearchQuery(
        model=model,
        hardware=MODELS[model],
        gpus=gpus,
        global_batch=SEQUENCES_OF_A_GPU * gpus,
        whole=whole,
    )
    search = TrainingSearch(query).search([gpus], most=3)
    search.run()
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{model:14} {gpus:6,} GPUs  {search.size:14,} combinations  "
        f"{search.candidates:12,} layouts  {seconds:6.1f} s  "
        f"{search.candidates / seconds:12,.0f} layouts/s  peak {peak:,.0f} MiB"
    )


def main() -> None:
    """Measure each model on each number of GPUs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true", help="count memory of every layout")
    parser.add_argument("--gpus", type=int, nargs="+", default=[64, 512, 2048])
    options = parser.parse_args()
    for model in MODELS:
        for gpus in options.gpus:
            measure(model, gpus, whole=options.whole)


if __name__ == "__main__":
    main()
