// SPDX-License-Identifier: Apache-2.0
// Tables of an answer. Each number is a button that opens its derivation; within a table the arrow
// keys go from one number to the next, so that a table is one stop of the tab key.

import { el } from "./dom.js";

/** Draw a table. `open(cell, button)` is called with a number that is chosen. */
export function tableOf(table, open, { stacked = false, bars = false } = {}) {
  const width = table.headings.length;
  const head = el("tr", { role: "row" }, ...table.headings.map((text, at) =>
    text ? el("th", { scope: "col", role: "columnheader", className: wordy(table, at) ? "words" : "" }, text) : el("td", { role: "cell" })));
  const body = table.rows.map((row) => rowOf(row, table, width, open, bars));
  const made = el("table", { role: "table", className: stacked ? "stacks" : "" },
    table.title ? el("caption", {}, table.title) : null,
    el("thead", { role: "rowgroup" }, head),
    el("tbody", { role: "rowgroup" }, ...body));
  rove(made);
  return el("div", { className: "scroll", tabIndex: -1 }, made);
}

function wordy(table, at) {
  return table.left.includes(at);
}

function rowOf(row, table, width, open, bars) {
  const only = row.length === 1 && width > 1;
  if (only) {
    return el("tr", { role: "row", className: "section" },
      el("th", { scope: "rowgroup", colSpan: width, role: "rowheader" }, String(row[0].text ?? row[0])));
  }
  const made = el("tr", { role: "row" }, ...row.map((cell, at) => cellOf(cell, at, row, table, open)));
  if (bars) addBars(made, row);
  return made;
}

function cellOf(cell, at, row, table, open) {
  const text = cell.text ?? cell;
  if (at === 0) {
    const depth = text.length - text.trimStart().length;
    return el("th", { scope: "row", role: "rowheader", className: `words depth-${Math.min(3, Math.ceil(depth / 2))}` }, text.trim());
  }
  const made = el("td", { role: "cell", className: wordy(table, at) ? "words" : "" });
  made.dataset.label = table.headings[at];
  if (cell.lines) made.append(numberOf(cell, open));
  else if (String(row[0].text ?? row[0]).trim() === "fits") made.append(el("span", { className: `verdict ${text}` }, text));
  else made.append(text);
  return made;
}

/** Under each number of a row a bar: its share of the largest. */
function addBars(made, row) {
  const values = row.map((cell) => (typeof cell.value === "number" ? cell.value : NaN));
  const largest = Math.max(...values.filter((value) => value > 0));
  if (new Set(values.filter((value) => value > 0)).size < 2) return;
  for (const [at, value] of values.entries()) {
    if (!(value > 0)) continue;
    const bar = el("span", { className: "bar", "aria-hidden": "true" });
    bar.style.width = `${Math.max(1, (100 * value) / largest)}%`;
    made.cells[at].append(el("span", { className: "track" }, bar));
  }
}

function numberOf(cell, open) {
  const [, value, ratio] = cell.text.match(/^(.*?)(?: (\([\d.,e+-]+x\)))?$/s);
  const button = el("button", { type: "button", className: "number", tabIndex: -1, title: "How is this derived?" }, value);
  if (ratio) button.append(" ", el("span", { className: "ratio" }, ratio));
  button.addEventListener("click", () => open(cell, button));
  return button;
}

/** One number of a table takes the tab key, the arrow keys go on from there. */
function rove(table) {
  const first = table.querySelector(".number");
  if (first) first.tabIndex = 0;
  table.addEventListener("keydown", (event) => {
    const here = event.target.closest?.(".number");
    const next = here && neighbour(here, event.key);
    if (!next) return;
    event.preventDefault();
    here.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

function neighbour(here, key) {
  const cell = here.closest("td");
  const row = cell.parentElement;
  const along = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[key];
  const across = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[key];
  if (along) return search(cell, along, (each) => each.querySelector(".number"));
  return across ? search(row, across, (each) => each.cells[cell.cellIndex]?.querySelector(".number")) : null;
}

function search(from, direction, take) {
  for (let each = from[direction]; each; each = each[direction]) {
    const found = take(each);
    if (found) return found;
  }
  return null;
}
