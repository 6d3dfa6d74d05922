// The steps of the guided first minute, and which control of the page each of them needs next.

import { meaningOf } from "./meaning.js";
import { closePopups } from "./overlay.js";

/**
 * The words of a step are `guide.NAME`. `where`: its conversation; `of`: the actions that lead to it, the last one first;
 * `say`: the command that leads to it where no card does; `fill`: what the guide types into the form, or has chosen there;
 * `control`: the demo's control, with `preset` for its selects; `look`: a step that only looks.
 */
export const STEPS = [
  { name: "list", where: "direct", of: [], say: "/users" },
  { name: "open", where: "direct", of: ["user.open"], say: "/user {user}" },
  { name: "project", where: "direct", of: ["project.add", "projects.open", "user.open"], say: "/projects {user}", fill: { project: "{project}", project_name: "{project}" } },
  { name: "quota", where: "direct", of: ["quota.allocate", "quota.open", "user.open"], say: "/quota {user}", fill: { amount: "1000" } },
  { name: "spend", control: "spend", preset: { user: "{key}", percent: "80" } },
  { name: "monitor", where: "direct", of: [], say: "/monitor run" },
  { name: "warning", where: "group", look: true },
  { name: "grow", control: "spend", preset: { user: "{key}", percent: "25" } },
  { name: "cut", control: "monitor" },
  { name: "disable", where: "group", look: true },
  { name: "topup", where: "group", of: ["quota.allocate_enable", "quota.allocate", "quota.open"], say: "/quota {user}", fill: { amount: "1000" } },
  { name: "enable", where: "group", of: ["user.enable", "access.ask", "user.open"], say: "/enable {user}" },
];

const byId = (id) => document.getElementById(id);
const filled = (text, told) => text.replace(/\{(\w+)\}/g, (_, name) => told[name]);

/** The newest card of the open conversation that has one of the actions about this user: its control for the first of them. */
function onCard(actions, key) {
  for (const message of [...document.querySelectorAll("#thread .message")].reverse()) {
    const controls = [...message.querySelectorAll("[data-action]")].filter((node) =>
      meaningOf(node)?.value.user === key && node.ariaDisabled !== "true");
    for (const action of actions) {
      const node = controls.find((candidate) => candidate.dataset.action === action);
      if (node) return { node, key: action };
    }
  }
  return null;
}

/** The newest card about this user. */
export function cardAbout(key) {
  const about = [...document.querySelectorAll("#thread [data-action]")].filter((node) => meaningOf(node)?.value.user === key);
  return about.at(-1)?.closest(".card") ?? null;
}

const forms = new WeakSet();
const lost = new Set();

/** Types what the step needs into its form, once; returns the field that a person has to use first, or null. */
function unfilled(form, fill, told) {
  const [choice, ...typed] = Object.keys(fill).map((name) => form.fields.find((field) => field.name === name));
  const wanted = filled(Object.values(fill)[0], told);
  if (choice?.options?.includes(wanted)) {
    if (choice.read().includes(wanted)) {
      // An open list would cover the button.
      closePopups();
      return null;
    }
    const row = document.querySelector(`.popup .list-row[data-value="${CSS.escape(wanted)}"]`);
    return row ?? choice.node;
  }
  const field = typed[0] ?? choice;
  if (!field?.isEmpty()) return null;
  const box = field.node.matches("input") ? field.node : field.node.querySelector("input");
  if (forms.has(form)) return box;
  forms.add(form);
  box.value = wanted;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  return null;
}

/** The node itself, or what has to be pressed so that it is seen. */
function shown(node) {
  const closed = [...document.querySelectorAll(".panel-body[hidden]")].find((panel) => panel.contains(node));
  return closed?.previousElementSibling ?? node;
}

/** A row of the list of conversations or of people; on a phone the way there. */
function inList(node) {
  return node && { node: node.checkVisibility() ? node : byId("back"), key: "list" };
}

/**
 * What has to be pressed next for this step: `{ node, key }`. `key` says what pressing it sends, or `list` where it sends nothing.
 * Null while there is nothing to press. `held(key)` returns whether that was sent already and may still have its effect.
 */
export function nextTarget(step, told, page, held) {
  const dialog = document.querySelector("dialog[open]");
  if (dialog) {
    const ok = dialog.querySelector("[data-action]");
    const value = ok && meaningOf(ok).value;
    return value && value.user === told.key && step.of?.includes(value.action) ? { node: ok, key: "list" } : null;
  }
  if (document.querySelector("#thread .card.is-locked, #composer.is-sending")) return null;
  const drawer = document.body.classList.contains("controls-shown");
  if (step.control) {
    if (!drawer) return byId("controls-open").checkVisibility() ? { node: byId("controls-open"), key: "list" } : inList(page.row("direct"));
    if (held(`control:${step.control}`)) return null;
    const node = page.control(step.control, step.preset && Object.fromEntries(
      Object.entries(step.preset).map(([name, value]) => [name, filled(value, told)])), step.name);
    return node && { node, key: `control:${step.control}` };
  }
  if (drawer && page.drawerCovers()) return { node: byId("controls-close"), key: "list" };
  if (page.me() !== told.as) return inList(document.querySelector(`[data-person="${CSS.escape(told.as)}"]`));
  const where = lost.has(step.name) ? "direct" : step.where;
  if (!page.shows(where)) return inList(page.row(where));
  if (step.look) return { look: true, key: "look" };
  const card = onCard(step.of, told.key);
  if (card) {
    if (held(card.key)) return null;
    const { form } = meaningOf(card.node);
    const field = form && step.fill ? unfilled(form, step.fill, told) : null;
    return field ? { node: field, key: "list" } : { node: shown(card.node), key: card.key };
  }
  if (held("say")) return null;
  if (where !== "direct") {
    // No card of the group leads there: its command is sent in the direct chat.
    lost.add(step.name);
    return inList(page.row("direct"));
  }
  return page.command(filled(step.say, told));
}
