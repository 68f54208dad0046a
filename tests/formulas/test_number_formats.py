"""Number formats against their own numbers, written out."""

import math

import numpy as np
import pytest

from dsv3calc.formulas import number_formats

FORMATS = [(np.float16, 5, 10), (np.float32, 8, 23)]


@pytest.mark.parametrize(("kind", "exponent", "mantissa"), FORMATS)
def test_floats_of_numpy(kind, exponent, mantissa):
    told = np.finfo(kind)
    assert number_formats.float_bits(exponent, mantissa) == told.bits
    assert number_formats.float_error(mantissa) == told.eps / 2
    assert number_formats.exponent_octaves(exponent) == 2**told.iexp
    assert number_formats.significand_bits(mantissa) == told.nmant + 1


def magnitudes(octaves, bits):
    """Write out all magnitudes of LogFMT: the codes of one sign but that of zero."""
    codes = range(1, 2 ** (bits - 1))
    step = octaves * math.log(2) / (len(codes) - 1)
    return [math.exp(step * (code - 1)) for code in codes]


@pytest.mark.parametrize("bits", [4, 8, 10])
def test_logfmt_written_out(bits):
    table = magnitudes(32, bits)
    assert number_formats.logfmt_intervals(bits) == len(table) - 1
    step = number_formats.logfmt_step(32, bits)
    assert math.isclose(table[1] / table[0], 2**step)
    assert math.isclose(table[-1] / table[0], 2.0**32)
    middle = (table[0] + table[1]) / 2  # as far as a number can be from both
    assert math.isclose((middle - table[0]) / middle, number_formats.logfmt_error(step))


def test_bytes_of_a_cast_on_the_way():
    apart, fused = 2 + 1 + 1, 2
    assert number_formats.fused_cast_share(16, 8) == fused / apart


def test_a_promotion_interval_is_instructions_deep():
    assert number_formats.promotion_interval(4, 8) == 4 * number_formats.wgmma_depth(8)
    assert number_formats.wgmma_depth(16) == 16
