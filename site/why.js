// SPDX-License-Identifier: Apache-2.0
// The derivation of a number: formula, substitution and source of a line, over what goes into it.

import { byId, copyButton, el, link, linked } from "./dom.js";
import { ask } from "./engine.js";
import { typed } from "./commands.js";

/** Open the derivation of a cell: of its line, or of the lines that it is derived from. */
export function openWhy(cell, words, files) {
  const dialog = byId("why");
  const body = el("div", { className: "why-body" });
  const first = cell.lines[0][1];
  dialog.replaceChildren(
    el("div", { className: "why-head" },
      el("h2", { id: "why-title" }, cell.lines.length > 1 ? `${cell.text.trim()}: from ${cell.lines.length} lines` : `${first}`),
      el("button", { type: "button", className: "small", onclick: () => dialog.close() }, "Close")),
    body);
  for (const [column, line] of cell.lines) {
    const asked = { ask: "explain", words, column, line };
    const place = el("div", { className: "tree" }, el("p", { className: "quiet" }, "Computing…"));
    body.append(place);
    fill(place, asked, [], files, true);
  }
  const command = typed([...words, "--explain", "--line", first]);
  body.append(el("div", { className: "command" }, el("code", {}, command), copyButton(command)));
  dialog.showModal();
}

async function fill(place, asked, path, files, top) {
  let found;
  try {
    found = await ask({ ...asked, path }, files);
  } catch (error) {
    found = { error: error.message };
  }
  if (found.line) place.replaceChildren(...partsOf(found.line, asked, path, files, top));
  else place.replaceChildren(el("pre", { className: "error" }, found.error));
}

/** A line with all that is known of it, its inputs closed. */
function partsOf(line, asked, path, files, top) {
  const made = [];
  if (top) made.push(el("p", { className: "line" }, el("b", {}, line.name), " = ", line.value));
  if (line.summary) made.push(el("p", {}, line.summary));
  if (line.convention) made.push(el("p", { className: "quiet" }, `Convention: ${line.convention}`));
  const equations = [line.symbols, line.symbols ? "" : line.words, line.numbers && `= ${line.numbers}`].filter(Boolean);
  if (equations.length) made.push(el("div", { className: "equation" }, ...equations.map((text) => el("div", {}, text))));
  if (line.source) made.push(el("p", { className: "quiet" }, "Source: ", ...linked(line.source)));
  if (line.origin) made.push(originOf(line.origin));
  if (line.inputs?.length) {
    made.push(el("ul", { className: "inputs" },
      ...line.inputs.map((each, at) => el("li", {}, inputOf(each, asked, [...path, at], files, line.inputs.length === 1)))));
  }
  return made;
}

function inputOf(input, asked, path, files, alone) {
  const { line } = input;
  const head = [
    input.symbol ? el("code", {}, `${input.symbol} `) : null,
    el("b", {}, line.name), ` = ${line.value}`,
    input.meaning ? el("span", { className: "quiet" }, ` ${input.meaning}`) : null,
  ];
  const ends = line.origin || !(line.below || line.numbers || line.summary);
  if (ends) return el("div", { className: "leaf" }, ...head, line.origin ? originOf(line.origin) : null);
  const inner = el("div", { className: "tree" });
  const made = el("details", {}, el("summary", {}, ...head), inner);
  if (alone) made.open = true; // one input alone is what the line is about
  made.addEventListener("toggle", () => { if (made.open && !inner.hasChildNodes()) fill(inner, asked, path, files, false); });
  return made;
}

/** Where a value was read: its kind of source, citation with link, file and line. */
function originOf(origin) {
  const made = el("p", { className: "quiet origin" });
  made.append(el("span", { className: origin.kind === "assumed" ? "assumed" : "kind" }, origin.kind), " ");
  if (origin.file) made.append(el("code", {}, shortened(origin.file) + (origin.line ? `:${origin.line}` : "")), " ");
  if (origin.citation) made.append(...(origin.url ? [origin.citation] : linked(origin.citation)), " ");
  if (origin.note) made.append(`(${origin.note}) `);
  if (origin.url?.startsWith("https://")) made.append(link(origin.url, origin.url), " ");
  if (origin.read) made.append(`read ${origin.read}`);
  return made;
}

function shortened(file) {
  return file.replace(/^.*\/presets\//, "presets/").replace(/^\/home\/pyodide\//, "");
}

