// The components that only display something: text, rules, images, people.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { avatar, personName } from "./people.js";
import { color, textColor } from "./palette.js";
import { css, iconNode, pixels, sizeStyle, textNodes, textOf } from "./texts.js";
import { LOCALE, t } from "./words.js";

const withIcon = (element, ctx, content) => (element.icon
  ? [h("span", { class: "lead-icon" }, iconNode(element.icon, ctx)), content] : content);

/** A div: one styled text, perhaps with an icon. */
export function div(element, ctx) {
  const text = element.text ?? {};
  const unknown = text.text_color !== undefined && text.text_color !== "default"
    && ctx.color(text.text_color) === null;
  const content = h("div", {
    class: `text${text.lines ? " text-clamp" : ""}`,
    style: {
      ...sizeStyle(text.text_size, ctx), color: css(textColor, text.text_color, ctx),
      "text-align": text.text_align ?? "", "-webkit-line-clamp": text.lines ? String(text.lines) : "",
    },
  }, textNodes(text, ctx));
  const node = h("div", { class: `card-div${element.icon ? " with-icon" : ""}` },
    unknown && ctx.faultBox([`text_color ${text.text_color}`]), withIcon(element, ctx, content));
  if (element.width === "auto") node.classList.add("fit");
  else if (pixels(element.width)) node.style.width = element.width;
  return node;
}

/** The markdown component. */
export function markdownBlock(element, ctx) {
  const source = element.i18n_content?.[LOCALE] ?? element.content;
  const content = h("div", {
    class: "md",
    style: { ...sizeStyle(element.text_size, ctx), "text-align": element.text_align ?? "" },
  }, markdown(source, ctx));
  return h("div", { class: `card-md${element.icon ? " with-icon" : ""}` }, withIcon(element, ctx, content));
}

/** A rule across the card. */
export function hr() {
  return h("hr", { class: "card-hr" });
}

const RATIOS = { large: "160px", medium: "80px", small: "40px", tiny: "16px" };

function placeholder(key, label) {
  return h("div", { class: "picture", role: "img", "aria-label": label || `${t("card.picture")} ${key}` },
    icon("image_outlined"), h("span", { class: "picture-key" }, label || key));
}

/** An image: its bytes are on Feishu, so a placeholder shows its description. */
export function img(element) {
  const node = placeholder(element.img_key, textOf(element.alt));
  const size = /^(\d{1,4}px) (\d{1,4}px)$/.exec(element.size ?? "");
  const radius = /^\d+(?:px|%)$/.test(element.corner_radius ?? "") ? element.corner_radius : "";
  const style = { "border-radius": radius };
  if (size) Object.assign(style, { width: size[1], height: size[2] });
  else if (RATIOS[element.size]) Object.assign(style, { width: RATIOS[element.size], height: RATIOS[element.size] });
  for (const [name, value] of Object.entries(style)) if (value) node.style.setProperty(name, value);
  const title = textOf(element.title);
  return title ? h("figure", { class: "figure" }, h("figcaption", null, title), node) : h("div", null, node);
}

/** Several images in a grid. */
export function imgCombination(element) {
  const columns = { double: 2, bisect: 2, triple: 3, trisect: 3 }[element.combination_mode] ?? 3;
  return h("div", { class: "pictures", style: { "--columns": String(columns) } },
    (element.img_list ?? []).map((part) => placeholder(part.img_key, "")));
}

function personNode(id, element, ctx) {
  const name = personName(id, ctx);
  const named = element.show_name === true;
  return h("span", {
    class: `person person-${element.size ?? "medium"}${element.style === "capsule" ? " capsule" : ""}`,
    title: ctx.people.get(id) ? "" : id,
  }, element.show_avatar !== false && avatar({ id, name, short: element.size !== "large" }),
  named ? h("span", { class: "person-name" }, name) : h("span", { class: "sr-only" }, name));
}

/** One person. */
export function person(element, ctx) {
  return h("div", { class: "fit" }, personNode(element.user_id, element, ctx));
}

/** Several people; avatars without names overlap. */
export function personList(element, ctx) {
  const overlapped = element.show_name === false || element.show_name === undefined;
  return h("div", { class: `person-list${overlapped ? " overlapped" : ""}` },
    element.icon && h("span", { class: "lead-icon" }, iconNode(element.icon, ctx)),
    element.ud_icon && icon(element.ud_icon.token, { color: css(color, element.ud_icon.style?.color, ctx) }),
    (element.persons ?? []).map(({ id }) => personNode(id, element, ctx)));
}

/** A voice message, shown as a placeholder. */
export function audio(element) {
  return h("div", { class: "audio", role: "img", "aria-label": t("card.voice") },
    icon("play_filled"), h("span", { class: "audio-line" }), h("span", null, element.show_time === false ? "" : "0:00"));
}
