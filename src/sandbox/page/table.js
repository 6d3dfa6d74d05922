// The table component: typed cells, a header style, pages.

import { h } from "./dom.js";
import { markdown } from "./markdown.js";
import { avatar, personName } from "./people.js";
import { pager } from "./pager.js";
import { tagColors } from "./palette.js";
import { pixels } from "./texts.js";
import { LANG, t } from "./words.js";

const HEIGHTS = { low: "32px", middle: "40px", high: "52px" };

function number(value, format = {}) {
  if (typeof value !== "number") return h("span", { class: "card-fault" }, JSON.stringify(value));
  const places = format.precision;
  const text = value.toLocaleString(LANG, {
    useGrouping: format.separator === true,
    minimumFractionDigits: places ?? 0, maximumFractionDigits: places ?? 20,
  });
  return `${format.symbol ?? ""}${text}`;
}

function date(value, format) {
  const time = new Date(Number(value));
  if (value === "" || Number.isNaN(time.getTime())) return h("span", { class: "card-fault" }, JSON.stringify(value));
  const two = (part) => String(part).padStart(2, "0");
  const parts = {
    YYYY: String(time.getFullYear()), YY: two(time.getFullYear() % 100), MM: two(time.getMonth() + 1),
    DD: two(time.getDate()), HH: two(time.getHours()), mm: two(time.getMinutes()), ss: two(time.getSeconds()),
  };
  return (format || "YYYY/MM/DD").replace(/YYYY|YY|MM|DD|HH|mm|ss/g, (token) => parts[token]);
}

function options(value) {
  const entries = Array.isArray(value) ? value : [{ text: String(value), color: "neutral" }];
  return entries.map((entry) => {
    const shades = tagColors(entry.color ?? "neutral");
    if (!shades) return h("span", { class: "card-fault" }, `${entry.text} (${entry.color})`);
    return h("span", { class: "text-tag", style: { color: shades.text, background: shades.back } }, entry.text);
  });
}

function persons(value, ctx) {
  return [value].flat().map((id) => h("span", { class: "person person-small" },
    avatar({ id, name: personName(id, ctx), short: true }), h("span", { class: "person-name" }, personName(id, ctx))));
}

function cell(value, column, ctx) {
  if (value === undefined || value === null) return [];
  switch (column.data_type) {
    case "number": return number(value, column.format);
    case "date": return date(value, column.date_format);
    case "options": return h("span", { class: "cell-tags" }, options(value));
    case "persons": return persons(value, ctx);
    case "lark_md":
    case "markdown": return h("div", { class: "md" }, markdown(String(value), ctx));
    case "text": return String(value);
    default: return h("span", { class: "card-fault" }, `data_type ${column.data_type}`);
  }
}

/** A table with at most ten rows per page. */
export function table(element, ctx) {
  const columns = element.columns ?? [];
  const rows = element.rows ?? [];
  const head = element.header_style ?? {};
  const size = Math.min(Math.max(element.page_size ?? 5, 1), 10);
  const names = new Set(columns.map((column) => column.name));
  const strangers = [...new Set(rows.flatMap((row) => Object.keys(row)).filter((name) => !names.has(name)))];
  const height = HEIGHTS[element.row_height] ?? (pixels(element.row_height) || (element.row_height === "auto" ? "auto" : "32px"));
  const align = (column) => column.horizontal_align ?? (column.data_type === "number" ? "right" : "left");
  const body = h("tbody");
  const show = (from, to) => {
    body.replaceChildren(...rows.slice(from, to).map((row) => h("tr", { style: { height: height === "auto" ? "" : height } },
      columns.map((column) => h("td", {
        class: height === "auto" ? "cell-wrap" : "",
        style: { "text-align": align(column), "vertical-align": { top: "top", bottom: "bottom" }[column.vertical_align] ?? "middle" },
      }, cell(row[column.name], column, ctx))))));
    if (rows.length === 0) {
      body.append(h("tr", null, h("td", { class: "table-none", colspan: String(columns.length) }, t("card.no_data"))));
    }
  };
  const heads = columns.map((column) => h("th", {
    scope: "col",
    style: {
      "text-align": head.text_align ?? align(column), "font-weight": head.bold === false ? "400" : "600",
      "font-size": head.text_size === "heading" ? "16px" : "",
      width: /^(?:\d+px|\d+%)$/.test(column.width ?? "") ? column.width : "",
      "min-width": pixels(column.width),
    },
  }, column.display_name ?? column.name));
  return h("div", { class: "card-table" },
    strangers.length > 0 && ctx.faultBox(strangers.map((name) => `row member ${name} (200915)`)),
    h("div", { class: "table-scroll", tabindex: "0" },
      h("table", { class: element.freeze_first_column ? "freeze" : "" },
        h("thead", { class: `${head.background_style === "none" ? "" : "head-grey"}${head.text_color === "grey" ? " text-grey" : ""}` },
          h("tr", null, heads)), body)),
    pager(rows.length, size, show, ctx, `table:${ctx.path}`));
}
