// SPDX-License-Identifier: Apache-2.0
// A panel: the answer to one command line, with its picture, what to know, and ways to take it away.

import { typed } from "./commands.js";
import { copyButton, download, el, linked } from "./dom.js";
import { ask } from "./engine.js";
import { fieldsNamed } from "./pickers.js";
import { tableOf } from "./tables.js";
import { openWhy } from "./why.js";

const FORMATS = { json: "application/json", csv: "text/csv", markdown: "text/markdown", svg: "image/svg+xml" };
const ENDINGS = { json: "json", csv: "csv", markdown: "md", svg: "svg" };

export function drawPanel(found, words, files, left, index) {
  const made = el("article", { className: "panel", "aria-labelledby": `answer-${index}` });
  made.dataset.status = found.status;
  if (found.status) made.append(...failed(found));
  else made.append(...contents(found, words, files));
  const heading = made.querySelector("h2");
  if (heading) heading.id = `answer-${index}`;
  if (left.length) made.append(el("p", { className: "quiet" }, `No option of this question: ${left.join(", ")}`));
  made.append(actionsOf(words, files, Boolean(found.picture)));
  return made;
}

function failed(found) {
  const fields = fieldsNamed(found.error).map(([option, label]) => `${option} is the field ${label}`);
  const other = /--set /.test(found.error) ? ["--set goes into Further options"] : [];
  return [
    el("h2", {}, found.status === 70 ? "This is a defect" : "No answer"),
    el("pre", { className: "error", role: "alert" }, found.error.trimEnd()),
    fields.length + other.length ? el("p", { className: "quiet" }, `On this page: ${[...fields, ...other].join("; ")}.`) : null,
  ].filter(Boolean);
}

function contents(found, words, files) {
  const open = (cell) => openWhy(cell, words, files);
  const [first, ...rest] = found.heading;
  const compared = words[0] === "compare";
  return [
    first ? el("h2", {}, first) : null,
    ...rest.map((text) => el("p", { className: "quiet" }, text)),
    found.picture ? pictureOf(found.picture) : null,
    ...found.tables.map((table) => tableOf(table, open, { stacked: compared, bars: compared })),
    toldOf(found),
  ].filter(Boolean);
}

/** A picture as an image: what it is made of can neither run nor fetch anything. */
function pictureOf({ title, svg }) {
  const image = el("img", { className: "picture", alt: `${title}. The tables below have its numbers.`, src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}` });
  return el("figure", { className: "scroll", tabIndex: 0, role: "group", "aria-label": title }, image);
}

function toldOf(found) {
  const item = ([word, text]) => el("li", { className: word }, el("span", { className: "word" }, word), " ", ...linked(text));
  const more = found.more.length ? el("details", {}, el("summary", {}, `${found.more.length} more notes and assumptions`), el("ul", { className: "told" }, ...found.more.map(item))) : null;
  return found.told.length || more ? el("div", {}, el("ul", { className: "told" }, ...found.told.map(item)), more) : null;
}

function actionsOf(words, files, picture) {
  const command = typed(words);
  const formats = Object.keys(FORMATS).filter((format) => format !== "svg" || picture);
  return el("div", { className: "actions" },
    el("div", { className: "command" }, el("code", {}, command), copyButton(command, "Copy")),
    el("div", { className: "takes" }, ...formats.map((format) => takeButton(format, words, files))));
}

function takeButton(format, words, files) {
  const name = `${words.join("-").replace(/[^\w.]+/g, "-").slice(0, 80)}.${ENDINGS[format]}`;
  const label = format === "markdown" ? "Markdown" : format.toUpperCase();
  const button = el("button", { type: "button", className: "small", onclick: take, "aria-label": `${label}: save this answer` }, label);
  async function take() {
    const found = await ask({ ask: "run", words: [...words, "--format", format] }, files);
    if (found.status) button.textContent = "not available";
    else download(name, FORMATS[format], found.output);
  }
  return button;
}
