// SPDX-License-Identifier: Apache-2.0
// Which command lines answer a view. What they mean, the package knows; nothing is computed here.

import { PLACED } from "./state.js";

/** Parts of a view: its commands by use, with what they are called. */
export const PARTS = {
  cost: { train: { compare: "Designs side by side" }, serve: { compare: "Designs side by side" } },
  fit: {
    train: { memory: "Memory of a GPU", memories: "Side by side" },
    serve: { memory: "Memory and cache", pool: "Pool by context", kv: "Cache", memories: "Side by side" },
  },
  fast: {
    train: { train: "Training step", time: "Operators", speeds: "Side by side" },
    serve: { serve: "Serving", curve: "Serving by batch", time: "Operators", speeds: "Side by side" },
  },
  wires: { train: { traffic: "Traffic" }, serve: { traffic: "Traffic" } },
};

/** What a part takes beside the fields of a design: of the workload, and fixed words. */
const TAKES = {
  compare: { train: ["seq", "context", "batch", "kv-dtype", "more"], serve: ["seq", "context", "batch", "kv-dtype", "more"] },
  memory: { train: ["seq", "global-batch"], serve: ["context", "batch", "kv-dtype", "pass-tokens"], words: { serve: ["--serve"] } },
  pool: { command: "compare", train: [], serve: ["context", "batch", "kv-dtype", "more"], words: { serve: ["--serve", "--rows", "memory"] } },
  memories: { command: "compare", train: ["seq", "global-batch", "more"], serve: ["context", "batch", "kv-dtype", "more"], words: { train: ["--rows", "memory"], serve: ["--serve", "--rows", "memory"] } },
  speeds: { command: "compare", train: ["seq", "global-batch", "more"], serve: ["context", "batch", "kv-dtype", "more"], words: { train: ["--rows", "train"], serve: ["--rows", "serve"] } },
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
  if (commandOf(partOf(state)) === "compare" && PLACED.includes(name)) return partOf(state) !== "compare" && name !== "more";
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
  const compared = commandOf(part) === "compare";
  if (compared && part !== "pool") return designs.length ? [line(compareWords(state, choices, part, designs), state.shared.more)] : [];
  return designs.map((design) => line(ownWords(state, choices, part, design), compared ? state.shared.more : design[state.use].more));
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

function sharedWords(state, part, elsewhere = []) {
  const apart = ["more", ...(part === "pool" ? ["context"] : []), ...elsewhere];
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

/** All designs in one command: a column has what is its own, and what is no option of compare. */
function compareWords(state, choices, part, designs) {
  const known = choices.commands.compare.options;
  const names = ["hardware", ...(part === "compare" ? [] : PLACED.filter((name) => name !== "more")), "precision"];
  const given = designs.map((design) => ({ hardware: design.hardware, precision: design.precision, ...design[state.use] }));
  const common = names.filter((name) => known.includes(`--${name}`) && given[0][name] && given.every((each) => each[name] === given[0][name]));
  const shared = TAKES[part][state.use].filter((name) => state.shared[name] && !known.includes(`--${name}`) && name !== "more");
  const columns = designs.map((design, index) => {
    const own = names.filter((name) => given[index][name] && !common.includes(name)).map((name) => `${name}=${given[index][name]}`);
    own.push(...shared.map((name) => `${name.replace("-", "_")}=${state.shared[name]}`));
    return own.length ? `${design.model}:${own.join(",")}` : design.model;
  });
  return ["compare", ...columns, ...common.flatMap((name) => [`--${name}`, given[0][name]]), ...sharedWords(state, part, shared)];
}

/** A command line as it is typed in a shell. */
export function typed(words) {
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ["dsv3calc", ...quoted].join(" ");
}
