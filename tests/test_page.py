"""What the page asks of the package, asked without a browser. The page itself: tests/site."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from dsv3calc.page import reply


def ask(**message):
    return json.loads(reply(json.dumps(message)))


@pytest.mark.parametrize(
    "query",
    [
        "compare deepseek-v3:hardware=h800 llama-3.1-405b:hardware=h100",
        "memory deepseek-v3 --layout v3-pretrain --hardware h800",
        "memory qwen2.5-72b --serve --tp 8 --hardware h200",
        "serve llama-3.1-8b --hardware h100 --batch 8 --curve",
        "traffic deepseek-v3 --layout v3-pretrain --hardware h800",
    ],
)
def test_a_number_of_a_table_is_explained_as_the_command_line_does(query):
    words = query.split()
    shown = ask(ask="show", words=words)
    assert shown["status"] == 0
    cells = [cell for table in shown["tables"] for row in table["rows"] for cell in row]
    numbers = [cell for cell in cells if isinstance(cell, dict)]
    for cell in numbers[-1:]:
        column, line = cell["lines"][-1]
        found = ask(ask="explain", words=words, column=column, line=line, path=[])
        assert found["line"]["name"] == line
        told = ask(ask="run", words=[*words, "--explain", "--line", line, "--depth", "1"])
        assert found["line"]["value"] in " ".join(told["output"].split())
        if found["line"]["inputs"]:
            below = ask(ask="explain", words=words, column=column, line=line, path=[0])
            assert below["line"]["name"] == found["line"]["inputs"][0]["line"]["name"]
    assert (shown["picture"] is not None) == (words[0] != "compare")


def test_a_wrong_query_is_told_as_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama",\n "vocab_size": }')
    for words in (["kv", "config.json"], ["kv", "no-model"], ["kv", "deepseek-v3", "--wrong"], []):
        shown, run = ask(ask="show", words=words), ask(ask="run", words=words)
        if words:
            assert (shown["status"], shown["error"]) == (run["status"], run["error"])
        else:
            assert "kv" in run["output"]
    assert "config.json:2:16" in ask(ask="show", words=["kv", "config.json"])["error"]
    assert ask(ask="show", words=["kv", "--help"])["status"] == 2
    assert ask(ask="show", words=["eval", "-"])["status"] == 2


def test_hostile_names_come_as_plain_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = ask(ask="run", words=["presets", "show", "llama-3.1-8b"])["output"]
    title = '"<img src=x onerror=alert(1)> \\u202Egnp"'
    (tmp_path / "m.yaml").write_text(text.replace("title: Llama 3.1 8B", f"title: {title}"))
    shown = ask(ask="show", words=["memory", "m.yaml", "--hardware", "h100", "--dp", "8"])
    assert shown["heading"][0].startswith("<img src=x onerror=alert(1)> \\u202egnp")
    assert "<img" not in shown["picture"]["svg"]


def test_the_page_knows_what_can_be_chosen():
    found = ask(ask="pickers")
    uses = {each["name"]: each["use"] for kind in ("layout", "setup")
            for each in found["presets"][kind]}  # fmt: skip
    assert uses["v3-pretrain"] == uses["megatron-dense"] == "train"
    assert uses["v3-decode-ep320"] == uses["vllm"] == "serve"
    assert uses["dense-tp8"] == uses["pytorch"] == ""
    assert {"--hardware", "--layout", "--tp"} <= set(found["commands"]["memory"]["options"])
    assert "--batch" not in found["commands"]["train"]["options"]
