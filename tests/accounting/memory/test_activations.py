"""Activations of every kind of layer: their names, what policies drop, what kernels keep."""

from pathlib import Path

import msgspec
import pytest
from footprints import NO_OVERHEADS, footprint_of, layout_of, preset
from hypothesis import given
from hypothesis import strategies as st
from strategies import models

import dsv3calc
from dsv3calc.catalogue.search_path import listing
from dsv3calc.model.saved import MODULES
from dsv3calc.schema.memory import ACTIVATIONS

EVERYTHING = preset(
    "recompute",
    "none",
    attention_kernel="unfused",
    activation_function="unfused",
    dropout=True,
    routing_weights="after",
)
FUSED = preset("recompute", "none")
CONFIGS = [str(Path(__file__).parents[2] / "importers" / "configs" / "gemma3n_text.json")]
"""Models with parts that no preset has."""


def lines_of(model, policy=EVERYTHING, **options):
    """Return the bytes of each activation of each group, of the head and of MTP, by name."""
    footprint = footprint_of(model, layout_of(), recompute=policy, sequence=64, **options)
    return [
        {line.name.rpartition(".")[2]: line.value for line in kept.kept.parts}
        for kept in (*footprint.kept, footprint.in_flight.head)
    ]


def names_of(model, policy, *, mtp=False):
    footprint = footprint_of(model, layout_of(), recompute=policy, mtp=mtp)
    return {
        line.name.rpartition(".")[2]
        for kept in (*footprint.kept, footprint.in_flight.embedding, footprint.in_flight.head)
        for line in kept.kept.walk()
        if ".activations." in line.name
    }


def test_every_name_is_that_of_an_activation_of_some_model():
    seen = set()
    for name in (*listing("model"), *CONFIGS):
        model = dsv3calc.load_model(name)
        for policy in (EVERYTHING, FUSED, preset("recompute", "v3-recompute")):
            seen |= names_of(model, policy, mtp=model.mtp is not None)
    assert seen == set(ACTIVATIONS) - {"context_output"}


def test_attention_keeps_its_output_before_an_exchange_where_software_does():
    """Beside the one after it: as many bytes again, only where a sequence is divided."""
    model = dsv3calc.load_model("llama-3.1-8b")
    software = msgspec.structs.replace(NO_OVERHEADS, separate_context_output=True)
    for cp, method, more in ((4, "all-to-all", 1), (1, "all-to-all", 0), (4, "ring", 0)):
        layout = layout_of(cp=cp, context_parallel_method=method)
        with_it, without = (
            footprint_of(model, layout, software=each).kept[0].kept.value
            for each in (software, NO_OVERHEADS)
        )
        assert with_it - without == more * 2 * 4096 * 4096 // cp


@given(model=models(), modules=st.sets(st.sampled_from(sorted(set(MODULES) - {"full"}))))
def test_a_policy_drops_and_never_adds(model, modules):
    """But the rotary key, half a percent of what is dropped with it, in MLA."""
    policy = msgspec.structs.replace(EVERYTHING, modules=sorted(modules))
    for kept, whole in zip(lines_of(model, policy), lines_of(model), strict=True):
        assert kept.keys() - {"rope_key"} <= whole.keys()
        assert ("rope_key" in kept) == ("mla_up_proj" in modules and "kv_latent" in kept)
        for name in kept.keys() & whole.keys():
            assert kept[name] == whole[name]


DROPPED = {
    "core_attn": {"softmax", "softmax_mask", "softmax_dropped"},
    "mla_up_proj": {"q_latent_normed", "kv_latent_normed", "queries", "keys", "values"},
    "layernorm": {"attention_input", "feed_forward_input"},
    "moe_act": {"expert_act_output", "expert_act_gate"},
    "mlp_act": {"mlp_act_output", "mlp_act_gate", "shared_act_output", "shared_act_gate"},
    "mlp": {"mlp_act_input", "mlp_act_output", "mlp_act_gate"},
    "shared_experts": {"shared_act_input", "shared_act_output", "shared_act_gate"},
    "moe": {
        *("router_scores", "routing_weights", "routing_indices", "expert_input"),
        *("expert_act_input", "expert_act_output", "expert_act_gate", "expert_output"),
        *("shared_act_input", "shared_act_output", "shared_act_gate"),
    },
}


@pytest.mark.parametrize("module", DROPPED)
def test_what_a_module_drops_of_a_layer_of_deepseek_v3(module):
    """As Megatron-Core's modules of these names do: the output, or all between input and output."""
    model = dsv3calc.load_model("deepseek-v3")
    policy = msgspec.structs.replace(EVERYTHING, modules=[module])
    dense, sparse, head = (
        whole.keys() - kept.keys()
        for whole, kept in zip(lines_of(model), lines_of(model, policy), strict=True)
    )
    assert dense | sparse == DROPPED[module]
    assert head == ({"head_input"} if module == "layernorm" else set())


@given(model=models())
def test_full_recomputation_keeps_the_input_of_each_layer(model):
    *layers, _ = lines_of(model, preset("recompute", "full"))
    assert layers == [{"layer_input": 2 * 64 * model.hidden_size}] * len(model.groups)


@given(model=models())
def test_kept_and_recomputed_are_all_that_is_read(model):
    whole = [sum(lines.values()) for lines in lines_of(model)]
    for modules in (["layernorm", "core_attn"], ["moe_act", "mlp_act"], ["moe", "mlp"]):
        policy = msgspec.structs.replace(EVERYTHING, modules=modules)
        footprint = footprint_of(model, layout_of(), recompute=policy, sequence=64)
        found = [
            kept.kept.value + kept.recomputed.value
            for kept in (*footprint.kept, footprint.in_flight.head)
        ]
        assert found == whole


@given(model=models(), bits=st.sampled_from([("fp8", 8, 32), ("e5m6", 12, 32)]))
def test_formats_write_inputs_of_matrices_with_a_scale_for_each_tile(model, bits):
    name, width, scale = bits
    policy = msgspec.structs.replace(FUSED, formats={"linear_input": name})
    for kept, plain in zip(lines_of(model, policy), lines_of(model, FUSED), strict=True):
        for tensor in kept:
            elements = plain[tensor] / 2 / 64
            if tensor in (
                "attention_input",
                "feed_forward_input",
                "attention_output",
                "head_input",
            ):
                tiles = -(-elements // 128)
                assert kept[tensor] * 8 == 64 * (elements * width + tiles * scale), tensor
            elif tensor in ("layer_input", "queries", "softmax", "expert_act_input"):
                assert kept[tensor] == plain[tensor], tensor
