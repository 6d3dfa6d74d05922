// The messages of one conversation.

import { h, safeUrl, spinner } from "./dom.js";
import { renderCard } from "./cards.js";
import { icon } from "./icons.js";
import { closePopups, toast } from "./overlay.js";
import { avatar } from "./people.js";
import { LANG, now, t } from "./words.js";

const GAP_MS = 5 * 60 * 1000;

function clock(ms) {
  return new Date(ms).toLocaleTimeString(LANG, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function dayLabel(ms) {
  const day = new Date(ms);
  const days = Math.round((new Date(now()).setHours(0, 0, 0, 0) - new Date(ms).setHours(0, 0, 0, 0)) / 86400000);
  if (days === 0) return t("chat.today");
  if (days === 1) return t("chat.yesterday");
  return day.toLocaleDateString(LANG, { year: "numeric", month: "short", day: "numeric" });
}

/** The time of a message for the conversation list: the time of day if it is from today, else the date. */
export function shortTime(ms) {
  const today = new Date(ms).toDateString() === new Date(now()).toDateString();
  return today ? clock(ms) : new Date(ms).toLocaleDateString(LANG, { month: "short", day: "numeric" });
}

const URLS = /(https?:\/\/[^\s<>"'，。；）】]+)/;
const MENTION = /(@[^\s@]+)/;

function textBubble(message, bot) {
  const parts = String(message.text ?? "").split(URLS).flatMap((part) => {
    if (safeUrl(part)) return [h("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part)];
    return part.split(MENTION).map((piece) => (piece.toLowerCase() === `@${bot}`.toLowerCase()
      ? h("span", { class: "md-at" }, piece) : piece));
  });
  return h("div", { class: "bubble" }, parts);
}

function fileBubble(message) {
  const url = typeof message.url === "string" && /^\/(?!\/)/.test(message.url) ? message.url : safeUrl(message.url);
  const inner = [h("span", { class: "file-icon" }, icon("file_outlined")),
    h("span", { class: "file-name" }, message.text || t("chat.file")), url && icon("download_outlined")];
  return url ? h("a", { class: "file", href: url, download: "" }, inner) : h("div", { class: "file" }, inner);
}

/** Who wrote a message; a custom bot has no name of its own. */
export function senderName(sender) {
  return sender.kind === "hook" ? t("chat.webhook_name") : sender.name;
}

/** A view of one conversation's messages, kept up to date in place. */
export function createThread({ host, store, click }) {
  const nodes = new Map();
  const memories = new Map();
  let chat = null;

  function cardOf(message) {
    if (!memories.has(message.id)) memories.set(message.id, new Map());
    return renderCard(message.card, {
      people: store.people, me: store.me, memory: memories.get(message.id),
      send: (action) => click(message.id, action),
    });
  }

  function content(message) {
    if (message.kind === "card") return cardOf(message);
    if (message.kind === "file") return fileBubble(message);
    if (message.kind === "recalled") return h("div", { class: "bubble" }, t("chat.recalled"));
    return textBubble(message, store.bot.name);
  }

  function stamp(message) {
    const changed = message.updated_at > message.at;
    return [h("time", { datetime: new Date(message.at).toISOString() }, clock(message.at)),
      changed && h("span", { class: "changed" }, ` · ${t("chat.updated")} ${clock(message.updated_at)}`)];
  }

  function row(message) {
    const { sender } = message;
    const mine = sender.kind === "person" && sender.id === store.me;
    const kind = sender.kind === "person" ? null : sender.kind;
    const label = kind === "bot" ? t("chat.bot") : kind === "hook" ? t("chat.webhook") : null;
    return h("li", { class: `message${mine ? " is-mine" : ""} is-${message.kind}`, data: { id: message.id } },
      avatar({ id: sender.id, name: senderName(sender), kind }),
      h("div", { class: "message-main" },
        h("div", { class: "message-meta" }, h("span", { class: "message-name" }, senderName(sender)),
          label && h("span", { class: "badge" }, label), h("span", { class: "message-time" }, stamp(message))),
        h("div", { class: "message-content" }, content(message))));
  }

  const topOf = (node) => host.scrollTop + node.getBoundingClientRect().top - host.getBoundingClientRect().top - 8;
  /** The scroll position of the end; a message taller than the window starts at its top. */
  const endAt = () => {
    const end = host.scrollHeight - host.clientHeight;
    const last = host.querySelector(".message:last-child");
    return last ? Math.max(0, Math.min(end, topOf(last))) : end;
  };
  const nearEnd = () => host.scrollTop > endAt() - 120;
  const toEnd = (smooth) => {
    following = true;
    host.scrollTo({ top: endAt(), behavior: smooth ? "smooth" : "instant" });
  };
  // Follows new messages while at the end, until the reader scrolls away.
  let following = true;
  for (const by of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    host.addEventListener(by, () => { following = false; }, { passive: true });
  }
  host.addEventListener("scrollend", () => { following = nearEnd(); });

  function separator(previous, message) {
    const fresh = !previous || new Date(previous.at).toDateString() !== new Date(message.at).toDateString();
    if (fresh) return h("li", { class: "day", role: "separator" }, `${dayLabel(message.at)} ${clock(message.at)}`);
    if (message.at - previous.at > GAP_MS) return h("li", { class: "day", role: "separator" }, clock(message.at));
    return null;
  }

  function put(message, previous) {
    const line = separator(previous, message);
    const node = row(message);
    nodes.set(message.id, node);
    host.append(...[line, node].filter(Boolean));
  }

  function show(id) {
    closePopups();
    chat = id;
    nodes.clear();
    host.replaceChildren();
    const messages = store.messagesOf(id);
    messages.forEach((message, index) => put(message, messages[index - 1]));
    if (messages.length === 0) host.append(h("li", { class: "empty" }, t("chat.empty")));
    toEnd(false);
  }

  function add(message) {
    if (message.chat !== chat || nodes.has(message.id)) return;
    const stay = following || nearEnd() || (message.sender.kind === "person" && message.sender.id === store.me);
    host.querySelector(".empty")?.remove();
    const messages = store.messagesOf(chat);
    put(message, messages[messages.length - 2]);
    nodes.get(message.id).classList.add("is-new");
    if (stay) toEnd(true);
  }

  /** Redraws a changed message: keeps focus and scroll position, and highlights the change. */
  function update(message) {
    const node = nodes.get(message.id);
    if (!node || message.chat !== chat) return;
    const slot = node.querySelector(".message-content");
    const title = () => slot.querySelector(".card-title")?.textContent;
    const before = title();
    const focused = slot.contains(document.activeElement) ? document.activeElement.closest("[data-path]")?.dataset.path : null;
    closePopups();
    slot.replaceChildren(content(message));
    node.querySelector(".message-time").replaceChildren(...stamp(message).filter(Boolean));
    const card = slot.firstElementChild;
    if (focused) {
      const again = card.querySelector(`[data-path="${CSS.escape(focused)}"]`);
      const target = again?.matches("button, [tabindex]") ? again : again?.querySelector("button, input, textarea, [tabindex]");
      target?.focus({ preventScroll: true });
    }
    if (message.kind === "card") {
      card.classList.add("is-updated");
      card.append(h("span", { class: "updated-flag", role: "status" }, t("chat.card_updated")));
      card.addEventListener("animationend", (event) => {
        if (event.target !== card) return;
        card.classList.remove("is-updated");
        card.querySelector(".updated-flag")?.remove();
      });
    }
    if (following) toEnd(false);
    // Scroll to the top of a card that was replaced; keep the position if only a detail changed.
    else if (title() !== before && host.scrollTop > topOf(node)) host.scrollTo({ top: topOf(node), behavior: "instant" });
  }

  return { show, add, update };
}

/** The composer under the thread. `say(text, mention)` resolves when the server took the message. */
export function createComposer({ form, chips, thread, store, say, drop, commands }) {
  const box = form.querySelector("textarea");
  const send = form.querySelector(".send");
  const at = form.querySelector(".mention");
  const attach = form.querySelector(".attach");
  const picked = form.querySelector(".attached");
  const said = [];
  let back = 0;
  let mention = true;

  const grow = () => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 160)}px`;
    send.disabled = box.value.trim() === "";
  };

  async function submit(text) {
    const group = store.chat()?.kind === "group";
    // A typed mention counts as the mention, not as part of the text.
    const name = store.bot.name.toLowerCase();
    const typed = group && text.toLowerCase().startsWith(`@${name}`);
    const bare = typed ? text.slice(name.length + 1).trim() : text.trim();
    if (bare === "" || form.classList.contains("is-sending")) return;
    form.classList.add("is-sending");
    const turning = spinner(t("app.working"));
    send.append(turning);
    try {
      await say(bare, group && (mention || typed));
      said.push(text);
      back = 0;
      if (box.value === text) box.value = "";
      grow();
    } catch (error) {
      toast("error", `${t("chat.not_sent")}: ${error.message}`);
    } finally {
      turning.remove();
      form.classList.remove("is-sending");
    }
  }

  async function sendFiles(files) {
    for (const file of files) {
      try {
        await drop(file);
      } catch (error) {
        toast("error", `${t("chat.not_sent")}: ${error.message}`);
      }
    }
  }
  attach.append(icon("file_outlined"));
  attach.addEventListener("click", () => picked.click());
  picked.addEventListener("change", async () => {
    await sendFiles([...picked.files]);
    picked.value = "";
  });
  // A file can be dropped anywhere on the conversation.
  for (const place of [thread, form]) {
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      sendFiles([...event.dataTransfer.files]);
    });
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(box.value);
  });
  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit(box.value);
    } else if (event.key === "ArrowUp" && said.length > 0 && (box.value === "" || box.value === said.at(-back))) {
      event.preventDefault();
      back = Math.min(back + 1, said.length);
      box.value = said.at(-back);
      grow();
    }
  });
  at.addEventListener("click", () => {
    mention = !mention;
    show();
    box.focus();
  });
  chips.setAttribute("aria-label", t("chat.commands"));
  chips.append(...commands.map((command) => h("button", {
    type: "button", class: "chip", on: { click: () => submit(command) },
  }, command)));

  function show() {
    const chat = store.chat();
    const group = chat?.kind === "group";
    at.hidden = !group;
    at.setAttribute("aria-pressed", String(mention));
    at.textContent = `@${store.bot.name}`;
    at.title = t("chat.mention");
    box.placeholder = t("chat.message_to", { name: chat?.name ?? "" });
    box.setAttribute("aria-label", box.placeholder);
    grow();
  }
  return {
    show, box, send, focus: () => box.focus({ preventScroll: true }),
    fill(text) {
      box.value = text;
      grow();
    },
  };
}
