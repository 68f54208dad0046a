"""The model presets: readable, sourced, and of the size that their publishers state."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from dsv3calc.reading.source import read_source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.layers import layer_groups
from dsv3calc.schema.model import GQA, Dense, Model

PRESETS = Path(__file__).parents[2] / "presets"
FILES = sorted((PRESETS / "models").glob("*.yaml"))
NAMES = [path.stem for path in FILES]

# parameters of the main model: Hugging Face's count of the checkpoint, or of the model class
PARAMETERS = {
    "deepseek-llm-67b": 67_425_001_472,
    "deepseek-v2": 235_741_434_880,
    "deepseek-v2-lite": 15_706_484_224,
    "deepseek-v3": 671_026_404_352,
    "deepseek-v3.1": 671_026_404_352,
    "deepseek-v3.2": 671_877_929_216,
    "gemma-3-27b": 27_009_346_304,
    "glm-4.5": 352_797_814_784,
    "gpt-oss-120b": 116_829_156_672,
    "gpt-oss-20b": 20_914_757_184,
    "kimi-k2": 1_026_408_209_408,
    "kimi-k2-thinking": 1_026_408_209_408,
    "llama-2-70b": 68_976_648_192,
    "llama-3.1-405b": 405_853_388_800,
    "llama-3.1-70b": 70_553_706_496,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.3-70b": 70_553_706_496,
    "llama-4-maverick": 400_711_848_960,
    "mistral-7b": 7_241_732_096,
    "mistral-small-3.1": 23_572_403_200,
    "mixtral-8x7b": 46_702_792_704,
    "phi-4": 14_659_507_200,
    "qwen-72b": 72_287_920_128,
    "qwen2.5-72b": 72_706_203_648,
    "qwen2.5-7b": 7_615_616_512,
    "qwen3-235b-a22b": 235_093_634_560,
    "qwen3-32b": 32_762_123_264,
    "qwen3-coder-480b": 480_154_875_392,
}


def load(path):
    source = read_source(path)
    return convert(source, source.data, Model)


def attention_parameters(part, hidden):
    heads = part.num_attention_heads
    if isinstance(part, GQA):
        query, key = heads * part.head_dim, part.num_key_value_heads * part.head_dim
        biases = part.attention_bias * (query + 2 * key) + part.output_bias * hidden
        norms = {"none": 0, "head": 2 * part.head_dim, "hidden": query + key}[part.qk_norm]
        matrices = 2 * hidden * (query + key)
        return matrices + biases + norms + part.attention_sinks * heads
    query = heads * (part.qk_nope_head_dim + part.qk_rope_head_dim)
    rank = part.q_lora_rank
    total = hidden * query if rank is None else rank * (hidden + 1 + query)
    total += hidden * (part.kv_lora_rank + part.qk_rope_head_dim) + part.kv_lora_rank
    total += part.kv_lora_rank * heads * (part.qk_nope_head_dim + part.v_head_dim)
    total += heads * part.v_head_dim * hidden
    if part.indexer is not None:
        size, count = part.indexer.index_head_dim, part.indexer.index_n_heads
        total += rank * count * size + hidden * (size + count) + 2 * size
    return total


def feed_forward_parameters(part, hidden):
    if isinstance(part, Dense):
        width = part.intermediate_size
        return 3 * hidden * width + part.mlp_bias * (2 * width + hidden)
    width = part.moe_intermediate_size
    total = (part.n_routed_experts + part.n_shared_experts) * 3 * hidden * width
    total += part.n_routed_experts * (hidden + part.router_bias)
    return total + part.expert_bias * part.n_routed_experts * (2 * width + hidden)


def parameters(model):
    """Count a model's parameters in another way than the tool does: tensor by tensor."""
    hidden = model.hidden_size
    norm = hidden * (1 + model.norm_bias)
    total = norm + model.vocab_size * hidden * (1 if model.tie_word_embeddings else 2)
    owners = layer_groups(model.num_hidden_layers, [group.layers for group in model.groups])
    for owner in owners:
        group = model.groups[owner]
        total += attention_parameters(group.attention, hidden) + group.block_norms * norm
        total += feed_forward_parameters(group.feed_forward, hidden)
    return total


def test_the_presets_that_there_are():
    assert set(PARAMETERS) <= set(NAMES)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_preset_is_valid_sourced_and_named_after_its_file(path):
    model = load(path)
    assert model.name == path.stem
    assert path.read_text(encoding="utf-8").startswith(
        "# yaml-language-server: $schema=../schema/model.schema.json\n"
    )
    assert set(model.provenance.values()) == set(model.sources)
    assert (PRESETS / "precisions" / f"{model.precision}.yaml").exists()
    fields = {"num_hidden_layers", "precision", "tie_word_embeddings", "max_position_embeddings"}
    assert fields <= set(read_source(path).data)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_provenance_names_fields_that_exist(path):
    model = load(path)
    for field in model.provenance:
        if field == "default":
            continue
        value = model
        for step in field.split("."):
            value = value[int(step)] if step.isdigit() else getattr(value, step)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    assert parameters(load(PRESETS / "models" / f"{name}.yaml")) == PARAMETERS[name]


def test_aliases_are_of_one_model_each():
    names = NAMES + [alias for path in FILES for alias in load(path).aliases]
    assert len(names) == len(set(names))
    assert {"deepseek-r1", "deepseek-v3.2-exp", "mistral-7b-v0.1"} <= set(names)
