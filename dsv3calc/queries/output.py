"""The options that say how an answer is shown, which every command has, declared as queries are."""

# SPDX-License-Identifier: Apache-2.0

import msgspec

from dsv3calc.queries.fields import Annotated, Option

OUTPUT, EXPLANATION = "Output", "Explanation"


class OutputArguments(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is shown and where, as it is typed."""

    format: Annotated[
        str | None,
        Option("table, json, csv or markdown", OUTPUT, metavar="FORMAT", default="table"),
    ] = None
    json: Annotated[bool, Option("Short for --format json", OUTPUT)] = False
    ledger: Annotated[
        bool, Option("JSON: add all other lines and how they are derived", OUTPUT)
    ] = False
    output: Annotated[
        str | None, Option("Write to FILE (atomically)", OUTPUT, short="-o", metavar="FILE")
    ] = None
    force: Annotated[bool, Option("Allow -o to overwrite a file", OUTPUT)] = False
    exact: Annotated[bool, Option("Print unrounded numbers", OUTPUT)] = False
    notes: Annotated[
        str,
        Option(
            "Notes and assumptions below an answer: all in full, the most important ones in "
            "short, or none; warnings are always shown",
            OUTPUT, metavar="WHICH", default="short", choices="output.notes:NOTES",
        ),
    ] = "short"  # fmt: skip
    quiet: Annotated[bool, Option("Print only the answer, and why a check fails", OUTPUT)] = False
    color: Annotated[
        str,
        Option(
            "auto, always or never", OUTPUT, metavar="WHEN", default="auto",
            choices="output.options:COLORS",
        ),
    ] = "auto"  # fmt: skip


class QueryOutputArguments(OutputArguments, frozen=True, kw_only=True):
    """The same for a query, whose answer can be explained instead."""

    format: Annotated[
        str | None,
        Option(
            "table, json, csv, markdown or html; svg or png where there is a picture", OUTPUT,
            metavar="FORMAT", default="table",
        ),
    ] = None  # fmt: skip
    plot: Annotated[bool, Option("Draw the picture of the answer below its tables", OUTPUT)] = False
    trace: Annotated[
        str | None,
        Option(
            "train: write its passes to FILE as trace events for Perfetto", OUTPUT,
            metavar="FILE",
        ),
    ] = None  # fmt: skip
    explain: Annotated[bool, Option("Show how the result is derived", EXPLANATION)] = False
    line: Annotated[
        tuple[str, ...],
        Option(
            "Line to explain, or several as 'kv_cache.*'; repeatable",
            EXPLANATION, metavar="NAME",
        ),
    ] = ()  # fmt: skip
    depth: Annotated[
        int | None,
        Option(
            "Levels of the explanation", EXPLANATION, dimension="count", least=None,
            default="as many as fit on a page",
        ),
    ] = None  # fmt: skip
