// Calls of models by the demo's new user: one button per kind of key, and what 方舟 answered last.

import { api } from "./api.js";
import { h, spinner } from "./dom.js";
import { clock } from "./panel.js";
import { t } from "./words.js";

/** A code that may break after each ".". */
const breakable = (code) =>
  `${code}`.split(/(?<=\.)/).flatMap((part, i) => (i ? [h("wbr"), part] : [part]));

const KINDS = ["endpoint", "temporary", "model_id"];

/** Draws the part into `host`. */
export function createModels(host) {
  const row = (kind) => {
    const shown = h("span", { class: "models-answer", role: "status" });
    const button = h("button", { type: "button", class: "btn btn-default btn-small", data: { models: kind } },
      h("span", { class: "btn-label" }, t(`models.${kind}`)));
    button.addEventListener("click", async () => {
      if (button.classList.contains("is-busy")) return;
      const turning = spinner(t("app.working"));
      button.append(turning);
      button.classList.add("is-busy");
      try {
        const { status, code, at } = await api.control("models", kind);
        shown.replaceChildren(
          h("span", { class: status === 200 ? "is-good" : "is-bad" }, `${status} `, ...breakable(code)), " ",
          h("time", { datetime: new Date(at).toISOString() }, clock(at)));
      } catch (error) {
        shown.replaceChildren(h("span", { class: "is-bad" }, t(error.message)));
      } finally {
        turning.remove();
        button.classList.remove("is-busy");
      }
    });
    return h("li", null, button, shown);
  };
  host.append(
    h("h3", { class: "side-title" }, t("models.title")),
    h("p", { class: "panel-note" }, t("models.note")),
    h("ul", { class: "models" }, KINDS.map(row)));
}
