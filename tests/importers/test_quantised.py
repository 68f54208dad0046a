"""Quantised files: bytes are the sum of the tensors that the format's writer stores.

The tensors of each writer are listed here again, shape by shape, apart from the package's formats.
"""

# SPDX-License-Identifier: Apache-2.0
import json
import math
from pathlib import Path

import pytest

import dsv3calc
from dsv3calc.errors import InvalidInput, UsageError

CONFIGS = Path(__file__).parent / "configs"
BF16, FP32, ONE = 2, 4, 1

HIDDEN, INNER, VOCAB, LAYERS = 256, 512, 1000, 4
LLAMA = {
    "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": INNER,
    "vocab_size": VOCAB, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
    "num_key_value_heads": 2, "torch_dtype": "bfloat16", "tie_word_embeddings": False,
    "attention_bias": False, "mlp_bias": False, "max_position_embeddings": 2048,
}  # fmt: skip
ATTENTION = {
    "q_proj": (256, HIDDEN), "k_proj": (128, HIDDEN), "v_proj": (128, HIDDEN),
    "o_proj": (HIDDEN, 256),
}  # fmt: skip
MLP = {"gate_proj": (INNER, HIDDEN), "up_proj": (INNER, HIDDEN), "down_proj": (HIDDEN, INNER)}
NORMS = (2 * LAYERS + 1) * HIDDEN * BF16


def asked(tmp_path, quantization, base=LLAMA, beside=None, **changes):
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    data = base | changes | ({} if quantization is None else {"quantization_config": quantization})
    (folder / "config.json").write_text(json.dumps(data))
    if beside is not None:
        (folder / "hf_quant_config.json").write_text(json.dumps(beside))
    return folder


def stored(folder, **options):
    return dsv3calc.params(str(folder), **options)["weights.bytes"]


def summed(each, *, attention=True, mlp=True, head=False, layers=range(LAYERS)):
    """Sum the tensors of a llama whose matrices take ``each(out, in)`` bytes where quantised."""
    total = VOCAB * HIDDEN * BF16 + NORMS
    total += each(VOCAB, HIDDEN) if head else VOCAB * HIDDEN * BF16
    for layer in range(LAYERS):
        for shapes, quantised in ((ATTENTION, attention), (MLP, mlp)):
            for out, inner in shapes.values():
                here = quantised and layer in layers
                total += each(out, inner) if here else out * inner * BF16
    return total


def groups(bits, size, **more):
    weights = {"num_bits": bits, "type": "int", "strategy": "group", "group_size": size} | more
    return scheme(weights, "pack-quantized")


def scheme(weights, form, inputs=None, **more):
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "config_groups": {
            "group_0": {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
        },
        "ignore": ["lm_head"],
    } | more


WRITERS = {
    # compressed-tensors: weight_packed I32, weight_scale BF16, weight_shape I64[2]
    "w4a16 in groups of 32": (
        groups(4, 32),
        lambda o, i: o * i // 2 + o * (i // 32) * BF16 + 2 * 8,
    ),
    "w4a16 with zero points": (
        groups(4, 128, symmetric=False),
        lambda o, i: o * i // 2 + o * (i // 128) * BF16 + o * (i // 128) // 2 + 2 * 8,
    ),
    "w4a16 with an order of activations": (
        groups(4, 128, actorder="group"),
        lambda o, i: o * i // 2 + o * (i // 128) * BF16 + 2 * 8 + i * 4,
    ),
    "w8a16 by channel": (
        scheme({"num_bits": 8, "type": "int", "strategy": "channel"}, "pack-quantized"),
        lambda o, i: o * i + o * BF16 + 2 * 8,
    ),
    # naive: weight I8 or F8_E4M3, weight_scale BF16
    "w8a8 integers": (
        scheme({"num_bits": 8, "type": "int", "strategy": "channel"}, "int-quantized",
               {"num_bits": 8, "dynamic": True, "strategy": "token"}),
        lambda o, i: o * i + o * BF16,
    ),
    "fp8 dynamic": (
        scheme({"num_bits": 8, "type": "float", "strategy": "channel"}, "float-quantized",
               {"num_bits": 8, "type": "float", "dynamic": True, "strategy": "token"}),
        lambda o, i: o * i + o * BF16,
    ),
    "fp8 static": (
        scheme({"num_bits": 8, "type": "float", "strategy": "tensor"}, "float-quantized",
               {"num_bits": 8, "type": "float", "dynamic": False, "strategy": "tensor"}),
        lambda o, i: o * i + BF16 + BF16,
    ),
    "fp8 in blocks": (
        scheme({"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 96]},
               "float-quantized"),
        lambda o, i: o * i + math.ceil(o / 128) * math.ceil(i / 96) * BF16,
    ),
    # weight_packed U8, weight_scale F8_E4M3, weight_global_scale and input_global_scale F32
    "nvfp4": (
        scheme({"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16},
               "nvfp4-pack-quantized",
               {"num_bits": 4, "type": "float", "dynamic": "local", "group_size": 16}),
        lambda o, i: o * i // 2 + o * (i // 16) + FP32 + FP32,
    ),
    "nvfp4 weights alone": (
        scheme({"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16},
               "nvfp4-pack-quantized"),
        lambda o, i: o * i // 2 + o * (i // 16) + FP32,
    ),
    "mxfp4": (
        scheme({"num_bits": 4, "type": "float", "strategy": "group", "group_size": 32},
               "mxfp4-pack-quantized"),
        lambda o, i: o * i // 2 + o * (i // 32),
    ),
    "mxfp8": (
        scheme({"num_bits": 8, "type": "float", "strategy": "group", "group_size": 32,
                "scale_dtype": "torch.uint8"}, "mxfp8-quantized"),
        lambda o, i: o * i + o * (i // 32),
    ),
    # modelopt: weight, weight_scale, weight_scale_2, input_scale
    "modelopt fp8": (
        {"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["lm_head"]},
        lambda o, i: o * i + FP32 + FP32,
    ),
    "modelopt nvfp4": (
        {"quant_algo": "NVFP4", "group_size": 16, "exclude_modules": ["lm_head"]},
        lambda o, i: o * i // 2 + o * (i // 16) + FP32 + FP32,
    ),
    # transformers: weight_scale_inv F32
    "fp8 of transformers in blocks": (
        {"quant_method": "fp8", "weight_block_size": [64, 32]},
        lambda o, i: o * i + (o // 64) * (i // 32) * FP32,
    ),
    "fp8 of transformers by tensor": (
        {"quant_method": "fp8", "weight_block_size": None, "activation_scheme": "static"},
        lambda o, i: o * i + FP32 + FP32,
    ),
    # weight_scale F32 [out, 1] and input_scale_ub
    "fbgemm": ({"quant_method": "fbgemm_fp8"}, lambda o, i: o * i + o * FP32 + FP32),
    # qweight, qzeros, scales F16; GPTQ g_idx I32 [in]
    "awq": (
        {"quant_method": "awq", "bits": 4, "group_size": 64, "zero_point": True},
        lambda o, i: o * i // 2 + o * (i // 64) // 2 + o * (i // 64) * 2,
    ),
    "gptq": (
        {"quant_method": "gptq", "bits": 4, "group_size": 128},
        lambda o, i: o * i // 2 + o * (i // 128) // 2 + o * (i // 128) * 2 + i * 4,
    ),
    "gptq of 8 bits in one group": (
        {"quant_method": "gptq", "bits": 8, "group_size": -1},
        lambda o, i: o * i + o + o * 2 + i * 4,
    ),
    # absmax F32 of 64; nested: absmax U8 of 64, F32 of 256 of these, code books of 16 and 256
    "bitsandbytes nf4": (
        {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        lambda o, i: o * i // 2 + o * i // 64 * FP32 + 16 * FP32,
    ),
    "bitsandbytes int8": (
        {"quant_method": "bitsandbytes", "load_in_8bit": True},
        lambda o, i: o * i + o * FP32 + ONE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS)
def test_bytes_are_the_sum_of_the_tensors(writer, tmp_path):
    quantization, each = WRITERS[writer]
    assert stored(asked(tmp_path, quantization)) == summed(each)


@pytest.mark.parametrize("writer", ["nvfp4", "w4a16 with zero points", "bitsandbytes nf4"])
def test_memory_counts_the_same_bytes(writer, tmp_path):
    quantization, each = WRITERS[writer]
    folder = asked(tmp_path, quantization)
    query = f"memory {folder} --serve --tp 1 --dp 1 --hardware h200"
    assert dsv3calc.query(query)["serving.weights"] == summed(each)


def test_nested_maxima_of_bitsandbytes(tmp_path):
    wide = LLAMA | {"hidden_size": 2**15, "intermediate_size": 2**15, "vocab_size": 100}
    wide |= {"num_attention_heads": 1, "num_key_value_heads": 1, "num_hidden_layers": 1}
    quantization = {
        "quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
    }  # fmt: skip
    matrix, width = 2**30, 2**15
    one = matrix // 2 + matrix // 64 + matrix // 64 // 256 * FP32 + (16 + 256) * FP32
    others = (2 * 100 * width + 3 * width) * BF16
    assert stored(asked(tmp_path, quantization, base=wide)) == 7 * one + others


def test_a_head_that_is_not_ignored_is_quantised(tmp_path):
    quantization, each = WRITERS["nvfp4"]
    folder = asked(tmp_path, quantization | {"ignore": []})
    assert stored(folder) == summed(each, head=True)
    tied = asked(tmp_path, quantization | {"ignore": []}, tie_word_embeddings=True)
    assert stored(tied) == summed(each) - VOCAB * HIDDEN * BF16


@pytest.mark.parametrize(
    "ignore",
    [
        ["lm_head", "re:.*self_attn.*"],
        ["lm_head", *(f"model.layers.{layer}.self_attn*" for layer in range(LAYERS))],
        ["lm_head", *(f"model.layers.{n}.self_attn.{m}" for n in range(LAYERS) for m in ATTENTION)],
        ["lm_head", "self_attn", "language_model.model.layers.0.input_layernorm"],
        ["lm_head", "model.layers.*.self_attn"],
    ],
)
def test_modules_of_a_kind_may_be_left_out(ignore, tmp_path):
    quantization, each = WRITERS["fp8 dynamic"]
    folder = asked(tmp_path, quantization | {"ignore": ignore})
    assert stored(folder) == summed(each, attention=False)


def test_layers_may_be_left_out(tmp_path):
    """As in the FP8 files of Llama 3.1 405B: attention, and the first and last feed-forward."""
    ignore = [f"model.layers.{n}.self_attn.{m}" for n in range(LAYERS) for m in ATTENTION]
    ignore += [f"model.layers.{n}.mlp.{m}" for n in (0, LAYERS - 1) for m in MLP]
    quantization = {"quant_method": "fbgemm_fp8", "modules_to_not_convert": ignore}
    folder = asked(tmp_path, quantization)
    each = WRITERS["fbgemm"][1]
    assert stored(folder) == summed(each, attention=False, layers=range(1, LAYERS - 1))
    assert (
        dsv3calc.params(str(folder))["parameters.total"]
        == dsv3calc.params(str(asked(tmp_path, None)))["parameters.total"]
    )


def test_one_matrix_may_be_left_out(tmp_path):
    quantization, each = WRITERS["nvfp4"]
    left = asked(tmp_path, quantization | {"ignore": ["lm_head", "re:.*down_proj"]})
    out, inner = MLP["down_proj"]
    more = LAYERS * (out * inner * BF16 - each(out, inner))
    assert stored(left) == summed(each) + more


def test_groups_of_modules_have_formats_of_their_own(tmp_path):
    fp8, int4 = WRITERS["fp8 dynamic"], WRITERS["w4a16 in groups of 32"]
    both = scheme({}, "mixed-precision", ignore=["lm_head"])
    both["config_groups"] = {
        "group_0": fp8[0]["config_groups"]["group_0"] | {"targets": ["re:.*self_attn.*"],
                                                         "format": "float-quantized"},
        "group_1": int4[0]["config_groups"]["group_0"] | {"targets": ["re:.*mlp.*"],
                                                          "format": "pack-quantized"},
    }  # fmt: skip
    found = stored(asked(tmp_path, both))
    assert found == summed(fp8[1], mlp=False) + summed(int4[1], attention=False) - summed(
        None, attention=False, mlp=False
    )


def test_the_file_beside_a_config_is_read(tmp_path):
    quantization = {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16}
    beside = {
        "producer": {"name": "modelopt"},
        "quantization": quantization | {"exclude_modules": ["lm_head"]},
    }
    folder = asked(tmp_path, None, beside=beside)
    assert stored(folder) == summed(WRITERS["modelopt nvfp4"][1])
    cache = dsv3calc.kv(str(folder), context=100)["kv_cache.bytes_per_token"]
    assert cache == LAYERS * 2 * 128 * ONE
    assert dsv3calc.kv(str(folder), kv_dtype="bf16")["kv_cache.bytes_per_token"] == 2 * cache


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ({"kv_cache_scheme": {"num_bits": 8, "type": "float", "strategy": "tensor"}}, 1),
        ({"kv_cache_scheme": None}, 2),
    ],
)
def test_the_cache_has_the_format_that_the_file_declares(more, size, tmp_path):
    folder = asked(tmp_path, WRITERS["fp8 dynamic"][0] | more)
    assert dsv3calc.kv(str(folder))["kv_cache.bytes_per_token"] == LAYERS * 2 * 128 * size


def experts_config():
    return json.loads((CONFIGS / "mixtral.json").read_text()) | {"torch_dtype": "bfloat16"}


def test_experts_are_found_by_every_name_and_routers_stay(tmp_path):
    base = experts_config()
    ignore = ["lm_head", "re:.*self_attn.*", "re:.*block_sparse_moe.gate"]
    folder = asked(tmp_path, WRITERS["fp8 dynamic"][0] | {"ignore": ignore}, base=base)
    found = dsv3calc.params(str(folder)).named()
    experts = found["parameters.components.routed_experts"].value
    assert found["weights.elements_by_dtype.float8_e4m3fn"].value == experts


def test_lists_of_each_expert_must_be_whole(tmp_path):
    base = experts_config()
    count, layers = base["num_local_experts"], base["num_hidden_layers"]
    names = [
        f"model.layers.{layer}.block_sparse_moe.experts.{number}.{leaf}"
        for layer in range(layers)
        for number in range(count)
        for leaf in ("w1", "w2", "w3")
    ]
    layers_of = {name: {"quant_algo": "NVFP4", "group_size": 16} for name in names}
    mixed = {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}
    folder = asked(tmp_path, mixed | {"quantized_layers": layers_of}, base=base)
    found = dsv3calc.params(str(folder)).named()
    experts = found["parameters.components.routed_experts"].value
    assert found["weights.elements_by_dtype.float4_e2m1"].value == experts
    layers_of.pop(names[-1])
    with pytest.raises(InvalidInput, match="some experts alone"):
        stored(asked(tmp_path, mixed | {"quantized_layers": layers_of}, base=base))


def test_experts_of_kimi_in_four_bits(tmp_path):
    """Kimi-K2-Thinking: 594 GB as published, experts in INT4 in groups of 32, the rest in BF16."""
    folder = asked(
        tmp_path,
        groups(4, 32) | {"ignore": [
            "lm_head", "re:.*self_attn.*", "re:.*shared_experts.*",
            "re:.*mlp\\.(gate|up|gate_up|down)_proj.*",
        ]},
        base=kimi(),
    )  # fmt: skip
    found = dsv3calc.params(str(folder)).named()
    total, experts = (
        found[f"parameters.{name}"].value for name in ("total", "components.routed_experts")
    )
    matrices = 60 * 384 * 3
    expected = (total - experts) * BF16 + experts * 4 // 8 + experts // 32 * BF16 + matrices * 16
    assert found["weights.bytes"].value == pytest.approx(expected, rel=1e-6)  # FP32 biases
    assert found["weights.bytes"].value == pytest.approx(594e9, rel=0.005)


def kimi():
    return json.loads((CONFIGS / "kimi_k2.json").read_text()) | {
        "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048,
        "num_hidden_layers": 61, "num_attention_heads": 64, "num_key_value_heads": 64,
        "n_routed_experts": 384, "num_experts_per_tok": 8, "n_shared_experts": 1,
        "first_k_dense_replace": 1, "kv_lora_rank": 512, "q_lora_rank": 1536,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 163840,
    }  # fmt: skip


def test_names_that_no_matrix_has_are_told(tmp_path):
    quantization = {"quant_method": "fp8", "weight_block_size": [64, 32]}
    ignore = ["lm_head", "model.layers.0.input_layernorm", "model.layers.0.self_attn.qproj"]
    folder = asked(tmp_path, quantization | {"modules_to_not_convert": ignore})
    answer = dsv3calc.answer(f"params {folder}")
    (text,) = [text for text in answer.assumptions if "no matrix of the model" in text]
    assert "qproj" in text
    assert "layernorm" not in text


def test_what_a_file_says_in_vain_is_told(tmp_path):
    quantization = {"quant_method": "awq", "group_size": 128, "version": "gemm", "colour": "red"}
    quantization["modules_to_not_convert"] = ["nosuch", "lm_head"]
    folder = asked(tmp_path, quantization)
    told = " ".join(dsv3calc.answer(f"params {folder}").assumptions)
    assert "not known, nor read: 'colour';" in told
    assert "names of the file's list: 'nosuch'" in told
    folder = asked(tmp_path, {"quant_method": "fp8"})
    assert "no matrix" not in " ".join(dsv3calc.answer(f"params {folder}").assumptions)


def test_problems_are_told_where_they_stand(tmp_path):
    folder = asked(tmp_path, {"quant_method": "gptq", "bits": "4"})
    with pytest.raises(InvalidInput) as caught:
        stored(folder)
    (problem,) = caught.value.problems
    assert problem.source_line[problem.column - 1 :].startswith('"4"')
    folder = asked(tmp_path, None, beside={"quantization": {"quant_algo": "FP9"}})
    with pytest.raises(InvalidInput) as caught:
        stored(folder)
    (problem,) = caught.value.problems
    assert problem.file.endswith("hf_quant_config.json")
    assert problem.source_line[problem.column - 1 :].startswith('"FP9"')
    folder = asked(tmp_path, None, beside={"quantization": {"quant_algo": "FP8"}})
    assert "hf_quant_config.json" in " ".join(dsv3calc.answer(f"params {folder}").notes)


@pytest.mark.parametrize(
    ("quantization", "words"),
    [
        ({"quant_method": "hqq"}, "quant_method 'hqq' is not known"),
        ({"quant_method": "compressed-tensors"}, "config_groups is missing"),
        (scheme({"num_bits": 9}, "x"), "weights of 9 bits"),
        (scheme({"num_bits": 4, "type": "float", "group_size": 64}, "x"), "groups of 64"),
        (scheme({"num_bits": 4, "strategy": "odd"}, "x"), "strategy 'odd'"),
        (scheme({"num_bits": 4}, "x", sparsity_config={"format": "sparse-24-bitmask"}), "sparsity"),
        (scheme({"num_bits": 4}, "x", kv_cache_scheme={"num_bits": 4, "type": "int"}), "KV cache"),
        (scheme({"num_bits": 4, "group_size": 32}, "x", ignore=["re:(a+)+$"]), "cannot read the"),
        (
            scheme({"num_bits": 4, "group_size": 32}, "x", ignore=["re:["]),
            "cannot read the pattern",
        ),
        (scheme({"num_bits": 4, "group_size": 32}, "x", ignore=5), "ignore is no list of names"),
        ({"quant_algo": "W4A8_AWQ"}, "quant_algo 'W4A8_AWQ'"),
        ({"quant_algo": "FP8", "kv_cache_quant_algo": "INT8"}, "a KV cache in 'INT8'"),
        ({"quant_method": "gptq", "bits": 4, "dynamic": {"+:.*": {"bits": 8}}}, "dynamic"),
        ({"quant_method": "awq", "bits": 5}, "awq with 5 bits"),
        ({"quant_method": "fp8", "weight_block_size": [128]}, "weight_block_size [128]"),
        ({"quant_method": "fp8", "weight_block_size": [0, 1]}, "a block of 0"),
        ({"quant_method": "bitsandbytes"}, "neither load_in_4bit nor load_in_8bit"),
        ({"quant_method": "mxfp4"}, "it quantises no matrix that the model has"),
        ({"quant_method": "gptq", "group_size": 10**30}, "more than 1,073,741,824"),
        ({"quant_method": "gptq", "group_size": 100}, "100 inputs do not divide hidden_size 256"),
        ({"quant_method": "gptq", "bits": "4"}, "bits is '4', not a whole number"),
    ],
)
def test_what_cannot_be_expressed_is_refused(quantization, words, tmp_path):
    folder = asked(tmp_path, quantization)
    with pytest.raises(InvalidInput) as caught:
        stored(folder)
    (problem,) = caught.value.problems
    assert words in problem.what
    assert problem.line is not None
    assert dsv3calc.query(f"params {folder} --ignore-key quantization_config")


def test_an_imported_precision_can_be_written_edited_and_named(tmp_path, capsys):
    from dsv3calc.__main__ import run

    folder = asked(tmp_path, WRITERS["nvfp4"][0])
    target = tmp_path / "mine.yaml"
    assert run(["import", str(folder), "-o", str(target), "--name", "mine"]) == 0
    assert stored(target) == stored(folder)
    edited = dsv3calc.query(f"params {folder} --set precision.weights.head=group_0")
    assert edited["weights.bytes"] < stored(folder)
    other = dsv3calc.query(f"params {folder} --precision bf16")
    assert other["weights.bytes"] == summed(lambda o, i: o * i * BF16)
    with pytest.raises((InvalidInput, UsageError)):
        dsv3calc.query(f"params {folder} --set precision.weights.head=nope")
    capsys.readouterr()


@pytest.mark.parametrize(
    ("kind", "option", "alias", "name"),
    [
        ("kv", "--kv-dtype", "fp8_e4m3", "fp8"),
        ("kv", "--kv-dtype", "fp8_ds_mla", "fp8-mla"),
        ("kv", "--kv-dtype", "bfloat16", "bf16"),
        ("params", "--precision", "fp8_e4m3", "fp8"),
        ("params", "--precision", "bfloat16", "bf16"),
        ("params", "--precision", "half", "fp16"),
    ],
)
def test_names_of_vllm(kind, option, alias, name):
    one, two = (dsv3calc.query(f"{kind} deepseek-v3 {option} {each}") for each in (alias, name))
    assert {key: line.value for key, line in one.named().items()} == {
        key: line.value for key, line in two.named().items()
    }


@pytest.mark.parametrize(("precision", "bits"), [("fp8", 8), ("nvfp4", 4.5), ("mxfp8", 8.25)])
def test_bits_of_an_element(precision, bits):
    ledger = dsv3calc.query(f"params llama-3.1-8b --precision {precision}").named()
    total = ledger["weights.bytes"].value
    plain = ledger["weights.bytes_by_dtype.bfloat16"].value
    elements = ledger["parameters.total"].value - plain // 2
    assert 8 * (total - plain) / elements == pytest.approx(bits, rel=1e-6)
