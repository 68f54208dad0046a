// SPDX-License-Identifier: Apache-2.0
// What the page does not answer, with the command line that does.

import { typed } from "./commands.js";
import { copyButton, el } from "./dom.js";

/** The questions for the program in a terminal, about the first design. */
export function otherQuestions(state) {
  const [{ model = "", hardware = "", config = null } = {}] = state.designs;
  const design = [model || "deepseek-v3"];
  const device = ["--hardware", hardware || "h800"];
  const phase = state.use === "train" ? "train" : "serve";
  const questions = [
    ["Which layout is best on so many GPUs", ["search", ...design, ...device, "--gpus", "256", "--phase", phase]],
    ["Which devices can serve the model", ["which", "--model", ...design]],
    ["Which equation gives a line, in variables that you choose", ["formula", "derive", "kv_cache.bytes", ...design, "--free", "context,batch"]],
    ["How far are the estimates from measurements", ["validate"]],
    ["Which figures of papers come out", ["reproduce"]],
  ];
  return [
    el("summary", {}, "Questions that this page does not answer, and their command lines"),
    el("p", {}, "They need libraries or files that are not loaded here. Install the program: ", el("code", {}, "pip install dsv3calc"), config === null ? "" : `, and save your config as ${model}`),
    el("dl", {}, ...questions.flatMap(([question, words]) => [el("dt", {}, question),
      el("dd", { className: "command" }, el("code", {}, typed(words)), copyButton(typed(words)))])),
  ];
}
