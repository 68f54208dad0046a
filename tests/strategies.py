"""Random architectures: small numbers, every kind of attention and feed-forward, mixed layers."""

from hypothesis import strategies as st

from dsv3calc.schema.model import GQA, MLA, MTP, Dense, Indexer, LayerGroup, Model, MoE
from dsv3calc.schema.provenance import Source

flags = st.booleans()
counts = st.integers(1, 6)
widths = st.integers(1, 40)
spans = st.integers(1, 12)

DEPTH = 12
LAYERS = {
    1: [(":",), ("rest",)],
    2: [("0:3", "3:"), ("rest", "5::6"), ("0:1", "rest"), (["0:2", "7:9"], "rest")],
    3: [("0::3", "1::3", "2::3"), ("0:2", "rest", "11:"), (["0:1", "2:3"], "1:2", "3:")],
}
"""Ways to share twelve layers among groups, by the number of groups."""


@st.composite
def gqas(draw, span=None):
    shared = draw(st.integers(1, 4))
    span = draw(st.sampled_from(["full", "sliding", "chunked"])) if span is None else span
    return GQA(
        num_attention_heads=shared * draw(st.integers(1, 4)),
        num_key_value_heads=shared,
        head_dim=draw(widths),
        attention_bias=draw(flags),
        output_bias=draw(flags),
        qk_norm=draw(st.sampled_from(["none", "head", "hidden"])),
        attention_sinks=draw(flags),
        span=span,
        sliding_window=draw(spans) if span == "sliding" else None,
        attention_chunk_size=draw(spans) if span == "chunked" else None,
    )


@st.composite
def mlas(draw, *, indexers=True):
    rank = draw(st.none() | widths)
    indexer = None
    if indexers and rank is not None and draw(flags):
        indexer = Indexer(
            index_n_heads=draw(counts), index_head_dim=draw(widths), index_topk=draw(spans)
        )
    return MLA(
        num_attention_heads=draw(counts),
        q_lora_rank=rank,
        kv_lora_rank=draw(widths),
        qk_nope_head_dim=draw(widths),
        qk_rope_head_dim=draw(widths),
        v_head_dim=draw(widths),
        attention_bias=draw(flags),
        indexer=indexer,
    )


@st.composite
def moes(draw):
    groups = draw(st.integers(1, 3))
    size = draw(st.integers(1, 4))
    kept = draw(st.integers(1, groups))
    return MoE(
        n_routed_experts=groups * size,
        num_experts_per_tok=draw(st.integers(1, kept * size)),
        moe_intermediate_size=draw(widths),
        n_shared_experts=draw(st.integers(0, 2)),
        n_group=groups,
        topk_group=kept,
        gated=draw(flags),
        routing_bias=draw(flags),
        router_bias=draw(flags),
        expert_bias=draw(flags),
    )


denses = st.builds(Dense, intermediate_size=widths, gated=flags, mlp_bias=flags)


@st.composite
def models(draw, attentions=None, feed_forwards=None, *, mtp=True):
    """Draw a model of twelve layers that its own schema finds no problem with."""
    attentions = gqas() | mlas() if attentions is None else attentions
    feed_forwards = denses | moes() if feed_forwards is None else feed_forwards
    number = draw(st.integers(1, 3))
    groups = [
        LayerGroup(
            attention=draw(attentions),
            feed_forward=draw(feed_forwards),
            layers=layers,
            block_norms=draw(st.integers(0, 4)),
        )
        for layers in draw(st.sampled_from(LAYERS[number]))
    ]
    module = None
    if mtp and draw(flags):
        module = MTP(
            num_nextn_predict_layers=draw(st.integers(1, 2)),
            group=draw(st.integers(0, number - 1)),
            stores_embedding_and_head=draw(flags),
        )
    model = Model(
        name="drawn",
        title="A drawn model",
        hidden_size=draw(widths),
        vocab_size=draw(widths),
        num_hidden_layers=DEPTH,
        tie_word_embeddings=draw(flags),
        head_bias=draw(flags),
        norm_bias=draw(flags),
        groups=groups,
        mtp=module,
        sources={"drawn": Source(kind="assumed", citation="drawn at random")},
        provenance={"default": "drawn"},
    )
    problems = list(model.problems())
    for group in groups:
        for part in (group.attention, group.feed_forward):
            problems += list(part.problems()) if hasattr(part, "problems") else []
    assert not problems
    return model


full_span_models = models(gqas("full") | mlas(indexers=False))
