// SPDX-License-Identifier: Apache-2.0
// Which command lines answer a view. What they mean, the package knows; nothing is computed here.

import { PLACED } from "./state.js";

/** Parts of a view: its commands by use, with what they are called. */
export const PARTS = {
  cost: { train: { compare: "Designs side by side" }, serve: { compare: "Designs side by side" } },
  fit: { train: { memory: "Memory of a GPU" }, serve: { memory: "Memory and cache", pool: "Pool by context", kv: "Cache" } },
  fast: {
    train: { train: "Training step", time: "Operators" },
    serve: { serve: "Serving", curve: "Serving by batch", time: "Operators" },
  },
  wires: { train: { traffic: "Traffic" }, serve: { traffic: "Traffic" } },
};

/** What a part takes beside the fields of a design: of the workload, and fixed words. */
const TAKES = {
  compare: { train: ["seq", "context", "batch", "kv-dtype", "more"], serve: ["seq", "context", "batch", "kv-dtype", "more"] },
  memory: { train: ["seq", "global-batch"], serve: ["context", "batch", "kv-dtype", "pass-tokens"], words: { serve: ["--serve"] } },
  pool: { command: "compare", train: [], serve: ["context", "batch", "kv-dtype", "more"], words: { serve: ["--serve", "--rows", "memory"] } },
  kv: { train: [], serve: ["context", "batch", "kv-dtype"] },
  time: { train: ["seq", "global-batch"], serve: ["context", "batch", "kv-dtype"], words: { train: ["--phase", "train"], serve: ["--phase", "decode"] } },
  train: { train: ["seq", "global-batch"], serve: [] },
  serve: { train: [], serve: ["context", "batch", "kv-dtype"] },
  curve: { command: "serve", train: [], serve: ["context", "batch", "kv-dtype"], words: { serve: ["--curve"] } },
  traffic: { train: ["seq", "global-batch"], serve: ["pass-tokens"], words: { serve: ["--serve"] } },
};

/** Lengths at which the pool of a server is shown where none is asked. */
const CONTEXTS = ["4Ki", "16Ki", "64Ki", "128Ki"];

/** Options that say how an answer is written: the page does that. */
const WRITING = ["--format", "--json", "--ledger", "--output", "--force", "--quiet", "--color", "--plot", "--trace", "--explain", "--line", "--depth"];

export function hasPart(state) {
  return Object.hasOwn(PARTS[state.view][state.use], state.part);
}

export function partOf(state) {
  return hasPart(state) ? state.part : Object.keys(PARTS[state.view][state.use])[0];
}

export function commandOf(part) {
  return TAKES[part].command ?? part;
}

/** The fields of the workload that the shown part takes. */
export function takenFields(state) {
  return TAKES[partOf(state)][state.use];
}

/** Whether the shown part takes an option of a design. */
export function takesOption(state, choices, name) {
  if (name === "model") return true;
  if (commandOf(partOf(state)) === "compare" && PLACED.includes(name)) return partOf(state) === "pool" && name !== "more";
  if (name === "more") return true;
  return choices.commands[commandOf(partOf(state))].options.includes(`--${name}`);
}

/** The command lines of the shown view; `left` has the further options that are no part of one. */
export function commandLines(state, choices) {
  const designs = state.designs.filter((design) => design.model);
  const part = partOf(state);
  const line = (words, text) => {
    const more = furtherWords(text, words[0], choices);
    return { words: [...words, ...more.words], left: more.left };
  };
  if (part === "compare") return designs.length ? [line(compareWords(state, designs), state.shared.more)] : [];
  return designs.map((design) => line(ownWords(state, choices, part, design),
    commandOf(part) === "compare" ? state.shared.more : design[state.use].more));
}

/** Options typed as on a command line: those of this command, and apart what only others take. */
function furtherWords(text, command, choices) {
  const words = [];
  const left = [];
  let into = words;
  for (const [word] of (text ?? "").matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)) {
    const name = word.split("=")[0];
    if (name.startsWith("--")) into = isOther(name, command, choices) ? left : words;
    into.push(word.replaceAll(/"([^"]*)"|'([^']*)'/g, "$1$2"));
  }
  return { words, left: left.filter((word) => word.startsWith("--")) };
}

/** Whether an option belongs to other commands, or to the page; a wrong one the package refuses. */
function isOther(name, command, choices) {
  const known = Object.entries(choices.commands).filter(([, each]) => each.options.includes(name));
  return WRITING.includes(name) || (known.length > 0 && !known.some(([words]) => words === command));
}

/** The length that is asked, its half and multiples, in the unit in which it is given. */
function contextsAround(given) {
  if (!given) return CONTEXTS;
  const [, number, unit] = given.match(/^(\d{1,9})(\D*)$/) ?? [];
  if (!Number(number)) return [given];
  return (number % 2 ? [1, 2, 4, 8] : [0.5, 1, 2, 4]).map((times) => `${times * number}${unit}`);
}

function sharedWords(state, part) {
  const apart = part === "pool" ? ["more", "context"] : ["more"];
  const given = TAKES[part][state.use].filter((name) => state.shared[name] && !apart.includes(name));
  return [...(TAKES[part].words?.[state.use] ?? []), ...given.flatMap((name) => [`--${name}`, state.shared[name]])];
}

function ownWords(state, choices, part, design) {
  const values = { hardware: design.hardware, precision: design.precision, ...design[state.use] };
  const known = choices.commands[commandOf(part)].options;
  const given = ["hardware", ...PLACED, "precision"].filter((name) => values[name] && name !== "more" && takesOption(state, choices, name));
  const own = given.filter((name) => !known.includes(`--${name}`)).map((name) => `${name}=${values[name]}`);
  const models = part === "pool"
    ? contextsAround(state.shared.context).map((context) => `${design.model}:${[...own, `context=${context}`].join(",")}`) : [design.model];
  const options = given.filter((name) => known.includes(`--${name}`)).flatMap((name) => [`--${name}`, values[name]]);
  return [commandOf(part), ...models, ...options, ...sharedWords(state, part)];
}

function compareWords(state, designs) {
  const alike = (name) => designs.every((design) => design[name] === designs[0][name]);
  const beside = ["hardware", "precision"].filter((name) => !alike(name));
  const columns = designs.map((design) => {
    const own = beside.filter((name) => design[name]).map((name) => `${name}=${design[name]}`);
    return own.length ? `${design.model}:${own.join(",")}` : design.model;
  });
  const common = ["hardware", "precision"].filter((name) => alike(name) && designs[0][name]);
  return ["compare", ...columns, ...common.flatMap((name) => [`--${name}`, designs[0][name]]), ...sharedWords(state, "compare")];
}

/** A command line as it is typed in a shell. */
export function typed(words) {
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ["dsv3calc", ...quoted].join(" ");
}
