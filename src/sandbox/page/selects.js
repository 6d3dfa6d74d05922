// Choosing from a list: the dropdowns for options and people, one or several.

import { h } from "./dom.js";
import { field } from "./field.js";
import { icon } from "./icons.js";
import { list } from "./list.js";
import { closePopups } from "./overlay.js";
import { avatar, personName } from "./people.js";
import { iconNode, textOf } from "./texts.js";
import { t } from "./words.js";

function optionsOf(element, ctx) {
  const listed = Array.isArray(element.options) ? element.options : [];
  if (!element.tag.endsWith("person")) {
    return listed.map((option) => ({
      value: option.value, label: textOf(option.text), lead: option.icon && iconNode(option.icon, ctx),
    }));
  }
  // Without candidates a people select offers the chat's members.
  const ids = listed.length > 0 ? listed.map((option) => option.value) : [...ctx.people.keys()];
  return ids.map((id) => {
    const name = personName(id, ctx);
    return { value: id, label: name, person: true };
  });
}

/** A new lead node for each place it is shown: a node can be in one place only. */
const leadOf = (option) => (option.person
  ? avatar({ id: option.value, name: option.label, short: true }) : option.lead?.cloneNode(true));

function initialOne(element, options) {
  const named = options.find((option) => option.value === element.initial_option)
    ?? options.find((option) => option.label === element.initial_option);
  const counted = element.initial_index > 0 ? options[element.initial_index - 1] : undefined;
  return (named ?? counted)?.value ?? "";
}

function trigger(element) {
  return h("button", {
    type: "button", class: `select${element.type === "text" ? " select-text" : ""}`, role: "combobox",
    "aria-haspopup": "listbox", "aria-expanded": "false",
  });
}

/** Closes the list of this select; returns whether it was open. */
function closeOf(node) {
  if (node.ariaExpanded !== "true") return false;
  closePopups();
  return true;
}

/** Dispatches the events that an input would dispatch by itself. */
const changed = (node) => node.dispatchEvent(new Event("input", { bubbles: true }));

const hint = (element) => textOf(element.placeholder) || t("card.choose");

/** select_static and select_person. */
export function select(element, ctx) {
  const options = optionsOf(element, ctx);
  const initial = initialOne(element, options);
  let value = initial;
  const node = trigger(element);
  const show = () => {
    const option = options.find((candidate) => candidate.value === value);
    node.replaceChildren(
      ...(option ? [leadOf(option)].filter(Boolean) : []),
      h("span", { class: option ? "select-value" : "select-hint" }, option?.label ?? hint(element)),
      icon("down_outlined"));
  };
  const open = () => {
    if (ctx.lock.busy || element.disabled) return;
    if (closeOf(node)) return;
    list(node, {
      options: options.map((option) => ({ ...option, lead: leadOf(option) })), selected: new Set([value]),
      pick: async (option) => {
        const before = value;
        if (option.value === before && ctx.form) return;
        value = option.value;
        show();
        changed(node);
        if (ctx.form) return;
        const answer = await ctx.act(ctx, node, element, { option: option.value });
        if (answer === null || answer.error) {
          value = before;
          show();
        }
      },
    });
  };
  node.addEventListener("click", (event) => { event.stopPropagation(); open(); });
  node.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); open(); }
  });
  show();
  return field(element, ctx, node, {
    read: () => value, isEmpty: () => value === "", reset: () => { value = initial; show(); },
  });
}

/** multi_select_static and multi_select_person: only inside forms, sent with them. */
export function multiSelect(element, ctx) {
  const options = optionsOf(element, ctx);
  const initial = (element.selected_values ?? []).filter((value) => options.some((option) => option.value === value));
  let values = new Set(initial);
  const node = trigger(element);
  node.classList.add("select-multi");
  const show = () => {
    const chosen = options.filter((option) => values.has(option.value));
    node.replaceChildren(
      h("span", { class: "chips" }, chosen.length === 0
        ? h("span", { class: "select-hint" }, hint(element))
        : chosen.map((option) => h("span", { class: "chip-in" }, leadOf(option), h("span", null, option.label),
          h("span", {
            class: "chip-out", title: `${t("card.remove")} ${option.label}`,
            on: { click: (event) => { event.stopPropagation(); toggle(option); } },
          }, icon("close_outlined"))))),
      icon("down_outlined"));
  };
  const toggle = (option) => {
    if (element.disabled || ctx.lock.busy) return;
    if (!values.delete(option.value)) values.add(option.value);
    show();
    changed(node);
  };
  node.addEventListener("click", (event) => {
    event.stopPropagation();
    if (ctx.lock.busy || element.disabled || closeOf(node)) return;
    list(node, {
      options: options.map((option) => ({ ...option, lead: leadOf(option) })), selected: values, multi: true,
      pick: toggle,
    });
  });
  show();
  const drawn = field(element, ctx, node, {
    read: () => [...values], isEmpty: () => values.size === 0,
    reset: () => { values = new Set(initial); show(); }, options: options.map((option) => option.value),
  });
  return ctx.form ? drawn : h("div", null, ctx.faultBox([`${element.tag} outside a form`]), drawn);
}
