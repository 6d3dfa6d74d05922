// The guided first minute: one suggestion at a time, done with one click, and ticked off once it has really happened (also
// without the guide). The server reports what happened; the page knows what was viewed.

import { api } from "./api.js";
import { spinner } from "./dom.js";
import { icon } from "./icons.js";
import { toast } from "./overlay.js";
import { t } from "./words.js";

/** The words of a step are `guide.NAME` and `guide.NAME.go`. `where`: its conversation; `see`: a step that only looks. */
const STEPS = [
  { name: "list", where: "direct" },
  { name: "open", where: "direct" },
  { name: "project", where: "direct" },
  { name: "quota", where: "direct" },
  { name: "spend", where: null },
  { name: "monitor", where: "direct" },
  { name: "warning", where: "group", see: "warning" },
  { name: "grow", where: null, done: "disable" },
  { name: "disable", where: "group", see: "disable" },
  { name: "topup", where: "direct" },
  { name: "enable", where: "direct" },
];
/** Timeout after which a step may be retried. */
const RETRY_MS = 15000;

/**
 * Runs the strip in `host`. `page.show(person, where)` opens a conversation, `page.shows(where)` returns whether one is
 * open. Call `heard` with the server's progress, and `moved` when another conversation was opened.
 */
export function createGuide({ host, opener, page }) {
  const [count, text, go, close, bar] = ["count", "text", "go", "close", "bar"].map((part) => host.querySelector(`.guide-${part}`));
  const label = go.querySelector(".btn-label");
  const seen = new Set();
  let told = null;
  let at = -1;
  let busy = null;
  close.append(icon("close_outlined"));

  const happened = (step) => (step.see ? seen.has(step.name) : told.done[step.done ?? step.name]);

  /** The first step after the last one that happened. */
  const present = () => STEPS.findLastIndex(happened) + 1;

  function rest() {
    clearTimeout(busy?.timer);
    busy?.turning.remove();
    busy = null;
    go.classList.remove("is-busy");
    go.removeAttribute("aria-busy");
  }

  function draw() {
    if (told === null) return;
    const closed = localStorage.getItem("guide") === `closed ${told.born}`;
    host.hidden = closed;
    opener.hidden = !closed;
    const next = present();
    const step = STEPS[next];
    // If it is already visible, only move on.
    label.textContent = t(!step ? "guide.done" : step.see && page.shows(step.where) ? "guide.next" : `guide.${step.name}.go`);
    if (next !== at) {
      rest();
      at = next;
      count.textContent = step ? `${at + 1}/${STEPS.length}` : "✓";
      text.textContent = t(`guide.${step?.name ?? "end"}`);
      bar.value = at / STEPS.length;
      host.dataset.step = step?.name ?? "end";
    }
  }

  function shut() {
    localStorage.setItem("guide", `closed ${told.born}`);
    draw();
    opener.focus();
  }

  go.addEventListener("click", async () => {
    if (busy || told === null) return;
    const step = STEPS[at];
    if (!step) return shut();
    if (step.see) {
      seen.add(step.name);
      page.show(told.as, step.where);
      return draw();
    }
    busy = { turning: spinner(t("app.working")), timer: setTimeout(rest, RETRY_MS) };
    go.append(busy.turning);
    go.classList.add("is-busy");
    go.setAttribute("aria-busy", "true");
    try {
      if (step.where && !page.shows(step.where)) await page.show(told.as, step.where);
      await api.control("guide", step.name);
    } catch (error) {
      rest();
      toast("error", t(error.message));
    }
  });
  close.addEventListener("click", shut);
  opener.addEventListener("click", () => {
    localStorage.removeItem("guide");
    draw();
    go.focus();
  });

  return {
    heard(guide) {
      told = guide;
      draw();
    },
    moved: draw,
  };
}
