// SPDX-License-Identifier: Apache-2.0
// A config.json of one's own: pasted, chosen or dropped. It stays in this browser.

import { byId, el } from "./dom.js";
import { safeName } from "./state.js";

const LARGEST = 20_000_000; // characters; published files have some thousands

/** Ask for a config, and call `take(name, text)` with what was given. */
export function openPaste(take) {
  const dialog = byId("paste");
  const text = el("textarea", { rows: 14, spellcheck: false, placeholder: '{"model_type": "deepseek_v3", "hidden_size": 7168, …}' });
  text.setAttribute("aria-label", "Text of a config.json");
  const file = el("input", { type: "file", accept: ".json,.yaml,.yml,application/json" });
  let name = "config.json";
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    name = safeName(file.files[0].name);
    text.value = await textOf(file.files[0]);
  });
  const accept = () => { dialog.close(); if (text.value.trim()) take(name, text.value); };
  dialog.replaceChildren(
    el("h2", { id: "paste-title" }, "A model of your own"),
    el("p", {}, "Paste a config.json of Hugging Face, or choose a file. You can also drop one anywhere on the page. It is read here and sent nowhere."),
    text,
    el("p", {}, el("label", {}, "Or a file: ", file)),
    el("p", { className: "buttons" },
      el("button", { type: "button", className: "primary", onclick: accept }, "Use it"),
      el("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  dialog.showModal();
  text.focus();
}

/** Take files that are dropped on the page. */
export function acceptDrops(take, tell) {
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files?.[0];
    if (!file) return;
    if (file.size > LARGEST) tell(`${file.name} has ${file.size.toLocaleString("en")} bytes; a config has some thousands`);
    else take(safeName(file.name), await textOf(file));
  });
}

async function textOf(file) {
  return file.size > LARGEST ? "" : file.text();
}
