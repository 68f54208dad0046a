"""Times of a pass: what kernels do adds up to the model, and their seconds to the pass."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from drawn import examples
from hypothesis import given
from hypothesis import strategies as st
from passes import fold_of, layout_of, lines_of, setting_of, values
from strategies import models

from dsv3calc.accounting.flops import flops_lines
from dsv3calc.accounting.roofline import roofline_lines
from dsv3calc.accounting.times.fold import Fold, time_lines
from dsv3calc.schema.workload import Conventions

fewer = examples(12)
phases = st.sampled_from(["train", "prefill", "decode"])
degrees = st.integers(1, 6)
MODELS = [
    "deepseek-v3", "deepseek-v3.2", "qwen3-235b-a22b", "mixtral-8x7b", "gemma-3-27b",
    "gpt-oss-120b", "llama-3.1-8b", "llama-4-maverick",
]  # fmt: skip
each_model = pytest.mark.parametrize("name", MODELS)
each_phase = pytest.mark.parametrize("phase", ["train", "prefill", "decode"])


def summed(fold, what):
    """Return a sum over kernels and layers."""
    return sum(
        place.layers.value * kernel.lines[what].value
        for place in fold.places
        for kernel in place.kernels
    )


@each_model
@each_phase
@pytest.mark.parametrize("mtp", ["in", "out"])
def test_flops_of_kernels_are_those_of_the_model(name, phase, mtp):
    conventions = Conventions(mtp=mtp)
    setting = setting_of(name, phase, 3, 64 if phase != "decode" else 1, conventions=conventions)
    counted = flops_lines(setting.model, setting.workload, conventions).total.value
    fold = fold_of(name, phase, 3, setting.workload.sequence, conventions=conventions)
    assert summed(fold, "flops") == counted


@each_model
@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_the_bound_of_a_pass_is_the_roofline(name, batch, phase):
    """The roofline of ``compare`` is that of a token, on one device."""
    setting = setting_of(name, phase, batch)
    of_token = roofline_lines(
        "roofline",
        setting.model,
        setting.workload,
        setting.conventions,
        precision=setting.precision,
        kv_format=setting.kv_format,
        hardware=setting.hardware,
    )
    found = time_lines(Fold(setting))
    tokens = batch * setting.workload.sequence
    for own, theirs in (
        (found.compute_time, of_token.compute_time),
        (found.memory_time, of_token.memory_time),
        (found.bound, of_token.time),
    ):
        assert own.value / tokens == pytest.approx(theirs.value, rel=1e-12)


@fewer
@given(model=models(), phase=phases, cp=degrees, ep=degrees, etp=degrees, dp=degrees)
def test_gpus_of_a_replica_share_its_flops(model, phase, cp, ep, etp, dp):
    """Without tensor parallelism nothing is computed twice, however experts are divided."""
    layout = layout_of(cp=Fraction(cp), ep=Fraction(ep), etp=Fraction(etp), dp=Fraction(dp))
    whole = fold_of(model, phase, 2, 12, 0, precision="bf16")
    shared = fold_of(model, phase, 2, 12, 0, precision="bf16", layout=layout)
    assert summed(shared, "flops") * cp == summed(whole, "flops")


@fewer
@given(phase=phases, tp=st.sampled_from([1, 2, 4, 8]), name=st.sampled_from(["llama-3.1-8b"]))
def test_tensor_parallel_gpus_share_the_flops_of_a_dense_model(phase, tp, name):
    whole = fold_of(name, phase, 2)
    shared = fold_of(name, phase, 2, layout=layout_of(tp=tp))
    assert summed(shared, "flops") * tp == summed(whole, "flops")


def test_tensor_parallelism_divides_a_replicated_latent_once():
    """DeepSeek-V3 on tp 4: down-projections and router are whole on every GPU, the rest divided."""
    whole, shared = (
        fold_of("deepseek-v3", "decode"),
        fold_of("deepseek-v3", "decode", layout=layout_of(tp=4, ep=4)),
    )
    for one, four in zip(whole.places, shared.places, strict=True):
        for before, after in zip(one.kernels, four.kernels, strict=True):
            name = before.kernel.name
            factor = 1 if name in ("qkv_a_proj", "router") else 4
            if before.lines["flops"].value:
                assert after.lines["flops"].value * factor == before.lines["flops"].value, name


@fewer
@given(
    model=models(), phase=phases, tp=degrees, cp=degrees, dp=degrees, ep=degrees, past=degrees,
    sequence_parallel=st.booleans(), batch=st.integers(1, 300),
    precision=st.sampled_from(["bf16", "fp8-deepseek-v3", "int4"]),
)  # fmt: skip
def test_a_bound_is_never_above_its_floor(
    model, phase, tp, cp, dp, ep, past, sequence_parallel, batch, precision
):
    layout = layout_of(tp=tp, cp=cp, dp=dp, sequence_parallel=sequence_parallel)
    past = 0 if phase == "train" else past
    found = lines_of(model, phase, batch, ep, past, precision=precision, layout=layout)
    assert 0 < found.bound.value <= found.floor.value
    for place in fold_of(model, phase, batch, ep, past, precision=precision, layout=layout).places:
        for kernel in place.kernels:
            assert kernel.lines["bound"].value <= kernel.lines["floor"].value, kernel.kernel.name


@each_phase
@pytest.mark.parametrize("name", ["deepseek-v3", "gemma-3-27b"])
def test_kernels_add_up_to_places_components_and_the_pass(name, phase):
    found = lines_of(name, phase, 2)
    lines = values(found.lines)
    for what in ("flops", "moved", "bound", "floor"):
        whole = lines[f"time.kernels.{what}"]
        fold = fold_of(name, phase, 2)
        assert summed(fold, what) == pytest.approx(whole, rel=1e-12)
        places = sum(place.whole[what].value for place in fold.places)
        assert places == pytest.approx(whole, rel=1e-12)
        components = sum(line.value for line in found.components if line.tags.quantity == what)
        assert components == pytest.approx(whole, rel=1e-12)
    assert found.floor.value == lines["time.kernels.floor"]


# Arrays and symbols


LAYOUTS = [(1, 1, 1), (2, 1, 4), (8, 2, 1), (4, 4, 16)]


@each_phase
@pytest.mark.parametrize("name", ["deepseek-v3", "llama-3.1-8b"])
def test_arrays_of_layouts_equal_one_after_the_other(name, phase):
    tp, cp, dp = (np.array(each, dtype=float) for each in zip(*LAYOUTS, strict=True))
    together = lines_of(name, phase, 4, layout=layout_of(tp=tp, cp=cp, dp=dp))
    for number, (tp, cp, dp) in enumerate(LAYOUTS):
        alone = lines_of(name, phase, 4, layout=layout_of(tp=tp, cp=cp, dp=dp))
        for what in ("bound", "floor"):
            of_all = np.broadcast_to(getattr(together, what).value, (4,))
            assert of_all[number] == pytest.approx(getattr(alone, what).value, rel=1e-12)


def test_a_pass_as_an_expression_in_batch_and_tp():
    batch, tp = sympy.symbols("batch tp", positive=True)
    found = lines_of("llama-3.1-8b", "decode", batch, layout=layout_of(tp=tp))
    for values_ in ((1, 1), (32, 8)):
        alone = lines_of("llama-3.1-8b", "decode", values_[0], layout=layout_of(tp=values_[1]))
        replaced = dict(zip((batch, tp), values_, strict=True))
        bound = sympy.sympify(found.bound.value).xreplace(replaced)
        assert float(bound) == pytest.approx(alone.bound.value, rel=1e-9)
        floor = sympy.sympify(found.floor.value).xreplace(replaced)
        assert float(floor) == pytest.approx(alone.floor.value, rel=1e-9)
