// HTML entities in card texts: how a bot writes characters that would otherwise be markup.

const NAMED = {
  amp: "&", lt: "<", gt: ">", quot: "\"", apos: "'", nbsp: "\u00a0", ensp: "\u2002", emsp: "\u2003",
  thinsp: "\u2009", num: "#", dollar: "$", percnt: "%", lpar: "(", rpar: ")", ast: "*", midast: "*",
  plus: "+", comma: ",", period: ".", sol: "/", colon: ":", semi: ";", equals: "=", quest: "?",
  commat: "@", lsqb: "[", lbrack: "[", bsol: "\\", rsqb: "]", rbrack: "]", Hat: "^", lowbar: "_",
  UnderBar: "_", grave: "`", lcub: "{", lbrace: "{", verbar: "|", vert: "|", rcub: "}", rbrace: "}",
  excl: "!", tilde: "\u02dc", sim: "\u223c", hyphen: "\u2010", dash: "\u2010", ndash: "\u2013",
  mdash: "\u2014", hellip: "\u2026", middot: "\u00b7", bull: "\u2022", times: "\u00d7",
  divide: "\u00f7", yen: "\u00a5", euro: "\u20ac", pound: "\u00a3", cent: "\u00a2", copy: "\u00a9",
  reg: "\u00ae", trade: "\u2122", deg: "\u00b0", laquo: "\u00ab", raquo: "\u00bb", larr: "\u2190",
  rarr: "\u2192", uarr: "\u2191", darr: "\u2193", lsquo: "\u2018", rsquo: "\u2019", ldquo: "\u201c",
  rdquo: "\u201d", check: "\u2713", cross: "\u2717",
};

function decoded(whole, body) {
  if (body[0] !== "#") return Object.hasOwn(NAMED, body) ? NAMED[body] : whole;
  const hex = body[1] === "x" || body[1] === "X";
  const code = Number.parseInt(body.slice(hex ? 2 : 1), hex ? 16 : 10);
  const valid = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return valid ? String.fromCodePoint(code) : "\ufffd";
}

/** The text with its entities replaced; unknown names stay as they are. */
export function decodeEntities(text) {
  if (!text.includes("&")) return text;
  return text.replace(/&(#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z]{2,10});/g, decoded);
}
