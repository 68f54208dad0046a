"""Every example of README.md and docs/ runs, and prints what the page shows."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from load_script import load_script

ROOT = Path(__file__).resolve().parent.parent


examples = load_script("update_examples")
PAGES = [str(page.relative_to(ROOT)) for page in examples.pages()]


@pytest.mark.parametrize("page", PAGES)
def test_commands_print_what_the_page_shows(page):
    faults = [examples.fault(*outcome) for outcome in examples.outcomes(ROOT / page)]
    assert not any(faults), "\n\n".join(filter(None, faults)) + (
        "\n\nif the new output is right: python scripts/update_examples.py"
    )


@pytest.mark.parametrize("page", PAGES)
def test_python_examples(page):
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    text = (ROOT / page).read_text(encoding="utf-8")
    names = {}
    with examples.clean_room():
        found = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for number, block in enumerate(found):
            if ">>>" in block:
                test = parser.get_doctest(block, names, f"{page}[{number}]", page, 0)
                runner.run(test, clear_globs=False)
                names = test.globs
    assert not runner.failures


def test_the_readme_shows_the_first_command_of_its_installation():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = dict(re.findall(r"<!-- ci:(\w+) -->\n```\w*\n(.+)\n```", text))
    assert set(commands) == {"compare", "test"}
    assert commands["compare"].endswith(
        "dsv3calc compare deepseek-v3 qwen2.5-72b llama-3.1-405b --hardware h800"
    )
    assert commands["test"].endswith("python -m pytest -n auto --dist worksteal")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_no_machine(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not re.search(r"/work/|/root/|/home/|/tmp/|pypi\.org", text)
