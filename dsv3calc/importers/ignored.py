"""Keys that change no count, by name, and the few that must hold one value.

A key stands here only where no tensor's shape, no cached byte and no matrix product depends on
it: positions and their scaling, token ids, dropout, initialisation, epsilons, soft caps, losses,
generation defaults, and what the library writes about itself.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

_ABOUT_THE_FILE = """
    auto_map name_or_path tokenizer_class transformers_version
    _attn_implementation _attn_implementation_autoset _commit_hash _name_or_path
    attn_implementation id2label label2id num_labels problem_type task_specific_params
    finetuning_task prefix torchscript tf_legacy_loss use_bfloat16 for_llm_compressor
    is_decoder return_dict output_attentions output_hidden_states output_router_logits
    unsloth_fixed unsloth_version transformers.js_config
"""

_TOKENS = """
    bos_token_id eos_token_id pad_token_id sep_token_id cls_token_id unk_token_id
    mask_token_id decoder_start_token_id forced_bos_token_id forced_eos_token_id
"""

_POSITIONS = """
    rope_theta rope_scaling rope_parameters rope_interleave rope_interleaved rope_local_base_freq
    partial_rotary_factor rotary_dim original_max_position_embeddings
"""

_NUMERICS = """
    initializer_range rms_norm_eps layer_norm_eps layer_norm_epsilon norm_eps use_cache
    attention_dropout hidden_dropout resid_pdrop emb_pdrop embd_pdrop attn_pdrop
    router_aux_loss_coef router_jitter_noise norm_topk_prob pretraining_tp
    gradient_checkpointing cache_implementation
"""

_GENERATION = """
    max_length min_length do_sample temperature top_k top_p typical_p num_beams
    num_beam_groups diversity_penalty early_stopping repetition_penalty length_penalty
    no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences
    exponential_decay_length_penalty suppress_tokens begin_suppress_tokens
    remove_invalid_values output_scores return_dict_in_generate
"""

COMMON = frozenset((_ABOUT_THE_FILE + _TOKENS + _POSITIONS + _NUMERICS + _GENERATION).split())
"""Ignored in every family."""

FIXED: dict[str, tuple[Any, ...]] = {
    "is_encoder_decoder": (False,),
    "add_cross_attention": (False,),
    "cross_attention_hidden_size": (None,),
    "tie_encoder_decoder": (False,),
    "chunk_size_feed_forward": (0,),
    "pruned_heads": ({},),
    "mlp_bias": (False,),
    "attention_bias": (False,),
}
"""Accepted in every family at these values; a family that reads one of them maps it instead."""

_ELEMENTWISE = """
    silu swish situ gelu gelu_new gelu_fast gelu_pytorch_tanh gelu_python quick_gelu
    relu relu2 relu6 leaky_relu sigmoid tanh mish linear
"""

ACTIVATIONS = frozenset(_ELEMENTWISE.split())
"""Functions of one element, which leave the shape as it is. A fused GLU would halve it."""

SWITCHES = {
    "mamba": "state-space (Mamba) layers",
    "ssm": "state-space layers",
    "conv_": "convolution layers",
    "linear_": "linear-attention layers",
    "attn_type_list": "a mix of attention kinds",
    "hybrid_": "a mix of layer kinds",
    "lora": "low-rank adapters",
    "peft": "low-rank adapters",
    "adapter": "adapters",
    "vision_": "a vision tower",
    "audio_": "an audio tower",
    "cross_attention": "cross-attention layers",
    "shared_expert": "shared experts",
    "num_shared_experts": "shared experts",
    "n_shared_experts": "shared experts",
    "num_nextn_predict_layers": "multi-token-prediction modules",
    "num_experts": "a mixture of experts",
    "num_local_experts": "a mixture of experts",
    "n_routed_experts": "a mixture of experts",
    "kv_lora_rank": "multi-head latent attention",
    "index_topk": "sparse attention",
    "layer_types": "a mix of layer kinds",
    "sliding_window": "sliding-window attention",
}
"""Beginnings of unknown keys, and what such a key switches on that would go uncounted."""
