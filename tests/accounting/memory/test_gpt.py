"""Activations of a GPT block against arXiv:2205.05198 and arXiv:2401.10241, tensor by tensor."""

import pytest
import sympy
from footprints import footprint_of, gpt, layout_of, preset, rank_of

s, b, h, a, t, p, m, rank = sympy.symbols("s b h a t p m r", positive=True, integer=True)
ONE_SHARE = {sympy.Min(a, t): t}
"""Heads divide among the tensor-parallel GPUs: as many key-value heads as heads."""
EVERYTHING = preset("recompute", "none", attention_kernel="unfused", dropout=True)
SELECTIVE = preset("recompute", "selective", attention_kernel="unfused", dropout=True)
FULL = preset("recompute", "full")
POLICIES = {"none": EVERYTHING, "selective": SELECTIVE, "full": FULL}

EQUATIONS = {
    # arXiv:2205.05198: equations 1, 2, 4 and Table 2
    "eq. 1": ("none", False, 1, s * b * h * (34 + 5 * a * s / h)),
    "eq. 2": ("none", False, t, s * b * h * (10 + 24 / t + 5 * a * s / (h * t))),
    "eq. 4": ("none", True, t, s * b * h / t * (34 + 5 * a * s / h)),
    "selective": ("selective", False, t, s * b * h * (10 + 24 / t)),
    "eq. 6": ("selective", True, t, s * b * h / t * 34),
    "full": ("full", False, t, 2 * s * b * h),
    "full, sequence parallel": ("full", True, t, 2 * s * b * h / t),
}
SIZES = [  # 22B and 175B of the paper's Table 3; one where nothing is a power of two
    {s: 2048, b: 4, h: 6144, a: 64, t: 8},
    {s: 2048, b: 1, h: 12288, a: 96, t: 8},
    {s: 60, b: 3, h: 420, a: 12, t: 6},
]
each_equation = pytest.mark.parametrize(
    ("policy", "sequence_parallel", "tp", "expected"), EQUATIONS.values(), ids=EQUATIONS
)


def block(policy, sequence=s, micro_batch=b, hidden=h, heads=a, **fields):
    head_dim = hidden / heads if hidden is h else hidden // heads
    layout = layout_of(micro_batch=micro_batch, **fields)
    return footprint_of(gpt(hidden, heads, head_dim), layout, recompute=policy, sequence=sequence)


def difference(found, expected):
    return sympy.simplify(sympy.sympify(found).xreplace(ONE_SHARE) - expected)


@each_equation
def test_a_block_keeps_what_the_paper_says(policy, sequence_parallel, tp, expected):
    kept = block(POLICIES[policy], tp=tp, sequence_parallel=sequence_parallel).kept[0]
    assert difference(kept.kept.value, expected) == 0


@each_equation
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_block_keeps_that_on_integers(policy, sequence_parallel, tp, expected, sizes):
    tp = 1 if tp == 1 else sizes[t]
    kept = block(
        POLICIES[policy], sizes[s], sizes[b], sizes[h], sizes[a], tp=tp,
        sequence_parallel=sequence_parallel,
    ).kept[0]  # fmt: skip
    assert type(kept.kept.value) is int
    assert kept.kept.value == expected.subs(sizes)


def test_the_parts_of_the_34():
    """Section 4.1: 11 for attention and 5 a s / h, 19 for the MLP, 4 for the norms."""
    lines = {
        line.name.rpartition(".")[2]: line.value for line in block(EVERYTHING).kept[0].kept.parts
    }
    scores = a * s * s * b
    assert lines == {
        "layer_input": 2 * s * b * h,
        "attention_input": 2 * s * b * h,
        "queries": 2 * s * b * h,
        "keys": 2 * s * b * h,
        "values": 2 * s * b * h,
        "softmax": 2 * scores,
        "softmax_mask": scores,
        "softmax_dropped": 2 * scores,
        "attention_output": 2 * s * b * h,
        "attention_mask": s * b * h,
        "feed_forward_norm_input": 2 * s * b * h,
        "feed_forward_input": 2 * s * b * h,
        "mlp_act_input": 8 * s * b * h,
        "mlp_act_output": 8 * s * b * h,
        "feed_forward_mask": s * b * h,
    }


def test_what_is_recomputed_is_there_while_its_layer_runs():
    """Kept and recomputed together are everything, whatever the policy."""
    whole = block(EVERYTHING).kept[0].kept.value
    for policy in (
        SELECTIVE,
        preset("recompute", "full", attention_kernel="unfused", dropout=True),
    ):
        found = block(policy).kept[0]
        assert difference(found.kept.value + found.recomputed.value, whole) == 0


def test_a_fused_kernel_keeps_four_bytes_for_each_head_instead_of_the_scores():
    fused = preset("recompute", "none", dropout=True)
    assert difference(block(fused).kept[0].kept.value, s * b * (34 * h + 4 * a)) == 0


@pytest.mark.parametrize(
    ("policy", "layer"), [("none", 34 + 5 * a * s / h), ("selective", sympy.Integer(34))]
)
def test_the_first_stage_of_1f1b_holds_every_layer_once(policy, layer):
    """Equation 5: p micro-batches of L / p layers, whatever p is; s b h p / t after the embedding.

    Section 4.3 counts that mask of dropout for each micro-batch in flight.
    """
    layers = 24
    for stages in (1, 2, 4, 8):
        layout = layout_of(tp=t, sequence_parallel=True, micro_batch=b, pp=stages)
        footprint = footprint_of(
            gpt(h, a, h / a, layers), layout, recompute=POLICIES[policy], sequence=s
        )
        held = rank_of(footprint, 0).lines["activations"].value
        if stages == 1:  # the head is here too: the final norm's and its own input
            held -= 4 * s * b * h / t
        mask = s * b * h * stages / t
        assert difference(held, layers * s * b * h / t * layer + mask) == 0


@pytest.mark.parametrize(
    ("sequence_parallel", "share"), [(False, s * b * h), (True, s * b * h / t)]
)
def test_full_recomputation_keeps_the_mask_after_the_embedding(sequence_parallel, share):
    """It stands outside of the layers, and is divided as the tokens between them are."""
    found = {}
    for dropout in (False, True):
        layout = layout_of(tp=t, micro_batch=b, pp=4, sequence_parallel=sequence_parallel)
        policy = preset("recompute", "full", dropout=dropout)
        footprint = footprint_of(gpt(h, a, h / a, 24), layout, recompute=policy, sequence=s)
        found[dropout] = [
            rank_of(footprint, number).lines["activations"].value for number in range(4)
        ]
    added = [difference(*pair) for pair in zip(found[True], found[False], strict=True)]
    assert difference(added[0], 4 * share) == 0
    assert added[1:] == [0, 0, 0]


def test_the_mask_after_the_embedding_of_the_22b_model():
    """Megatron-LM's theoretical_memory_usage.py: 2 s b h in each of 48 layers, s b h before them.

    4,882,169,856 bytes of masks with s 2048, b 4, h 6144, without sequence parallelism.
    """
    held = {}
    for dropout in (False, True):
        policy = preset("recompute", "selective", attention_kernel="unfused", dropout=dropout)
        footprint = footprint_of(
            gpt(6144, 64, 96, 48), layout_of(tp=8, micro_batch=4), recompute=policy, sequence=2048
        )
        held[dropout] = rank_of(footprint, 0).lines["activations"].value
    assert held[True] - held[False] == 4_882_169_856


def test_later_stages_of_1f1b_hold_fewer_micro_batches():
    layout = layout_of(micro_batch=b, pp=8)
    footprint = footprint_of(gpt(h, a, h / a, 24), layout, recompute=SELECTIVE, sequence=s)
    for number in range(7):
        held = rank_of(footprint, number).lines["activations"].value
        mask = 0 if number else 8 * s * b * h
        assert difference(held, (8 - number) * 3 * 34 * s * b * h + mask) == 0


@pytest.mark.parametrize("chunks", [2, 3])
def test_interleaving_adds_to_the_first_stage_what_the_paper_says(chunks):
    """Section 4.2.3: sbhL(1 + (p - 1) / (p m)) (34 + 5as/h) / t."""
    stages = 4
    layers = 2 * stages * chunks
    layout = layout_of(
        pp=stages, virtual_pipeline=chunks, schedule="interleaved", micro_batch=2
    )  # fmt: skip
    footprint = footprint_of(gpt(64, 4, 16, layers), layout, recompute=EVERYTHING, sequence=32)
    whole = 32 * 2 * 64 * layers * (34 + 5 * 4 * 32 // 64)
    # the first chunk holds 2p of the micro-batches: each has a mask after the embedding
    masks = 2 * stages * 32 * 2 * 64
    held = rank_of(footprint, 0).lines["activations"].value - masks
    # the share is (2(p-1) + (v-1)p + 1) chunks of p v: p v + p - 1
    assert held * stages * chunks == whole * (stages * chunks + stages - 1)


def test_what_waits_for_weight_gradients_is_32_sbh():
    """arXiv:2401.10241, Table 1: inputs (14) and gradients of outputs (18) of four matrices."""
    layout = layout_of(schedule="zb1p", micro_batch=b, pp=p)
    kept = footprint_of(gpt(h, a, h / a), layout, recompute=EVERYTHING, sequence=s).kept[0]
    assert difference(kept.pending.value, 32 * s * b * h) == 0
    inputs = [line for line in kept.pending.parts if ".activations." in line.name]
    assert len(inputs) == 4
    assert difference(sum(line.value for line in inputs), 14 * s * b * h) == 0
    assert difference(kept.kept.value, s * b * (34 * h + 5 * a * s)) == 0


@pytest.mark.parametrize("number", range(4))
def test_zb_h1_holds_whole_passes_and_weight_passes(number):
    """arXiv:2401.10241, Table 2, ranks from 0: (p - r) M_B + r M_W, none above p M_B."""
    stages, layers = 4, 8
    elsewhere = 0 if number else 1  # the paper counts layers, and neither embedding nor head
    layout = layout_of(
        schedule="zb1p",
        micro_batch=b,
        pp=stages,
        embedding_stage=elsewhere,
        head_stage=elsewhere,
    )
    model = gpt(h, a, h / a, layers)
    footprint = footprint_of(model, layout, recompute=EVERYTHING, sequence=s)
    held = rank_of(footprint, number).lines["activations"].value
    whole, weights = s * b * (34 * h + 5 * a * s), 32 * s * b * h
    each = layers // stages
    assert difference(held, each * ((stages - number) * whole + number * weights)) == 0
    assert sympy.expand(each * stages * whole - held).is_nonnegative
