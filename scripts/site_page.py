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
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "site"
PYODIDE = "314.0.7"
MSGSPEC = "0.23.0"
WHEEL_TAGS = ("--python-version=3.14", "--implementation=cp", "--abi=cp314",
              "--platform=pyemscripten_2026_0_wasm32")  # fmt: skip
FROM_NPM = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
LOCK = {"abi_version": "2026_0", "arch": "wasm32", "platform": "emscripten_5_0_3",
        "python": "3.14.2", "version": PYODIDE}  # fmt: skip
UNUSED = (
    "ctypes/", "curses/", "dbm/", "doctest", "email/", "encodings/cp", "ensurepip/", "ftplib",
    "html/", "http/", "idlelib/", "imaplib", "lib2to3/", "mailbox", "multiprocessing/",
    "nntplib", "pdb", "poplib", "pydoc", "smtplib", "sqlite3/", "test/", "tkinter/", "turtle",
    "unittest/", "venv/", "wsgiref/", "xml/", "xmlrpc/",
)  # fmt: skip
"""Beginnings of modules of the standard library that the package does not use."""

PRESETS = ("achieved", "comparisons", "failures", "hardware", "kv_formats", "layouts", "models",
           "networks", "precisions", "recipes", "recompute", "setups")  # fmt: skip
"""Presets that queries read; measurements and published figures stay in the repository."""

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
    "others",
    "app",
)
"""Modules of the page, each after those that it imports: in one file they stand in this order."""


class Missing(SystemExit):
    """What the site needs from elsewhere cannot be had here: exit status 77, told before."""

    def __init__(self, text: str) -> None:
        print(text, file=sys.stderr)
        super().__init__(77)


def build(out: Path, pyodide: Path | None) -> list[str]:
    """Write the page into a folder; return what was written, for a person."""
    script = one_script()
    parts = collected(pyodide, out.parent / f".{out.name}-fetched")
    parts["app.zip"] = archive(dict(application_files(parts.pop("msgspec.whl"))))
    parts = precompiled(parts)
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
    (out / "dsv3calc.html").write_text(single_file(page, script, parts), encoding="utf-8")
    return [f"{path.relative_to(out.parent)} {path.stat().st_size:,} bytes" for path in
            (out / "index.html", out / "dsv3calc.html")]  # fmt: skip


def collected(given: Path | None, fetched: Path) -> dict[str, bytes]:
    """Return Pyodide's files and msgspec's wheel.

    Raises
    ------
    Missing
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
        raise Missing(
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


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of files, the same for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            written.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def members(content: bytes) -> dict[str, bytes]:
    """Return the files of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        return {name: found.read(name) for name in found.namelist() if not name.endswith("/")}


def precompiled(parts: dict[str, bytes]) -> dict[str, bytes]:
    """Return the parts with the modules that the page uses compiled, as Pyodide compiles them.

    These stand in place of their source, but for formulas, whose source is read. Of the standard
    library what makes no sense in a browser is left out.
    """
    node = shutil.which("node")
    if node is None:
        raise Missing("node is missing, which compiles the modules of the page: install Node.js")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, content in parts.items():
            (folder / part).write_bytes(content)
        # Pyodide under Node reads its lock file, which names the wheels of its own host
        (folder / "pyodide-lock.json").write_text(json.dumps({"info": LOCK, "packages": {}}))
        (folder / "trace.json").write_text(json.dumps(list(messages())))
        done = subprocess.run(
            [node, str(SITE / "precompile.mjs"), name], capture_output=True, text=True, check=False
        )
        if done.returncode:  # its stack shows whole files of one line
            raise SystemExit(
                "\n".join(line[:200] for line in done.stderr.split("\n") if line.strip())
            )
        used = members((folder / "used.zip").read_bytes())
    library = {
        path: content
        for path, content in members(parts["python_stdlib.zip"]).items()
        if not path.startswith(UNUSED) and f"library/{path}c" not in used
    }
    library |= {path[8:]: content for path, content in used.items() if path.startswith("library/")}
    package = {
        path: content
        for path, content in members(parts["app.zip"]).items()
        if f"app/{path}c" not in used
    }
    package |= {path[4:]: content for path, content in used.items() if path.startswith("app/")}
    return parts | {"python_stdlib.zip": archive(library), "app.zip": archive(package)}


def messages() -> Iterator[dict[str, object]]:
    """Yield what a visit asks: from it follows which modules are compiled."""
    v3, dense = "deepseek-v3 --hardware h800", "llama-3.1-405b --hardware h100"
    yield {"ask": "pickers"}
    for query in (
        "compare deepseek-v3:hardware=h800 llama-3.1-405b:hardware=h100",
        f"memory {v3} --layout v3-pretrain --setup deepseek-dualpipe",
        f"memory {dense} --serve --tp 16 --setup vllm",
        f"train {v3} --layout v3-pretrain --setup deepseek-dualpipe",
        f"time {v3} --layout v3-decode-ep320 --phase decode",
        f"serve {v3} --layout v3-decode-ep320 --curve",
        f"traffic {v3} --layout v3-pretrain",
        "kv deepseek-v3 --batch 0",
    ):
        yield {"ask": "show", "words": query.split()}
    words = ["kv", "deepseek-v3"]
    yield {"ask": "explain", "words": words, "column": "", "line": "kv_cache.bytes", "path": []}
    for form in ("json", "csv", "markdown"):
        yield {"ask": "run", "words": [*words, "--format", form]}
    yield {"ask": "run", "words": [*words, "--wrong"]}


def application_files(wheel: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each file: the package, its presets, its libraries."""
    for name, content in members(wheel).items():
        if name.endswith((".py", ".so")):
            yield name, content
    for package in PURE:
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise SystemExit(f"the page needs {package}, which is not installed here")
        yield from python_files(Path(found.origin).parent, package)
    yield from python_files(ROOT / "dsv3calc", "dsv3calc")
    texts = []
    for folder in PRESETS:
        for path in sorted((ROOT / "presets" / folder).glob("*.yaml")):
            texts.append(path.read_text(encoding="utf-8"))
            yield f"dsv3calc/data/presets/{folder}/{path.name}", path.read_bytes()
    yield "dsv3calc/data/presets.msgpack", compiled_presets(texts)


def python_files(folder: Path, package: str) -> Iterator[tuple[str, bytes]]:
    """Yield the modules of a package, and the data beside its formulas."""
    for path in sorted([*folder.rglob("*.py"), *folder.glob("formulas/**/*.json")]):
        yield f"{package}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def compiled_presets(texts: list[str]) -> bytes:
    """Return the presets as the wheel has them: a query in the page parses no YAML."""
    from dsv3calc.catalogue.compile_presets import compiled_folder

    return compiled_folder(str(ROOT / "presets"), texts)


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


def one_script() -> str:
    """Return all modules of the page as one script.

    Raises
    ------
    SystemExit
        Naming what cannot stand in one script.
    """
    script = "\n".join(plain_script(read(f"{module}.js")) for module in MODULES)
    declaration = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
    declared = Counter(declaration.findall(script))
    if twice := [name for name, count in declared.items() if count > 1]:
        raise SystemExit(f"site/: in one file these names stand twice: {', '.join(twice)}")
    return script


def single_file(page: str, script: str, parts: dict[str, bytes]) -> str:
    """Return the page as one file: scripts, style and the parts of Python in it.

    Its policy allows these scripts by their digest, and workers from the file itself.
    """
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
