"""Degrees that a hint names: those next to the given ones with which every rule holds."""

import re

import pytest

import dsv3calc
from dsv3calc.errors import UsageError

V3 = "deepseek-v3 --hardware h200"


def hint_of(query):
    with pytest.raises(UsageError) as caught:
        dsv3calc.answer(query)
    return caught.value.hint


def advice(hint):
    """Return each option with a value that a hint names."""
    found = []
    for option, values in re.findall(r"--([a-z-]+) ([0-9,]+(?: or [0-9,]+)*)(?=$|, )", hint):
        found += [(option, value) for value in values.split(" or ")]
    return found


@pytest.mark.parametrize(
    ("query", "takes"),
    [
        # DeepSeek-V3: 256 experts, 2,048 wide; 128 heads; 61 layers
        (f"memory {V3} --serve --dp 3 --ep 8", "take --dp 8"),
        (f"memory {V3} --layout v3-pretrain --dp 3", "take --dp 64"),
        (f"memory {V3} --dp 9 --ep 6", "take --ep 1"),
        (f"memory {V3} --dp 12 --ep 32", "take --ep 4, or --dp 32"),
        (f"traffic {V3} --dp 12 --ep 32", "take --ep 4, or --dp 32"),
        (f"memory {V3} --dp 10 --ep 4", "take --ep 2, or --dp 8 or 12"),
        (f"memory {V3} --tp 6 --ep 4", "take --tp 4 or 8"),
        (f"memory {V3} --tp 8 --etp 3", "take --etp 2 or 4"),
        (f"memory {V3} --ep 48", "take --ep 32 or 64, or --redundant-experts 32"),
        (f"memory {V3} --layout v3-pretrain --pp 62", "take --pp 60"),  # DualPipe: even
        (f"memory {V3} --tp 3 --fewest-gpus", "take --tp 2 or 4"),
        (f"memory {V3} --set layout.dp=12 --ep 32", "take --ep 4, or --dp 32"),
        # Llama 3.1 70B: 64 heads, 8 key-value heads; 28,672 = 2^12 x 7
        ("memory llama-3.1-70b --hardware h100 --tp 12", "take --tp 8 or 16"),
        # DeepSeek-V2-Lite: 64 experts, 1,408 = 2^7 x 11 wide
        (
            "memory deepseek-v2-lite --hardware h100 --serve --tp 8 --dp 64",
            "take --etp 128, or --ep 4",
        ),
    ],
)
def test_a_hint_names_what_passes(query, takes):
    hint = hint_of(query)
    assert hint.endswith(f": {takes}")
    for option, value in advice(hint):
        changed = re.sub(rf" (--{option} |--set layout\.{option}=)\d+", "", query)
        answer = dsv3calc.answer(f"{changed} --{option} {value}")
        assert answer.columns


@pytest.mark.parametrize(
    ("options", "change"),
    [("--tp 3 --ep 3", "--tp and --ep"), ("--tp 6 --dp 2 --ep 5", "--ep and --tp")],
)
def test_where_one_degree_is_not_enough_the_hint_says_which_must_change(options, change):
    hint = hint_of(f"memory {V3} {options}")
    assert hint.endswith(f": no change of one degree is enough: change {change}")


def test_a_query_whose_degrees_pass_gets_no_hint_of_degrees():
    """15,361 sequences do not divide; no degree mends that."""
    hint = hint_of(f"memory {V3} --layout v3-pretrain --global-batch 15361")
    assert hint.endswith("take a global batch of 15360 or 15488")
