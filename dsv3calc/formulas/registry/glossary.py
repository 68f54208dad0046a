r"""The glossary: every number that has a name has one symbol, one unit and one meaning.

An argument of a formula and a field of a schema that have the same name are the same quantity. A
new formula takes its arguments from here, or adds a row: ``docs/symbols.md`` is generated from this
table, and a test checks formulas and schemas against it. No two names share a symbol, so that a
whole composition can be written down as one expression.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import msgspec


class Symbol(msgspec.Struct, frozen=True):
    """How a quantity is written and what it is.

    ``latex`` is its symbol in formulas and ``unit`` its unit as ledgers spell it. ``least`` is the
    smallest value that makes sense (0 or 1) and ``whole`` says that it is an integer: what a
    symbolic evaluation may take for granted.
    """

    latex: str
    unit: str
    description: str
    least: int = 1
    whole: bool = True


def _real(latex: str, unit: str, description: str) -> Symbol:
    return Symbol(latex, unit, description, 0, whole=False)


BY_SUBJECT: dict[str, dict[str, Symbol]] = {
    "Model": {
        "hidden_size": Symbol("h", "elements", "width of the residual stream"),
        "vocab_size": Symbol("V", "elements", "tokens of the vocabulary: rows of the embedding"),
        "num_hidden_layers": Symbol("L", "1", "depth: layers of the model, MTP modules aside"),
        "max_position_embeddings": Symbol(
            r"S_\mathrm{max}", "tokens", "longest context that the model is published for"
        ),
        "block_norms": Symbol(
            r"n_\mathrm{norm}", "1", "norms over the hidden state in one layer", 0
        ),
        "parameters": Symbol(
            r"N_\mathrm{tower}", "elements", "parameters of a tower beside the language model"
        ),
        "num_nextn_predict_layers": Symbol(
            r"n_\mathrm{mtp}", "1", "multi-token-prediction modules"
        ),
        "hc_mult": Symbol(r"n_\mathrm{hc}", "1", "residual streams of hyper-connections"),
        "attn_res_block_size": Symbol(
            r"n_\mathrm{res}", "1", "layers that give one output to attention residuals"
        ),
        "altup_num_inputs": Symbol(r"n_\mathrm{alt}", "1", "residual streams of AltUp"),
        "laurel_rank": Symbol(r"r_\mathrm{lau}", "elements", "rank of LAuReL's residual"),
        "vocab_size_per_layer_input": Symbol(
            r"V_\ell", "elements", "rows of the table of per-layer embeddings"
        ),
        "hidden_size_per_layer_input": Symbol(
            r"h_\ell", "elements", "width of a layer's own embedding of a token"
        ),
        "positions": Symbol(r"S_\mathrm{pos}", "elements", "rows of a table of learned positions"),
        "frequencies": Symbol(
            r"n_\mathrm{freq}", "elements", "frequencies of a rotary embedding that are learned"
        ),
        "group": Symbol(
            r"g_\mathrm{mtp}", "1", "index of the layer group that an MTP module repeats", 0
        ),
    },
    "Layers": {
        "layers": Symbol(r"\ell", "1", "layers that have this tensor or operator"),
        "start": Symbol("i_0", "1", "first layer of a slice of the depth, counted from 0", 0),
        "stop": Symbol("i_1", "1", "layer before which a slice of the depth ends", 0),
        "step": Symbol("s", "1", "distance from one layer of a slice to the next"),
        "copies": Symbol("c", "1", "how many of a tensor one layer has, or one token passes"),
        "out_features": Symbol(r"d_\mathrm{out}", "elements", "output features of a matrix"),
        "in_features": Symbol(r"d_\mathrm{in}", "elements", "input features of a matrix"),
        "width": Symbol("d", "elements", "length of a vector"),
    },
    "Attention": {
        "num_attention_heads": Symbol("n_h", "1", "query heads of a layer"),
        "num_key_value_heads": Symbol("n_{kv}", "1", "key-value heads of a layer"),
        "head_dim": Symbol("d_h", "elements", "channels of a head"),
        "q_lora_rank": Symbol("d_c'", "elements", "width of MLA's query latent"),
        "kv_lora_rank": Symbol("d_c", "elements", "width of MLA's latent of keys and values"),
        "qk_nope_head_dim": Symbol(
            "d_n", "elements", "channels of an MLA head without rotary embedding"
        ),
        "qk_rope_head_dim": Symbol(
            "d_r", "elements", "channels of an MLA head with rotary embedding"
        ),
        "v_head_dim": Symbol("d_v", "elements", "channels of the value of an MLA head"),
        "sliding_window": Symbol(r"W_\mathrm{slide}", "tokens", "keys that a sliding layer sees"),
        "attention_chunk_size": Symbol(
            r"W_\mathrm{chunk}", "tokens", "tokens of a chunk of a chunked layer"
        ),
        "window": Symbol("W", "tokens", "keys that a query sees, or a layer keeps, at most"),
        "chunk": Symbol("K", "tokens", "tokens of a chunk, within which attention stays"),
        "index_n_heads": Symbol("n_I", "1", "heads of the lightning indexer"),
        "index_head_dim": Symbol("d_I", "elements", "channels of an indexer head"),
        "index_topk": Symbol("k_I", "tokens", "keys that the indexer selects for a query"),
        "compress_ratio": Symbol("m_c", "tokens", "tokens that a compressed entry stands for"),
        "blocks": Symbol("b_c", "1", "blocks of compressed tokens that a token contributes to"),
        "mixed": Symbol(
            r"n_\mathrm{mix}", "1", "multiply-adds of a channel where residual streams are mixed"
        ),
        "index_block_size": Symbol("b_k", "tokens", "keys of a block that an indexer selects"),
        "index_topk_blocks": Symbol("k_b", "1", "blocks of keys that the indexer selects"),
        "o_groups": Symbol("g_o", "1", "groups of heads that the output projection keeps apart"),
        "o_lora_rank": Symbol("d_o", "elements", "width of one group of the output latent"),
        "heads": Symbol("n", "1", "heads: of queries, of keys and values, or of the indexer"),
        "head_channels": Symbol(
            r"d_\mathrm{ch}", "elements", "channels that a score sums over or a value has"
        ),
        "channel_flops": Symbol(
            "C", "FLOP", "FLOPs of one channel of one head: twice its (query, key) pairs", 0
        ),
    },
    "Mixers": {
        "linear_num_heads": Symbol(r"n_\mathrm{lin}", "1", "heads of a linear attention"),
        "linear_num_key_heads": Symbol(r"n_\mathrm{lin,k}", "1", "key heads of Gated DeltaNet"),
        "linear_num_value_heads": Symbol(
            r"n_\mathrm{lin,v}", "1", "value heads of Gated DeltaNet: each has a state"
        ),
        "linear_head_dim": Symbol(
            r"d_\mathrm{lin}", "elements", "channels of a head of a linear attention"
        ),
        "linear_key_head_dim": Symbol(
            r"d_\mathrm{lin,k}", "elements", "channels of a key head of Gated DeltaNet"
        ),
        "linear_value_head_dim": Symbol(
            r"d_\mathrm{lin,v}", "elements", "channels of a value head of Gated DeltaNet"
        ),
        "linear_conv_kernel_dim": Symbol(
            r"k_\mathrm{lin}", "1", "inputs that an output of a linear attention's convolution sums"
        ),
        "mamba_num_heads": Symbol("n_m", "1", "heads of Mamba-2"),
        "mamba_head_dim": Symbol("p_m", "elements", "channels of a head of Mamba-2"),
        "mamba_inner_size": Symbol("d_m", "elements", "inner channels of Mamba"),
        "ssm_state_size": Symbol("n_s", "elements", "elements of the state of a Mamba channel"),
        "n_groups": Symbol(r"n_\mathrm{grp}", "1", "groups of Mamba-2 heads that share B and C"),
        "time_step_rank": Symbol(r"r_\Delta", "elements", "rank of the projection of Mamba's step"),
        "conv_kernel": Symbol(
            r"k_\mathrm{conv}", "1", "inputs that an output of a convolution sums over"
        ),
        "chunk_size": Symbol(
            r"C_\mathrm{chunk}", "tokens", "tokens of a chunk in which a recurrence is computed"
        ),
        "state_rows": Symbol(
            r"d_\mathrm{key}", "elements", "rows of a head's state: channels of a key"
        ),
        "state_columns": Symbol(
            r"d_\mathrm{val}", "elements", "columns of a head's state: channels of a value"
        ),
        "key_products": Symbol(
            r"p_\mathrm{key}", "1", "products of a chunk over the channels of a key", 0
        ),
        "value_products": Symbol(
            r"p_\mathrm{val}", "1", "products of a chunk over the channels of a value", 0
        ),
        "state_interval": Symbol(
            r"T_\mathrm{state}", "tokens", "tokens from one copy of a state to the next"
        ),
        "state_products": Symbol(r"p_\mathrm{state}", "1", "products of a token with a state", 0),
    },
    "Feed-forward and experts": {
        "intermediate_size": Symbol("d_f", "elements", "width of a dense feed-forward"),
        "activation_parameters": Symbol(
            r"p_\mathrm{xi}", "elements", "numbers that an activation function learns"
        ),
        "moe_intermediate_size": Symbol("d_e", "elements", "width of one expert"),
        "n_routed_experts": Symbol("E", "1", "routed experts of a layer"),
        "num_experts_per_tok": Symbol("k", "1", "routed experts that serve one token"),
        "n_shared_experts": Symbol("E_s", "1", "shared experts of a layer", 0),
        "zero_expert_num": Symbol(
            r"E_0", "1", "zero-computation experts, which return a token as it is", 0
        ),
        "shared_expert_intermediate_size": Symbol(
            r"d_{es}", "elements", "width of the shared experts together"
        ),
        "moe_latent_size": Symbol(
            r"h_e", "elements", "channels that routed experts work on, where not the hidden state"
        ),
        "routing_table": Symbol(
            r"V_\mathrm{hash}", "elements", "rows of a table of experts: tokens of the vocabulary"
        ),
        "n_group": Symbol("n_g", "1", "groups that the routed experts form"),
        "topk_group": Symbol("k_g", "1", "expert groups that one token may use"),
        "hit": _real(r"E_\mathrm{hit}", "1", "expected distinct experts that a batch uses"),
    },
    "Routing": {
        "destinations": Symbol("D", "1", "GPUs, nodes or groups that experts are spread over"),
        "slots": Symbol("m", "1", "experts at one destination, replicas counted"),
        "missed": _real(
            r"P_\mathrm{miss}", "1", "probability that a token has no expert at a destination"
        ),
        "distinct": _real(
            r"D_\mathrm{hit}", "1", "expected distinct destinations of a token, its own included"
        ),
    },
    "Workload": {
        "batch": Symbol("B", "1", "sequences in the batch"),
        "sequence": Symbol("S", "tokens", "new tokens of each sequence"),
        "past": Symbol("P", "tokens", "cached tokens of each sequence", 0),
        "tokens": Symbol("T", "tokens", "tokens: of a pass, of a sequence, or kept by a layer"),
        "context": Symbol(
            r"S_\mathrm{ctx}", "tokens", "context at which a comparison counts its caches"
        ),
    },
    "FLOPs": {
        "flops": Symbol("F", "FLOP", "floating-point operations, a multiply-add counted as two", 0),
        "forward": Symbol(r"F_\mathrm{fwd}", "FLOP", "FLOPs of the forward pass", 0),
        "passes": Symbol(
            r"n_\mathrm{pass}", "1", "forward passes that a step costs: 3 with both gradients"
        ),
        "flops_per_parameter": Symbol(
            "f", "1", "FLOPs per parameter and token: 2 forward, 6 in training"
        ),
        "active": Symbol(
            r"N_\mathrm{active}", "elements", "parameters that one token passes through"
        ),
        "reference_flops": Symbol(r"F_\mathrm{ref}", "FLOP", "FLOPs of another pass", 0),
        "amount": Symbol("X", "FLOP", "amount to divide among tokens", 0),
    },
    "Storage and the KV cache": {
        "elements": Symbol("N", "elements", "elements of tensors", 0),
        "bits": Symbol("b", "bit", "width of an element"),
        "rows": Symbol("r_b", "elements", "output features that share a scale"),
        "columns": Symbol("c_b", "elements", "input features that share a scale"),
        "group_size": Symbol("g", "elements", "elements of a vector that share a scale", 0),
        "scale_bits": Symbol("b_s", "bit", "width of a scale; 0 where none is stored", 0),
        "zero_point_bits": Symbol("b_z", "bit", "width of a zero point beside a scale", 0),
        "count": Symbol(r"n_\mathrm{code}", "1", "values stored for a block, of a code book"),
        "rope_bits": Symbol("b_r", "bit", "width of MLA's rotary part, where it differs", 0),
        "indexer_bits": Symbol("b_I", "bit", "width of an element of the indexer's cache", 0),
        "indexer_group_size": Symbol(
            "g_I", "elements", "elements of the indexer's cache that share a scale", 0
        ),
        "indexer_scale_bits": Symbol("b_{Is}", "bit", "width of a scale of the indexer's cache", 0),
        "entry_multiple": Symbol(
            r"a_\mathrm{entry}", "B", "bytes that an entry is padded to a multiple of; 0: none", 0
        ),
        "vectors": Symbol(r"n_\mathrm{vec}", "1", "vectors cached for a token in a layer"),
        "token_bytes": Symbol(r"B_\mathrm{entry}", "B", "bytes of one token in one layer", 0),
        "sequence_bytes": Symbol(r"B_\mathrm{seq}", "B", "bytes of the cache of one sequence"),
        "growing_bytes_per_token": _real(
            r"b_\mathrm{grow}", "B/token", "bytes that a token adds where no window bounds a cache"
        ),
        "reference_bytes_per_token": _real(
            r"b_\mathrm{ref}'", "B/token", "bytes that a token adds to the cache of another model"
        ),
        "kept_bytes": Symbol(r"B_\mathrm{kept}", "B", "bytes of a cache"),
        "reference_bytes": Symbol(r"B_\mathrm{ref}", "B", "bytes of the cache of another model"),
        "available": Symbol(r"B_\mathrm{free}", "B", "bytes that the caches may take", 0),
        "page_size": Symbol("T_p", "tokens", "tokens of a page of the paged cache"),
    },
    "Hardware": {
        "peaks": _real(
            r"\pi_\mathrm{dtype}", "FLOP/s", "dense peaks of one device, by data type"
        ),
        "sparse_peaks": _real(
            r"\pi_\mathrm{sparse}", "FLOP/s", "structured-sparse peaks, by data type; never used"
        ),
        "peak": _real(r"\pi", "FLOP/s", "dense peak of one device for one data type"),
        "bandwidth": _real(r"\beta", "B/s", "nominal memory bandwidth of one device"),
        "marketed": Symbol(r"M_\mathrm{sold}", "B", "device memory as sold"),
        "usable": Symbol("M", "B", "device memory as the driver reports it"),
        "nominal": _real(
            r"\beta_\mathrm{link}", "B/s", "nominal bandwidth of a link, per direction"
        ),
        "achieved": _real(
            r"\beta_\mathrm{meas}", "B/s", "measured bandwidth of a link, per direction"
        ),
        "domain_size": Symbol(r"n_\mathrm{dom}", "1", "devices that a link joins"),
        "fp16_accumulate_peaks": _real(
            r"\pi_\mathrm{fp16acc}", "FLOP/s", "dense peaks with FP16 accumulation; never used"
        ),
        "node_size": Symbol(r"n_\mathrm{node}", "1", "devices of one host"),
        "power": _real(r"P_\mathrm{W}", "W", "power limit of one device"),
        "dram_capacity": Symbol(r"M_\mathrm{host}", "B", "memory of one host"),
        "dram_bandwidth": _real(r"\beta_\mathrm{host}", "B/s", "memory bandwidth of one host"),
        "capacity": Symbol(r"M_\mathrm{disk}", "B", "storage of one host"),
        "host_bytes": _real(
            r"B_\mathrm{host}", "B", "bytes that the CPUs of a host read of its memory"
        ),
        "dram_share": _real(
            r"s_\mathrm{dram}", "ratio", "share of a host's memory bandwidth that is reached"
        ),
        "device_seconds": _real(
            r"t_\mathrm{gpu}", "s", "time of a token beside the experts that a host reads"
        ),
        "token_cache_bytes": _real(r"B_\mathrm{tok}", "B/token", "KV cache of a token"),
        "node_prefill_rate": _real(
            r"R_\mathrm{pre}", "tokens/s", "tokens that a node prefills in a second"
        ),
        "link_copies": _real(r"M_\mathrm{copy}", "1", "copies of a token that cross a link"),
        "dispatch_bytes": _real(r"b_\mathrm{disp}", "B", "bytes of a dispatched copy"),
        "combine_bytes": _real(r"b_\mathrm{comb}", "B", "bytes of a combined copy"),
        "transfer_ratio": _real(
            r"s_\mathrm{code}", "ratio", "bytes of a coded format over those of the plain one"
        ),
        "codec_overhead": _real(
            r"o_\mathrm{code}", "ratio", "time of a coder over that of the coded transfer"
        ),
        "vector_peak": _real(r"\pi_\mathrm{vec}", "FLOP/s", "peak of the vector units in FP32"),
        "promotion_group": Symbol(
            r"g_\mathrm{K}", "1", "elements after which a partial sum is added in FP32"
        ),
        "retention_seconds": _real(r"t_\mathrm{keep}", "s", "time for which a cache is kept"),
        "nic_bandwidth": _real(r"\beta_\mathrm{nic}", "B/s", "bandwidth of a NIC"),
        "host_lane_bandwidth": _real(
            r"\beta_\mathrm{pcie}", "B/s", "bandwidth of the link from host to device"
        ),
        "host_traffic": _real(
            r"\beta_\mathrm{other}", "B/s", "traffic of a device's host link beside its NIC"
        ),
        "dollars_per_hour": _real(r"p_\mathrm{h}", "USD/h", "price of one device for one hour"),
        "pue": _real(r"f_\mathrm{PUE}", "ratio", "power of a site over that of its devices"),
    },
    "Roofline": {
        "moved": _real("Q", "B", "bytes read from and written to device memory"),
        "compute_seconds": _real("t_c", "s", "time that the FLOPs take at their peaks"),
    },
    "Layout": {
        "tp": Symbol("P_t", "1", "tensor-parallel GPUs"),
        "cp": Symbol("P_c", "1", "context-parallel GPUs"),
        "dcp": Symbol("P_{dc}", "1", "GPUs that share the tokens of a cache in decoding"),
        "pp": Symbol("P_p", "1", "pipeline stages"),
        "dp": Symbol("P_d", "1", "data-parallel replicas"),
        "ep": Symbol("P_e", "1", "expert-parallel GPUs"),
        "etp": Symbol("P_{et}", "1", "GPUs that share the matrices of an expert"),
        "virtual_pipeline": Symbol("v", "1", "chunks of layers that a pipeline rank holds"),
        "zero": Symbol("Z", "1", "ZeRO stage: what data parallelism shards", 0),
        "redundant_experts": Symbol(
            r"n_\mathrm{red}", "1", "replicas of routed experts, beside the experts themselves", 0
        ),
        "micro_batch": Symbol(r"B_\mathrm{micro}", "1", "sequences of one micro-batch"),
        "global_batch": Symbol(r"B_\mathrm{step}", "1", "sequences of a training step"),
    },
    "Expert traffic": {
        "gpus": Symbol("G", "1", "GPUs of a group that communicates"),
        "gpus_per_node": Symbol("G_n", "1", "GPUs of it that share a node"),
        "rank_stride": Symbol(r"s_\mathrm{rank}", "1", "distance of neighbours, counted in GPUs"),
        "places": Symbol(r"n_\mathrm{place}", "1", "places that there are: GPUs, or nodes"),
        "members": Symbol(r"n_\mathrm{member}", "1", "members of a group that send to each other"),
        "token_copies": _real("c_t", "1", "copies of a token: by expert, GPU or node"),
        "metadata_bytes": Symbol(r"B_\mathrm{meta}", "B", "bytes sent beside a hidden state", 0),
        "reference_bits": Symbol(r"b_\mathrm{ref}", "bit", "width of an element of another format"),
        "link_bandwidth": _real(r"\beta_\mathrm{dir}", "B/s", "bandwidth of a link, one direction"),
        "imbalance": _real(r"f_\mathrm{hot}", "ratio", "bytes of the busiest GPU over the mean"),
        "rounds": Symbol(r"n_\mathrm{lat}", "1", "latencies waited for one after the other", 0),
        "latency": _real(r"t_\mathrm{lat}", "s", "latency of a message"),
        "communication_seconds": _real(r"t_\mathrm{comm}", "s", "time of a communication alone"),
        "overlapped_seconds": _real(r"t_\mathrm{over}", "s", "time of a computation beside it"),
        "layer_seconds": _real(r"t_\ell", "s", "time of one layer"),
        "acceptance": _real("p", "ratio", "share of the drafted tokens that are accepted"),
        "mtp_cost": _real(r"c_\mathrm{mtp}", "ratio", "share of a step that drafting adds"),
    },
    "Collectives": {
        "ranks": Symbol(r"n_\mathrm{rank}", "1", "participants of a collective"),
        "nodes": Symbol(r"m_\mathrm{grp}", "1", "nodes that a group spans"),
        "phases": Symbol(
            r"n_\mathrm{ph}", "1", "1 for a reduce-scatter or all-gather, 2 for an all-reduce"
        ),
        "sharers": Symbol(r"n_\mathrm{part}", "1", "parts of a payload that are sent separately"),
        "payload": _real(r"B_\mathrm{pay}", "B", "bytes of the whole tensor of a collective"),
        "split": Symbol(r"n_\mathrm{split}", "1", "GPUs that tensors or tokens are divided among"),
        "fewest": Symbol(r"n_\mathrm{min}", "1", "heads below which they are repeated"),
        "seconds": _real(r"t_\mathrm{all}", "s", "time of a collective"),
    },
    "Memory": {
        "virtual_stages": Symbol(r"P_\mathrm{stage}", "1", "stages that layers are divided over"),
        "stage_layers": Symbol(
            r"\ell_\mathrm{least}", "1", "layers that every stage has at least", 0
        ),
        "longer_stages": Symbol(
            r"n_\mathrm{longer}", "1", "stages that have one layer more than the others", 0
        ),
        "leading": Symbol(
            r"u_\mathrm{emb}", "1", "layers that the embedding counts as when layers are divided", 0
        ),
        "trailing": Symbol(
            r"u_\mathrm{head}", "1", "layers that the head counts as when layers are divided", 0
        ),
        "first_layer": Symbol(r"i_\mathrm{a}", "1", "first layer of a stage, from 0", 0),
        "last_layer": Symbol(r"i_\mathrm{b}", "1", "first layer after a stage", 0),
        "place": Symbol(r"x_\mathrm{place}", "1", "stage of a part of the model, from 0", 0),
        "amount_here": Symbol(r"n_\mathrm{here}", "1", "how many of something a rank has", 0),
        "shared_slots": Symbol(
            r"n_\mathrm{shared}", "1", "shared experts that take places like routed ones", 0
        ),
        "multiple": Symbol(r"n_\mathrm{mult}", "1", "what a GPU's rows of a vocabulary divide by"),
        "divisor": Symbol(r"n_\mathrm{div}", "1", "GPUs that a tensor is divided among"),
        "experts_per_token": Symbol(r"k_\mathrm{sent}", "1", "experts that a token is sent to"),
        "total_bytes": _real(r"B_\mathrm{full}", "B", "bytes that the fullest GPU holds"),
        "copy_bytes": Symbol(r"B_\mathrm{row}", "B", "bytes of one copy of a hidden state"),
        "gradient_bits": Symbol(r"b_\mathrm{grad}", "bit", "width of a gradient", 0),
        "master_bits": Symbol(r"b_\mathrm{master}", "bit", "width of a master weight; 0: none", 0),
        "first_moment_bits": Symbol(r"b_m", "bit", "width of the first moment", 0),
        "newton_schulz_steps": Symbol(
            r"n_\mathrm{NS}", "1", "Newton-Schulz steps that orthogonalise an update"
        ),
        "second_moment_bits": Symbol(r"b_v", "bit", "width of Adam's second moment", 0),
        "driver_context": Symbol(r"B_\mathrm{ctx}", "B", "memory of the driver's context"),
        "workspace": Symbol(r"B_\mathrm{work}", "B", "workspace of the matrix library"),
        "communication": Symbol(r"B_\mathrm{comm}", "B", "buffers of collectives"),
        "bucket": Symbol(r"N_\mathrm{bucket}", "elements", "gradients that are reduced at once", 0),
        "fragmentation": _real(r"f_\mathrm{frag}", "ratio", "share of activations lost in gaps"),
        "allowance": _real(
            r"f_\mathrm{res}", "ratio", "share of allocated bytes that is reserved beyond them"
        ),
        "loss_chunk": Symbol(r"T_\mathrm{loss}", "tokens", "tokens of a chunk of the loss"),
        "living_logits": Symbol(
            r"n_\mathrm{logits}", "1", "micro-batches whose logits a rank holds", 0
        ),
        "kept_logits": _real(
            r"B_\mathrm{logits}", "B", "what a micro-batch keeps of logits for their gradient"
        ),
        "head_bytes": _real(r"B_\mathrm{head}", "B", "what loss and head of a micro-batch take"),
        "layer_bytes": _real(r"B_\mathrm{layer}", "B", "what a layer takes while it runs"),
        "part_bytes": _real(r"B_\mathrm{part}", "B", "a part of what a layer takes while it runs"),
        "reserved": Symbol(r"B_\mathrm{leave}", "B", "bytes that a server leaves of a device", 0),
        "reserved_per_token": Symbol(
            r"B_\mathrm{leave,t}", "B", "bytes that a server leaves for each token of a pass", 0
        ),
        "reserved_per_gpu": Symbol(
            r"B_\mathrm{leave,g}", "B", "bytes that a server leaves for each GPU of a replica", 0
        ),
        "sampled_sequences": Symbol(
            r"n_\mathrm{samp}", "1", "sequences of the sampler that an engine profiles", 0
        ),
        "logit_bits": Symbol(
            r"b_\mathrm{logit}", "bit", "width of a logit with its copies in a sampler", 0
        ),
        "pass_tokens": Symbol(r"T_\mathrm{pass}", "tokens", "tokens of a pass of a server"),
        "shape_rows": Symbol(r"r_\mathrm{w}", "elements", "rows of a matrix on a GPU"),
        "shape_columns": Symbol(r"c_\mathrm{w}", "elements", "columns of a matrix on a GPU"),
        "other_rows": Symbol(r"r_\mathrm{w}'", "elements", "rows of another matrix on a GPU"),
        "other_columns": Symbol(
            r"c_\mathrm{w}'", "elements", "columns of another matrix on a GPU"
        ),
        "across": Symbol(r"d_\mathrm{across}", "elements", "the dimension that is not divided"),
        "block": Symbol(r"d_\mathrm{block}", "elements", "elements of a block that has one scale"),
        "undivided": Symbol(
            r"n_\mathrm{und}", "1", "tensors whose parts are no whole blocks of their scales", 0
        ),
        "stored_bytes": _real(r"B_\mathrm{stored}", "B", "bytes of weights as they are stored"),
        "graphs": Symbol(r"B_\mathrm{graph}", "B", "bytes of captured graphs", 0),
        "repacked": _real(
            r"f_\mathrm{rep}", "ratio", "bytes of a copy in the kernels' order, over the weights'"
        ),
        "device_memory": Symbol(r"B_\mathrm{sold}", "B", "memory of a device as it is sold", 0),
        "moe_dp": Symbol(r"n_\mathrm{mdp}", "1", "data parallelism of experts in an engine"),
        "sustained": _real(
            r"\kappa", "ratio", "time of matrix products in a run, over that of their kernels"
        ),
        "sustained_narrow": _real(
            r"\kappa_8", "ratio", "the same of products in 8 bits or fewer, where it is another"
        ),
        "weight_gradients": _real(
            r"f_\mathrm{wgrad}", "ratio", "rate of products for weight gradients, over forward ones"
        ),
        "first_token": _real(
            r"t_\mathrm{first}", "s", "time of the host before the first token of a request"
        ),
        "host_gap": _real(r"t_\mathrm{host}", "s", "time of the host for each kernel"),
        "launch_factor": _real(
            r"f_\mathrm{launch}", "ratio", "launch times in a run, over those of kernels alone"
        ),
        "pool": _real(r"B_\mathrm{free,kv}", "B", "bytes that are left for the cache"),
        "memory_share": Symbol(r"f_\mathrm{ppm}", "1", "millionths of a device a server takes"),
        "budget": _real(r"B_\mathrm{max}", "B", "bytes of a device that a server may take"),
        "weight_bytes": _real(r"B_\mathrm{w}", "B", "bytes of weights on a GPU"),
        "buffer_bytes": _real(r"B_\mathrm{b}", "B", "bytes beside weights and cache on a GPU"),
        "memory_fraction": _real(r"f_\mathrm{mem}", "ratio", "share of a device a server takes"),
        "embedding_stage": Symbol(r"x_\mathrm{emb}", "1", "stage with the embedding", 0),
        "head_stage": Symbol(r"x_\mathrm{head}", "1", "stage with the head", 0),
        "mtp_stage": Symbol(r"x_\mathrm{mtp}", "1", "stage with the MTP modules", 0),
        "layer_split": Symbol(r"\ell_\mathrm{split}", "1", "layers of each stage", 0),
    },
    "Pipeline schedules": {
        "rank": Symbol(r"r_\mathrm{pp}", "1", "pipeline rank, counted from 0", 0),
        "stage": Symbol(r"i_\mathrm{stage}", "1", "virtual pipeline stage, counted from 0", 0),
        "model_chunk": Symbol(
            r"c_\mathrm{pp}", "1", "chunk of layers of a pipeline rank, counted from 0", 0
        ),
        "micro_batches": Symbol(
            r"n_\mathrm{micro}", "1", "micro-batches of a replica in a training step"
        ),
        "behind": Symbol(
            r"n_\mathrm{behind}", "1", "1 for the chunk whose forward pass comes next, else 0", 0
        ),
        "warm_up": Symbol(
            r"n_\mathrm{warm}", "1", "forward passes of a rank before its first backward pass"
        ),
        "turn": Symbol(r"j_\mathrm{turn}", "1", "changes of chunk, counted from 0", 0),
        "forwards": Symbol(r"n_\mathrm{fwd}", "1", "forward passes of chunks that are done", 0),
        "backwards": Symbol(r"n_\mathrm{bwd}", "1", "backward passes of chunks that are done", 0),
        "forward_seconds": _real(
            r"t_\mathrm{f}", "s", "forward pass of a micro-batch through the layers of a rank"
        ),
        "backward_seconds": _real(
            r"t_\mathrm{b}", "s", "its whole backward pass, weight gradients included"
        ),
        "weight_seconds": _real(r"t_\mathrm{w}", "s", "of it the gradients of the weights"),
        "overlapped_pair_seconds": _real(
            r"t_{fb}", "s", "a forward and a whole backward pass that overlap each other"
        ),
    },
    "Networks": {
        "radix": Symbol(r"k_\mathrm{sw}", "1", "ports of a switch"),
        "tiers": Symbol(r"n_\mathrm{tier}", "1", "layers of switches of a fat tree"),
        "planes": Symbol(r"n_\mathrm{plane}", "1", "fat trees side by side"),
        "planes_down": Symbol(
            r"n_\mathrm{down}", "1", "planes, or ports of a NIC, that are down", least=0
        ),
        "down_parts": Symbol(r"o_\mathrm{d}", "1", "ports of a leaf down, of the oversubscription"),
        "up_parts": Symbol(r"o_\mathrm{u}", "1", "ports of a leaf up, of the oversubscription"),
        "leaf_ports": Symbol(r"d_\mathrm{leaf}", "1", "ports of a leaf that face endpoints"),
        "leaves": Symbol(r"n_\mathrm{leaf}", "1", "leaf switches of a plane"),
        "uplinks": Symbol(r"L_\mathrm{up}", "1", "links from one tier of switches to the next"),
        "ports": Symbol(r"k_\mathrm{below}", "1", "ports of a switch that look down"),
        "spread_planes": Symbol(
            r"n_\mathrm{spread}", "1", "planes over which the endpoints are spread"
        ),
        "flows": Symbol(r"n_\mathrm{flow}", "1", "flows, each of the rate of a path"),
        "paths": Symbol(r"m_\mathrm{path}", "1", "paths of equal cost"),
        "q": Symbol(r"q_\mathrm{sf}", "1", "order of the field that a Slim Fly is made from"),
        "network_radix": Symbol(
            r"k_\mathrm{net}", "1", "ports of a switch that face other switches"
        ),
        "group_switches": Symbol("a", "1", "switches of a Dragonfly's group"),
        "global_ports": Symbol(
            r"h_\mathrm{sw}", "1", "ports of a Dragonfly's switch that face other groups"
        ),
        "switch_groups": Symbol(r"g_\mathrm{sw}", "1", "groups of a Dragonfly"),
        "endpoints": Symbol(
            r"N_\mathrm{end}", "1", "endpoints of a network, or ranks that take part"
        ),
        "bisection_links": _real(
            r"C_\mathrm{cut}", "1", "switch-to-switch links between two halves of a network"
        ),
        "bandwidth_nominal": _real(
            r"\beta_\mathrm{net}", "B/s", "nominal bandwidth of an endpoint, per direction"
        ),
        "logical": _real(
            r"\beta_\mathrm{log}", "B/s", "measured bandwidth, the own node's bytes counted too"
        ),
        "physical": _real(r"\beta_\mathrm{phys}", "B/s", "of it what the network carries"),
        "latency_same_leaf": _real(
            r"t_\mathrm{leaf}", "s", "latency of a small message below one leaf switch"
        ),
        "latency_cross_leaf": _real(
            r"t_\mathrm{cross}", "s", "latency of a small message between leaf switches"
        ),
        "hops": Symbol(r"n_\mathrm{hop}", "1", "links between switches on a path", least=0),
        "switch_price": _real(r"p_\mathrm{sw}", "USD", "price of a switch"),
        "link_price": _real(r"p_\mathrm{link}", "USD", "price of a switch-to-switch link"),
    },
    "Training runs": {
        "token_flops": _real("F_T", "FLOP/token", "FLOPs of a trained token"),
        "step_seconds": _real(r"t_\mathrm{step}", "s", "time of a training step"),
        "job_gpus": Symbol(r"G_\mathrm{job}", "1", "GPUs of a training job"),
        "observed_seconds": _real(
            r"t_\mathrm{seen}", "s", "time over which events of a job were counted"
        ),
        "events": Symbol(r"n_\mathrm{event}", "1", "events that were counted"),
        "event_gpu_time": _real(r"H_\mathrm{ev}", "s", "GPU time for each event, on average"),
        "interruptions": Symbol(
            r"n_\mathrm{int}", "1", "interruptions of a job that nobody planned"
        ),
        "silent_corruptions": Symbol(
            r"n_\mathrm{silent}", "1", "interruptions by wrong results of a device", 0
        ),
        "days": Symbol(r"n_\mathrm{day}", "1", "days over which a job was observed"),
        "mtbf": _real(r"t_\mathrm{fail}", "s", "mean time between interruptions of a job"),
        "checkpoint_bytes": _real(r"B_\mathrm{ckpt}", "B", "bytes of a checkpoint"),
        "writers": Symbol(r"n_\mathrm{writer}", "1", "nodes that write a checkpoint"),
        "storage_bandwidth": _real(
            r"\beta_\mathrm{store}", "B/s", "bandwidth of a node to the storage"
        ),
        "checkpoint_seconds": _real(
            r"t_\mathrm{ckpt}", "s", "time for which a checkpoint stops training"
        ),
        "interval_seconds": _real(r"\tau", "s", "time from one checkpoint to the next"),
        "restart_seconds": _real(
            r"t_\mathrm{restart}", "s", "time from an interruption until training goes on"
        ),
        "achieved_rate": _real(
            r"\pi_\mathrm{got}", "FLOP/s", "FLOP/s that one GPU achieves"
        ),
        "achieved_peak": _real(
            r"\pi_\mathrm{fast}", "FLOP/s", "dense peak for the narrower of two data types"
        ),
        "forward_phase": _real(r"t_\mathrm{1F}", "s", "forward passes that nothing overlaps"),
        "backward_phase": _real(r"t_\mathrm{1B}", "s", "backward passes that nothing overlaps"),
        "weight_phase": _real(r"t_\mathrm{1W}", "s", "gradients of weights on their own"),
        "paired_phase": _real(
            r"t_\mathrm{1F1B}", "s", "forward and backward passes that overlap each other"
        ),
        "bubble_phase": _real(r"t_\mathrm{idle}", "s", "idle time of a pipeline rank"),
        "optimizer_phase": _real(r"t_\mathrm{opt}", "s", "the optimizer's part of a step"),
    },
    "Time and money": {
        "gpu_time": _real("H", "s", "GPU time: seconds of one GPU"),
        "pretraining_time": _real(r"H_\mathrm{pre}", "s", "GPU time of pre-training"),
        "extension_time": _real(r"H_\mathrm{ext}", "s", "GPU time of context extension"),
        "post_training_time": _real(r"H_\mathrm{post}", "s", "GPU time of post-training"),
        "total_tokens": Symbol(r"T_\mathrm{all}", "tokens", "tokens of a whole run or day"),
        "day_tokens": Symbol(r"T_\mathrm{24h}", "tokens", "tokens of a day"),
        "constant_tokens": Symbol(
            r"T_\mathrm{const}", "tokens", "tokens at the highest learning rate", 0
        ),
        "decay_tokens": Symbol(
            r"T_\mathrm{decay}", "tokens", "tokens while the learning rate decays", 0
        ),
        "low_tokens": Symbol(
            r"T_\mathrm{low}", "tokens", "tokens at the first constant rate after the decay", 0
        ),
        "lowest_tokens": Symbol(
            r"T_\mathrm{last}", "tokens", "tokens at the last constant learning rate", 0
        ),
        "fleet_nodes": _real("N_n", "1", "nodes in use, on average"),
        "hit_tokens": Symbol(
            r"T_\mathrm{hit}", "tokens", "input tokens whose KV cache was found", 0
        ),
        "missed_tokens": Symbol(r"T_\mathrm{miss}", "tokens", "the other input tokens", 0),
        "input_tokens": Symbol(r"T_\mathrm{in}", "tokens", "input tokens of a day", 0),
        "output_tokens": Symbol(r"T_\mathrm{out}", "tokens", "output tokens of a day", 0),
        "hit_price": _real(
            r"p_\mathrm{hit}", "USD", "price of a million input tokens found in the cache"
        ),
        "missed_price": _real(
            r"p_\mathrm{miss}", "USD", "price of a million input tokens not found there"
        ),
        "output_price": _real(r"p_\mathrm{out}", "USD", "price of a million output tokens"),
        "revenue": _real(r"D_\mathrm{in}", "USD", "what is sold"),
        "cost": _real(r"D_\mathrm{out}", "USD", "what something costs"),
        "node_input_rate": _real(
            r"v_\mathrm{in}", "tokens/s", "input tokens of a prefill node in a second"
        ),
        "node_output_rate": _real(
            r"v_\mathrm{out}", "tokens/s", "output tokens of a decode node in a second"
        ),
        "draft_tokens": Symbol(r"k_\mathrm{draft}", "1", "tokens drafted for each step", 0),
        "half_kernel_seconds": _real(r"t_\mathrm{half}", "s", "kernels of a half batch"),
        "half_exchange_seconds": _real(
            r"t_\mathrm{half,comm}", "s", "exchanges of a half batch"
        ),
        "batch_parts": Symbol(r"n_\mathrm{parts}", "1", "parts that a batch is divided into"),
        "pass_seconds": _real(r"t_\mathrm{pass}", "s", "a pass through all stages"),
        "sends_seconds": _real(r"t_\mathrm{sends}", "s", "sends between stages in a pass"),
        "slowest_stage_seconds": _real(r"t_\mathrm{slow}", "s", "a pass on the slowest stage"),
        "stage_passes": Symbol(r"n_\mathrm{round}", "1", "passes that go round the stages"),
        "expert_gpus": Symbol(
            r"n_\mathrm{share}", "1", "GPUs whose experts compute on the same tokens"
        ),
        "replica_gpus": Symbol(r"G_\mathrm{rep}", "1", "GPUs of an attention replica"),
        "sending_gpus": Symbol(r"G_\mathrm{send}", "1", "GPUs of a replica that prefills"),
        "receiving_gpus": Symbol(r"G_\mathrm{recv}", "1", "GPUs of a replica that decodes"),
        "transfer_seconds": _real(r"t_\mathrm{send}", "s", "transfer of a cache"),
        "prefill_seconds": _real(r"t_\mathrm{pre}", "s", "a prefill pass"),
        "prompt_tokens": Symbol(r"T_\mathrm{prompt}", "tokens", "tokens of a prompt"),
        "response_tokens": Symbol(r"T_\mathrm{resp}", "tokens", "tokens of a response"),
        "decode_steps": Symbol(r"n_\mathrm{steps}", "1", "decode steps, one after the other"),
        "first_step_seconds": _real(r"t_\mathrm{begin}", "s", "the first of several steps"),
        "last_step_seconds": _real(r"t_\mathrm{end}", "s", "the last of several steps"),
        "prompts": Symbol(r"N_\mathrm{prompt}", "1", "prompts of a step of reinforcement learning"),
        "samples": Symbol(r"n_\mathrm{resp}", "1", "responses to each prompt"),
        "concurrent": Symbol(r"N_\mathrm{conc}", "1", "sequences that are decoded at once"),
        "nics": Symbol(r"n_\mathrm{nic}", "1", "NICs of an instance"),
        "hit_rate": _real(r"h_\mathrm{hit}", "ratio", "share of a prompt found in the cache"),
        "gpu_rate": _real(r"v_\mathrm{gpu}", "tokens/s", "tokens of one GPU in a second"),
        "prefill_rate": _real(
            r"v_\mathrm{pre}", "tokens/s", "tokens that a prefill GPU computes in a second"
        ),
        "decode_rate": _real(
            r"v_\mathrm{dec}", "tokens/s", "tokens that a decode GPU puts out in a second"
        ),
        "token_seconds": _real(r"t_\mathrm{pre,tok}", "s", "prefill time of one token"),
    },
    "Deployment": {
        "unit_nodes": Symbol(r"n_\mathrm{unit}", "1", "nodes of a unit of deployment"),
        "scale_up_bandwidth": _real(
            r"\beta_\mathrm{up}", "B/s", "bandwidth of a GPU within its node, one direction"
        ),
        "scale_out_bandwidth": _real(
            r"\beta_\mathrm{out}", "B/s", "bandwidth of a GPU between nodes, one direction"
        ),
        "communication_sms": Symbol(
            r"n_\mathrm{comm}", "1", "multiprocessors that communicate", 0
        ),
        "channel_sms": Symbol(r"n_\mathrm{sm}", "1", "multiprocessors of a channel"),
        "lanes": Symbol(r"n_\mathrm{lane}", "1", "lanes of PCI Express"),
        "lane_bandwidth": _real(
            r"\beta_\mathrm{lane}", "B/s", "raw rate of a lane, one direction"
        ),
        "data_bits": Symbol(r"b_\mathrm{data}", "bit", "bits of data in a block of a line code"),
        "line_bits": Symbol(r"b_\mathrm{line}", "bit", "bits that are sent for such a block"),
    },
    "Kernels": {
        "gemm_groups": Symbol(r"g_\mathrm{gemm}", "1", "equal matrix products side by side"),
        "gemm_rows": Symbol(r"m_\mathrm{gemm}", "elements", "rows of a product's activations"),
        "gemm_columns": Symbol(r"n_\mathrm{gemm}", "elements", "columns of a product's result"),
        "gemm_depth": Symbol(r"k_\mathrm{gemm}", "elements", "length that a product sums over"),
        "score_channels": Symbol("d_k", "elements", "channels of a cached key in absorbed MLA"),
        "value_channels": Symbol(r"d_u", "elements", "of them those of the value"),
        "clock": _real(r"\nu", "Hz", "clock that a peak is stated for"),
        "throttled_clock": _real(r"\nu_\mathrm{slow}", "Hz", "clock under load"),
        "multiprocessors": Symbol(r"n_\mathrm{mp}", "1", "multiprocessors of a device"),
        "cycle_flops": _real(
            r"\pi_\mathrm{cycle}", "1", "FLOPs of a multiprocessor in one clock cycle"
        ),
        "to_half_rate": Symbol(r"r_\mathrm{16}", "1", "FP8 to FP16 conversions of a cycle"),
        "to_float_rate": Symbol(r"r_\mathrm{32}", "1", "FP16 to FP32 conversions of a cycle"),
        "scale_rate": Symbol(r"r_\mathrm{mul}", "1", "FP32 multiplications of a cycle"),
        "to_bf16_rate": Symbol(r"r_\mathrm{bf}", "1", "FP32 to BF16 conversions of a cycle"),
        "masked_copies": Symbol(r"n_\mathrm{mask}", "1", "copies of tokens that are left out", 0),
    },
    "Times of kernels": {
        "compute_share": _real(r"e_c", "ratio", "share of the dense peak that kernels reach"),
        "bandwidth_share": _real(
            r"e_m", "ratio", "share of the memory bandwidth that kernels reach"
        ),
        "serial_steps": Symbol(
            r"n_\mathrm{serial}", "1", "steps that a result waits for one after the other", 0
        ),
        "serial_latency": _real(r"\tau_\mathrm{serial}", "s", "time of such a step"),
        "exponent": _real(r"p_\mathrm{join}", "ratio", "exponent of the norm that joins times"),
        "launch": _real(r"t_0", "s", "time of a kernel that no work shortens"),
        "half_length": Symbol(
            r"L_\mathrm{half}", "tokens", "sequence at which attention reaches half its rate", 0
        ),
        "activation_bits": Symbol(r"b_\mathrm{act}", "bit", "width of an activation"),
        "weight_bits": Symbol(r"b_\mathrm{w}", "bit", "width of a weight as a kernel reads it"),
        "result_bits": Symbol(r"b_\mathrm{out}", "bit", "width of an element of a result"),
        "expert_rows_here": _real(
            r"n_\mathrm{row,gpu}", "1", "rows that the experts of a GPU compute"
        ),
        "hit_here": _real(
            r"E_\mathrm{here}", "1", "local experts that at least one token goes to"
        ),
        "rank_tokens": Symbol(
            r"T_\mathrm{rank}", "tokens", "tokens that an operator is handed and returns", 0
        ),
        "link_share": _real(r"e_\ell", "ratio", "share of a link that large messages reach"),
        "latency_growth": _real(
            r"g_\mathrm{lat}", "ratio", "part of the latency that each further GPU adds"
        ),
        "ring_base": _real(r"t_\mathrm{base}", "s", "latency of a collective without its steps"),
        "ring_step": _real(r"t_\mathrm{hop}", "s", "latency of each step of a ring"),
        "scale_up_share": _real(
            r"e_\mathrm{up}", "ratio", "share of the bandwidth in a node that is reached"
        ),
        "scale_out_share": _real(
            r"e_\mathrm{out}", "ratio", "share of the bandwidth between nodes that is reached"
        ),
        "scale_up_bytes": Symbol(r"Q_\mathrm{up}", "B", "bytes that a GPU sends in its node", 0),
        "scale_out_bytes": Symbol(
            r"Q_\mathrm{out}", "B", "bytes that a GPU sends to other nodes", 0
        ),
        "rails": Symbol(r"n_\mathrm{rail}", "1", "network ports of a node"),
        "oversubscription": _real(
            r"f_\mathrm{over}", "ratio", "bandwidth below a leaf switch over that above it"
        ),
    },
    "Fits": {
        "points": Symbol(r"n_\mathrm{fit}", "1", "measured times that values are fitted to"),
        "median_error": _real(r"\epsilon_{50}", "ratio", "median of the errors of a fit, unsigned"),
        "p10": _real(r"\epsilon_{10}", "ratio", "first decile of the signed errors of a fit"),
        "p90": _real(r"\epsilon_{90}", "ratio", "last decile of the signed errors of a fit"),
        "unseen_error": _real(
            r"\epsilon_\mathrm{half}", "ratio", "median error on measurements that no fit saw"
        ),
        "transfer_error": _real(
            r"\epsilon_\mathrm{chip}", "ratio", "median error on devices that no fit saw"
        ),
        "ranges": _real(
            r"R_\mathrm{fit}", "1", "smallest and largest of each quantity in the measurements"
        ),
        "pass_share": _real(
            r"e_\mathrm{pass}", "ratio", "share of the bandwidth of the passes beside a kernel"
        ),
        "remote_latency": _real(
            r"t_\mathrm{far}", "s", "time of the smallest exchange that leaves a node"
        ),
    },
    "Multi-token prediction": {
        "mtp_elements": Symbol(r"N_\mathrm{mtp}", "elements", "parameters of its modules"),
        "inactive_elements": Symbol(
            r"N_\mathrm{idle}", "elements", "of them those that a token does not pass", 0
        ),
    },
    "Number formats": {
        "exponent_bits": Symbol(r"b_\mathrm{exp}", "bit", "bits of a float's exponent", 0),
        "mantissa_bits": Symbol(r"b_\mathrm{man}", "bit", "bits of a float's fraction", 0),
        "code_bits": Symbol(r"b_\mathrm{code}", "bit", "bits of a LogFMT code, sign included"),
        "octaves": _real("o", "1", "powers of two between smallest and largest magnitude"),
        "octave_step": _real(
            r"o_\mathrm{log}", "1", "step between magnitudes, as a logarithm to base 2"
        ),
        "instructions": Symbol(r"n_\mathrm{inst}", "1", "instructions between promotions"),
        "quantised_bits": Symbol(r"b_\mathrm{quant}", "bit", "width of a quantised element"),
    },
}  # fmt: skip
"""Names by subject, as ``docs/symbols.md`` shows them."""

SYMBOLS: dict[str, Symbol] = {
    name: symbol for table in BY_SUBJECT.values() for name, symbol in table.items()
}
"""Name -> how it is written and what it is."""

INTERMEDIATE: dict[str, Symbol] = {
    "growing": Symbol("S_g", "tokens", "queries that see everything before them", 0),
    "end": Symbol("S_e", "tokens", "tokens of a sequence after the pass", 0),
    "whole": Symbol("q", "1", "whole chunks before the end of the pass", 0),
    "whole_past": Symbol("q_P", "1", "whole chunks before the start of the pass", 0),
    "rest": Symbol("r", "tokens", "tokens of the last, unfinished chunk after the pass", 0),
    "rest_past": Symbol("r_P", "tokens", "tokens of the unfinished chunk before the pass", 0),
    "first": Symbol("j_0", "1", "first layer of a slice, held within the depth", 0),
    "extreme": _real(
        r"z_\mathrm{max}", "1", "expected largest of D standard normals, approximately"
    ),
    "spread": _real(r"v_\mathrm{load}", "1", "variance of a load over its mean, squared"),
    "last": Symbol("j_1", "1", "end of a slice, held within the depth", 0),
    "full": Symbol(r"q_\mathrm{full}", "1", "rounds of all chunks of a rank that are done", 0),
}
"""Names inside formulas: an equation says what they stand for below its first line."""

GREEK = {
    "ell": "ℓ", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ",
    "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ",
    "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ",
    "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω",
}  # fmt: skip
"""Command of LaTeX -> its letter."""


def latex(name: str) -> str:
    r"""Return the LaTeX symbol of a name.

    >>> latex("num_key_value_heads"), latex("layers")
    ('n_{kv}', '\\ell')
    """
    return (SYMBOLS.get(name) or INTERMEDIATE[name]).latex


def plain(symbol: str) -> str:
    r"""Return a LaTeX symbol as plain text.

    >>> plain(r"T_\mathrm{kv}"), plain(r"\ell"), plain("d_c'"), plain(r"\eta_\mathrm{hit}")
    ('T_kv', 'ℓ', 'd_c′', 'η_hit')
    """
    symbol = re.sub(r"\\([A-Za-z]+)", lambda found: GREEK.get(found[1], found[0]), symbol)
    symbol = re.sub(r"\^\{?2\}?", "²", symbol).replace("'", "′")
    return re.sub(r"\\mathrm|[{}]", "", symbol)
