// Glyphs for Feishu's icon-library tokens ("user_outlined", "down-small-ccm_outlined"). The library
// itself cannot be redistributed, so the words in each token select a neutral line drawing.

import { s } from "./dom.js";

const P = {
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20c.6-4 3.6-6 7.5-6s6.9 2 7.5 6",
  group: "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 19.5c.4-3.6 2.9-5.5 6.5-5.5s6.1 1.9 6.5 5.5M15.5 4.8a3.4 3.4 0 0 1 0 6.4M18 14.5c2 .8 3.2 2.5 3.5 5",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM15.5 15.5 20.5 20.5",
  gear: "M12 15.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4ZM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.1 2.1M16.3 16.3l2.1 2.1M18.4 5.6l-2.1 2.1M7.7 16.3l-2.1 2.1",
  bell: "M6 17v-6a6 6 0 0 1 12 0v6M4 17h16M10 20.5h4",
  chart: "M4 4v16h16M8 16v-4M12.5 16V8M17 16v-6",
  pie: "M12 3.5a8.5 8.5 0 1 0 8.5 8.5H12ZM15 3.8A8.5 8.5 0 0 1 20.2 9H15Z",
  money: "M4 6.5h16v12H4ZM4 10h16M15 14.5h2.5",
  calendar: "M4 6h16v14H4ZM4 10.5h16M8.5 3.5V7M15.5 3.5V7",
  clock: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 7.5V12l3 2",
  list: "M8.5 6.5H20M8.5 12H20M8.5 17.5H20M4 6.5h.5M4 12h.5M4 17.5h.5",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  trash: "M4 6.5h16M9 6.5V4h6v2.5M6 6.5 7 20h10l1-13.5M10 10.5v6M14 10.5v6",
  pencil: "M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19ZM13.5 7l3.5 3.5",
  refresh: "M20 12a8 8 0 1 1-2.5-5.8M20 4v4.5h-4.5",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5 10 17.5 19 7",
  warning: "M12 4 21 19.5H3ZM12 10v4.5M12 17v.2",
  info: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 11v5.5M12 7.5v.2",
  help: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM9.5 9.5c.3-3 5-3 5 0 0 2-2.5 2-2.5 4M12 16.5v.2",
  lock: "M5.5 10.5h13v10h-13ZM8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5",
  unlock: "M5.5 10.5h13v10h-13ZM8.5 10.5V8a3.5 3.5 0 0 1 6.8-1.2",
  key: "M8 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 12h9M18 12v3.5",
  cloud: "M7 18.5a4.2 4.2 0 0 1-.5-8.4 5.8 5.8 0 0 1 11.2.8 3.9 3.9 0 0 1-.7 7.6Z",
  robot: "M5 8.5h14v10H5ZM12 8.5V5M9.5 12.5v2M14.5 12.5v2M2.5 12v3M21.5 12v3M11 4.5h2",
  folder: "M3.5 6h6l2 2.5h9V19h-17Z",
  link: "M10 14a4 4 0 0 0 5.8.2l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.8-.2l-3 3a4 4 0 0 0 5.7 5.7l1-1",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M4.5 20h15",
  upload: "M12 16V5M7.5 9 12 4.5 16.5 9M4.5 20h15",
  mail: "M3.5 6h17v12.5h-17ZM3.5 7l8.5 6.5L20.5 7",
  phone: "M6 3.5h3l1.5 4.5-2 1.5a11 11 0 0 0 6 6l1.5-2 4.5 1.5v3c0 1-.8 2-2 2C11 20 4 13 4 5.5c0-1.2 1-2 2-2Z",
  home: "M4 11 12 4l8 7M6 10v10h12V10",
  tag: "M4 4h8l8 8-8 8-8-8ZM8.5 8.5v.2",
  ban: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM6 6l12 12",
  play: "M7 4.5v15l12-7.5Z",
  pause: "M8 5v14M16 5v14",
  star: "M12 4l2.5 5.3 5.8.7-4.3 4 1.1 5.7-5.1-2.8-5.1 2.8L8 14l-4.3-4 5.8-.7Z",
  filter: "M4 5h16l-6 7.5V19l-4-2v-4.5Z",
  sort: "M8 4v16M4.5 16.5 8 20l3.5-3.5M16 20V4M12.5 7.5 16 4l3.5 3.5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  file: "M6 3.5h8L18.5 8v12.5H6ZM14 3.5V8h4.5",
  send: "M4 12 20.5 4 14 20.5 11 13.5ZM11 13.5 20.5 4",
  chat: "M4 5h16v11.5h-8L7.5 20v-3.5H4Z",
  bolt: "M13 3 5 13.5h6L10.5 21 19 10.5h-6Z",
  shield: "M12 3.5 19.5 6v6c0 4.5-3 7.5-7.5 9-4.5-1.5-7.5-4.5-7.5-9V6Z",
  down: "M6 9.5l6 6 6-6",
  up: "M6 15l6-6 6 6",
  right: "M9.5 6l6 6-6 6",
  left: "M14.5 6l-6 6 6 6",
  image: "M4 5h16v14H4ZM4 16l5-5 4 4 2.5-2.5L20 17M15 9v.2",
  moon: "M19.5 14.2A8 8 0 1 1 9.8 4.5a6.3 6.3 0 0 0 9.7 9.7Z",
  contrast: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 3.5v17M12 7.5l5.8-.6M12 11.5h8.4M12 15.5l7 .6",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
  dot: "M12 12h.01",
};

// The first word found decides: whole words of the token, then any part of it.
const WORDS = [
  ["group", "group members team organization"], ["user", "user member person people avatar contacts admin"],
  ["search", "search find zoom"], ["gear", "setting settings config adjust tool"],
  ["bell", "bell alarm notice notification remind alert alerts announce"],
  ["pie", "pie percent quota"], ["chart", "chart data analytics statistics bar trend dashboard sheet"],
  ["money", "money wallet currency cost bill billing pay coin yen dollar"],
  ["calendar", "calendar date day month"], ["clock", "time clock history schedule wait"],
  ["list", "list task todo order bitable table catalog"], ["more", "more ellipsis"],
  ["plus", "add plus create new"], ["minus", "minus reduce"], ["trash", "delete trash recall remove"],
  ["pencil", "edit pen write rename"], ["refresh", "refresh replace sync reset redo undo loop"],
  ["close", "close cancel reject cross"], ["check", "yes check done succeed success approve approval"],
  ["warning", "warning risk danger caution"], ["info", "info error report detail"],
  ["help", "help maybe question"], ["unlock", "unlock"], ["lock", "lock password"],
  ["key", "key secret permission"], ["cloud", "cloud server"], ["robot", "robot bot app ai myai"],
  ["folder", "folder project projects space wiki"], ["link", "link chain share external"],
  ["download", "download import save"], ["upload", "upload export"], ["mail", "mail email inbox"],
  ["phone", "phone call mobile cellphone"], ["home", "home house"], ["tag", "tag label"],
  ["ban", "ban stop forbid disable disabled"], ["play", "play start run"], ["pause", "pause"],
  ["star", "star collect pin"], ["filter", "filter"], ["sort", "sort transfer switch"],
  ["eye", "visible view eye preview"], ["file", "file doc docx document page copy note"],
  ["send", "send forward"], ["chat", "chat message comment reply"],
  ["bolt", "bolt flash lightning energy buzz efficiency"], ["shield", "shield safe security"],
  ["image", "image picture photo"], ["sun", "sun"], ["moon", "moon"], ["contrast", "auto"], ["down", "down expand unfold"],
  ["up", "up fold collapse"], ["right", "right next arrow"], ["left", "left back previous"],
];

function glyphOf(token) {
  const words = String(token).replace(/_(outlined|filled|colorful)$/, "").split("-");
  for (const [name, list] of WORDS) {
    const known = list.split(" ");
    if (words.some((word) => known.includes(word))) return name;
  }
  return "dot";
}

/** A glyph in the size of the surrounding text; decoration only. */
export function icon(token, style) {
  const name = glyphOf(token);
  const filled = /_filled$/.test(token) && name !== "dot";
  return s("svg", {
    class: `icon${filled ? " icon-filled" : ""}`, viewBox: "0 0 24 24", "aria-hidden": "true",
    focusable: "false", style,
  }, s("path", { d: P[name] }));
}
