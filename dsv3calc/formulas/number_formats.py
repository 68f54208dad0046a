"""Number formats: bits, ranges and errors of floats and LogFMT, and what quantising saves."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dsv3calc.formulas.registry.registry import SHARE, formula
from dsv3calc.formulas.registry.units import Bits, Count, Expected, Ratio
from dsv3calc.numbers.ops import ratio


@formula(r"b_\mathrm{float}")
def float_bits(exponent_bits: Bits, mantissa_bits: Bits) -> Bits:
    r"""Count the bits of a float.

    .. math:: b_\mathrm{float} = 1 + b_\mathrm{exp} + b_\mathrm{man}

    Parameters
    ----------
    exponent_bits
        Bits of the exponent.
    mantissa_bits
        Bits of the fraction.

    Returns
    -------
    Bits.

    Notes
    -----
    One for the sign.

    Examples
    --------
    The accumulators of Hopper's FP8 tensor cores:

    >>> float_bits(8, 13)
    22

    Source
    ------
    arXiv:2505.09343 §3.1.1.
    """
    return 1 + exponent_bits + mantissa_bits


@formula(r"b_\mathrm{sig}")
def significand_bits(mantissa_bits: Bits) -> Bits:
    r"""Count the significant bits of a normal float.

    .. math:: b_\mathrm{sig} = b_\mathrm{man} + 1

    Parameters
    ----------
    mantissa_bits
        Bits of the fraction.

    Returns
    -------
    Bits.

    Notes
    -----
    The leading one is not stored.

    Examples
    --------
    >>> significand_bits(13)
    14

    Source
    ------
    arXiv:2412.19437 §3.5.2; derived here.
    """
    return mantissa_bits + 1


@formula(r"o_\mathrm{exp}")
def exponent_octaves(exponent_bits: Bits) -> Expected:
    r"""Give the number of powers of two that an exponent distinguishes.

    .. math:: o_\mathrm{exp} = 2^{b_\mathrm{exp}}

    Parameters
    ----------
    exponent_bits
        Bits of the exponent.

    Returns
    -------
    Octaves.

    Notes
    -----
    Codes for zero, infinity and NaN included.

    Examples
    --------
    >>> exponent_octaves(5)
    32

    Source
    ------
    Definition.
    """
    return 2**exponent_bits


@formula(r"\epsilon_\mathrm{float}", result=SHARE)
def float_error(mantissa_bits: Bits) -> Ratio:
    r"""Bound the relative error of rounding to a normal float.

    .. math:: \epsilon_\mathrm{float} = \frac{1}{2^{b_\mathrm{man} + 1}}

    Parameters
    ----------
    mantissa_bits
        Bits of the fraction.

    Returns
    -------
    Share of the number.

    Notes
    -----
    To the nearest.

    Examples
    --------
    E4M3 and BF16:

    >>> float_error(3), float_error(7)
    (0.0625, 0.00390625)

    Source
    ------
    Definition.
    """
    return ratio(1, 2 ** (mantissa_bits + 1))


@formula(r"n_\mathrm{log}", "code_bits >= 2")
def logfmt_intervals(code_bits: Bits) -> Expected:
    r"""Count the intervals between the magnitudes of LogFMT.

    .. math:: n_\mathrm{log} = 2^{b_\mathrm{code} - 1} - 2

    Parameters
    ----------
    code_bits
        Bits of a code, the sign's included.

    Returns
    -------
    Intervals.

    Notes
    -----
    One code of each sign is zero.

    Examples
    --------
    >>> logfmt_intervals(8), logfmt_intervals(10)
    (126, 510)

    Source
    ------
    arXiv:2505.09343 §3.2.
    """
    return 2 ** (code_bits - 1) - 2


@formula(r"o_\mathrm{step}", "code_bits >= 3")
def logfmt_step(octaves: Expected, code_bits: Bits) -> Expected:
    r"""Give the step of LogFMT between neighbouring magnitudes, as a logarithm to base 2.

    .. math:: o_\mathrm{step} = \frac{o}{2^{b_\mathrm{code} - 1} - 2}

    Parameters
    ----------
    octaves
        Powers of two between the smallest and the largest magnitude.
    code_bits
        Bits of a code, the sign's included.

    Returns
    -------
    Octaves.

    Notes
    -----
    Magnitudes are equally spaced in their logarithm, from the smallest to the largest of a tile.
    The paper's natural logarithm has the same steps times ln 2, and limits the range to 32 octaves.

    Examples
    --------
    The widest range in eight bits:

    >>> round(logfmt_step(32, 8), 4)
    0.254

    Source
    ------
    arXiv:2505.09343 §3.2.
    """
    return ratio(octaves, 2 ** (code_bits - 1) - 2)


@formula(r"\epsilon_\mathrm{log}", result=SHARE)
def logfmt_error(octave_step: Expected) -> Ratio:
    r"""Bound the relative error of LogFMT.

    .. math:: \epsilon_\mathrm{log} = \frac{2^{o_\mathrm{log}} - 1}{2^{o_\mathrm{log}} + 1}

    Parameters
    ----------
    octave_step
        Step between neighbouring magnitudes, as a logarithm to base 2.

    Returns
    -------
    Share of the number.

    Notes
    -----
    Rounded to the nearest magnitude, not to the nearest logarithm.

    Examples
    --------
    The widest range in eight and in ten bits:

    >>> [round(logfmt_error(32 / n), 4) for n in (126, 510)]
    [0.0878, 0.0217]

    Source
    ------
    arXiv:2505.09343 §3.2; derived here.
    """
    return ratio(2**octave_step - 1, 2**octave_step + 1)


@formula(r"K_\mathrm{mma}")
def wgmma_depth(bits: Bits) -> Expected:
    r"""Give the length that one WGMMA instruction sums over.

    .. math:: K_\mathrm{mma} = \frac{256}{b}

    Parameters
    ----------
    bits
        Width of an element.

    Returns
    -------
    Elements.

    Notes
    -----
    32 bytes of each row, whatever the type.

    Examples
    --------
    FP8:

    >>> wgmma_depth(8)
    32

    Source
    ------
    NVIDIA, PTX ISA, wgmma.mma_async, shapes.
    """
    return ratio(256, bits)


@formula(r"N_C")
def promotion_interval(instructions: Count, bits: Bits) -> Expected:
    r"""Give the elements that are summed up before promotion to FP32.

    .. math:: N_C = \frac{256 n_\mathrm{inst}}{b}

    Parameters
    ----------
    instructions
        Instructions between promotions.
    bits
        Width of an element.

    Returns
    -------
    Elements of the inner dimension.

    Notes
    -----
    ``wgmma_depth`` for each instruction.

    Examples
    --------
    DeepSeek-V3:

    >>> promotion_interval(4, 8)
    128

    Source
    ------
    arXiv:2412.19437 §3.3.2.
    """
    return ratio(256 * instructions, bits)


@formula(r"\rho_\mathrm{cast}", result=SHARE)
def fused_cast_share(bits: Bits, quantised_bits: Bits) -> Ratio:
    r"""Give the memory traffic of fused quantisation over that of a separate pass.

    .. math:: \rho_\mathrm{cast} = \frac{b}{b + 2 b_\mathrm{quant}}

    Parameters
    ----------
    bits
        Width of an activation as computed.
    quantised_bits
        Its width as quantised.

    Returns
    -------
    Share of the bytes.

    Notes
    -----
    Separate: read, write quantised, read again for the product. Fused: read once. Scales are left
    out.

    Examples
    --------
    BF16 to FP8:

    >>> fused_cast_share(16, 8)
    0.5

    Source
    ------
    arXiv:2412.19437 §3.5.2.
    """
    return ratio(bits, bits + 2 * quantised_bits)
