"""Build the documentation as a site, which works from a disk and without a network.

The pages stand in the site as they do in the repository, so that their links hold in both. What
comes from elsewhere is KaTeX, for equations, and a small script by which the search also works from
a disk. npm brings both, or ``--assets DIR`` has them.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from site_page import Missing

ROOT = Path(__file__).resolve().parents[1]
KATEX, SHIM = "0.16.47", "1.0.4"
SHIM_ADDRESS = "https://unpkg.com/iframe-worker/shim"
STAGED = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "action.yml",
    ".pre-commit-hooks.yaml", "benchmarks/README.md", "docs", "examples",
)  # fmt: skip
"""What pages are made of, and what they link to."""

LINK = re.compile(r"^- \[([^]]+)\]\(([^)#]+\.md)\)", re.MULTILINE)
OUTSIDE = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"?https?://[^\"> ]+")


def build(out: Path, assets: Path | None = None) -> list[str]:
    """Write the documentation into a folder, beside what is there; return what was written.

    Raises
    ------
    Missing
        Naming what is missing.
    SystemExit
        Naming the links that lead nowhere.
    """
    if importlib.util.find_spec("zensical") is None:
        raise Missing("the documentation needs zensical: python -m pip install '.[site]'")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parts = collected(assets, work / "fetched")
        tree = stage(work / "tree", parts)
        shutil.copytree(ROOT / "site" / "overrides", work / "overrides")
        (work / "mkdocs.yml").write_text(settings(), encoding="utf-8")
        _run_zensical(work)
        made = work / "made"
        shim = (parts / "iframe-worker" / "shim" / "index.js").read_text("utf-8")
        (made / "assets" / "shim.js").write_text(shim, encoding="utf-8")
        for page in made.rglob("*.html"):
            up = "../" * (len(page.relative_to(made).parts) - 1)
            text = page.read_text("utf-8").replace(SHIM_ADDRESS, f"{up}assets/shim.js")
            outside = OUTSIDE.search(re.sub(r'<link rel="canonical"[^>]*>', "", text))
            if outside is not None:
                raise SystemExit(f"{page.relative_to(made)} loads from elsewhere: {outside[0]}")
            page.write_text(text, encoding="utf-8")
        shutil.copytree(made, out, dirs_exist_ok=True)
        pages = len([*tree.rglob("*.md")])
    return [f"{out / 'index.html'}: {pages} pages of documentation"]


def _run_zensical(work: Path) -> None:
    """Run it on a folder; a link that leads nowhere is an error.

    Raises
    ------
    SystemExit
        With what it says.
    """
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(
        command,
        cwd=work,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        told = plain.partition("Traceback (most recent call last)")[0]
        raise SystemExit(f"the documentation could not be built:\n{told}")


def stage(tree: Path, parts: Path) -> Path:
    """Copy what the site is made of, and KaTeX with what calls it."""
    for name in STAGED:
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target)
        else:
            shutil.copyfile(ROOT / name, target)
    katex = tree / "assets" / "katex"
    (katex / "fonts").mkdir(parents=True)
    for name in ("katex.min.js", "katex.min.css"):
        shutil.copyfile(parts / "katex" / "dist" / name, katex / name)
    for font in (parts / "katex" / "dist" / "fonts").glob("*.woff2"):
        shutil.copyfile(font, katex / "fonts" / font.name)
    shutil.copyfile(ROOT / "site" / "render.js", katex / "render.js")
    return tree


def settings() -> str:
    """Return the settings of the site, with the navigation that ``docs/README.md`` has."""
    text = (ROOT / "site" / "docs.yml").read_text("utf-8")
    lines = ["docs_dir: tree", "site_dir: made", "nav:"]
    for title, pages in navigation().items():
        lines.append(f'  - "{title}":')
        lines += [f'      - "{name}": {path}' for name, path in pages.items()]
    return "\n".join([text, *lines]) + "\n"


def navigation() -> dict[str, dict[str, str]]:
    """Return the sections of the site, each with its pages by name: those of the index."""
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    _, *sections = index.split("\n## ")
    found = {"dsv3calc": {"Overview": "README.md", "Documentation": "docs/README.md"}}
    for section in sections:
        title, _, body = section.partition("\n")
        found[title] = {name: os.path.normpath(f"docs/{path}") for name, path in LINK.findall(body)}
    decisions = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    found["Decisions"] = {
        path.read_text("utf-8").partition("\n")[0].removeprefix("# "): f"docs/decisions/{path.name}"
        for path in decisions
    }
    found["Project"] = {"Contributing": "CONTRIBUTING.md", "Changes": "CHANGELOG.md"}
    return found


def collected(given: Path | None, fetched: Path) -> Path:
    """Return a folder with KaTeX and the shim, as npm lays them out.

    Raises
    ------
    Missing
        Naming what is missing.
    """
    folder = given
    if folder is None:
        folder = fetched
        fetched.mkdir(parents=True)
        npm = shutil.which("npm")
        if npm is None:
            raise Missing("npm is missing, which fetches KaTeX: install it, or give --assets DIR")
        options = ("--prefix", str(fetched), "--ignore-scripts", "--no-audit", "--no-fund")
        names = (f"katex@{KATEX}", f"iframe-worker@{SHIM}")
        subprocess.run([npm, "install", "--silent", *options, *names], check=False)
    found = folder / "node_modules" if (folder / "node_modules").is_dir() else folder
    missing = [
        name
        for name in ("katex/dist/katex.min.js", "iframe-worker/shim/index.js")
        if not (found / name).is_file()
    ]
    if missing:
        raise Missing(
            f"{folder} lacks {', '.join(missing)}, of the npm packages katex and iframe-worker"
        )
    return found
