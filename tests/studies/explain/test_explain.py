"""Explanations: the numbers shown, put into the formula shown, give the result shown."""

import pytest
from drawn import examples
from formula_draws import arguments_of, called
from hypothesis import given
from hypothesis import strategies as st
from printed import value_of

import dsv3calc
from dsv3calc.api import parse_query
from dsv3calc.errors import UsageError
from dsv3calc.formulas.registry.registry import all_formulas
from dsv3calc.ledger.line import Line
from dsv3calc.ledger.line import given as given_line
from dsv3calc.ledger.rules import words_of
from dsv3calc.studies.explain.explanation import Origin
from dsv3calc.studies.explain.tree import _Teller, answer_explain, rows_of

QUERIES = [
    "params deepseek-v3 --with-mtp",
    "params gemma-3-27b",
    "flops deepseek-v3.2 --phase decode --past 9000",
    "flops llama-4-maverick --attention half",
    "kv gpt-oss-120b --tokens 100000 --page-size 64 --fit 40GiB",
    "kv deepseek-v3 --kv-dtype fp8-mla",
    "memory deepseek-v3 --layout v3-pretrain --hardware h800",
    "memory qwen3-32b --hardware h100 --tp 8 --pp 4 --schedule interleaved --virtual-pipeline 4",
    "traffic deepseek-v3 --layout v3-pretrain --hardware h800",
    "traffic deepseek-v3 --layout day6-decode-ep144 --hardware h800",
    "limits ep --model deepseek-v3 --hardware h800",
    "network mpft slim-fly dragonfly --radix 64",
    "compare deepseek-v3 qwen2.5-72b --hardware h800",
]
EACH = pytest.mark.parametrize("query", QUERIES)


def explained(query, *names):
    return answer_explain(parse_query(query), names).explanations


def below(line, seen):
    if id(line) not in seen:
        seen[id(line)] = line
        for each in line.inputs:
            below(each.line, seen)
    return seen.values()


def same(found, expected):
    return found == expected and type(found) is type(expected)


class Nowhere:
    def of(self, place, *_):
        return Origin("definition", place)


@pytest.mark.parametrize("formula", all_formulas().values(), ids=str)
@examples(5)
@given(data=st.data())
def test_the_substitution_of_every_formula_gives_its_result(formula, data):
    values = data.draw(arguments_of(formula))
    result = called(formula, values)
    if result is None:
        return
    arguments = {name: given_line(name, value, "1") for name, value in values.items()}
    line = Line("made", result, "1", "formula", (), "", formula, arguments)
    told = _Teller(Nowhere()).tell(line)
    assert same(value_of(told.numbers), result), told.numbers
    assert same(value_of(told.words, values), result), told.words
    assert [each.parameter for each in told.inputs] == list(formula.parameters)


@EACH
def test_whole_ledgers_follow_from_what_is_printed(query):
    for each in explained(query, "*"):
        for line in below(each.line, {}):
            if line.rule in ("given", "search", "walk"):
                assert line.numbers == ""
                assert (line.origin is None) is (line.rule != "given")
            else:
                assert same(value_of(line.numbers), line.value), (line.name, line.numbers)
            assert line.rule == "given" or line.summary


@EACH
def test_every_line_and_every_value_is_that_of_the_query(query):
    columns = {column.id: column.ledger for column in dsv3calc.answer(query).columns}
    for each in explained(query, "*"):
        assert columns[each.column].values[each.line.name] == each.line.value


@pytest.mark.parametrize("query", QUERIES[:-1])  # compare cites no precision that it only shows
def test_values_of_presets_lead_to_their_file_and_source(query):
    for each in explained(query, "*"):
        for line in below(each.line, {}):
            kind = line.name.partition(".")[0]
            kinds = ("model", "hardware", "precision", "recipe", "setup")
            if line.rule == "given" and kind in kinds:
                assert line.origin.file.endswith(".yaml"), line.name
                assert line.origin.line > 1, line.name
                assert line.origin.citation


def test_the_line_of_a_value_is_where_it_stands():
    (found,) = explained("kv deepseek-v3")
    by_name = {line.name: line for line in below(found.line, {})}
    rank = by_name["model.groups.0.attention.kv_lora_rank"]
    with open(rank.origin.file, encoding="utf-8") as file:
        assert "kv_lora_rank: 512" in file.read().splitlines()[rank.origin.line - 1]
    assert rank.origin.kind == "datasheet"
    assert by_name["workload.batch"].origin.citation == "default of the query (--batch)"


def test_what_the_query_sets_is_told_apart_from_the_preset():
    (found,) = explained("kv deepseek-v3 --batch 3 --set kv_lora_rank=256")
    by_name = {line.name: line.origin for line in below(found.line, {}) if line.origin}
    assert by_name["model.groups.0.attention.kv_lora_rank"].kind == "query"
    assert "kv_lora_rank=256" in by_name["model.groups.0.attention.kv_lora_rank"].citation
    assert by_name["workload.batch"].citation == "given in the query (--batch)"


def test_assumptions_are_marked():
    (found,) = explained("memory deepseek-v3 --layout v3-pretrain --hardware h800")
    kinds = {line.name: line.origin.kind for line in below(found.line, {}) if line.origin}
    assert kinds["layout.micro_batch"] == "assumed"
    assert kinds["setup.memory.driver_context"] == "assumed"
    assert kinds["layout.pp"] == "paper"


def test_each_column_of_a_comparison_is_explained_from_its_own_preset():
    found = explained("compare deepseek-v3 qwen2.5-72b", "parameters.total")
    files = []
    for each in found:
        (hidden,) = [line for line in below(each.line, {}) if line.name == "model.hidden_size"]
        files.append(hidden.origin.file.rpartition("/")[2])
    assert files == ["deepseek-v3.yaml", "qwen2.5-72b.yaml"]


def test_an_unknown_line_is_refused_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        explained("kv deepseek-v3", "kv_cache.byte")
    assert "kv_cache.bytes" in caught.value.hint


def test_plain_data_tell_a_line_once():
    (found,) = explained("memory deepseek-v3 --layout v3-pretrain --hardware h800")
    full, repeated = set(), set()

    def walk(data):
        if data["rule"] != "given":
            (repeated if "repeated" in data else full).add(data["name"])
            assert "repeated" in data or data["name"] in full
        for each in data.get("inputs", []):
            walk(each["line"])

    walk(found.line.as_data())
    assert repeated <= full
    assert repeated
    assert len(rows_of([found])) > len(full)


@pytest.mark.parametrize(
    ("rule", "count", "words"),
    [
        ("sum", 2, "sum"),
        ("sum", 1, "alias of"),
        ("sum", 0, "0 (no terms)"),
        ("product", 0, "1 (no terms)"),
        ("difference", 2, "the first term minus the others"),
        ("search", 1, "found by search: the best value within the bound"),
        ("given", 0, "read, not computed"),
    ],
)
def test_rules_in_words(rule, count, words):
    assert words_of(rule, count) == words
