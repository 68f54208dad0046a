"""``dsv3calc skill``: what it teaches exists. Its examples are run by ``tests/test_readme.py``."""

import re
import shlex

import yaml

from dsv3calc.cli import load_command
from dsv3calc.commands.tree import command_of, options_of
from dsv3calc.queries.table import COMMANDS, QUERIES


def test_every_query_and_option_of_the_skill_exists(program):
    text = program.ok("skill").out
    _, header, body = text.split("---\n", 2)
    told = yaml.safe_load(header)
    assert told["name"] == "dsv3calc"
    assert 100 < len(told["description"]) <= 1024
    rows = re.findall(r"^\| .+? \| (.+) \|$", body, re.MULTILINE)[2:]
    named, found = set(), ""
    for code in re.findall(r"`([^`]+)`", "\n".join(rows)):
        words = shlex.split(code.replace("\\|", " "))
        if not words[0].startswith("--"):  # else a further option of the query before it
            found = next(name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS)
        named.add(found)
        row = COMMANDS["kv" if found == "explain" else found]  # which takes those of its query
        known = options_of(command_of(load_command, row.group, row.name))
        assert {word for word in words if word.startswith("--")} <= known.keys(), code
    assert {*QUERIES} - {"formula eval"} <= named
