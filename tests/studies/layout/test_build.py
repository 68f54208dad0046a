"""Pipelines with stages on which nothing stands, and those too long to be listed, are refused."""

import pytest

from dsv3calc.errors import UsageError
from dsv3calc.queries.memory import MemoryQuery
from dsv3calc.studies.memory.answer import answer_memory

DENSE = {"model": "llama-3.1-8b", "set": ("num_hidden_layers=5",)}


def ask(**options):
    return answer_memory(MemoryQuery(hardware="h100", **options))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"schedule": "interleaved", "virtual_pipeline": 3, "pp": 4}, "12 virtual stages"),
        ({"schedule": "zbv", "pp": 5}, "10 virtual stages"),
    ],
)
def test_stages_on_which_nothing_stands_are_refused(options, told):
    with pytest.raises(UsageError, match=told):
        ask(**DENSE, **options)
    enough = {"set": ("num_hidden_layers=10",)}
    ask(**DENSE | enough, **options)


def test_tables_too_long_are_refused():
    deep = {"model": "llama-3.1-8b", "set": ("num_hidden_layers=100000",)}
    with pytest.raises(UsageError, match="100 chunks each"):
        ask(**deep, schedule="interleaved", pp=1000, virtual_pipeline=100)
    with pytest.raises(UsageError, match="50,000 pipeline ranks"):
        ask(**deep, pp=50_000)
