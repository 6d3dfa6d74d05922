// The chat page of `airgate demo`: identity, conversations, and incoming messages.

import { api, listen } from "./api.js";
import { cardSummary } from "./cards.js";
import { createComposer, createThread, senderName, shortTime } from "./chat.js";
import { createControls } from "./controls.js";
import { h } from "./dom.js";
import { createGuide } from "./guide.js";
import { icon } from "./icons.js";
import { toast } from "./overlay.js";
import { createModels } from "./models.js";
import { createPanel } from "./panel.js";
import { avatar } from "./people.js";
import { LANG, LOCALE, setShift, switchLanguage, t } from "./words.js";

const COMMANDS = ["/help", "/users", "/billing", "/alerts", "/monitor", "/sync", "/me"];
const byId = (id) => document.getElementById(id);

/** Everything the page knows. Messages are kept by chat, in the order they were sent. */
const store = {
  people: new Map(), chats: [], bot: { name: "airgate" }, me: "", open: null,
  messages: new Map(), unread: new Map(),
  chat() { return this.chats.find((chat) => chat.id === this.open); },
  messagesOf(chat) { return this.messages.get(chat) ?? []; },
  visible() { return this.chats.filter((chat) => chat.kind === "group" || chat.person === this.me); },
  /** Stores a message; returns whether it is "new", "changed" or "old". */
  take(message) {
    if (!this.messages.has(message.chat)) this.messages.set(message.chat, []);
    const list = this.messages.get(message.chat);
    const at = list.findIndex((known) => known.id === message.id);
    if (at < 0) {
      list.push(message);
      list.sort((one, other) => one.at - other.at);
      return "new";
    }
    const known = list[at];
    if ((message.revision ?? 0) < (known.revision ?? 0)) return "old";
    list[at] = message;
    const same = message.revision === known.revision && message.updated_at === known.updated_at;
    return same ? "old" : "changed";
  },
};

const thread = createThread({ host: byId("thread"), store, click });
const composer = createComposer({
  form: byId("composer"), chips: byId("chips"), thread: byId("thread"), store, commands: COMMANDS,
  drop: (file) => api.drop(store.me, store.open, file),
  say: (text, mention) => {
    guide.sent("say");
    return api.say(store.me, store.open, text, mention);
  },
});
const controls = createControls({
  list: byId("control-list"), log: byId("log"),
  told: { used: (name) => guide.sent(`control:${name}`), failed: (name) => guide.failed(`control:${name}`), done: () => guide.changed() },
});
const panel = createPanel(byId("panel"));
createModels(byId("models"));

/** The command that the guide has put into the composer, and the step that it has set the controls for. */
const guided = { command: "", step: "" };

const guide = createGuide({
  host: byId("guide"), opener: byId("guide-open"),
  page: {
    shows, drawerCovers, box: composer.box, me: () => store.me, filled: () => guided.command,
    row: (where) => byId("chats").querySelector(`[data-chat="${CSS.escape(placeOf(where) ?? "")}"]`),
    control(name, preset, step) {
      const fresh = guided.step !== step;
      guided.step = step;
      return controls.prepared(name, fresh ? preset : {});
    },
    /** Puts a command into the composer, once. What somebody has written there stays, also if that is nothing. */
    command(command) {
      const { box, send } = composer;
      if (guided.command !== command && (box.value === guided.command || box.value === "")) composer.fill(command);
      guided.command = command;
      return { node: box.value === command ? send : box, key: "say", command };
    },
    type(command) {
      composer.fill(command);
      guide.moved();
    },
    unfill() {
      if (guided.command !== "" && composer.box.value === guided.command) composer.fill("");
      guided.command = "";
    },
  },
});

/** Handles the data about what happens behind the chat. */
function heard(monitor) {
  if (!monitor) return;
  setShift(monitor.shift);
  panel(monitor);
  told = monitor.guide;
  guide.heard(monitor.guide);
}

let told = null;

/** The conversation that a step of the guide refers to. */
function placeOf(where) {
  if (where === "group") return told?.group;
  return store.chats.find((chat) => chat.person === told?.as)?.id;
}

/** Whether that conversation is visible. */
function shows(where) {
  return store.open === placeOf(where) && !onList();
}

async function refetch(chat) {
  for (const message of await api.messages(chat)) arrived(message, false);
}

async function click(message, action) {
  const what = action.value?.action;
  guide.sent(what);
  try {
    const answer = await api.click(store.me, message, action);
    if (answer.error || answer.toast?.type === "error") guide.failed(what);
    if (answer.error) toast("error", answer.error);
    if (answer.toast) toast(answer.toast.type, answer.toast.content);
    if (answer.updated) await refetch(store.open);
    guide.changed();
    return answer;
  } catch (error) {
    guide.failed(what);
    toast("error", error.message);
    return { error: error.message };
  }
}

function arrived(message, live) {
  const kind = store.take(message);
  if (kind === "old") return;
  const seen = message.chat === store.open && !onList();
  if (kind === "new") {
    if (message.chat === store.open) thread.add(message);
    const mine = message.sender.kind === "person" && message.sender.id === store.me;
    if (live && !mine && !seen) store.unread.set(message.chat, (store.unread.get(message.chat) ?? 0) + 1);
  } else if (message.chat === store.open) thread.update(message);
  drawChats();
}

// ---- identity ----

function drawPeople() {
  const people = [...store.people.values()];
  byId("people").replaceChildren(...people.map((person, index) => {
    const chosen = person.id === store.me;
    return h("button", {
      type: "button", role: "radio", class: "person-card", "aria-checked": String(chosen), tabindex: chosen ? "0" : "-1", data: { person: person.id },
      on: {
        click: () => become(person.id),
        keydown: (event) => {
          const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
          if (!step) return;
          event.preventDefault();
          become(people[(index + step + people.length) % people.length].id);
          byId("people").querySelector("[aria-checked=true]").focus();
        },
      },
    }, avatar(person), h("span", { class: "person-card-name" }, person.name), h("span", { class: "person-card-role" }, person.role && t(`role.${person.role}`)));
  }));
}

function become(id) {
  if (store.me === id) return;
  const group = store.chat()?.kind === "group" ? store.open : null;
  store.me = id;
  drawPeople();
  open(group ?? store.visible()[0]?.id ?? null, onList());
}

// ---- conversations ----

function preview(chat) {
  const last = store.messagesOf(chat.id).at(-1);
  if (!last) return ["", ""];
  const text = last.kind === "card" ? cardSummary(last.card) : last.kind === "recalled" ? t("chat.recalled")
    : last.kind === "file" ? `${t("chat.file")} ${last.text ?? ""}` : last.text;
  const who = chat.kind === "group" ? `${senderName(last.sender)}: ` : "";
  return [`${who}${text ?? ""}`, shortTime(last.at)];
}

function chatTitle(chat) {
  return chat.kind === "direct" ? chat.name || store.bot.name : chat.name;
}

function drawChats() {
  const focused = byId("chats").contains(document.activeElement) ? document.activeElement.dataset.chat : null;
  byId("chats").replaceChildren(...store.visible().map((chat) => {
    const [text, time] = preview(chat);
    const unread = store.unread.get(chat.id) ?? 0;
    return h("li", null, h("button", {
      type: "button", class: "chat-row", "aria-current": chat.id === store.open ? "true" : null, data: { chat: chat.id },
      on: { click: () => {
        open(chat.id, false);
        // On a touch screen, focus would raise the keyboard over the conversation.
        if (matchMedia("(hover: hover)").matches) composer.focus();
      } },
    },
    avatar({ id: chat.id, name: chatTitle(chat), kind: chat.kind === "group" ? "group" : "bot" }),
    h("span", { class: "chat-text" },
      h("span", { class: "chat-line" }, h("span", { class: "chat-name" }, chatTitle(chat)), h("span", { class: "chat-time" }, time)),
      h("span", { class: "chat-line" }, h("span", { class: "chat-preview" }, text),
        unread > 0 && h("span", { class: "unread", "aria-label": t("chat.unread", { count: unread }) }, unread > 99 ? "99+" : String(unread))))));
  }));
  if (focused) byId("chats").querySelector(`[data-chat="${CSS.escape(focused)}"]`)?.focus();
}

/** Whether the list hides the conversation: a phone shows only one of them. */
function onList() {
  return document.body.dataset.view === "list" && matchMedia("(max-width: 760px)").matches;
}

/** Whether the controls lie over the conversation: there is no room beside it. */
function drawerCovers() {
  return matchMedia("(max-width: 1179px)").matches;
}

/** Opens a conversation; for a direct chat, resolves once the bot has been notified. */
async function open(id, keepList) {
  store.open = id;
  if (!keepList) document.body.dataset.view = "chat";
  if (id !== null && !onList()) store.unread.delete(id);
  const chat = store.chat();
  byId("title").textContent = chat ? chatTitle(chat) : t("chat.choose");
  byId("subtitle").textContent = chat ? t(chat.kind === "group" ? "chat.group" : "chat.direct") : "";
  byId("title-avatar").replaceChildren(chat ? avatar({ id: chat.id, name: chat.name, kind: chat.kind === "group" ? "group" : "bot" }) : "");
  byId("composer-area").hidden = !chat;
  history.replaceState(null, "", `#as=${encodeURIComponent(store.me)}&chat=${encodeURIComponent(id ?? "")}`);
  drawChats();
  composer.show();
  thread.show(id);
  guide.moved();
  if (chat?.kind !== "direct" || onList()) return;
  try {
    await api.enter(store.me);
  } catch (error) {
    toast("error", error.message);
  }
}

// ---- page frame ----

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  byId("theme").title = byId("theme").ariaLabel = `${t("app.theme")}: ${t(`app.theme.${theme}`)}`;
  byId("theme").replaceChildren(icon({ auto: "auto_outlined", light: "sun_outlined", dark: "moon_outlined" }[theme]));
}

function dress() {
  const glyphs = { back: "left_outlined", "controls-open": "bolt_outlined", "controls-close": "close_outlined" };
  for (const [id, token] of Object.entries(glyphs)) byId(id).append(icon(token));
  document.querySelector(".send").prepend(icon("send_filled"));
  document.querySelector(".brand").prepend(avatar({ id: "bot", name: "airgate", kind: "bot" }));
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) {
    node.ariaLabel = t(node.dataset.label);
    if (node.matches("button")) node.title = node.ariaLabel;
  }
  document.documentElement.lang = LANG;
  byId("locale").textContent = LOCALE === "zh_cn" ? "EN" : "中";
  byId("locale").addEventListener("click", switchLanguage);
  const themes = ["auto", "light", "dark"];
  const saved = localStorage.getItem("theme");
  setTheme(themes.includes(saved) ? saved : "auto");
  byId("theme").addEventListener("click", () => setTheme(themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % 3]));
  byId("back").addEventListener("click", () => {
    document.body.dataset.view = "list";
    byId("chats").querySelector("[aria-current]")?.focus();
  });
  const drawer = (shown) => {
    document.body.classList.toggle("controls-shown", shown);
    byId("controls-open").setAttribute("aria-expanded", String(shown));
  };
  byId("controls-open").addEventListener("click", () => drawer(!document.body.classList.contains("controls-shown")));
  byId("controls-close").addEventListener("click", () => { drawer(false); byId("controls-open").focus(); });
  // Escape closes one thing: a list or a dialog itself, else what lies on top.
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open], .popup") || event.target.matches?.("select")) return;
    const shown = document.body.classList.contains("controls-shown");
    if ((shown && drawerCovers()) || !guide.close()) drawer(false);
  });
  drawer(!drawerCovers());
}

async function load() {
  const state = await api.state();
  // After a break it may be another server, so forget everything.
  store.messages.clear();
  store.people = new Map(state.people.map((person) => [person.id, person]));
  store.chats = state.chats;
  store.bot = state.bot ?? store.bot;
  await Promise.all(state.chats.map((chat) => refetch(chat.id)));
  heard(state.monitor);
}

async function start() {
  dress();
  const wanted = new URLSearchParams(location.hash.slice(1));
  try {
    await load();
    const first = store.people.has(wanted.get("as")) ? wanted.get("as") : [...store.people.keys()][0];
    store.me = first ?? "";
    drawPeople();
    const chat = store.visible().find((candidate) => candidate.id === wanted.get("chat"));
    document.body.dataset.view = chat ? "chat" : "list";
    open(chat?.id ?? store.visible()[0]?.id ?? null, !chat);
    await controls.draw();
  } catch (error) {
    toast("error", error.message);
  }
  listen({
    message: (message) => {
      arrived(message, true);
      if (message.sender.kind === "bot") guide.changed();
    },
    updated: (message) => {
      arrived(message, true);
      guide.changed();
    },
    monitor: heard,
    notice: (text) => {
      controls.note(text);
      // A toast only if the panel's log is not visible.
      if (!document.body.classList.contains("controls-shown")) toast("info", text);
    },
    connected: async (up, again) => {
      byId("offline").hidden = up;
      if (!up || !again) return;
      try {
        const before = store.open;
        await load();
        if (store.me === "") { store.me = [...store.people.keys()][0] ?? ""; }
        drawPeople();
        open(store.visible().some((chat) => chat.id === before) ? before : store.visible()[0]?.id ?? null, onList());
        await controls.draw();
      } catch (error) {
        toast("error", error.message);
      }
    },
  });
}

start();
