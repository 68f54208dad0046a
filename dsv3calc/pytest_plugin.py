"""The pytest plugin: ``pytest --dsv3calc numbers/`` runs the rows of golden files as tests.

Every pytest of an environment with dsv3calc in it loads this module, so that it imports little
beside pytest; without the option it does nothing.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from dsv3calc.reading.escaping import escape, escape_lines, inert

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from dsv3calc.studies.goldens.verdict import Row

OPTION = "dsv3calc"
GIVEN = pytest.StashKey[list[str]]()
"""The golden files of the option."""
PICKED = pytest.StashKey[set[str]]()
"""Those of them that the command line names itself, such as ``numbers/kv.yaml::NAME``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--dsv3calc``."""
    parser.getgroup("dsv3calc", "numbers of transformer designs").addoption(
        "--dsv3calc",
        dest=OPTION,
        action="append",
        metavar="PATH",
        default=[],
        help="check this golden file, or the golden files of this directory; repeatable",
    )


def pytest_configure(config: pytest.Config) -> None:
    """List the golden files of the option.

    Raises
    ------
    pytest.UsageError
        If there is no such file, or a directory has none.
    """
    config.addinivalue_line("markers", "dsv3calc: a row of a golden file (pytest --dsv3calc PATH)")
    paths = config.getoption(OPTION)
    if not paths:
        return
    from dsv3calc.errors import InvalidInput
    from dsv3calc.studies.goldens.verdict import golden_files

    base = config.invocation_params.dir
    full = [os.path.join(base, path) for path in paths]
    missing = [path for path in full if not os.path.exists(path)]
    if missing:
        message = f"--dsv3calc: there is no file or directory {missing[0]}"
        raise pytest.UsageError(escape_lines(message))
    try:
        files = list(dict.fromkeys(os.path.abspath(file) for file in golden_files(full)))
    except InvalidInput as error:
        raise pytest.UsageError(escape_lines(f"--dsv3calc: {error}")) from None
    config.stash[GIVEN] = files
    named = {os.path.realpath(os.path.join(base, each.split("::")[0])) for each in config.args}
    config.stash[PICKED] = named & {os.path.realpath(file) for file in files}


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> GoldenFile | None:
    """Take a golden file that the command line names; then it chooses among the rows."""
    if os.path.realpath(file_path) not in parent.config.stash.get(PICKED, ()):
        return None
    found: GoldenFile = GoldenFile.from_parent(parent, path=file_path)
    return found


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Add the golden files to what the session collects.

    Not by walking: pytest passes over directories such as ``build``, and a check must not.
    """
    report = yield
    config = collector.config
    if isinstance(collector, pytest.Session) and not config.stash.get(PICKED, ()):
        report.result = [
            *(report.result or ()),
            *(
                GoldenFile.from_parent(collector, path=Path(file))
                for file in config.stash.get(GIVEN, ())
            ),
        ]
    return report


class GoldenFile(pytest.File):
    """A golden file; a file that cannot be read is an error of the collection."""

    def collect(self) -> Iterator[GoldenItem]:
        """Yield an item for each row."""
        from dsv3calc.errors import InvalidInput
        from dsv3calc.studies.goldens.verdict import file_rows

        name = os.path.relpath(self.path, self.config.invocation_params.dir)
        try:
            rows = file_rows(name)
        except InvalidInput as error:
            raise self.CollectError(escape_lines(str(error))) from None
        answers: dict[str, Any] = {}
        for row in rows:
            # a number and its budgets may stand side by side: names must differ
            expect = row.golden.expect
            bound = f" {expect}" if isinstance(expect, str) else ""
            name = inert(escape(row.name + bound))
            yield GoldenItem.from_parent(self, name=name, row=row, answers=answers)


class GoldenItem(pytest.Item):
    """A row: failed if its number changed, an error if it cannot be checked at all."""

    def __init__(self, *, row: Row, answers: dict[str, Any], **more: Any) -> None:
        super().__init__(**more)
        self.row = row
        self.answers = answers
        self.add_marker(pytest.mark.dsv3calc)

    def setup(self) -> None:
        """Answer the row's query."""
        from dsv3calc.api import answer
        from dsv3calc.studies.goldens.verdict import check_row

        try:
            check_row(self.row, self.answers, answer)
        except Exception:  # noqa: BLE001 - shown without the frames of pytest
            import traceback

            trace = traceback.format_exc().rstrip().split("\n")
            fail(f"{self.place()}: a defect of dsv3calc", *trace)
        if self.row.status == "broken":
            fail(f"{self.place()}: {self.row.message}")

    def runtest(self) -> None:
        """Fail, in words, if the number changed."""
        row = self.row
        if row.status == "moved":
            verb = "is outside its bound" if isinstance(row.golden.expect, str) else "changed"
            lines = [
                f"{self.place()}: {row.name} {verb}",
                f"  expected:   {row.wanted}",
                f"  now:        {row.value!r} {row.unit}",
                f"  difference: {row.difference}",
                *(f"  why:        {reason}" for reason in row.reasons),
                *(f"  {name + ':':<12}{text}" for name, text in self.remarks()),
            ]
            fail(*lines)

    def place(self) -> str:
        """Return the file and line of what is expected, as editors link it."""
        file, line, _ = self.reportinfo()
        relative = os.path.relpath(file, self.config.invocation_params.dir)
        return f"{relative}:{(line or 0) + 1}"

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Yield the row's source and note, where it has them."""
        for name in ("source", "note"):
            text = getattr(self.row.golden, name)
            if text:
                yield name, text

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Return file, line from 0 and title."""
        # not the name alone: with -v pytest would take its dots for those of a Python path
        title = inert(escape(f"{self.row.file}: {self.name}"))
        return self.path, self.row.locate() - 1, title


def fail(*lines: str) -> NoReturn:
    """Fail with these lines alone; a golden file may hold texts that a terminal would run."""
    pytest.fail(inert("\n".join(map(escape, lines))), pytrace=False)
