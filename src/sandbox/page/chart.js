// Charts: the part of a VChart specification that bots use (line, area, bar, pie), drawn as SVG.

import { h, s } from "./dom.js";
import { chartColors, color } from "./palette.js";
import { LANG } from "./words.js";

const RATIOS = { "1:1": 1, "2:1": 1 / 2, "4:3": 3 / 4, "16:9": 9 / 16 };
const KINDS = new Set(["line", "area", "bar", "pie"]);

const short = (value) => (Math.abs(value) >= 10000
  ? value.toLocaleString(LANG, { notation: "compact", maximumFractionDigits: 2 })
  : value.toLocaleString(LANG, { maximumFractionDigits: 2 }));

const first = (names) => (Array.isArray(names) ? names[0] : names);

function rowsOf(data) {
  if (Array.isArray(data)) return data.flatMap(rowsOf);
  return Array.isArray(data?.values) ? data.values : [];
}

/** The series of a specification: the x values and, for each series, one number per x value. */
function read(spec) {
  const rows = rowsOf(spec.data);
  const flat = spec.direction === "horizontal";
  const xKey = first(flat ? spec.yField : spec.xField);
  const yKey = first(flat ? spec.xField : spec.yField);
  const seriesKey = first(spec.seriesField);
  const names = [...new Set(rows.map((row) => String(row[xKey])))];
  const series = new Map();
  for (const row of rows) {
    const name = seriesKey ? String(row[seriesKey]) : "";
    if (!series.has(name)) series.set(name, new Array(names.length).fill(null));
    const value = Number(row[yKey]);
    if (Number.isFinite(value)) series.get(name)[names.indexOf(String(row[xKey]))] = value;
  }
  return { names, series: [...series].map(([name, values]) => ({ name, values })) };
}

function niceStep(span) {
  const rough = span / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  // Many steps to choose from, so that little of the picture stays empty.
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((step) => step >= rough);
}

function scale(values) {
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  const step = niceStep(high - low);
  const ticks = [];
  for (let tick = Math.floor(low / step) * step; tick < high + step * 0.999; tick += step) ticks.push(Number(tick.toPrecision(12)));
  return { low: ticks[0], high: ticks.at(-1) === ticks[0] ? ticks[0] + 1 : ticks.at(-1), ticks };
}

function colorsOf(spec, element, count) {
  const listed = Array.isArray(spec.color) ? spec.color : spec.color?.range;
  const own = (listed ?? []).map((value) => (/^#[\da-f]{3,8}$/i.test(value) ? value : color(value))).filter(Boolean);
  const shades = own.length > 0 ? own : chartColors(element.color_theme);
  return Array.from({ length: count }, (_, index) => shades[index % shades.length]);
}

const text = (x, y, content, anchor = "middle", extra = {}) => s("text", { x, y, "text-anchor": anchor, ...extra }, content);

/** Approximate width of the widest text in pixels: CJK characters are twice as wide as Latin letters. */
function widthOf(content) {
  let sum = 0;
  for (const char of content) sum += char.codePointAt(0) > 0x2e80 ? 11 : 6.3;
  return sum;
}

function trimmed(content, room) {
  if (widthOf(content) <= room) return content;
  let out = content;
  while (out.length > 1 && widthOf(`${out}…`) > room) out = out.slice(0, -1);
  return `${out}…`;
}

function stacksOf(data, stacked) {
  if (!stacked) return data.names.flatMap((_, index) => data.series.map(({ values }) => values[index] ?? 0));
  return data.names.map((_, index) => data.series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
}

function drawAxes(svg, frame, axis, data, flat) {
  const { left, right, top, bottom } = frame;
  const at = (value) => {
    const part = (value - axis.low) / (axis.high - axis.low);
    return flat ? left + part * (right - left) : bottom - part * (bottom - top);
  };
  for (const tick of axis.ticks) {
    const place = at(tick);
    svg.append(flat
      ? s("line", { class: "chart-grid", x1: place, x2: place, y1: top, y2: bottom })
      : s("line", { class: "chart-grid", x1: left, x2: right, y1: place, y2: place }));
    svg.append(flat ? text(place, bottom + 16, short(tick)) : text(left - 6, place + 4, short(tick), "end"));
  }
  const band = ((flat ? bottom - top : right - left) / Math.max(1, data.names.length));
  const middle = (index) => (flat ? top : left) + band * (index + 0.5);
  const room = Math.max(...data.names.map(widthOf), 10) + 10;
  const every = flat ? 1 : Math.max(1, Math.ceil(Math.min(room, 90) / band));
  for (const [index, name] of data.names.entries()) {
    if (index % every !== 0) continue;
    svg.append(flat
      ? text(left - 6, middle(index) + 4, trimmed(name, left - 8), "end")
      : text(middle(index), bottom + 16, trimmed(name, band * every - 4)));
  }
  return { at, middle, band };
}

function drawBars(svg, place, data, shades, { flat, stacked, labels }) {
  const groups = stacked ? 1 : data.series.length;
  const thick = Math.min(place.band * 0.68, 40 * groups) / groups;
  data.names.forEach((name, index) => {
    let sum = 0;
    data.series.forEach(({ name: series, values }, order) => {
      const value = values[index];
      if (value === null) return;
      const [from, to] = [place.at(stacked ? sum : 0), place.at(stacked ? sum + value : value)];
      if (stacked) sum += value;
      const across = place.middle(index) - (thick * groups) / 2 + (stacked ? 0 : thick * order);
      const [low, long] = [Math.min(from, to), Math.max(Math.abs(to - from), 0.5)];
      const shape = flat ? { x: low, y: across, width: long, height: thick } : { x: across, y: low, width: thick, height: long };
      svg.append(s("rect", { ...shape, rx: 2, style: { fill: shades[order] } },
        s("title", null, [name, series, short(value)].filter(Boolean).join(" · "))));
      if (labels && !stacked) {
        svg.append(flat ? text(to + 4, across + thick / 2 + 4, short(value), "start")
          : text(across + thick / 2, to - 4, short(value)));
      }
    });
    // Above a stack stands its sum.
    if (labels && stacked && !flat) svg.append(text(place.middle(index), place.at(sum) - 4, short(sum)));
  });
}

function drawLines(svg, place, data, shades, { filled, labels, base }) {
  const sums = new Array(data.names.length).fill(0);
  data.series.forEach(({ name: series, values }, order) => {
    const points = [];
    const floor = [];
    values.forEach((value, index) => {
      if (value === null) return;
      floor.push([place.middle(index), filled ? place.at(sums[index]) : base]);
      if (filled) sums[index] += value;
      points.push([place.middle(index), place.at(filled ? sums[index] : value), value, data.names[index]]);
    });
    const path = points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${x} ${y}`).join("");
    if (filled) {
      const back = floor.reverse().map(([x, y]) => `L${x} ${y}`).join("");
      svg.append(s("path", { class: "chart-area", d: `${path}${back}Z`, style: { fill: shades[order] } }));
    }
    svg.append(s("path", { class: "chart-line", d: path, style: { stroke: shades[order] } }));
    for (const [x, y, value, name] of points) {
      svg.append(s("circle", { class: "chart-dot", cx: x, cy: y, r: points.length > 40 ? 1.5 : 3, style: { fill: shades[order] } },
        s("title", null, [name, series, short(value)].filter(Boolean).join(" · "))));
      if (labels) svg.append(text(x, y - 8, short(value)));
    }
  });
}

function drawPie(svg, spec, slices, shades, width, height) {
  const total = slices.reduce((sum, [, value]) => sum + value, 0) || 1;
  const [cx, cy] = [width / 2, height / 2];
  const labels = spec.label?.visible !== false;
  const radius = Math.max(20, Math.min(cx - (labels ? 52 : 8), cy - 12));
  const hole = radius * Math.min(Math.max(Number(spec.innerRadius) || 0, 0), 0.95);
  const at = (turn, r) => [cx + r * Math.sin(turn), cy - r * Math.cos(turn)];
  let turn = 0;
  slices.forEach(([name, value], index) => {
    const end = turn + (value / total) * Math.PI * 2;
    const stop = Math.min(end, turn + Math.PI * 2 - 0.0001);
    const wide = stop - turn > Math.PI ? 1 : 0;
    const [a, b, c, d] = [at(turn, radius), at(stop, radius), at(stop, hole), at(turn, hole)];
    const share = `${((value / total) * 100).toFixed(1)}%`;
    svg.append(s("path", {
      class: "chart-slice", style: { fill: shades[index] },
      d: `M${a.join(" ")}A${radius} ${radius} 0 ${wide} 1 ${b.join(" ")}L${c.join(" ")}${hole > 0 ? `A${hole} ${hole} 0 ${wide} 0 ${d.join(" ")}` : ""}Z`,
    }, s("title", null, `${name} · ${short(value)} · ${share}`)));
    if (labels && value / total > 0.03) {
      const [x, y] = at((turn + end) / 2, radius + 10);
      const side = x > cx ? "start" : "end";
      const whole = `${name} ${share}`;
      const room = side === "start" ? width - x : x;
      // The legend shows names that do not fit here.
      svg.append(text(x, y + 4, widthOf(whole) <= room ? whole : share, side));
    }
    turn = end;
  });
}

function draw(svg, element, spec, width, height) {
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  if (spec.type === "pie") {
    const slices = rowsOf(spec.data).map((row) => [String(row[first(spec.categoryField)]), Math.max(0, Number(row[first(spec.valueField)]) || 0)]);
    drawPie(svg, spec, slices, colorsOf(spec, element, slices.length), width, height);
    return slices.map(([name]) => name);
  }
  const data = read(spec);
  const flat = spec.type === "bar" && spec.direction === "horizontal";
  const grouped = Array.isArray(flat ? spec.yField : spec.xField);
  const stacked = spec.type === "area" || (spec.type === "bar" && !grouped && data.series.length > 1);
  const axis = scale(stacksOf(data, stacked && spec.stack !== false));
  const widest = Math.max(...(flat ? data.names : axis.ticks.map(short)).map(widthOf), 8);
  const labels = spec.label?.visible === true;
  const frame = {
    left: Math.min(widest + 12, width * 0.36), right: width - (flat && labels ? 56 : 14), top: labels ? 20 : 10, bottom: height - 24,
  };
  const place = drawAxes(svg, frame, axis, data, flat);
  const shades = colorsOf(spec, element, data.series.length);
  if (spec.type === "bar") drawBars(svg, place, data, shades, { flat, stacked: stacked && spec.stack !== false, labels });
  else drawLines(svg, place, data, shades, { filled: spec.type === "area", labels, base: frame.bottom });
  return data.series.map(({ name }) => name);
}

/** A chart that is redrawn whenever its width changes. */
export function chart(element, ctx) {
  const spec = element.chart_spec ?? {};
  if (!KINDS.has(spec.type)) return ctx.faultBox([`chart type ${JSON.stringify(spec.type)} is not drawn here`]);
  const title = spec.title?.visible === false ? "" : spec.title?.text ?? "";
  const fixed = /^(\d{1,3})px$/.exec(element.height ?? "");
  const svg = s("svg", { class: "chart-svg", role: "img", "aria-label": title || `${spec.type} chart` });
  const legend = h("div", { class: "chart-legend" });
  const stage = h("div", { class: "chart-stage" }, svg);
  const again = () => {
    const width = Math.max(Math.round(stage.clientWidth), 120);
    const height = fixed ? Number(fixed[1]) : Math.round(Math.min(width * (RATIOS[element.aspect_ratio] ?? 9 / 16), 420));
    const names = draw(svg, element, spec, width, Math.max(height, 80)).filter((name) => name !== "");
    const shades = colorsOf(spec, element, names.length);
    const wanted = spec.legends === undefined ? names.length > 1 : [spec.legends].flat().some((part) => part?.visible !== false);
    legend.replaceChildren(...(wanted ? names : []).map((name, index) => h("span", { class: "chart-key" },
      h("i", { style: { background: shades[index] } }), name)));
  };
  let seen = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width > 0 && width !== seen) {
      seen = width;
      again();
    }
  }).observe(stage);
  return h("figure", { class: "chart" }, title && h("figcaption", null, title), stage, legend);
}
