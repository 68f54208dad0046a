"""The passes of a training step as pictures and as trace events."""

import itertools
import json
import re
import xml.etree.ElementTree as ET

import pytest

from dsv3calc.exit_status import ExitStatus
from dsv3calc.output.pictures.lanes_svg import COLOURS, WIDE

SMALL = ("train", "llama-3.1-8b", "--hardware", "h100", "--pp", "4", "--global-batch", "12",
         "--schedule", "zb1p")  # fmt: skip
V3 = ("train", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800")
LARGE = ("train", "llama-3.1-8b", "--hardware", "h100", "--pp", "4", "--global-batch", "80000")
SVG = "{http://www.w3.org/2000/svg}"


def test_a_trace_has_every_pass_of_every_rank(program, tmp_path):
    file = tmp_path / "step.json"
    values = program.json(*SMALL, "--trace", file).values
    data = json.loads(file.read_text("utf-8"))
    slices = [each for each in data["traceEvents"] if each["ph"] == "X"]
    assert len(slices) == 4 * 12 * 3
    for rank in range(4):
        own = sorted((each for each in slices if each["tid"] == rank), key=lambda each: each["ts"])
        ends = [each["ts"] + each["dur"] for each in own]
        assert all(end <= after["ts"] + 1e-6 for end, after in zip(ends, own[1:], strict=False))
        assert {each["name"] for each in own} == {f"{k}{n}" for k in "FIW" for n in range(12)}
    last = max(each["ts"] + each["dur"] for each in slices) / 1e6
    rest = values["train.phase.optimizer"]
    assert last + rest == pytest.approx(values["train.step.walk"])
    names = [each["args"]["name"] for each in data["traceEvents"] if each["name"] == "thread_name"]
    assert names == [f"rank {rank}" for rank in range(4)]


def test_the_picture_of_a_large_step(program):
    """Sixteen ranks and 120 micro-batches: every bar is inside, a gap apart, and named."""
    text = program.ok(*V3, "--format", "svg").out
    root = ET.fromstring(text)  # noqa: S314 - our own output
    words = [each.text for each in root.iter(f"{SVG}text")]
    assert "time in the step [s]" in words
    assert "forward and backward that overlap" in words
    assert [word for word in words if word.startswith("rank ")] == [f"rank {n}" for n in range(16)]
    bars = [
        tuple(map(float, found))
        for path in root.iter(f"{SVG}path")
        if path.get("fill") in COLOURS and not path.get("stroke")
        for found in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v[\d.]+h-", path.get("d"))
    ]
    # 97 to 103 pairs for 194 to 206 of a rank's 360 passes, and those that are left run alone
    assert len(bars) > 16 * 120
    assert all(x >= 60 and x + wide <= WIDE - 60 for x, _, wide in bars)


def test_kinds_of_bars_differ_in_grey():
    """Their brightness by the weights of ITU-R BT.601 is at least an eighth apart."""
    grey = sorted(
        sum(w * int(c[i : i + 2], 16) for w, i in ((0.299, 1), (0.587, 3), (0.114, 5)))
        for c in COLOURS
    )
    assert min(b - a for a, b in itertools.pairwise(grey)) > 32


def test_the_picture_in_a_terminal(program):
    text = program.ok(*SMALL, "--plot").out
    rows = [line for line in text.splitlines() if re.match(r" +rank \d│", line)]
    assert len(rows) == 4
    assert rows[0].split("│")[1].startswith("F")
    assert all(re.search(r"idle \d+\.\d %$", row) for row in rows)
    assert "time in the step [s]" in text
    assert max(map(len, rows)) < 120


def test_a_page(program):
    text = program.ok(*SMALL, "--format", "html").out
    assert "<svg" in text
    assert "rank 3" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kv", "deepseek-v3", "--trace", "x.json"), "kv has no passes"),
        ((*SMALL, "--trace", ""), "--trace needs the name of a file"),
        ((*SMALL, "--trace", "."), "this is a directory"),
        ((*SMALL, "--trace", "x.json", "--explain"), "contradict"),
        ((*LARGE, "--trace", "x.json"), "too many passes"),
        ((*LARGE, "--plot"), "too many passes"),
    ],
)
def test_wrong_traces(program, arguments, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert words in program.refused(ExitStatus.USAGE, *arguments).err
    assert not [*tmp_path.iterdir()]


def test_a_trace_replaces_a_file_with_force_alone(program, tmp_path):
    file = tmp_path / "step.json"
    file.write_text("mine")
    assert "the file exists" in program.refused(ExitStatus.USAGE, *SMALL, "--trace", file).err
    program.ok(*SMALL, "--trace", file, "--force")
    assert "traceEvents" in file.read_text("utf-8")
