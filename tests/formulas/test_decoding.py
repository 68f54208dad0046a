"""The limit of decoding as arXiv:2505.09343 computes it, and MTP's gain."""

import pytest

from dsv3calc.formulas import decoding, transfers


def test_the_limit_of_the_paper():
    assert decoding.hidden_in_thousands(7168) == 7000
    exchange = transfers.transfer_time(3 * 32 * 9 * 7000, 50 * 10**9, 1, 2, 0)
    assert exchange == 0.00012096
    assert decoding.two_micro_batch_time(exchange) == 0.00024192
    assert 1 / decoding.time_per_output_token(61, 0.00024192) == pytest.approx(67.76, abs=0.005)


def test_mtp_gain():
    assert decoding.mtp_gain(0.8, 0) == 1.8
    assert decoding.mtp_gain(0.85, 1 / 61) == pytest.approx(1.820, abs=5e-4)
    assert decoding.mtp_gain(0.9, 0.056) == pytest.approx(1.80, abs=5e-3)
