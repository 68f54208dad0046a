"""``formula eval``: what it reads, what it refuses, and that goldens and Python can ask it."""

import math

import pytest

import dsv3calc
from dsv3calc.exit_status import ExitStatus
from dsv3calc.formulas.registry.glossary import SYMBOLS
from dsv3calc.formulas.registry.registry import all_formulas
from dsv3calc.studies.goldens.verdict import query_text

BUBBLE = ("formula", "eval", "bubble_1f1b")


def test_integers_stay_exact(program):
    found = program.json("formula", "eval", "unit_gpus", "unit_nodes=12345678901234567890",
                         "gpus_per_node=9")  # fmt: skip
    assert found.values == {"formula.unit_gpus": 12345678901234567890 * 9}


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("pp=16", "forward_seconds=1", "backward_seconds=2"), 45),
        (("backward_seconds=2 s", "forward_seconds=1000ms", "pp=16"), 45),
        (("pp=1.6e1", "forward_seconds=0", "backward_seconds=1min"), 900),
    ],
)
def test_arguments_in_any_order_and_in_words(program, arguments, value):
    found = program.json(*BUBBLE, *arguments)
    assert found.values == {"formula.bubble_1f1b": value}
    assert found.data["columns"][0]["units"] == {"formula.bubble_1f1b": "s"}


def test_quantities_by_dimension(program):
    once = "imbalance=1 rounds=0 latency=0"
    query = f"formula eval transfer_time moved=80GiB link_bandwidth=50GB/s {once}"
    assert math.isclose(dsv3calc.query(query)["formula.transfer_time"], 80 * 2**30 / 50e9)
    query = "formula eval stored_bytes elements=671B bits=8"
    assert dsv3calc.query(query)["formula.stored_bytes"] == 671 * 10**9
    found = program.json("formula", "eval", "tokens_processed", "batch=2", "sequence=128k")
    assert found.values["formula.tokens_processed"] == 256_000
    assert found.data["notes"] == ["128k is read as 128,000 tokens; 128Ki would be 131,072"]


def test_a_number_of_another_query(program):
    query = "flops deepseek-v3 --convention isca25-table2"
    found = program.json(
        "formula", "eval", "compute_time", "peak=1e12", f"flops=flops.total of {query}"
    )
    total = dsv3calc.query(query)["flops.total"]
    assert found.values["formula.compute_time"] == total / 1e12
    assert found.values["flops.total"] == total if "flops.total" in found.values else True
    assert found.data["sources"], "the sources of the query's presets come along"
    text = program.ok("formula", "eval", "compute_time", "peak=1e12",
                      f"flops=flops.total of {query}").out  # fmt: skip
    assert "FLOP" in text


def test_queries_nest(program):
    inner = "formula eval unit_gpus unit_nodes=256 gpus_per_node=8"
    found = program.json("formula", "eval", "elapsed_time", "gpu_time=2664000h",
                         f"job_gpus=formula.unit_gpus of {inner}")  # fmt: skip
    assert found.values["formula.elapsed_time"] == 2664000 * 3600 / 2048


def test_a_column_of_several(program):
    ratio = "ratio_to_baseline.parameters.total"
    query = "compare deepseek-v2 deepseek-v3 --rows parameters"
    found = program.json("formula", "eval", "mtp_gain", "acceptance=80%",
                         f"mtp_cost={ratio}[deepseek-v3] of {query}")  # fmt: skip
    assert 0 < found.values["formula.mtp_gain"] < 1
    refused = program.refused(ExitStatus.USAGE, "formula", "eval", "mtp_gain", "acceptance=80%",
                              f"mtp_cost={ratio} of {query}")  # fmt: skip
    assert "[COLUMN]" in refused.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bubble_1f", "pp=1"), ("no formula 'bubble_1f'", "did you mean 'bubble_1f1b'")),
        (("quux",), ("no formula", "formula list")),
        (("bubble_1f1b",), ("pp, forward_seconds, backward_seconds are missing", "pp [1]")),
        (("bubble_1f1b", "p=1"), ("no argument 'p'", "did you mean 'pp'")),
        (("bubble_1f1b", "16"), ("'16' is not of the form ARGUMENT=VALUE",)),
        (("bubble_1f1b", "pp=1", "pp=2"), ("pp is given twice",)),
        (("bubble_1f1b", "pp=x", "forward_seconds=1", "backward_seconds=1"), ("pp:", "'x'")),
        (("bubble_1f1b", "pp=", "forward_seconds=1", "backward_seconds=1"), ("pp:", "empty")),
        (("bubble_1f1b", "pp=1.5", "forward_seconds=1", "backward_seconds=1"), ("whole",)),
        (("bubble_1f1b", "pp=0", "forward_seconds=1", "backward_seconds=1"), ("pp = 0", ">= 1")),
        (("bubble_1f1b", "pp=2", "forward_seconds=-1", "backward_seconds=1"), (">= 0",)),
        (("bubble_1f1b", "pp=2", "forward_seconds=nan", "backward_seconds=1"), ("'nan'",)),
        (("bubble_1f1b", "pp=2", "forward_seconds=1GB", "backward_seconds=1"), ("'GB'",)),
        (("link_ratio", "scale_up_bandwidth=1", "scale_out_bandwidth=0"), ("> 0",)),
        (("logfmt_step", "octaves=32", "code_bits=1e9"), ("at most 10,000",)),
        (("logfmt_error", "octave_step=9999"), ()),
        (("exponent_octaves", "exponent_bits=9999"), ("no value that can be shown",)),
        (("compute_time", "peak=1", "flops=x of quux"), ("flops: 'quux' is no query",)),
        (("compute_time", "peak=1", "flops=x of kv deepseek-v3"), ("no quantity 'x'",)),
        (("compute_time", "peak=1", "flops=x of kv deepseek-v3 --json"), ("output options",)),
        (("compute_time", "peak=1", "flops=kv_cache.bytes of kv deepseek-v3"),
         ("flops is in FLOP, and kv_cache.bytes in B",)),
    ],
)  # fmt: skip
def test_what_is_refused(program, arguments, words):
    if not words:  # large, and fine
        program.ok("formula", "eval", *arguments)
        return
    found = program.refused(ExitStatus.USAGE, "formula", "eval", *arguments)
    assert all(word in found.err for word in words), found.err


def test_every_formula_can_be_asked(program):
    """With the smallest sensible arguments: a value, or a refusal in words."""
    for formula in all_formulas().values():
        values = [f"{name}={max(SYMBOLS[name].least, 2)}" for name in formula.parameters]
        found = program("formula", "eval", formula.name, *values, "--json")
        assert found.status in (ExitStatus.OK, ExitStatus.USAGE)
        if found.status == ExitStatus.OK:
            assert list(found.values) == [f"formula.{formula.name}"]


def test_the_value_is_that_of_the_ledger_s_rule():
    ledger = dsv3calc.query("formula eval bubble_1f1b pp=4 forward_seconds=1 backward_seconds=2")
    (line,) = ledger.lines
    assert line.evaluate() == line.value == 9
    assert [name for name, _, _ in line.arguments] == ["pp", "forward_seconds", "backward_seconds"]


def test_in_a_golden(program, file):
    query = {"command": "formula eval", "name": "unit_gpus",
             "arguments": ["unit_nodes=4", "gpus_per_node=8"]}  # fmt: skip
    assert query_text(query) == "formula eval unit_gpus unit_nodes=4 gpus_per_node=8"
    path = file(
        "numbers.yaml",
        f"goldens: [{{query: {query}, quantity: formula.unit_gpus, expect: 32}}]",
    )
    program.ok("check", path)
    program.ok("snapshot", query_text(query), "-o", "snap.yaml")
    program.ok("check", "snap.yaml")


def test_every_format(program):
    arguments = (*BUBBLE, "pp=16", "forward_seconds=1", "backward_seconds=2")
    assert "formula.bubble_1f1b,s,45" in program.ok(*arguments, "--format", "csv").out
    assert "| bubble_1f1b | 45 s |" in program.ok(*arguments, "--format", "markdown").out
    assert "45 s" in program.ok(*arguments).out


IMPOSSIBLE = [
    ("missed_of_random_groups missed=0.5 n_group=8 topk_group=600", "topk_group = 600"),
    ("missed_of_random_groups missed=61 n_group=8 topk_group=4", "missed = 61"),
    ("distinct_destinations destinations=2 missed=61", "missed = 61"),
    ("mirrored_stage pp=3 rank=128", "rank = 128"),
    ("folded_stage pp=3 rank=3", "rank < pp, where pp = 3"),
    (
        "longer_stages num_hidden_layers=3 virtual_stages=16 leading=0 trailing=0 stage_layers=4",
        "stage_layers = 4",
    ),
    ("bubble_zb1p pp=61 forward_seconds=1 backward_seconds=20 weight_seconds=28",
     "weight_seconds <= backward_seconds"),
    ("bubble_zb1p pp=16 forward_seconds=1 backward_seconds=2 weight_seconds=1.9",
     "weight_seconds <= (forward_seconds + backward_seconds) / 2"),
    ("bubble_dualpipe pp=15 overlapped_pair_seconds=3 backward_seconds=2 weight_seconds=1",
     "pp % 2 == 0"),
    ("fits total_bytes=-1 usable=80GiB", "total_bytes >= 0"),
    ("hidden_share communication_seconds=0 overlapped_seconds=1", "communication_seconds > 0"),
    ("inactive_expert_elements elements=10 n_routed_experts=4 num_experts_per_tok=8",
     "num_experts_per_tok <= n_routed_experts"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "words"), IMPOSSIBLE)
def test_outside_the_domain_nothing_is_answered(program, query, words):
    assert words in program.refused(ExitStatus.USAGE, "formula", "eval", *query.split()).err


def test_the_edges_of_a_domain_are_inside(program):
    for query, value in (
        ("missed_of_random_groups missed=0 n_group=8 topk_group=8", 0),
        ("mirrored_stage pp=3 rank=2", 0),
        ("bubble_zb1p pp=16 forward_seconds=1 backward_seconds=2 weight_seconds=1.5", 0),
    ):
        found = program.json("formula", "eval", *query.split())
        assert list(found.values.values()) == [value]


def test_a_number_of_another_query_is_checked_too(program):
    rank = "rank=formula.unit_gpus of formula eval unit_gpus unit_nodes=2 gpus_per_node=8"
    refused = program.refused(ExitStatus.USAGE, "formula", "eval", "mirrored_stage", "pp=16", rank)
    assert "rank = 16 is outside the domain rank < pp" in refused.err
