// The drop-down list of a control: options chosen with pointer or keys; long lists are searchable.

import { h, uid } from "./dom.js";
import { icon } from "./icons.js";
import { popup } from "./overlay.js";
import { t } from "./words.js";

const SEARCH_FROM = 7;

/**
 * A list of options below `anchor`. `options` are {value, label, lead?}; `selected` is a Set of values;
 * `pick(option)` is called for each choice; with `multi` the list stays open.
 */
export function list(anchor, { options, selected, pick, multi = false, closed }) {
  const id = uid("list");
  const rows = h("div", { class: "list", role: "listbox", id, "aria-multiselectable": multi ? "true" : null });
  const search = options.length >= SEARCH_FROM
    ? h("input", { type: "search", class: "list-search", placeholder: t("card.search"), "aria-label": t("card.search"), "aria-controls": id, autocomplete: "off" })
    : null;
  const holder = search ?? rows;
  if (!search) rows.tabIndex = -1;
  let shown = options;
  let active = Math.max(0, options.findIndex((option) => selected.has(option.value)));
  function draw() {
    rows.replaceChildren(...shown.map((option, index) => h("div", {
      class: `list-row${index === active ? " is-active" : ""}`, role: "option", id: `${id}-${index}`, data: { value: option.value },
      "aria-selected": String(selected.has(option.value)),
      on: {
        click: () => choose(option),
        pointermove: () => { if (active !== index) { active = index; mark(); } },
      },
    }, option.lead, h("span", { class: "list-label" }, option.label),
    selected.has(option.value) && icon("check_outlined"))));
    if (shown.length === 0) rows.append(h("div", { class: "list-none" }, t("card.nothing_found")));
    mark();
  }
  function mark() {
    for (const [index, row] of [...rows.children].entries()) row.classList.toggle("is-active", index === active);
    holder.setAttribute("aria-activedescendant", shown.length > 0 ? `${id}-${active}` : "");
    rows.children[active]?.scrollIntoView({ block: "nearest" });
  }
  function choose(option) {
    if (!multi) shell.close();
    pick(option);
    if (multi) draw();
  }
  holder.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) {
      event.preventDefault();
      active = Math.min(Math.max(active + step, 0), Math.max(0, shown.length - 1));
      mark();
    } else if (event.key === "Enter" || (event.key === " " && !search)) {
      event.preventDefault();
      if (shown[active]) choose(shown[active]);
    }
  });
  search?.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    shown = options.filter((option) => option.label.toLowerCase().includes(wanted));
    active = 0;
    draw();
  });
  const shell = popup(anchor, [search && h("div", { class: "list-head" }, search), rows], () => {
    anchor.setAttribute("aria-expanded", "false");
    closed?.();
  });
  anchor.setAttribute("aria-expanded", "true");
  draw();
  shell.place();
  holder.focus({ preventScroll: true });
}
