// What goes on behind the chat: the monitor, changes of access, the outbox, and the calls to both platforms.

import { h } from "./dom.js";
import { LANG, now, t, tf } from "./words.js";

function clock(ms) {
  const sameDay = new Date(ms).toDateString() === new Date(now()).toDateString();
  const parts = sameDay ? { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }
    : { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(ms).toLocaleString(LANG, parts);
}

const time = (ms) => h("time", { datetime: new Date(ms).toISOString() }, clock(ms));

function monitorPart({ running, next_at: next, last }) {
  const fact = (name, ...value) => h("div", { class: "panel-fact" }, h("dt", null, t(name)), h("dd", null, ...value));
  const result = last && h("span", { class: last.ok ? "is-good" : "is-bad" }, t(last.ok ? "all read" : "incomplete"));
  return h("dl", { class: "panel-facts" },
    fact("Last cycle", ...(running ? [t("Running…")] : last ? [time(last.at), " ", result] : [t("not yet")])),
    last && h("div", { class: "panel-note" }, tf("{users} users, {warnings} warnings, {disables} disabled", last)),
    (last?.errors ?? []).map((error) => h("div", { class: "panel-note is-bad" }, error)),
    next !== null && fact("Next cycle", time(next)));
}

function accessPart(list) {
  if (list.length === 0) return h("p", { class: "panel-note" }, t("Nothing is being changed"));
  return h("ul", { class: "panel-rows" }, list.map((row) => h("li", null,
    h("strong", null, `${t(row.goal)} `), row.user, row.attempts > 0 && ` · ${row.attempts} ${t("tries")}`,
    row.error && h("div", { class: "panel-note is-bad" }, row.error))));
}

function outboxPart({ count, owed, failed }) {
  if (count === 0 && failed.length === 0) return h("p", { class: "panel-note" }, t("Nothing waits"));
  return h("ul", { class: "panel-rows" },
    owed.map((row) => h("li", null, t(row.what), row.attempts > 0 && ` · ${row.attempts} ${t("tries")}`,
      row.error && h("div", { class: "panel-note is-bad" }, row.error))),
    failed.map((row) => h("li", null, time(row.at), ` ${t(row.what)}: ${t("given up")}`,
      h("div", { class: "panel-note is-bad" }, row.error))));
}

function callRow(call) {
  return h("li", { class: call.ok ? null : "is-failed" },
    time(call.at), h("span", { class: `call-to to-${call.to.toLowerCase()}` }, t(call.to)),
    h("span", { class: "call-name" }, call.name, call.of && h("span", { class: "call-of" }, ` ${call.of}`)),
    h("span", { class: call.ok ? "is-good" : "is-bad", "aria-label": `${t(call.ok ? "ok" : "failed")} ${call.outcome}` }, call.outcome),
    call.words && h("span", { class: "call-words is-bad" }, t(call.words)));
}

/** Draws the panel into `host`; the returned function draws it anew. */
export function createPanel(host) {
  const part = (name, extra) => {
    const title = h("h3", { class: "side-title" }, t(name));
    const body = h("div", extra);
    host.append(h("section", null, title, body));
    return { title, body };
  };
  const monitor = part("Monitor");
  const access = part("Access being changed");
  const outbox = part("Outbox");
  const calls = part("Calls to the platforms", { class: "panel-calls", tabindex: "0", role: "group", "aria-label": t("Calls to the platforms") });
  const shown = new Map();

  /** Only what changed is drawn, so that a reader's place and selection stay. */
  function put(target, data, draw) {
    const text = JSON.stringify(data);
    if (shown.get(target) === text) return;
    shown.set(target, text);
    target.body.replaceChildren(draw(data));
  }

  return (data) => {
    put(monitor, data.monitor, monitorPart);
    put(access, data.access, accessPart);
    put(outbox, data.outbox, outboxPart);
    outbox.title.textContent = data.outbox.count > 0 ? `${t("Outbox")} · ${tf("{count} owed", data.outbox)}` : t("Outbox");
    put(calls, data.calls, (list) => (list.length === 0 ? h("p", { class: "panel-note" }, t("No calls yet"))
      : h("ol", { class: "calls" }, list.map(callRow))));
  };
}
