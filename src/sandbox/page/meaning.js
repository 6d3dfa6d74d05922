// What a drawn control asks the bot for: the value of its callback and, inside a form, that form. The guide finds by it what
// a person has to press, whatever the control says.

const meanings = new WeakMap();

/** Notes what pressing `node` sends. */
export function means(node, value, form = null) {
  if (typeof value?.action !== "string") return;
  meanings.set(node, { value, form });
  node.dataset.action = value.action;
}

/** `{ value, form }` of a node with a `data-action`. */
export const meaningOf = (node) => meanings.get(node);
