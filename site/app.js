// SPDX-License-Identifier: Apache-2.0
// The page: reads the address, asks the package, shows the answers.

import { PARTS, commandLines, hasPart, partOf } from "./commands.js";
import { byId, el } from "./dom.js";
import { ask, missing, start } from "./engine.js";
import { drawPanel } from "./panels.js";
import { otherQuestions } from "./others.js";
import { acceptDrops, openPaste } from "./paste.js";
import { drawPickers } from "./pickers.js";
import { VIEWS, read, written } from "./state.js";

const choices = JSON.parse(byId("choices").textContent);
let state = null;
let turn = 0;

async function begin() {
  byId("version").textContent = `dsv3calc ${choices.version ?? ""}`;
  byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("answer").focus(); });
  byId("top-actions").append(themeButton());
  addEventListener("popstate", () => restore());
  const wide = matchMedia("(min-width: 56rem)");
  byId("beside").open = wide.matches;
  wide.addEventListener("change", () => { if (wide.matches) byId("beside").open = true; });
  const lacking = missing();
  if (lacking) return showMissing(lacking);
  acceptDrops((name, text) => useConfig(state.designs.length - 1, name, text), (text) => tell([text]));
  registerOffline();
  start().catch(() => null); // what fails is told where an answer is wanted
  return restore();
}

/** Take the state from the address. */
async function restore() {
  const { state: found, unknown } = await read(location.hash);
  state = found;
  if (state.part && !hasPart(state)) unknown.push(`part=${state.part}`);
  document.documentElement.classList.toggle("embedded", state.embed);
  tell(unknown.map((text) => `This version does not know this part of the link, so it is left out: ${brief(text)}`));
  await draw();
}

/** Edit the state, put it into the address and ask again. `focus` names a control to go on from. */
async function change(edit, focus) {
  edit(state);
  if (!hasPart(state)) state.part = "";
  const { fragment, lost } = await written(state);
  await new Promise((done) => setTimeout(done)); // the tab key changes a field before it moves the focus
  history.pushState(null, "", `#${fragment}`);
  tell(lost.map((name) => `${name} is too long for a link: the link names it, and whoever opens it has to give the file.`));
  await draw(focus);
}

async function draw(focus = "") {
  const focused = focus || document.activeElement?.id;
  drawPickers(byId("pickers"), state, choices, { change, paste: (index) => openPaste((name, text) => useConfig(index, name, text)) });
  byId("chosen").textContent = state.designs.map((each) => each.model || "?").join(", ");
  drawViews();
  if (focused && byId(focused) !== document.activeElement) byId(focused)?.focus();
  document.title = `dsv3calc: ${VIEWS[state.view].toLowerCase()}`;
  turn += 1;
  const own = turn;
  byId("others").replaceChildren(...otherQuestions(state));
  const files = Object.fromEntries(state.designs.filter((each) => each.config !== null).map((each) => [each.model, each.config]));
  const lines = commandLines(state, choices);
  const panels = byId("panels");
  panels.className = `panels count-${lines.length}`;
  const places = lines.map(() => el("article", { className: "panel", "aria-busy": "true" }, el("p", { className: "quiet waiting" }, "Computing…")));
  if (!keepsShape(panels, places.length)) panels.replaceChildren(...places);
  if (!lines.length) panels.replaceChildren(el("p", { className: "message" }, "Choose a model to begin."));
  for (const [index, { words, left }] of lines.entries()) {
    const found = await answered(words, files);
    if (own !== turn) return;
    const panel = drawPanel(found, words, files, left, index);
    panels.children[index].replaceWith(panel);
  }
  announce(panels);
  panels.dataset.done = location.hash;
}

/** Say to a screen reader what the answers are about, and whether it fits. */
function announce(panels) {
  const said = [...panels.querySelectorAll(".panel")].map((each) => {
    const verdicts = [...each.querySelectorAll(".verdict")].map((verdict) => verdict.textContent);
    const fits = verdicts.length ? `, fits: ${verdicts.join(", ")}` : "";
    return `${each.querySelector("h2")?.textContent ?? ""}${fits}`;
  });
  byId("announced").textContent = said.length ? `Answered: ${said.join("; ")}` : "";
}

/** A part of a link in words of one line: it may be long, and have characters that turn a text. */
function brief(text) {
  const plain = text.replace(/[\p{Cc}\p{Cf}]/gu, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);
  return plain.length > 80 ? `${plain.slice(0, 80)}…` : plain;
}

/** Keep what is shown until the new answer is there, where as many panels are shown. */
function keepsShape(panels, count) {
  delete panels.dataset.done;
  if (panels.children.length !== count || !panels.querySelector(".panel:not([aria-busy])")) return false;
  for (const each of panels.children) each.setAttribute("aria-busy", "true");
  return true;
}

async function answered(words, files) {
  const late = setTimeout(() => tell(["Loading Python, about 8 MB, once…"], "loading"), 300);
  try {
    await start();
  } catch (error) {
    return { status: 70, error: `Python could not be started in this browser: ${error.message}` };
  } finally {
    clearTimeout(late);
    untell("loading");
  }
  try {
    return await ask({ ask: "show", words }, files);
  } catch (error) {
    return { status: 70, error: error.message };
  }
}

function drawViews() {
  const views = Object.entries(VIEWS).map(([view, label]) => el("button", {
    type: "button", className: "view", id: `view-${view}`, "aria-current": state.view === view ? "page" : null,
    onclick: () => change((now) => { now.view = view; now.part = ""; }),
  }, label));
  const parts = Object.entries(PARTS[state.view][state.use]);
  const inner = parts.length < 2 ? [] : parts.map(([part, label]) => el("button", {
    type: "button", className: "part", id: `part-${part}`, "aria-current": partOf(state) === part ? "page" : null,
    onclick: () => change((now) => { now.part = part; }),
  }, label));
  byId("views").replaceChildren(el("div", { className: "view-row" }, ...views), el("div", { className: "part-row" }, ...inner));
}

function useConfig(index, given, text) {
  const taken = new Map(state.designs.filter((each) => each.config !== null).map((each) => [each.model, each.config]));
  let name = given;
  for (let next = 2; names.has(name) && names.get(name) !== text || taken.has(name) && taken.get(name) !== text; next += 1) {
    name = given.replace(/(\.\w+)$/, `-${next}$1`);
  }
  names.set(name, text);
  return change((now) => {
    now.designs[index].model = name;
    now.designs[index].config = text;
  });
}

const names = new Map(); // a name stands for one text as long as the page is open

function tell(texts, kind = "told") {
  untell(kind);
  byId("messages").append(...texts.map((text) => {
    const made = el("p", { className: "message" }, text);
    made.dataset.kind = kind;
    return made;
  }));
}

function untell(kind) {
  for (const each of byId("messages").querySelectorAll(`[data-kind="${kind}"]`)) each.remove();
}

function showMissing(lacking) {
  tell([`This page runs Python in the browser and needs ${lacking}, which this browser does not have or has switched off.`,
    "Use a current Firefox, Chrome, Edge or Safari, switch off a lockdown mode for this page, or install the program: pip install dsv3calc"]);
}

function themeButton() {
  const themes = ["auto", "light", "dark"];
  let theme = themes.find((each) => each === stored("theme")) ?? "auto";
  const button = el("button", { type: "button", className: "small", onclick: next });
  function set() {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Colours: ${theme}`;
  }
  function next() {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    stored("theme", theme);
    set();
  }
  set();
  return button;
}

function stored(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null; // not allowed here: the choice holds for this visit
  }
}

/** Keep the files of the page for use without a network. */
function registerOffline() {
  if (!byId("parts") && location.protocol.startsWith("http")) navigator.serviceWorker?.register("sw.js").catch(() => null);
}

begin();
