"""Memory of a server: what it takes of a device, and the tokens that its cache holds."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Bytes, Count, Ratio, Tokens
from dsv3calc.numbers.ops import ceil_div, floor_div, maximum, minimum


@formula(r"T_\mathrm{pool}", "token_bytes >= 1")
def pool_tokens(pool: Bytes, token_bytes: Bytes, page_size: Tokens) -> Tokens:
    r"""Count the tokens that a pool of cache pages holds.

    .. math:: T_\mathrm{pool} = \lfloor B_\mathrm{free,kv} / (B_\mathrm{entry} T_p) \rfloor T_p

    Parameters
    ----------
    pool
        Bytes of the pool on one GPU.
    token_bytes
        Bytes of one token in all of its layers.
    page_size
        Tokens of a page.

    Returns
    -------
    Tokens, in whole pages.

    Notes
    -----
    Every layer keeps every token. A layer of limited span evicts tokens that have left its window,
    so that a pool holds more tokens of longer sequences: the number of sequences times their
    tokens.

    Examples
    --------
    40 GiB of DeepSeek-V3's latents in BF16, pages of 64 tokens:

    >>> pool_tokens(40 * 2**30, 70272, 64)
    611136

    Source
    ------
    Derived here.
    """
    return floor_div(pool, token_bytes * page_size) * page_size


@formula(r"B_\mathrm{budget}")
def server_budget(usable: Bytes, memory_share: Count) -> Bytes:
    r"""Give the bytes of a device that a server may take.

    .. math:: B_\mathrm{budget} = \lfloor M f_\mathrm{ppm} / 1000000 \rfloor

    Parameters
    ----------
    usable
        Bytes that a process can allocate.
    memory_share
        Share of them, in millionths.

    Returns
    -------
    Whole bytes.

    Notes
    -----
    Weights, buffers and cache share them.

    Examples
    --------
    Nine tenths of an H800:

    >>> server_budget(84943110144, 900000)
    76448799129

    Source
    ------
    vLLM, ``gpu_memory_utilization``.
    """
    return floor_div(usable * memory_share, 1000000)


@formula(r"\delta_\mathrm{load}", result=SHARE)
def loadable(undivided: Count) -> Count:
    r"""Tell whether an engine that refuses parts of blocks can load a model.

    .. math:: \delta_\mathrm{load} = 1 - \min(n_\mathrm{und}, 1)

    Parameters
    ----------
    undivided
        Tensors whose parts are not whole blocks.

    Returns
    -------
    1 where there are none, else 0.

    Notes
    -----
    An engine that pads such parts, or loads them as they are, refuses none.

    Examples
    --------
    >>> loadable(0), loadable(3)
    (1, 0)

    Source
    ------
    Definition.
    """
    return 1 - minimum(undivided, 1)


@formula(r"B_\mathrm{rep}")
def repacked_bytes(stored_bytes: Bytes, repacked: Ratio) -> Bytes:
    r"""Give the bytes that the layout of an engine's kernels adds to the stored bytes of weights.

    .. math:: B_\mathrm{rep} = \lceil B_\mathrm{stored} f_\mathrm{rep} / 1 \rceil

    Parameters
    ----------
    stored_bytes
        Bytes of the weights as their format stores them.
    repacked
        What the kernels' layout adds, as a share of these.

    Returns
    -------
    Whole bytes.

    Notes
    -----
    Padding to the tiles of a kernel, and copies that it keeps.

    Examples
    --------
    The experts of gpt-oss-120b in MXFP4:

    >>> repacked_bytes(60914073600, 0.0636)
    3874135081

    Source
    ------
    Definition.
    """
    return ceil_div(stored_bytes * repacked, 1)


@formula(r"B_\mathrm{pool}")
def cache_pool(budget: Bytes, weight_bytes: Bytes, buffer_bytes: Bytes) -> Bytes:
    r"""Give the bytes that weights and buffers leave for the cache.

    .. math::

        B_\mathrm{pool} = \lfloor \max(B_\mathrm{max} - B_\mathrm{w} - B_\mathrm{b}, 0) / 1 \rfloor

    Parameters
    ----------
    budget
        Bytes that the server may take.
    weight_bytes, buffer_bytes
        Bytes of weights, and of everything beside weights and cache.

    Returns
    -------
    Whole bytes; none where weights and buffers take more than there is.

    Notes
    -----
    Nothing is set aside beyond what is named.

    Examples
    --------
    >>> cache_pool(70 * 2**30, 25 * 2**30, 5 * 2**30)
    42949672960

    Source
    ------
    Definition.
    """
    return floor_div(maximum(budget - weight_bytes - buffer_bytes, 0), 1)
