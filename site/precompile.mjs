// SPDX-License-Identifier: Apache-2.0
// Compile the modules that the page uses with Pyodide's own Python, so that a browser need not do it
// on each visit: node precompile.mjs FOLDER, which has Pyodide, app.zip, and trace.json: the messages
// that the page sends. Writes used.zip: the compiled modules of the library and of the package.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`).href);
const python = await loadPyodide({ indexURL: folder, env: { PYTHONNODEBUGRANGES: "1" } });
python.FS.writeFile("/app.zip", new Uint8Array(readFileSync(`${folder}/app.zip`)));
python.runPython(`
import sys, zipfile
zipfile.ZipFile("/app.zip").extractall("/lib/python3.14/site-packages")
sys.dont_write_bytecode = False  # Pyodide sets it
`);
const reply = python.pyimport("dsv3calc.page").reply;
for (const message of JSON.parse(readFileSync(`${folder}/trace.json`, "utf8"))) reply(JSON.stringify(message));
python.runPython(`
import importlib.util
import importlib._bootstrap_external as external
import sys
import zipfile

LIBRARY, PACKAGES = "/lib/python314.zip/", "/lib/python3.14/site-packages/"
HEADER = 16  # bytes of a compiled file before its code: here, that it is never checked

def compiled(name, source):
    return external._code_to_hash_pyc(compile(source, name, "exec", optimize=2), bytes(8), False)

def kept(path):
    with open(importlib.util.cache_from_source(path), "rb") as file:  # written at the import
        return compiled("", b"")[:HEADER] + file.read()[HEADER:]

def place(path):
    folder, _, stem = path.rpartition("/")
    if folder.startswith("dsv3calc/formulas"):  # whose source is read: it keeps it
        return f"app/{folder}/__pycache__/{stem[:-3]}.cpython-314.pyc"
    return f"app/{path}c"

used = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
library = zipfile.ZipFile("/lib/python314.zip")
with zipfile.ZipFile("/used.zip", "w") as write:
    for path in sorted(used):
        name = path.removeprefix(LIBRARY).removeprefix(PACKAGES)
        if path.startswith(LIBRARY):
            write.writestr(f"library/{name}c", compiled(path, library.read(name)))
        elif path.startswith(PACKAGES) and path.endswith(".py"):
            write.writestr(place(name), kept(path))
`);
writeFileSync(`${folder}/used.zip`, python.FS.readFile("/used.zip"));
