// SPDX-License-Identifier: Apache-2.0
// The controls beside the answer: training or serving, the workload, and up to four designs.

import { el } from "./dom.js";
import { takenFields, takesOption } from "./commands.js";
import { MOST_DESIGNS, SHARED, USES, emptyDesign } from "./state.js";

const LABELS = {
  model: "Model", hardware: "Hardware", precision: "Precision", layout: "Layout", setup: "Set-up",
  context: "Context, tokens", batch: "Batch, sequences", "kv-dtype": "KV cache format",
  seq: "Sequence, tokens", "global-batch": "Sequences of a step", "pass-tokens": "Tokens of a pass",
  tp: "TP", pp: "PP", dp: "DP", ep: "EP", more: "Further options",
};
const MEANINGS = { tp: "tensor-parallel GPUs", pp: "pipeline ranks", dp: "data-parallel replicas", ep: "GPUs that share a layer's experts" };
const KINDS = { model: "model", hardware: "hardware", precision: "precision", layout: "layout", setup: "setup", "kv-dtype": "kv_format" };
const EMPTY = { model: "Choose a model", hardware: "none", precision: "the model's own", layout: "none: by the numbers below", setup: "none", "kv-dtype": "bf16" };
const NUMBERS = ["tp", "pp", "dp", "ep"];
const HINTS = { more: "--with-mtp …" };
const OPTIONLESS = ["model", "more"];
const CONFIG = "\u0000config";

/** Draw the controls. `change(edit)` edits the state and asks again, `paste(index)` wants a config. */
export function drawPickers(place, state, choices, { change, paste }) {
  place.replaceChildren(
    useSwitch(state, change),
    workload(state, choices, change),
    ...state.designs.map((design, index) => designCard(design, index, state, choices, { change, paste })),
    el("button", {
      type: "button", className: "add", id: "add", disabled: state.designs.length >= MOST_DESIGNS,
      onclick: () => change((now) => now.designs.push(copyOf(now.designs.at(-1))), `${state.designs.length + 1}.model`),
    }, state.designs.length >= MOST_DESIGNS ? "Four designs are the most" : "Add a design"));
}

function copyOf(design) {
  return design ? structuredClone(design) : emptyDesign();
}

function useSwitch(state, change) {
  const made = Object.entries(USES).map(([use, label]) => el("label", { className: "segment" },
    el("input", { type: "radio", name: "use", id: `use-${use}`, value: use, checked: state.use === use, onchange: () => change((now) => { now.use = use; }) }),
    el("span", {}, label)));
  return el("fieldset", { className: "segments" }, el("legend", { className: "hidden" }, "Use"), ...made);
}

function workload(state, choices, change) {
  const taken = SHARED.filter((name) => takenFields(state).includes(name));
  const fields = taken.map((name) => fieldOf(name, name, state.shared[name] ?? "", choices, state.use,
    (value) => change((now) => { now.shared[name] = value; })));
  return el("fieldset", { className: "card" }, el("legend", {}, "Workload"),
    el("div", { className: "pairs" }, ...fields),
    taken.length ? null : el("p", { className: "quiet" }, "Nothing to set here"));
}

function designCard(design, index, state, choices, { change, paste }) {
  const edit = (change_) => change((now) => change_(now.designs[index], now));
  const own = ["model", "hardware", "precision"].filter((name) => takesOption(state, choices, name)).map((name) => name === "model"
    ? modelField(design, index, choices, (value) => edit((each) => { each.model = value; each.config = null; }), () => paste(index))
    : fieldOf(`${index + 1}.${name}`, name, design[name], choices, state.use, (value) => edit((each) => { each[name] = value; })));
  const placed = (names) => names.filter((name) => takesOption(state, choices, name))
    .map((name) => fieldOf(`${index + 1}.${name}`, name, design[state.use][name] ?? "", choices, state.use,
      (value) => edit((each) => { each[state.use][name] = value; })));
  const numbers = placed(NUMBERS);
  return el("fieldset", { className: "card" },
    el("legend", {}, `Design ${index + 1}`),
    state.designs.length > 1
      ? el("button", { type: "button", className: "small remove", "aria-label": `Remove design ${index + 1}`, onclick: () => change((now) => now.designs.splice(index, 1), "add") }, "Remove")
      : null,
    ...own, ...placed(["layout", "setup"]),
    numbers.length ? el("div", { className: "fours" }, ...numbers) : null,
    ...placed(["more"]));
}

function modelField(design, index, choices, take, paste) {
  const field = fieldOf(`${index + 1}.model`, "model", design.config === null ? design.model : CONFIG, choices, "", (value) => {
    if (value !== CONFIG) take(value);
  });
  const select = field.querySelector("select");
  if (design.config !== null) {
    select.prepend(el("option", { value: CONFIG, selected: true }, `${design.model} (yours)`));
    select.value = CONFIG;
  }
  return el("div", {}, field, el("button", { type: "button", className: "small", onclick: paste }, "Paste or open a config.json"));
}

/** A field with its label: a list where presets are chosen, a text where a number is given. */
function fieldOf(id, name, value, choices, use, take) {
  const kind = KINDS[name];
  const control = kind ? listOf(name, value, choices.presets[kind], use, take)
    : el("input", { type: "text", inputMode: "text", autocomplete: "off", spellcheck: false, value, placeholder: HINTS[name] ?? "auto", onchange: (event) => take(event.target.value.trim()) });
  control.id = id;
  control.dataset.field = name;
  control.title = [MEANINGS[name], OPTIONLESS.includes(name) ? "" : `--${name}`].filter(Boolean).join(": ");
  return el("label", { className: "field" }, el("span", {}, LABELS[name]), control);
}

function listOf(name, value, presets, use, take) {
  const fitting = presets.filter((each) => !each.use || !use || each.use === use);
  const option = (each) => el("option", { value: each.name, title: each.title }, each.name);
  const select = el("select", { onchange: (event) => take(event.target.value) },
    el("option", { value: "" }, EMPTY[name]), ...fitting.map(option));
  const others = presets.filter((each) => !fitting.includes(each));
  if (others.length) select.append(el("optgroup", { label: `for ${use === "train" ? "serving" : "training"}` }, ...others.map(option)));
  if (value && value !== CONFIG && !presets.some((each) => each.name === value)) {
    select.append(el("option", { value }, `${value} (not in this version)`));
  }
  select.value = value;
  return select;
}

/** The fields that stand for the options which a text names: each with its label. */
export function fieldsNamed(text) {
  const named = Object.keys(LABELS).filter((name) => !OPTIONLESS.includes(name) && new RegExp(`--${name}(?![\\w-])`).test(text));
  return named.map((name) => [`--${name}`, LABELS[name]]);
}
