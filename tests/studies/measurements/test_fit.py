"""Fits find the values that times were made from, and give the shipped ones again."""

import math
import random

import pytest

from dsv3calc.schema.measurement import Row
from dsv3calc.studies.measurements.areas import Devices
from dsv3calc.studies.measurements.blocks import as_yaml, described, fit_block, named, nested
from dsv3calc.studies.measurements.cases import Case
from dsv3calc.studies.measurements.collected import collect
from dsv3calc.studies.measurements.fit import fitted, is_determined, simplex
from dsv3calc.studies.measurements.forms import FORMS, peaks_of
from dsv3calc.studies.measurements.halves import folds, half_of
from dsv3calc.studies.measurements.rows import shipped_files

DEVICES = Devices()
TRUE = {
    "compute_share": 0.7, "bandwidth_share": 0.8, "serial_latency": 1e-9, "pass_share": 0.4,
    "launch": 5e-6, "exponent": 2.0,
}  # fmt: skip


def synthetic(noise=0.0, groups=1):
    """Make the times of products of an H100 from known values."""
    device = DEVICES("h100")
    source = random.Random(5)  # noqa: S311 - draws of a test
    cases = []
    for group in range(groups):
        points = [
            {
                "flops": 2 * m * n * k,
                "moved": m * k + n * k + 2 * m * n,
                "serial_steps": k,
                "pass_bytes": 3 * m * k,
            }
            for n, k in [(2048, 7168), (7168, 2048), (8192, 8192), (16384, 512)]
            for m in [1, 32, 128, 512, 2048, 8192]
        ]
        peaks = peaks_of(device, "fp8")
        seconds = [
            FORMS["kernel"].time(TRUE, point, peaks) * math.exp(noise * source.gauss(0, 1))
            for point in points
        ]
        cases.append(
            Case(
                row=Row(id=f"r{group}", area="kernel_gemm", what="", group=f"g{group}"),
                device=device, kind="dense", form="kernel", entry=("gemm", "fp8"),
                computes_in="fp8", points=points, sizes={"M": [1.0]}, seconds=seconds,
            )
        )  # fmt: skip
    return cases


def test_a_fit_finds_the_values_that_made_the_times():
    found = fitted(synthetic())
    assert {name: found[name] for name in TRUE} == pytest.approx(TRUE, rel=0.011)


def test_a_fit_of_noisy_times_is_near():
    found = fitted(synthetic(noise=0.05, groups=3))
    assert found["compute_share"] == pytest.approx(0.7, rel=0.05)
    assert found["launch"] == pytest.approx(5e-6, rel=0.2)


def test_values_have_three_digits():
    found = fitted(synthetic(noise=0.05))
    for name in ("compute_share", "launch", "pass_share"):
        assert found[name] == float(f"{found[name]:.2e}")


def test_too_few_points_determine_nothing():
    case = synthetic()[0]
    few = Case(
        row=case.row, device=case.device, kind="dense", form="kernel", entry=case.entry,
        computes_in="fp8", points=case.points[:2], sizes={}, seconds=case.seconds[:2],
    )  # fmt: skip
    assert not is_determined([few])
    assert fit_block([few]) == {}


def test_a_simplex_finds_the_bottom_of_a_bowl():
    place, value = simplex(lambda x: (x[0] - 1) ** 2 + abs(x[1] + 2), [0.0, 0.0], 0.5)
    assert place == pytest.approx([1, -2], abs=1e-3)
    assert value < 1e-5


def test_halves_follow_the_hash_of_the_group():
    assert [half_of(name) for name in ("gemm|4096|4096", "gemm|10240|8192")] == [0, 1]
    cases = synthetic(groups=6)
    for seen, unseen in folds(cases):
        assert not {c.row.group for c in seen} & {c.row.group for c in unseen}
    assert sum(len(unseen) for _, unseen in folds(cases)) == 6
    assert folds(cases[:1]) == []


def test_a_block_in_yaml_holds_what_was_fitted():
    case = synthetic()[0]
    entry = described(fitted([case]), [case], [], ["r0", "other"])
    text = "\n".join(as_yaml(nested({("gemm", "fp8"): entry})))
    assert "computes_in: fp8" in text
    assert "launch: 5 us" in text
    assert "serial_latency: 1 ns" in text
    assert "rows: [r0]}" in text


def test_a_pattern_names_rows_where_it_fits_no_other():
    rows = ["x-m1-y", "x-m2-y", "x-m3-y"]
    assert named(rows, [*rows, "z"]) == ["x-m*-y"]
    assert named(rows[:2], rows) == rows[:2]


def printed(entry):
    form = entry.__struct_fields__
    return {name: getattr(entry, name) for name in form if name not in ("fit", "computes_in")}


@pytest.mark.parametrize("name", ["a100-80g", "h800", "h200", "gb200-nvl72", "b200", "h100"])
def test_the_shipped_block_is_what_the_shipped_rows_give(name):
    cases = [case for case in ALL if case.device.name == name]
    block = DEVICES(name).achieved
    found = fit_block(cases)
    assert found
    for key, values in found.items():
        table = block
        for step in key:
            table = table[step] if isinstance(table, dict) else getattr(table, step)
        shipped = printed(table)
        for parameter, value in shipped.items():
            fit = values.get(parameter)
            if parameter == "half_length":
                fit = round(fit)
            if value is None:
                assert fit is None, (key, parameter)
            else:
                assert value == pytest.approx(fit, rel=1e-9), (key, parameter)
        assert table.fit.kind == "fitted"


ALL = collect(shipped_files()).cases
