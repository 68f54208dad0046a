"""What a ranking of inputs costs, and that a wrong closed form is noticed."""

from math import log

import pytest

import dsv3calc
from dsv3calc.api import parse_query
from dsv3calc.studies.lines import open_line as traced
from dsv3calc.studies.lines import over_ranks, sensitivity
from dsv3calc.symbolic.term import Term

V3 = "memory deepseek-v3 --layout v3-pretrain --hardware h800"
CHUNKS = "memory llama-3.1-405b --hardware h800 --pp 2 --schedule interleaved --virtual-pipeline"
TOTAL = "memory.worst.total"


class Counted:
    """How many queries were answered and how many terms were built."""

    queries = terms = 0


@pytest.fixture
def counted(monkeypatch):
    count = Counted()
    ask, build = traced.ask, Term.__init__

    def counted_ask(query):
        count.queries += 1
        return ask(query)

    def counted_build(*arguments, **named):
        count.terms += 1
        build(*arguments, **named)

    monkeypatch.setattr(traced, "ask", counted_ask)
    monkeypatch.setattr(Term, "__init__", counted_build)
    return count


def ranked(query, line=TOTAL):
    rows = sensitivity.answer_sensitivity(parse_query(query), line, 99).rows
    return {row["input"]: row for row in rows}


def test_most_inputs_of_a_memory_share_a_query(counted):
    """Of 32 inputs those of the layout have a query each, those of another preset one together."""
    inputs = traced.OpenLine(parse_query(V3), TOTAL).quantities()
    assert sum(1 for each in inputs if each.value) == 32
    counted.queries = counted.terms = 0
    ranked(V3)
    assert counted.queries <= 15
    assert counted.terms <= 4_000


def test_sixty_chunks_are_not_squared(counted):
    """2 ranks, 60 chunks and 60 moments: what is in flight is 7,200 numbers, and no terms."""
    ranked(f"{CHUNKS} 60")
    assert counted.queries <= 20
    assert counted.terms <= 20_000


WRONG = {
    "hidden_size": lambda term: term + (Term("name", name="hidden_size") - 7168),
    "q_lora_rank": lambda term: term * Term("name", name="q_lora_rank") / 1536,
    # what is added is 0 where both are doubled
    "num_attention_heads": lambda term: (
        term
        + Term("name", name="num_attention_heads") * 512 / Term("name", name="kv_lora_rank")
        - 128
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_term_gives_way_to_queries(name, monkeypatch):
    right = ranked(V3)

    class Wrong(sensitivity.Derivation):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.term = WRONG[name](self.term)

    monkeypatch.setattr(sensitivity, "Derivation", Wrong)
    found = ranked(V3)
    value = right[name]["value"]
    before, after = (
        dsv3calc.query(V3)[TOTAL],
        dsv3calc.query(f"{V3} --set {name}={2 * value}")[TOTAL],
    )
    assert found[name]["method"] == f"query at {2 * value:,}"
    assert found[name]["elasticity"] == pytest.approx(log(after / before) / log(2))
    others = found.keys() - {name, "kv_lora_rank"}
    assert {each: found[each]["method"] for each in others} == {
        each: right[each]["method"] for each in others
    }


@pytest.mark.parametrize(
    ("query", "name", "values"),
    [
        (V3, "pp", [2, 4, 8, 16, 32]),
        (f"{V3} --schedule 1f1b", "pp", [1, 4, 32]),
        (f"{CHUNKS} 3 --tp 8 --micro-batch 2", "pp", [2, 7, 14]),
    ],
)
def test_another_number_of_ranks_is_computed_from_the_ranks_at_hand(query, name, values):
    line = traced.OpenLine(parse_query(query), TOTAL)
    number = line.quantity(name, "")
    for value in values:
        plain = line.held().plain({name: value})
        assert plain is not None
        assert over_ranks.at_value(line, number, value) == plain


def test_a_share_is_not_doubled_beyond_all():
    """All of the exchanges of tensor parallelism are hidden: half of that shows some."""
    rows = ranked(
        "train llama-3.1-8b --hardware h100 --tp 8 --global-batch 8 --setup megatron-dense",
        "train.step.estimate",
    )
    assert rows["setup.time.overlap.tp"]["method"] == "halved"
    assert rows["setup.time.overlap.tp"]["elasticity"] < 0
