"""``calibrate`` of the machine that runs the tests: files, refusals, products outside the grid."""

import json
from time import perf_counter

import msgspec
import pytest

from dsv3calc.catalogue import presets, references
from dsv3calc.exit_status import ExitStatus
from dsv3calc.reading.source import Source
from dsv3calc.schema.convert import convert
from dsv3calc.schema.hardware import Hardware
from dsv3calc.studies.measurements.forms import FORMS, peaks_of
from dsv3calc.studies.measuring import answer as measuring
from dsv3calc.studies.measuring.machine import GRAPH, Dealer
from dsv3calc.studies.measuring.on_numpy import OnNumpy
from dsv3calc.studies.measuring.plan import eager, products
from dsv3calc.studies.measuring.report import measured_device, name_of, rows_of, rows_text
from dsv3calc.studies.measuring.sweep import Sweep, Timed

COMMAND = ("calibrate", "--device", "cpu", "--seconds", "0.2", "--area", "kernel_gemm")
UNSEEN = ((48, 384, 640), (96, 640, 384), (32, 1280, 768))
"""Rows, columns and depth of products that the grid does not have."""
FACTOR = 1.3
"""What products outside the grid of a device without noise may be off by."""


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    path = tmp_path_factory.mktemp("device") / "this.yaml"
    measured = measuring.answer_measured(
        device="cpu", seconds=0.4, areas=("kernel_gemm",), name="this",
        rows_file=str(path.with_suffix(".rows.jsonl")),
    )  # fmt: skip
    path.write_text(measured.text, "utf-8")
    for file, text in measured.beside.items():
        with open(file, "w", encoding="utf-8") as written:
            written.write(text)
    return path


def fastest(machine, rows, columns, depth):
    calls = machine.product("fp32", rows, columns, depth)
    found = []
    for call in (calls * 5)[:10]:
        start = perf_counter()
        call()
        found.append(perf_counter() - start)
    return min(found)


def test_products_outside_the_grid_are_predicted(program, calibrated, tmp_path):
    machine = OnNumpy()
    rows = [
        {
            "id": f"own-{number}", "area": "kernel_gemm", "group": f"{number}", "hw": "this",
            "prec": "fp32",
            "value": {"m": m, "n": n, "k": k, "latency_us": 1e6 * fastest(machine, m, n, k)},
        }
        for number, (m, n, k) in enumerate(UNSEEN)
    ]  # fmt: skip
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = program.json("validate", str(file), "--hardware", str(calibrated), "--rows")
    # what else runs on this machine makes times longer by any factor: see the device below
    assert all(0 < row["predicted"] < 60 for row in found.data["rows"])


class Lawful(OnNumpy):
    """A device whose products take the time that a law gives."""

    def product(self, dtype, rows, columns, depth):  # noqa: ARG002 - as every device
        return [(rows, columns, depth)]

    def round(self, calls, mode):  # noqa: ARG002 - as every device
        return lambda: law(*calls[0]) if isinstance(calls[0], tuple) else 1e-3


def law(rows, columns, depth):
    """Give 200 GFLOPS, 10 GB/s and 20 us."""
    moved = 4 * (rows * depth + columns * depth + rows * columns)
    return max(2 * rows * columns * depth / 200e9, moved / 10e9) + 20e-6


def test_a_device_without_noise_is_predicted(monkeypatch):
    monkeypatch.setattr(measuring, "machine_of", lambda _: Lawful())
    found = measuring.answer_measured(seconds=0.5, areas=("kernel_gemm",), name="lawful")
    source = Source("lawful", found.text, "yaml")
    device = convert(source, source.data, Hardware)
    entry = msgspec.structs.asdict(device.achieved.gemm["fp32"])
    for m, n, k in (*UNSEEN, (3000, 5000, 7000)):
        moved = 4 * (m * k + n * k + m * n)
        point = {"flops": 2 * m * n * k, "moved": moved, "serial_steps": k, "pass_bytes": 0}
        predicted = FORMS["kernel"].time(entry, point, peaks_of(device, "fp32"))
        assert 1 / FACTOR < predicted / law(m, n, k) < FACTOR


def test_rows_beside_the_preset_give_the_same_block(program, calibrated):
    rows = calibrated.with_suffix(".rows.jsonl")
    block = program.ok("calibrate", "--rows", str(rows), "--hardware", str(calibrated)).out
    assert block.partition("\n")[2] in calibrated.read_text("utf-8")


def test_the_preset_is_one_with_sources(calibrated):
    found = presets.load("hardware", str(calibrated)).value
    assert found.name == "this"
    assert found.sources["measured"].kind == "measured"
    assert "warm-up" in found.sources["measured"].note
    assert found.peaks["fp32"] > 1e8
    assert found.achieved.gemm["fp32"].fit.points >= 3


def test_nothing_is_overwritten_and_nothing_left_behind(program, tmp_path):
    path = tmp_path / "device.yaml"
    beside = tmp_path / "device.rows.jsonl"
    beside.write_text("mine", "utf-8")
    run = program(*COMMAND, "-o", str(path))
    assert run.status == ExitStatus.USAGE
    assert "device.rows.jsonl: the file exists" in run.err
    assert [each.name for each in tmp_path.iterdir()] == ["device.rows.jsonl"]
    assert beside.read_text("utf-8") == "mine"


def test_a_data_sheet_keeps_its_peaks(program, tmp_path):
    path = tmp_path / "card.yaml"
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(
        "peaks: {fp32: 900 TFLOPS, bf16: 1 PFLOPS}\n"
        "memory: {marketed: 80 GB, bandwidth: 3 TB/s}\nsource: vendor\n",
        "utf-8",
    )
    program.ok(*COMMAND, "--hardware", str(sheet), "--name", "card", "-o", str(path))
    found = presets.load("hardware", str(path)).value
    assert (found.name, found.peaks["fp32"], found.memory.bandwidth) == ("card", 900e12, 3e12)
    assert found.provenance == {"achieved": "measured", "default": "own"}
    assert found.achieved.gemm["fp32"].compute_share < 0.1


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--device", "gpu"], ExitStatus.INFEASIBLE, "there is no GPU to calibrate"),
        (["--device", "tpu"], ExitStatus.USAGE, "choose one of auto, gpu, cpu"),
        (["--seconds", "-1"], ExitStatus.USAGE, "--seconds must be above 0"),
        (["--seconds", "nan"], ExitStatus.USAGE, "--seconds must be above 0"),
        (["--area", "kernel_gem"], ExitStatus.USAGE, "did you mean 'kernel_gemm'?"),
        (["--name", "a/b"], ExitStatus.USAGE, "is no name of a preset"),
        (["--hardware", "h101"], ExitStatus.USAGE, "did you mean"),
        (["--pooled"], ExitStatus.USAGE, "--pooled is for --rows"),
        (["--rows", "shipped", "--seconds", "3"], ExitStatus.USAGE, "is for measuring"),
        (["--hardware", "h100", "--hardware", "b200"], ExitStatus.USAGE, "one device"),
    ],
)
def test_what_cannot_be_measured_is_refused(program, arguments, status, words, monkeypatch):
    monkeypatch.setattr("dsv3calc.studies.measuring.on_torch.torch_or_none", lambda: None)
    run = program("calibrate", *arguments)
    assert run.status == status
    assert words in run.err


def test_operands_are_dealt_in_turn_from_more_than_the_cache():
    dealer = Dealer(lambda _, count: list_of(count), lambda _: 4, cache=2**12)
    starts = [dealer.deal("fp32", 16, 16)[0] for _ in range(5)]
    assert starts == [0, 256, 512, 768, 1024]
    assert dealer.copies(2**10) == 9
    assert dealer.copies(2**30) == 2


def list_of(count):
    class Flat(list):
        def __getitem__(self, place):
            return (
                Flat(super().__getitem__(place))
                if isinstance(place, slice)
                else super().__getitem__(place)
            )

        def reshape(self, shape):
            assert len(self) == shape[0] * shape[1]
            return self

    return Flat(range(count))


def test_times_of_eager_calls_are_kept_and_not_fitted_to():
    facts = OnNumpy().facts
    trials = [trial for trial in products("fp32") if trial.value["m"] == 16][:6]
    found = Sweep("fp32", (1e9, 1e9))
    found.timed = [Timed(trial, 1e-3) for trial in trials]
    found.timed += [Timed(trial, 2e-3) for trial in eager(trials, 2)]
    rows = rows_of("here", facts, found, "2026-01-01")
    assert [row.value.get("mode") for row in rows].count("eager") == 2
    assert len(rows_text(rows).splitlines()) == 8
    device = measured_device("here", facts, found)
    assert device.peaks["fp32"] == pytest.approx(
        max(trial.flops for trial in trials) / 1e-3, rel=0.01
    )
    from dsv3calc.studies.answer import Answer

    collected = measuring.collected_of(rows, device, Answer("calibrate", {}))
    assert len(collected.cases) == 6
    assert GRAPH not in OnNumpy.modes


def test_names_of_devices_are_names_of_presets():
    assert name_of("NVIDIA H100 80GB HBM3") == "nvidia-h100-80gb-hbm3"
    assert references.NAME.fullmatch(name_of("??"))
