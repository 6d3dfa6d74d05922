// Toasts, the confirmation dialog, and popups of a control.

import { h, uid } from "./dom.js";
import { icon } from "./icons.js";
import { means } from "./meaning.js";
import { t } from "./words.js";

const TOAST_MS = 3500;
const GLYPHS = {
  info: "info_filled", success: "check_outlined", error: "close_outlined", warning: "warning_outlined",
};

/** Shows a toast; `type` is info, success, error or warning. */
export function toast(type, content) {
  const kind = Object.hasOwn(GLYPHS, type) ? type : "info";
  const node = h("div", { class: `toast toast-${kind}`, role: kind === "error" ? "alert" : "status" },
    icon(GLYPHS[kind]), h("span", null, content));
  const host = document.getElementById("toasts");
  host.append(node);
  while (host.children.length > 3) host.firstElementChild.remove();
  let timer = setTimeout(leave, TOAST_MS);
  function leave() {
    node.classList.add("leaving");
    setTimeout(() => node.remove(), 250);
  }
  // Hovering keeps it open; a click closes it.
  node.addEventListener("mouseenter", () => clearTimeout(timer));
  node.addEventListener("mouseleave", () => { timer = setTimeout(leave, 1500); });
  node.addEventListener("click", leave);
}

/** Asks for confirmation of what sends `value`; resolves to whether it was given. */
export function confirmDialog(title, text, value) {
  return new Promise((resolve) => {
    const [titleId, textId] = [uid("confirm"), uid("confirm")];
    const ok = h("button", { type: "submit", value: "ok", class: "btn btn-primary_filled" }, t("card.confirm"));
    means(ok, value);
    const dialog = h("dialog", { class: "confirm", "aria-labelledby": titleId, "aria-describedby": textId },
      h("form", { method: "dialog" },
        h("h2", { id: titleId }, title), h("p", { id: textId }, text),
        h("div", { class: "confirm-buttons" },
          h("button", { type: "submit", value: "cancel", class: "btn btn-default" }, t("card.cancel")), ok)));
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close("cancel"); });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "ok");
    });
    document.body.append(dialog);
    dialog.showModal();
    ok.focus();
  });
}

let openPopup = null;

/** Shows `content` below `anchor` until `close` is called, Escape is pressed or focus moves away. */
export function popup(anchor, content, onClose) {
  openPopup?.close();
  const node = h("div", { class: "popup" }, content);
  document.body.append(node);
  function place() {
    const box = anchor.getBoundingClientRect();
    const width = Math.min(Math.max(box.width, 168), innerWidth - 16);
    node.style.minWidth = `${width}px`;
    const below = innerHeight - box.bottom - 12;
    const above = box.top - 12;
    const upward = below < Math.min(node.scrollHeight, 280) && above > below;
    node.style.maxHeight = `${Math.min(upward ? above : below, 340)}px`;
    node.style.left = `${Math.max(8, Math.min(box.left, innerWidth - node.offsetWidth - 8))}px`;
    node.style.top = upward ? "" : `${box.bottom + 4}px`;
    node.style.bottom = upward ? `${innerHeight - box.top + 4}px` : "";
  }
  const outside = (event) => {
    if (!node.contains(event.target) && !anchor.contains(event.target)) close(false);
  };
  const scrolled = (event) => { if (!node.contains(event.target)) place(); };
  const keys = (event) => {
    if (event.key !== "Escape" && event.key !== "Tab") return;
    if (event.key === "Escape") event.preventDefault();
    event.stopPropagation();
    close(true);
  };
  function close(refocus) {
    if (openPopup?.node !== node) return;
    openPopup = null;
    removeEventListener("pointerdown", outside, true);
    removeEventListener("scroll", scrolled, true);
    removeEventListener("resize", place);
    node.remove();
    if (refocus && anchor.isConnected) anchor.focus({ preventScroll: true });
    onClose?.();
  }
  node.addEventListener("keydown", keys);
  addEventListener("pointerdown", outside, true);
  addEventListener("scroll", scrolled, true);
  addEventListener("resize", place);
  openPopup = { node, close: () => close(false) };
  place();
  return { close: () => close(true), place };
}

/** Closes whatever popup is open, for example because its card was redrawn. */
export function closePopups() {
  openPopup?.close();
}
