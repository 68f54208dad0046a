"""The chart of an answer, by its command."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dsv3calc.queries.table import PICTURES

if TYPE_CHECKING:
    from dsv3calc.output.pictures.chart import Chart
    from dsv3calc.studies.answer import Answer


def chart_of(answer: Answer) -> Chart:
    """Return the chart of an answer whose command has one."""
    module = import_module(f"dsv3calc.output.pictures.{PICTURES[answer.command]}")
    chart: Chart = module.chart_of(answer)
    return chart
