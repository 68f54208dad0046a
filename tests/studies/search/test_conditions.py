"""Conditions of --where: what they say, and what they refuse."""

import numpy as np
import pytest

from dsv3calc.errors import UsageError
from dsv3calc.studies.search.conditions import read_condition

KNOWN = ("tp", "ep", "pp", "schedule", "memory", "sequence_parallel", "virtual_pipeline")
VALUES = {
    "tp": np.array([1, 2, 8]),
    "ep": np.array([8, 0, 64]),
    "pp": 4,
    "schedule": "1f1b",
    "memory": np.array([1.0, 2.0**31, 2.0**40]),
    "sequence_parallel": True,
    "virtual_pipeline": 2,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tp <= 2 and ep >= 8", [True, False, False]),
        ("not tp <= 2 or ep == 0", [False, True, True]),
        ("1 < tp <= 8", [False, True, True]),
        ("tp * ep % 3 == 2", [True, False, True]),
        ("tp in (1, 8)", [True, False, True]),
        ("tp not in (1, 8)", [False, True, False]),
        ("schedule == '1f1b' and tp > 1", [False, True, True]),
        ("schedule in ('zb1p', 'gpipe')", False),
        ("memory <= '2 GiB'", [True, True, False]),
        ("sp and vpp == pp / 2", True),
        ("tp / ep > 0.1", [True, True, True]),
        ("-tp < -1", [False, True, True]),
        ("schedule == 1", False),
        ("schedule != 1", True),
    ],
)
def test_what_a_condition_says(text, expected):
    found = read_condition(text, KNOWN).holds(VALUES)
    assert np.broadcast_to(found, (3,)).tolist() == np.broadcast_to(expected, (3,)).tolist()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tp",
        "tp + 1",
        "tp <",
        "__import__('os').system('true') == 0",
        "tp.real > 1",
        "(lambda: 1)() == 1",
        "[tp for tp in (1,)] == 1",
        "tp ** 9**9 > 1",
        "tp is 1",
        "tp / 0 > 1",
        "tp in ep",
        "tp in ()",
        "f'{tp}' == '1'",
        "tp == 1 if ep else 2",
        "(tp := 4) == 4",
        "heads > 1",
        "tp == b'1'",
        "tp == 1j",
        "memory < 'many'",
        "tp == " + "9" * 400,
        "tp > 1 and " * 400 + "tp > 1",
        "(" * 300 + "tp" + ")" * 300 + " > 1",
        "not " * 60 + "tp > 1",
        "tp > 1\0",
    ],
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(UsageError):
        read_condition(text, KNOWN)


def test_a_word_has_no_order_with_a_number():
    condition = read_condition("schedule <= 3", KNOWN)
    with pytest.raises(UsageError, match="the word '1f1b' is not larger or smaller"):
        condition.holds(VALUES)


@pytest.mark.parametrize("text", ["schedule + 1 > 2", "-schedule < 0", "tp < -'a'", "'a' % tp > 1"])
def test_a_word_is_no_number(text):
    condition = read_condition(text, KNOWN)
    with pytest.raises(UsageError, match="is no number"):
        condition.holds(VALUES)


def test_the_layers_of_stages_are_a_word():
    condition = read_condition("split == '3,5'", ["layer_split"])
    assert condition.holds({"layer_split": [3, 5]})
    assert not condition.holds({"layer_split": [4, 4]})
