"""``dsv3calc formula derive``."""

import pytest
from printed import values_of_equations

from dsv3calc.exit_status import ExitStatus
from dsv3calc.reading.diagnostics import text_width

DERIVE = ("formula", "derive")
TOTAL = "memory.worst.total"
LAYOUT = ("deepseek-v3", "--layout", "v3-pretrain")


def test_a_cache(program):
    text = program.ok(*DERIVE, "kv_cache.bytes", "deepseek-v3", "--free", "tokens,batch").out
    assert "kv_cache.bytes = 70,272·B·T" in text
    assert "T is tokens" in text
    assert "the query gives the same at tokens 8,192" in text


def test_the_command_may_be_written_and_names_given_one_by_one(program):
    text = program.ok(
        *DERIVE, "kv_cache.bytes", "kv", "deepseek-v3", "--free", "tokens", "--free", "batch"
    ).out
    assert "kv_cache.bytes = 70,272·B·T" in text


def test_options_of_the_query(program):
    text = program.ok(*DERIVE, "kv_cache.bytes", "deepseek-v3", "--batch=7", "--free", "tokens").out
    assert "491,904·T" in text


def test_times_and_prices_of_a_server(program):
    """The expressions give what the query gives at other values: 'derive' asks it again."""
    server = ("serve", "llama-3.1-8b", "--hardware", "h100", "--setup", "vllm", "--batch", "32")
    price = program.ok(
        *DERIVE, "serve.dollars_per_million.output", *server, "--free", "hardware.dollars_per_hour"
    ).out
    assert "·p_h[hardware]" in price
    assert "the query gives the same at hardware.dollars_per_hour 5.9" in price
    found = program.json(
        *DERIVE, "serve.tpot.estimate", *server, "--free", "hardware.memory.bandwidth"
    ).data
    assert found["rows"][-1]["value"] == program.json(*server).values["serve.tpot.estimate"]
    assert any("the query gives the same at" in note for note in found["notes"])


def test_a_whole_model(program):
    text = program.ok(
        *DERIVE, "parameters.total", "deepseek-v3", "--free", "num_hidden_layers,hidden_size"
    ).out
    assert "min(L, 3)" in text


def test_memory_of_a_layout(program, schema):
    answer = program.json(*DERIVE, TOTAL, *LAYOUT, "--free", "ep,pp,tp").data
    schema("answer").validate(answer)
    assert any(row["name"] == "memory.of_rank.total" for row in answer["rows"])
    worst = answer["rows"][-1]
    assert worst["value"] == program.json("memory", *LAYOUT, "--hardware", "h800").values[TOTAL]
    assert worst["candidates"][:2] == ["0", "memory_candidate_1"]
    assert any(row["name"] == "memory.candidate.1" for row in answer["rows"])
    assert any("dp follows from the 2,048 GPUs" in note for note in answer["notes"])
    assert any("the query gives the same at" in note for note in answer["notes"])
    assert answer["query"]["free"] == {"ep": 64, "pp": 16, "tp": 1}


def test_of_one_pp_every_rank_is_looked_at(program):
    rows = program.json(*DERIVE, TOTAL, *LAYOUT, "--free", "ep").data["rows"]
    values = values_of_equations([(row["name"], row["equation"]) for row in rows], {"P_e": 64})
    assert values[TOTAL] == program.json("memory", *LAYOUT, "--hardware", "h800").values[TOTAL]
    assert rows[-1]["equation"].startswith("max(memory.rank.0.total, ")


def test_the_rank_is_a_number_too(program):
    text = program.ok(*DERIVE, "memory.rank.0.total", *LAYOUT, "--free", "rank").out
    assert "r_pp" in text
    assert "rank 15" in " ".join(text.split())


def test_pp_and_the_rank_together(program):
    """What holds for every rank of every pipeline; a fixed rank stays the number that it is."""
    line = "memory.rank.3.total"
    both = program.ok(*DERIVE, line, *LAYOUT, "--free", "pp,rank").out
    assert "r_pp" in both
    assert "candidates" not in both
    one = program.ok(*DERIVE, line, *LAYOUT, "--free", "pp").out
    assert "r_pp" not in one


@pytest.mark.parametrize("schedule", ["1f1b", "zb1p", "zbv", "dualpipe", "dualpipev", "gpipe"])
def test_the_fullest_rank_of_any_pipeline(program, schedule):
    layout = ("deepseek-v3", "--pp", "4", "--dp", "8", "--ep", "8", "--schedule", schedule)
    more = ("--global-batch", "512", "--hold", "dp")
    notes = program.json(*DERIVE, TOTAL, *layout, *more, "--free", "pp").data["notes"]
    assert any("the query gives the same at pp 8" in note for note in notes)


def test_all_ranks_are_not_looked_at_where_their_number_is_open(program):
    found = program.refused(
        ExitStatus.USAGE, *DERIVE, TOTAL, "llama-4-maverick", "--pp", "4", "--free", "pp"
    )
    assert "layers alternate" in found.err


def test_dp_held(program):
    free = ("--free", "pp")
    assert "P_d = 2,048 / P_p" in program.ok(*DERIVE, TOTAL, *LAYOUT, *free).out
    held = program.ok(*DERIVE, TOTAL, *LAYOUT, *free, "--hold", "dp").out
    assert "P_d" not in held
    assert "GPUs follows from the degrees" in " ".join(held.split())


def test_latex(program):
    text = program.ok(*DERIVE, "kv_cache.bytes", "deepseek-v3", "--free", "tokens", "--latex").out
    assert text == "\\mathrm{kv\\_cache.bytes} = 70272 T\n"
    every = program.ok(*DERIVE, TOTAL, *LAYOUT, "--free", "pp,ep", "--latex").out
    assert r"\max_{r_\mathrm{pp} \in \{0" in every
    assert every.count("{") == every.count("}")


@pytest.mark.parametrize("form", ["csv", "markdown"])
def test_other_formats(program, form):
    text = program.ok(
        *DERIVE, "kv_cache.bytes", "deepseek-v3", "--free", "tokens", "--format", form
    ).out
    assert "70,272·T" in text


def test_text_fits_eighty_columns(program):
    text = program.ok(*DERIVE, TOTAL, *LAYOUT, "--free", "ep,pp,tp").out
    for line in text.splitlines():
        assert text_width(line) <= 80 or max(map(len, line.split())) > 45, line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kv_cache.byte", "deepseek-v3", "--free", "tokens"), "did you mean 'kv_cache.bytes'"),
        (("kvcache.bytes", "deepseek-v3", "--free", "tokens"), "did you mean 'kv_cache.bytes'"),
        (("qq.bytes", "deepseek-v3", "--free", "tokens"), "lines start with"),
        (("kv_cache.bytes", "deepseek-v3", "--free", "token"), "did you mean 'tokens'"),
        (("kv_cache.bytes", "deepseek-v3", "--free", "vocab_size"), "does not depend on it"),
        (("kv_cache.bytes", "deepseek-v3", "--free", "tokens,tokens"), "twice"),
        (("kv_cache.bytes", "deepseek-v3"), "--free"),
        (("kv_cache.bytes", "deepseek-v9", "--free", "tokens"), "presets of its family"),
        (("kv_cache.bytes", "deepseek-v3", "--free", "tokens", "--nope"), "--nope"),
        (("kv_cache.fit.tokens", "deepseek-v3", "--fit", "4GiB", "--free", "batch"), "search"),
        (("memory.free", *LAYOUT, "--free", "ep"), "depends on the device"),
        ((TOTAL, *LAYOUT, "--free", "pp", "--hold", "tp"), "--hold dp"),
        ((TOTAL, *LAYOUT, "--layer-split", "4*13,3*3", "--free", "pp"), "each stage"),
        (("traffic.time_per_layer", *LAYOUT, "--hardware", "h800", "--free", "ep"),
         "no closed form in ep"),
        (("parameters.total", "compare", "deepseek-v3", "qwen2.5-7b", "--free", "hidden_size"),
         "2 columns"),
        (("kv_cache.bytes", "--free", "tokens"), "Missing"),
    ],
)  # fmt: skip
def test_bad_input(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, *DERIVE, *arguments).err


def test_numbers_that_differ_between_layers(program):
    found = program.refused(
        ExitStatus.USAGE, *DERIVE, "parameters.total", "deepseek-v3",
        "--set", "groups.1.attention.kv_lora_rank=256", "--free", "kv_lora_rank",
    )  # fmt: skip
    assert "groups.0.attention.kv_lora_rank, groups.1.attention.kv_lora_rank" in found.err
    text = program.ok(
        *DERIVE, "parameters.total", "deepseek-v3", "--set", "groups.1.attention.kv_lora_rank=256",
        "--free", "groups.0.attention.kv_lora_rank",
    ).out  # fmt: skip
    assert "d_c[groups.0.attention]" in text
