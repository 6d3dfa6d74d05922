// The page's own words, and the language they are shown in: the demo's `--locale`, unless the reader has chosen another.
// What cards and messages say comes from the bot and is shown as it is.

import en_us from "./words/en_us.js";
import zh_cn from "./words/zh_cn.js";

const CATALOGUES = { en_us, zh_cn };
const STORED = "locale";

function chosen() {
  const candidates = [localStorage.getItem(STORED), document.documentElement.dataset.locale];
  return candidates.find((name) => name !== null && Object.hasOwn(CATALOGUES, name)) ?? "zh_cn";
}

/** The locale of the page's words and of a card's translations. */
export const LOCALE = chosen();

/** The language tag for dates and numbers. */
export const LANG = LOCALE === "zh_cn" ? "zh-CN" : "en-GB";

/** The text for a key, with `{name}` filled in from `args`. A text that is not a key is returned as it is. */
export function t(key, args) {
  const words = CATALOGUES[LOCALE];
  const text = Object.hasOwn(words, key) ? words[key] : String(key);
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(args?.[name] ?? whole));
}

/** Shows the page in the other language, now and at later visits. */
export function switchLanguage() {
  localStorage.setItem(STORED, LOCALE === "zh_cn" ? "en_us" : "zh_cn");
  location.reload();
}

let shift = 0;
/** How far the demo's clock is ahead of this browser's, in milliseconds. */
export function setShift(ms) {
  shift = ms;
}
/** The demo's present, in milliseconds. */
export function now() {
  return Date.now() + shift;
}
