"""--notes and --quiet: what commands tell below their answers."""

# SPDX-License-Identifier: Apache-2.0
import json
import re

import pytest

from dsv3calc.output.notes import MOST

V3 = ("memory", "deepseek-v3", "--layout", "v3-pretrain", "--hardware", "h800")


def below(out):
    return [line for line in out.splitlines() if re.match("note|assumed|  ", line)]


def test_memory_tells_less_than_it_answers(program):
    """It was 491 of 592 words; JSON has them all."""
    short = program(*V3).out
    words = sum(len(line.split()) for line in below(short))
    assert words < len(short.split()) / 2
    data = json.loads(program(*V3, "--json").out)
    everything = [*data["notes"], *data["assumptions"]]
    full = program(*V3, "--notes", "all").out
    assert all(text in full for text in everything)
    assert f"{len(everything) - MOST} more: --notes all" in short
    assert not below(program(*V3, "--notes", "none").out)


def test_a_dense_model_hears_nothing_of_experts(program):
    out = program("memory", "llama-3.1-70b", "--hardware", "a100-80g", "--tp", "8").out
    assert not re.search("DeepEP|expert|Hopper|imbalance", out)
    stored = json.loads(program("params", "qwen2.5-7b", "--precision", "mxfp4", "--json").out)
    assert not any("routing_bias" in text for text in stored["assumptions"])


def test_quiet_prints_the_answer_alone(program, tmp_path):
    target = tmp_path / "kv.csv"
    found = program("kv", "deepseek-v3", "--context", "10M", "--quiet", "-o", str(target))
    assert (found.out, found.err) == ("", "")
    assert "careful" not in program("kv", "deepseek-v3", "--context", "10M", "--quiet").out


def test_markdown_folds_the_rest(program):
    out = program(*V3, "--format", "markdown").out
    assert out.count("<details>") == out.count("</details>") == 1
    assert "E5M6" in out.partition("<details>")[2]


@pytest.mark.parametrize("options", [("--notes", "some"), ("--quiet", "--notes", "all")])
def test_what_cannot_be_is_refused(program, options):
    found = program("kv", "deepseek-v3", *options)
    assert found.status == 2
    assert "--notes" in found.err
