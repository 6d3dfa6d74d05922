// People on the page: names by open_id and the round avatars with initials.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const HUES = ["blue", "turquoise", "orange", "violet", "carmine", "indigo", "green", "wathet"];

function hueOf(id) {
  let sum = 0;
  for (const char of String(id)) sum = (sum * 31 + char.codePointAt(0)) >>> 0;
  return HUES[sum % HUES.length];
}

/** Two letters of a Latin name, the last two characters of a Chinese one, as Feishu draws them. */
function initials(name) {
  const text = String(name || "?").trim();
  const chars = [...text];
  if (/\p{Script=Han}/u.test(text)) return chars.filter((char) => /\p{Script=Han}/u.test(char)).slice(-2).join("");
  const words = text.split(/[\s._@-]+/).filter((word) => word !== "");
  return (words.length > 1 ? words[0][0] + words[1][0] : chars.slice(0, 2).join("")).toUpperCase();
}

/** The name of an open_id; the shortened id for a person unknown to the demo. */
export function personName(id, ctx) {
  const person = ctx.people?.get(id);
  if (person) return person.name;
  const text = String(id ?? "");
  return text.length > 12 ? `${text.slice(0, 5)}…${text.slice(-4)}` : text;
}

/**
 * A round avatar; decoration only, the name is next to it. `kind` bot, hook and group have glyphs;
 * `short` shows one character, for the small ones inside cards.
 */
export function avatar({ id, name, kind, short }) {
  const glyph = { bot: "robot_outlined", hook: "bell_outlined", group: "group_outlined" }[kind];
  return h("span", {
    class: `avatar${kind ? ` avatar-${kind}` : ""}`,
    "aria-hidden": "true",
    style: { "--avatar": glyph ? "" : `var(--hue-${hueOf(id ?? name)})` },
  }, glyph ? icon(glyph) : short ? [...initials(name)].at(-1) : initials(name));
}
