"""Transfers: bytes of copies and the tables of DeepEP, times, and what computation hides."""

import pytest

from dsv3calc.formulas import algorithms, traffic, transfers


@pytest.mark.parametrize(
    ("bits", "group", "scale", "beside", "bytes_"),
    [
        (8, 128, 32, 16, 7408),
        (16, 1, 0, 0, 14336),
        (8, 128, 32, 0, 7392),
        (12, 128, 32, 0, 10976),
        (10, 128, 32, 0, 9184),
    ],
)
def test_bytes_of_a_copy(bits, group, scale, beside, bytes_):
    assert transfers.transfer_bytes(7168, bits, group, scale, beside) == bytes_


def test_identities_of_deepep():
    assert transfers.element_share(8, 128, 32, 16) == (1 + 4 / 128) / 2 == 0.515625
    for ranks, logical, physical in ((16, 43, 21.5), (32, 58, 43.5), (64, 51, 44.625)):
        assert logical * traffic.crossing_share(ranks, 8) == physical == logical * (1 - 8 / ranks)


def test_the_low_latency_table():
    """Bytes over latency: 128 tokens to 8 experts, ten slots masked (dispatch at EP128)."""
    moved = (128 * 8 - 10) * transfers.transfer_bytes(7168, 8, 128, 32, 16)
    assert int(moved / 192e-6 / 1e9) == 39


LOW_LATENCY = [  # ranks, then us and GB/s of dispatch, us and GB/s of combine
    # README.md of 2025-02-25
    (8, 163, 46, 318, 46), (16, 173, 43, 329, 44), (32, 182, 41, 350, 41),
    (64, 186, 40, 353, 41), (128, 192, 39, 369, 39), (256, 194, 39, 360, 40),
    # since 2025-06-05; today's docs/legacy.md
    (8, 77, 98, 114, 127), (16, 118, 63, 195, 74), (32, 155, 48, 273, 53),
    (64, 173, 43, 314, 46), (128, 192, 39, 369, 39), (256, 194, 39, 360, 40),
]  # fmt: skip


@pytest.mark.parametrize("row", LOW_LATENCY)
def test_each_cell_of_the_low_latency_tables(row):
    """Bandwidth is bytes over latency: rounded as printed, or cut off in four cells of 24."""
    _, *cells = row
    copies = 128 * 8 - 10  # ten slots of the test are masked
    each = (
        transfers.transfer_bytes(7168, 8, 128, 32, 16),
        transfers.transfer_bytes(7168, 16, 1, 0, 0),
    )
    for size, micros, printed in zip(each, cells[::2], cells[1::2], strict=True):
        found = copies * size / micros / 1e3
        cut_off = (micros, printed) in ((350, 41), (118, 63), (114, 127), (195, 74))
        assert (int(found) if cut_off else round(found)) == printed
        assert abs(found - printed) < 0.67


def test_hidden_and_exposed_make_up_the_whole():
    for whole, beside in ((4, 1), (4, 4), (3, 8), (5, 0)):
        hidden = transfers.hidden_share(whole, beside) * whole
        assert hidden + transfers.exposed_time(whole, beside) == whole


def test_a_group_of_one_waits_for_nothing():
    assert transfers.transfer_time(0, 10**9, 1, algorithms.switched_messages(1, 1), 5) == 0
