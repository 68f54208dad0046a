"""The public lines: queries give all of them, and all names in goldens and pages are public."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import dsv3calc
from dsv3calc.studies.goldens.reproduce import answer_reproduce
from dsv3calc.studies.measurements.calibration import answer_calibrate
from dsv3calc.studies.measurements.validation import answer_validate
from dsv3calc.studies.measuring.answer import answer_measured
from dsv3calc.studies.public_lines.placeholders import PLACEHOLDER_WORDS, PLACEHOLDERS
from dsv3calc.studies.public_lines.table import FIRST_WORDS, all_lines, public_line

ROOT = Path(__file__).parents[2]
PUBLIC_LINES = all_lines()

V3 = "deepseek-v3 --layout v3-pretrain --hardware h800"
QUERIES = (
    "params qwen3.5-27b",
    "compare qwen3.5-27b llama-3.1-8b --rows parameters,kv_cache",
    "memory qwen3.5-27b --serve --tp 4 --hardware h800",
    "kv qwen3.5-27b --state-interval 1024",
    "params deepseek-v3 --with-mtp --by layer",
    "params deepseek-v3 --variant checkpoint",
    "params llama-3.1-8b --as accelerate",
    "flops deepseek-v3.2",
    "flops llama-3.1-8b --phase decode",
    "flops deepseek-v3 --phase decode --draft-tokens 2 --acceptance 0.8",
    "kv deepseek-v3 --draft-tokens 2",
    "kv qwen3.5-27b --draft-tokens 2",
    "train llama-3.1-8b --hardware h100 --tp 1 --dp 1 --global-batch 8 --recipe muon",
    "time llama-3.1-8b --hardware h100 --phase train --recipe muon",
    "kv gpt-oss-120b --fit 40GiB --tokens 8192",
    "kv deepseek-v3.2",
    "compare deepseek-v3 llama-3.1-405b --hardware h800",
    f"memory {V3}",
    f"memory {V3} --as megatron",
    f"memory {V3} --fewest-gpus",
    "memory deepseek-v3 --serve --layout day6-decode-ep144 --hardware h800",
    f"traffic {V3} --compute-time 300us",
    f"traffic {V3} --in-network --planes 8 --forwarding per-gpu",
    "traffic llama-3.1-405b --layout llama-3.1-405b-pretrain --hardware h100",
    "time deepseek-v3 --hardware h800 --dp 8 --ep 8 --setup sglang --with-mtp",
    f"time {V3} --phase train --setup megatron-moe-hgx",
    f"train {V3} --setup deepseek-dualpipe --train-tokens 14.8T",
    (
        "search deepseek-v2-lite --hardware h200 --gpus 8 --global-batch 64 --train-tokens 1T "
        "--whole --pin tp=1|3,cp=1,pp=1|2,ep=8,etp=1,schedule=1f1b,vpp=1,sp=false,split=even "
        "--pin recompute=none|full,mb=1|16,zero=1 --where 'traffic >= 0' --objective dollars"
    ),
    (
        "search deepseek-v2-lite --hardware h200 --gpus 8 --global-batch 64 --train-tokens 1T "
        "--where 'traffic >= 0' --objective dollars --why ep=8,zero=1 --setup megatron-moe-hgx"
    ),
    (
        "search llama-3.1-8b --hardware h100 --gpus 8 --global-batch 64 --top 1 --timing "
        "--setup megatron-dense "
        "--pin schedule=1f1b,cp=1,zero=1,recompute=none"
    ),
    (
        "search qwen2.5-7b --hardware h100 --gpus 2 --phase serve --slo tpot<=50ms --slo ttft<=9s "
        "--setup vllm --set setup.time.first_token=50ms --pin pp=1,dcp=1"
    ),
    (
        "search qwen2.5-7b --hardware h100 --gpus 2 --phase serve --objective ttft --why tp=2 "
        "--setup vllm --set setup.time.first_token=50ms"
    ),
    "time deepseek-v3 --hardware h800 --layout v3-pretrain --setup deepseek-dualpipe",
    (
        "train llama-3.1-8b --hardware h100 --tp 2 --global-batch 8 --setup megatron-dense "
        "--train-tokens 1B"
    ),
    (
        "host deepseek-v3 --hardware rtx-4090 --precision q4-k "
        "--set hardware.host.peaks.bf16=73TFLOPS"
    ),
    ("host deepseek-v3 --hardware h800 --layout v3-pretrain --prefill-rate 32200 --retention 1d"),
    "serve deepseek-v3 --hardware rtx-4090 --precision q4-k --offload experts=host",
    (
        "memory deepseek-v3 --serve --tp 1 --hardware rtx-4090 --precision q4-k "
        "--offload experts=host"
    ),
    (
        "which --model deepseek-v3 --hardware rtx-4090 --precision q4-k --gpus 1 "
        "--offload experts=host"
    ),
    f"failures {V3} --gpu-hours 2.664M",
    (
        "serve deepseek-v3 --hardware h800 --dp 8 --ep 8 --setup sglang --batch 8 "
        "--response-tokens 9 --set setup.time.first_token=50ms --samples 2 "
        "--set hardware.power=700W"
    ),
    (
        "serve deepseek-v3 --hardware h800 --layout day6-decode-ep144 --response-tokens 500 "
        "--prefill-layout day6-prefill-ep32"
    ),
    "serve llama-3.1-8b --hardware h100 --slo tpot<=10ms --fewest-gpus",
    "limits ep deepseek-v3 --hardware h800 --mtp-acceptance 0.8 --mtp-cost 0.1",
    "limits ep deepseek-v3 --hardware h800 --convention isca25",
    (
        "limits ep deepseek-v3 --hardware h800 --context 4096 --in-network --host-traffic 30GB/s "
        "--combine logfmt-8 --codec-overhead 50%"
    ),
    "network mpft slim-fly dragonfly --radix 64",
    "network mpft --radix 64 --endpoints 2048 --planes-down 1 --flows 16 --exchange-time 1ms",
    "which --model llama-3.1-8b --hardware h100",
)
"""Queries that give every public line between them."""

SECTIONS = {line.pattern.partition(".")[0] for line in PUBLIC_LINES}
NAME = re.compile(rf"\b(?:{'|'.join(sorted(SECTIONS))})(?:\.[A-Za-z0-9_-]+)+")


def first_word(text):
    return text.partition(" ")[0]


@cache
def ledgers():
    """Return (command, ledger) of each column that the queries give."""
    answers = [(first_word(query), dsv3calc.answer(query)) for query in QUERIES]
    answers.append(("reproduce", answer_reproduce((), only_failing=False, ask=dsv3calc.answer)))
    answers.append(("validate", answer_validate(areas=["kernel_gemm"])))
    steps = answer_validate(areas=["training_dense"], hardware=["b200"])
    answers.append(("validate", steps))
    fitted = {"areas": ["collective_a2a"], "hardware": ["h800"]}
    answers.append(("calibrate", answer_calibrate("shipped", **fitted)))
    here = answer_measured(device="cpu", seconds=0.1, areas=["kernel_other"])
    answers.append(("calibrate", here))
    return [(command, column.ledger) for command, each in answers for column in each.columns]


@cache
def given():
    """Return the units and the commands of each line, by name.

    What ``which``, ``host`` and ``limits`` answer is made of lines of other queries too, which
    are not their own.
    """
    found = {}
    for command, ledger in ledgers():
        for name, line in ledger.named().items():
            if command in ("which", "host", "limits") and not name.startswith(f"{command}."):
                continue
            found.setdefault(name, set()).add((line.unit, command))
    return found


@cache
def given_by_declaration():
    """Return the units and the commands of the lines that each public one declares."""
    found = {}
    for name, ways in given().items():
        found.setdefault(public_line(name), set()).update(ways)
    return found


@pytest.mark.parametrize("line", PUBLIC_LINES, ids=lambda line: line.pattern)
def test_a_public_line_is_given_with_its_unit_by_its_commands(line):
    wanted = {(line.unit, first_word(command)) for command in line.commands}
    assert given_by_declaration().get(line) == wanted


def test_every_line_at_the_top_of_an_answer_is_public():
    tops = {line.name for _, ledger in ledgers() for line in ledger.lines}
    assert not {name for name in tops if public_line(name) is None}


def test_the_quantities_of_golden_files_are_public():
    rows = [
        row
        for path in sorted((ROOT / "presets" / "goldens").rglob("*.yaml"))
        for row in yaml.safe_load(path.read_text("utf-8"))["goldens"]
        if not row["query"].startswith("formula eval")  # the line has the name of its formula
    ]
    assert len(rows) > len(PUBLIC_LINES)
    assert not {row["quantity"] for row in rows if public_line(row["quantity"]) is None}


def test_the_lines_that_pages_and_tests_name_are_public():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.py")]
    own = Path(__file__)
    named = {
        name for page in pages if page != own for name in NAME.findall(page.read_text("utf-8"))
    }
    known = named & given().keys()
    assert {"kv_cache.bytes", "memory.worst.total", "traffic.step.scale_out_bytes"} <= known
    assert not {name for name in known if public_line(name) is None}


def test_patterns_are_distinct_and_their_placeholders_explained():
    patterns = [line.pattern for line in PUBLIC_LINES]
    assert len(set(patterns)) == len(patterns)
    assert PLACEHOLDERS.keys() == PLACEHOLDER_WORDS.keys()
    used = {
        name
        for pattern in patterns
        for name in PLACEHOLDERS
        if re.search(rf"(?<![A-Z]){name}(?![A-Z])", pattern)
    }
    assert used == PLACEHOLDERS.keys()


def test_first_words_are_listed_for_the_module_that_declares_them():
    for module, words in FIRST_WORDS.items():
        declared = import_module(f"dsv3calc.studies.public_lines.{module}").LINES
        names = {row[0].partition(".")[0] for rows in declared.values() for row in rows}
        assert names == set(words.split()), f"FIRST_WORDS of {module}"


@pytest.mark.parametrize(
    "name",
    [
        "memory.rank.x.total",
        "memory.rank.3.has_layers.0",
        "flops.by_attention.most",
        "kv_cache",
        "",
    ],
)
def test_other_names_are_not_public(name):
    assert public_line(name) is None
