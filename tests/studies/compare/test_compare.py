"""Columns side by side: ratios, baselines, sections, and comparisons from a file."""

import pytest

import dsv3calc
from dsv3calc.errors import InvalidInput, UsageError

PREFIX = "ratio_to_baseline."


def columns(query):
    return {column.id: column.ledger for column in dsv3calc.answer(query).columns}


def lines_by_name(ledger):
    """Return what ``find`` gives for every name, from one walk instead of one for each."""
    found = {}
    for line in ledger.walk():
        found.setdefault(line.name, line)
    return found


def test_every_number_of_a_column_has_its_ratio_to_the_first():
    found = columns("compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800")
    base, *others = found.values()
    assert not [name for name in base.values if name.startswith(PREFIX)]
    shared = {line.name for line in base.lines if line.value}
    divisors = lines_by_name(base)
    for ledger in others:
        lines = lines_by_name(ledger)
        names = {line.name for line in ledger.lines} & shared
        ratios = {line.name for line in ledger.lines if line.name.startswith(PREFIX)}
        assert ratios == {PREFIX + name for name in names}
        for name in names:
            ratio = lines[PREFIX + name]
            quotient = lines[name].value / divisors[name].value
            assert ratio.value == pytest.approx(quotient, rel=1e-15)
            assert ratio.unit == "ratio"


def test_ratios_of_the_paper_s_first_table():
    base, qwen, llama = columns(
        "compare deepseek-v3 qwen2.5-72b llama-3.1-405b --rows kv_cache"
    ).values()
    name = "kv_cache.bytes_per_token"
    assert [each[name] for each in (base, qwen, llama)] == [70_272, 327_680, 516_096]
    assert round(qwen[PREFIX + name], 3) == 4.663
    assert round(llama[PREFIX + name], 3) == 7.344  # the table prints 7.28: see its errata


def test_the_baseline_is_chosen_by_its_column():
    answer = dsv3calc.answer("compare deepseek-v3 qwen2.5-72b --baseline qwen2.5-72b")
    v3, qwen = (column.ledger for column in answer.columns)
    assert answer.query["baseline"] == "qwen2.5-72b"
    assert not [name for name in qwen.values if name.startswith(PREFIX)]
    assert v3[f"{PREFIX}kv_cache.bytes_per_token"] == pytest.approx(70_272 / 327_680)


def test_a_varied_column_may_be_the_baseline():
    name = "deepseek-v3:attention=mha"
    answer = dsv3calc.answer(f"compare deepseek-v3 --vary {name} --baseline {name} --rows kv_cache")
    ledger = answer.columns[0].ledger
    assert ledger[f"{PREFIX}kv_cache.bytes_per_token"] == pytest.approx(576 / (2 * 128 * 128))


def test_the_baseline_s_ratio_to_itself_is_left_out_and_equal_columns_are_at_one():
    _, again = columns("compare deepseek-v3 deepseek-v3 --rows parameters").values()
    ratios = [line.value for line in again.lines if line.name.startswith(PREFIX)]
    assert ratios == [1] * len(ratios)


def test_columns_of_one_name_are_told_apart():
    assert list(columns("compare deepseek-v3 deepseek-v3 deepseek-v3 --rows parameters")) == [
        "deepseek-v3",
        "deepseek-v3#2",
        "deepseek-v3#3",
    ]


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        ("parameters", "parameters.total"),
        ("weights", "weights.bytes"),
        ("flops", "flops.train.total"),
        ("kv_cache", "kv_cache.bytes_per_token"),
        ("roofline", "roofline.prefill.compute_time"),
    ],
)
def test_a_section_alone(rows, first):
    ledger = columns(f"compare deepseek-v3 --hardware h800 --rows {rows}")["deepseek-v3"]
    assert ledger.lines[0].name == first
    prefixes = {first.partition(".")[0]} | ({"state"} if rows == "kv_cache" else set())
    assert {line.name.partition(".")[0] for line in ledger.lines} <= prefixes


def test_sections_by_default_and_roofline_with_hardware():
    def sections(query):
        ledger = columns(query)["deepseek-v3"]
        return {line.name.partition(".")[0] for line in ledger.lines}

    usual = {"parameters", "weights", "flops", "kv_cache", "state"}
    assert sections("compare deepseek-v3") == usual
    assert sections("compare deepseek-v3 --hardware h800") == usual | {"roofline"}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("params deepseek-v3", "parameters.total"),
        ("params deepseek-v3", "parameters.active"),
        ("params deepseek-v3", "weights.bytes"),
        ("kv deepseek-v3 --tokens 9000 --batch 3", "kv_cache.bytes"),
    ],
)
def test_a_column_says_what_the_single_query_says(command, name):
    ledger = columns("compare deepseek-v3 --context 9000 --batch 3")["deepseek-v3"]
    assert ledger[name] == dsv3calc.query(command)[name]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("params deepseek-v3 --with-mtp", "parameters.total"),
        ("params deepseek-v3 --with-mtp", "weights.bytes"),
        ("kv deepseek-v3 --with-mtp", "kv_cache.bytes_per_token"),
    ],
)
def test_with_mtp_counts_the_modules_in_every_section(command, name):
    ledger = columns("compare deepseek-v3 --with-mtp")["deepseek-v3"]
    assert ledger[name] == dsv3calc.query(command)[name]


def test_flops_of_a_column_are_those_of_the_single_queries():
    ledger = columns("compare deepseek-v3 --context 9000 --batch 3 --seq 2000")["deepseek-v3"]
    train = dsv3calc.query("flops deepseek-v3 --phase train --batch 3 --seq 2000")
    decode = dsv3calc.query("flops deepseek-v3 --phase decode --batch 3 --past 9000")
    assert ledger["flops.train.total"] == train["flops.total"]
    assert ledger["flops.decode.per_token"] == decode["flops.per_token"]
    for count in ("causal", "full", "half"):
        by_count = train[f"flops.by_attention.{count}"] / 6000
        assert ledger[f"flops.train.per_token_by_attention.{count}"] == pytest.approx(by_count)


def test_the_roofline_is_the_larger_of_its_two_times():
    for phase in ("prefill", "decode"):
        for ledger in columns(
            "compare deepseek-v3 llama-3.1-405b --hardware h800 --batch 32 --rows roofline"
        ).values():
            compute = ledger[f"roofline.{phase}.compute_time"]
            memory = ledger[f"roofline.{phase}.memory_time"]
            time = ledger[f"roofline.{phase}.time"]
            assert time == max(compute, memory)
            assert ledger[f"roofline.{phase}.tokens_per_gpu_second"] == pytest.approx(1 / time)
            binds = ledger[f"roofline.{phase}.intensity"] < ledger[f"roofline.{phase}.ridge"]
            assert binds is (memory > compute)


def test_decode_of_a_dense_model_by_hand():
    """Llama-3.1-405B in BF16 on H800, batch 32 at 4,096 cached tokens, sharded perfectly."""
    ledger = columns(
        "compare llama-3.1-405b --hardware h800 --batch 32 --precision bf16 --rows roofline"
    )["llama-3.1-405b"]
    hidden, vocabulary, parameters = 16_384, 128_256, 405_853_388_800
    rows = 32 * hidden * 2  # of the embedding, one for each token
    weights = 2 * (parameters - vocabulary * hidden) + rows
    cache = 32 * 4097 * 516_096
    assert ledger["roofline.decode.bytes"] == weights + cache
    memory = (weights + cache) / 3.35e12 / 32
    assert ledger["roofline.decode.memory_time"] == pytest.approx(memory)


def test_decode_reads_the_expected_distinct_experts():
    ledger = columns("compare deepseek-v3 --hardware h800 --batch 32 --rows roofline")[
        "deepseek-v3"
    ]
    hit = ledger["roofline.decode.expert_weights.groups.1.distinct_experts"]
    assert hit == pytest.approx(256 * (1 - (1 - 8 / 256) ** 32))
    all_experts = ledger["roofline.decode.expert_weights.groups.1.all.bytes"]
    read = ledger["roofline.decode.expert_weights.groups.1"]
    assert read == pytest.approx(all_experts * hit / 256)


def test_hardware_without_a_peak_falls_back_and_says_so():
    answer = dsv3calc.answer("compare deepseek-v3 --hardware a100-80g --rows roofline")
    assert any("a100-80g has no fp8 peak" in warning for warning in answer.warnings)


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        ("compare", "compare needs a model", "compare deepseek-v3"),
        (
            "compare deepseek-v3 --baseline deepsek-v3",
            "choose one of",
            "did you mean 'deepseek-v3'",
        ),
        ("compare deepseek-v3 --rows parameter", "choose among", "did you mean 'parameters'"),
        ("compare deepseek-v3 --rows roofline", "needs --hardware", "h800"),
        ("compare deepsek-v3", "no model preset", "did you mean 'deepseek-v3'"),
        (
            "compare deepseek-v3 --set hardware.memory.bandwidth=4TB/s",
            "uses no hardware",
            "--hardware",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(query, message, hint):
    with pytest.raises(UsageError) as caught:
        dsv3calc.answer(query)
    assert message in caught.value.message
    assert hint in caught.value.hint


# From a file

FILE = """\
name: sharing
title: How many heads share a key
designs:
  - deepseek-v3
  - model: deepseek-v3
    title: MHA
    vary: ["attention=mha"]
  - model: deepseek-v3
    title: four experts
    set: {num_experts_per_tok: 4}
  - model: deepseek-v3
    title: in BF16
    precision: bf16
baseline: MHA
hardware: h800
batch: 4
context: 8Ki
rows: [parameters, weights, kv_cache]
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "sharing.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_file_gives_designs_workload_rows_and_baseline(written):
    answer = dsv3calc.answer(f"compare {written(FILE)}")
    assert [column.id for column in answer.columns] == [
        "deepseek-v3",
        "MHA",
        "four experts",
        "in BF16",
    ]
    first, mha, four, wide = (column.ledger for column in answer.columns)
    assert answer.query["baseline"] == "MHA"
    assert (answer.query["batch"], answer.query["context"]) == (4, 8192)
    assert first["kv_cache.bytes"] == 4 * 8192 * 70_272
    assert mha["kv_cache.bytes_per_token"] == 61 * 2 * 128 * 128 * 2
    assert first["parameters.active"] - four["parameters.active"] == 58 * 4 * 3 * 7168 * 2048
    assert wide["weights.bytes"] == 2 * wide["parameters.total"] + 2 * 58 * 256
    assert not [line for line in first.lines if line.name.startswith(("flops.", "roofline."))]


def test_an_option_on_the_command_line_goes_before_the_file(written):
    path = written(FILE)
    answer = dsv3calc.answer(f"compare {path} --batch 2 --rows kv_cache --baseline deepseek-v3")
    assert answer.query["batch"] == 2
    assert answer.query["context"] == 8192
    assert answer.query["baseline"] == "deepseek-v3"
    assert {line.name.partition(".")[0] for line in answer.columns[0].ledger.lines} == {
        *("kv_cache", "state")
    }


def test_what_if_columns_may_be_added_to_a_file(written):
    answer = dsv3calc.answer(f"compare {written(FILE)} --vary deepseek-v3:attention=mqa")
    assert answer.columns[-1].id == "deepseek-v3:attention=mqa"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("batch: 4", "batch: four", "batch"),
        ("batch: 4", "batches: 4", "batches"),
        ("context: 8Ki", "context: 8 GiB", "context"),
        ("  - deepseek-v3\n", "  - 7\n", "designs"),
    ],
)
def test_a_wrong_field_of_a_file_is_found(written, before, after, message):
    assert before in FILE
    with pytest.raises(InvalidInput) as caught:
        dsv3calc.answer(f"compare {written(FILE.replace(before, after))}")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("baseline: MHA", "baseline: GQA", "choose one of"),
        ("attention=mha", "attention=gqa:7", "do not divide"),
        ("num_experts_per_tok", "num_expert_per_tok", "num_expert_per_tok"),
        ("rows: [parameters", "rows: [params", "not one of its values"),
        ("hardware: h800", "hardware: h801", "no hardware preset"),
    ],
)
def test_a_wrong_name_in_a_file_is_refused(written, before, after, message):
    assert before in FILE
    with pytest.raises((UsageError, InvalidInput)) as caught:
        dsv3calc.answer(f"compare {written(FILE.replace(before, after))}")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["mla-vs-gqa", "dense-vs-moe", "fp8-vs-bf16"])
def test_a_shipped_comparison_is_called_by_its_name(name):
    answer = dsv3calc.answer(f"compare {name}")
    assert len(answer.columns) >= 3


def test_latent_attention_against_the_others():
    mla, mha, gqa, mqa = columns("compare mla-vs-gqa").values()
    cache = "kv_cache.bytes_per_token"
    assert mqa[cache] < mla[cache] < gqa[cache] < mha[cache]
    assert mha[cache] == 16 * gqa[cache] == 128 * mqa[cache]


@pytest.mark.parametrize("design", ["llama-3.1-8b", "--vary deepseek-v3:attention=mha"])
def test_a_cache_format_that_does_not_apply_is_a_warning(design):
    answer = dsv3calc.answer(f"compare deepseek-v3 {design} --kv-dtype fp8-mla --rows kv_cache")
    latent, other = answer.columns
    assert latent.ledger["kv_cache.bytes_per_token_per_layer"] == 656
    assert other.ledger.find("kv_cache.bytes_per_token").convention == "bf16"
    assert any("fp8-mla is for MLA alone" in text for text in answer.warnings)


def test_a_varied_column_says_that_its_indexer_is_gone():
    answer = dsv3calc.answer("compare deepseek-v3.2 --vary deepseek-v3.2:attention=gqa:8")
    assert any("indexer" in text for text in answer.warnings)


def test_modules_of_prediction_run_against_the_peaks_of_their_parts():
    """Head, core and eh_proj in BF16 at half the FP8 rate: more than the FLOPs at the FP8 peak."""
    plain, more = (
        dsv3calc.query(f"compare deepseek-v3 --hardware h800 --rows roofline {option}")
        for option in ("", "--with-mtp")
    )
    added = more["roofline.decode.pass_compute_time"] - plain["roofline.decode.pass_compute_time"]
    flops = more["roofline.decode.flops.total"] - plain["roofline.decode.flops.total"]
    assert flops / 1978.9e12 * 1.5 < added < flops / 989.4e12


def test_chunked_layers_read_the_keys_that_they_count():
    """One token into a second chunk: 36 of Maverick's 48 layers read a single key."""
    one, full = (
        dsv3calc.query(
            f"compare llama-4-maverick --hardware h800 --rows roofline --context {context}"
        )["roofline.decode.cache.attention.groups.0"]
        for context in (8192, 8191)
    )
    assert full == 8192 * one
