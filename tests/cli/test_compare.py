import pytest

from dsv3calc.exit_status import ExitStatus

COMPARISON = "name: mine\ntitle: Mine\n"


def test_the_first_command_of_the_readme(program):
    data = program.json(
        "compare", "deepseek-v3", "qwen2.5-72b", "llama-3.1-405b", "--hardware", "h800"
    ).data
    assert [column["id"] for column in data["columns"]] == [
        "deepseek-v3", "qwen2.5-72b", "llama-3.1-405b",
    ]  # fmt: skip
    for column in data["columns"]:
        values = column["values"]
        for phase in ("prefill", "decode"):
            assert values[f"roofline.{phase}.compute_time"] > 0
            assert values[f"roofline.{phase}.memory_time"] > 0
    assert [c["values"]["kv_cache.bytes_per_token"] for c in data["columns"]] == [
        70_272, 327_680, 516_096,
    ]  # fmt: skip


def test_ratios_are_to_the_baseline(program):
    for baseline in (None, "llama-3.1-405b"):
        option = ["--baseline", baseline] if baseline else []
        data = program.json("compare", "deepseek-v3", "llama-3.1-405b", *option).data
        assert data["query"]["baseline"] == (baseline or "deepseek-v3")
        columns = {column["id"]: column["values"] for column in data["columns"]}
        other, base = ("deepseek-v3", "llama-3.1-405b")
        if baseline is None:
            other, base = base, other
        name = "parameters.total"
        assert columns[other][f"ratio_to_baseline.{name}"] == pytest.approx(
            columns[other][name] / columns[base][name], rel=1e-15
        )


def test_equal_columns_have_ids_of_their_own(program):
    data = program.json("compare", *["deepseek-v3"] * 3, "--baseline", "deepseek-v3#2").data
    assert [c["id"] for c in data["columns"]] == ["deepseek-v3", "deepseek-v3#2", "deepseek-v3#3"]
    assert data["columns"][2]["values"]["ratio_to_baseline.parameters.total"] == 1


@pytest.mark.parametrize(
    ("change", "bytes_per_token"),
    [
        ("attention=mha", 61 * 2 * 2 * 128 * 128),
        ("attention=gqa:8", 61 * 2 * 2 * 8 * 128),
        ("attention=mqa", 61 * 2 * 2 * 128),
    ],
)
def test_what_if_attention(program, change, bytes_per_token):
    data = program.json("compare", "deepseek-v3", "--vary", f"deepseek-v3:{change}").data
    assert data["columns"][1]["id"] == f"deepseek-v3:{change}"
    values = data["columns"][1]["values"]
    assert values["kv_cache.bytes_per_token"] == bytes_per_token


def test_what_if_feed_forward(program):
    data = program.json(
        "compare", "deepseek-v3",
        "--vary", "deepseek-v3:feed_forward=dense-active",
        "--vary", "deepseek-v3:feed_forward=dense-total,precision=bf16",
    ).data  # fmt: skip
    base, active, whole = (column["values"] for column in data["columns"])
    assert active["parameters.active_share"] == whole["parameters.active_share"] == 1
    assert active["parameters.total"] < base["parameters.total"] < whole["parameters.active"] * 1.01
    assert whole["weights.bytes"] == 2 * whole["parameters.total"]


def test_rows(program):
    data = program.json("compare", "deepseek-v3", "--rows", "kv_cache, parameters").data
    assert {name.split(".")[0] for name in data["columns"][0]["values"]} <= {
        "kv_cache", "state", "parameters", "groups", "tokens",
    }  # fmt: skip


def test_a_set_reaches_every_column(program):
    data = program.json("compare", "deepseek-v3", "llama-2-70b", "--set", "vocab_size=1000").data
    embedding = [c["values"]["parameters.components.embedding"] for c in data["columns"]]
    assert embedding == [1000 * 7168, 1000 * 8192]


def test_a_set_of_the_hardware(program):
    plain, faster = (
        program.json("compare", "deepseek-v3", "--hardware", "h800", *more).values
        for more in ([], ["--set", "hardware.memory.bandwidth=6.7 TB/s"])
    )
    ratio = plain["roofline.decode.memory_time"] / faster["roofline.decode.memory_time"]
    assert ratio == pytest.approx(2)


def test_a_shipped_comparison(program):
    data = program.json("compare", "mla-vs-gqa").data
    assert [column["title"] for column in data["columns"]] == ["MLA", "MHA", "GQA 128:8", "MQA"]
    assert data["query"]["batch"] == 64
    narrowed = program.json("compare", "mla-vs-gqa", "--batch", "1").data
    assert narrowed["query"]["batch"] == 1


def test_a_comparison_file(program, file):
    path = file(
        "mine.yaml",
        COMPARISON + "designs:\n  - deepseek-v3\n"
        "  - {model: deepseek-v3, title: smaller, set: {kv_lora_rank: 256}, precision: bf16}\n"
        "context: 128k\nbaseline: smaller\nrows: [kv_cache]\n",
    )
    data = program.json("compare", path).data
    assert data["columns"][1]["values"]["kv_cache.bytes_per_token"] == 61 * 2 * (256 + 64)
    assert data["query"]["context"] == 128_000


def test_a_hundred_columns(program):
    data = program.json("compare", *["deepseek-v3"] * 100, "--rows", "parameters").data
    assert len({column["id"] for column in data["columns"]}) == 100


def test_too_many_columns_do_not_hang(program, within):
    with within(10):
        program.refused(ExitStatus.USAGE, "compare", *["deepseek-v3"] * 3000)


def test_a_huge_workload(program):
    data = program.json(
        "compare", "deepseek-v3", "gemma-3-27b", "--hardware", "h800",
        "--batch", "1e15", "--context", "1e15", "--seq", "1e15",
    ).data  # fmt: skip
    assert isinstance(data["columns"][0]["values"]["flops.train.total"], int)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "compare needs a model"),
        (["deepseek-v3", "nope"], "no model preset 'nope'"),
        (["deepseek-v3", "--baseline", "deepseek"], "did you mean 'deepseek-v3'"),
        (["deepseek-v3", "--hardware", "h900"], "did you mean 'h800'"),
        (["deepseek-v3", "--hardware", "deepseek-v3"], "no hardware preset"),
        (["deepseek-v3", "--rows", "roofline"], "--hardware"),
        (["deepseek-v3", "--rows", "param"], "did you mean 'parameters'"),
        (["deepseek-v3", "--rows", ","], "choose among"),
        (["deepseek-v3", "--set", "hardware.peaks.bf16=1"], "uses no hardware"),
        (["--vary", "deepseek-v3"], "MODEL:NAME=VALUE"),
        (["--vary", ":attention=mqa"], "MODEL:NAME=VALUE"),
        (["--vary", "nope:attention=mqa"], "'nope'"),
        (["--vary", "deepseek-v3:attention=gqa:7"], "do not divide"),
        (["--vary", "deepseek-v3:attention=gqa:0"], "gqa:0"),
        (["--vary", "deepseek-v3:attention=gqa:-1"], "mha, mqa"),
        (["--vary", "deepseek-v3:attention=gqa:٨"], "mha, mqa"),
        (["--vary", "deepseek-v3:attention=gqa:9999999999"], "mha, mqa"),
        (["--vary", "deepseek-v3:attention=mla"], "mha, mqa"),
        (["--vary", "deepseek-v3:attention=mqa,attention=mha"], "twice"),
        (["--vary", "deepseek-v3:feed_forward=dense"], "dense-active"),
        (["--vary", "llama-2-70b:feed_forward=dense-active"], "routed experts"),
        (["--vary", "deepseek-v3:precision=fp9"], "'fp9'"),
        (["--vary", "deepseek-v3:precision="], "no NAME=VALUE"),
        (["deepseek-v3", "--vary", "deepseek-v3:attention=\x1b[31m"], "mha, mqa"),
        (["deepseek-v3", "--vary", "deepseek-v3:feed_forward=\x1b[31m"], "dense-active"),
    ],
)
def test_wrong_options(program, arguments, words):
    assert words in program.refused(ExitStatus.USAGE, "compare", *arguments).err


@pytest.mark.parametrize(
    "rest",
    [
        "designs: []\n",
        "designs: deepseek-v3\n",
        "designs: [{modle: deepseek-v3}]\n",
        "designs: [{model: deepseek-v3, set: {hidden_size: [1]}}]\n",
        "designs: [{model: deepseek-v3, set: {hidden_size: 7K}}]\n",
        "designs: [deepseek-v3]\nbatch: 0\n",
        "designs: [deepseek-v3]\nbatch: 1e30\n",
        "designs: [deepseek-v3]\ncontxt: 5\n",
        "designs: [" + "deepseek-v3, " * 101 + "]\n",
    ],
)
def test_a_wrong_comparison_file(program, file, rest):
    program.refused(ExitStatus.INVALID_INPUT, "compare", file("mine.yaml", COMPARISON + rest))


@pytest.mark.parametrize(
    "rest",
    [
        "designs: [nope]\n",
        "designs: [{model: deepseek-v3, set: {x: 1}}]\n",
        "designs: [{model: deepseek-v3, vary: [attention]}]\n",
        "designs: [{model: deepseek-v3, vary: ['attention=gqa:7']}]\n",
        "designs: [deepseek-v3]\nrows: [x]\n",
        "designs: [deepseek-v3]\nbaseline: x\n",
        "designs: [deepseek-v3]\nhardware: nope\n",
    ],
)
def test_a_comparison_file_that_asks_for_nonsense(program, file, rest):
    found = program("compare", file("mine.yaml", COMPARISON + rest))
    assert found.status in (ExitStatus.USAGE, ExitStatus.INVALID_INPUT)
    assert found.out == ""


def test_stdin_can_be_read_once(program, config):
    found = program("compare", "-", "-", stdin=config("llama").read_bytes())
    assert found.status in (ExitStatus.OK, ExitStatus.USAGE, ExitStatus.INVALID_INPUT)


def assumed(program, *arguments):
    return program.json("compare", *arguments).data["assumptions"]


def test_a_precision_is_assumed_of_the_columns_that_have_it(program):
    """DeepSeek-V3 stands there in its own FP8, Qwen2.5 and Llama 3.1 in BF16."""
    models = ("deepseek-v3", "qwen2.5-72b", "llama-3.1-405b")
    (text,) = assumed(program, *models, "--hardware", "h800")
    assert text.startswith("bf16 (only in qwen2.5-72b, llama-3.1-405b): Weights, activations and ")
    (text,) = assumed(program, *models, "--precision", "bf16")
    assert text.startswith("bf16: Weights, activations and matrix products in BF16")


def test_a_saved_comparison_says_which_column_is_in_bf16(program):
    bf16, int4 = assumed(program, "fp8-vs-bf16")
    assert bf16.startswith("bf16 (only in bf16): ")
    assert int4.startswith("int4 (only in int4): Linear layers ")


def test_no_row_of_weights_is_shown_twice(program):
    shown = program.ok("compare", "deepseek-v3", "--precision", "bf16", "--notes", "none").out
    assert sum(line.split()[0] == "bf16" for line in shown.splitlines() if line.strip()) == 1
