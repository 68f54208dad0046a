"""What a line is about, as fields: nothing needs to take its name apart."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import cache
from typing import Any

import msgspec


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """What a line is about; a field that does not apply is empty.

    Parameters
    ----------
    quantity
        What is counted: ``weights``, ``layers``, ``bytes_per_token``.
    component
        The part of the model or of the system: ``routed_experts``, ``head``, ``tensor_parallel``.
    operator
        The operator of it: ``scores``, ``attention.all-gather``.
    tensor
        The tensor, with what is stored beside it: ``q_a_proj``, ``q_a_proj.scales``.
    group
        The layer group: ``groups.1``, ``mtp``.
    rank, stage
        The pipeline rank and the pipeline stage, from 0.
    dtype
        The data type in which it is stored.
    """

    quantity: str = ""
    component: str = ""
    operator: str = ""
    tensor: str = ""
    group: str = ""
    rank: Any = None
    stage: int | None = None
    dtype: str = ""

    @property
    def place(self) -> bool:
        """Whether the line is about one of many layer groups, ranks or stages."""
        return bool(self.group) or self.rank is not None or self.stage is not None


UNTAGGED = Tags()
"""The tags of a line that has none."""


@cache
def about(quantity: str) -> Tags:
    """Return the tags that name a quantity alone: the same object each time."""
    return Tags(quantity=quantity)


RANK = "rank"
"""The quantity of a line that is the number of a pipeline rank."""

RATIO = "ratio_to_baseline"
"""The quantity of a line that compares a design with the one that all are compared with."""
