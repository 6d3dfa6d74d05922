// "‹ 2 / 7 ›" under tables.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

/**
 * Shows the first page by calling show(from, to) and returns the pager, or nothing for a single page.
 * The page is stored under `key` in the card's memory, so that an update does not reset it.
 */
export function pager(total, size, show, ctx, key) {
  const pages = Math.max(1, Math.ceil(total / size));
  const memory = ctx.memory ?? new Map();
  let page = Math.min(memory.get(key) ?? 0, pages - 1);
  const label = h("span", { class: "pager-label", "aria-live": "polite" });
  const button = (name, key, step) => h("button", {
    type: "button", class: "pager-button", "aria-label": t(key), title: t(key), on: { click: () => turn(step) },
  }, icon(name));
  const previous = button("left_outlined", "card.previous_page", -1);
  const next = button("right_outlined", "card.next_page", 1);
  function turn(step) {
    page = Math.min(Math.max(page + step, 0), pages - 1);
    memory.set(key, page);
    previous.disabled = page === 0;
    next.disabled = page === pages - 1;
    label.textContent = `${page + 1} / ${pages}`;
    show(page * size, Math.min((page + 1) * size, total));
  }
  turn(0);
  return pages > 1 ? h("div", { class: "pager" }, previous, label, next) : null;
}
