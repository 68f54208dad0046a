"""What the accounting adds up for shipped models, against short sums by hand."""

import pytest

import dsv3calc
from dsv3calc.accounting.flops import flops_lines
from dsv3calc.errors import UsageError
from dsv3calc.schema.workload import Conventions, Workload

# Parameters


@pytest.mark.parametrize("variant", ["default", "with-mtp", "trainable", "matmul", "checkpoint"])
def test_layer_rows_sum_to_the_total_of_every_variant(variant):
    answer = dsv3calc.answer(f"params deepseek-v3 --by layer --variant {variant}")
    ledger = answer.columns[0].ledger
    assert sum(row["total"] for row in answer.rows) == ledger["parameters.total"]


def test_rows_of_deepseek_v3_name_each_layer():
    rows = dsv3calc.answer("params deepseek-v3 --by layer").rows
    layers = [row for row in rows if isinstance(row["layer"], int)]
    assert [row["layer"] for row in layers] == list(range(61))
    assert [row["feed_forward_type"] for row in layers] == ["dense"] * 3 + ["moe"] * 58
    assert {row["attention_type"] for row in layers} == {"mla"}
    attention, norms = 187_105_280, 1536 + 512 + 2 * 7168
    assert layers[0]["total"] == attention + norms + 3 * 7168 * 18_432
    assert layers[3]["total"] == (attention + norms + 257 * 3 * 7168 * 2048 + 256 * 7168 + 256)


@pytest.mark.parametrize("name", ["embedding", "head", "router", "norms", "routing-bias"])
def test_an_exclusion_takes_out_what_it_names(name):
    whole = dsv3calc.query("params deepseek-v3")
    without = dsv3calc.query(f"params deepseek-v3 --exclude {name}")
    expected = {
        "embedding": 129_280 * 7168,
        "head": 129_280 * 7168,
        "router": 58 * 256 * 7168,
        "norms": 61 * (1536 + 512 + 2 * 7168) + 7168,
        "routing-bias": 58 * 256,
    }[name]
    taken = whole["parameters.total"] - without["parameters.total"]
    bias = 58 * 256 if name == "router" else 0  # a router that is left out takes its bias along
    assert taken in (expected, expected + bias)


def test_biases_of_qwen2_5():
    whole = dsv3calc.query("params qwen2.5-7b")["parameters.total"]
    without = dsv3calc.query("params qwen2.5-7b --exclude biases")["parameters.total"]
    assert whole - without == 28 * (28 + 4 + 4) * 128


def test_weights_in_bf16_and_in_int4():
    plain = dsv3calc.query("params llama-3.1-8b --precision bf16")
    assert plain["weights.bytes"] == 2 * plain["parameters.total"] == 2 * 8_030_261_248
    small = dsv3calc.query("params llama-3.1-8b --precision int4")
    assert small["weights.bytes"] < plain["weights.bytes"] / 2


def test_fp8_of_deepseek_v3_has_one_scale_for_each_block_of_128():
    ledger = dsv3calc.query("params deepseek-v3 --include scales")
    experts = 58 * 257 * 3 * (7168 // 128) * (2048 // 128)
    dense = 3 * 3 * (7168 // 128) * (18_432 // 128)
    attention = 61 * (12 * 56 + 192 * 12 + 5 * 56 + 256 * 4 + 56 * 128)
    assert ledger["parameters.components.scales"] == experts + dense + attention


# FLOPs


def test_llama_4_runs_every_expert_only_as_the_library_does():
    true = dsv3calc.query("flops llama-4-maverick --phase prefill --seq 100")
    library = dsv3calc.query("flops llama-4-maverick --phase prefill --seq 100 --as transformers")
    name = "flops.components.routed_experts"
    assert library[name] == 128 * true[name]
    assert true[name] == 2 * 100 * 24 * 3 * 5120 * 8192


@pytest.mark.parametrize("past", [0, 100, 2047, 2048, 131_071])
def test_sparse_attention_costs_its_selected_keys_and_the_indexer_all(past):
    ledger = dsv3calc.query(f"flops deepseek-v3.2 --phase decode --past {past}")
    seen = min(past + 1, 2048)
    assert ledger["flops.components.attention_core"] == 61 * 128 * 2 * seen * (576 + 512)
    indexer = sum(ledger[f"flops.components.indexer.core.groups.{group}"] for group in (0, 1))
    assert indexer == 61 * 64 * 2 * (past + 1) * (128 + 1)


def test_sliding_layers_see_their_window():
    """Gemma 3: every sixth layer sees everything, the others 1,024 tokens."""
    ledger = dsv3calc.query("flops gemma-3-27b --phase decode --past 8191")
    pairs = 52 * 1024 + 10 * 8192
    assert ledger["flops.components.attention_core"] == 2 * 2 * 32 * 128 * pairs


def test_chunked_layers_see_their_chunk():
    """Llama 4: three of four layers see the 8,192 tokens of their own chunk."""
    ledger = dsv3calc.query("flops llama-4-maverick --phase decode --past 10000")
    pairs = 36 * (10_000 - 8192 + 1) + 12 * 10_001
    assert ledger["flops.components.attention_core"] == 2 * 2 * 40 * 128 * pairs


def test_absorbed_costs_more_flops_than_naive_for_each_key():
    lines = {}
    for mla in ("naive", "absorbed"):
        workload = Workload(phase="decode", batch=1, sequence=1, past=4095)
        model = dsv3calc.load_model("deepseek-v3")
        whole = flops_lines(model, workload, Conventions(mla=mla)).total
        lines[mla] = {line.name.rpartition(".")[2]: line.value for line in whole.parts}
    per_key = {
        mla: parts["attention_core"] // (2 * 4096 * 61 * 128) for mla, parts in lines.items()
    }
    assert per_key == {"naive": 320, "absorbed": 1088}
    assert lines["naive"]["attention_projections"] == lines["absorbed"]["attention_projections"]


def test_six_n_of_deepseek_v3():
    ledger = dsv3calc.query("flops deepseek-v3 --counting six-n --seq 4096")
    assert ledger["flops.per_token"] == 6 * 36_625_618_432


# The KV cache


def test_a_sliding_cache_by_hand():
    """Gemma 3 at 8,192 tokens: 52 layers of 1,024 and 10 of all of them."""
    ledger = dsv3calc.query("kv gemma-3-27b --tokens 8192 --batch 2")
    entry = 2 * 16 * 128 * 2
    assert ledger["kv_cache.bytes"] == 2 * entry * (52 * 1024 + 10 * 8192)
    assert ledger["kv_cache.bytes_per_token"] == 62 * entry
    assert ledger["kv_cache.bytes_per_token_per_layer"] == entry


def test_pages_round_each_layer_up():
    ledger = dsv3calc.query("kv gemma-3-27b --tokens 1500 --page-size 64")
    entry = 2 * 16 * 128 * 2
    assert ledger["kv_cache.bytes"] == entry * (52 * 1024 + 10 * 1536)


def test_the_indexer_s_keys_are_cached_beside_the_latent():
    """Engines hold 128 bytes of FP8 and a float32 scale, whatever the latent is stored in.

    SGLang counts a token as index_head_dim + index_head_dim // quant_block_size * 4 bytes.
    """
    for name, latent in (("bf16", 1152), ("fp8", 576), ("fp8-mla", 656)):
        ledger = dsv3calc.query(f"kv deepseek-v3.2 --kv-dtype {name}")
        assert ledger["kv_cache.bytes_per_token_per_layer"] == latent + 132
    assert dsv3calc.query("kv deepseek-v3.2")["kv_cache.bytes_per_token"] == 78_324


def test_transformers_keeps_the_indexer_s_keys_in_the_dtype_of_its_cache():
    ledger = dsv3calc.query("kv deepseek-v3.2 --as transformers")
    assert ledger["kv_cache.bytes_per_token_per_layer"] == 2 * (512 + 64 + 128)
    assert ledger["kv_cache.bytes_per_token"] == 85_888


def test_serving_and_decoding_count_the_indexer_s_keys_as_the_cache_does():
    served = dsv3calc.query(
        "memory deepseek-v3.2 --serve --hardware h200 --tp 8 --ep 8 --etp 1 --context 32768"
    )
    assert served["serving.kv_bytes_per_token"] == 78_324
    query = "compare deepseek-v3.2 --hardware h200 --context"
    short, long = (dsv3calc.query(f"{query} {context}") for context in (8192, 16384))
    assert short["kv_cache.bytes_per_token"] == 78_324
    # 2,048 keys are selected of either; the indexer reads 132 bytes of each token and layer
    more = long["roofline.decode.memory_time"] - short["roofline.decode.memory_time"]
    assert more == pytest.approx(8192 * 61 * 132 / 4.8e12, rel=1e-9)


def test_per_layer_bytes_are_told_by_group_where_they_differ():
    ledger = dsv3calc.query("kv gemma-3-27b --set groups.1.attention.num_key_value_heads=4")
    prefix = "kv_cache.bytes_per_token_per_layer"
    assert ledger[f"{prefix}.groups.0"] == 2 * 16 * 128 * 2
    assert ledger[f"{prefix}.groups.1"] == 2 * 4 * 128 * 2
    assert prefix not in ledger.values


def test_the_cache_format_of_flash_mla_is_refused_for_expanded_keys_and_values():
    """Its 656 bytes are of the latent: 512 in FP8 with four scales, 64 in BF16."""
    with pytest.raises(UsageError):
        dsv3calc.answer("kv deepseek-v3 --mla naive --kv-dtype fp8-mla")


def test_int8_stores_a_scale_for_each_group():
    form = dsv3calc.load_kv_format("int8")
    ledger = dsv3calc.query("kv llama-3.1-8b --kv-dtype int8")
    groups = -(-128 // form.group_size) if form.group_size else 0
    entry = 2 * 8 * (128 * form.bits + groups * form.scale_bits) // 8
    assert ledger["kv_cache.bytes_per_token_per_layer"] == entry
