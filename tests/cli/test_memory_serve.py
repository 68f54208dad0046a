import pytest

from dsv3calc.exit_status import ExitStatus

GIB = 2**30
V3 = ("memory", "deepseek-v3", "--serve", "--hardware", "h800")
DECODE = (*V3, "--layout", "day6-decode-ep144", "--context", "4989", "--batch", "88")


def test_the_decode_unit_of_day_6(program):
    values = program.json(*DECODE).values
    # 2 slots and a shared expert in 58 layers, everything else whole: arithmetic by hand
    attention = 61 * 187_105_280 + 3 * 396_361_728 + 58 * 3 * 44_040_192
    blocks = 61 * (88 * 8 + 192 * 12 + 56 * 5)  # not every matrix divides into 128 x 128
    assert attention < values["serving.weights"] - 2 * 2 * 926_679_040 < attention * 1.02 + blocks
    assert values["serving.weights"] / GIB == pytest.approx(22.52, abs=0.02)
    assert values["serving.kv_bytes_per_token"] == 70_272
    assert values["serving.kv_bytes_per_sequence"] == 70_272 * 4992  # pages of 64 tokens
    assert values["serving.kv_bytes"] == 88 * values["serving.kv_bytes_per_sequence"]
    assert values["serving.fits"] == 1


@pytest.mark.parametrize(("ep", "gib"), [("64", 27.28), ("8", 93.89)])
def test_weights_of_other_expert_groups(program, ep, gib):
    ask = ("memory", "deepseek-v3", "--serve", "--hardware", "h200")
    values = program.json(*ask, "--ep", ep, "--dp", ep).values
    assert values["serving.weights"] / GIB == pytest.approx(gib, abs=0.04)


def test_one_expert_of_any_kind_on_each_gpu_of_the_reports_decode_unit(program):
    found = program.json(*V3, "--layout", "v3-decode-ep320")
    parts = {
        name: value
        for name, value in found.values.items()
        if name.startswith("serving.layer.groups.1.weights.routed_experts.")
        and name.endswith("_proj")
    }
    assert list(parts.values()) == [2048 * 7168] * 3  # FP8: a byte each
    assert not any(".shared_experts." in name for name in found.values)
    assert any("replicated on all 4 TP GPUs" in note for note in found.data["notes"])


def test_nine_slots_on_each_gpu_of_the_prefill_units(program):
    for layout in ("v3-prefill-ep32", "day6-prefill-ep32"):
        values = program.json(*V3, "--layout", layout).values
        name = "serving.layer.groups.1.weights.routed_experts.gate_proj"
        assert values[name] == 9 * 2048 * 7168


def test_the_latent_is_replicated_and_heads_are_divided(program):
    latent = [
        program.json(*V3, "--tp", tp, "--ep", tp).values["serving.kv_bytes_per_token"]
        for tp in ("1", "4")
    ]
    assert latent == [70_272, 70_272]
    grouped = [
        program.json(
            "memory", "llama-3.1-405b", "--serve", "--hardware", "h200", "--tp", tp
        ).values["serving.kv_bytes_per_token"]
        for tp in ("1", "8", "16")
    ]
    assert grouped == [516_096, 516_096 / 8, 516_096 / 8]  # 8 heads: 16 GPUs share each in pairs


def test_pool_sequences_and_longest_context_agree(program):
    values = program.json(*DECODE).values
    pool = values["serving.kv_pool"]
    assert pool == values["serving.budget"] - values["serving.weights"] - values["serving.buffers"]
    assert values["serving.kv_tokens"] == pool // (70_272 * 64) * 64
    most = values["serving.max_sequences"]
    one = values["serving.kv_bytes_per_sequence"]
    assert most * one <= pool < (most + 1) * one
    longest = values["serving.longest_context"]
    more = ("--layout", "day6-decode-ep144", "--batch", "88", "--context")
    assert program.json(*V3, *more, str(longest)).values["serving.fits"] == 1
    assert program.json(*V3, *more, str(longest + 1)).values["serving.fits"] == 0


def test_low_latency_buffers_are_deepeps(program):
    ask = (*V3, "--layout", "day6-decode-ep144", "--tokens", "128", "--low-latency")
    values = program.json(*ask).values
    # 288 slots, 128 tokens, 14,336 + 224 bytes: 2,146,961,792 less counters and alignment
    assert values["serving.exchange"] == 4 * 288 * 128 * 14_560 == 2_146_959_360


def test_absorbed_weights_and_mtp_add_what_they_are(program):
    base = program.json(*DECODE).values["serving.weights"]
    absorbed = program.json(*DECODE, "--absorbed").values["serving.weights"]
    assert absorbed - base == 61 * 32 * 2**20
    mtp = program.json(*DECODE, "--with-mtp")
    assert mtp.values["serving.kv_bytes_per_token"] == 71_424
    assert mtp.values["serving.weights"] > base


def test_pipeline_ranks_are_held_against_their_own_pools(program):
    ask = ("memory", "llama-3.1-405b", "--serve", "--hardware", "h800", "--tp", "8", "--pp", "2")
    values = program.json(*ask).values
    for what in ("max_sequences", "kv_tokens"):
        ranks = [values[f"serving.rank.{rank}.{what}"] for rank in range(2)]
        assert values[f"serving.{what}"] == min(ranks)


def test_a_model_that_does_not_fit(program):
    ask = ("memory", "deepseek-v3", "--serve", "--tp", "1", "--hardware", "h800")
    found = program(*ask, "--require-fit")
    assert found.status == ExitStatus.CHECK_FAILED
    assert "over by" in found.out
    values = program.json(*ask).values
    assert values["serving.kv_pool"] == values["serving.max_sequences"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--memory-fraction", "1.5"], "from 0 to 1"),
        (["--page-size", "0"], "--page-size"),
        (["--context", "0"], "--context"),
        (["--kv-dtype", "fp9"], "did you mean 'fp8'"),
        (["--ep", "48", "--dp", "48"], "do not divide among ep 48"),
        (["--tp", "3"], "--tp 2 or 4"),
        (["--set", "hardware.memory.usable=null"], "usable=79GiB"),
        (["--rank", "1"], "not with --serve"),
    ],
)
def test_wrong_options(program, arguments, words):
    replicas = () if "--dp" in arguments else ("--dp", "8")
    found = program(*V3, *replicas, *arguments)
    assert found.status in (ExitStatus.USAGE, ExitStatus.INVALID_INPUT)
    assert words in found.err


def test_options_without_effect_are_told(program):
    ask = ("memory", "llama-3.1-8b", "--serve", "--hardware", "h800", "--tp", "1")
    warnings = program.json(*ask, "--absorbed", "--low-latency", "--with-mtp").data["warnings"]
    for option in ("--absorbed", "--low-latency", "--with-mtp"):
        assert any(f"{option} has no effect" in text for text in warnings)


def test_windows_keep_less_than_every_token(program):
    ask = ("memory", "gemma-3-27b", "--serve", "--hardware", "h100", "--tp", "2")
    short, long = (
        program.json(*ask, "--context", context).values["serving.kv_bytes_per_sequence"]
        for context in ("1024", "65536")
    )
    assert long < 64 * short


@pytest.mark.parametrize("model", ["gemma-3-27b", "gpt-oss-120b", "llama-4-maverick"])
def test_windowed_layers_hold_the_tokens_of_the_sequences_that_fit(program, model):
    ask = ("memory", model, "--serve", "--hardware", "b200", "--tp", "8", "--ep", "8")
    ask = (*ask, "--context", "32768")
    found = program.json(*ask)
    values = found.values
    assert values["serving.sequence_tokens"] == 32768 * values["serving.max_sequences"]
    assert values["serving.sequence_tokens"] > values["serving.kv_tokens"]
    out = program.ok(*ask).out
    assert "tokens that the pool holds" not in out
    assert f"{values['serving.sequence_tokens']:,}" in out


def test_a_longest_context_beyond_the_model_is_told(program):
    ask = ("memory", "gemma-3-27b", "--serve", "--hardware", "h100", "--tp", "8")
    found = program.json(*ask)
    assert found.values["serving.longest_context"] > 131072
    told = [text for text in found.data["warnings"] if "max_position_embeddings" in text]
    assert told == [
        "gemma-3-27b: the longest context that fits is beyond its max_position_embeddings 131,072"
    ]


def test_one_gpu_has_no_buffers_for_collectives(program):
    ask = ("memory", "llama-3.1-8b", "--serve", "--hardware", "h100", "--tp")
    assert program.json(*ask, "1").values["serving.communication"] == 0
    assert program.json(*ask, "2").values["serving.communication"] == GIB


def test_a_pipeline_of_vllm_has_no_buffers_for_collectives_when_its_pool_is_measured(program):
    """vLLM 0.19 with Llama 3.1 8B on two H100: the first stage had 66.55 GiB for its cache."""
    ask = (
        "memory", "llama-3.1-8b", "--serve", "--hardware", "h100", "--setup", "vllm",
        "--memory-fraction", "0.95", "--set", "setup.memory.graphs=0",
    )  # fmt: skip
    found = program.json(*ask, "--pp", "2", "--ledger").values
    assert found["serving.communication"] == 0
    pool = found["serving.budget"] - found["serving.rank.0.weights"]
    assert (pool - found["serving.rank.0.buffers"]) / GIB == pytest.approx(66.55, rel=0.005)
    assert program.json(*ask, "--tp", "2").values["serving.communication"] == 1860 * 2**20


@pytest.mark.parametrize(
    ("options", "rank"),
    [
        (["--pp", "2", "--layer-split", "61,0"], 0),  # the last stage has norm and head alone
        (["--pp", "3", "--layer-split", "0,61,0"], 1),  # the first has the embedding alone
    ],
)
def test_a_stage_without_layers_limits_no_sequence(program, options, rank):
    ask = ("memory", "deepseek-v3", "--serve", "--hardware", "h200", "--tp", "8")
    values = program.json(*ask, *options).values
    assert values["serving.rank"] == rank
    assert values["serving.kv_bytes_per_token"] == 61 * 576 * 2
    assert values["serving.max_sequences"] == values[f"serving.rank.{rank}.max_sequences"]
    empty = options[1] == "3"
    ends = [0, 2] if empty else [1]
    for end in ends:
        assert f"serving.rank.{end}.max_sequences" not in values
        assert f"serving.rank.{end}.kv_tokens" not in values
    # the head, BF16 over eight GPUs, and the final norm
    last = values[f"serving.rank.{ends[-1]}.weights"]
    assert last == 129_280 * 7168 * 2 // 8 + 7168 * 2


def test_a_stage_without_layers_that_does_not_fit_holds_nothing(program):
    """Two layers take 872 MB, FP32 logits of 2,048 sequences 1,051 MB: the head's stage is larger.

    Embedding and head take 1,051 MB each, and what every GPU needs 1,644 MB.
    """
    ask = ("memory", "llama-3.1-8b", "--serve", "--hardware", "h100", "--pp", "2")
    model = ("--set", "num_hidden_layers=2", "--layer-split", "2,0")
    pass_ = ("--batch", "2048", "--context", "1", "--page-size", "1", "--tokens", "1")
    found = {
        usable: program.json(
            *(*ask, *model, *pass_, "--memory-fraction", "1"),
            *("--set", f"hardware.memory.usable={usable}MB"),
        ).values
        for usable in (3500, 3700, 3900)
    }
    assert [found[usable]["serving.fits"] for usable in found] == [0, 0, 1]
    short = found[3700]
    assert short["serving.rank"] == 1
    assert short["serving.max_sequences"] == short["serving.kv_tokens"] == 0
    assert short["serving.rank.0.max_sequences"] > 2048
    assert found[3900]["serving.rank"] == 0


def test_a_layout_of_layers_for_another_model_is_refused_with_what_would_do(program):
    ask = ("memory", "deepseek-v2-lite", "--hardware", "mi300x", "--serve")
    layout = ("--layout", "llama-3.1-405b-pretrain")
    found = program.refused(ExitStatus.USAGE, *ask, *layout)
    assert "1,408 wide does not divide among etp 512" in found.err
    assert "take --etp 128, or --ep 4" in found.err
    values = program.json(*ask, *layout, "--ep", "64").values  # 27 layers on 16 balanced stages
    assert values["serving.fits"] == 1
    assert "serving.rank.15.weights" in values


def test_the_prefill_layout_of_the_report(program):
    """Section 3.4.1: 1-way TP for dense feed-forwards; the shared expert whole, as assumed."""
    ask = (*V3, "--layout", "v3-prefill-ep32")
    found = program.json(*ask)
    assert found.values["serving.weights"] / GIB == pytest.approx(29.27, abs=0.005)
    assert any("shared expert is whole" in text for text in found.data["assumptions"])
    divided = ("--set", "layout.dense_feed_forward=local", "--shared-experts", "local")
    before = program.json(*ask, *divided).values["serving.weights"]
    # three quarters of 3 dense feed-forwards and 58 shared experts in FP8, FP32 scales of 128x128
    elements = 3 * (3 * 7168 * 18432 + 58 * 7168 * 2048) * 3 // 4
    assert found.values["serving.weights"] - before == elements + elements * 4 // 128**2


def test_large_sizes_of_one_table_have_one_unit(program):
    asked = ("memory", "deepseek-v3", "--hardware", "h800", "--tp", "8", "--serve")
    out = program.ok(*asked, "--batch", "1e9").out
    assert "TiB" not in out
    assert "200,897.5 GiB" in out  # activations


def test_replicas_of_an_instance_are_padded_to_the_fullest(program):
    """100 sequences on 8 replicas take what 13 of each do: 8 x 13 = 104."""
    asked = ("memory", "deepseek-v3", "--serve", "--hardware", "h800", "--dp", "8", "--ep", "8")
    padded, each = (
        program.json(*asked, "--concurrency", "100"),
        program.json(*asked, "--batch", "13"),
    )
    for name in ("kv_bytes", "buffers", "total", "max_sequences"):
        assert padded.values[f"serving.{name}"] == each.values[f"serving.{name}"]
    note = "100 sequences on 8 replicas: each is padded to 13, of 104 in all"
    assert note in padded.data["notes"]
    assert note.partition(":")[0] not in program.ok(*asked, "--concurrency", "104").out
    both = program.refused(ExitStatus.USAGE, *asked, "--concurrency", "100", "--batch", "3")
    assert "--batch and --concurrency" in both.err
    training = program.refused(ExitStatus.USAGE, *asked[:2], *asked[3:], "--concurrency", "100")
    assert "--concurrency: only with --serve" in training.err
