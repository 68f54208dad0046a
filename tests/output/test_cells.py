"""Cells of tables: each number of a query's tables knows the lines of the ledger it comes from."""

import re
import shlex
from fractions import Fraction

import pytest

import dsv3calc
from dsv3calc.cli import load_command, parse
from dsv3calc.output.view import Cell, build
from dsv3calc.output.views.compare import SETTINGS
from dsv3calc.queries.table import QUERIES

V3 = "deepseek-v3 --hardware h800 --layout v3-pretrain"
MORE = (
    "compare deepseek-v3 qwen2.5-72b --hardware h800 --batch 4",
    "flops deepseek-v3 --with-mtp",
    "flops deepseek-v3 --phase decode --batch 3",
    "kv deepseek-v3 --fit 40GiB --batch 4",
    "kv gemma-3-27b --fit 40GiB",
    f"memory {V3} --rank 3",
    f"memory {V3} --by tensor",
    f"memory {V3} --by tensor --rank 0 --schedule zb1p",
    f"memory {V3} --as megatron",
    f"memory {V3} --fewest-gpus",
    "memory deepseek-v3 --hardware h800 --serve --dp 16 --tp 8 --ep 128 --batch 4",
    "memory gemma-3-27b --hardware h100-sxm --serve --tp 2",
    "serve llama-3.1-8b --hardware h100 --curve --batch 2",
    "params deepseek-v3 --by tensor --with-mtp",
    "params deepseek-v3 --by layer --with-mtp",
    "params gpt-oss-120b --by layer",
    f"traffic {V3}",
    f"traffic {V3} --pass-tokens 4096 --imbalance 1.5",
)
"""Queries for what no example of a help shows."""
NUMBER = re.compile(r"\W*(\d[\d,]*(?:/[\d,]+|(?:\.\d+)?(?:e[+-]?\d+)?))")


def examples():
    """Return the queries in the help of the commands that need no file."""
    for command in QUERIES.values():
        text = load_command(command.group, command.name).__doc__
        for line in re.findall(r"(?m)^ +dsv3calc (.*)$", text):
            if "./" not in line:
                yield line


ASKED = sorted({*examples(), *MORE})


def answer_of(line):
    """Answer a command line; options of its output are left aside."""
    return dsv3calc.answer(parse(shlex.split(line, comments=True)).query)


def cells(view):
    """Yield the cells beside the labels, with their place."""
    for at, table in enumerate([*view.tables, *view.full]):
        for number, row in enumerate(table.rows):
            if row[0] in SETTINGS.values():  # names of presets, and what the query says
                continue
            for column in range(table.labels, len(row)):
                if column not in table.left or isinstance(row[column], Cell):
                    yield (at, number, column), row[column]


def is_word(cell):
    """Tell whether a cell shows what was chosen by name, such as a schedule."""
    return getattr(cell, "line", None) is not None and isinstance(cell.line.value, str)


@pytest.mark.parametrize("query", ASKED)
def test_a_number_of_a_table_knows_its_lines(query):
    answer = answer_of(query)
    known = {id(line) for column in answer.columns for line in column.ledger.walk()}
    sources = {}
    for place, cell in cells(build(answer, exact=False)):
        if isinstance(cell, Cell):
            assert {id(line) for line in cell.sources} <= known, (place, cell)
            told = bool(re.search(r"\d", cell)) or is_word(cell)
            assert bool(cell.sources) == told, (place, cell)
            sources[place] = [line.name for line in cell.sources]
        else:
            assert not re.search(r"\d", cell), (place, cell)
    assert sources


@pytest.mark.parametrize("query", ASKED)
def test_a_cell_shows_the_value_of_its_line(query):
    for place, cell in cells(build(answer_of(query), exact=True)):
        line = getattr(cell, "line", None)
        if is_word(cell):
            assert cell == line.value, place
        elif line is not None:
            shown = NUMBER.match(cell)[1].replace(",", "")
            assert float(Fraction(shown)) == pytest.approx(abs(float(line.value)), rel=1e-12), place


def test_every_view_of_a_query_is_among_those_asked():
    expected = {view for command in QUERIES.values() for view in command.views}
    assert {answer_of(query).view for query in ASKED} == expected
