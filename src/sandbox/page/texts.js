// Reading the small shared parts of a card: texts with translations, sizes, lengths, icons.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { color } from "./palette.js";
import { LOCALE } from "./words.js";

/** The value for this page's language in a map by locale; any value if there is none for it. */
export function picked(byLocale) {
  if (byLocale === null || typeof byLocale !== "object") return undefined;
  return byLocale[LOCALE] ?? Object.values(byLocale)[0];
}

/** The text of a text object, without markup. */
export function textOf(text) {
  if (typeof text === "string") return text;
  const own = text?.i18n_content?.[LOCALE];
  return own ?? text?.content ?? picked(text?.i18n_content) ?? "";
}

/** Nodes of a text object: markdown if its tag says so, else plain text. */
export function textNodes(text, ctx) {
  if (text?.tag === "lark_md" || text?.tag === "markdown") return markdown(textOf(text), ctx);
  return [textOf(text)];
}

const SIZES = {
  "heading-0": 30, "heading-1": 24, "heading-2": 20, "heading-3": 18, "heading-4": 16, heading: 16,
  normal: 14, notation: 12, "xxxx-large": 30, "xxx-large": 24, "xx-large": 20, "x-large": 18, large: 16,
  medium: 14, small: 12, "x-small": 10,
};

/** The class and style of a text size, built in or declared by the card. */
export function sizeStyle(name, ctx) {
  if (name === undefined) return {};
  const declared = ctx.sizes[name];
  const phone = matchMedia("(max-width: 760px)").matches;
  const built = declared ? (phone ? declared.mobile : declared.pc) ?? declared.default : name;
  const pixels = SIZES[built] ?? SIZES.normal;
  return {
    "font-size": `${pixels}px`,
    "line-height": pixels >= 18 ? "1.35" : "",
    "font-weight": built.startsWith("heading") ? "600" : "",
  };
}

const EDGES = /^(?:0|-?\d{1,2}px)(?: (?:0|-?\d{1,2}px)){0,3}$/;
/** Whether a margin or padding has the form that the card rules require. */
export function isEdges(value) {
  return typeof value === "string" && EDGES.test(value);
}

const SPACES = { small: "4px", medium: "8px", large: "12px", extra_large: "16px" };
/** A spacing as a CSS length. */
export function space(value, fallback) {
  if (value === undefined) return fallback;
  return SPACES[value] ?? (/^\d{1,2}px$/.test(value) ? value : fallback);
}

/** A length such as "120px", or nothing. */
export function pixels(value) {
  return typeof value === "string" && /^\d{1,4}px$/.test(value) ? value : "";
}

/** `read(name)` for a name that may be missing or empty. */
export function css(read, name, ctx) {
  return name === undefined || name === "" || name === "default" ? "" : read(name, ctx.colors) ?? "";
}

/** The glyph of an icon object. */
export function iconNode(element, ctx) {
  if (!element) return null;
  const size = /^(\d{1,3}px) (\d{1,3}px)$/.exec(element.size ?? "");
  const style = {
    color: css(color, element.color, ctx), width: size ? size[1] : "", height: size ? size[2] : "",
  };
  if (element.tag === "standard_icon") return icon(element.token ?? "", style);
  return h("span", { class: "icon-custom", style });
}
