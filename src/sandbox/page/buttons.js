// Buttons, the overflow menu and the interactive container.

import { h, openUrl } from "./dom.js";
import { controlWidth, guardDisabled } from "./field.js";
import { box } from "./layout.js";
import { list } from "./list.js";
import { toast } from "./overlay.js";
import { iconNode, isEdges, pixels, textOf } from "./texts.js";
import { t } from "./words.js";

const TYPES = new Set([
  "default", "primary", "danger", "text", "primary_text", "danger_text", "primary_filled",
  "danger_filled", "laser",
]);

const FORM_ACTIONS = { form_submit: "submit", form_reset: "reset" };

/** A form's values by field name; null if a required field is empty, which is then focused. */
function collect(form) {
  const missing = form.fields.filter((field) => field.required && field.isEmpty());
  for (const field of form.fields) field.complain(missing.includes(field));
  if (missing.length > 0) {
    missing[0].focus();
    toast("warning", t("card.fill_in"));
    return null;
  }
  const values = {};
  for (const field of form.fields) values[field.name] = field.read();
  return values;
}

/** A button; inside a form it submits or resets the form. */
export function button(element, ctx) {
  const type = element.type ?? "default";
  const label = textOf(element.text);
  const node = h("button", {
    type: "button", class: `btn btn-${type} btn-${element.size ?? "medium"}`,
    "aria-label": label === "" ? element.name ?? "button" : null,
  }, iconNode(element.icon, ctx), label !== "" && h("span", { class: "btn-label" }, label));
  controlWidth(node, element.width);
  guardDisabled(node, element);
  const formAction = element.form_action_type ?? FORM_ACTIONS[element.action_type];
  node.addEventListener("click", async (event) => {
    event.stopPropagation();
    if (element.disabled) {
      const tip = textOf(element.disabled_tips);
      if (tip) toast("info", tip);
      return;
    }
    if (formAction === "reset") {
      for (const field of ctx.form?.fields ?? []) field.reset();
      return;
    }
    if (formAction !== "submit") {
      await ctx.act(ctx, node, element);
      return;
    }
    const values = collect(ctx.form);
    if (values) await ctx.act(ctx, node, element, { form_value: values });
  });
  if (!TYPES.has(type)) return h("div", null, ctx.faultBox([`button.type: ${type}`]), node);
  if (formAction && !ctx.form) return h("div", null, ctx.faultBox(["button.form_action_type outside a form"]), node);
  return node;
}

/** The "…" menu. */
export function overflow(element, ctx) {
  const node = h("button", {
    type: "button", class: "btn btn-default btn-medium overflow", "aria-label": t("card.more"), title: t("card.more"),
    "aria-haspopup": "listbox",
  }, iconNode({ tag: "standard_icon", token: "more_outlined" }, ctx));
  controlWidth(node, element.width);
  node.addEventListener("click", (event) => {
    event.stopPropagation();
    if (ctx.lock.busy) return;
    const options = (element.options ?? []).map((option, index) => ({
      value: String(index), label: textOf(option.text), option,
    }));
    list(node, {
      options, selected: new Set(), pick: ({ option }) => {
        const target = option.multi_url?.pc_url || option.multi_url?.url;
        if (target) openUrl(target);
        else ctx.act(ctx, node, element, { option: option.value ?? "" });
      },
    });
  });
  return node;
}

/** A container that is itself a button. */
export function interactiveContainer(element, ctx) {
  const laser = element.background_style === "laser";
  const node = box(h("div", { class: `container${laser ? " laser" : ""}`, role: "button", tabindex: "0" }),
    { ...element, background_style: laser ? undefined : element.background_style }, ctx, { padding: "4px 12px" });
  guardDisabled(node, element);
  if (element.has_border) {
    node.style.border = `1px solid ${ctx.color(element.border_color ?? "grey-300") ?? "red"}`;
  }
  node.style.borderRadius = /^\d+(?:px|%)$/.test(element.corner_radius ?? "") ? element.corner_radius : "5px";
  if (element.width === "auto") node.classList.add("fit");
  else if (pixels(element.width)) node.style.width = element.width;
  if (pixels(element.height)) node.style.height = element.height;
  if (isEdges(element.padding)) node.style.padding = element.padding;
  node.append(...ctx.all(element.elements, ctx, ctx.path).flat());
  const press = () => {
    if (!element.disabled) return ctx.act(ctx, node, element);
    const tip = textOf(element.disabled_tips);
    if (tip) toast("info", tip);
    return null;
  };
  node.addEventListener("click", (event) => {
    // A clickable element inside handles the click itself.
    const inner = event.target.closest("button, a, input, textarea, [role=button], .field");
    if (inner === null || inner === node) {
      event.stopPropagation();
      press();
    }
  });
  node.addEventListener("keydown", (event) => {
    if (event.target !== node || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    press();
  });
  return node;
}
