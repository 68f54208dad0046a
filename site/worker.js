// SPDX-License-Identifier: Apache-2.0
// The package in a worker: files come in, messages of dsv3calc.page go through, one at a time.

let reply = null;
let files = null;

/** Names of files that may come in: data beside each other, no path into the package. */
const NAMES = /^\w[\w.-]*\.(json|jsonl|ya?ml|csv|txt)$/;

self.onmessage = async ({ data }) => {
  try {
    if (data.boot) await boot(data.boot);
    for (const [name, text] of Object.entries(data.files ?? {})) {
      if (!NAMES.test(name)) throw new Error(`not a name of a file here: ${name}`);
      files.writeFile(name, text);
    }
    const found = data.ask ? reply(data.ask) : "";
    self.postMessage({ id: data.id, found });
  } catch (error) {
    self.postMessage({ id: data.id, failed: String(error?.message ?? error) });
  }
};

async function boot({ pyodide: address, asm, indexURL, parts, bare }) {
  if (parts) serveFrom(parts);
  const archive = bare ? null : fetch(`${indexURL}app.zip`).then(whole);
  const [{ loadPyodide }, { default: createPyodideModule }] = await Promise.all([import(address), import(asm)]);
  const python = await loadPyodide({
    indexURL,
    createPyodideModule,
    stdLibURL: `${indexURL}python_stdlib.zip`,
    lockFileContents: { info: LOCK_INFO, packages: {} },
    packageBaseUrl: indexURL,
    env: { HOME: "/home/pyodide", TZ: "UTC", PYTHONDONTWRITEBYTECODE: "1" },
    stdin: () => null,
  });
  if (bare) return;
  python.FS.writeFile("/app.zip", new Uint8Array(await archive));
  python.runPython("import os, zipfile\nzipfile.ZipFile('/app.zip').extractall('/lib/python3.14/site-packages')\nos.remove('/app.zip')");
  files = python.FS;
  files.chdir("/home/pyodide");
  reply = python.pyimport("dsv3calc.page").reply;
}

const LOCK_INFO = { abi_version: "2026_0", arch: "wasm32", platform: "emscripten_5_0_3", python: "3.14.2", version: "314.0.7" };

async function whole(response) {
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

/** Answer requests for parts that the page carries itself: one file from disk has no others. */
function serveFrom(parts) {
  const types = { wasm: "application/wasm" };
  self.fetch = async (address) => {
    const name = String(address?.url ?? address).split("/").pop();
    if (!Object.hasOwn(parts, name)) return new Response(null, { status: 404, statusText: `no ${name} in this file` });
    return new Response(parts[name], { headers: { "Content-Type": types[name.split(".").pop()] ?? "application/zip" } });
  };
}
