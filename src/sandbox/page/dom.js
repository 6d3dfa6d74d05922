// Building DOM nodes. This page never uses innerHTML: text from chats and cards
// can only become text nodes.

const SVG = "http://www.w3.org/2000/svg";

function put(node, key, value) {
  if (value === undefined || value === null || value === false) return;
  if (key === "class") node.setAttribute("class", value);
  else if (key === "style") {
    // Through the object model, which a strict content security policy allows.
    for (const [name, text] of Object.entries(value)) {
      if (text !== undefined && text !== null && text !== "") node.style.setProperty(name, text);
    }
  } else if (key === "on") {
    for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
  } else if (key === "data") {
    for (const [name, text] of Object.entries(value)) node.dataset[name] = text;
  } else if (key in node && typeof value === "boolean") node[key] = value;
  else node.setAttribute(key, value === true ? "" : String(value));
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false || child === "") continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** An HTML element: h("button", { class: "x", on: { click } }, "text", node, [nodes]). */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) put(node, key, value);
  return append(node, children);
}

/** An SVG element, same shape as `h`. */
export function s(tag, props, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (key === "style") put(node, key, value);
    else node.setAttribute(key, String(value));
  }
  return append(node, children);
}

let counter = 0;
/** An id that is unique on the page. */
export function uid(prefix) {
  counter += 1;
  return `${prefix}-${counter}`;
}

/** The spinner shown on a component whose callback is running. */
export function spinner(label) {
  return h("span", { class: "spinner", role: "status", "aria-label": label });
}

/** A URL that may be opened or linked to: http and https (and tel: where a text links to it). */
export function safeUrl(url, { tel = false } = {}) {
  const text = String(url ?? "").trim();
  if (/^https?:\/\/[^\s]+$/i.test(text)) return text;
  if (tel && /^tel:[\d+#*() -]+$/i.test(text.replace("tel://", "tel:"))) {
    return text.replace("tel://", "tel:");
  }
  return null;
}

/** Opens a web address in a new tab without access to this page. */
export function openUrl(url) {
  const target = safeUrl(url);
  if (target) window.open(target, "_blank", "noopener,noreferrer");
  return target !== null;
}
