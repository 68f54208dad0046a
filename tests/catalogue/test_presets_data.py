"""Presets other than models and layouts: readable, sourced, right where a figure is known."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime as dt
from math import ceil, prod
from pathlib import Path
from typing import get_args

import msgspec
import pytest

import dsv3calc
from dsv3calc.accounting.traffic.transfer_formats import FORMATS
from dsv3calc.errors import UsageError
from dsv3calc.model.saved import MODULES
from dsv3calc.reading.source import read_source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.failures import Failures
from dsv3calc.schema.hardware import Hardware
from dsv3calc.schema.memory import ACTIVATION_FORMATS, Module, Recipe, Recompute
from dsv3calc.schema.precision import WEIGHT_CLASSES, KVFormat, Precision
from dsv3calc.schema.provenance import source_of
from dsv3calc.schema.setup import Setup

PRESETS = Path(__file__).parents[2] / "presets"
TYPES = {
    "hardware": Hardware,
    "precisions": Precision,
    "kv_formats": KVFormat,
    "recipes": Recipe,
    "recompute": Recompute,
    "setups": Setup,
    "failures": Failures,
}
SCHEMAS = {
    "hardware": "hardware",
    "precisions": "precision",
    "kv_formats": "kv_format",
    "recipes": "recipe",
    "recompute": "recompute",
    "setups": "setup",
    "failures": "failures",
}
FILES = sorted(path for folder in TYPES for path in (PRESETS / folder).glob("*.yaml"))
DTYPES = {"bf16", "fp16", "tf32", "fp32", "fp8", "fp6", "fp4", "int8"}

HARDWARE = {
    "h800",
    "h100",
    "h200",
    "h20",
    "a100-80g",
    "b200",
    "gb200-nvl72",
    "mi300x",
    "ascend-910c",
}

RECIPES = {
    # bytes of gradient, master weight, first and second moment of a parameter
    "megatron-bf16": (4, 4, 4, 4),  # 6 + 12 / d with the weight: theoretical_memory_usage.py
    "bf16-moments": (4, 4, 2, 2),  # arXiv:2502.07846
    "v3-training": (4, 4, 2, 2),  # arXiv:2412.19437, section 3.3.3
    "bf16-gradients": (2, 4, 2, 2),  # Megatron-Bridge's recipe of DeepSeek-V3
    "all-fp32": (4, 0, 4, 4),
    "pure-bf16": (2, 0, 2, 2),
}


def load(path):
    source = read_source(path)
    return convert(source, source.data, TYPES[path.parent.name])


def preset(folder, name):
    return load(PRESETS / folder / f"{name}.yaml")


@pytest.fixture(params=FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def path(request):
    return request.param


@pytest.fixture(params=sorted(HARDWARE))
def hardware(request):
    return preset("hardware", request.param)


def test_all_presets_are_there():
    assert {path.stem for path in FILES if path.parent.name == "hardware"} >= HARDWARE
    assert {path.stem for path in FILES if path.parent.name == "precisions"} >= {
        *("bf16", "fp8-deepseek-v3", "mxfp4", "int8", "int4")
    }
    assert {path.stem for path in FILES if path.parent.name == "kv_formats"} >= {
        *("bf16", "fp8", "int8", "int4", "fp8-mla")
    }
    assert {path.stem for path in FILES if path.parent.name == "recipes"} >= set(RECIPES)
    assert {path.stem for path in FILES if path.parent.name == "recompute"} >= {
        *("none", "selective", "full", "v3-recompute", "fp8-caches")
    }
    assert {path.stem for path in FILES if path.parent.name == "setups"} >= {"pytorch"}


def test_file_is_valid_and_named_after_itself(path):
    document = load(path)
    assert document.name == path.stem
    assert list(document.problems()) == []


def test_first_line_names_the_schema(path):
    schema = SCHEMAS[path.parent.name]
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema=../schema/{schema}.schema.json"


def test_every_source_is_dated_and_used(path):
    document = load(path)
    used = set(document.provenance.values())
    for name, source in document.sources.items():
        assert name in used, f"source {name} is never used"
        dt.date.fromisoformat(source.read)
        assert source.kind in ("assumed", "derived", "measured") or source.url, (
            f"{name} has no address"
        )


def test_provenance_names_fields_that_exist(path):
    document = load(path)
    for field in document.provenance.keys() - {"default"}:
        place = msgspec.to_builtins(document)
        for step in field.split("."):
            if field.startswith(("weights.", "compute.")) and step not in place:
                # a class that takes the table's default
                assert step in WEIGHT_CLASSES
                place = place["default"]
            else:
                assert step in place, field
                place = place[step]


def test_no_two_devices_share_a_name():
    names = [
        name
        for path in FILES
        if path.parent.name == "hardware"
        for name in (load(path).name, *load(path).aliases)
    ]
    assert len(names) == len(set(names))


def test_peaks_are_dense(hardware):
    assert hardware.peaks.keys() <= DTYPES
    assert hardware.sparse_peaks.keys() <= hardware.peaks.keys()
    for dtype, sparse in hardware.sparse_peaks.items():
        assert sparse == pytest.approx(2 * hardware.peaks[dtype], rel=1e-3)
    assert hardware.peaks["fp16"] == hardware.peaks["bf16"]
    for dtype in hardware.peaks.keys() & {"fp8", "fp6", "int8"}:
        assert hardware.peaks[dtype] == pytest.approx(2 * hardware.peaks["bf16"], rel=1e-3)


def test_usable_memory_is_near_what_was_sold(hardware):
    assert 1.03 < hardware.memory.usable / hardware.memory.marketed < 1.08  # GiB sold as GB


def test_links_achieve_less_than_nominal(hardware):
    for link in (hardware.scale_up, hardware.scale_out):
        assert link.achieved is None or 0.5 < link.achieved / link.nominal < 1
    assert hardware.scale_up.nominal > hardware.scale_out.nominal


def test_prices_are_assumptions(hardware):
    if hardware.dollars_per_hour is not None:
        source = hardware.sources[source_of("dollars_per_hour", hardware.provenance)]
        assert source.kind == "assumed"


# the published figures, in bytes and FLOP per second; links per direction
@pytest.mark.parametrize(
    ("name", "bf16", "fp8", "memory", "bandwidth", "scale_up", "domain", "scale_out"),
    [
        ("h800", 989.4e12, 1978.9e12, 80e9, 3.35e12, 200e9, 8, 50e9),
        ("h100", 989.4e12, 1978.9e12, 80e9, 3.35e12, 450e9, 8, 50e9),
        ("h200", 989.4e12, 1978.9e12, 141e9, 4.8e12, 450e9, 8, 50e9),
        ("h20", 148e12, 296e12, 96e9, 4e12, 450e9, 8, 25e9),
        ("a100-80g", 312e12, None, 80e9, 2.039e12, 300e9, 8, 25e9),
        ("b200", 2.25e15, 4.5e15, 180e9, 7.7e12, 900e9, 8, 50e9),
        ("gb200-nvl72", 2.5e15, 5e15, 186e9, 8e12, 900e9, 72, 50e9),
        ("mi300x", 1307.4e12, 2614.9e12, 192e9, 5.3e12, 448e9, 8, 50e9),
        ("ascend-910c", 752e12, None, 128e9, 3.2e12, 392e9, 384, 50e9),
    ],
)
def test_published_figures(name, bf16, fp8, memory, bandwidth, scale_up, domain, scale_out):
    device = preset("hardware", name)
    assert device.peaks["bf16"] == bf16
    assert device.peaks.get("fp8") == fp8
    assert device.memory.marketed == memory
    assert device.memory.bandwidth == bandwidth
    assert device.scale_up.nominal == scale_up
    assert device.scale_up.domain_size == domain
    assert device.scale_out.nominal == scale_out


# bytes, FLOP per second and bytes per second per direction; None where sources disagree or lack it
@pytest.mark.parametrize(
    ("name", "bf16", "fp8", "memory", "bandwidth", "scale_up", "domain"),
    [
        ("b300", 2.25e15, 4.5e15, 288e9, 7.75e12, 900e9, 8),
        ("gb300-nvl72", 2.5e15, 5e15, 288e9, 8e12, 900e9, 72),
        ("mi355x", 2516.6e12, 5033e12, 288e9, 8e12, 535.5e9, 8),
        ("mi325x", 1307.4e12, 2614.9e12, 256e9, 6e12, 448e9, 8),
        ("rtx-pro-6000-server", 467.8e12, 935.6e12, 96e9, 1.792e12, 64e9, 8),
        ("h100-pcie", 756.5e12, 1513e12, 80e9, 2e12, 64e9, 8),
        ("h100-nvl", 835e12, 1671e12, 94e9, 3.9e12, 300e9, 2),
        ("h100-96g-500w", 989.4e12, 1978.9e12, 96e9, 2.4e12, 450e9, 8),
        ("l40s", 362.05e12, 733e12, 48e9, 864e9, 32e9, 8),
        ("rtx-5090", 209.5e12, 419e12, 32e9, 1.792e12, 64e9, 8),
        ("rtx-4090", 165.2e12, 330.3e12, 24e9, 1.008e12, 32e9, 8),
        ("a100-40g", 312e12, None, 40e9, 1.555e12, 300e9, 8),
        ("a100-80g-pcie", 312e12, None, 80e9, 1.935e12, 32e9, 8),
        ("l4", 121e12, 242e12, 24e9, 300e9, 32e9, 8),
        ("a10", 125e12, None, 24e9, 600e9, 32e9, 8),
        ("tpu-v7x", 2307e12, 4614e12, 192 * 2**30, None, 600e9, 9216),
        ("tpu-v6e", 918e12, None, 32e9, 1.6e12, 360e9, 256),
        ("tpu-v5p", 459e12, None, 95 * 2**30, 2.765e12, 540e9, 8960),
        ("tpu-v5e", 197e12, None, 16e9, 819e9, 180e9, 256),
        ("trainium2", 667e12, 1299e12, 96 * 2**30, 2.9e12, 640e9, 16),
        ("trainium3", 671e12, None, 144 * 2**30, 4.9e12, 1280e9, None),
        ("gaudi3", 1677e12, 1677e12, 128e9, 3.7e12, 600e9, 8),
        ("ascend-910b", 313e12, None, 64e9, 1.6e12, 196e9, 8),
        ("rubin", None, 17.5e15, 288e9, 22e12, 1.8e12, 72),
        ("mi455x", 5e15, 10e15, 432e9, 19.6e12, 1.8e12, 72),
    ],
)
def test_published_figures_of_other_devices(name, bf16, fp8, memory, bandwidth, scale_up, domain):
    device = preset("hardware", name)
    assert (device.peaks.get("bf16"), device.peaks.get("fp8")) == (bf16, fp8)
    assert (device.memory.marketed, device.memory.bandwidth) == (memory, bandwidth)
    assert (device.scale_up.nominal, device.scale_up.domain_size) == (scale_up, domain)


def test_int8_is_not_the_fp8_peak():
    assert preset("hardware", "b300").peaks["int8"] == 153.5e12
    assert preset("hardware", "gb300-nvl72").peaks["int8"] == 165e12


def test_peaks_name_the_accumulator():
    device = preset("hardware", "rtx-4090")
    assert (device.peaks["fp8"], device.fp16_accumulate_peaks["fp8"]) == (330.3e12, 660.6e12)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("compare llama-3.1-8b --hardware tpu-v7x", "memory bandwidth of tpu-v7x is not known"),
        ("compare llama-3.1-8b --hardware dgx-spark", "dgx-spark has no peak for bf16"),
        (
            "traffic llama-3.1-8b --tp 2 --global-batch 8 --hardware dgx-spark",
            "dgx-spark has no scale-up link",
        ),
        ("limits ep --model deepseek-v3 --hardware l4", "l4 has no scale-out link"),
    ],
)
def test_what_a_preset_lacks_is_refused_by_name(query, words):
    with pytest.raises(UsageError, match=words):
        dsv3calc.query(query)


def test_h800_as_deepseek_publishes_it():
    h800 = preset("hardware", "h800")
    assert h800.memory.usable == 84_943_110_144
    assert (h800.scale_up.achieved, h800.scale_out.achieved) == (160e9, 40e9)
    assert h800.dollars_per_hour == 2
    assert h800.peaks["bf16"] == pytest.approx(4096 * 132 * 1.83e9, rel=1e-4)


# --- precisions: the elements and bytes of published checkpoints -------------------------------


def stored(precision, tensors):
    """Return the elements of each data type that these tensors take, scales included."""
    elements = {}
    for kind, count, *shape in tensors:
        form = precision.formats[precision.weights.get(kind, precision.weights["default"])]
        elements[form.dtype] = elements.get(form.dtype, 0) + count * prod(shape)
        if form.scale is not None:
            *lead, rows, columns = shape
            blocks = ceil(rows / form.scale.rows) * ceil(columns / form.scale.columns)
            elements[form.scale.dtype] = (
                elements.get(form.scale.dtype, 0) + count * prod(lead) * blocks
            )
    return elements


def deepseek_v3_checkpoint():
    hidden, moe, dense, vocab, expert = 7168, 59, 3, 129280, 2048
    for shape in [
        (1536, hidden),
        (24576, 1536),
        (576, hidden),
        (32768, 512),
        (hidden, 16384),
    ]:
        yield "attention", 62, *shape
    for kind, count, width in [
        ("dense_ffn", dense, 18432),
        ("shared_experts", moe, expert),
        ("routed_experts", moe * 256, expert),
    ]:
        yield kind, 2 * count, width, hidden
        yield kind, count, hidden, width
    yield "router", moe, 256, hidden
    yield "routing_bias", moe, 256
    yield "norms", 62, 2 * hidden + 1536 + 512
    yield "norms", 4, hidden  # the last one; enorm, hnorm and shared_head.norm of the MTP module
    yield "mtp_projection", 1, hidden, 2 * hidden
    yield "embedding", 2, vocab, hidden  # the MTP module stores its own copies
    yield "head", 2, vocab, hidden


def test_fp8_gives_the_elements_of_the_deepseek_v3_checkpoint():
    assert stored(preset("precisions", "fp8-deepseek-v3"), deepseek_v3_checkpoint()) == {
        "float8_e4m3fn": 680_571_043_840,
        "bfloat16": 3_918_786_560,
        "float32": 41_555_600,
    }


def test_mxfp4_gives_the_bytes_of_the_gpt_oss_120b_checkpoint():
    layers, experts, hidden, vocab = 36, 128, 2880, 201088
    elements = stored(
        preset("precisions", "mxfp4"),
        [
            ("routed_experts", layers * experts, 2 * hidden, hidden),
            ("routed_experts", layers * experts, hidden, hidden),
            ("biases", layers * experts, 3 * hidden),
            ("router", layers, experts, hidden),
            ("biases", layers, experts),
            ("attention", layers, 64 * (64 + 2 * 8), hidden),
            ("attention", layers, hidden, 64 * 64),
            ("biases", layers, 64 * (64 + 2 * 8) + hidden),
            ("attention", layers, 64),  # sinks
            ("norms", 2 * layers + 1, hidden),
            ("embedding", 1, vocab, hidden),
            ("head", 1, vocab, hidden),
        ],
    )
    assert elements.keys() == {"float4_e2m1", "uint8", "bfloat16"}
    size = elements["float4_e2m1"] // 2 + elements["uint8"] + 2 * elements["bfloat16"]
    assert size == 65_248_815_744


def test_int8_has_one_scale_per_output_channel():
    elements = stored(preset("precisions", "int8"), [("attention", 1, 1536, 7168)])
    assert elements == {"int8": 1536 * 7168, "bfloat16": 1536}


def test_int4_takes_4_15625_bits_a_weight():
    form = preset("precisions", "int4").formats["int4_group"]
    group = form.scale.rows * form.scale.columns
    assert form.bits + (form.scale.bits + form.scale.zero_point_bits) / group == 4.15625


# --- KV formats --------------------------------------------------------------------------------


def token_bits(form, elements):
    groups = ceil(elements / form.group_size) if form.group_size else 0
    return elements * form.bits + groups * form.scale_bits


def test_fp8_mla_takes_656_bytes_and_its_indexer_132():
    form = preset("kv_formats", "fp8-mla")
    assert token_bits(form, 512) + 64 * form.rope_bits == 8 * 656
    assert (
        128 * form.indexer_bits + 128 // form.indexer_group_size * form.indexer_scale_bits
        == 8 * 132
    )
    assert form.only == "mla"


@pytest.mark.parametrize(
    ("name", "bits"), [("bf16", 16), ("fp8", 8), ("int8", 8.25), ("int4", 4.25)]
)
def test_bits_per_element_in_a_head_of_128(name, bits):
    assert token_bits(preset("kv_formats", name), 128) == 128 * bits


# --- recipes, recomputation, set-ups- ----------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_bytes_that_training_keeps_for_a_parameter(name):
    recipe = preset("recipes", name)
    kept = (
        recipe.gradient_bits,
        recipe.master_bits,
        recipe.first_moment_bits,
        recipe.second_moment_bits,
    )
    assert tuple(bits // 8 for bits in kept) == RECIPES[name]
    assert not any(bits % 8 for bits in kept)


def test_every_precision_names_a_recipe_that_is_there():
    for path in FILES:
        if path.parent.name == "precisions":
            assert load(path).recipe in RECIPES, path.stem


def test_what_is_recomputed_exists():
    """Modules, activations and formats are those that the accounting knows."""
    assert set(get_args(Module)) == set(MODULES)
    for path in FILES:
        if path.parent.name == "recompute":
            policy = load(path)
            assert set(policy.modules) <= set(MODULES)
            assert not list(policy.problems())
    assert set(ACTIVATION_FORMATS) == set(FORMATS)


def test_deepseek_v3_recomputes_and_caches_what_its_report_says():
    """arXiv:2412.19437, sections 3.2.3 and 3.3.3."""
    policy = preset("recompute", "v3-recompute")
    assert {"layernorm", "mla_up_proj", "moe_act"} <= set(policy.modules)
    assert policy.formats["linear_input"] == policy.formats["expert_act_input"] == "fp8"
    assert policy.formats["attention_output"] == "e5m6"
    recipe = preset("recipes", "v3-training")
    assert recipe.sources[source_of("compute_copy", recipe.provenance)].kind == "assumed"


def test_what_pytorch_takes():
    setup = preset("setups", "pytorch")
    assert setup.memory.workspace == 32 * 2**20  # cuBLAS on Hopper
    assert setup.memory.bucket == 40_000_000
    for field in ("memory.driver_context", "memory.communication", "memory.fragmentation"):
        assert setup.sources[source_of(field, setup.provenance)].kind == "assumed", field
