// Feishu's markdown (the markdown component and lark_md), read into DOM nodes. Blocks first, then the
// text inside them; an unknown tag is shown as an error.

import { h, safeUrl } from "./dom.js";
import { decodeEntities } from "./entities.js";
import { color, tagColors, textColor } from "./palette.js";
import { avatar, personName } from "./people.js";
import { pager } from "./pager.js";
import { LANG } from "./words.js";

const TABLE_PAGE = 5;
const MAX_DEPTH = 12;
const MAX_LABEL = 1000;

/** Nodes for a whole markdown text. `ctx` carries people and the colours the card declares. */
export function markdown(source, ctx) {
  return blocks(String(source ?? "").replace(/\r\n?/g, "\n").split("\n"), ctx, 0);
}

const FENCE = /^\s*(```+|~~~+)\s*([\w+#.-]*)\s*$/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^\s*(?:-{3,}|\*{3,}|_{3,}|<hr\s*\/?>)\s*$/;
const ITEM = /^(\s*)(?:([-*+])|(\d{1,4})[.)])\s+(.*)$/;
const QUOTE = /^\s*>\s?(.*)$/;
const DELIMITER = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

function isTableAt(lines, at) {
  const next = lines[at + 1];
  return lines[at].includes("|") && next !== undefined && next.includes("-") && next.includes("|")
    && DELIMITER.test(next);
}

function startsBlock(lines, at) {
  const line = lines[at];
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || ITEM.test(line)
    || QUOTE.test(line) || isTableAt(lines, at);
}

function blocks(lines, ctx, depth) {
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    if (line.trim() === "") {
      at += 1;
      // One empty line separates; further ones are deliberate gaps.
      if (at < lines.length && lines[at].trim() === "" && nodes.length > 0) {
        nodes.push(h("div", { class: "md-gap" }));
        while (at < lines.length && lines[at].trim() === "") at += 1;
      }
    } else if (fence) {
      let end = at + 1;
      while (end < lines.length && lines[end].trim() !== fence[1]) end += 1;
      nodes.push(codeBlock(lines.slice(at + 1, end).join("\n"), fence[2]));
      at = end + 1;
    } else if (HEADING.test(line)) {
      const [, marks, text] = HEADING.exec(line);
      const level = String(marks.length);
      nodes.push(h("div", { class: `md-h md-h${level}`, role: "heading", "aria-level": level }, inline(text, ctx)));
      at += 1;
    } else if (RULE.test(line)) {
      nodes.push(h("hr", { class: "card-hr" }));
      at += 1;
    } else if (isTableAt(lines, at)) {
      let end = at + 2;
      while (end < lines.length && lines[end].includes("|")) end += 1;
      nodes.push(table(lines.slice(at, end), ctx));
      at = end;
    } else if (QUOTE.test(line) && depth < MAX_DEPTH) {
      let end = at;
      while (end < lines.length && QUOTE.test(lines[end])) end += 1;
      const inner = lines.slice(at, end).map((text) => QUOTE.exec(text)[1]);
      nodes.push(h("blockquote", { class: "md-quote" }, blocks(inner, ctx, depth + 1)));
      at = end;
    } else if (ITEM.test(line)) {
      const [end, list] = listAt(lines, at, ctx, depth);
      nodes.push(list);
      at = end;
    } else {
      let end = at + 1;
      while (end < lines.length && lines[end].trim() !== "" && !startsBlock(lines, end)) end += 1;
      nodes.push(h("div", { class: "md-p" }, inline(lines.slice(at, end).join("\n"), ctx)));
      at = end;
    }
  }
  return nodes;
}

function codeBlock(text, language) {
  return h("pre", { class: "md-pre", tabindex: "0" },
    language && h("span", { class: "md-lang" }, language), h("code", null, text));
}

const indentOf = (text) => text.replace(/\t/g, "    ").length;

function listAt(lines, start, ctx, depth) {
  const [, lead, , number] = ITEM.exec(lines[start]);
  const base = indentOf(lead);
  const ordered = number !== undefined;
  const list = h(ordered ? "ol" : "ul", { class: "md-list", start: ordered && number !== "1" ? number : null });
  let at = start;
  while (at < lines.length) {
    const match = ITEM.exec(lines[at]);
    if (!match || indentOf(match[1]) < base || (match[3] !== undefined) !== ordered) break;
    const item = h("li", null, inline(match[4], ctx));
    at += 1;
    // A deeper item belongs to this one; so does plain text that is indented.
    while (at < lines.length && lines[at].trim() !== "") {
      const deeper = ITEM.exec(lines[at]);
      if (deeper && indentOf(deeper[1]) > base + 1 && depth < MAX_DEPTH) {
        const [end, nested] = listAt(lines, at, ctx, depth + 1);
        item.append(nested);
        at = end;
      } else if (!deeper && /^\s{2,}/.test(lines[at])) {
        item.append(h("br"), ...inline(lines[at].trim(), ctx));
        at += 1;
      } else break;
    }
    list.append(item);
  }
  return [at === start ? start + 1 : at, list];
}

function cells(line) {
  const text = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return text.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function table(lines, ctx) {
  const aligns = cells(lines[1]).map((mark) => {
    if (mark.startsWith(":") && mark.endsWith(":")) return "center";
    return mark.endsWith(":") ? "right" : "left";
  });
  const head = cells(lines[0]);
  const rows = lines.slice(2).map(cells);
  const style = (index) => ({ "text-align": aligns[index] ?? "left" });
  const body = h("tbody");
  const show = (from, to) => {
    body.replaceChildren(...rows.slice(from, to).map((row) => h("tr", null,
      head.map((_, index) => h("td", { style: style(index) }, inline(row[index] ?? "", ctx))))));
  };
  return h("div", { class: "card-table" },
    h("div", { class: "table-scroll", tabindex: "0" },
      h("table", null,
        h("thead", { class: "head-grey" }, h("tr", null,
          head.map((text, index) => h("th", { scope: "col", style: style(index) }, inline(text, ctx))))),
        body)),
    pager(rows.length, TABLE_PAGE, show, ctx, `md:${head.join("|")}`));
}

// ---- text inside a block ----

const TAG = /^<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+)|\s+[\w-]+)*)\s*(\/?)>/;
const ATTRIBUTE = /([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g;
const WEB = /^https?:\/\/[^\s<>"'`，。；！？、（）【】《》]+/;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}]/u;

function attributesOf(text) {
  const found = {};
  for (const [, name, double, single, bare] of text.matchAll(ATTRIBUTE)) {
    found[name] = decodeEntities(double ?? single ?? bare ?? "");
  }
  return found;
}

/** Nodes for text without block structure: line breaks, emphasis, links and Feishu's tags. */
export function inline(source, ctx, depth = 0) {
  const nodes = [];
  let text = "";
  const flush = () => {
    if (text !== "") nodes.push(document.createTextNode(decodeEntities(text)));
    text = "";
  };
  const push = (node) => {
    flush();
    nodes.push(...[node].flat());
  };
  let at = 0;
  while (at < source.length) {
    const char = source[at];
    const rest = depth < MAX_DEPTH ? source.slice(at, at + 2000) : "";
    let taken = 0;
    if (char === "\n") {
      push(h("br"));
      taken = 1;
    } else if (char === "\\" && PUNCTUATION.test(source[at + 1] ?? "")) {
      // An escaped character must not start an entity either.
      push(document.createTextNode(source[at + 1]));
      taken = 2;
    } else if (char === "`") taken = codeAt(source, at, push);
    else if (char === "<") taken = tagAt(source, at, rest, ctx, depth, push);
    else if (char === "!" || char === "[") taken = linkAt(source, at, ctx, depth, push);
    else if (char === "*" || char === "~" || char === "_") {
      taken = emphasisAt(source, at, ctx, depth, push);
    } else if (char === ":") taken = emojiAt(rest, push);
    else if (char === "h" && !WORD.test(source[at - 1] ?? "") && WEB.test(rest)) {
      const url = WEB.exec(rest)[0].replace(/[.,;:!?)*~]+$/, "");
      push(anchor(decodeEntities(url), [decodeEntities(url)]));
      taken = url.length;
    }
    if (taken === 0) {
      text += char;
      taken = 1;
    }
    at += taken;
  }
  flush();
  return nodes;
}

function codeAt(source, at, push) {
  const ticks = /^`+/.exec(source.slice(at))[0];
  const end = source.indexOf(ticks, at + ticks.length);
  if (end < 0) return 0;
  push(h("code", { class: "md-code" }, source.slice(at + ticks.length, end).trim()));
  return end + ticks.length - at;
}

function anchor(url, content) {
  const target = safeUrl(url, { tel: true });
  if (!target) return h("span", { class: "md-deadlink", title: url }, content);
  return h("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, content);
}

/** The parenthesis that closes the one at `open`; addresses may contain pairs. */
function closingParenthesis(source, open) {
  let level = 0;
  for (let at = open; at < source.length && source[at] !== "\n"; at += 1) {
    if (source[at] === "(") level += 1;
    else if (source[at] === ")" && (level -= 1) === 0) return at;
  }
  return -1;
}

function linkAt(source, at, ctx, depth, push) {
  const picture = source[at] === "!";
  if (picture && source[at + 1] !== "[") return 0;
  const open = picture ? at + 1 : at;
  let level = 0;
  let close = open;
  const last = Math.min(source.length, open + MAX_LABEL);
  for (; close < last; close += 1) {
    if (source[close] === "\\") close += 1;
    else if (source[close] === "[") level += 1;
    else if (source[close] === "]" && (level -= 1) === 0) break;
  }
  if (close >= last || source[close + 1] !== "(") return 0;
  const end = closingParenthesis(source, close + 1);
  if (end < 0 || depth >= MAX_DEPTH) return 0;
  const label = source.slice(open + 1, close);
  const target = decodeEntities(source.slice(close + 2, end).trim());
  if (picture) push(h("span", { class: "md-img", role: "img", "aria-label": label || target }, label || target));
  else push(anchor(target, inline(label, ctx, depth + 1)));
  return end + 1 - at;
}

const MARKS = [
  ["***", (inner) => h("strong", null, h("em", null, inner))],
  ["**", (inner) => h("strong", null, inner)],
  ["__", (inner) => h("strong", null, inner)],
  ["~~", (inner) => h("s", null, inner)],
  ["*", (inner) => h("em", null, inner)],
  ["_", (inner) => h("em", null, inner)],
];

function emphasisAt(source, at, ctx, depth, push) {
  if (depth >= MAX_DEPTH) return 0;
  for (const [mark, wrap] of MARKS) {
    if (!source.startsWith(mark, at)) continue;
    if (mark[0] === "_" && WORD.test(source[at - 1] ?? "")) return 0;
    const first = source[at + mark.length];
    if (first === undefined || /\s/.test(first)) continue;
    let end = source.indexOf(mark, at + mark.length);
    while (end > 0 && (/\s|\\/.test(source[end - 1]) || (mark.length === 1 && source[end + 1] === mark)
      || (mark[0] === "_" && WORD.test(source[end + mark.length] ?? "")))) {
      end = source.indexOf(mark, end + mark.length + (source[end + 1] === mark ? 1 : 0));
    }
    if (end < 0) continue;
    const inner = source.slice(at + mark.length, end);
    if (inner === "" || inner.includes("\n\n")) continue;
    push(wrap(inline(inner, ctx, depth + 1)));
    return end + mark.length - at;
  }
  return 0;
}

const EMOJI = {
  OK: "👌", DONE: "✅", THUMBSUP: "👍", THANKS: "🙏", SMILE: "😊", APPLAUSE: "👏", FIRE: "🔥", JIAYI: "➕",
  CheckMark: "✔️", CrossMark: "❌", Alarm: "⏰", Loudspeaker: "📢", Pin: "📌", BULB: "💡", ROCKET: "🚀",
  HEART: "❤️", PARTY: "🎉", WARNING: "⚠️", MONEY: "💰", StatusFlashOfInspiration: "💡",
};

function emojiAt(rest, push) {
  const match = /^:([A-Za-z]{2,32}):/.exec(rest);
  if (!match || !Object.hasOwn(EMOJI, match[1])) return 0;
  push(document.createTextNode(EMOJI[match[1]]));
  return match[0].length;
}

/** Where the matching `</name>` starts, nested tags considered; -1 if there is none. */
function closingTag(source, from, name) {
  const pattern = new RegExp(`<(/?)${name}(?=[\\s>/])[^<>]*>`, "gi");
  pattern.lastIndex = from;
  let level = 1;
  for (let match = pattern.exec(source); match; match = pattern.exec(source)) {
    if (match[1]) level -= 1;
    else if (!match[0].endsWith("/>")) level += 1;
    if (level === 0) return { start: match.index, end: pattern.lastIndex };
  }
  return null;
}

// Tags that need an end tag.
const PAIRED = new Set(["font", "text_tag", "number_tag", "a", "link", "raw"]);

function tagAt(source, at, rest, ctx, depth, push) {
  const match = TAG.exec(rest);
  if (!match) return 0;
  const [whole, closing, rawName, rawAttributes, selfClosed] = match;
  const name = rawName.toLowerCase();
  if (name === "br") {
    push(h("br"));
    return whole.length;
  }
  if (name === "hr") {
    push(h("hr", { class: "card-hr" }));
    return whole.length;
  }
  const draw = TAGS[name];
  if (closing || !draw) {
    push(h("span", { class: "card-fault", role: "alert" }, whole));
    return whole.length;
  }
  const attributes = attributesOf(rawAttributes);
  const close = selfClosed ? null : closingTag(source, at + whole.length, name);
  if (!close && !selfClosed && PAIRED.has(name)) {
    push(fault(whole));
    return whole.length;
  }
  const inner = close ? source.slice(at + whole.length, close.start) : "";
  push(draw(attributes, inner, ctx, depth + 1));
  return close ? close.end - at : whole.length;
}

function fault(text) {
  return h("span", { class: "card-fault", role: "alert" }, text);
}

function mention(id, ctx) {
  const all = id === "all";
  return h("span", { class: `md-at${id === ctx.me ? " md-at-me" : ""}` }, `@${all ? "all" : personName(id, ctx)}`);
}

// Bars drawn with characters: the empty part is a surface, not text.
const BLOCKS = /^[\u2580-\u259f]+$/;

const TAGS = {
  font(attributes, inner, ctx, depth) {
    const bar = BLOCKS.test(inner);
    const css = bar && attributes.color === "grey" ? "var(--grey-bar)"
      : (bar ? color : textColor)(attributes.color ?? "default", ctx.colors);
    const content = inline(inner, ctx, depth);
    if (attributes.color === "default" || attributes.color === undefined) return content;
    return css ? h("span", { class: bar ? "md-bar" : null, style: { color: css } }, content) : [fault(`font ${attributes.color}`), content];
  },
  text_tag(attributes, inner, ctx, depth) {
    const shades = tagColors(attributes.color ?? "neutral");
    if (!shades) return fault(`text_tag ${attributes.color}`);
    return h("span", { class: "text-tag", style: { color: shades.text, background: shades.back } },
      inline(inner, ctx, depth));
  },
  number_tag(attributes, inner, ctx) {
    const back = color(attributes.background_color ?? "grey-200", ctx.colors);
    const fore = color(attributes.font_color ?? "grey-900", ctx.colors);
    const border = color(attributes.border_color ?? "bg-white", ctx.colors);
    if (!back || !fore || !border) return fault("number_tag");
    const chip = h("span", {
      class: "number-tag",
      style: { background: back, color: fore, "border-color": attributes.border_color ? border : "transparent" },
    }, decodeEntities(inner));
    return attributes.url ? anchor(attributes.url, [chip]) : chip;
  },
  at(attributes, inner, ctx) {
    const ids = (attributes.ids ?? attributes.id ?? "").split(",").map((id) => id.trim());
    if (attributes.email) return h("span", { class: "md-at" }, `@${attributes.email}`);
    return ids.filter((id) => id !== "").flatMap((id) => [mention(id, ctx), " "]).slice(0, -1)
      .map((part) => (part === " " ? document.createTextNode(" ") : part));
  },
  person(attributes, inner, ctx) {
    const name = personName(attributes.id, ctx);
    return h("span", { class: `person person-small${attributes.style === "capsule" ? " capsule" : ""}` },
      attributes.show_avatar !== "false" && avatar({ id: attributes.id, name, short: true }),
      attributes.show_name !== "false" && h("span", null, name));
  },
  local_datetime(attributes) {
    const time = new Date(Number(attributes.millisecond || Date.now()));
    if (Number.isNaN(time.getTime())) return fault("local_datetime");
    const node = h("time", { datetime: time.toISOString() }, localTime(time, attributes.format_type));
    return attributes.link ? anchor(attributes.link, [node]) : node;
  },
  a: (attributes, inner, ctx, depth) => anchor(attributes.href ?? "", inner === ""
    ? [attributes.href ?? ""] : inline(inner, ctx, depth)),
  link: (attributes, inner, ctx, depth) => anchor(attributes.pc_url || attributes.url || "", inner === ""
    ? [attributes.url ?? ""] : inline(inner, ctx, depth)),
  raw: (attributes, inner) => document.createTextNode(inner),
  audio: () => h("span", { class: "md-img", role: "img" }, "♪"),
};

function localTime(time, format) {
  const two = (number) => String(number).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  switch (format) {
    case "date_num": return day;
    case "date_short": return time.toLocaleDateString(LANG, { month: "short", day: "numeric" });
    case "date": return time.toLocaleDateString(LANG, { year: "numeric", month: "long", day: "numeric" });
    case "week": return time.toLocaleDateString(LANG, { weekday: "long" });
    case "week_short": return time.toLocaleDateString(LANG, { weekday: "short" });
    case "time": return clock;
    case "time_sec": return `${clock}:${two(time.getSeconds())}`;
    case "timezone": return `GMT${time.getTimezoneOffset() > 0 ? "-" : "+"}${two(Math.abs(Math.trunc(time.getTimezoneOffset() / 60)))}:${two(Math.abs(time.getTimezoneOffset() % 60))}`;
    default: return `${day} ${clock}`;
  }
}
