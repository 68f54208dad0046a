"""Mixers: what takes the place of attention in a layer, with a state of fixed size for a cache.

Fields carry the names that Hugging Face's ``config.json`` uses where it has one. ``chunk_size`` is
the length of the chunks in which training and prefill compute the recurrence; no weight and no
state depends on it.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from dsv3calc.schema.fields import Size

StateDtype = Literal["float32", "bfloat16", "float16"]
"""Data types in which an engine keeps a recurrent state."""

Problems = Iterator[tuple[tuple[str | int, ...], str, str]]


def _divides(field: str, fewer: int, more: int, words: str) -> Problems:
    if more % fewer:
        yield (
            (field,),
            f"{fewer} {words} do not divide {more} heads",
            "each of them serves the same number of heads",
        )


class GatedDeltaNet(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="gated_delta_net"
):
    """Gated DeltaNet (Qwen3-Next, Qwen3.5): a delta rule with one decay for each value head."""

    linear_num_key_heads: Size
    linear_num_value_heads: Size
    linear_key_head_dim: Size
    linear_value_head_dim: Size
    linear_conv_kernel_dim: Size
    chunk_size: Size = 64
    state_dtype: StateDtype = "float32"

    def problems(self) -> Problems:
        """Yield key heads that do not divide the value heads."""
        keys, values = self.linear_num_key_heads, self.linear_num_value_heads
        yield from _divides("linear_num_key_heads", keys, values, "key heads")


class KDA(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="kda"):
    """Kimi Delta Attention: a delta rule with one decay for each channel of a key.

    ``forget_gate`` and ``output_gate`` are one matrix each (``full``) or two of rank
    ``linear_head_dim`` (``low-rank``).
    """

    linear_num_heads: Size
    linear_head_dim: Size
    linear_conv_kernel_dim: Size
    forget_gate: Literal["low-rank", "full"] = "low-rank"
    output_gate: Literal["low-rank", "full"] = "low-rank"
    chunk_size: Size = 64
    state_dtype: StateDtype = "float32"


class Mamba2(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="mamba2"):
    """Mamba-2 (Nemotron-H, Granite 4, Falcon-H1): a state space with one decay for each head."""

    mamba_num_heads: Size
    mamba_head_dim: Size
    ssm_state_size: Size
    n_groups: Size
    conv_kernel: Size
    conv_bias: bool = True
    proj_bias: bool = False
    gated_norm: bool = True
    chunk_size: Size = 256
    state_dtype: StateDtype = "float32"

    def problems(self) -> Problems:
        """Yield groups that do not divide the heads."""
        yield from _divides("n_groups", self.n_groups, self.mamba_num_heads, "groups")


class Mamba(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="mamba"):
    """Mamba (Jamba): a state space with one decay for each channel and element of its state.

    ``inner_norms`` normalises the step and both sides of the state, as Jamba does.
    """

    mamba_inner_size: Size
    ssm_state_size: Size
    time_step_rank: Size
    conv_kernel: Size
    conv_bias: bool = True
    proj_bias: bool = False
    inner_norms: bool = False
    state_dtype: StateDtype = "float32"


class Lightning(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="lightning"
):
    """Lightning attention (MiniMax-Text-01, MiniMax-M1): linear attention with fixed decays."""

    num_attention_heads: Size
    head_dim: Size
    chunk_size: Size = 256
    state_dtype: StateDtype = "float32"


class ShortConvolution(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="short_convolution"
):
    """A gated convolution over the last tokens (LFM2), with no recurrence.

    ``conv_bias`` gives biases to the convolution and to both projections.
    """

    conv_kernel: Size
    conv_bias: bool = False


Mixer = GatedDeltaNet | KDA | Mamba2 | Mamba | Lightning | ShortConvolution
