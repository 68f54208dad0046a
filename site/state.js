// SPDX-License-Identifier: Apache-2.0
// What is asked, and how it is written into the address. The address has all of it.

export const VIEWS = { cost: "What does it cost", fit: "Does it fit", fast: "How fast", wires: "What crosses the wires" };
export const USES = { train: "Training", serve: "Serving" };
export const MOST_DESIGNS = 4;

/** Fields of the workload, which all designs share. */
export const SHARED = ["context", "batch", "kv-dtype", "seq", "global-batch", "pass-tokens", "more"];
/** Fields of a design that hold for training and serving alike. */
export const OWN = ["model", "hardware", "precision"];
/** Fields of a design that training and serving have each for itself. */
export const PLACED = ["layout", "setup", "tp", "pp", "dp", "ep", "more"];

const LONGEST_CONFIG = 24_000; // characters of a packed config that an address holds

export function emptyDesign() {
  return { model: "", hardware: "", precision: "", train: {}, serve: {}, config: null };
}

export function firstState() {
  const v3 = { ...emptyDesign(), model: "deepseek-v3", hardware: "h800" };
  v3.train = { layout: "v3-pretrain", setup: "deepseek-dualpipe" };
  v3.serve = { layout: "v3-decode-ep320", setup: "sglang" };
  const llama = { ...emptyDesign(), model: "llama-3.1-405b", hardware: "h100" };
  llama.train = { layout: "llama-3.1-405b-pretrain", setup: "megatron-dense" };
  llama.serve = { tp: "16", setup: "vllm" };
  return { view: "cost", part: "", use: "train", embed: false, shared: {}, designs: [v3, llama] };
}

/** Write a state as the fragment of an address. `lost` names configs that are too long for it. */
export async function written(state) {
  const found = new URLSearchParams({ view: state.view, use: state.use });
  const lost = [];
  if (state.part) found.set("part", state.part);
  if (state.embed) found.set("embed", "1");
  for (const name of SHARED) if (state.shared[name]) found.set(name, state.shared[name]);
  for (const [index, design] of state.designs.entries()) {
    for (const name of OWN) if (design[name]) found.set(`${index + 1}.${name}`, design[name]);
    for (const use of Object.keys(USES)) {
      for (const name of PLACED) {
        if (design[use][name]) found.set(`${index + 1}.${use}.${name}`, design[use][name]);
      }
    }
    if (design.config !== null) {
      const text = await packed(design.config);
      if (text.length > LONGEST_CONFIG) lost.push(design.model);
      else found.set(`${index + 1}.config`, text);
    }
  }
  return { fragment: found.toString().replaceAll("%2F", "/"), lost };
}

/** Read the fragment of an address. `unknown` lists what this version does not understand. */
export async function read(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  if (![...given.keys()].length) return { state: firstState(), unknown: [] };
  const state = { view: "cost", part: "", use: "train", embed: false, shared: {}, designs: [] };
  const unknown = [];
  for (const [key, value] of given) {
    if (key === "view" && Object.hasOwn(VIEWS, value)) state.view = value;
    else if (key === "use" && Object.hasOwn(USES, value)) state.use = value;
    else if (key === "part") state.part = value;
    else if (key === "embed" && value === "1") state.embed = true;
    else if (SHARED.includes(key)) state.shared[key] = value;
    else if (!(await readDesign(state.designs, key, value))) unknown.push(`${key}=${value}`);
  }
  for (const design of state.designs.filter((each) => (each?.config ?? null) !== null && each.model !== safeName(each.model))) {
    unknown.push(`a config by the name ${design.model}`);
    design.config = null;
  }
  state.designs = Array.from(state.designs, (design) => design ?? emptyDesign());
  if (!state.designs.length) state.designs.push(emptyDesign());
  return { state, unknown };
}

async function readDesign(designs, key, value) {
  const [, number, use, name] = key.match(/^([1-9])\.(?:(train|serve)\.)?([a-z]+)$/) ?? [];
  if (!number || Number(number) > MOST_DESIGNS) return false;
  const names = use ? PLACED : [...OWN, "config"];
  if (!names.includes(name) || value.length > LONGEST_CONFIG) return false;
  const design = (designs[number - 1] ??= emptyDesign());
  if (use) design[use][name] = value;
  else if (name !== "config") design[name] = value;
  else design.config = await unpacked(value).catch(() => null);
  return name !== "config" || design.config !== null;
}

/** A name that a shell and the command line read as one plain word, and that is no path. */
export function safeName(name) {
  const plain = name.normalize("NFKD").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-.]+/, "").slice(-60).replace(/^[-.]+/, "");
  return /\.(json|ya?ml)$/.test(plain) ? plain : `${plain || "config"}.json`;
}

async function packed(text) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(text));
  let found = "";
  for (const byte of new Uint8Array(bytes)) found += String.fromCharCode(byte);
  return btoa(found).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

async function unpacked(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  return new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes));
}

async function through(stream, bytes) {
  return new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer();
}
