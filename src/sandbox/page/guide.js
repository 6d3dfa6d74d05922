// The guided first minute: rings what a person has to press next, and goes on once that has really happened (also without the
// guide). The server reports what happened; the page knows what was looked at.

import { api } from "./api.js";
import { spinner } from "./dom.js";
import { icon } from "./icons.js";
import { cardAbout, nextTarget, STEPS } from "./steps.js";
import { t } from "./words.js";

/** How long to wait for the effect of what was pressed, before it may be pressed again. */
const RETRY_MS = 15000;
const STORED = "guide";
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** What a control is called. */
const labelOf = (node) => (node.querySelector(".chat-name, .person-card-name")?.textContent ?? (node.ariaLabel || node.title || node.textContent))
  .replace(/^‹/, "").trim();

/**
 * Runs the strip in `host`. `page` finds what the steps need, see `steps.js`. Call `heard` with the server's progress, `moved`
 * when another conversation was opened, `sent` and `failed` with what was sent (an action, `control:NAME` or `say`), and `changed` when
 * the bot has answered.
 */
export function createGuide({ host, opener, page }) {
  const [count, text, hint, go, close, bar] = ["count", "text", "hint", "go", "close", "bar"].map((part) => host.querySelector(`.guide-${part}`));
  const label = go.querySelector(".btn-label");
  const turning = spinner(t("app.working"));
  let told = null;
  let looked = new Set();
  let at = -1;
  let target = null;
  let ringed = null;
  let last = null;
  let drawing = false;
  const sent = new Map();
  let asking = 0;
  close.append(icon("close_outlined"));

  const happened = (step) => (step.look ? looked.has(step.name) : told.done[step.name]);

  /** The first step after the last one that happened. */
  const present = () => STEPS.findLastIndex(happened) + 1;

  /** What this browser remembers about this demo. A restarted demo has new data, and its guide starts over. */
  function memory() {
    try {
      const known = JSON.parse(localStorage.getItem(STORED));
      if (known?.born === told.born) return known;
    } catch {
      // From an older version.
    }
    return { born: told.born, closed: false, looked: [] };
  }

  function remember(closed) {
    localStorage.setItem(STORED, JSON.stringify({ born: told.born, closed, looked: [...looked] }));
  }

  const set = (node, value) => { if (node.textContent !== value) node.textContent = value; };

  /** Whether the focus may go to what is ringed: not from a text that somebody is writing. */
  function mayFocus() {
    const active = document.activeElement;
    if (active === null || active === document.body || active === ringed || host.contains(active)) return true;
    if (active.closest("dialog, .popup")) return active.closest("dialog, .popup").contains(target.node);
    return !active.matches("input, textarea, select") || (active === page.box && page.box.value === page.filled());
  }

  /** Rings one node, and brings it to where it can be seen. */
  function ring(node) {
    if (node === ringed) return;
    if (ringed) delete ringed.dataset.ring;
    const may = node && mayFocus();
    ringed = node;
    if (!node) return;
    node.dataset.ring = "";
    // After a short wait it is the same again: whoever has scrolled away in the meantime stays there.
    if (node === last) return;
    last = node;
    if (may) node.focus({ preventScroll: true });
    seen(node, "center");
  }

  function seen(node, block) {
    if (!host.contains(node)) node.scrollIntoView({ block, inline: "nearest", behavior: calm.matches ? "instant" : "smooth" });
  }

  let shownCard = null;
  /** Shows what a step looks at. */
  function look(card) {
    if (card === shownCard) return;
    if (shownCard) delete shownCard.dataset.look;
    shownCard = card;
    if (!card) return;
    card.dataset.look = "";
    seen(card, "start");
  }

  function words(step) {
    if (!step) return ["", t("guide.done")];
    if (!target) return [t("guide.wait"), t("guide.me")];
    if (target.look) return [t("guide.look"), t("guide.next")];
    if (target.node === page.box) return [t("guide.type", { command: target.command }), t("guide.me")];
    if (target.command) return [t("guide.command", { command: target.command, label: labelOf(target.node) }), t("guide.me")];
    const name = labelOf(target.node);
    return [name.length > 40 || name === "" ? t("guide.press_row") : t("guide.press", { label: name }), t("guide.me")];
  }

  function draw() {
    drawing = false;
    if (told === null) return;
    const { closed } = memory();
    if (host.hidden !== closed) host.hidden = closed;
    if (opener.hidden === closed) opener.hidden = !closed;
    const next = present();
    const step = STEPS[next];
    if (next !== at) {
      sent.clear();
      last = null;
      page.unfill();
      at = next;
      set(count, step ? `${at + 1}/${STEPS.length}` : "✓");
      set(text, t(`guide.${step?.name ?? "end"}`, told));
      bar.value = at / STEPS.length;
      host.dataset.step = step?.name ?? "end";
    }
    target = closed || !step || asking > 0 ? null : nextTarget(step, told, page, held);
    if (closed || (target && !target.command)) page.unfill();
    const [advice, button] = words(step);
    set(hint, advice);
    set(label, button);
    const main = target?.look === true || !step;
    if (main !== go.classList.contains("btn-primary_filled")) {
      go.classList.toggle("btn-primary_filled", main);
      go.classList.toggle("btn-default", !main);
    }
    const waits = !closed && step !== undefined && target === null;
    if (waits !== turning.isConnected) {
      if (waits) go.append(turning);
      else turning.remove();
      go.classList.toggle("is-busy", waits);
      go.ariaBusy = waits ? "true" : null;
    }
    look(target?.look ? cardAbout(told.key) : null);
    ring(target?.look ? go : target?.node ?? null);
  }

  /** Draws with the next frame, once for all that has changed until then. */
  function later() {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(draw);
  }

  /** Asks the server what has happened; until it answers, nothing is ringed. */
  async function ask() {
    if (told === null || memory().closed) return;
    asking += 1;
    try {
      heard(await api.control("guide", null));
    } catch {
      // The next report of the server comes by itself.
    } finally {
      asking -= 1;
      later();
    }
  }

  function heard(guide) {
    if (told?.born !== guide.born) {
      told = guide;
      looked = new Set(memory().looked);
      at = -1;
    }
    told = guide;
    later();
  }

  const held = (key) => performance.now() - (sent.get(key) ?? -RETRY_MS) < RETRY_MS;

  function shut() {
    remember(true);
    draw();
    if (document.activeElement === null || document.activeElement === document.body || host.contains(document.activeElement)) opener.focus();
  }

  go.addEventListener("click", () => {
    const step = STEPS[at];
    if (told === null || go.classList.contains("is-busy")) return;
    if (!step) shut();
    else if (target?.look) {
      looked.add(step.name);
      remember(false);
      draw();
    } else if (target?.node === page.box) page.type(target.command);
    else target?.node.click();
  });
  close.addEventListener("click", shut);
  opener.addEventListener("click", () => {
    remember(false);
    draw();
    (ringed ?? go).focus();
  });
  new MutationObserver(later).observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["class", "hidden", "aria-expanded", "disabled", "open"],
  });
  for (const event of ["input", "change", "resize"]) addEventListener(event, later);

  return {
    heard,
    changed: ask,
    moved: later,
    sent(key) {
      sent.set(key, performance.now());
      setTimeout(later, RETRY_MS);
      later();
    },
    failed(key) {
      sent.delete(key);
      later();
    },
    /** Hides the strip; returns whether it was shown. */
    close() {
      if (told === null || host.hidden) return false;
      shut();
      return true;
    },
  };
}
