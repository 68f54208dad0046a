// SPDX-License-Identifier: Apache-2.0
// Elements made from plain data. Text is set as text: nothing that comes from a file, an address or
// an answer is ever parsed as HTML.

/** Make an element. Properties go to the element, names with a dash to its attributes. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

/** A text with its addresses and arXiv numbers as links. */
export function linked(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(/https:\/\/[^\s<>"')\]]+[^\s<>"')\].,;]|arXiv:(\d{4}\.\d{4,5})(v\d+)?/g)) {
    const address = match[1] ? `https://arxiv.org/abs/${match[1]}${match[2] ?? ""}` : match[0];
    found.push(text.slice(end, match.index), link(address, match[0]));
    end = match.index + match[0].length;
  }
  return [...found, text.slice(end)];
}

export function link(address, text) {
  return el("a", { href: address, rel: "noreferrer noopener", target: "_blank" }, text);
}

/** A button that copies a text and says so. */
export function copyButton(text, label = "Copy") {
  const button = el("button", { type: "button", className: "small", onclick: copy }, label);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy";
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  }
  return button;
}

/** Give a text to the reader as a file. */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
