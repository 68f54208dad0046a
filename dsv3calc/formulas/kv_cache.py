"""The KV cache: elements and bytes of one token in one layer, tokens kept, bytes in all."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import formula
from dsv3calc.formulas.registry.units import (
    Bits,
    Bytes,
    BytesPerToken,
    Count,
    Elements,
    FractionalBytes,
    Ratio,
    Tokens,
)
from dsv3calc.numbers.ops import ceil_div, floor_div, ratio


@formula(r"n_\mathrm{vec}")
def cached_vectors(num_key_value_heads: Count) -> Count:
    r"""Count the vectors that MHA, GQA and MQA cache for a token: a key and a value per head.

    .. math:: n_\mathrm{vec} = 2 n_{kv}

    Parameters
    ----------
    num_key_value_heads
        Key-value heads: as many as query heads in MHA, one in MQA.

    Returns
    -------
    Vectors of ``head_dim`` elements.

    Notes
    -----
    Exact.

    Examples
    --------
    >>> cached_vectors(8)
    16

    Source
    ------
    arXiv:2305.13245 §2.2.
    """
    return 2 * num_key_value_heads


@formula(r"B_\mathrm{entry}", "group_size >= 1")
def entry_bytes(
    vectors: Count, width: Elements, bits: Bits, group_size: Elements, scale_bits: Bits
) -> Bytes:
    r"""Give the bytes of equal vectors of one token in one layer, with their scales.

    .. math:: B_\mathrm{entry} = \lceil n_\mathrm{vec} (d b + \lceil d / g \rceil b_s) / 8 \rceil

    Parameters
    ----------
    vectors
        How many vectors are cached.
    width
        Elements of each.
    bits
        Width of an element.
    group_size, scale_bits
        Elements that share a scale (a whole vector at most), and the width of that scale; a
        format without stored scales has ``scale_bits`` 0.

    Returns
    -------
    Bytes, rounded up to whole ones.

    Notes
    -----
    A group never spans two vectors: a last, shorter group has a scale of its own.

    Examples
    --------
    The latent of FlashMLA's FP8 cache: 512 bytes and four FP32 scales.

    >>> entry_bytes(1, 512, 8, 128, 32)
    528

    Source
    ------
    Derived here; the example is the README of deepseek-ai/FlashMLA.
    """
    return ceil_div(vectors * (width * bits + ceil_div(width, group_size) * scale_bits), 8)


@formula(r"B_\mathrm{kv}")
def cache_bytes(batch: Count, layers: Count, tokens: Tokens, token_bytes: Bytes) -> Bytes:
    r"""Give the bytes of the cache of layers of one kind.

    .. math:: B_\mathrm{kv} = B \ell T B_\mathrm{entry}

    Parameters
    ----------
    batch
        Sequences in the cache.
    layers
        Layers of that kind.
    tokens
        Tokens that each of them holds for a sequence.
    token_bytes
        Bytes of one token in one layer.

    Returns
    -------
    Bytes in total.

    Notes
    -----
    Prefixes that sequences share are counted for each of them.

    Examples
    --------
    DeepSeek-V3 at 4,096 tokens in BF16:

    >>> cache_bytes(1, 61, 4096, 1152)
    287834112

    Source
    ------
    Table 1 of arXiv:2505.09343 for one token.
    """
    return batch * layers * tokens * token_bytes


@formula(r"B_\mathrm{token}")
def token_bytes_in_layers(layers: Count, token_bytes: Bytes) -> Bytes:
    r"""Give what one more token appends to the cache of layers of one kind.

    .. math:: B_\mathrm{token} = \ell B_\mathrm{entry}

    Parameters
    ----------
    layers
        Layers of that kind.
    token_bytes
        Bytes of one token in one layer.

    Returns
    -------
    Bytes for each new token, before anything is evicted.

    Notes
    -----
    Layers of limited span append as much as the others; they evict as much once full.

    Examples
    --------
    DeepSeek-V3 in BF16, the 70.272 KB of the paper:

    >>> token_bytes_in_layers(61, 1152)
    70272

    Source
    ------
    Table 1 of arXiv:2505.09343.
    """
    return layers * token_bytes


@formula(r"n_\mathrm{fit}")
def sequences_that_fit(available: Bytes, sequence_bytes: Bytes) -> Count:
    r"""Count the sequences whose caches fit side by side.

    .. math:: n_\mathrm{fit} = \lfloor B_\mathrm{free} / B_\mathrm{seq} \rfloor

    Parameters
    ----------
    available
        Bytes that the caches may take.
    sequence_bytes
        Bytes of the cache of one sequence.

    Returns
    -------
    Whole sequences.

    Notes
    -----
    Nothing is shared between sequences.

    Examples
    --------
    Sequences of 4,096 tokens of DeepSeek-V3 in 40 GiB:

    >>> sequences_that_fit(42949672960, 287834112)
    149

    Source
    ------
    Derived here.
    """
    return floor_div(available, sequence_bytes)


@formula(r"\delta_\mathrm{KV}", "kept_bytes <= reference_bytes")
def cache_reduction(kept_bytes: Bytes, reference_bytes: Bytes) -> Ratio:
    r"""Give the share by which one cache is smaller than another.

    .. math:: \delta_\mathrm{KV} = 1 - \frac{B_\mathrm{kept}}{B_\mathrm{ref}}

    Parameters
    ----------
    kept_bytes
        Bytes of the cache.
    reference_bytes
        Bytes of the cache that it is compared with, for as many tokens.

    Returns
    -------
    Share of the reference that is saved.

    Notes
    -----
    The cache is at most as large as the reference.

    Examples
    --------
    A token of DeepSeek-V2 at 6 bits an element, and of DeepSeek 67B in BF16:

    >>> round(cache_reduction(25920, 389120), 4)
    0.9334

    Source
    ------
    Definition; arXiv:2405.04434 states 93.3 %.
    """
    return 1 - ratio(kept_bytes, reference_bytes)


@formula(r"\rho_\mathrm{KV}", "reference_bytes_per_token > 0")
def cache_growth_ratio(
    growing_bytes_per_token: BytesPerToken, reference_bytes_per_token: BytesPerToken
) -> Ratio:
    r"""Give what a token adds to one cache over what it adds to another.

    .. math:: \rho_\mathrm{KV} = \frac{b_\mathrm{grow}}{b_\mathrm{ref}'}

    Parameters
    ----------
    growing_bytes_per_token
        Bytes that a token adds to the cache, only in layers without a window.
    reference_bytes_per_token
        Bytes that it adds to the cache of another model.

    Returns
    -------
    Share of the reference; more than one where the cache grows faster.

    Notes
    -----
    Compares long caches: what a sequence keeps at a fixed size is left out. The storage formats of
    the two caches are a part of the comparison.

    Examples
    --------
    DeepSeek-V3.2 and V4-Pro, all in BF16:

    >>> round(cache_growth_ratio(85888, 9848), 2)
    8.72

    Source
    ------
    Definition.
    """
    return ratio(growing_bytes_per_token, reference_bytes_per_token)


@formula(r"B_\mathrm{grown}")
def grown_cache_bytes(tokens: Tokens, growing_bytes_per_token: BytesPerToken) -> FractionalBytes:
    r"""Give the bytes of a cache without its windows and states.

    .. math:: B_\mathrm{grown} = T b_\mathrm{grow}

    Parameters
    ----------
    tokens
        Tokens of the sequence.
    growing_bytes_per_token
        Bytes that a token adds to the cache, only in layers without a window.

    Returns
    -------
    Bytes of one sequence.

    Notes
    -----
    Exact at multiples of the tokens that a compressed entry stands for.

    Examples
    --------
    DeepSeek-V4-Pro in BF16 at 1,048,576 tokens:

    >>> grown_cache_bytes(1048576, 9848)
    10326376448

    Source
    ------
    Definition.
    """
    return tokens * growing_bytes_per_token
