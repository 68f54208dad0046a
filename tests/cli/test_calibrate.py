"""``calibrate --rows``: blocks that presets can hold, and too few rows."""

import json

import pytest

from dsv3calc.catalogue import presets
from dsv3calc.exit_status import ExitStatus

COMMAND = ("calibrate", "--rows", "shipped", "--hardware", "h100", "--area", "collective_other")


def test_the_block_is_a_part_of_a_preset(program, tmp_path):
    block = program.ok(*COMMAND).out
    own = presets.load("hardware", "h100")
    text = own.source.text
    start, end = text.index("achieved:\n"), text.index("\nsources:\n")
    path = tmp_path / "my-h100.yaml"
    path.write_text(text[:start] + block.partition("\n")[2] + text[end:], "utf-8")
    loaded = presets.load("hardware", str(path)).value
    shipped = own.value.achieved.links.collectives
    assert loaded.achieved.links.collectives.keys() < shipped.keys()
    for name, entry in loaded.achieved.links.collectives.items():
        assert entry.link_share == shipped[name].link_share
        assert entry.latency == shipped[name].latency
        assert entry.fit.median_error == shipped[name].fit.median_error
        assert entry.fit.unseen_error == shipped[name].fit.unseen_error


def test_the_block_is_written_to_a_file(program, tmp_path):
    path = tmp_path / "block.yaml"
    program.ok(*COMMAND, "-o", str(path))
    assert path.read_text("utf-8").startswith("# h100\nachieved:\n")


def test_json_lists_the_entries_with_their_errors(program):
    found = program.json(*COMMAND)
    assert found.values["calibrate.entries"] == len(found.data["rows"])
    assert {row["hardware"] for row in found.data["rows"]} == {"h100"}
    assert all(0 < row["median_error"] < 0.3 for row in found.data["rows"])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_rows_exit_3(program, tmp_path, count):
    value = {"n": 4096, "k": 4096}
    rows = [
        {
            "id": f"r{number}", "area": "kernel_gemm", "what": "", "group": "g", "hw": "h100",
            "prec": "bf16", "value": {**value, "m": 10**number, "latency_us": 20 + number},
        }
        for number in range(count)
    ]  # fmt: skip
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run = program("calibrate", "--rows", str(path))
    assert run.status == ExitStatus.INVALID_INPUT
    assert "too few rows to fit" in run.err


def test_a_device_of_one_s_own_is_fitted(program, tmp_path):
    text = presets.load("hardware", "h100").source.text
    start, end = text.index("achieved:\n"), text.index("sources:\n")
    device = tmp_path / "my-card.yaml"
    plain = (text[:start] + text[end:]).replace("name: h100", "name: my-card", 1)
    device.write_text(plain.replace("aliases: [h100-sxm, h100-80g]", "aliases: []"), "utf-8")
    rows = [
        {
            "id": f"r{m}-{n}", "area": "kernel_gemm", "what": "", "group": f"g{n}",
            "hw": "My-Card", "prec": "bf16",
            "value": {"m": m, "n": n, "k": 4096, "latency_us": 10 + m * n / 40_000 + n / 300},
        }
        for m in (1, 64, 512, 4096)
        for n in (1024, 4096, 16384)
    ]  # fmt: skip
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    block = program.ok("calibrate", "--rows", str(file), "--hardware", str(device)).out
    assert block.startswith("# my-card\nachieved:\n  gemm:\n    bf16:\n")
