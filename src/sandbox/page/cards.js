// A whole card: its frame and header, the dispatch to the components, and what a click sends.

import { h, openUrl, spinner } from "./dom.js";
import { button, interactiveContainer, overflow } from "./buttons.js";
import { chart } from "./chart.js";
import { checker, dateField, input, selectImg } from "./fields.js";
import { icon } from "./icons.js";
import { body, collapsiblePanel, columnSet, form } from "./layout.js";
import { means } from "./meaning.js";
import { confirmDialog } from "./overlay.js";
import { background, color, tagColors, TEMPLATES } from "./palette.js";
import { audio, div, hr, img, imgCombination, markdownBlock, person, personList } from "./components.js";
import { faults, isComponent, unknownAttributes } from "./schema.js";
import { multiSelect, select } from "./selects.js";
import { table } from "./table.js";
import { css, isEdges, picked, textNodes, textOf } from "./texts.js";
import { t } from "./words.js";

const DRAW = {
  column_set: columnSet, form, interactive_container: interactiveContainer,
  collapsible_panel: collapsiblePanel, div, markdown: markdownBlock, img, img_combination: imgCombination,
  person, person_list: personList, chart, table, hr, audio, button, overflow, input,
  select_static: select, select_person: select, multi_select_static: multiSelect,
  multi_select_person: multiSelect, date_picker: dateField, picker_time: dateField,
  picker_datetime: dateField, select_img: selectImg, checker,
};

// Allowed only directly in the body.
const ROOT_ONLY = new Set(["form", "table"]);

/** An error box at the place of the fault. */
export function faultBox(lines) {
  return h("div", { class: "card-fault-box", role: "alert" },
    h("strong", null, `${t("card.unsupported")}: `), lines.join(", "));
}

/** One component; one that cannot be drawn is shown as a fault, never omitted. */
function renderElement(element, ctx, path) {
  const tag = element?.tag;
  if (!isComponent(tag)) return faultBox([`tag ${JSON.stringify(tag ?? element)}`]);
  const nodes = [];
  const found = faults(tag, element);
  if (found.length > 0) nodes.push(faultBox(found));
  if (ROOT_ONLY.has(tag) && path.split(".").length > 2) {
    nodes.push(faultBox([`${tag} inside another component`]));
  }
  let node;
  try {
    node = DRAW[tag](element, { ...ctx, path, known: found.length === 0 });
  } catch (error) {
    console.warn("card component not drawn", tag, error);
    node = faultBox([`${tag}: ${error.message}`]);
  }
  node.dataset.path = path;
  node.dataset.tag = tag;
  means(node, callbackOf(element)?.value, ctx.form);
  if (element.margin !== undefined) {
    if (isEdges(element.margin)) node.style.margin = element.margin;
    else nodes.push(faultBox([`${tag}.margin: ${element.margin}`]));
  }
  nodes.push(node);
  return nodes;
}

function renderAll(elements, ctx, path) {
  if (!Array.isArray(elements)) return [];
  return elements.map((element, index) => renderElement(element, ctx, `${path}.${index}`));
}

function callbackOf(element) {
  return Array.isArray(element.behaviors) ? element.behaviors.find((behavior) => behavior?.type === "callback") : undefined;
}

/**
 * Performs a component's action: asks for confirmation, opens its link, calls back. `extra` is what
 * the component adds to the action. Resolves to the server's answer, or null if nothing was sent.
 */
async function act(ctx, host, element, extra = {}) {
  if (ctx.lock.busy) return null;
  const callback = callbackOf(element);
  if (element.confirm) {
    const { title, text } = element.confirm;
    if (!(await confirmDialog(textOf(title), textOf(text), callback?.value))) return null;
  }
  const behaviors = Array.isArray(element.behaviors) ? element.behaviors : [];
  for (const behavior of behaviors) {
    if (behavior.type === "open_url") openUrl(behavior.pc_url || behavior.default_url);
  }
  // A component without behaviours still calls back, without a value.
  if (behaviors.length > 0 && !callback && !extra.form_value) return null;
  const action = { tag: element.tag };
  if (callback) action.value = callback.value;
  if (element.name) action.name = element.name;
  Object.assign(action, extra);
  ctx.lock.busy = true;
  const turning = spinner(t("app.working"));
  host.classList.add("is-busy");
  host.setAttribute("aria-busy", "true");
  host.append(turning);
  ctx.lock.root.classList.add("is-locked");
  try {
    return await ctx.send(action);
  } finally {
    ctx.lock.busy = false;
    turning.remove();
    host.classList.remove("is-busy");
    host.removeAttribute("aria-busy");
    ctx.lock.root.classList.remove("is-locked");
  }
}

function header(element, ctx) {
  const template = element.template ?? "default";
  const node = h("header", { class: "card-header", data: { template } });
  const found = faults("header", element);
  if (!TEMPLATES.has(template)) found.push(`header.template: ${template}`);
  if (template !== "default") node.style.setProperty("--hue", color(template) ?? "var(--grey-500)");
  if (isEdges(element.padding)) node.style.padding = element.padding;
  const tags = picked(element.i18n_text_tag_list) ?? element.text_tag_list ?? [];
  node.append(
    ...(element.icon ? [h("span", { class: "card-header-icon" }, headerIcon(element.icon, ctx))] : []),
    h("div", { class: "card-header-text" },
      h("div", { class: "card-title-row" },
        h("h3", { class: "card-title" }, textNodes(element.title, ctx)),
        tags.map((tag) => textTag(tag, found))),
      element.subtitle && h("div", { class: "card-subtitle" }, textNodes(element.subtitle, ctx))));
  return found.length > 0 ? [node, faultBox(found)] : [node];
}

function headerIcon(element, ctx) {
  if (element.tag !== "standard_icon") return h("span", { class: "icon-custom" });
  return icon(element.token, { color: css(color, element.color, ctx) });
}

function textTag(tag, found) {
  const name = tag.color ?? "neutral";
  const shades = tagColors(name);
  if (!shades) found.push(`text_tag.color: ${name}`);
  return h("span", { class: "text-tag", style: { color: shades?.text, background: shades?.back } },
    textOf(tag.text));
}

/**
 * Draws a card. `env` holds `people` (Map by open_id), `me`, `memory` (a Map that outlives redraws) and
 * `send(action)`, which posts a click and resolves to the answer.
 */
export function renderCard(card, env) {
  const root = h("article", { class: "card" });
  if (card === null || typeof card !== "object") {
    root.append(faultBox(["card"]));
    return root;
  }
  const style = card.config?.style ?? {};
  const ctx = {
    ...env, colors: style.color ?? {}, sizes: style.text_size ?? {}, lock: { busy: false, root },
    form: null, all: renderAll, act, faultBox, color: (name) => color(name, style.color),
    background: (name) => background(name, style.color),
  };
  root.dataset.width = card.config?.width_mode ?? "default";
  const found = [
    ...unknownAttributes("card", card), ...unknownAttributes("config", card.config),
    ...unknownAttributes("body", card.body).map((name) => `body.${name}`),
  ];
  if (card.schema !== "2.0") found.push(`schema: ${JSON.stringify(card.schema)}`);
  if (found.length > 0) root.append(faultBox(found));
  if (card.header) {
    root.setAttribute("aria-label", textOf(card.header.title));
    root.append(...header(card.header, ctx));
  }
  const link = card.card_link?.pc_url || card.card_link?.url;
  if (link) {
    root.classList.add("has-link");
    root.addEventListener("click", (event) => {
      if (!event.target.closest("button, a, input, textarea, select, [role], [tabindex]")) openUrl(link);
    });
  }
  if (card.body) root.append(body(card.body, ctx));
  return root;
}

/** One line for conversation lists: the card's summary or its title. */
export function cardSummary(card) {
  return textOf(card?.config?.summary) || textOf(card?.header?.title) || t("chat.card");
}
