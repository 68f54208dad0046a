"""Muon: states, FLOPs and gathers, against sums over the tensors of a model written out here."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

import dsv3calc
from dsv3calc.accounting.failures import checkpoint_line
from dsv3calc.api import load_model, load_precision
from dsv3calc.catalogue.presets import load

HIDDEN, INNER, VOCAB, LAYERS, HEADS, SHARED, WIDTH = 256, 512, 1000, 4, 4, 2, 64
MATRICES = {
    "q_proj": (HEADS * WIDTH, HIDDEN),
    "k_proj": (SHARED * WIDTH, HIDDEN),
    "v_proj": (SHARED * WIDTH, HIDDEN),
    "o_proj": (HIDDEN, HEADS * WIDTH),
    "gate_proj": (INNER, HIDDEN),
    "up_proj": (INNER, HIDDEN),
    "down_proj": (HIDDEN, INNER),
}
ELEMENTS = LAYERS * sum(math.prod(shape) for shape in MATRICES.values())
REST = 2 * VOCAB * HIDDEN + (2 * LAYERS + 1) * HIDDEN
MODEL = f"""
name: small
title: small
hidden_size: {HIDDEN}
vocab_size: {VOCAB}
num_hidden_layers: {LAYERS}
tie_word_embeddings: false
precision: bf16
groups:
- attention:
    type: gqa
    num_attention_heads: {HEADS}
    num_key_value_heads: {SHARED}
    head_dim: {WIDTH}
  feed_forward: {{type: dense, intermediate_size: {INNER}}}
sources:
  made: {{kind: assumed, citation: made for this test}}
provenance: {{default: made}}
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(MODEL)
    return str(path)


def products(rows, columns, inner):
    """Count multiplications and additions of a product, two of each entry's terms."""
    return 2 * rows * columns * inner


def orthogonalised(shape, steps=5):
    """Follow the iteration: X X^T, its square, and its product with X, on the short side."""
    short, long = sorted(shape)
    flops = 0
    for _ in range(steps):
        flops += products(short, short, long)
        flops += products(short, short, short)
        flops += products(short, long, short)
    return flops


def times(model, **options):
    options = {"hardware": "h100", "recipe": "muon", "phase": "train", "sequence": 128} | options
    return dsv3calc.time(model, **options)


def test_matrices_have_one_moment(model):
    def optimizer(recipe):
        found = dsv3calc.memory(model, hardware="h100", recipe=recipe, sequence=128, dp=1)
        return found["memory.worst.optimizer"]

    assert optimizer("muon") == 8 * ELEMENTS + 12 * REST
    assert optimizer("megatron-bf16") - optimizer("muon") == 4 * ELEMENTS


@pytest.mark.parametrize(("zero", "share"), [(0, 1), (1, 4)])
def test_states_are_divided_as_adamw_s_are(model, zero, share):
    found = dsv3calc.memory(model, hardware="h100", recipe="muon", sequence=128, dp=4, zero=zero)
    assert found["memory.worst.optimizer"] == (8 * ELEMENTS + 12 * REST) // share


def test_newton_schulz_steps(model):
    found = times(model)
    expected = LAYERS * sum(orthogonalised(shape) for shape in MATRICES.values())
    assert found["time.optimizer.flops"] == expected
    feeds = LAYERS * sum(
        orthogonalised(MATRICES[f"{each}_proj"]) for each in ("gate", "up", "down")
    )
    assert found["time.optimizer.flops.dense_ffn"] == feeds
    assert found["time.optimizer.gathered_bytes"] == 0
    moved = ELEMENTS * (4 + 2 + 16) + REST * (4 + 2 + 24)
    assert found["time.optimizer.bytes"] == moved


def test_steps_are_those_of_the_recipe(model):
    one = times(model, set=["recipe.newton_schulz_steps=1"])
    assert 5 * one["time.optimizer.flops"] == times(model)["time.optimizer.flops"]


def test_experts_are_orthogonalised_one_by_one(tmp_path):
    feed = "{type: dense, intermediate_size: 512}"
    experts = "{type: moe, n_routed_experts: 8, num_experts_per_tok: 2, moe_intermediate_size: 64}"
    path = tmp_path / "experts.yaml"
    path.write_text(MODEL.replace(feed, experts.replace("}", ", n_shared_experts: 0}")))
    found = times(str(path))
    matrices = [(64, HIDDEN)] * 3
    expected = LAYERS * 8 * sum(orthogonalised(shape) for shape in matrices)
    assert found["time.optimizer.flops.routed_experts"] == expected
    assert found["time.optimizer.flops.router"] == LAYERS * orthogonalised((8, HIDDEN))


def test_a_gpu_gathers_what_it_orthogonalises(model):
    """Under ZeRO-1 each of 4 replicas gathers the other three quarters of its matrices."""
    found = times(model, dp=4, zero=1)
    assert found["time.optimizer.gathered_bytes"] == 2 * ELEMENTS * 3 // 16
    whole = LAYERS * sum(orthogonalised(shape) for shape in MATRICES.values())
    assert found["time.optimizer.flops"] == whole / 4
    assert "time.optimizer.flops" not in times(model, recipe="megatron-bf16").named()


def test_the_time_has_passes_and_products(model):
    found, adamw = times(model), times(model, recipe="megatron-bf16")
    assert found["time.optimizer.floor"] > adamw["time.optimizer.floor"] * 22 / 30
    assert found["time.optimizer.bound"] >= found["time.optimizer.flops"] / 1e15


def test_a_checkpoint_has_one_moment_of_the_matrices(model):
    recipe = load("recipe", "muon").value
    line = checkpoint_line(load_model(model), recipe, load_precision("bf16"), mtp=False)
    assert line.value == 8 * ELEMENTS + 12 * REST
