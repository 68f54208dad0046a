"""Parameters of vision towers with their projectors, from what a vision_config says.

Read in transformers' modeling_qwen3_vl.py, modeling_pixtral.py and modeling_mistral3.py, and in
Kimi-K2.5's own modelling code; each sum equals the parameters of the class built from the config.
Those of Gemma 4 and MiniMax-M3 are sums of shapes that equal what transformers 5.24 builds from one
published config each, tower and projector apart.
Kimi-K3's is read in public ports, and accounts for what the index of its files has beside the
language model.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from dsv3calc.schema.fields import LARGEST_COUNT


class Sizes:
    """Numbers of a vision_config by name; ``missing`` lists those that are none."""

    def __init__(self, config: dict[str, Any], outer: dict[str, Any], hidden_size: object) -> None:
        self.config = config
        self.outer = outer
        self.missing: list[str] = []
        self.text = self._whole("hidden_size of text_config", hidden_size)

    def __getitem__(self, name: str) -> int:
        return self._whole(name, self.config.get(name))

    def around(self, name: str) -> int:
        """Return a number that stands beside the vision_config."""
        return self._whole(name, self.outer.get(name))

    def length(self, name: str) -> int:
        """Return how many entries a list has."""
        value = self.config.get(name)
        if isinstance(value, list):
            return len(value)
        self.missing.append(name)
        return 0

    def _whole(self, name: str, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_COUNT:
            return value
        self.missing.append(name)
        return 1


def _block(hidden: int, inner: int) -> int:
    """Count a block with biases: two LayerNorms, a fused query-key-value, two matrices."""
    attention = 4 * hidden * hidden + 4 * hidden
    return 4 * hidden + attention + 2 * hidden * inner + inner + hidden


def _merger(width: int, out: int, norm: int) -> int:
    """Count a merger of patches: a LayerNorm, and two matrices with biases."""
    return 2 * norm + width * width + width + width * out + out


def qwen3_vl(sizes: Sizes) -> int:
    """Count Qwen3-VL's tower, with a merger and one more for each deepstack level."""
    hidden, out = sizes["hidden_size"], sizes["out_hidden_size"]
    patch = sizes["in_channels"] * sizes["temporal_patch_size"] * sizes["patch_size"] ** 2
    width = hidden * sizes["spatial_merge_size"] ** 2
    blocks = sizes["depth"] * _block(hidden, sizes["intermediate_size"])
    positions = sizes["num_position_embeddings"] * hidden
    levels = sizes.length("deepstack_visual_indexes") * _merger(width, out, width)
    return (patch + 1) * hidden + positions + blocks + _merger(width, out, hidden) + levels


def pixtral(sizes: Sizes) -> int:
    """Count Mistral's Pixtral tower without biases, its merger of patches and its projector."""
    hidden, inner = sizes["hidden_size"], sizes["intermediate_size"]
    patch = sizes["num_channels"] * sizes["patch_size"] ** 2 * hidden
    block = 2 * hidden + 4 * hidden * hidden + 3 * hidden * inner
    merged = hidden * sizes.around("spatial_merge_size") ** 2
    bias = 2 * sizes.text if sizes.outer.get("multimodal_projector_bias") else 0
    projector = hidden + merged * hidden + hidden * sizes.text + sizes.text**2 + bias
    return patch + hidden + sizes["num_hidden_layers"] * block + projector


def moonvit(sizes: Sizes) -> int:
    """Count Kimi-K2.5's MoonViT and its projector, which merges patches of two by two."""
    if sizes.config.get("mm_projector_type") != "patchmerger":
        sizes.missing.append("mm_projector_type")
    hidden = sizes["vt_hidden_size"]
    blocks = sizes["vt_num_hidden_layers"] * _block(hidden, sizes["vt_intermediate_size"])
    positions = sizes["init_pos_emb_height"] * sizes["init_pos_emb_width"] * hidden
    patch = (3 * sizes["patch_size"] ** 2 + 1) * hidden
    projected = sizes["mm_hidden_size"]
    merger = _merger(4 * projected, sizes["text_hidden_size"], projected)
    return patch + positions + blocks + 2 * hidden + merger


_K3 = {"merge_type": "sd2_tpool", "mlp_type": "mlp2", "norm_type": "rmsnorm"}
"""What Kimi-K3's tower must say of itself to be counted."""


def moonvit_3d(sizes: Sizes) -> int:
    """Count Kimi-K3's MoonViT without biases, heads wider than it, and its projector and norm."""
    said = _K3 | {"mm_projector_type": "patchmergerv2"}
    biases = ("attn_bias", "linear_bias", "patch_embed_proj_bias")
    wrong = [name for name, value in said.items() if sizes.config.get(name) != value]
    sizes.missing += wrong + [name for name in biases if sizes.config.get(name)]
    hidden, width = sizes["vt_hidden_size"], sizes["qkv_hidden_size"]
    block = 4 * hidden * width + 2 * hidden * sizes["vt_intermediate_size"] + 2 * hidden
    patch = 3 * sizes["patch_size"] ** 2 * hidden
    positions = sizes["init_pos_emb_height"] * sizes["init_pos_emb_width"] * hidden
    merged, out = 4 * sizes["mm_hidden_size"], sizes["text_hidden_size"]
    projector = merged * merged + merged * out + out
    return patch + positions + sizes["vt_num_hidden_layers"] * block + hidden + projector


def gemma4(sizes: Sizes) -> int:
    """Count Gemma 4's tower, whose blocks have four norms and two of heads, and its projector."""
    switches = ("attention_bias", "use_clipped_linears")
    sizes.missing += [name for name in switches if sizes.config.get(name) is not False]
    hidden, head = sizes["hidden_size"], sizes["head_dim"]
    heads = 2 * (sizes["num_attention_heads"] + sizes["num_key_value_heads"])
    block = hidden * heads * head + 3 * hidden * sizes["intermediate_size"] + 4 * hidden + 2 * head
    patch = 3 * sizes["patch_size"] ** 2 * hidden
    positions = 2 * sizes["position_embedding_size"] * hidden
    return patch + positions + sizes["num_hidden_layers"] * block + hidden * sizes.text


def minimax_m3(sizes: Sizes) -> int:
    """Count MiniMax-M3's tower, its projector of two matrices, and two more that merge patches."""
    if not sizes.outer.get("multimodal_projector_bias"):
        sizes.missing.append("multimodal_projector_bias")
    merging = sizes.config.get("img_token_compression_config")
    merge = Sizes(merging if isinstance(merging, dict) else {}, {}, sizes.text)
    hidden, width, text = sizes["hidden_size"], sizes.around("projector_hidden_size"), sizes.text
    pixels = sizes["num_channels"] * merge["temporal_patch_size"] * sizes["patch_size"] ** 2
    blocks = sizes["num_hidden_layers"] * _block(hidden, sizes["intermediate_size"])
    merged = text * merge["spatial_merge_size"] ** 2
    sizes.missing += merge.missing
    projector = (hidden + 1) * width + (width + 1) * text
    return (
        pixels * hidden
        + 2 * hidden
        + blocks
        + projector
        + (merged + 1) * width
        + (width + 1) * text
    )
