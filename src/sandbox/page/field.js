// The frame of a form field, and what all controls share.

import { h, uid } from "./dom.js";
import { pixels, textOf } from "./texts.js";
import { t } from "./words.js";

/** A disabled control shows the reason when it is clicked or hovered. */
export function guardDisabled(node, element) {
  if (!element.disabled) {
    const tip = textOf(element.hover_tips);
    if (tip) node.title = tip;
    return;
  }
  node.setAttribute("aria-disabled", "true");
  const tip = textOf(element.disabled_tips);
  if (tip) node.title = tip;
}

/** Puts a control's width attribute on its node. */
export function controlWidth(node, width) {
  if (width === "fill") node.classList.add("fill");
  else if (pixels(width)) node.style.width = width;
}

/**
 * The frame of a field: label, control, error. Inside a form it registers the control's value.
 * `state` is {read, isEmpty, reset, options?}; `options` are the values to choose from.
 */
export function field(element, ctx, control, state) {
  const label = textOf(element.label);
  const id = uid("field");
  control.id ||= id;
  const complaint = h("div", { class: "field-error", role: "alert", hidden: true });
  const node = h("div", { class: `field${element.label_position === "left" ? " label-left" : ""}` },
    label !== "" && h("label", { class: "field-label", for: control.id }, label,
      element.required && h("span", { class: "field-star", "aria-hidden": "true" }, " *")),
    h("div", { class: "field-main" }, control, complaint));
  const named = control.matches("input, textarea, button") ? control : control.querySelector("input, textarea, button");
  if (label === "" && named) named.setAttribute("aria-label", textOf(element.placeholder) || element.name || element.tag);
  if (element.required) {
    node.classList.add("is-required");
    named?.setAttribute("aria-required", "true");
  }
  controlWidth(node, element.width);
  guardDisabled(control, element);
  if (ctx.form && element.name) {
    const complain = (wrong) => {
      complaint.hidden = !wrong;
      complaint.textContent = wrong ? t("card.required") : "";
      node.classList.toggle("is-wrong", wrong);
      named?.setAttribute("aria-invalid", String(wrong));
    };
    ctx.form.fields.push({
      name: element.name, required: element.required === true, complain, node: control, options: state.options,
      read: state.read, isEmpty: state.isEmpty, focus: () => named?.focus(),
      reset: () => { state.reset(); complain(false); },
    });
    node.addEventListener("input", () => { if (!complaint.hidden && !state.isEmpty()) complain(false); });
  } else if (ctx.form) {
    node.append(ctx.faultBox([`${element.tag} without a name in a form (200530)`]));
  }
  return node;
}
