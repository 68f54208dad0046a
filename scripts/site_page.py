"""Build the page of ``site/`` with Pyodide and the package: a folder, and one HTML file.

What the page needs from elsewhere is Pyodide, which npm has, and msgspec's wheel for it, which pip
brings. Both are taken from ``--pyodide DIR`` where that is given, and else fetched.
"""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "site"
PYODIDE = "314.0.7"
MSGSPEC = "0.23.0"
WHEEL_TAGS = ("--python-version=3.14", "--implementation=cp", "--abi=cp314",
              "--platform=pyemscripten_2026_0_wasm32")  # fmt: skip
FROM_NPM = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
PURE = ("typer", "annotated_doc", "shellingham", "yaml")
"""Packages that the page needs and that are Python alone: those of this environment are taken."""

MODULES = (
    "dom",
    "state",
    "commands",
    "engine",
    "tables",
    "why",
    "paste",
    "pickers",
    "panels",
    "app",
)
"""Modules of the page, each after those that it imports: in one file they stand in this order."""


def build(out: Path, pyodide: Path | None) -> list[str]:
    """Write the page into a folder; return what was written, for a person."""
    parts = collected(pyodide, out.parent / f".{out.name}-fetched")
    parts["app.zip"] = application(parts.pop("msgspec.whl"))
    shutil.rmtree(out, ignore_errors=True)
    (out / "pyodide").mkdir(parents=True)
    for name, content in parts.items():
        (out / "pyodide" / name).write_bytes(content)
    choices = json.dumps(pickers(), ensure_ascii=True, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
    page = put(read("index.html"), '<script type="application/json" id="choices">{}</script>',
               f'<script type="application/json" id="choices">{choices}</script>')  # fmt: skip
    (out / "index.html").write_text(page, encoding="utf-8")
    for name in ("style.css", "worker.js", *(f"{module}.js" for module in MODULES)):
        shutil.copyfile(SITE / name, out / name)
    (out / "sw.js").write_text(service_worker(out), encoding="utf-8")
    (out / "dsv3calc.html").write_text(single_file(page, parts), encoding="utf-8")
    return [f"{path.relative_to(out.parent)} {path.stat().st_size:,} bytes" for path in
            (out / "index.html", out / "dsv3calc.html")]  # fmt: skip


def collected(given: Path | None, fetched: Path) -> dict[str, bytes]:
    """Return Pyodide's files and msgspec's wheel.

    Raises
    ------
    SystemExit
        Naming what is missing.
    """
    folder = given
    if folder is None:
        folder = fetched
        fetched.mkdir(parents=True, exist_ok=True)
        try:
            fetch(fetched)
        finally:
            found = contents(fetched)
            shutil.rmtree(fetched, ignore_errors=True)
    else:
        found = contents(folder)
    missing = [name for name in (*FROM_NPM, "msgspec.whl") if name not in found]
    if missing:
        raise SystemExit(
            f"the page needs {', '.join(missing)}, which {folder} does not have: "
            f"{', '.join(FROM_NPM)} are files of the npm package pyodide {PYODIDE}; msgspec.whl is "
            f"msgspec-{MSGSPEC}-cp314-cp314-pyemscripten_2026_0_wasm32.whl from PyPI"
        )
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Return what a folder has of the parts, also where npm puts them."""
    places = (folder, folder / "node_modules" / "pyodide", folder / "package")
    found = {
        name: path.read_bytes()
        for name in FROM_NPM
        for path in [next((p / name for p in places if (p / name).is_file()), None)]
        if path is not None
    }
    wheels = sorted(folder.glob(f"msgspec-{MSGSPEC}-*wasm32.whl"))
    return found | ({"msgspec.whl": wheels[0].read_bytes()} if wheels else {})


def fetch(folder: Path) -> None:
    """Fetch Pyodide with npm and msgspec's wheel with pip, as far as these are there."""
    npm = shutil.which("npm")
    if npm is None:
        print("npm is missing, which fetches Pyodide: install Node.js, or give --pyodide DIR")
    else:
        options = (
            "--prefix",
            str(folder),
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
        )
        subprocess.run([npm, "install", *options, f"pyodide@{PYODIDE}"], check=False)
    options = ("--quiet", "--no-deps", "--only-binary=:all:", *WHEEL_TAGS, "--dest", str(folder))
    subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, f"msgspec=={MSGSPEC}"], check=False
    )


def application(wheel: bytes) -> bytes:
    """Return the package, its presets and the libraries that it needs, as one archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(application_files(wheel)):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content,
                             zipfile.ZIP_DEFLATED)  # fmt: skip
    return buffer.getvalue()


def application_files(wheel: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each file of the archive."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as wheel_files:
        for name in wheel_files.namelist():
            if name.endswith((".py", ".so")):
                yield name, wheel_files.read(name)
    for package in PURE:
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise SystemExit(f"the page needs {package}, which is not installed here")
        yield from python_files(Path(found.origin).parent, package)
    yield from python_files(ROOT / "dsv3calc", "dsv3calc")
    presets = ROOT / "presets"
    for path in sorted(presets.rglob("*")):
        folder = path.relative_to(presets).parts[0]
        if path.is_file() and folder != "schema":  # which editors read, and nothing else
            yield f"dsv3calc/data/presets/{path.relative_to(presets).as_posix()}", path.read_bytes()
    yield "dsv3calc/data/presets.msgpack", compiled_presets()


def python_files(folder: Path, package: str) -> Iterator[tuple[str, bytes]]:
    """Yield the modules of a package."""
    for path in sorted(folder.rglob("*.py")):
        yield f"{package}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def compiled_presets() -> bytes:
    """Return the presets as the wheel has them: a query in the page parses no YAML."""
    from dsv3calc.reading.compiled_presets import compiled, texts_of
    from dsv3calc.reading.source import Source, parsed

    return compiled(texts_of(str(ROOT / "presets")), lambda text: parsed(Source("", text)))


def pickers() -> dict[str, object]:
    """Return what can be chosen, so that the page shows it before Python is there."""
    from dsv3calc.page import pickers as found

    return found()


def read(name: str) -> str:
    """Return the text of a file of ``site/``."""
    return (SITE / name).read_text(encoding="utf-8")


def put(text: str, old: str, new: str) -> str:
    """Replace what must stand in a text exactly once."""
    if text.count(old) != 1:
        raise SystemExit(f"site/: expected once, found {text.count(old)} times: {old}")
    return text.replace(old, new)


def service_worker(out: Path) -> str:
    """Return the service worker with the files of the page and their digest."""
    files = sorted(path for path in out.rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    names = ["./", *(path.relative_to(out).as_posix() for path in files)]
    text = put(read("sw.js"), 'const DIGEST = "development";', f'const DIGEST = "{digest}";')
    return put(text, "const FILES = [];", f"const FILES = {json.dumps(names)};")


def single_file(page: str, parts: dict[str, bytes]) -> str:
    """Return the page as one file: scripts, style and the parts of Python in it.

    Its policy allows these scripts by their digest, and workers from the file itself.
    """
    script = "\n".join(plain_script(read(f"{module}.js")) for module in MODULES)
    style = read("style.css")
    carried = {**parts, "worker.js": read("worker.js").encode()}
    packed = {
        name: base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
        for name, content in carried.items()
    }
    policy = (
        f"default-src 'none'; script-src {digest_of(script)} data: 'wasm-unsafe-eval'; "
        f"worker-src data:; style-src {digest_of(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    page = re.sub(
        r'(<meta http-equiv="Content-Security-Policy" content=")[^"]*',
        lambda m: m[1] + policy,
        page,
    )
    page = put(page, '<link rel="stylesheet" href="style.css">', f"<style>{style}</style>")
    page = put(page, '<script type="module" src="app.js"></script>\n', "")
    data = f'<script type="application/json" id="parts">{json.dumps(packed)}</script>'
    return put(page, "</body>", f'{data}\n<script type="module">{script}</script>\n</body>')


def plain_script(text: str) -> str:
    """Return a module without its imports and exports, to stand in one script with the others."""
    text = re.sub(r'^import \{[^}]*\} from "\./\w+\.js";\n', "", text, flags=re.MULTILINE)
    text = re.sub(r"^export (?=(async )?function|const|class)", "", text, flags=re.MULTILINE)
    if left := re.search(r"^(import|export)\b.*", text, re.MULTILINE):
        raise SystemExit(f"site/: this cannot stand in one file: {left[0]}")
    return text


def digest_of(text: str) -> str:
    """Return the digest by which a policy allows a script or a style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
