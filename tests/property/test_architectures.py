"""What holds for every architecture, on drawn ones."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DEPTH, denses, full_span_models, gqas, models

import dsv3calc
from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.kv_cache import kv_lines
from dsv3calc.accounting.kv_fit import fit_lines
from dsv3calc.accounting.parameters import (
    PARAMETER_VARIANTS,
    parameter_lines,
    per_layer_lines,
)
from dsv3calc.accounting.weights import weight_lines
from dsv3calc.schema.layers import layer_groups
from dsv3calc.schema.model import GQA, MLA, MoE
from dsv3calc.schema.workload import Conventions, Workload

EVERYTHING = PARAMETER_VARIANTS["default"][0]
BF16 = dsv3calc.load_kv_format("bf16")
PRECISIONS = [
    dsv3calc.load_precision(name) for name in ("bf16", "fp8-deepseek-v3", "mxfp4", "int8", "int4")
]

sequences = st.integers(1, 20)
pasts = st.integers(0, 20)
batches = st.integers(1, 4)
mla_forms = st.sampled_from(["by-phase", "naive", "absorbed", "latent"])
counts = st.sampled_from(["causal", "full", "half"])
variants = st.sampled_from(sorted(PARAMETER_VARIANTS))


def values(lines):
    return {line.name: line.value for line in lines}


def parameters(model, variant="default"):
    return values(parameter_lines(model, PARAMETER_VARIANTS[variant][0], variant))


def flops(model, phase="prefill", *, batch=1, sequence=8, past=0, logits="all", **conventions):
    workload = Workload(phase=phase, batch=batch, sequence=sequence, past=past, logits=logits)
    return flops_lines(model, workload, Conventions(**conventions))


def components(lines):
    return {line.tags.component: line.value for line in lines.total.parts}


def cache(model, *, batch=1, tokens=8, page_size=1, kv_format=BF16, **conventions):
    return values(
        kv_lines(
            model,
            kv_format,
            Conventions(**conventions),
            batch=batch,
            tokens=tokens,
            page_size=page_size,
        )
    )


def with_attention(model, change):
    """Return the model with each group's attention changed."""
    groups = [
        msgspec.structs.replace(group, attention=change(group.attention)) for group in model.groups
    ]
    return msgspec.structs.replace(model, groups=groups)


# Parameters


def tensors_by_hand(model):
    """Count a model's parameters from its fields alone, another way than the tool does."""
    hidden, vocabulary = model.hidden_size, model.vocab_size
    norm = hidden * (2 if model.norm_bias else 1)
    whole = vocabulary * hidden * (1 if model.tie_word_embeddings else 2) + norm
    whole += vocabulary if model.head_bias else 0
    idle = 0
    for owner in layer_groups(model.num_hidden_layers, [each.layers for each in model.groups]):
        group = model.groups[owner]
        whole += attention_by_hand(group.attention, hidden) + group.block_norms * norm
        feed = group.feed_forward
        matrices = 3 if feed.gated else 2
        if not isinstance(feed, MoE):
            width = feed.intermediate_size
            whole += matrices * hidden * width
            whole += (matrices - 1) * width + hidden if feed.mlp_bias else 0
            continue
        width, experts = feed.moe_intermediate_size, feed.n_routed_experts
        expert = matrices * hidden * width
        expert += (matrices - 1) * width + hidden if feed.expert_bias else 0
        whole += experts * hidden + experts * (feed.routing_bias + feed.router_bias)
        whole += experts * expert
        idle += (experts - feed.num_experts_per_tok) * expert
        if feed.n_shared_experts:  # one feed-forward, as wide as all of them together
            wide = feed.n_shared_experts * width
            whole += matrices * hidden * wide
            whole += (matrices - 1) * wide + hidden if feed.expert_bias else 0
    return whole, idle


def attention_by_hand(attend, hidden):
    heads = attend.num_attention_heads
    if isinstance(attend, GQA):
        queries, keys = heads * attend.head_dim, attend.num_key_value_heads * attend.head_dim
        count = 2 * hidden * queries + 2 * hidden * keys
        count += queries + 2 * keys if attend.attention_bias else 0
        count += hidden if attend.output_bias else 0
        count += heads if attend.attention_sinks else 0
        return (
            count
            + {"none": 0, "head": 2 * attend.head_dim, "hidden": queries + keys}[attend.qk_norm]
        )
    rank, latent, rope = attend.q_lora_rank, attend.kv_lora_rank, attend.qk_rope_head_dim
    queries = heads * (attend.qk_nope_head_dim + rope)
    count = hidden * queries if rank is None else hidden * rank + rank + rank * queries
    count += hidden * (latent + rope) + latent
    count += latent * heads * (attend.qk_nope_head_dim + attend.v_head_dim)
    count += heads * attend.v_head_dim * hidden
    if attend.attention_bias:
        count += (rank or 0) + latent + rope + hidden
    if attend.indexer is not None:
        width = attend.indexer.index_head_dim
        count += rank * attend.indexer.index_n_heads * width + hidden * width
        count += hidden * attend.indexer.index_n_heads + 2 * width
    return count


@given(model=models())
def test_total_and_active_equal_a_count_by_hand(model):
    found = parameters(model)
    whole, idle = tensors_by_hand(model)
    assert found["parameters.total"] == whole
    assert found["parameters.active"] == whole - idle
    outside = 0 if model.tie_word_embeddings else model.vocab_size * model.hidden_size
    assert found["parameters.active_without_embedding"] == whole - idle - outside


@given(model=models(), variant=variants)
def test_components_sum_to_the_total_and_active_is_at_most_that(model, variant):
    lines = parameter_lines(model, PARAMETER_VARIANTS[variant][0], variant)
    found = values(lines)
    assert found["parameters.total"] == sum(line.value for line in lines.total.parts)
    active = found["parameters.active"]
    assert 0 <= found["parameters.active_without_embedding"] <= active
    assert active <= found["parameters.total"]


@given(model=models(feed_forwards=denses), variant=variants)
def test_a_dense_model_is_active_as_a_whole(model, variant):
    found = parameters(model, variant)
    copies = 0  # of embedding and head for MTP: stored, never computed with
    if variant == "checkpoint" and model.mtp is not None and model.mtp.stores_embedding_and_head:
        copies = 2 * model.vocab_size * model.hidden_size * model.mtp.num_nextn_predict_layers
    assert found["parameters.active"] + copies == found["parameters.total"]


@given(model=models())
def test_rows_of_layers_sum_to_the_total(model):
    per_layer = per_layer_lines(model, EVERYTHING)
    owners = layer_groups(DEPTH, [group.layers for group in model.groups])
    layers = sum(per_layer[owner]["total"].value for owner in owners)
    outside = model.vocab_size * model.hidden_size * (1 if model.tie_word_embeddings else 2)
    outside += model.vocab_size if model.head_bias else 0
    outside += model.hidden_size * (2 if model.norm_bias else 1)
    assert layers + outside == parameters(model)["parameters.total"]


@given(model=models())
def test_variants_differ_by_what_they_say(model):
    found = {name: parameters(model, name)["parameters.total"] for name in PARAMETER_VARIANTS}
    mtp = parameters(model).get("parameters.mtp", 0)
    assert found["with-mtp"] == found["default"] + mtp
    assert found["trainable"] <= found["default"] <= found["checkpoint"]
    assert found["non-embedding"] < found["default"]


@given(model=models())
def test_the_matmul_variant_has_the_head_also_where_it_is_tied(model):
    """A token is multiplied with the head's matrix whether or not it is the embedding's too."""
    apart = msgspec.structs.replace(model, tie_word_embeddings=False)
    tied = msgspec.structs.replace(model, tie_word_embeddings=True)
    one, other = parameters(tied, "matmul"), parameters(apart, "matmul")
    assert one["parameters.total"] == other["parameters.total"]


@given(model=models(), batch=batches, sequence=sequences)
def test_a_forward_pass_without_scores_is_two_per_active_matrix_element(model, batch, sequence):
    untied = msgspec.structs.replace(model, tie_word_embeddings=False)
    active = parameters(untied, "matmul")["parameters.active"]
    lines = flops(untied, batch=batch, sequence=sequence, mla="naive")
    indexer = [line for line in lines.total.parts if line.tags.component == "indexer"]
    scores = components(lines)["attention_core"]
    scores += sum(part.value for line in indexer for part in line.parts if part.tags.operator)
    assert lines.total.value - scores == 2 * active * batch * sequence


@given(model=models(gqas("full")))
def test_gqa_with_as_many_shared_heads_as_heads_is_mha(model):
    mha = with_attention(
        model,
        lambda each: msgspec.structs.replace(each, num_key_value_heads=each.num_attention_heads),
    )
    keys = [group.attention.num_attention_heads * group.attention.head_dim for group in mha.groups]
    per_layer = per_layer_lines(mha, EVERYTHING)
    for index, group in enumerate(mha.groups):
        attend, hidden = group.attention, mha.hidden_size
        plain = 4 * hidden * keys[index]
        plain += 3 * keys[index] if attend.attention_bias else 0
        plain += hidden if attend.output_bias else 0
        plain += attend.num_attention_heads if attend.attention_sinks else 0
        assert per_layer[index]["attention"].value == plain
        name = f"kv_cache.bytes_per_token.groups.{index}"
        layers = layer_groups(DEPTH, [each.layers for each in mha.groups]).count(index)
        line = kv_lines(mha, BF16, Conventions(), batch=1, tokens=1).bytes_per_token
        assert values(line.parts)[name] == layers * 2 * 2 * keys[index]


@given(model=models(gqas("full"), mtp=False), tokens=sequences)
def test_mqa_caches_one_head_s_share_of_mha(model, tokens):
    def shared_by(count):
        return with_attention(
            model,
            lambda each: msgspec.structs.replace(
                each, num_attention_heads=4, num_key_value_heads=count
            ),
        )

    mha, mqa = (cache(shared_by(count), tokens=tokens) for count in (4, 1))
    assert mha["kv_cache.bytes"] == 4 * mqa["kv_cache.bytes"]
    assert mha["kv_cache.bytes_per_token"] == 4 * mqa["kv_cache.bytes_per_token"]


# Weights


@given(
    model=models(),
    precision=st.sampled_from(PRECISIONS),
    variant=st.sampled_from(["default", "with-mtp"]),
)
def test_stored_elements_and_bytes_are_the_sums_over_data_types(model, precision, variant):
    inclusions = PARAMETER_VARIANTS[variant][0]
    stored, elements = weight_lines(model, precision, inclusions, variant)
    by_dtype = {line.name.rpartition(".")[2]: line for line in elements.parts}
    bytes_of = {line.name.rpartition(".")[2]: line.value for line in stored.parts}
    assert elements.value == sum(line.value for line in by_dtype.values())
    assert stored.value == sum(bytes_of.values())
    widths = {}
    for form in precision.formats.values():
        widths[form.dtype] = form.bits
        if form.scale is not None:
            widths[form.scale.dtype] = form.scale.bits
            if form.scale.zero_point_bits:
                points = form.scale.zero_point_bits
                widths[f"zero_point_{points}bit"] = points
    for dtype, line in by_dtype.items():
        assert bytes_of[dtype] == -(-line.value * widths[dtype] // 8)
    beside = sum(
        part.value
        for line in by_dtype.values()
        for part in line.parts
        if part.name.endswith((".scales", ".zero_points"))
    )
    assert elements.value - beside == parameters(model, variant)["parameters.total"]


@given(model=models(), variant=st.sampled_from(["default", "with-mtp", "trainable"]))
def test_bf16_weights_are_two_bytes_an_element(model, variant):
    stored, elements = weight_lines(model, PRECISIONS[0], PARAMETER_VARIANTS[variant][0], variant)
    assert elements.value == parameters(model, variant)["parameters.total"]
    wide = sum(line.value for line in elements.parts if line.name.endswith(".float32"))
    assert stored.value == 2 * elements.value + 2 * wide


# FLOPs


@given(
    model=models(),
    phase=st.sampled_from(["train", "prefill", "decode"]),
    batch=batches,
    sequence=sequences,
    past=pasts,
    attention=counts,
    mla=mla_forms,
    router=st.sampled_from(["in", "out"]),
    head=st.sampled_from(["in", "out"]),
    mtp=st.sampled_from(["in", "out"]),
)
def test_flops_of_components_sum_to_the_total(
    model, phase, batch, sequence, past, attention, mla, router, head, mtp
):
    choices = {"mla": mla, "router": router, "head": head, "mtp": mtp}
    work = {"batch": batch, "sequence": sequence, "past": past if phase != "train" else 0}
    lines = flops(model, phase, attention=attention, **work, **choices)
    found = values(lines)
    assert found["flops.total"] == sum(components(lines).values())
    assert found[f"flops.by_attention.{attention}"] == found["flops.total"]
    for count in ("causal", "full", "half"):
        alone = flops(model, phase, attention=count, **work, **choices).total.value
        assert found[f"flops.by_attention.{count}"] == alone


@given(model=models(), batch=batches, sequence=sequences, past=pasts, mla=mla_forms)
def test_half_causal_and_full_are_in_order(model, batch, sequence, past, mla):
    """The linear term: S/2 pairs for each head and sequence, so S channel FLOPs."""
    half, causal, full = (
        flops(model, batch=batch, sequence=sequence, past=past, attention=count, mla=mla)
        for count in ("half", "causal", "full")
    )
    diagonal = flops(model, batch=batch, sequence=1, past=0, attention="full", mla=mla)
    assert half.total.value <= causal.total.value <= full.total.value
    # one token without a past costs 2 FLOP a channel in full, and the diagonal half of that
    cores = [components(each)["attention_core"] for each in (half, causal, diagonal)]
    assert 2 * (cores[1] - cores[0]) <= sequence * cores[2]


@given(model=full_span_models, batch=batches, sequence=sequences, past=pasts, mla=mla_forms)
def test_causal_is_half_and_the_diagonal_in_full_span_layers(model, batch, sequence, past, mla):
    half, causal, one = (
        components(flops(model, batch=batch, mla=mla, attention=count, **work))["attention_core"]
        for count, work in (
            ("half", {"sequence": sequence, "past": past}),
            ("causal", {"sequence": sequence, "past": past}),
            ("full", {"sequence": 1, "past": 0}),
        )
    )
    assert 2 * (causal - half) == sequence * one


@given(model=models(), batch=batches, first=sequences, second=sequences, past=pasts, mla=mla_forms)
def test_a_prefill_in_two_pieces_costs_the_same(model, batch, first, second, past, mla):
    """All but the latent form, which expands the whole context again in every pass."""
    for attention in ("causal", "half"):
        choices = {"batch": batch, "attention": attention, "mla": mla}
        whole = components(flops(model, sequence=first + second, past=past, **choices))
        one = components(flops(model, sequence=first, past=past, **choices))
        two = components(flops(model, sequence=second, past=past + first, **choices))
        for name, value in whole.items():
            if mla == "latent" and name == "attention_projections":
                assert one[name] + two[name] >= value
            else:
                assert one[name] + two[name] == value, name


@given(model=models(), batch=batches, sequence=sequences, attention=counts, mla=mla_forms)
def test_training_is_three_passes_but_for_the_indexer(model, batch, sequence, attention, mla):
    form = "naive" if mla == "by-phase" else mla
    choices = {"batch": batch, "sequence": sequence, "attention": attention}
    step = components(flops(model, "train", mla=mla, **choices))
    forward = components(flops(model, "prefill", mla=form, **choices))
    for name, value in forward.items():
        assert step[name] == value * (1 if name == "indexer" else 3), name


@given(model=models(), batch=batches, sequence=sequences)
def test_the_last_logit_alone_saves_the_head_of_the_others(model, batch, sequence):
    every = components(flops(model, batch=batch, sequence=sequence))
    last = components(flops(model, batch=batch, sequence=sequence, logits="last"))
    assert every["head"] == sequence * last["head"]
    assert every | {"head": 0} == last | {"head": 0}


@given(model=models(gqas("full")), sequence=sequences, past=pasts, extra=st.integers(1, 9))
def test_a_span_that_reaches_everything_is_no_span(model, sequence, past, extra):
    reach = past + sequence + extra
    limits = (
        {"span": "sliding", "sliding_window": reach},
        {"span": "chunked", "attention_chunk_size": reach},
    )
    for limit in limits:
        limited = with_attention(
            model, lambda each, limit=limit: msgspec.structs.replace(each, **limit)
        )
        for attention in ("causal", "full", "half"):
            one = flops(model, sequence=sequence, past=past, attention=attention).total.value
            other = flops(limited, sequence=sequence, past=past, attention=attention).total.value
            assert one == other
        whole, bounded = cache(model, tokens=reach), cache(limited, tokens=reach)
        assert whole.pop("kv_cache.growing_bytes_per_token") * reach == (
            bounded.pop("kv_cache.window_bytes_per_sequence")
        )
        assert not whole.pop("kv_cache.window_bytes_per_sequence")
        assert not bounded.pop("kv_cache.growing_bytes_per_token")
        assert whole == bounded


@given(model=models(), batch=batches, past=pasts)
def test_decoding_one_token_sees_every_key_in_full_span_layers(model, batch, past):
    full_span = all(
        (isinstance(group.attention, GQA) and group.attention.span == "full")
        or (isinstance(group.attention, MLA) and group.attention.indexer is None)
        for group in model.groups
    )
    causal = flops(model, "decode", batch=batch, sequence=1, past=past).total.value
    full = flops(model, "decode", batch=batch, sequence=1, past=past, attention="full").total.value
    assert causal <= full
    if full_span:
        assert causal == full


# The KV cache


@given(
    model=models(),
    batch=batches,
    tokens=st.integers(1, 40),
    page=st.integers(1, 9),
    mla=mla_forms,
    mtp=st.sampled_from(["in", "out"]),
)
def test_the_cache_grows_with_tokens_batch_and_pages(model, batch, tokens, page, mla, mtp):
    choices = {"mla": mla, "mtp": mtp}
    base = cache(model, batch=batch, tokens=tokens, **choices)
    more = cache(model, batch=batch, tokens=tokens + 1, **choices)
    paged = cache(model, batch=batch, tokens=tokens, page_size=page, **choices)
    one = cache(model, batch=1, tokens=tokens, **choices)
    assert base["kv_cache.bytes"] <= more["kv_cache.bytes"]
    assert base["kv_cache.bytes"] <= paged["kv_cache.bytes"]
    assert base["kv_cache.bytes"] == batch * one["kv_cache.bytes"]
    assert one["kv_cache.bytes"] == base["kv_cache.bytes_per_sequence"]
    # a token appends what it says, and evicts no more than that
    assert more["kv_cache.bytes"] - base["kv_cache.bytes"] <= (
        batch * base["kv_cache.bytes_per_token"]
    )
    assert cache(model, tokens=1, **choices)["kv_cache.bytes"] == base["kv_cache.bytes_per_token"]


@given(model=full_span_models, tokens=st.integers(1, 40), batch=batches)
def test_full_span_caches_are_proportional_to_tokens(model, tokens, batch):
    found = cache(model, batch=batch, tokens=tokens)
    assert found["kv_cache.bytes"] == batch * tokens * found["kv_cache.bytes_per_token"]


@given(model=models(), batch=batches, tokens=st.integers(1, 30), room=st.integers(0, 200_000))
def test_what_fits_fits_and_one_more_does_not(model, batch, tokens, room):
    lines = fit_lines(model, BF16, Conventions(), available=room, batch=batch, tokens=tokens)
    found = values(lines)
    count = found["kv_cache.fit.sequences"]
    assert cache(model, batch=count, tokens=tokens)["kv_cache.bytes"] <= room
    assert cache(model, batch=count + 1, tokens=tokens)["kv_cache.bytes"] > room
    longest = found.get("kv_cache.fit.tokens")
    if longest is not None:
        assert longest == 0 or cache(model, batch=batch, tokens=longest)["kv_cache.bytes"] <= room
        assert cache(model, batch=batch, tokens=longest + 1)["kv_cache.bytes"] > room


@pytest.mark.parametrize("name", ["bf16", "fp8", "int8", "int4"])
@given(model=models(), tokens=st.integers(1, 30))
def test_narrower_caches_are_no_larger_than_bf16(name, model, tokens):
    narrow = dsv3calc.load_kv_format(name)
    keys = {"index_keys": "as-keys"}  # else they are in FP8 in every format
    wide = cache(model, tokens=tokens, **keys)["kv_cache.bytes"]
    found = cache(model, tokens=tokens, kv_format=narrow, **keys)["kv_cache.bytes"]
    assert found > 0
    if name == "fp8":  # index keys have a format of their own, the same in all four
        wide, found = (
            cache(model, tokens=tokens, kv_format=each, index_keys="as-keys")["kv_cache.bytes"]
            for each in (BF16, narrow)
        )
        assert 2 * found == wide
