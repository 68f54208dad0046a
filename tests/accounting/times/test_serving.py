"""Decode steps over arrays: each element is the answer to a scalar question."""

import numpy as np
import pytest
from passes import layout_of, setting_of

from dsv3calc.accounting.serving.costs import cost_lines
from dsv3calc.accounting.serving.decode import Speculation, decode_lines
from dsv3calc.accounting.times.fold import Fold

POINTS = [(1, 0, 1, 8, 8), (7, 4096, 2, 4, 8), (64, 30000, 4, 16, 32), (129, 5000, 1, 64, 64)]
"""Batch, context, tp, dp and ep."""


def decoded(name, batch, past, tp, dp, ep, speculation=None):
    sequence = 1 if speculation is None else 1 + speculation.draft_tokens
    layout = layout_of(tp=tp, dp=dp, ep=ep)
    setting = setting_of(name, "decode", batch, sequence, past, layout=layout)
    found = decode_lines(Fold(setting), speculation)
    cost = cost_lines(setting.hardware, found, None, 0)
    return {line.name: line.value for line in (*found.lines, *cost.values())}


@pytest.mark.parametrize("speculation", [None, Speculation(draft_tokens=2, acceptance=0.8)])
def test_arrays_of_batch_context_and_layout_equal_one_after_the_other(speculation):
    columns = [np.array(each, dtype=float) for each in zip(*POINTS, strict=True)]
    together = decoded("deepseek-v3", *columns, speculation)
    for number, point in enumerate(POINTS):
        alone = decoded("deepseek-v3", *point, speculation)
        if point[0] == 1:  # one sequence has no halves
            alone |= {name: None for name in together if name.endswith("overlapped")}
        assert set(alone) == set(together)
        for name, value in alone.items():
            if value is not None:
                of_all = np.broadcast_to(together[name], (len(POINTS),))
                assert of_all[number] == pytest.approx(value, rel=1e-12), name


def test_bounds_of_arrays_equal_the_scalar_to_the_last_bit():
    batches = np.array([1.0, 2, 33, 500])
    together = decoded("llama-3.1-8b", batches, 1000, 4, 1, 1)
    for number, batch in enumerate(batches):
        alone = decoded("llama-3.1-8b", int(batch), 1000, 4, 1, 1)
        assert together["serve.tpot.bound"][number] == alone["serve.tpot.bound"]
