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
  compare: { train: ["seq", "context", "batch", "kv-dtype"], serve: ["seq", "context", "batch", "kv-dtype"] },
  memory: { train: ["seq", "global-batch"], serve: ["context", "batch", "kv-dtype", "pass-tokens"], words: { serve: ["--serve"] } },
  pool: { command: "compare", train: [], serve: ["batch", "kv-dtype"], words: { serve: ["--serve", "--rows", "memory"] } },
  kv: { train: [], serve: ["context", "batch", "kv-dtype"] },
  time: { train: ["seq", "global-batch"], serve: ["context", "batch", "kv-dtype"], words: { train: ["--phase", "train"], serve: ["--phase", "decode"] } },
  train: { train: ["seq", "global-batch"], serve: [] },
  serve: { train: [], serve: ["context", "batch", "kv-dtype"] },
  curve: { command: "serve", train: [], serve: ["context", "batch", "kv-dtype"], words: { serve: ["--curve"] } },
  traffic: { train: ["seq", "global-batch"], serve: ["pass-tokens"], words: { serve: ["--serve"] } },
};

/** Lengths at which the pool of a server is shown. */
const CONTEXTS = ["4Ki", "16Ki", "64Ki", "128Ki"];

export function partOf(state) {
  const parts = PARTS[state.view][state.use];
  return Object.hasOwn(parts, state.part) ? state.part : Object.keys(parts)[0];
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
  if (PLACED.includes(name) && commandOf(partOf(state)) === "compare") return partOf(state) === "pool";
  return choices.commands[commandOf(partOf(state))].options.includes(`--${name}`);
}

/** The command lines of the shown view: each with the designs that it is about. */
export function commandLines(state, choices) {
  const designs = state.designs.filter((design) => design.model);
  const part = partOf(state);
  if (part === "compare") return designs.length ? [{ designs, words: compareWords(state, designs) }] : [];
  return designs.map((design) => ({ designs: [design], words: ownWords(state, choices, part, design) }));
}

function sharedWords(state, part) {
  const given = TAKES[part][state.use].filter((name) => state.shared[name]);
  return [...(TAKES[part].words?.[state.use] ?? []), ...given.flatMap((name) => [`--${name}`, state.shared[name]])];
}

function ownWords(state, choices, part, design) {
  const values = { hardware: design.hardware, precision: design.precision, ...design[state.use] };
  const known = choices.commands[commandOf(part)].options;
  const given = ["hardware", ...PLACED, "precision"].filter((name) => values[name] && takesOption(state, choices, name));
  const own = given.filter((name) => !known.includes(`--${name}`)).map((name) => `${name}=${values[name]}`);
  const models = part === "pool"
    ? CONTEXTS.map((context) => `${design.model}:${[...own, `context=${context}`].join(",")}`) : [design.model];
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
