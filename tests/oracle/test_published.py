"""Values that the papers and repositories print, under the convention that gives them."""

import pytest

import dsv3calc

GFLOP = 10**9


@pytest.mark.parametrize(
    ("model", "per_token"),
    [("deepseek-v3", 70_272), ("qwen2.5-72b", 327_680), ("llama-3.1-405b", 516_096)],
)
def test_kv_cache_per_token(model, per_token):
    """Table 1 of arXiv:2505.09343, in BF16; 1 KB is 1000 bytes and MTP is out."""
    ledger = dsv3calc.query(f"kv {model}")
    assert ledger["kv_cache.bytes_per_token"] == per_token
    assert ledger["kv_cache.bytes"] == 4096 * per_token


@pytest.mark.parametrize(
    ("model", "bundle", "printed", "gflop"),
    [
        ("deepseek-v2", "isca25-table2", 155, 155.014),
        ("deepseek-v3", "isca25-table2", 250, 249.811),
        ("qwen-72b", "isca25-table2-dense", 394, 394.021),
        ("llama-3.1-405b", "isca25-table2-dense", 2448, 2447.855),
    ],
)
def test_training_cost_per_token(model, bundle, printed, gflop):
    """Table 2 of arXiv:2505.09343 at 4,096 tokens, under the convention of each half of it."""
    ledger = dsv3calc.query(f"flops {model} --phase train --seq 4096 --convention {bundle}")
    per_token = ledger["flops.per_token"]
    assert round(per_token / GFLOP) == printed
    assert round(per_token / GFLOP, 3) == gflop


def test_training_cost_is_six_n_and_half_of_the_scores():
    """Convention A by hand: 6 N of the matrices and 3 L 2 n_h (192 + 128) S/2."""
    for model, weights, layers in (
        ("deepseek-v3", 36_518_166_528, 61),
        ("deepseek-v2", 20_802_437_120, 60),
    ):
        ledger = dsv3calc.query(f"flops {model} --seq 4096 --convention isca25-table2")
        by_hand = 6 * weights + 3 * layers * 2 * 128 * (192 + 128) * 2048
        assert ledger["flops.per_token"] == by_hand


@pytest.mark.parametrize(
    ("model", "per_token"),
    [
        ("llama-3.1-8b", 48_249_176_064),
        ("qwen2.5-72b", 444_856_270_848),
        ("mixtral-8x7b", 79_706_456_064),
        ("deepseek-v3", 249_812_054_016 - 6 * 61 * (1536 + 512)),  # the latent norms
    ],
)
def test_the_moe_rows_are_counted_as_megatron_counts(model, per_token):
    """``num_floating_point_operations`` of NVIDIA/Megatron-LM at d98e8a64, one token of 4,096."""
    ledger = dsv3calc.query(f"flops {model} --seq 4096 --convention isca25-table2")
    assert ledger["flops.per_token"] == per_token


@pytest.mark.parametrize(
    ("options", "gflop"),
    [
        ("--attention half", 250.450),
        ("--attention half --router out --head out", 244.251),
        ("--attention full --router out", 280.514),
        ("--attention full", 281.152),
    ],
)
def test_near_misses_of_the_table(options, gflop):
    """The alternatives that were tried before the convention was found."""
    ledger = dsv3calc.query(f"flops deepseek-v3 --seq 4096 --mla naive {options}")
    assert round(ledger["flops.per_token"] / GFLOP, 3) == gflop


def test_the_rows_of_the_table_under_one_convention():
    for model, gflop in (("qwen2.5-72b", 444.86), ("llama-3.1-405b", 2473.22)):
        ledger = dsv3calc.query(f"flops {model} --seq 4096 --convention isca25-table2")
        assert round(ledger["flops.per_token"] / GFLOP, 2) == gflop


def test_one_mtp_module_adds_its_cost():
    """10.18 GFLOP per token: MLA, nine experts, eh_proj, the head again, half of the scores."""
    choices = "flops deepseek-v3 --seq 4096 --router out --attention half --mla naive"
    without = dsv3calc.query(choices)["flops.per_token"]
    with_mtp = dsv3calc.query(f"{choices} --with-mtp")["flops.per_token"]
    assert round((with_mtp - without) / GFLOP, 2) == 10.18
    assert round(with_mtp / GFLOP, 2) == 259.99
    hidden, vocabulary = 7168, 129_280
    attention = 187_105_280  # matrices of one MLA layer
    experts = 9 * 3 * hidden * 2048
    matrices = attention + experts + 2 * hidden * hidden + vocabulary * hidden
    scores = 3 * 2 * 128 * (192 + 128) * 2048
    assert with_mtp - without == 6 * matrices + scores


def test_the_checkpoint_of_deepseek_v3():
    """Every element of the published files, and every byte."""
    ledger = dsv3calc.query("params deepseek-v3 --variant checkpoint")
    assert ledger["parameters.total"] == 684_531_386_000
    assert ledger["weights.elements"] == 684_531_386_000
    assert ledger["weights.bytes"] == 688_574_839_360
    assert ledger["weights.elements_by_dtype.float8_e4m3fn"] == 680_571_043_840
    assert ledger["weights.elements_by_dtype.bfloat16"] == 3_918_786_560
    assert ledger["weights.elements_by_dtype.float32"] == 41_555_600
    assert ledger["parameters.components.mtp"] == 11_610_068_224
    assert ledger["parameters.components.mtp_copies"] == 1_853_358_080
    assert ledger["parameters.components.scales"] == 41_540_496


def test_the_checkpoint_of_kimi_k2():
    """All weights and scales of the published files, and not their 61 rotary buffers.

    moonshotai/Kimi-K2-Instruct has 139,644 tensors and a ``total_size`` of 1,029,173,256,720 bytes;
    the hub counts 1,026,470,731,056 elements of Kimi-K2-Base.
    """
    ledger = dsv3calc.query("params kimi-k2 --variant checkpoint")
    moe_layer = 2 * (384 * 3 + 3 + 5) + 2 + 4  # weights and scales; router and bias; norms
    dense_layer = 2 * (3 + 5) + 4
    buffers, elements = 61, 61 * 56
    assert 60 * moe_layer + dense_layer + 3 + buffers == 139_644
    assert ledger["weights.elements"] == 1_026_470_731_056 - elements
    assert ledger["weights.bytes"] == 1_029_173_256_720 - 2 * elements
    assert ledger["parameters.total"] - ledger["parameters.components.scales"] == 1_026_408_232_448


def test_the_parts_of_the_checkpoint_add_up():
    main = dsv3calc.query("params deepseek-v3")
    assert main["parameters.total"] == 671_026_419_200
    assert main["parameters.mtp"] == 11_610_068_224
    parts = (671_026_419_200, 11_610_068_224, 1_853_358_080, 41_540_496)
    assert sum(parts) == 684_531_386_000
    with_mtp = dsv3calc.query("params deepseek-v3 --with-mtp")
    assert with_mtp["parameters.total"] == sum(parts[:2])
    assert with_mtp["parameters.components.mtp"] == parts[1]


def test_the_parts_of_the_mtp_module():
    ledger = dsv3calc.query("params deepseek-v3")
    module = {
        line.name.removeprefix("parameters.mtp."): line.value
        for line in ledger.find("parameters.mtp").parts
    }
    assert module["mtp_projection"] == 102_760_448
    norms = ledger["parameters.mtp.norms.mtp_norms"]
    assert norms == 21_504
    assert sum(module.values()) - 102_760_448 - norms == 11_507_286_272


def test_flash_mla_fp8_cache_entry():
    """656 B a token and layer: 512 in FP8, 4 FP32 scales, 64 in BF16."""
    ledger = dsv3calc.query("kv deepseek-v3 --kv-dtype fp8-mla")
    assert ledger["kv_cache.bytes_per_token_per_layer"] == 512 + 4 * 4 + 64 * 2 == 656
    assert ledger["kv_cache.bytes_per_token"] == 61 * 656


def test_flash_mla_cache_of_one_long_request():
    """8.72 GiB at 128Ki tokens: the module of MTP is the 62nd layer."""
    ledger = dsv3calc.query("kv deepseek-v3 --tokens 128Ki --with-mtp --kv-dtype bf16")
    assert ledger["kv_cache.bytes"] == 576 * 2 * 62 * 128 * 1024
    assert ledger["kv_cache.bytes"] / 2**30 == 8.71875


def test_naive_mla_caches_seventy_one_times_the_latent():
    latent = dsv3calc.query("kv deepseek-v3")["kv_cache.bytes_per_token_per_layer"]
    expanded = dsv3calc.query("kv deepseek-v3 --mla naive")["kv_cache.bytes_per_token_per_layer"]
    assert (latent, expanded) == (2 * 576, 2 * 40_960)
    assert expanded // latent == 71


def test_gpt_oss_in_mxfp4():
    ledger = dsv3calc.query("params gpt-oss-120b --precision mxfp4")
    assert ledger["weights.bytes"] == 65_248_815_744
