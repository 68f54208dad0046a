"""What is recorded once and run on many rows, against the ledger asked about each row."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsv3calc.accounting.memory.ranks import rank_line
from dsv3calc.numbers import program
from dsv3calc.numbers.recorded import NotRecordedError
from dsv3calc.queries.search import SearchQuery
from dsv3calc.studies.search.counted import TrainingBlock
from dsv3calc.studies.search.layouts import Layouts
from dsv3calc.studies.search.recording import Recording
from dsv3calc.studies.search.space import rows
from dsv3calc.studies.search.training import TrainingSearch

QUERIES = (
    {"model": "llama-3.1-8b", "hardware": "h100", "gpus": 8, "setup": "megatron-dense"},
    {"model": "deepseek-v2-lite", "hardware": "h800", "gpus": 16},
)


@cache
def blocks(number):
    """Return a search, its columns, and the categories with the rows that they may have."""
    query = SearchQuery(**QUERIES[number], global_batch=64, pin=("vpp=1|2",))
    wanted = TrainingSearch(query)
    search = wanted.search([query.gpus], most=1)
    columns = next(iter(search.space.blocks()))
    return wanted, search, columns, list(search.leaves(columns))


def by_itself(layouts, category, result):
    """Return a result of one layout from the ledger; memory from all its ranks."""
    if result != "memory":
        return getattr(layouts, {"step_time": "step"}.get(result, result))(category)
    footprint = layouts.footprint(category)
    names = [(f"memory.rank.{each}", each) for each in range(footprint.layout.pp)]
    ranks = (footprint.rank(name, rank_line(name, each)) for name, each in names)
    return max(rank.lines["total"].value for rank in ranks)


@settings(deadline=None)
@given(data=st.data())
def test_recorded_results_are_those_of_the_ledger(data):
    number = data.draw(st.integers(0, len(QUERIES) - 1))
    wanted, search, columns, leaves = blocks(number)
    category, mask = data.draw(st.sampled_from(leaves))
    chosen = data.draw(
        st.lists(st.sampled_from(np.nonzero(mask)[0].tolist()), min_size=1, max_size=2)
    )
    part = rows(columns, np.array(chosen))
    block = search.block(part)
    result = data.draw(st.sampled_from(("memory", "step_time", "traffic")))
    found = block.of(result, category)
    for row in range(len(chosen)):
        one = {name: int(each[row]) for name, each in part.items()}
        expected = by_itself(Layouts(wanted.held, one), category, result)
        if result == "memory":
            assert found[row] == expected
        else:
            assert found[row] == pytest.approx(expected, rel=1e-13)


def test_what_passes_hide_is_that_of_each_policy():
    pin = ("tp=1,cp=1,pp=2,mb=1,schedule=1f1b,sp=false,split=even,vpp=1,zero=0",)
    query = SearchQuery(
        **QUERIES[0] | {"gpus": 32}, global_batch=32, sequence=64, oversubscription=50, pin=pin
    )
    wanted = TrainingSearch(query)
    search = wanted.search([32], most=1)
    columns = next(iter(search.space.blocks()))
    one = {name: int(each[0]) for name, each in columns.items()}
    block, found = search.block(columns), []
    for category, _ in search.leaves(columns):
        found.append(block.of("step_time", category)[0])
        assert found[-1] == pytest.approx(Layouts(wanted.held, one).step(category), rel=1e-13)
    assert min(found) >= found[0] * (1 - 1e-15)  # the policy that recomputes nothing bounds others


def test_what_depends_on_a_number_is_computed_with_columns(monkeypatch):
    wanted, search, columns, leaves = blocks(0)
    category, mask = leaves[0]
    part = rows(columns, mask)
    monkeypatch.setattr(program, "_FEW_ROWS", 10)
    monkeypatch.setattr(program, "_SHARE", 2)
    monkeypatch.setattr(program, "_MANY", 0)
    recorded = search.block(part).memory(category)

    def branched(*_):
        raise NotRecordedError("a branch")

    monkeypatch.setattr(Recording, "value", branched)
    other = TrainingBlock(wanted.held, Recording(wanted.held, [*columns], {}), part)
    assert (other.memory(category) == recorded).all()
