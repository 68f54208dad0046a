"""Which commands reach each formula: found by asking queries and reading their ledgers.

``generate_docs.py`` writes what is found to ``dsv3calc/formulas/registry/reached.json``.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import dsv3calc
from dsv3calc.catalogue.search_path import packaged_presets
from dsv3calc.cli import load_command, parse
from dsv3calc.formulas.registry.reached import CODE, GOLDENS, NAME
from dsv3calc.formulas.registry.registry import all_formulas
from dsv3calc.queries.table import QUERIES
from dsv3calc.reading.source import read_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsv3calc.formulas.registry.registry import Formula

_V3 = "deepseek-v3 --hardware h800 --layout v3-pretrain"
_QWEN = "memory qwen2.5-72b --hardware h800 --tp 8 --pp 4 --micro-batch 1"
VARIANTS = (
    "flops deepseek-v3 --phase decode --mla latent",
    "flops deepseek-v3.2",
    "flops deepseek-v4-pro --attention half",
    "flops minimax-text-01 --scan chunked",
    "flops nemotron-3-nano-30b-a3b --as transformers",
    "flops qwen3-next-80b-a3b --scan chunked",
    "flops qwen3-next-80b-a3b --phase decode --scan recurrent",
    "kv deepseek-v4-pro --batch 2",
    "kv nemotron-3-nano-30b-a3b --state-interval 512",
    (
        "serve deepseek-v3 --hardware h800 --layout day6-decode-ep144 --setup sglang --context 4096"
        " --draft-tokens 1 --acceptance 85%"
    ),
    (
        "serve deepseek-v3 --hardware h800 --layout day6-decode-ep144 --setup sglang --batch 128"
        " --prefill-layout day6-prefill-ep32 --prompt-tokens 4383 --response-tokens 1210"
    ),
    (
        "serve llama-3.1-8b --hardware h100 --batch 4 --prompt-tokens 100 --response-tokens 10"
        " --samples 4 --prompts 16 --longest 20"
    ),
    (
        "serve mixtral-8x7b --hardware h100 --tp 1 --dp 4 --ep 4 --setup vllm --context 2000"
        " --expert-exchange gather"
    ),
    "memory gpt-oss-120b --serve --hardware h100 --tp 4 --setup vllm",
    f"memory {_V3} --setup megatron-moe-hgx",
    "serve llama-3.1-70b --hardware h100 --tp 4 --pp 4 --concurrency 9",
    "flops llama-3.1-8b --counting six-n",
    "flops llama-4-maverick",
    "kv gemma-3-27b --as transformers",
    "compare gemma-3-27b llama-4-maverick --hardware h800",
    "memory deepseek-v3 --hardware h800 --serve --layout day6-decode-ep144 --low-latency",
    "memory gpt-oss-120b --hardware h800 --tp 8 --pp 2 --micro-batch 1",
    f"memory {_V3} --as megatron",
    f"memory {_V3} --padded",
    f"memory {_V3} --schedule dualpipev",
    "memory qwen2.5-72b --hardware h800 --tp 8 --micro-batch 1 --as megatron --sequence-parallel",
    "memory qwen2.5-72b --hardware h800 --tp 8 --micro-batch 1 --as megatron",
    f"{_QWEN} --layer-split balanced",
    f"{_QWEN} --schedule gpipe --global-batch 32",
    f"{_QWEN} --schedule interleaved --virtual-pipeline 2 --as megatron",
    f"{_QWEN} --schedule zb1p",
    f"{_QWEN} --schedule zbv",
    f"train {_V3} --schedule 1f1b",
    f"train {_V3} --schedule dualpipev",
    f"train {_V3} --schedule interleaved --virtual-pipeline 2 --global-batch 16384",
    f"train {_V3} --schedule zb1p",
    f"train {_V3} --schedule zbv",
    f"traffic {_V3} --algorithm hierarchical",
    f"traffic {_V3} --algorithm switch-reduced",
    f"traffic {_V3} --algorithm tree",
    f"traffic {_V3} --compute-time 300us",
    f"traffic {_V3} --policy random-groups",
    f"traffic {_V3} --policy unrestricted",
    f"traffic {_V3} --in-network --planes 8 --forwarding per-gpu",
    "limits ep deepseek-v3 --hardware h800 --combine logfmt-8 --codec-overhead 50%",
    "limits ep deepseek-v3 --hardware h800 --host-traffic 30GB/s",
    "host deepseek-v3 --hardware h800 --prefill-rate 32200 --retention 1d",
    "train llama-3.1-8b --hardware h100 --dp 8 --global-batch 64 --recipe muon",
    "network --radix 64",
    "network mpft ft3 --radix 64 --endpoints 2048 --planes-down 1 --flows 8",
)
"""Queries for variants that no example in a help and no golden asks for.

A formula that is left out of these is listed as named by other code.
"""


def examples() -> Iterator[str]:
    """Yield the queries in the help of the commands that need no file."""
    for command in QUERIES.values():
        text = load_command(command.group, command.name).__doc__ or ""
        found = re.findall(r"(?m)^ +dsv3calc (.*)$", text)
        yield from (line for line in found if "./" not in line)


def golden_queries() -> Iterator[tuple[str, str]]:
    """Yield the queries of the golden files of papers, each with the name of its file."""
    for path in sorted((Path(packaged_presets()) / "goldens" / "papers").glob("*.yaml")):
        data = read_source(path).data
        for row in data["goldens"]:  # type: ignore[index,call-overload]
            yield row["query"], path.stem


def _named_in_code() -> Iterator[str]:
    """Yield the formulas that code outside of ``formulas/`` names, by import or by module."""
    package = Path(dsv3calc.__file__).parent
    for path in package.rglob("*.py"):
        if path.is_relative_to(package / "formulas"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        modules = {
            alias.asname or alias.name
            for node in imported
            if node.module == "dsv3calc.formulas"
            for alias in node.names
        }
        for node in imported:
            if (node.module or "").startswith("dsv3calc.formulas."):
                yield from (alias.name for alias in node.names)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in modules:
                yield node.attr


def _called_by(formula: Formula) -> Iterator[str]:
    """Yield the name of a formula, and those of the formulas that it calls."""
    yield formula.name
    for name in formula.function.__code__.co_names:
        if name in all_formulas():
            yield from _called_by(all_formulas()[name])


@cache
def _asked() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return the commands that reach each formula, and the golden files that evaluate it by name.

    Both by the name of the formula.
    """
    commands: dict[str, set[str]] = {name: set() for name in all_formulas()}
    files: dict[str, set[str]] = {name: set() for name in all_formulas()}
    goldens: dict[str, set[str]] = {}
    for line, file in golden_queries():
        goldens.setdefault(line, set()).add(file)
    for line in sorted({*examples(), *goldens, *VARIANTS}):
        query = parse(shlex.split(line, comments=True)).query
        assert query is not None  # noqa: S101 - a line that is a query
        lines = [each for column in dsv3calc.answer(query).columns for each in column.ledger.walk()]
        formulas = {each.formula for each in lines if each.formula is not None}
        for name in {name for formula in formulas for name in _called_by(formula)}:
            if query.command == NAME:
                files[name] |= goldens.get(line, set())
            else:
                commands[name].add(query.command)
    return commands, files


def golden_files(formula: Formula) -> list[str]:
    """Return the golden files of papers that evaluate a formula by its name."""
    return sorted(_asked()[1][formula.name])


@cache
def reached_by() -> dict[str, list[str]]:
    """Return the commands that reach each formula, or where it is evaluated by name."""
    commands, files = _asked()
    in_code = set(_named_in_code())
    return {
        name: [each for each in QUERIES if each in found]
        or [CODE if name in in_code else GOLDENS if files[name] else NAME]
        for name, found in commands.items()
    }


def text() -> str:
    """Return the text of ``reached.json``: a line for each formula."""
    lines = (f"{json.dumps(name)}: {json.dumps(found)}" for name, found in reached_by().items())
    return "{\n" + ",\n".join(lines) + "\n}\n"
