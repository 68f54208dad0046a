"""Every line of every ledger follows from its parts, and names say one thing each."""

import math
from functools import lru_cache
from itertools import product

import pytest
import sympy

import dsv3calc
from dsv3calc.formulas import attention
from dsv3calc.ledger.line import Ledger, Line, combined, computed, field, given, total
from dsv3calc.ledger.rules import RULES

MODELS = [
    "deepseek-v3", "deepseek-v3.2", "deepseek-v2", "deepseek-v2-lite", "kimi-k2", "glm-4.5",
    "llama-3.1-8b", "qwen2.5-7b", "qwen3-235b-a22b", "mixtral-8x7b", "gpt-oss-120b",
    "gemma-3-27b", "llama-4-maverick", "mistral-7b",
]  # fmt: skip
COMMANDS = [
    "params {}",
    "params {} --as transformers",
    "params {} --variant checkpoint",
    "params {} --variant matmul",
    "params {} --by layer",
    "params {} --exclude norms --include mtp",
    "params {} --precision int4 --with-mtp",
    "flops {}",
    "flops {} --phase train --with-mtp --batch 3 --seq 1000",
    "flops {} --phase prefill --past 777 --seq 333 --last-logit",
    "flops {} --phase decode --past 131072 --batch 7",
    "flops {} --phase decode --as transformers",
    "flops {} --attention half --mla absorbed --router out --head out",
    "flops {} --counting six-n --with-mtp",
    "flops {} --counting twelve-l-h2",
    "flops {} --convention isca25-table2",
    "kv {}",
    "kv {} --tokens 128Ki --batch 32 --kv-dtype int4 --page-size 64 --with-mtp",
    "kv {} --kv-dtype fp8 --fit 40GiB --tokens 3000 --page-size 16",
    "kv {} --mla naive --kv-dtype int8 --fit 1GB --batch 3",
    "kv {} --as transformers --tokens 50000",
]
TRAINING = [
    "memory {} --hardware h800 --dp 8 --zero 1",
    "memory {} --hardware b200 --pp 4 --dp 16 --zero 3 --schedule dualpipe --mirror-optimizer",
    "memory {} --hardware b200 --pp 4 --dp 2 --with-mtp --micro-batch 2 --recompute v3-recompute",
    "memory {} --hardware h100 --dp 4 --precision fp8-deepseek-v3 --compute-copy stored-twice",
    (
        "memory {} --hardware h100 --tp 2 --sequence-parallel --pp 3 --schedule interleaved "
        "--virtual-pipeline 3"
    ),
    "memory {} --hardware h100 --tp 2 --pp 2 --layer-split balanced --recompute full --padded",
    "memory {} --hardware mi300x --pp 2 --dp 4 --zero 2 --schedule zb1p --precision int4",
    "memory {} --hardware h20 --tp 1 --attention-kernel unfused --dropout --routing-weights after",
    "memory {} --hardware h20 --pp 3 --ep 4 --schedule zbv --imbalance 1.5 --precision bf16",
]
COMMANDS += TRAINING
SIGNED = {"memory.free", "layout.embedding_stage", "layout.head_stage", "layout.mtp_stage"}
"""What may be below zero: bytes that are missing, stages counted from the end."""
COMPARISONS = [
    "compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800",
    "compare deepseek-v3.2 gemma-3-27b llama-4-maverick --hardware mi300x --batch 64",
    "compare deepseek-v3 --vary deepseek-v3:attention=gqa:8,precision=bf16 --hardware b200",
    "compare deepseek-v3 --with-mtp --hardware gb200-nvl72",
    "compare deepseek-v3 --vary deepseek-v3:feed_forward=dense-active --batch 32 --context 32Ki",
    "compare gpt-oss-120b mixtral-8x7b --hardware h20 --baseline mixtral-8x7b --precision int4",
    "compare deepseek-v2-lite kimi-k2 --mla absorbed --rows flops,kv_cache",
    "compare mla-vs-gqa",
    "compare fp8-vs-bf16",
]
each_query = pytest.mark.parametrize(
    "query", [command.format(model) for command, model in product(COMMANDS, MODELS)] + COMPARISONS
)


@lru_cache(maxsize=1)
def distinct(ledger):
    """Give each line once, however many others stand on it."""
    found = {}
    waiting = list(ledger.lines)
    while waiting:
        line = waiting.pop()
        if id(line) not in found:
            found[id(line)] = line
            waiting += line.parts
            waiting += [each for _, each, _ in line.arguments if type(each) is Line]
    return tuple(found.values())


def every_line_follows_from_its_parts_by_its_rule(ledger):
    for line in distinct(ledger):
        assert line.rule in {*RULES, "formula", "given", "search", "count", "walk"}, line
        again = line.evaluate()
        assert again == line.value, line
        assert type(again) is type(line.value), line


def every_value_is_an_exact_integer_or_a_finite_float(ledger):
    for line in distinct(ledger):
        assert type(line.value) in (int, float), line
        assert math.isfinite(line.value), line
        assert line.value >= 0 or line.name in SIGNED, line


def a_name_stands_for_one_value_with_one_unit(ledger):
    seen = {}
    for top in ledger.lines:
        for line in top.published():
            assert seen.setdefault(line.name, (line.value, line.unit)) == (
                line.value,
                line.unit,
            ), line.name
    assert len(ledger.lines) == len({line.name for line in ledger.lines})


def every_line_has_a_name_and_a_unit(ledger):
    assert all(line.name and line.unit for line in distinct(ledger))


def a_formula_line_says_where_each_argument_was_read(ledger):
    for line in distinct(ledger):
        if line.rule != "formula" or line.formula.name == "slice_length":
            continue  # the bounds of a slice are the text of the group's layers
        assert tuple(name for name, _, _ in line.arguments) == line.formula.parameters
        for _, argument, origin in line.arguments:
            assert type(argument) is Line or origin, line


def sums_add_like_units(ledger):
    for line in distinct(ledger):
        if line.rule in ("sum", "maximum", "difference"):
            # bytes of one token may be named bytes per token
            units = {part.unit.removesuffix("/token") for part in line.parts}
            assert units <= {line.unit.removesuffix("/token")}, line


CHECKS = (
    every_line_follows_from_its_parts_by_its_rule,
    every_value_is_an_exact_integer_or_a_finite_float,
    a_name_stands_for_one_value_with_one_unit,
    every_line_has_a_name_and_a_unit,
    a_formula_line_says_where_each_argument_was_read,
    sums_add_like_units,
)


@each_query
def test_every_line_is_in_order(query):
    for column in dsv3calc.answer(query).columns:
        for check in CHECKS:
            check(column.ledger)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("page", [1, 64])
@pytest.mark.parametrize("room", ["1GB", "37GiB"])
def test_what_a_search_found_fits_and_one_more_does_not(model, page, room):
    ledger = dsv3calc.query(f"kv {model} --fit {room} --batch 2 --page-size {page}")
    line = ledger.get("kv_cache.fit.tokens")
    if line is None:
        assert any("any number of tokens fits" in warning for warning in ledger.warnings)
        return
    assert line.rule == "search"
    held, one_more, available = (part.value for part in line.parts)
    assert held <= available < one_more
    work = f"--batch 2 --page-size {page}"
    asked = dsv3calc.query(f"kv {model} --tokens {max(1, line.value)} {work}")["kv_cache.bytes"]
    after = dsv3calc.query(f"kv {model} --tokens {line.value + 1} {work}")["kv_cache.bytes"]
    assert line.value == 0 or asked == held
    assert after == one_more


def test_a_cache_that_is_bounded_everywhere_fits_any_number_of_tokens():
    ledger = dsv3calc.query(
        "kv mistral-7b --fit 40GiB --set span=sliding --set sliding_window=4096"
    )
    assert ledger.get("kv_cache.fit.tokens") is None
    assert any("any number of tokens fits" in warning for warning in ledger.warnings)


@pytest.mark.parametrize("model", ["deepseek-v3", "gemma-3-27b"])
def test_asking_again_gives_the_same_answer(model):
    """Lines are shared between queries: no query may change what the next one sees."""
    queries = [command.format(model) for command in COMMANDS]
    first = [dsv3calc.query(f"{query} --set vocab_size=32000").values for query in queries]
    again = [
        dsv3calc.query(f"{query} --set vocab_size=32000").values for query in reversed(queries)
    ]
    for query, one, other in zip(queries, first, reversed(again), strict=True):
        assert list(one) == list(other), query
        assert one == other, query


def test_comparing_again_gives_the_same_answer():
    query = "compare deepseek-v2-lite --set vocab_size=32000 --hardware h800"
    first, again = (
        [line.name for line in dsv3calc.answer(query).columns[0].ledger.lines] for _ in range(2)
    )
    assert first == again


def test_rules_on_symbols():
    x, y = sympy.symbols("x y", positive=True)
    parts = (given("x", x, "1"), given("y", y, "1"))
    assert combined("s", "sum", parts).value == x + y
    assert combined("p", "product", parts).value == x * y
    assert combined("d", "difference", parts).value == x - y
    assert combined("r", "ratio", parts).value == x / y
    assert combined("m", "maximum", parts).value == sympy.Max(x, y)
    assert all(
        combined("n", rule, parts).evaluate() == combined("n", rule, parts).value for rule in RULES
    )


def test_an_empty_sum_is_zero_without_a_unit_of_its_own():
    assert total("none", ()).value == 0
    assert total("none", ()).unit == "1"
    assert total("none", (), unit="FLOP").unit == "FLOP"


class Heads:
    num_attention_heads = 4
    head_dim = 8


def test_arguments_come_from_the_call_or_from_the_first_scope_that_has_them():
    line = computed(
        "width", attention.heads_width, ("model", Heads), heads=field(("model", Heads), "head_dim")
    )
    assert line.value == 64
    assert [(name, origin) for name, _, origin in line.arguments] == [
        ("heads", ""),
        ("head_dim", "model.head_dim"),
    ]


def test_an_argument_that_no_scope_has_is_an_error():
    with pytest.raises(TypeError, match="heads_width needs heads, which no scope has"):
        computed("width", attention.heads_width, ("model", Heads))


def test_a_ledger_is_read_by_name():
    lines = (given("a", 2, "1"), given("b", 3, "1"))
    ledger = Ledger("numbers", [total("sum", lines, unit="B")])
    assert ledger["sum"] == 5
    assert ledger["a"] == 2
    assert ledger.get("c") is None
    assert ledger.values == {"sum": 5}
    assert ledger.units == {"sum": "B"}
    with pytest.raises(KeyError):
        ledger["c"]
    assert repr(ledger.find("sum")) == "<sum = 5 B (sum)>"


def test_a_ledger_is_gone_through_as_a_mapping_is():
    lines = (given("a", 2, "1"), given("b", 3, "1"))
    ledger = Ledger("numbers", [total("sum", lines), combined("product", "product", lines)])
    assert [*ledger] == [*ledger.keys()] == ["sum", "product"]
    assert len(ledger) == 2
    assert dict(ledger) == {**ledger} == ledger.values == {"sum": 5, "product": 6}
    assert "product" in ledger
    assert "a" in ledger  # read by name, though not an answer
    assert "c" not in ledger
    answer = dsv3calc.query("params deepseek-v3")
    assert {name: answer[name] for name in answer} == answer.values


def test_lines_that_many_share_are_met_once():
    """Each of 100 lines is twice the one below it: there are 2^100 ways down."""
    line = bottom = given("bottom", 1, "1")
    for number in range(100):
        line = total(f"double.{number}", (line, line))
    ledger = Ledger("doubled", [line, line])
    assert len([*ledger.walk()]) == len([*line.walk()]) == 101
    assert ledger.find("bottom") is bottom
    assert ledger.get("nothing") is None
    assert ledger["double.99"] == 2**100
