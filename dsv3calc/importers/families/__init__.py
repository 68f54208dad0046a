"""One table for each ``model_type``: keys that are read, that have defaults, or are ignored.

``MODULES`` names the module that holds a family, so that an import loads that one alone.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsv3calc.importers.family import Family

MODULES = {
    "llama": "llama",
    "mistral": "llama",
    "mixtral": "llama",
    "qwen": "qwen1",
    "qwen2": "qwen",
    "qwen3": "qwen",
    "qwen3_moe": "qwen",
    "deepseek": "deepseek1",
    "deepseek_v2": "deepseek",
    "deepseek_v3": "deepseek",
    "deepseek_v32": "deepseek",
    "kimi_k2": "deepseek",
    "glm4_moe": "glm",
    "gpt_oss": "gpt_oss",
    "gemma2": "gemma",
    "gemma3": "gemma",
    "gemma3_text": "gemma",
    "gemma3n": "gemma4",
    "gemma3n_text": "gemma4",
    "gemma4": "gemma4",
    "gemma4_text": "gemma4",
    "llama4": "llama4",
    "llama4_text": "llama4",
    "olmoe": "olmoe",
    "phimoe": "phimoe",
    "dbrx": "dbrx",
    "minimax_m2": "minimax",
    "deepseek_v4": "deepseek_v4",
    "deepseek_ref": "deepseek_v4",
    "kimi_k25": "deepseek",
    "mistral3": "llama",
    "qwen2_moe": "qwen",
    "qwen3_vl": "qwen",
    "qwen3_vl_text": "qwen",
    "qwen3_vl_moe": "qwen",
    "qwen3_vl_moe_text": "qwen",
    "step3p5": "step",
    "step3p7": "step",
    "step3p7_text": "step",
    "glm4_moe_lite": "deepseek",
    "glm_moe_dsa": "deepseek",
    "hunyuan_v1_moe": "experts",
    "dots1": "experts",
    "ernie4_5_moe": "experts",
    "phi3": "dense",
    "olmo2": "dense",
    "olmo3": "dense",
    "cohere": "dense",
    "cohere2": "dense",
    "seed_oss": "dense",
    "smollm3": "dense",
    "exaone4": "dense",
    "granite": "dense",
    "hunyuan_v1_dense": "dense",
    "ernie4_5": "dense",
    "ministral3": "dense",
    "mimo_v2_flash": "mimo",
    "minimax_m3_vl": "minimax_m3",
    "minimax_m3_vl_text": "minimax_m3",
    "mistral_large4": "mistral_large4",
    "mistral_large4_text": "mistral_large4",
    "gpt2": "layer_norm",
    "gpt_bigcode": "layer_norm",
    "gpt_neox": "layer_norm",
    "gptj": "layer_norm",
    "starcoder2": "layer_norm",
    "stablelm": "layer_norm",
    "kimi_linear": "kimi_linear",
    "kimi_k3": "kimi_linear",
    "bailing_hybrid": "kimi_linear",
    "nemotron_h": "nemotron_h",
    "mamba2": "mamba",
    "falcon_h1": "mamba",
    "granitemoehybrid": "mamba",
    "jamba": "mamba",
    "minimax": "minimax_linear",
    "minimax_text_01": "minimax_linear",
    "minimax_m1": "minimax_linear",
    "longcat_flash": "longcat",
    "qwen3_next": "qwen_next",
    "qwen3_5": "qwen_next",
    "qwen3_5_text": "qwen_next",
    "qwen3_5_moe": "qwen_next",
    "qwen3_5_moe_text": "qwen_next",
}


def family(model_type: str) -> Family:
    """Return the table of a supported ``model_type``."""
    from importlib import import_module

    found: Family = import_module(f"{__name__}.{MODULES[model_type]}").FAMILIES[model_type]
    return found
