// Form fields: text inputs, dates and times, checkers and image choices.

import { h, uid } from "./dom.js";
import { button } from "./buttons.js";
import { field, guardDisabled } from "./field.js";
import { icon } from "./icons.js";
import { toast } from "./overlay.js";
import { textColor } from "./palette.js";
import { css, isEdges, sizeStyle, textNodes, textOf } from "./texts.js";
import { LOCALE, t } from "./words.js";

/** A text input; outside a form its value is sent with Enter or the tick beside it. */
export function input(element, ctx) {
  const initial = element.i18n_default_value?.[LOCALE] ?? element.default_value ?? "";
  const many = element.input_type === "multiline_text";
  const secret = element.input_type === "password";
  const box = h(many ? "textarea" : "input", {
    class: "input", type: many ? null : secret ? "password" : "text",
    placeholder: textOf(element.placeholder), maxlength: element.max_length ?? 1000,
    rows: many ? String(Math.min(Math.max(element.rows ?? 3, 1), 20)) : null, disabled: element.disabled === true,
    autocomplete: secret ? "new-password" : "off", spellcheck: "false", value: many ? null : initial,
  });
  box.value = initial;
  const control = h("div", { class: `input-row${many ? " input-many" : ""}` }, box);
  if (secret && element.show_icon !== false) control.append(eye(box));
  if (many && element.max_length) {
    const count = h("span", { class: "input-count", "aria-hidden": "true" });
    const tell = () => { count.textContent = `${[...box.value].length} / ${element.max_length}`; };
    box.addEventListener("input", tell);
    tell();
    control.append(count);
  }
  if (many && element.auto_resize) {
    const grow = () => {
      box.style.height = "auto";
      const most = (element.max_rows ?? 12) * 22 + 14;
      box.style.height = `${Math.min(box.scrollHeight + 2, most)}px`;
    };
    box.addEventListener("input", grow);
    requestAnimationFrame(grow);
  }
  if (!ctx.form) sendsItself(element, ctx, box, control, initial);
  const node = field(element, ctx, control, {
    read: () => box.value, isEmpty: () => box.value.trim() === "", reset: () => { box.value = initial; },
  });
  const label = node.querySelector("label");
  if (label) label.htmlFor = box.id = uid("input");
  return node;
}

function eye(box) {
  const node = h("button", { type: "button", class: "input-eye", "aria-label": t("card.show"), title: t("card.show") },
    icon("eye_outlined"));
  node.addEventListener("click", () => {
    const hidden = box.type === "password";
    box.type = hidden ? "text" : "password";
    node.title = t(hidden ? "card.hide" : "card.show");
    node.setAttribute("aria-label", node.title);
    node.classList.toggle("is-on", hidden);
  });
  return node;
}

function sendsItself(element, ctx, box, control, initial) {
  const send = async () => {
    const answer = await ctx.act(ctx, control, element, { input_value: box.value });
    if (answer && !answer.error) tick.hidden = true;
  };
  const tick = h("button", {
    type: "button", class: "input-tick", hidden: true, "aria-label": t("card.submit_value"),
    title: t("card.submit_value"), on: { click: send },
  }, icon("check_outlined"));
  box.addEventListener("input", () => { tick.hidden = box.value === initial; });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || (event.target.tagName === "TEXTAREA" && !event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    send();
  });
  control.append(tick);
}

// tag -> [type of the browser's own picker, attribute of the initial value, sent value]
const DATES = {
  date_picker: ["date", "initial_date", (value) => `${value} +0800`],
  picker_time: ["time", "initial_time", (value) => `${value} +0800`],
  picker_datetime: ["datetime-local", "initial_datetime", (value) => `${value.replace("T", " ")} +0800`],
};

/** date_picker, picker_time and picker_datetime, drawn with the browser's own pickers. */
export function dateField(element, ctx) {
  const [type, attribute, sent] = DATES[element.tag];
  const initial = String(element[attribute] ?? "").replace(" ", "T");
  const box = h("input", { class: "input input-date", type, disabled: element.disabled === true });
  box.value = initial;
  let last = initial;
  const control = h("div", { class: "input-row" }, box);
  const hintText = textOf(element.placeholder);
  if (hintText) {
    const hint = h("span", { class: "date-hint", "aria-hidden": "true" }, hintText);
    control.append(hint);
    const tell = () => control.classList.toggle("is-empty", box.value === "");
    box.addEventListener("input", tell);
    tell();
  }
  if (!ctx.form) {
    // A date typed digit by digit is complete only when the field is left or Enter pressed; one picked
    // with the pointer is complete at once.
    let typing = false;
    const send = async () => {
      if (box.value === "" || box.value === last) return;
      const before = last;
      last = box.value;
      const answer = await ctx.act(ctx, control, element, { option: sent(box.value) });
      if (answer === null || answer.error) box.value = last = before;
    };
    box.addEventListener("keydown", (event) => {
      typing = true;
      if (event.key === "Enter") send();
    });
    box.addEventListener("pointerdown", () => { typing = false; });
    box.addEventListener("change", () => { if (!typing) send(); });
    box.addEventListener("blur", send);
  }
  return field(element, ctx, control, {
    read: () => (box.value === "" ? "" : sent(box.value)), isEmpty: () => box.value === "",
    reset: () => { box.value = initial; box.dispatchEvent(new Event("input")); },
  });
}

/** A checker: a boolean in a form; outside one it calls back when ticked, if it has behaviours. */
export function checker(element, ctx) {
  const initial = element.checked === true;
  const text = element.text ?? {};
  const box = h("input", { type: "checkbox", class: "check", disabled: element.disabled === true });
  box.checked = initial;
  const words = h("span", {
    class: "check-text",
    style: {
      ...sizeStyle(text.text_size, ctx), color: css(textColor, text.text_color, ctx), "text-align": text.text_align ?? "",
    },
  }, textNodes(text, ctx));
  const label = h("label", { class: "check-label" }, box, words);
  const buttons = element.button_area?.buttons ?? [];
  const node = h("div", { class: "checker fill" }, label,
    buttons.length > 0 && h("div", {
      class: `check-buttons${element.button_area.pc_display_rule === "on_hover" ? " on-hover" : ""}`,
    }, buttons.map((part) => button(part, ctx))));
  if (isEdges(element.padding)) node.style.padding = element.padding;
  guardDisabled(node, element);
  const show = () => {
    const done = element.checked_style ?? {};
    words.style.textDecoration = box.checked && done.show_strikethrough ? "line-through" : "";
    words.style.opacity = box.checked && done.opacity !== undefined ? String(done.opacity) : "";
  };
  label.addEventListener("click", (event) => {
    event.stopPropagation();
    if (ctx.lock.busy) event.preventDefault();
    if (element.disabled && textOf(element.disabled_tips)) toast("info", textOf(element.disabled_tips));
  });
  box.addEventListener("change", async () => {
    show();
    if (ctx.form || !(element.behaviors?.length > 0)) return;
    const wanted = box.checked;
    const answer = await ctx.act(ctx, label, element, { checked: wanted });
    if (answer === null || answer.error) {
      box.checked = !wanted;
      show();
    }
  });
  show();
  if (ctx.form && element.name) {
    ctx.form.fields.push({
      name: element.name, required: element.required === true, read: () => box.checked,
      isEmpty: () => !box.checked, complain: (wrong) => node.classList.toggle("is-wrong", wrong),
      focus: () => box.focus(), reset: () => { box.checked = initial; show(); },
    });
  } else if (ctx.form) node.append(ctx.faultBox(["checker without a name in a form (200530)"]));
  return node;
}

/** select_img: a choice among images. */
export function selectImg(element, ctx) {
  const chosen = new Set();
  const columns = { bisect: 2, trisect: 3 }[element.layout] ?? 1;
  const options = element.options ?? [];
  const tiles = options.map((option, index) => {
    const value = option.value ?? String(index);
    const tile = h("button", {
      type: "button", class: "tile", "aria-pressed": "false",
      disabled: element.disabled === true || option.disabled === true,
      title: textOf(option.disabled ? option.disabled_tips : option.hover_tips),
      style: { "aspect-ratio": (element.aspect_ratio ?? "16:9").replace(":", " / ") },
    }, icon("image_outlined"), h("span", { class: "picture-key" }, value));
    tile.addEventListener("click", async (event) => {
      event.stopPropagation();
      if (ctx.lock.busy) return;
      if (!element.multi_select) chosen.clear();
      if (!chosen.delete(value)) chosen.add(value);
      show();
      if (!ctx.form) await ctx.act(ctx, tile, element, { option: value });
    });
    tile.dataset.value = value;
    return tile;
  });
  function show() {
    for (const tile of tiles) tile.setAttribute("aria-pressed", String(chosen.has(tile.dataset.value)));
  }
  const grid = h("div", { class: "tiles", style: { "--columns": String(columns) } }, tiles);
  return field(element, ctx, grid, {
    read: () => (element.multi_select ? [...chosen] : [...chosen][0] ?? ""), isEmpty: () => chosen.size === 0,
    reset: () => { chosen.clear(); show(); },
  });
}
