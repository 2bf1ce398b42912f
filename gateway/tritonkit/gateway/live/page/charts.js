// A chart over time: lines, or areas on each other, with axes, a reading and a table.

import { marks, moments, powers } from "./axis.js";
import { el, say, svg } from "./dom.js";
import { clock } from "./format.js";
import { watch } from "./scroll.js";

const HEIGHT = 190;
const TOP = 8;
const BOTTOM = 22;
const RIGHT = 10;
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2", "1 4"];
const COLOURS = 6;
const ROWS = 60;

let charts = 0;

function known(value) {
  return value !== null && value !== undefined;
}

// Without the digits that say how exact a value is: 2.50 ms is 2.5 ms.
function short(label) {
  return label.replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

function dashes(series) {
  return DASHES[series.place % DASHES.length];
}

function colour(series) {
  return `s${series.place % COLOURS}`;
}

// The first and the last place of each run of points without a gap.
function runs(points, step) {
  const found = [];
  points.forEach((point, place) => {
    const before = points[place - 1];
    if (before && point.at - before.at <= 1.6 * step) found[found.length - 1][1] = place;
    else found.push([place, place]);
  });
  return found;
}

export class Chart {
  // stacked: series lie on each other. format: a value with its unit. most: the axis' end.
  // whole: values are counts. powers: an axis of powers of ten, for what differs by factors.
  constructor(host, options) {
    const { title, unit, format, stacked = false, most, whole = false, powers: logarithmic = false } = options;
    Object.assign(this, { title, unit, format, stacked, most, whole, logarithmic });
    this.id = `chart-${(charts += 1)}`;
    this.data = { from: 0, to: 1, step: 1, points: [], series: [] };
    this.place = null;

    this.when = el("span", { class: "when" });
    this.legend = el("ul", { class: "legend" });
    this.svg = svg("svg", { role: "img", height: HEIGHT });
    this.slider = el("input", {
      type: "range", min: 0, step: 1, "aria-label": `Read ${title.toLowerCase()} at a time`,
      oninput: () => this.read(Number(this.slider.value)),
      onblur: () => this.read(null),
      onkeydown: (event) => {
        if (event.key === "Escape") this.read(null);
      },
    });
    this.plot = el("div", { class: "plot" }, this.svg, this.slider);
    this.plot.addEventListener("pointermove", (event) => this.near(event));
    this.plot.addEventListener("pointerleave", () => {
      if (document.activeElement !== this.slider) this.read(null);
    });
    this.nothing = el("p", { class: "empty" }, "Nothing is kept of this time.");
    this.table = el("div", { class: "scroll" });
    this.details = el("details", {}, el("summary", {}, "As a table"), this.table);
    this.details.addEventListener("toggle", () => this.tabulate());
    this.figure = el(
      "figure", { class: "chart", "aria-labelledby": this.id },
      el("figcaption", {}, el("h3", { id: this.id }, title, el("small", {}, unit)), this.when),
      this.legend, this.plot, this.nothing, this.details,
    );
    host.append(this.figure);
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  // points: {at, values}, one value for each of the series, null where there is none.
  update(data) {
    this.data = data;
    const same = data.series.map((one) => one.name).join("\n");
    if (this.names !== same) {
      this.names = same;
      this.values = data.series.map(() => el("span", { class: "value" }));
      // What lies on top stands first.
      const items = data.series.map((one, place) => el(
        "li", {}, this.sample(one), el("span", {}, one.name), " ", this.values[place],
      ));
      this.legend.replaceChildren(...(this.stacked ? items.reverse() : items));
    }
    this.slider.max = Math.max(0, data.points.length - 1);
    this.slider.disabled = data.points.length === 0;
    this.nothing.hidden = data.points.length > 0;
    this.plot.hidden = data.points.length === 0;
    if (this.place !== null) this.place = Math.min(this.place, data.points.length - 1);
    this.draw();
    this.tabulate();
  }

  sample(series) {
    const kind = colour(series);
    const shape = this.stacked
      ? svg("rect", { x: 0, y: 1, width: 18, height: 8, rx: 2, class: `area ${kind}` })
      : svg("line", { x1: 0, x2: 18, y1: 5, y2: 5, class: `line ${kind}`, "stroke-dasharray": dashes(series) });
    return svg("svg", { width: 18, height: 10, "aria-hidden": "true", class: "sample" }, shape);
  }

  // The marks of the vertical axis, and where a value is between them, from 0 to 1.
  scale() {
    const { points } = this.data;
    if (this.logarithmic) {
      const values = points.flatMap((point) => point.values).filter((value) => value > 0);
      const ticks = values.length ? powers(Math.min(...values), Math.max(...values)) : powers(1e-3, 1);
      const first = Math.log10(ticks[0]);
      const last = Math.log10(ticks[ticks.length - 1]);
      return [ticks, (value) => (Math.log10(Math.max(value, ticks[0])) - first) / (last - first)];
    }
    const tops = points.map((point) => {
      const values = point.values.map((value) => value ?? 0);
      return this.stacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values);
    });
    const ticks = marks(this.most ?? Math.max(...tops), { whole: this.whole });
    return [ticks, (value) => Math.min(1, value / ticks[ticks.length - 1])];
  }

  draw() {
    const { from, to, points, series, step } = this.data;
    const width = this.plot.clientWidth;
    if (!width || !points.length) return;
    const [ticks, share] = this.scale();
    const labels = ticks.map((tick) => short(this.format(tick)));
    const left = 12 + 6.6 * Math.max(...labels.map((label) => label.length));
    const x = (at) => left + ((width - left - RIGHT) * (at - from)) / (to - from);
    const y = (value) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share(value);
    Object.assign(this, { x, y, left });

    const parts = [];
    ticks.forEach((tick, place) => {
      parts.push(
        svg("line", { x1: left, x2: width - RIGHT, y1: y(tick), y2: y(tick), class: place ? "grid" : "axis" }),
        svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, labels[place]),
      );
    });
    for (const at of moments(from, to, Math.floor((width - left) / 70))) {
      parts.push(
        svg("line", { x1: x(at), x2: x(at), y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4, class: "axis" }),
        svg(
          "text", { x: Math.min(x(at), width - 18), y: HEIGHT - 5, "text-anchor": "middle" },
          clock(at, this.long ? "day" : "minute"),
        ),
      );
    }
    parts.push(...(this.stacked ? this.areas(step) : this.lines(step)));
    this.cursor = svg("g", { class: "cursor" });
    parts.push(this.cursor);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.replaceChildren(...parts);
    this.svg.setAttribute("aria-label", this.described(series, points));
    this.read(this.place);
  }

  lines(step) {
    const { points, series } = this.data;
    return series.flatMap((one, place) => {
      const seen = points.filter((point) => known(point.values[place]));
      const spots = [];
      const path = runs(seen, step).map(([first, last]) => {
        const part = seen.slice(first, last + 1);
        if (part.length === 1) {
          const [cx, cy] = [this.x(part[0].at), this.y(part[0].values[place])];
          spots.push(svg("circle", { cx, cy, r: 1.8, class: `spot ${colour(one)}` }));
          return "";
        }
        const places = part.map((point) => this.spot(point.at, point.values[place]));
        return `M${places.join("L")}`;
      }).join("");
      return [
        svg("path", { d: path, class: `line ${colour(one)}`, "stroke-dasharray": dashes(one) }),
        ...spots,
      ];
    });
  }

  areas(step) {
    const { points, series } = this.data;
    const seen = points.filter((point) => point.values.some(known));
    const sums = seen.map(() => 0);
    return series.map((one, place) => {
      const under = [...sums];
      seen.forEach((point, number) => {
        sums[number] += point.values[place] ?? 0;
      });
      const path = runs(seen, step).map(([first, last]) => {
        const there = [];
        const back = [];
        for (let number = first; number <= last; number += 1) {
          there.push(this.spot(seen[number].at, sums[number]));
          back.unshift(this.spot(seen[number].at, under[number]));
        }
        return `M${[...there, ...back].join("L")}Z`;
      }).join("");
      return svg("path", { d: path, class: `area ${colour(one)}` });
    });
  }

  // Days have names where there are several.
  get long() {
    return this.data.to - this.data.from > 1.5 * 86400;
  }

  at(at, precision) {
    return clock(at, this.long ? "day and minute" : precision);
  }

  spot(at, value) {
    return `${this.x(at).toFixed(1)},${this.y(value).toFixed(1)}`;
  }

  described(series, points) {
    const last = points[points.length - 1];
    const parts = series.map((one, place) => {
      const values = points.map((point) => point.values[place]).filter(known);
      if (!values.length) return `${one.name}: none`;
      const told = [Math.min(...values), Math.max(...values), last.values[place]].map(this.format);
      return `${one.name}: ${told[0]} to ${told[1]}, last ${told[2]}`;
    });
    const span = [this.data.from, this.data.to].map((at) => this.at(at, "minute"));
    return `${this.title}, ${this.unit}, from ${span.join(" to ")}. ${parts.join("; ")}.`;
  }

  near(event) {
    const { points } = this.data;
    if (!points.length) return;
    const spot = event.clientX - this.plot.getBoundingClientRect().left;
    let best = 0;
    points.forEach((point, place) => {
      if (Math.abs(this.x(point.at) - spot) < Math.abs(this.x(points[best].at) - spot)) best = place;
    });
    this.read(best);
  }

  // Show the values at a point, or the last ones.
  read(place) {
    const { points, series } = this.data;
    this.place = place;
    const point = points[place ?? points.length - 1];
    if (!point || !this.cursor) return;
    const told = series.map((one, number) => this.format(point.values[number]));
    told.forEach((text, number) => say(this.values[number], text));
    const when = this.at(point.at, this.data.step < 60 ? "second" : "minute");
    say(this.when, place === null ? "" : when);
    this.slider.value = place ?? points.length - 1;
    this.slider.setAttribute(
      "aria-valuetext", `${when}: ${series.map((one, number) => `${one.name} ${told[number]}`).join(", ")}`,
    );
    const parts = [];
    if (place !== null) {
      const at = this.x(point.at);
      parts.push(svg("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }));
      let sum = 0;
      series.forEach((one, number) => {
        const value = point.values[number];
        if (!known(value)) return;
        sum += value;
        const cy = this.y(this.stacked ? sum : value);
        parts.push(svg("circle", { cx: at, cy, r: 3, class: `spot ${colour(one)}` }));
      });
    }
    this.cursor.replaceChildren(...parts);
  }

  // The newest first; long histories are thinned out.
  tabulate() {
    if (!this.details.open) return;
    const { points, series, step } = this.data;
    const every = Math.max(1, Math.ceil(points.length / ROWS));
    const chosen = points.filter((_, place) => (points.length - 1 - place) % every === 0).reverse();
    const precision = step * every < 60 ? "second" : "minute";
    const heads = series.map((one) => el("th", { scope: "col", class: "n" }, one.name));
    const rows = chosen.map((point) => el(
      "tr", {}, el("th", { scope: "row" }, this.at(point.at, precision)),
      series.map((_, place) => el("td", { class: "n" }, this.format(point.values[place]))),
    ));
    const table = el(
      "table", {}, el("caption", {}, `${this.title}, ${this.unit}`),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Time"), heads)), el("tbody", {}, rows),
    );
    const { scrollTop } = this.table;
    this.table.replaceChildren(table);
    this.table.scrollTop = scrollTop;
    watch(this.table, this.title);
  }
}
