// SPDX-License-Identifier: Apache-2.0
// The worker from the page's side: it is started once, and asked one thing after the other.

import { byId } from "./dom.js";

let worker = null;
let ready = null;
let number = 0;
const waiting = new Map();
const sent = new Map();

/** Say why the package cannot run in this browser; nothing where it can. */
export function missing() {
  if (typeof WebAssembly !== "object") return "WebAssembly";
  if (typeof Worker !== "function") return "web workers";
  if (typeof DecompressionStream !== "function") return "DecompressionStream";
  return "";
}

/** Start the worker; the promise holds once the package is imported. */
export function start({ bare = false } = {}) {
  ready ??= boot(bare);
  return ready;
}

async function boot(bare) {
  const carried = byId("parts");
  const found = carried ? await unfolded(carried) : addresses();
  worker = new Worker(found.worker, { type: "module" });
  worker.onmessage = ({ data }) => {
    const [done, failed] = waiting.get(data.id) ?? [];
    waiting.delete(data.id);
    if (data.failed !== undefined) failed?.(new Error(data.failed));
    else done?.(data.found);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    for (const [, failed] of waiting.values()) failed(new Error(event.message || "the worker could not be loaded"));
    waiting.clear();
  };
  return post({ boot: { ...found, worker: undefined, bare } });
}

function addresses() {
  const base = new URL("pyodide/", document.baseURI).href;
  return {
    worker: new URL("worker.js", document.baseURI).href,
    pyodide: `${base}pyodide.mjs`,
    asm: `${base}pyodide.asm.mjs`,
    indexURL: base,
  };
}

/** The parts of a page that is one file: compressed, as text, in the page itself. */
async function unfolded(element) {
  const parts = JSON.parse(element.textContent);
  element.remove();
  const found = {};
  for (const [name, text] of Object.entries(parts)) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    found[name] = await new Response(plain).arrayBuffer();
  }
  const script = (name) => `data:text/javascript;base64,${base64(found[name])}`;
  const boot = {
    worker: script("worker.js"),
    pyodide: script("pyodide.mjs"),
    asm: script("pyodide.asm.mjs"),
    indexURL: "https://parts.invalid/", // never asked: the worker answers these itself
  };
  for (const name of ["worker.js", "pyodide.mjs", "pyodide.asm.mjs"]) delete found[name];
  return { ...boot, parts: found };
}

function base64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

function post(message) {
  number += 1;
  const id = number;
  return new Promise((done, failed) => {
    waiting.set(id, [done, failed]);
    worker.postMessage({ id, ...message });
  });
}

/** Ask the package. `files` are written to the worker's memory first, where they changed. */
export async function ask(message, files = {}) {
  await start();
  const changed = Object.entries(files).filter(([name, text]) => sent.get(name) !== text);
  for (const [name, text] of changed) sent.set(name, text);
  return JSON.parse(await post({ ask: JSON.stringify(message), files: Object.fromEntries(changed) }));
}
