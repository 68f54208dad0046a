"""DeepSeek-V3 on its own layout: it fits its cards, and alternatives cost what is said."""

import re
from functools import cache

import pytest
from footprints import footprint_of, layout_of, preset, ranks_of

import dsv3calc
from dsv3calc.accounting.memory.ranks import PARTS
from dsv3calc.ledger.line import given

GIB, MIB = 2**30, 2**20
QUERY = "memory deepseek-v3 --layout v3-pretrain --hardware h800"
RANKS = range(16)
V3 = dsv3calc.load_model("deepseek-v3")
TIED = dsv3calc.load_model("deepseek-v3", set=["tie_word_embeddings=true"])
MATRIX = 129_280 * 7168 * 2
"""Bytes of the embedding, or of the head, in BF16."""


@cache
def answer(options=""):
    return dsv3calc.query(f"{QUERY} {options}").values


def by_rank(options=""):
    ledger = answer(options)
    return [{part: ledger[f"memory.rank.{rank}.{part}"] for part in PARTS} for rank in RANKS]


@pytest.mark.parametrize("options", ["", "--with-mtp"])
def test_it_fits_on_every_rank_as_it_did(options):
    """2,048 H800 trained it, without tensor parallelism and without offloading activations."""
    ledger = answer(options)
    assert ledger["memory.usable"] == 84_943_110_144  # of a published trace
    assert all(rank["total"] <= ledger["memory.usable"] for rank in by_rank(options))
    assert ledger["memory.fits"] == 1
    assert ledger["memory.free"] == ledger["memory.usable"] - ledger["memory.worst.total"]


def test_nothing_recomputed_would_not_have_fitted():
    """Section 3.2: the memory was saved so that tensor parallelism is not needed."""
    for policy in ("none", "fp8-caches"):
        assert answer(f"--recompute {policy}")["memory.fits"] == 0


@pytest.mark.parametrize("options", ["", "--with-mtp", "--mirror-optimizer", "--zero 3"])
def test_ranks_mirror(options):
    ranks = by_rank(options)
    assert ranks == ranks[::-1]
    assert ranks[0] != ranks[1]


@pytest.mark.parametrize("options", ["", "--with-mtp"])
def test_embedding_and_head_share_a_rank(options):
    """Section 3.2.3; MTP shares both with the main model, and takes no third and fourth copy."""
    ledger = answer(options)
    copies = {name: ledger[f"memory.rank.0.{name}"] for name in ("embeddings", "heads")}
    assert copies == {"embeddings": 1, "heads": 1}
    assert ledger["memory.rank.1.embeddings"] == 0
    layers = sum(
        ledger[f"memory.rank.0.layers.{group}"] * ledger[f"memory.layer.{group}.weights"]
        for group in ("groups.0", "groups.1", *(["mtp"] if options else []))
    )
    assert ledger["memory.rank.0.weights"] - layers == 2 * MATRIX + 7168 * 2  # and the final norm


def test_each_rank_has_two_stages_once_each():
    ledger = answer()
    for rank in RANKS:
        name = f"memory.rank.{rank}"
        stages = [ledger[f"{name}.chunk.{chunk}.stage"] for chunk in range(2)]
        assert stages == [rank, 15 - rank]
        in_flight = [ledger[f"{name}.moment.0.chunk.{chunk}.in_flight"] for chunk in range(2)]
        assert in_flight == [16 - rank, rank + 1]
    layers = [
        sum(ledger[f"memory.rank.{rank}.layers.groups.{group}"] for rank in RANKS)
        for group in range(2)
    ]
    assert layers == [2 * 3, 2 * 58]


# Alternatives: what the notes of the presets and the page say that each of them adds.


def kept(number, options=""):
    return answer(options)[f"memory.layer.groups.{number}.activations"]


def layers_in_flight(rank):
    """Count the MoE layers of micro-batches that a rank keeps: a stage of four, and of four."""
    ledger = answer()
    return sum(
        ledger[f"memory.rank.{rank}.moment.0.chunk.{chunk}.in_flight"]
        * ledger[f"memory.rank.{rank}.chunk.{chunk}.layers.groups.1"]
        for chunk in range(2)
    )


def test_routing_weights_after_the_experts_add_448_mib_a_layer():
    after = "--routing-weights after"
    assert kept(1, after) - kept(1) == 448 * MIB == 4096 * 8 * 7168 * 2
    assert kept(0, after) == kept(0)
    for rank, (late, early) in enumerate(zip(by_rank(after), by_rank(), strict=True)):
        added = late["activations"] - early["activations"]
        assert added == layers_in_flight(rank) * 448 * MIB
    worst = [answer(options)["memory.worst.activations"] for options in (after, "")]
    assert worst[0] - worst[1] == (4 * 17) * 448 * MIB == 29.75 * GIB
    assert answer(after)["memory.fits"] == 0


def test_e5m6_in_sixteen_bits_adds_30_mib_a_layer():
    """Twelve bits and an FP32 scale for 128 of 16,384 elements, against sixteen bits."""
    wide = kept(1, "--set recompute.formats.attention_output=bf16")
    assert wide - kept(1) == 4096 * (16_384 * 4 // 8 - 128 * 4) == 30 * MIB


def weights_of(copy):
    return answer(f"--compute-copy {copy}")["memory.layer.groups.1.weights"]


def test_compute_copies_add_up():
    """FP8 is half of BF16 and four bytes more for each 128 x 128; norms stay in BF16."""
    layer = {
        copy: weights_of(copy) for copy in ("stored", "stored-twice", "bf16", "bf16-and-stored")
    }
    experts = 3 * 7168 * 2048
    quantised = 187_105_280 + experts + 4 * experts  # attention, shared, 256 / 64 routed
    blocks = quantised * 4 // 128**2
    # kv_a_proj_with_mqa has 576 rows: half a block more than its elements fill
    blocks += 4 * (7168 // 128) * 5 - 576 * 7168 * 4 // 128**2
    norms, router, bias = 2 * (2 * 7168 + 1536 + 512), 2 * 256 * 7168, 4 * 256
    assert layer["bf16"] == 2 * quantised + norms + router + bias
    assert layer["stored"] == quantised + blocks + norms + router + bias
    assert layer["stored-twice"] - layer["stored"] == quantised + blocks
    assert layer["bf16-and-stored"] - layer["stored"] == 2 * quantised


def test_sharing_optimizer_states_over_the_pair_halves_them():
    for shared, alone in zip(by_rank("--mirror-optimizer"), by_rank(), strict=True):
        assert 2 * shared["optimizer"] == alone["optimizer"]
        assert shared["weights"] == alone["weights"]


def test_recipe_bits():
    """4 + 4 + 2 + 2 bytes of gradients, master weights and moments, BF16 weights beside them."""
    footprint = footprint_of(V3, layout_of(ep=64, dp=64), recipe="v3-training")
    layer = {what: line.value for what, line in footprint.states[1].items()}
    bias = 4 * 256  # FP32 in the precision, BF16 in the tests' uniform one
    assert layer["gradients"] * 2 == layer["optimizer"]
    assert (layer["weights"] - bias // 2) * 2 == layer["gradients"]


def test_bytes_of_a_layer_by_hand():
    """What 4,096 tokens keep under the policy of section 3.3.3, FP8 tiles of 128 with a scale."""
    tokens, hidden, expert = 4096, 7168, 2048

    def fp8(width):
        return width + 4 * (width // 128)

    e5m6 = 16_384 * 12 // 8 + 4 * 128
    norms = 2 * 2 * hidden  # inputs in BF16, outputs recomputed
    latents = 2 * (1536 + 512 + 64)  # from which queries, keys and values are recomputed
    routing = 4 * 256 + 4 * 8 + 8 * 8
    rows = 8 * (fp8(hidden) + fp8(2 * expert))
    shared = fp8(2 * expert)
    by_hand = norms + latents + e5m6 + 4 * 128 + routing + rows + shared
    assert kept(1) == tokens * by_hand
    dense = norms + latents + e5m6 + 4 * 128 + fp8(2 * 18_432)
    assert kept(0) == tokens * dense


# Copies of the embedding and the head


def copies(model, mtp, **fields):
    """Return how many embeddings and heads the ranks hold, counted in their weights."""
    footprint = footprint_of(model, layout_of(pp=4, **fields), mtp=mtp)
    found = []
    for rank in ranks_of(footprint):
        line = rank.lines["weights"]
        count = {
            part.name: number.value
            for number, part in zip(line.parts[::2], line.parts[1::2], strict=True)
        }
        found.append((count["memory.embedding.weights"], count.get("memory.head.weights", 0)))
    return found


V = {"schedule": "dualpipev"}
BOTH = {"schedule": "dualpipe"}
COPIES = [
    # a second embedding for MTP, or for a tied head, on the last stage
    (V3, False, {}, [(1, 0), (0, 0), (0, 0), (0, 1)]),
    (V3, True, {}, [(1, 0), (0, 0), (0, 0), (1, 1)]),
    (TIED, False, {}, [(1, 0), (0, 0), (0, 0), (1, 0)]),
    (TIED, True, {}, [(1, 0), (0, 0), (0, 0), (1, 0)]),
    # both ends of the depth on one rank
    *((model, mtp, V, [(1, 1 if model is V3 else 0), *[(0, 0)] * 3])
      for model in (V3, TIED) for mtp in (False, True)),
    (V3, True, {"schedule": "zbv"}, [(1, 1), *[(0, 0)] * 3]),
    *((model, mtp, BOTH, [(1, 1 if model is V3 else 0), (0, 0), (0, 0),
                          (1, 1 if model is V3 else 0)])
      for model in (V3, TIED) for mtp in (False, True)),
    # MTP before the last stage needs head and embedding there
    (V3, True, {"mtp_stage": 2}, [(1, 0), (0, 0), (1, 1), (0, 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("model", "mtp", "fields", "expected"), COPIES)
def test_copies_of_embedding_and_head(model, mtp, fields, expected):
    assert copies(model, mtp, **fields) == expected


def test_dualpipev_holds_parameters_once_where_dualpipe_holds_them_twice():
    held = {
        schedule: sum(
            rank.lines["weights"].value
            for rank in ranks_of(footprint_of(V3, layout_of(pp=8, schedule=schedule)))
        )
        for schedule in ("1f1b", "dualpipev", "dualpipe")
    }
    assert (
        held["dualpipev"]
        == held["1f1b"]
        == 2 * dsv3calc.query("params deepseek-v3")["parameters.total"]
    )
    assert held["dualpipe"] == 2 * held["1f1b"]


def test_logits_stay_in_fp32_while_their_micro_batch_is_in_flight():
    ledger = answer()
    assert ledger["memory.rank.0.logits"] == 4 * 4096 * 129_280
    assert ledger["memory.rank.5.logits"] == 0
    with_mtp = answer("--with-mtp")
    assert with_mtp["memory.rank.0.logits"] == 2 * 4 * 4096 * 129_280


def buffers_of_rank(layout):
    """Name the buffers of rank 0: what every rank has, and what that one has."""
    footprint = footprint_of(V3, layout, software=preset("setup", "pytorch").memory)
    lines = footprint.rank("memory.rank.0", given("rank", 0, "1")).lines["buffers"].parts
    parts = [*lines, *footprint.buffers.shared]
    found = {line.name.rpartition(".")[2]: line.value for line in parts}
    if footprint.buffers.unsharded is not None:
        one = given("one", 1, "1")
        waiting = footprint.buffers.unsharded.of_layer("rank", [one, one])
        found["largest_gradients"] = waiting.value
    return found


@pytest.mark.parametrize("zero", range(4))
def test_buffers_that_zero_brings(zero):
    """Gradients that wait to be reduced from ZeRO-2 on, two gathered layers under ZeRO-3."""
    found = buffers_of_rank(layout_of(ep=8, dp=16, zero=zero))
    assert found["driver_context"] + found["workspace"] + found["communication"] == (
        512 * MIB + 32 * MIB + 1024 * MIB
    )
    states = footprint_of(V3, layout_of(ep=8, dp=16)).states[1]
    layer = sum(tensor.value for tensor in states["weights"].parts)
    head = 129_280 * 7168
    largest = max(tensor.value for tensor in states["gradients"].parts)
    assert largest == 32 * 2048 * 7168 * 4 > 4 * 40_000_000
    reduced = {2: max(largest, 4 * head), 3: max(states["gradients"].value, 4 * head)}
    assert found.get("largest_gradients") == reduced.get(zero)
    gathered = max(layer, 2 * head) + layer
    assert found.get("gathered_weights") == (gathered if zero == 3 else None)


@pytest.mark.parametrize("zero", [2, 3])
def test_what_no_replica_shares_is_neither_reduced_nor_gathered(zero):
    """All experts' replicas are one: only the rest of a layer is gathered; with dp 1 nothing is."""
    found = buffers_of_rank(layout_of(ep=8, dp=8, zero=zero))
    rest = sum(
        tensor.value
        for tensor in footprint_of(V3, layout_of(ep=8, dp=8)).states[1]["weights"].parts
        if "routed_experts" not in tensor.name
    )
    dense = footprint_of(V3, layout_of(ep=8, dp=8)).states[0]["weights"].value
    head = 2 * 129_280 * 7168
    layer = max(rest, dense)
    assert found.get("gathered_weights") == (max(layer, head) + layer if zero == 3 else None)
    alone = buffers_of_rank(layout_of(ep=1, dp=1, zero=zero))
    assert alone["largest_gradients"] == 0
    assert alone.get("gathered_weights") == (0 if zero == 3 else None)


def test_every_assumption_of_the_answer_is_told():
    told = "\n".join(dsv3calc.query(QUERY).assumptions)
    for what in ("compute_copy", "layer_split", "routing_weights", "attention_output", "mirror"):
        assert re.search(what, told), what
