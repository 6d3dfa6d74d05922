// The colour palette of Feishu cards, for light and dark. A shade is its hue's base colour mixed with
// the near end (50 to 400: towards the card's background) or the far end (600 to 900: towards its
// text), so that one rule serves both themes; the base colours are in card.css.

const HUES = new Set([
  "blue", "carmine", "green", "indigo", "lime", "orange", "purple", "red", "sunflower",
  "turquoise", "violet", "wathet", "yellow",
]);

// Share of the base colour in the mix, in percent, by shade.
const NEAR = { 50: 9, 100: 16, 200: 30, 300: 50, 350: 64, 400: 82 };
const FAR = { 600: 84, 700: 68, 800: 52, 900: 38 };

const GREYS = new Set([
  "00", "50", "100", "200", "300", "350", "400", "500", "600", "650", "700", "800", "900", "950",
  "1000",
]);

/** The thirteen colours of text tags and of the options in table cells. */
export const TAG_COLORS = new Set([
  "neutral", "blue", "turquoise", "lime", "orange", "violet", "indigo", "wathet", "green",
  "yellow", "red", "purple", "carmine",
]);

/** The header templates. */
export const TEMPLATES = new Set([
  "blue", "wathet", "turquoise", "green", "yellow", "orange", "red", "carmine", "violet", "purple",
  "indigo", "grey", "default",
]);

function paletteColor(name) {
  if (name === "white") return "#fff";
  if (name === "bg-white") return "var(--card-bg)";
  if (name === "grey") return "var(--grey-500)";
  const [hue, shade, ...rest] = name.split("-");
  if (rest.length > 0) return null;
  if (hue === "grey") return GREYS.has(shade) ? `var(--grey-${shade})` : null;
  if (!HUES.has(hue)) return null;
  if (shade === undefined || shade === "500") return `var(--hue-${hue})`;
  if (NEAR[shade]) return `color-mix(in oklab, var(--hue-${hue}) ${NEAR[shade]}%, var(--mix-near))`;
  if (FAR[shade]) return `color-mix(in oklab, var(--hue-${hue}) ${FAR[shade]}%, var(--mix-far))`;
  return null;
}

const RGBA = /^rgba\( *\d{1,3} *, *\d{1,3} *, *\d{1,3} *, *[\d.]+ *\)$/;

/** A CSS colour for a palette name or one declared in config.style.color; null when there is none. */
export function color(name, declared) {
  const own = declared && Object.hasOwn(declared, name) ? declared[name] : null;
  if (own && RGBA.test(own.light_mode) && RGBA.test(own.dark_mode)) {
    return `light-dark(${own.light_mode}, ${own.dark_mode})`;
  }
  return paletteColor(String(name));
}

/** The same for a text, where a bare hue is dark enough to be read on a light card. */
export function textColor(name, declared) {
  return HUES.has(name) && !Object.hasOwn(declared ?? {}, name) ? `var(--text-${name})` : color(name, declared);
}

/** The same for a background, where a bare "grey" is the pale grey of a panel and not a text's. */
export function background(name, declared) {
  if (name === undefined || name === "default" || name === "") return "";
  return name === "grey" ? "var(--grey-100)" : color(name, declared);
}

/** Text and background of a text tag or an option. */
export function tagColors(name) {
  if (!TAG_COLORS.has(name)) return null;
  if (name === "neutral") return { text: "var(--grey-700)", back: "var(--grey-200)" };
  return {
    text: `color-mix(in oklab, var(--hue-${name}) 66%, var(--mix-far))`,
    back: `color-mix(in oklab, var(--hue-${name}) 17%, var(--mix-near))`,
  };
}

const THEMES = {
  brand: ["blue", "wathet", "turquoise", "orange", "violet", "lime", "red", "yellow"],
  rainbow: ["red", "orange", "yellow", "green", "turquoise", "blue", "violet", "carmine"],
  complementary: ["blue", "orange", "turquoise", "red", "violet", "lime", "wathet", "sunflower"],
  converse: ["turquoise", "carmine", "blue", "sunflower", "violet", "green", "orange", "indigo"],
  primary: ["blue", "blue-300", "blue-700", "wathet", "wathet-300", "blue-200", "blue-800", "indigo"],
};

/** The colours of a chart's series, in order. */
export function chartColors(theme) {
  return (THEMES[theme] ?? THEMES.brand).map((name) => paletteColor(name));
}
