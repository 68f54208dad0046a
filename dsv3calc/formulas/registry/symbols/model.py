"""Rows of the glossary: what a model is made of."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.symbols.symbol import Symbol, real

BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    "Model": {
        "hidden_size": Symbol("h", "elements", "width of the residual stream"),
        "vocab_size": Symbol("V", "elements", "tokens of the vocabulary: rows of the embedding"),
        "num_hidden_layers": Symbol("L", "1", "layers of the model, without MTP modules"),
        "max_position_embeddings": Symbol(
            r"S_\mathrm{max}", "tokens", "longest context that the model is published for"
        ),
        "block_norms": Symbol(r"n_\mathrm{norm}", "1", "norms of the hidden state in one layer", 0),
        "parameters": Symbol(
            r"N_\mathrm{tower}", "elements", "parameters of a tower other than the language model"
        ),
        "num_nextn_predict_layers": Symbol(
            r"n_\mathrm{mtp}", "1", "multi-token-prediction modules"
        ),
        "hc_mult": Symbol(r"n_\mathrm{hc}", "1", "residual streams of hyper-connections"),
        "attn_res_block_size": Symbol(
            r"n_\mathrm{res}", "1", "layers per block of attention residuals"
        ),
        "altup_num_inputs": Symbol(r"n_\mathrm{alt}", "1", "residual streams of AltUp"),
        "laurel_rank": Symbol(r"r_\mathrm{lau}", "elements", "rank of the LAuReL residual"),
        "vocab_size_per_layer_input": Symbol(
            r"V_\ell", "elements", "rows of the per-layer embedding table"
        ),
        "hidden_size_per_layer_input": Symbol(
            r"h_\ell", "elements", "width of a per-layer embedding"
        ),
        "positions": Symbol(r"S_\mathrm{pos}", "elements", "rows of the learned position table"),
        "frequencies": Symbol(
            r"n_\mathrm{freq}", "elements", "learned frequencies of a rotary embedding"
        ),
        "group": Symbol(
            r"g_\mathrm{mtp}", "1", "index of the layer group whose layer an MTP module repeats", 0
        ),
    },
    "Layers": {
        "layers": Symbol(r"\ell", "1", "layers that have this tensor or operator"),
        "start": Symbol("i_0", "1", "first layer of a slice of layers, from 0", 0),
        "stop": Symbol("i_1", "1", "layer before which a slice of layers ends", 0),
        "step": Symbol("s", "1", "distance between layers of a slice"),
        "copies": Symbol("c", "1", "copies of a tensor per layer, or copies that one token uses"),
        "out_features": Symbol(r"d_\mathrm{out}", "elements", "output features of a matrix"),
        "in_features": Symbol(r"d_\mathrm{in}", "elements", "input features of a matrix"),
        "width": Symbol("d", "elements", "length of a vector"),
    },
    "Attention": {
        "num_attention_heads": Symbol("n_h", "1", "query heads of a layer"),
        "num_key_value_heads": Symbol("n_{kv}", "1", "key-value heads of a layer"),
        "head_dim": Symbol("d_h", "elements", "channels of a head"),
        "q_lora_rank": Symbol("d_c'", "elements", "width of MLA's query latent"),
        "kv_lora_rank": Symbol("d_c", "elements", "width of MLA's key-value latent"),
        "qk_nope_head_dim": Symbol(
            "d_n", "elements", "channels of an MLA head without rotary embedding"
        ),
        "qk_rope_head_dim": Symbol(
            "d_r", "elements", "channels of an MLA head with rotary embedding"
        ),
        "v_head_dim": Symbol("d_v", "elements", "channels of a value of an MLA head"),
        "sliding_window": Symbol(
            r"W_\mathrm{slide}", "tokens", "keys visible in a sliding-window layer"
        ),
        "attention_chunk_size": Symbol(
            r"W_\mathrm{chunk}", "tokens", "tokens per chunk of a chunked-attention layer"
        ),
        "window": Symbol(
            "W", "tokens", "largest number of keys that a query sees or a layer keeps"
        ),
        "chunk": Symbol("K", "tokens", "tokens per chunk of chunked attention"),
        "index_n_heads": Symbol("n_I", "1", "heads of the lightning indexer"),
        "index_head_dim": Symbol("d_I", "elements", "channels of an indexer head"),
        "index_topk": Symbol("k_I", "tokens", "keys that the indexer selects per query"),
        "compress_ratio": Symbol("m_c", "tokens", "tokens per compressed entry"),
        "blocks": Symbol("b_c", "1", "compressed blocks that a token contributes to"),
        "mixed": Symbol(
            r"n_\mathrm{mix}", "1", "multiply-adds per channel for mixing residual streams"
        ),
        "index_block_size": Symbol("b_k", "tokens", "keys per block that an indexer selects"),
        "index_topk_blocks": Symbol("k_b", "1", "key blocks that the indexer selects"),
        "o_groups": Symbol("g_o", "1", "head groups with separate output projections"),
        "o_lora_rank": Symbol("d_o", "elements", "width of one group of the output latent"),
        "heads": Symbol("n", "1", "heads: query heads, key-value heads or indexer heads"),
        "head_channels": Symbol(r"d_\mathrm{ch}", "elements", "channels of a score or of a value"),
        "channel_flops": Symbol(
            "C", "FLOP", "FLOPs per channel and head: twice its (query, key) pairs", 0
        ),
    },
    "Mixers": {
        "linear_num_heads": Symbol(r"n_\mathrm{lin}", "1", "heads of linear attention"),
        "linear_num_key_heads": Symbol(r"n_\mathrm{lin,k}", "1", "key heads of Gated DeltaNet"),
        "linear_num_value_heads": Symbol(
            r"n_\mathrm{lin,v}", "1", "value heads of Gated DeltaNet, each with its own state"
        ),
        "linear_head_dim": Symbol(
            r"d_\mathrm{lin}", "elements", "channels of a head of linear attention"
        ),
        "linear_key_head_dim": Symbol(
            r"d_\mathrm{lin,k}", "elements", "channels of a key head of Gated DeltaNet"
        ),
        "linear_value_head_dim": Symbol(
            r"d_\mathrm{lin,v}", "elements", "channels of a value head of Gated DeltaNet"
        ),
        "linear_conv_kernel_dim": Symbol(
            r"k_\mathrm{lin}", "1", "kernel width of the convolution of linear attention"
        ),
        "mamba_num_heads": Symbol("n_m", "1", "heads of Mamba-2"),
        "mamba_head_dim": Symbol("p_m", "elements", "channels of a head of Mamba-2"),
        "mamba_inner_size": Symbol("d_m", "elements", "inner channels of Mamba"),
        "ssm_state_size": Symbol("n_s", "elements", "state elements per Mamba channel"),
        "n_groups": Symbol(r"n_\mathrm{grp}", "1", "groups of Mamba-2 heads that share B and C"),
        "time_step_rank": Symbol(
            r"r_\Delta", "elements", "rank of the projection of Mamba's time step"
        ),
        "conv_kernel": Symbol(r"k_\mathrm{conv}", "1", "kernel width of a convolution"),
        "chunk_size": Symbol(
            r"C_\mathrm{chunk}", "tokens", "tokens per chunk of a chunked recurrence"
        ),
        "state_rows": Symbol(r"d_\mathrm{key}", "elements", "rows of a head's state: key channels"),
        "state_columns": Symbol(
            r"d_\mathrm{val}", "elements", "columns of a head's state: value channels"
        ),
        "key_products": Symbol(
            r"p_\mathrm{key}", "1", "products per chunk over the key channels", 0
        ),
        "value_products": Symbol(
            r"p_\mathrm{val}", "1", "products per chunk over the value channels", 0
        ),
        "state_interval": Symbol(
            r"T_\mathrm{state}", "tokens", "tokens between two copies of a state"
        ),
        "state_products": Symbol(r"p_\mathrm{state}", "1", "products of a token with the state", 0),
    },
    "Feed-forward and experts": {
        "intermediate_size": Symbol("d_f", "elements", "width of a dense feed-forward"),
        "activation_parameters": Symbol(
            r"p_\mathrm{xi}", "elements", "learned parameters of an activation function"
        ),
        "moe_intermediate_size": Symbol("d_e", "elements", "width of one expert"),
        "n_routed_experts": Symbol("E", "1", "routed experts of a layer"),
        "num_experts_per_tok": Symbol("k", "1", "routed experts per token"),
        "n_shared_experts": Symbol("E_s", "1", "shared experts of a layer", 0),
        "zero_expert_num": Symbol(
            r"E_0", "1", "zero-computation experts, which return their input", 0
        ),
        "shared_expert_intermediate_size": Symbol(
            r"d_{es}", "elements", "total width of the shared experts"
        ),
        "moe_latent_size": Symbol(
            r"h_e",
            "elements",
            "width of the latent that routed experts work on, if not the hidden size",
        ),
        "routing_table": Symbol(
            r"V_\mathrm{hash}",
            "elements",
            "rows of a table that assigns experts to tokens of the vocabulary",
        ),
        "n_group": Symbol("n_g", "1", "groups of routed experts"),
        "topk_group": Symbol("k_g", "1", "expert groups that one token may use"),
        "hit": real(
            r"E_\mathrm{hit}", "1", "expected number of distinct experts that a batch uses"
        ),
    },
    "Routing": {
        "destinations": Symbol(
            "D", "1", "GPUs, nodes or groups that the experts are distributed over"
        ),
        "slots": Symbol("m", "1", "experts per destination, replicas included"),
        "missed": real(
            r"P_\mathrm{miss}", "1", "probability that a token has no expert at a destination"
        ),
        "distinct": real(
            r"D_\mathrm{hit}",
            "1",
            "expected number of distinct destinations of a token, its own included",
        ),
    },
}
