import pytest

from dsv3calc.exit_status import ExitStatus


def test_bytes_per_token(program):
    assert program.json("kv", "deepseek-v3").values["kv_cache.bytes_per_token"] == 70_272


def test_with_mtp_has_62_layers(program):
    values = program.json("kv", "deepseek-v3", "--with-mtp").values
    assert values["kv_cache.bytes_per_token"] == 62 * 1152


def test_the_cache_of_a_batch(program):
    values = program.json("kv", "deepseek-v3", "--tokens", "128k", "--batch", "32").values
    assert values["kv_cache.bytes"] == 32 * 128_000 * 70_272


@pytest.mark.parametrize(
    ("dtype", "per_layer"), [("bf16", 1152), ("fp8", 576), ("fp8-mla", 656), ("int8", None)]
)
def test_dtypes(program, dtype, per_layer):
    values = program.json("kv", "deepseek-v3", "--kv-dtype", dtype).values
    if per_layer:
        assert values["kv_cache.bytes_per_token_per_layer"] == per_layer
    assert values["kv_cache.bytes_per_token"] < 70_272 or dtype == "bf16"


def test_pages_round_up(program):
    one, paged = (
        program.json("kv", "deepseek-v3", "--tokens", "100", "--page-size", size).values
        for size in ("1", "64")
    )
    assert paged["kv_cache.bytes"] * 100 == one["kv_cache.bytes"] * 128


def test_what_fits(program):
    values = program.json("kv", "deepseek-v3", "--fit", "40GiB", "--tokens", "4096").values
    sequences = values["kv_cache.fit.sequences"]
    assert sequences * 4096 * 70_272 <= 40 * 2**30 < (sequences + 1) * 4096 * 70_272
    assert values["kv_cache.fit.tokens"] == 40 * 2**30 // 70_272


def test_nothing_fits(program):
    values = program.json("kv", "deepseek-v3", "--fit", "80 B").values
    assert values["kv_cache.fit.sequences"] == 0


def test_units_mean_what_they_say(program):
    sizes = [
        program.json("kv", "deepseek-v3", "--fit", text).data["query"]["fit"]
        for text in ("80 GB", "80GB", "80GiB", "80000000000")
    ]
    assert sizes == [80 * 10**9, 80 * 10**9, 80 * 2**30, 80 * 10**9]


def test_sliding_windows(program):
    short, long = (
        program.json("kv", "gemma-3-27b", "--tokens", tokens).values["kv_cache.bytes"]
        for tokens in ("1024", "128Ki")
    )
    assert long < 128 * short


def test_the_other_reading_is_a_note(program):
    found = program.ok("kv", "deepseek-v3", "--tokens", "128k")
    assert "128Ki would be 131,072" in found.out + found.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qwen2.5-72b", "--kv-dtype", "fp8-mla"], "MLA alone"),
        (["deepseek-v3", "--kv-dtype", "fp7"], "did you mean 'fp8'"),
        (["deepseek-v3", "--tokens", "80 GB"], "not a unit of tokens"),
        (["deepseek-v3", "--tokens", "0"], "--tokens"),
        (["deepseek-v3", "--tokens", ""], "--tokens"),
        (["deepseek-v3", "--fit", "80gb"], "80 GB"),
        (["deepseek-v3", "--fit", "0"], "--fit"),
        (["deepseek-v3", "--fit", "-1GiB"], "--fit"),
        (["deepseek-v3", "--page-size", "0"], "--page-size"),
        (["deepseek-v3", "--as", "transformers", "--mla", "absorbed"], "fixes"),
    ],
)
def test_wrong_options(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, "kv", *arguments).err


def test_bits_of_memory_are_refused(program):
    found = program.refused(ExitStatus.USAGE, "kv", "deepseek-v3", "--fit", "40Gb")
    assert "'40Gb' is in bits: 5 GB as written" in found.err
    assert "did you mean 40GB?" in found.err
    capacity = "hardware.memory.usable=640Gb"
    found = program.refused(
        ExitStatus.USAGE, "memory", "mixtral-8x7b", "--hardware", "h800", "--set", capacity
    )
    assert "is in bits: 80 GB as written" in found.err


def test_a_window_needs_its_span(program):
    window = ("--set", "groups.0.attention.sliding_window=4096")
    refused = program("kv", "qwen2.5-72b", *window)
    assert "span=sliding, sliding_window=4096" in refused.err
    span = ("--set", "groups.0.attention.span=sliding")
    program.ok("kv", "qwen2.5-72b", *window, *span)


def test_the_layers_of_a_group_are_named(program):
    out = program.ok("kv", "gemma-4-31b").out
    assert "per token and layer, every 6th layer from 5 (groups 1)" in out
    assert "per token and layer, 50 of 60 layers (groups 0)" in out
    out = program.ok("kv", "minimax-m3", "--with-mtp").out
    assert "per token and layer, layers 0 to 2 (groups 0)" in out
    assert "per token and layer, of mtp" in out
