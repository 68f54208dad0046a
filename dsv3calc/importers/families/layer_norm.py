"""LayerNorms and biases: GPT-2, BigCode, NeoX, GPT-J, StarCoder2, StableLM, Phi, OPT, Falcon.

Read in transformers' modelling code of each. GPT-2 and GPT-BigCode learn positions, the others
rotate. GPT-J has no biases in attention, one norm in a layer and a head with a bias; StableLM has
gated feed-forwards, biases of query, key and value alone, and norms of each head's own weights
under qk_layernorm. Phi is parallel, with one norm and a
head with a bias; OPT learns two positions more than its longest context; Falcon shares keys and
values, has one norm where its parts are parallel, two in later models, and biases on request.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dsv3calc.importers import parts
from dsv3calc.importers.families.llama import heads
from dsv3calc.importers.family import KV_HEADS_AS_HEADS, Architecture, Computed, Family

if TYPE_CHECKING:
    from dsv3calc.importers.keys import Reader


def _layer_norm(
    reader: Reader,
    hidden_size: int,
    attention: dict[str, Any],
    feed_forward: dict[str, Any],
    depth: int,
    **options: Any,
) -> Architecture:
    return Architecture(
        hidden_size=hidden_size,
        vocab_size=reader.size("vocab_size"),
        attention=[attention] * depth,
        feed_forward=[feed_forward] * depth,
        norm="layer",
        norm_bias=True,
        tie_word_embeddings=reader.flag("tie_word_embeddings"),
        **options,
    )


def _gpt2(reader: Reader) -> Architecture:
    kind = reader.findings.model_type
    depth = reader.depth("n_layer")
    hidden_size = reader.size("n_embd")
    count = reader.size("n_head")
    one = kind == "gpt_bigcode" and reader.flag("multi_query")
    bias = kind != "gptj"
    attention = parts.gqa(
        count,
        1 if one else count,
        reader.quotient(hidden_size, "n_embd", count, "n_head"),
        attention_bias=bias,
        output_bias=bias,
    )
    width = reader.size("n_inner", computed=4 * hidden_size)
    feed_forward = parts.dense(width, gated=False, mlp_bias=True)
    reader.activation("activation_function")
    positions = reader.size("n_positions")
    learned = [{"type": "learned_positions", "positions": positions}] if bias else []
    return _layer_norm(
        reader,
        hidden_size,
        attention,
        feed_forward,
        depth,
        block_norms=2 if bias else 1,
        head_bias=not bias,
        additions=learned,
        max_position_embeddings=positions,
    )


def _gpt_neox(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    count = reader.size("num_attention_heads")
    width = reader.quotient(hidden_size, "hidden_size", count, "num_attention_heads")
    bias = reader.flag("attention_bias")
    attention = parts.gqa(count, count, width, attention_bias=bias, output_bias=bias)
    feed_forward = parts.dense(reader.size("intermediate_size"), gated=False, mlp_bias=True)
    reader.activation("hidden_act")
    longest = reader.positions()
    return _layer_norm(
        reader, hidden_size, attention, feed_forward, depth, max_position_embeddings=longest
    )


def _starcoder2(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    bias = reader.flag("use_bias")
    attention = parts.gqa(
        *heads(reader, hidden_size),
        attention_bias=bias,
        output_bias=bias,
        sliding_window=reader.optional_size("sliding_window"),
    )
    feed_forward = parts.dense(reader.size("intermediate_size"), gated=False, mlp_bias=bias)
    reader.activation("hidden_act", "activation_function")
    longest = reader.positions()
    return _layer_norm(
        reader, hidden_size, attention, feed_forward, depth, max_position_embeddings=longest
    )


def _stablelm(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    attention = parts.gqa(
        *heads(reader, hidden_size),
        attention_bias=reader.flag("use_qkv_bias"),
        qk_norm="hidden" if reader.flag("qk_layernorm") else "none",
    )
    feed_forward = parts.dense(reader.size("intermediate_size"))
    norms = 1 if reader.flag("use_parallel_residual") else 2
    reader.activation("hidden_act")
    longest = reader.positions()
    return _layer_norm(
        reader,
        hidden_size,
        attention,
        feed_forward,
        depth,
        block_norms=norms,
        max_position_embeddings=longest,
    )


def _phi(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    attention = parts.gqa(*heads(reader, hidden_size), attention_bias=True, output_bias=True)
    width = reader.size("intermediate_size", computed=4 * hidden_size)
    reader.activation("hidden_act")
    return _layer_norm(
        reader,
        hidden_size,
        attention,
        parts.dense(width, gated=False, mlp_bias=True),
        depth,
        block_norms=1,
        head_bias=True,
        max_position_embeddings=reader.positions(),
    )


def _opt(reader: Reader) -> Architecture:
    depth = reader.depth()
    hidden_size = reader.size("hidden_size")
    if reader.size("word_embed_proj_dim", computed=hidden_size) != hidden_size:
        what = "embeddings of another width than the layers"
        reader.refuse("word_embed_proj_dim", what, valid=f"{hidden_size}")
    count = reader.size("num_attention_heads")
    width = reader.quotient(hidden_size, "hidden_size", count, "num_attention_heads")
    bias = reader.flag("enable_bias")
    attention = parts.gqa(count, count, width, attention_bias=bias, output_bias=bias)
    reader.activation("activation_function")
    positions = reader.size("max_position_embeddings")
    return _layer_norm(
        reader,
        hidden_size,
        attention,
        parts.dense(reader.size("ffn_dim"), gated=False, mlp_bias=bias),
        depth,
        additions=[{"type": "learned_positions", "positions": positions + _OPT_OFFSET}],
        max_position_embeddings=positions,
    )


def _falcon(reader: Reader) -> Architecture:
    depth = reader.depth("num_hidden_layers" if reader.has("num_hidden_layers") else "n_layer")
    reader.skip("num_hidden_layers", "n_layer")
    hidden_size = reader.size("hidden_size")
    count = reader.size("num_attention_heads", "n_head")
    width = reader.quotient(hidden_size, "hidden_size", count, "num_attention_heads")
    later = reader.flag("new_decoder_architecture")
    shared = reader.size("num_kv_heads", "n_head_kv", computed=count)
    if not later:
        shared = 1 if reader.flag("multi_query") else count
    parallel = reader.flag("parallel_attn")
    norms = 1 if parallel else 2
    if later:
        norms = reader.size("num_ln_in_parallel_attn", computed=2)
    reader.skip("multi_query", "parallel_attn", "num_ln_in_parallel_attn")
    bias = reader.flag("bias")
    attention = parts.gqa(count, shared, width, attention_bias=bias, output_bias=bias)
    inner = reader.size("ffn_hidden_size", computed=4 * hidden_size)
    reader.activation("activation")
    return _layer_norm(
        reader,
        hidden_size,
        attention,
        parts.dense(inner, gated=False, mlp_bias=bias),
        depth,
        block_norms=norms,
        max_position_embeddings=reader.positions(),
    )


_OPT_OFFSET = 2
"""Positions that OPT's table has before the first token's."""
_GPT2_IGNORED = """
    n_ctx summary_activation summary_first_dropout summary_proj_to_labels summary_type
    summary_use_proj reorder_and_upcast_attn scale_attn_weights scale_attn_by_inverse_layer_idx
    attention_softmax_in_fp32 scale_attention_softmax_in_fp32 inference_runner validate_runner_input
    pre_allocate_kv_cache max_batch_size max_sequence_length attn_implementation
    rotary scale_attn
"""
_INNER = Computed("4 times n_embd, as in the modelling code")
_HEAD_DIM = Computed("hidden_size / num_attention_heads, as in the modelling code")


def _family(
    architecture: str,
    configuration: str,
    read: Any,
    *ignored: str,
    fixed: Any = None,
    **defaults: Any,
) -> Family:
    return Family(
        architectures=(architecture,),
        configuration=f"transformers' {configuration}",
        read=read,
        defaults=defaults,
        ignored=frozenset(ignored),
        fixed=fixed or {},
    )


FAMILIES = {
    "gpt2": _family(
        "GPT2LMHeadModel",
        "GPT2Config",
        _gpt2,
        *_GPT2_IGNORED.split(),
        n_inner=_INNER,
        tie_word_embeddings=True,
    ),
    "gpt_bigcode": _family(
        "GPTBigCodeForCausalLM",
        "GPTBigCodeConfig",
        _gpt2,
        *_GPT2_IGNORED.split(),
        "num_key_value_heads",  # the library writes what multi_query says
        multi_query=True,
        n_inner=_INNER,
        tie_word_embeddings=True,
    ),
    "phi": _family(
        "PhiForCausalLM",
        "PhiConfig",
        _phi,
        fixed={"qk_layernorm": (False,)},
        head_dim=_HEAD_DIM,
        intermediate_size=Computed("4 times hidden_size, as in the modelling code"),
        num_key_value_heads=KV_HEADS_AS_HEADS,
        tie_word_embeddings=False,
    ),
    "opt": _family(
        "OPTForCausalLM",
        "OPTConfig",
        _opt,
        "dropout",
        "init_std",
        "layerdrop",
        fixed={
            "_remove_final_layer_norm": (False,),
            "do_layer_norm_before": (True,),
            "layer_norm_elementwise_affine": (True,),
        },
        enable_bias=True,
        tie_word_embeddings=True,
        word_embed_proj_dim=Computed("hidden_size, as in the configuration class"),
    ),
    "falcon": _family(
        "FalconForCausalLM",
        "FalconConfig",
        _falcon,
        "alibi",
        "apply_residual_connection_post_layernorm",
        activation="gelu",
        bias=False,
        ffn_hidden_size=Computed("4 times hidden_size, as in the configuration class"),
        multi_query=True,
        new_decoder_architecture=False,
        num_kv_heads=KV_HEADS_AS_HEADS,
        num_ln_in_parallel_attn=None,
        parallel_attn=True,
        tie_word_embeddings=True,
    ),
    "gptj": _family(
        "GPTJForCausalLM",
        "GPTJConfig",
        _gpt2,
        *_GPT2_IGNORED.split(),
        n_inner=_INNER,
        tie_word_embeddings=False,
    ),
    "gpt_neox": _family(
        "GPTNeoXForCausalLM",
        "GPTNeoXConfig",
        _gpt_neox,
        "classifier_dropout",
        "rotary_emb_base",
        "rotary_pct",
        "use_parallel_residual",
        attention_bias=True,
        tie_word_embeddings=False,
    ),
    "starcoder2": _family(
        "Starcoder2ForCausalLM",
        "Starcoder2Config",
        _starcoder2,
        "attention_softmax_in_fp32",
        "embedding_dropout",
        "norm_epsilon",
        "residual_dropout",
        "scale_attention_softmax_in_fp32",
        "scale_attn_weights",
        fixed={"mlp_type": ("default",), "norm_type": ("layer_norm",)},
        head_dim=_HEAD_DIM,
        num_key_value_heads=KV_HEADS_AS_HEADS,
        sliding_window=None,
        tie_word_embeddings=True,
        use_bias=True,
    ),
    "stablelm": _family(
        "StableLmForCausalLM",
        "StableLmConfig",
        _stablelm,
        "norm_eps",
        "rotary_scaling_factor",
        qk_layernorm=False,
        head_dim=_HEAD_DIM,
        num_key_value_heads=KV_HEADS_AS_HEADS,
        tie_word_embeddings=False,
        use_parallel_residual=False,
        use_qkv_bias=False,
    ),
}
