"""What the files of newer ``model_type`` must hold, and what the classes take where they do not.

The defaults are those of transformers 5.24's configuration classes.
"""

from __future__ import annotations

WIDTHS = {"hidden_size", "vocab_size", "num_hidden_layers", "num_attention_heads"}
DENSE = WIDTHS | {"intermediate_size"}
HEADS = DENSE | {"num_key_value_heads"}
GPT = {"n_embd", "n_head", "n_layer", "n_positions", "vocab_size"}
LATENT = DENSE | {"kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"}
FINE = {"n_routed_experts", "num_experts_per_tok", "moe_intermediate_size", "n_shared_experts"}
INDEXER = {"index_n_heads", "index_head_dim", "index_topk"}
FIRST = {"first_k_dense_replace"}

SIZES = {
    **dict.fromkeys(
        (
            "phi3", "olmo2", "olmo3", "cohere", "cohere2", "seed_oss", "smollm3", "exaone4",
            "granite", "hunyuan_v1_dense", "ernie4_5", "ministral3", "gpt_neox", "starcoder2",
            "stablelm",
        ),
        DENSE,
    ),
    **dict.fromkeys(("gpt2", "gpt_bigcode", "gptj"), GPT),
    "hunyuan_v1_moe": DENSE | {"num_experts", "moe_topk"},
    "dots1": DENSE | FIRST | (FINE - {"n_shared_experts"}),
    "ernie4_5_moe": DENSE | {"moe_intermediate_size", "moe_k", "moe_num_experts"}
    | {"moe_layer_start_index"},
    "glm4_moe_lite": LATENT | FINE | FIRST | {"q_lora_rank"},
    "glm_moe_dsa": LATENT | FINE | FIRST | INDEXER | {"q_lora_rank"},
    "deepseek_v4": WIDTHS | INDEXER | (FINE - {"n_shared_experts"})
    | {"compress_ratios", "head_dim", "hc_mult", "o_groups", "o_lora_rank", "q_lora_rank"}
    | {"sliding_window"},
    "qwen2_moe": (HEADS - {"intermediate_size"})
    | {"num_experts", "num_experts_per_tok", "moe_intermediate_size"}
    | {"shared_expert_intermediate_size"},
    "qwen3_vl_text": HEADS,
    "qwen3_vl_moe_text": (HEADS - {"intermediate_size"})
    | {"num_experts", "num_experts_per_tok", "moe_intermediate_size"},
    **dict.fromkeys(
        ("step3p5", "step3p7_text"),
        DENSE
        | {"num_attention_groups", "moe_num_experts", "moe_top_k", "moe_intermediate_size"}
        | {"share_expert_dim", "sliding_window"},
    ),
    "deepseek_ref": WIDTHS | INDEXER | (FINE - {"n_shared_experts"})
    | {"compress_ratios", "head_dim", "hc_mult", "o_groups", "o_lora_rank", "q_lora_rank"}
    | {"sliding_window"},
    "gemma3n_text": HEADS,
    "gemma4_text": HEADS | {"num_experts", "top_k_experts", "moe_intermediate_size"},
    "mimo_v2_flash": HEADS | (FINE - {"n_shared_experts"}) | {"head_dim", "v_head_dim"},
    "minimax_m3_vl_text": HEADS
    | {"head_dim", "dense_intermediate_size", "shared_intermediate_size"}
    | {"num_local_experts", "num_experts_per_tok"},
    "mistral_large4_text": LATENT | FINE | INDEXER,
}  # fmt: skip

PLAIN = {"attention_bias": "false", "tie_word_embeddings": "false"}
TIED = {"tie_word_embeddings": "true"}

SWITCHES = {
    "phi3": ("Phi3Config", {"sliding_window": "null", "tie_word_embeddings": "false"}),
    "olmo2": ("Olmo2Config", PLAIN),
    "olmo3": ("Olmo3Config", PLAIN | {"sliding_window": "4096"}),
    "cohere": ("CohereConfig", PLAIN | TIED | {"use_qk_norm": "false"}),
    "cohere2": ("Cohere2Config", PLAIN | TIED | {"sliding_window": "4096"}),
    "seed_oss": (
        "SeedOssConfig",
        {
            "attention_bias": "true",
            "attention_out_bias": "false",
            "mlp_bias": "false",
            "tie_word_embeddings": "false",
        },
    ),
    "smollm3": ("SmolLM3Config", PLAIN | TIED | {"mlp_bias": "false"}),
    "exaone4": ("Exaone4Config", {"sliding_window": "4096", "tie_word_embeddings": "false"}),
    "granite": ("GraniteConfig", PLAIN | {"mlp_bias": "false"}),
    "hunyuan_v1_dense": ("HunYuanDenseV1Config", PLAIN),
    "ernie4_5": ("Ernie4_5Config", TIED | {"head_dim": "128", "use_bias": "false"}),
    "ministral3": (
        "Ministral3Config",
        {"head_dim": "128", "sliding_window": "null", "tie_word_embeddings": "false"},
    ),
    "gpt2": ("GPT2Config", TIED),
    "gpt_bigcode": ("GPTBigCodeConfig", TIED | {"multi_query": "true"}),
    "gptj": ("GPTJConfig", {"tie_word_embeddings": "false"}),
    "gpt_neox": ("GPTNeoXConfig", {"attention_bias": "true", "tie_word_embeddings": "false"}),
    "starcoder2": ("Starcoder2Config", TIED | {"sliding_window": "null", "use_bias": "true"}),
    "stablelm": (
        "StableLmConfig",
        {
            "tie_word_embeddings": "false",
            "use_parallel_residual": "false",
            "use_qkv_bias": "false",
        },
    ),
    "hunyuan_v1_moe": ("HunYuanMoEV1Config", PLAIN),
    "dots1": (
        "Dots1Config",
        PLAIN
        | {"max_window_layers": "62", "n_group": "1", "sliding_window": "4096", "topk_group": "1"},
    ),
    "ernie4_5_moe": (
        "Ernie4_5_MoeConfig",
        TIED | {"moe_layer_interval": "1", "moe_num_shared_experts": "2", "use_bias": "false"},
    ),
    "glm4_moe_lite": ("Glm4MoeLiteConfig", PLAIN | {"n_group": "1", "topk_group": "1"}),
    "glm_moe_dsa": ("GlmMoeDsaConfig", PLAIN | {"n_group": "1", "topk_group": "1"}),
    "deepseek_v4": (
        "DeepseekV4Config",
        {"n_shared_experts": "1", "num_hash_layers": "3", "tie_word_embeddings": "false"},
    ),
    "deepseek_ref": (
        "DeepseekV4Config",
        {"n_shared_experts": "1", "num_hash_layers": "3", "tie_word_embeddings": "false"},
    ),
    "qwen2_moe": (
        "Qwen2MoeConfig",
        {
            "decoder_sparse_step": "1",
            "mlp_only_layers": "[]",
            "qkv_bias": "true",
            "tie_word_embeddings": "false",
            "use_sliding_window": "false",
        },
    ),
    "step3p5": ("Step3p7TextConfig", PLAIN | {"head_dim": "128"}),
    "step3p7_text": ("Step3p7TextConfig", PLAIN | {"head_dim": "128"}),
    "gemma3n_text": (
        "Gemma3nTextConfig",
        TIED
        | {
            "altup_num_inputs": "4",
            "attention_bias": "false",
            "hidden_size_per_layer_input": "256",
            "laurel_rank": "64",
            "sliding_window": "512",
        },
    ),
    "gemma4_text": (
        "Gemma4TextConfig",
        TIED
        | {
            "attention_bias": "false",
            "global_head_dim": "512",
            "num_kv_shared_layers": "0",
            "sliding_window": "512",
            "use_double_wide_mlp": "false",
        },
    ),
    "mimo_v2_flash": ("MiMoV2FlashConfig", PLAIN | {"n_group": "1", "topk_group": "1"}),
    "minimax_m3_vl_text": ("MiniMaxM3VLTextConfig", {"tie_word_embeddings": "false"}),
    "mistral_large4_text": (
        "MistralLarge4TextConfig",
        PLAIN | {"n_group": "1", "topk_group": "1"},
    ),
}
SWITCHES = {
    name: (f"transformers' {configuration}", defaults)
    for name, (configuration, defaults) in SWITCHES.items()
}
"""Configuration class, and the defaults of its switches and options as a message shows them."""

VISION = {"qwen3_vl_text", "qwen3_vl_moe_text"}
"""Types that are never tied where the file does not say so, whatever their class takes."""

TYPES = set(SWITCHES) | VISION
TYPES |= {"gemma3n", "gemma4", "kimi_k25", "minimax_m3_vl", "mistral3", "mistral_large4"}
TYPES |= {"qwen3_vl", "qwen3_vl_moe", "step3p7"}
"""Every type of which the tests stand in ``importers/test_newer_families.py``."""
