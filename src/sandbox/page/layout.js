// Containers of a card: the body, column sets, forms and collapsible panels.

import { h, openUrl, uid } from "./dom.js";
import { icon } from "./icons.js";
import { iconNode, isEdges, pixels, space, textNodes, textOf } from "./texts.js";

const FLEX = { left: "flex-start", center: "center", right: "flex-end" };
const CROSS = { top: "flex-start", center: "center", bottom: "flex-end" };

/** Makes `node` a box that lays out its children according to the container's attributes. */
export function box(node, element, ctx, { padding = "", gap = "8px" } = {}) {
  const horizontal = element.direction === "horizontal";
  node.classList.add("box", horizontal ? "box-row" : "box-column");
  const style = {
    "row-gap": space(element.vertical_spacing, gap), "column-gap": space(element.horizontal_spacing, "8px"),
    padding: isEdges(element.padding) ? element.padding : padding,
  };
  if (horizontal) {
    style["justify-content"] = FLEX[element.horizontal_align] ?? "";
    style["align-items"] = CROSS[element.vertical_align] ?? "";
  } else {
    style["justify-content"] = CROSS[element.vertical_align] ?? "";
    style["align-items"] = FLEX[element.horizontal_align] ?? "";
    if (element.horizontal_align && element.horizontal_align !== "left") node.classList.add("box-aligned");
  }
  for (const [name, value] of Object.entries(style)) if (value) node.style.setProperty(name, value);
  const back = ctx.background(element.background_style ?? element.background_color);
  if (back === null) node.append(ctx.faultBox([`colour ${element.background_style ?? element.background_color}`]));
  else if (back) node.style.background = back;
  return node;
}

/** The body of a card. */
export function body(element, ctx) {
  const node = box(h("div", { class: "card-body" }), element, ctx, { padding: "12px" });
  node.append(...ctx.all(element.elements, ctx, "body").flat());
  return node;
}

function jump(node, action) {
  const target = action?.multi_url?.pc_url || action?.multi_url?.url;
  if (!target) return;
  node.classList.add("is-link");
  node.tabIndex = 0;
  node.setAttribute("role", "link");
  const go = (event) => {
    event.stopPropagation();
    openUrl(target);
  };
  node.addEventListener("click", go);
  node.addEventListener("keydown", (event) => { if (event.key === "Enter") go(event); });
}

function column(element, ctx, path) {
  const node = box(h("div", { class: "column", data: { path } }), element, ctx);
  const weighted = element.width === "weighted" || (element.width === undefined && element.weight !== undefined);
  if (weighted) node.style.setProperty("--grow", String(element.weight ?? 1));
  node.classList.add(weighted ? "column-weighted" : pixels(element.width) ? "column-fixed" : "column-auto");
  if (pixels(element.width)) node.style.setProperty("--width", element.width);
  if (isEdges(element.margin)) node.style.margin = element.margin;
  jump(node, element.action);
  node.append(...ctx.all(element.elements, ctx, path).flat());
  return node;
}

/** Columns side by side; on a narrow card they stack, wrap or divide according to flex_mode. */
export function columnSet(element, ctx) {
  const node = h("div", { class: "column-set", data: { flex: element.flex_mode ?? "none" } });
  node.style.setProperty("--gap", space(element.horizontal_spacing, "8px"));
  if (FLEX[element.horizontal_align]) node.style.justifyContent = FLEX[element.horizontal_align];
  const back = ctx.background(element.background_style);
  if (back === null) node.append(ctx.faultBox([`colour ${element.background_style}`]));
  if (back) {
    node.style.background = back;
    // Pad the edge of a coloured set, unless its columns have padding themselves.
    const padded = (element.columns ?? []).some((part) => part?.padding !== undefined);
    if (!padded) node.classList.add("has-background");
  }
  jump(node, element.action);
  for (const [index, part] of (element.columns ?? []).entries()) {
    if (part?.tag === "column") node.append(column(part, ctx, `${ctx.path}.${index}`));
    else node.append(ctx.faultBox([`column_set.columns: tag ${JSON.stringify(part?.tag)}`]));
  }
  return node;
}

/** A form: its submit button sends the values of all its fields. */
export function form(element, ctx) {
  const node = box(h("div", { class: "card-form", role: "group" }), element, ctx, { gap: "12px" });
  const own = { name: element.name, fields: [] };
  node.append(...ctx.all(element.elements, { ...ctx, form: own }, ctx.path).flat());
  return node;
}

/** A panel that opens and closes on the client alone. */
export function collapsiblePanel(element, ctx) {
  const head = element.header ?? {};
  const title = textOf(head.title);
  // Keep an opened panel open when the card is updated, unless the card says otherwise.
  const key = `panel:${ctx.path}:${title}:${element.expanded === true}`;
  let open = ctx.memory.get(key) ?? element.expanded === true;
  const id = uid("panel");
  const position = head.icon_position ?? "right";
  const glyph = h("span", { class: "panel-icon", "aria-hidden": "true" },
    head.icon ? iconNode(head.icon, ctx) : icon("down_outlined"));
  const angle = [-180, -90, 90, 180].includes(head.icon_expanded_angle) ? head.icon_expanded_angle : 180;
  const text = h("span", { class: "panel-title" }, textNodes(head.title, ctx));
  const toggle = h("button", {
    type: "button", class: `panel-head panel-icon-${position}`, "aria-controls": id,
    data: { width: head.width ?? "fill" },
    style: { background: ctx.background(head.background_color), padding: isEdges(head.padding) ? head.padding : "" },
    on: { click: () => { open = !open; ctx.memory.set(key, open); show(); } },
  }, position === "left" ? [glyph, text] : [text, glyph]);
  const inner = box(h("div", { class: "panel-body", id }), { ...element, background_color: undefined }, ctx,
    { padding: "8px 12px" });
  inner.append(...ctx.all(element.elements, ctx, ctx.path).flat());
  const node = h("section", { class: "panel", style: { background: ctx.background(element.background_color) } },
    toggle, inner);
  if (element.border) {
    node.classList.add("panel-border");
    node.style.setProperty("--panel-border", ctx.color(element.border.color ?? "grey-300") ?? "red");
    node.style.borderRadius = pixels(element.border.corner_radius) || "5px";
  }
  function show() {
    toggle.setAttribute("aria-expanded", String(open));
    inner.hidden = !open;
    glyph.style.transform = open ? `rotate(${angle}deg)` : "";
    node.classList.toggle("is-open", open);
  }
  show();
  return node;
}
