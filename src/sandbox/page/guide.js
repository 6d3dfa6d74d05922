// The guided first minute: one suggestion at a time, done by one click, and taken off when it really happened (also
// when somebody did it without the guide). What happened is the server's word; what was looked at is the page's.

import { api } from "./api.js";
import { spinner } from "./dom.js";
import { icon } from "./icons.js";
import { toast } from "./overlay.js";
import { t } from "./words.js";

/** `where` is the conversation in which the step is seen; `see` is a step that only looks. */
const STEPS = [
  { name: "list", where: "direct", text: "airgate keeps cloud sub-accounts within the money they were given. You are its administrator: ask for all users.", go: "List users" },
  { name: "open", where: "direct", text: "An Qi (安琪) is new here: no project, no quota. Open her card.", go: "Open the user" },
  { name: "project", where: "direct", text: "Link the project whose bills are hers.", go: "Add the project" },
  { name: "quota", where: "direct", text: "Allocate ¥1,000 to her.", go: "Allocate quota" },
  { name: "spend", where: null, text: "Now she calls models all day: 85% of it is spent.", go: "Let her spend" },
  { name: "monitor", where: "direct", text: "The bills are there; let the monitor read them.", go: "Run the monitor" },
  { name: "warning", where: "group", see: "warning", text: "She passed 80%: the alert group was warned.", go: "See the warning" },
  { name: "grow", where: null, done: "disable", text: "She goes on spending, until the quota is used up.", go: "Spend the rest" },
  { name: "disable", where: "group", see: "disable", text: "airgate switched off her key and her login.", go: "See the disable" },
  { name: "topup", where: "direct", text: "Allocate another ¥1,000.", go: "Top up" },
  { name: "enable", where: "direct", text: "Give her back exactly what was active before.", go: "Enable" },
];
const END = "That was the first minute. Now try it yourself: press anything, break a platform, jump to the next month.";
/** A step that has not happened by then may be tried again. */
const PATIENCE_MS = 15000;

/**
 * Runs the strip in `host`. `page.show(person, where)` opens a conversation, `page.shows(where)` tells whether one is
 * open. The returned object takes the server's word (`heard`), and is told that another conversation was opened.
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
    const closed = localStorage.getItem("guide") === "closed";
    host.hidden = closed;
    opener.hidden = !closed;
    const next = present();
    const step = STEPS[next];
    // Whoever looks at what is to be seen only goes on.
    label.textContent = t(!step ? "Done" : step.see && page.shows(step.where) ? "Next" : step.go);
    if (next !== at) {
      rest();
      at = next;
      count.textContent = step ? `${at + 1}/${STEPS.length}` : "✓";
      text.textContent = t(step ? step.text : END);
      bar.value = at / STEPS.length;
      host.dataset.step = step?.name ?? "end";
    }
  }

  function shut() {
    localStorage.setItem("guide", "closed");
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
    busy = { turning: spinner(t("Working…")), timer: setTimeout(rest, PATIENCE_MS) };
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
