// The demo's controls, for what a person cannot do from a chat (add spending, run the monitor now).
// The server decides which ones there are.

import { h, spinner, uid } from "./dom.js";
import { api } from "./api.js";
import { toast } from "./overlay.js";
import { shortTime } from "./chat.js";
import { now, t } from "./words.js";

const LOG_LINES = 30;

/** Arguments of a text that may be keys themselves. */
const translated = (args) => Object.fromEntries(Object.entries(args ?? {}).map(([name, value]) => [name, t(value)]));

async function run(name, value, node, redraw, told) {
  told.used(name);
  const turning = spinner(t("app.working"));
  node.append(turning);
  node.classList.add("is-busy");
  try {
    const answer = await api.control(name, value);
    if (answer.error) throw new Error(answer.error);
    if (answer.message) toast(answer.kind ?? "success", t(answer.message, translated(answer.args)));
    told.done();
    await redraw();
  } catch (error) {
    told.failed(name);
    toast("error", t(error.message));
  } finally {
    turning.remove();
    node.classList.remove("is-busy");
  }
}

function selectOf(id, options) {
  return h("select", { class: "input", id }, options.map((option) => h("option", { value: String(option.value) }, t(option.label, option))));
}

/** Several selects and the button that sends them together. */
function formControl(spec, go) {
  const submit = h("button", { type: "submit", class: "btn btn-default btn-medium" }, h("span", { class: "btn-label" }, t("control.go")));
  const boxes = new Map();
  const fields = spec.fields.map((field) => {
    const id = uid("control");
    const box = selectOf(id, field.options);
    box.name = field.name;
    // Keep the selection when the controls are redrawn.
    const key = `${spec.name}.${field.name}`;
    if (chosen.has(key)) box.value = chosen.get(key);
    box.addEventListener("change", () => chosen.set(key, box.value));
    boxes.set(field, box);
    return h("div", { class: "control-part" }, h("label", { class: "sr-only", for: id }, t(field.label)), box);
  });
  const node = h("form", { class: "control-field" }, h("span", { class: "control-label" }, t(spec.label)),
    fields.slice(0, -1), h("div", { class: "control-row" }, fields.at(-1), submit));
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.classList.contains("is-busy")) return;
    const value = {};
    for (const [field, box] of boxes) {
      value[field.name] = field.options.find((option) => String(option.value) === box.value)?.value ?? null;
    }
    go(value, submit);
  });
  return node;
}

const chosen = new Map();

function control(spec, redraw, told) {
  const id = uid("control");
  const go = (value, node) => run(spec.name, value, node, redraw, told);
  if (spec.kind === "form") return formControl(spec, go);
  if (spec.kind === "button") {
    const node = h("button", { type: "button", class: "btn btn-default btn-medium fill" }, h("span", { class: "btn-label" }, t(spec.label)));
    node.addEventListener("click", () => { if (!node.classList.contains("is-busy")) go(spec.value ?? null, node); });
    return node;
  }
  if (spec.kind === "toggle") {
    const box = h("input", { type: "checkbox", role: "switch", class: "switch", id });
    box.checked = spec.value === true;
    const label = h("label", { class: "control-toggle", for: id }, h("span", null, t(spec.label)), box);
    box.addEventListener("change", () => go(box.checked, label));
    return label;
  }
  const label = h("label", { class: "control-label", for: id }, t(spec.label));
  if (spec.kind === "select") {
    const box = selectOf(id, spec.options ?? []);
    box.value = String(spec.value ?? "");
    const node = h("div", { class: "control-field" }, label, box);
    box.addEventListener("change", () => {
      const option = spec.options.find((candidate) => String(candidate.value) === box.value);
      go(option?.value ?? box.value, node);
    });
    return node;
  }
  if (spec.kind === "number") {
    const box = h("input", { type: "number", class: "input", id, step: "any" });
    box.value = spec.value ?? "";
    const apply = h("button", { type: "submit", class: "btn btn-default btn-medium" }, t("control.apply"));
    const node = h("form", { class: "control-field" }, label, h("div", { class: "control-row" }, box, apply));
    node.addEventListener("submit", (event) => {
      event.preventDefault();
      if (box.value !== "") go(Number(box.value), apply);
    });
    return node;
  }
  return h("div", { class: "card-fault-box" }, `control kind ${spec.kind}`);
}

/**
 * Fills the panel; `note(text)` adds a line to its log. `told` is called with what became of a control: `used`, then `done` or
 * `failed`.
 */
export function createControls({ list, log, told }) {
  async function draw() {
    const specs = await api.controls();
    const active = list.contains(document.activeElement) ? document.activeElement : null;
    const focused = active?.closest("[data-name]")?.dataset.name;
    list.replaceChildren(...specs.filter((spec) => spec.kind !== "hidden").map((spec) => {
      const node = control(spec, draw, told);
      node.dataset.name = spec.name;
      return node;
    }));
    if (focused) {
      const again = list.querySelector(`[data-name="${CSS.escape(focused)}"]`);
      (again?.matches("button") ? again : again?.querySelector(active.matches("button") ? "button" : "input, select"))?.focus();
    }
  }
  function note(text) {
    log.closest("section").hidden = false;
    log.prepend(h("li", null, h("time", { datetime: new Date(now()).toISOString() }, shortTime(now())), " ", text));
    while (log.children.length > LOG_LINES) log.lastElementChild.remove();
  }
  /** The button of a control, whose selects are set to `preset` first. */
  function prepared(name, preset = {}) {
    const node = list.querySelector(`[data-name="${CSS.escape(name)}"]`);
    for (const [field, value] of Object.entries(preset)) {
      const box = node?.querySelector(`select[name="${CSS.escape(field)}"]`);
      if (!box || box.value === value) continue;
      box.value = value;
      box.dispatchEvent(new Event("change"));
    }
    return node?.matches("button") ? node : node?.querySelector("button") ?? null;
  }
  return { draw, note, prepared };
}
