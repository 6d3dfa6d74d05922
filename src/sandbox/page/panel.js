// What happens behind the chat: the monitor, access changes, the outbox, and the calls to both platforms.

import { h } from "./dom.js";
import { LANG, now, t } from "./words.js";

/** The time of day, with the date if it is another day. */
export function clock(ms) {
  const sameDay = new Date(ms).toDateString() === new Date(now()).toDateString();
  const parts = sameDay ? { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }
    : { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(ms).toLocaleString(LANG, parts);
}

const time = (ms) => h("time", { datetime: new Date(ms).toISOString() }, clock(ms));

function monitorPart({ running, next_at: next, last }) {
  const fact = (name, ...value) => h("div", { class: "panel-fact" }, h("dt", null, t(name)), h("dd", null, ...value));
  const result = last && h("span", { class: last.ok ? "is-good" : "is-bad" }, t(last.ok ? "panel.complete" : "panel.incomplete"));
  return h("dl", { class: "panel-facts" },
    fact("panel.last_cycle", ...(running ? [t("panel.running")] : last ? [time(last.at), " ", result] : [t("panel.not_yet")])),
    last && h("div", { class: "panel-note" }, t("panel.cycle", last)),
    (last?.errors ?? []).map((error) => h("div", { class: "panel-note is-bad" }, error)),
    next !== null && fact("panel.next_cycle", time(next)));
}

const attempts = (row) => row.attempts > 0 && ` · ${t("panel.attempts", { count: row.attempts })}`;

function accessPart(list) {
  if (list.length === 0) return h("p", { class: "panel-note" }, t("panel.access.none"));
  return h("ul", { class: "panel-rows" }, list.map((row) => h("li", null,
    h("strong", null, `${t(`panel.access.${row.goal}`)} `), row.user, attempts(row),
    row.error && h("div", { class: "panel-note is-bad" }, row.error))));
}

function outboxPart({ count, owed, failed }) {
  if (count === 0 && failed.length === 0) return h("p", { class: "panel-note" }, t("panel.outbox.empty"));
  return h("ul", { class: "panel-rows" },
    owed.map((row) => h("li", null, t(`panel.owed.${row.what}`), attempts(row),
      row.error && h("div", { class: "panel-note is-bad" }, row.error))),
    failed.map((row) => h("li", null, time(row.at), ` ${t(`panel.owed.${row.what}`)}: ${t("panel.outbox.given_up")}`,
      h("div", { class: "panel-note is-bad" }, row.error))));
}

function callRow(call) {
  return h("li", { class: call.ok ? null : "is-failed" },
    time(call.at), h("span", { class: `call-to to-${call.to}` }, t(`platform.${call.to}`)),
    h("span", { class: "call-name" }, call.name, call.of && h("span", { class: "call-of" }, ` ${call.of}`)),
    h("span", { class: call.ok ? "is-good" : "is-bad", "aria-label": `${t(call.ok ? "panel.calls.ok" : "panel.calls.failed")} ${call.outcome}` }, call.outcome),
    call.words && h("span", { class: "call-words is-bad" }, t(call.words)));
}

/** Draws the panel into `host`; the returned function redraws it. */
export function createPanel(host) {
  const part = (name, extra) => {
    const title = h("h3", { class: "side-title" }, t(name));
    const body = h("div", extra);
    host.append(h("section", null, title, body));
    return { title, body };
  };
  const monitor = part("panel.monitor");
  const access = part("panel.access");
  const outbox = part("panel.outbox");
  const calls = part("panel.calls", { class: "panel-calls", tabindex: "0", role: "group", "aria-label": t("panel.calls") });
  const shown = new Map();

  /** Only what changed is drawn, so that the reader's scroll position and selection stay. */
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
    outbox.title.textContent = data.outbox.count > 0 ? `${t("panel.outbox")} · ${t("panel.outbox.owed", data.outbox)}` : t("panel.outbox");
    put(calls, data.calls, (list) => (list.length === 0 ? h("p", { class: "panel-note" }, t("panel.calls.none"))
      : h("ol", { class: "calls" }, list.map(callRow))));
  };
}
