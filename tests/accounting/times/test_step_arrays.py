"""A training step of many layouts at once equals that of each, to the last bit."""

import msgspec
import numpy as np
import pytest

from dsv3calc.accounting.memory.in_common import InCommon
from dsv3calc.accounting.times.fold import Fold
from dsv3calc.accounting.times.step import Step
from dsv3calc.queries.train import TrainQuery
from dsv3calc.studies.answer import Answer
from dsv3calc.studies.layout.choose import chosen_layout
from dsv3calc.studies.memory.inputs import recompute_of
from dsv3calc.studies.preset_loader import PresetLoader
from dsv3calc.studies.times.train import presets_of, setting_of

SEQUENCE = 4096


def setting_and_policy(query):
    loader, answer = PresetLoader(query), Answer("train", {})
    model, hardware = loader.model(query.model), loader.hardware(query.hardware)
    layout = chosen_layout(query, loader, answer, model.value)
    used = presets_of(query, loader, answer, model, hardware, layout)
    policy = recompute_of(query, loader, layout).value
    return setting_of(query, answer, used, layout, SEQUENCE), policy


def step_at(setting, policy, what, **axes):
    """Return a step with axes of the layout put in: numbers, or arrays."""
    layout = msgspec.structs.replace(setting.layout, **axes)
    batch = layout.micro_batch
    workload = msgspec.structs.replace(setting.workload, batch=batch)
    fold = Fold(msgspec.structs.replace(setting, layout=layout, workload=workload))
    return Step(fold, policy, what, InCommon())


DENSE = TrainQuery(
    model="llama-3.1-8b", hardware="h100", setup="megatron-dense", pp=4, dp=2, global_batch=64,
    recompute="alternate-products",
)  # fmt: skip
SPARSE = TrainQuery(
    model="deepseek-v3", hardware="h800", layout="v3-pretrain", setup="deepseek-dualpipe"
)
CASES = [
    (DENSE, {"tp": (1, 2, 4), "dp": (1, 2, 4), "micro_batch": (1, 2, 1)}),
    (DENSE, {"pp": (1, 2, 8), "global_batch": (16, 128, 256)}),
    (SPARSE, {"dp": (128, 256, 64), "ep": (64, 32, 16), "global_batch": (15360, 30720, 7680)}),
    (SPARSE, {"pp": (4, 8, 16), "dp": (512, 256, 128), "global_batch": (15360, 30720, 15360)}),
]


@pytest.mark.parametrize("what", ["floor", "estimate"])
@pytest.mark.parametrize(("query", "axes"), CASES)
def test_arrays_of_layouts_and_batches(query, axes, what):
    setting, policy = setting_and_policy(query)
    columns = {name: np.array(values, dtype=np.float64) for name, values in axes.items()}
    several = step_at(setting, policy, what, **columns)
    for number, values in enumerate(zip(*axes.values(), strict=True)):
        one = step_at(setting, policy, what, **dict(zip(axes, values, strict=True)))
        assert np.broadcast_to(several.step.value, 3)[number] == one.step.value
        for name, phase in one.phases.items():
            found = np.broadcast_to(several.phases[name].value, 3)[number]
            assert found == pytest.approx(phase.value, rel=1e-15), name
