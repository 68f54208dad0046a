"""Run the examples of README.md, docs/ and the skill file, and write what they print there.

A fenced ``console`` block is a session: every line that starts with ``$ `` is run, and the lines
below it, if there are any, must be what it prints (standard output and standard error). All blocks
of a page run in order in one empty directory. Comments in front of a block steer it:

``<!-- exit: 2 -->``
    the last command of the next block exits with 2 instead of 0.
``<!-- file: mine.yaml -->``
    the next block is a file of that name.
``<!-- file: config.json = tests/importers/configs/qwen2.json -->``
    that file of the repository is there under that name; no block follows.

Within shown output a line ``...`` stands for any number of lines.

A new example shows ``?``, and this puts the output there. Output whose end is left out with ``...``
keeps as many lines as it has; output with ``...`` elsewhere is only checked.

Usage: ``python scripts/update_examples.py [--check] [PAGE...]``
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dsv3calc.__main__ import run

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w*)\s*$")
MARK = re.compile(r"^<!-- (exit|file): (.+?) -->$")
ANYTHING = "..."
SHELL = re.compile(r"[|<>&;`$*]")


@dataclass
class Command:
    """One ``$`` line: what is run, what is shown below it, and where the output stands."""

    page: Path
    line: int  # of the "$" line, from 1
    text: str
    shown: list[str] = field(default_factory=list)
    status: int = 0

    @property
    def place(self) -> str:
        """Return the place as an editor reads it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass
class File:
    """A file that the commands below it use."""

    name: str
    text: str


def pages() -> list[Path]:
    """List the pages whose examples are held to be true."""
    skill = ROOT / "dsv3calc" / "SKILL.md"
    return [ROOT / "README.md", skill, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[tuple[str, int, list[str], dict[str, str]]]:
    """Yield language, line number of the first line, lines and marks of each fenced block."""
    marks: dict[str, str] = {}
    language: str | None = None
    body: list[str] = []
    start = 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if language is not None:
            if fence and not fence[1]:
                yield language, start, body, marks
                language, marks = None, {}
            else:
                body.append(line)
        elif fence:
            language, body, start = fence[1], [], number + 1
        elif mark := MARK.match(line):
            if mark[1] == "file" and " = " in mark[2]:
                yield "copy", number, [mark[2]], {}
            else:
                marks[mark[1]] = mark[2]


def session(page: Path) -> Iterator[Command | File]:
    """Yield the commands and files of a page in order."""
    for language, start, body, marks in blocks(page):
        if language == "copy":
            name, _, source = body[0].partition(" = ")
            yield File(name, (ROOT / source).read_text(encoding="utf-8"))
        elif "file" in marks:
            yield File(marks["file"], "\n".join(body) + "\n")
        elif language == "console":
            found: list[Command] = []
            for number, line in enumerate(body, start):
                if line.startswith("$ "):
                    found.append(Command(page, number, line[2:]))
                elif found:
                    found[-1].shown.append(line)
            if found and "exit" in marks:
                found[-1].status = int(marks["exit"])
            yield from found


def can_run(command: Command) -> bool:
    """Tell whether the machine has what a command line needs besides dsv3calc."""
    return " jq " not in f" {command.text} " or shutil.which("jq") is not None


def execute(command: Command) -> tuple[int, str]:
    """Run a command in the working directory; return its exit status and all it prints."""
    if SHELL.search(command.text) or not command.text.startswith("dsv3calc "):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command.text}"],  # noqa: S607 - wherever it is
            env=os.environ | {"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        status = run(shlex.split(command.text)[1:])
    return status, printed.getvalue()


def tidy(lines: list[str]) -> list[str]:
    """Take off spaces at line ends and empty lines at the end: Markdown editors do."""
    found = [line.rstrip() for line in lines]
    while found and not found[-1]:
        del found[-1]
    return found


def matches(shown: list[str], printed: list[str]) -> bool:
    """Compare shown with printed lines, ``...`` standing for any number of lines."""
    if not shown:
        return not printed
    if shown[0] == ANYTHING:
        return any(matches(shown[1:], printed[n:]) for n in range(len(printed) + 1))
    return bool(printed) and shown[0] == printed[0] and matches(shown[1:], printed[1:])


def fault(command: Command, status: int, printed: str) -> str:
    """Say what is wrong with an example; nothing if it holds."""
    if status != command.status:
        return f"{command.place}: $ {command.text}\nexits with {status}\n{printed}"
    shown, found = tidy(command.shown), tidy(printed.splitlines())
    if shown and not matches(shown, found):
        changes = "\n".join(difflib.unified_diff(shown, found, "shown", "printed", lineterm=""))
        return f"{command.place}: $ {command.text}\n{changes}"
    return ""


@contextlib.contextmanager
def clean_room() -> Iterator[None]:
    """Work in an empty directory, without the user's presets and colours."""
    before, environment = Path.cwd(), dict(os.environ)
    with tempfile.TemporaryDirectory() as directory:
        for name in ("DSV3CALC_PATH", "FORCE_COLOR", "GITHUB_ACTIONS"):
            os.environ.pop(name, None)
        os.environ["XDG_CONFIG_HOME"] = directory
        os.chdir(directory)
        try:
            yield
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(environment)


def outcomes(page: Path) -> Iterator[tuple[Command, int, str]]:
    """Run a page's examples; yield each command with its exit status and what it prints."""
    with clean_room():
        for step in session(page):
            if isinstance(step, File):
                target = Path(step.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(step.text, encoding="utf-8")
            elif can_run(step):
                yield step, *execute(step)


def rewrite(page: Path) -> int:
    """Put what the commands print in place of what a page shows; return how many changed."""
    lines = page.read_text(encoding="utf-8").splitlines()
    changed = 0
    for command, status, printed in reversed(list(outcomes(page))):
        if fault(command, status, printed) and status == command.status:
            if ANYTHING in command.shown[:-1]:
                print(f"{command.place}: shows a part of the output: edit it by hand")
                continue
            found = tidy(printed.splitlines())
            if command.shown[-1:] == [ANYTHING]:
                found = [*found[: len(command.shown) - 1], ANYTHING]
            lines[command.line : command.line + len(command.shown)] = found
            changed += 1
    if changed:
        page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return changed


def main() -> int:
    """Write, or check, the examples of the pages named, or of all pages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args()
    found = [page.resolve() for page in options.pages] or pages()
    if not options.check:
        for page in found:
            count = rewrite(page)
            if count:
                print(f"{page.relative_to(ROOT)}: {count} outputs written")
    faults = [text for page in found for case in outcomes(page) if (text := fault(*case))]
    print("\n\n".join(faults) if faults else "all examples hold")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
