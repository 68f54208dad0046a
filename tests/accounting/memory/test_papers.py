"""Training memory of DeepSeek-V3 as arXiv:2502.07846 and the Megatron-MoE-ModelZoo count it.

The first was read second-hand. The second is NVIDIA's ``misc/tools/deepseek_mem_estimate.py`` in
yanring/Megatron-MoE-ModelZoo at e8650517, which gives Table 3 of arXiv:2603.07685.
"""

import pytest
from footprints import footprint_of, layout_of, preset

import dsv3calc

GIB, MIB = 2**30, 2**20
LAYOUT = "--hardware h800 --tp 2 --pp 16 --ep 8 --dp 32 --layer-split 4*15,1"
PAPER = f"memory deepseek-v3 {LAYOUT} --as mem-2502.07846"
V3 = dsv3calc.load_model("deepseek-v3")
S, H, HEADS, NOPE, ROPE, V_HEAD = 4096, 7168, 128, 128, 64, 128
Q_LATENT, KV_LATENT, EXPERTS, CHOSEN, EXPERT = 1536, 512, 256, 8, 2048
LAYERS = 4
"""Layers of one stage."""

# arXiv:2502.07846: parameters of a GPU, dense and shared among dp, routed among edp
MLA_SPLIT = (1536 * 128 * 128 + 2 * 512 * 128 * 128 + 128 * 128 * 7168) // 2
MLA_WHOLE = 1536 * 7168 + 512 * 7168 + 1536 * 128 * 64 + 64 * 7168
ATTENTION = LAYERS * (MLA_SPLIT + MLA_WHOLE)
NORMS = LAYERS * (2 * 7168 + 1536 + 512)
MOE = LAYERS * ((32 + 1) * 3 * 7168 * 2048 + 7168 * 256)


def states(query, rank=3):
    ledger = dsv3calc.query(query).values
    return {
        what: ledger[f"memory.rank.{rank}.{what}"] for what in ("weights", "gradients", "optimizer")
    }


def tensors(layer, what, *components):
    """Add up the lines of one layer that belong to components of the parameter table."""
    return sum(
        line.value
        for line in layer[what].parts
        if line.name.partition(f".{what}.")[2].partition(".")[0] in components
    )


def test_the_parameters_that_the_paper_prints():
    assert (ATTENTION, NORMS, MOE) == (429_654_016, 65_536, 5_820_645_376)
    assert ATTENTION + NORMS + MOE == 6_250_364_928


def test_the_parameters_of_a_gpu_by_part():
    """M-5, M-6 and M-7."""
    ledger = dsv3calc.query(PAPER).values
    layer = "memory.layer.groups.1.weights"
    found = {
        name.removeprefix(f"{layer}."): value // 2
        for name, value in ledger.items()
        if name.startswith(f"{layer}.")
    }
    assert "router.routing_bias" not in found  # it is no parameter of the paper
    assert LAYERS * sum(v for k, v in found.items() if k.startswith("attention.")) == ATTENTION
    assert LAYERS * sum(v for k, v in found.items() if k.startswith("norms.")) == NORMS
    experts = ("router.", "routed_experts.", "shared_experts.")
    assert LAYERS * sum(v for k, v in found.items() if k.startswith(experts)) == MOE
    assert found["attention.q_b_proj.rope"] == 1536 * 128 * 64


DATA, EDP = 32, 8
STATES = {  # M-8 to M-11: bytes of weights, gradients, optimizer states
    0: (2, 4, 8),
    1: (2, 4, None),
    2: (2, None, None),
    3: (None, None, None),
}


@pytest.mark.parametrize("zero", STATES)
def test_states_of_a_gpu_to_the_byte(zero):
    whole = ATTENTION + NORMS + MOE
    shared = (ATTENTION + NORMS) // DATA + MOE // EDP
    assert (ATTENTION + NORMS) % DATA == MOE % EDP == 0
    expected = {
        what: (shared if count is None else whole) * size
        for what, count, size in zip(
            ("weights", "gradients", "optimizer"), STATES[zero], (2, 4, 8), strict=True
        )
    }
    assert states(f"{PAPER} --zero {zero}") == expected


@pytest.mark.parametrize("zero", STATES)
def test_the_routing_bias_is_all_that_the_paper_leaves_out(zero):
    """256 FP32 numbers in each of four layers that the convention leaves out."""
    without = states(f"{PAPER} --zero {zero} --set routing_bias=false")
    assert states(f"{PAPER} --zero {zero}") == without
    ours = PAPER.replace(" --as mem-2502.07846", "")
    assert ours != PAPER
    with_bias, without_bias = states(ours), states(f"{ours} --set routing_bias=false")
    assert with_bias.pop("weights") - without_bias.pop("weights") == 4 * 256 * 4
    assert with_bias == without_bias


@pytest.mark.parametrize(("zero", "printed"), [(0, 81.54), (1, 40.46), (2, 19.92), (3, 9.66)])
def test_sums_that_the_paper_prints(zero, printed):
    """They are sums of rounded parts, the "GB" a GiB: within 0.06 %."""
    found = sum(states(f"{PAPER} --zero {zero}").values())
    assert found / GIB == pytest.approx(printed, rel=6e-4)


def test_stages_that_the_paper_prints():
    """M-4: 26, 86, 23 and 1,250 GB; its 14.16B of stage 0 is the sum of rounded rows."""
    query = "memory deepseek-v3 --hardware h800 --pp 16 --layer-split 4*15,1 --as mem-2502.07846"
    ledger = dsv3calc.query(query).values
    stages = [ledger[f"memory.rank.{stage}.weights"] / GIB for stage in range(16)]
    assert [round(each) for each in stages] == [26, *[86] * 14, 23]
    assert round(sum(stages)) == 1250
    assert ledger["memory.rank.0.weights"] / 2 == pytest.approx(14.16e9, rel=2e-3)


# Activations. The paper's formulas are for four layers and b sequences.


def layer_of(policy, model=V3, **fields):
    layout = {"pp": 16, "dp": 32, "ep": 8, "tp": 2, "sequence_parallel": True}
    layout |= {"shared_experts": "replicated", **fields}
    footprint = footprint_of(model, layout_of(**layout), recompute=policy)
    return footprint.kept[1]


def by_name(kept):
    return {line.name.rpartition(".")[2]: line.value for line in kept.parts}


ATTENTION_PART = {
    "layer_input", "attention_input", "q_latent", "q_latent_normed", "kv_latent",
    "kv_latent_normed", "queries", "keys", "values", "softmax", "softmax_mask", "softmax_dropped",
    "attention_output", "attention_mask",
}  # fmt: skip


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_attention_keeps_what_the_paper_says(batch):
    """M-12: 10bsh + 8bs(d_cq + d_c) + 16bs d_h n_h + 8bs d_hr n_h + 10b n_h s^2."""
    found = by_name(layer_of("mem-2502.07846", micro_batch=batch).kept)
    tokens = batch * S
    assert LAYERS * sum(found[name] for name in ATTENTION_PART) == (
        10 * tokens * H
        + 8 * tokens * (Q_LATENT + KV_LATENT)
        + 16 * tokens * NOPE * HEADS
        + 8 * tokens * ROPE * HEADS
        + 10 * tokens * HEADS * S
    )


def test_experts_keep_less_and_more_than_the_paper_says():
    """M-13 differs in every term: tokens between blocks are divided here, as for attention.

    The paper has 20bsh + 16bsN + 8bs N_r + 4bs (N_r / N)(96h + 256h_E) + 32bs h_E: one sequence's
    rows over all eight GPUs of a group that four replicas share, and 3h + 8h_E bytes for each, one
    h for a mask of dropout. Here each replica sends its own rows: four times as many on a GPU.
    """
    found = by_name(layer_of("mem-2502.07846").kept)
    experts = {name: LAYERS * value for name, value in found.items() if name not in ATTENTION_PART}
    tp, replicas = 2, 8 // 2
    between = ("feed_forward_norm_input", "feed_forward_input", "feed_forward_mask")
    shared = ("shared_act_input", "shared_act_gate", "shared_act_output")
    inner = ("expert_act_input", "expert_act_gate", "expert_act_output")
    rows = S * CHOSEN * (EXPERTS // 8) // EXPERTS
    assert rows == S
    assert tp * sum(experts.pop(name) for name in between) == 20 * S * H
    assert tp * experts.pop("router_scores") == 16 * S * EXPERTS
    assert tp * experts.pop("routing_weights") == 8 * S * CHOSEN
    assert tp * sum(experts.pop(name) for name in shared) == 32 * S * EXPERT
    assert sum(experts.pop(name) for name in inner) == replicas * 4 * rows * 8 * EXPERT
    # three bytes in the paper: two for the input, one for a mask
    assert experts.pop("expert_input") == replicas * 4 * rows * 2 * H
    # not in the paper: which experts were chosen
    assert tp * experts.pop("routing_indices") == LAYERS * 8 * S * CHOSEN
    assert not experts


def test_full_recomputation_keeps_what_the_paper_says():
    """M-14: 8bsh + 8bs N_r, which sequence parallelism does not divide in the paper."""
    kept = layer_of("mem-2502.07846-full", sequence_parallel=False).kept
    assert by_name(kept) == {"layer_input": 2 * S * H, "routing_weights": 2 * S * CHOSEN}
    assert LAYERS * kept.value == 8 * S * H + 8 * S * CHOSEN == 235_143_168
    divided = layer_of("mem-2502.07846-full").kept
    assert 2 * divided.value == kept.value


# Megatron-MoE-ModelZoo: MiB of one MoE layer of V3, 4,096 tokens, tp 1, BF16

MODEL_ZOO = {
    "layer_input": 56,
    "attention_input": 56,
    "q_latent": 12,
    "q_latent_normed": 12,
    "kv_latent": 4,
    "kv_latent_normed": 4,
    "queries": 192,
    "keys": 192,
    "values": 128,
    "attention_output": 128,
    "logsumexp": 2,
    "feed_forward_norm_input": 56,
    "feed_forward_input": 56,
    "shared_act_input": 32,
    "shared_act_output": 16,
    "expert_input": 448,
    "expert_act_input": 256,
    "expert_act_output": 128,
    "expert_output": 448,
}
THEIR_ROUTING = {"router probabilities in BF16": 2, "row-id map, 8 bytes an expert": 8}
OUR_ROUTING = {"router_scores": 4, "routing_weights": 0.125, "routing_indices": 0.25}


def zoo_layer(*modules, after=True):
    policy = preset(
        "recompute",
        "none",
        modules=list(modules),
        routing_weights="after" if after else "before",
    )
    layout = {"tp": 1, "ep": 64, "dp": 64, "pp": 4, "sequence_parallel": False}
    return layer_of(policy, **layout, shared_experts="local")


def test_a_moe_layer_keeps_the_tensors_of_the_model_zoo():
    assert sum(MODEL_ZOO.values()) + sum(THEIR_ROUTING.values()) == 2236
    found = {name: value / MIB for name, value in by_name(zoo_layer().kept).items()}
    assert found == MODEL_ZOO | OUR_ROUTING


SAVED = {
    "moe_act": (("moe_act", "mlp_act"), 144, 144),
    "layernorm": (("layernorm",), 112, 112),
    # here the latents' norms are recomputed too (16), and the key's rotary part is kept (0.5)
    "mla_up_proj": (("mla_up_proj",), 512, 512 + 12 + 4 - 0.5),
    "shared_experts": (("shared_experts",), 48, 48),
    "the three together": (
        ("moe_act", "mlp_act", "layernorm", "mla_up_proj"), 144 + 112 + 512, 144 + 112 + 527.5
    ),
}  # fmt: skip


@pytest.mark.parametrize(("modules", "theirs", "ours"), SAVED.values(), ids=SAVED)
def test_recomputing_saves_what_the_model_zoo_says(modules, theirs, ours):
    saved = (zoo_layer().kept.value - zoo_layer(*modules).kept.value) / MIB
    assert saved == ours
    assert saved - theirs == (15.5 if "mla_up_proj" in modules else 0)


def test_multiplying_routing_weights_early_saves_the_outputs_of_experts():
    saved = zoo_layer().kept.value - zoo_layer(after=False).kept.value
    assert saved == 448 * MIB


def test_full_recomputation_keeps_the_input_of_a_layer():
    assert zoo_layer("full").kept.value == 56 * MIB


def test_recomputing_the_moe_part_keeps_its_input_alone():
    """What its backward pass reads is from the norm's output on; the norm and its input stay."""
    found = by_name(zoo_layer("moe").kept)
    assert {name for name in MODEL_ZOO if name not in found} == {
        *("expert_input", "expert_act_input", "expert_act_output", "expert_output"),
        *("shared_act_input", "shared_act_output"),
    }
    assert not found.keys() & OUR_ROUTING


def test_states_of_the_model_zoo():
    """36.4 GiB of weights and gradients and 32.1 of optimizer states: arXiv:2603.07685, Table 3.

    16 MoE layers of a rank, dense parts over 64 replicas, experts over one; the tool leaves out
    norms, router, latents' norms, embedding and head.
    """
    layout = layout_of(pp=4, ep=64, dp=64, zero=1)
    footprint = footprint_of(V3, layout)
    layer = footprint.states[1]
    counted = ("attention", "shared_experts", "routed_experts")
    held = 16 * (tensors(layer, "weights", *counted) + tensors(layer, "gradients", *counted))
    optimizer = 16 * tensors(layer, "optimizer", *counted)
    assert held == 6 * 16 * (231_145_472 + 176_160_768)
    assert held / GIB == pytest.approx(36.42, abs=0.005)
    assert optimizer / GIB == pytest.approx(32.15, abs=0.005)
