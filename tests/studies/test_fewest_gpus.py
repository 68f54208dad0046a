"""The numbers of GPUs among which the search for the fewest divides experts."""

import msgspec
import pytest

import dsv3calc
from dsv3calc import presets
from dsv3calc.studies import fewest_gpus, layouts

MODEL = dsv3calc.load_model("deepseek-v3")
LAYOUT = presets.load("layout", "v3-pretrain").value


@pytest.mark.parametrize(
    ("shared", "redundant", "slots"),
    [("local", 0, 256), ("local", 14, 270), ("routed", 0, 257), ("routed", 14, 270)],
)
def test_groups_are_those_that_the_places_divide_among(shared, redundant, slots):
    """A shared expert that is dispatched has a place too, among the redundant ones if any."""
    layout = msgspec.structs.replace(
        LAYOUT, ep=1, shared_experts=shared, redundant_experts=redundant
    )
    found = [*fewest_gpus.expert_groups(MODEL, layout)]
    assert found == [number for number in range(1, slots + 1) if slots % number == 0]
    for ep in found:
        tried = msgspec.structs.replace(layout, ep=ep)
        assert not [*layouts.expert_problems(MODEL, tried)]
