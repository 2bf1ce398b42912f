// The charts over time, and what the gateway keeps of it.

import { Chart } from "./charts.js";
import { by, say, show } from "./dom.js";
import { cost, number, percent, seconds } from "./format.js";

const ORIGINS = ["memory", "redis", "coalesced", "stale", "", "model"];

// Names get a colour and a dash once and keep them.
function palette(known = []) {
  const places = new Map(known.map((name, place) => [name, place]));
  return (name) => {
    if (!places.has(name)) places.set(name, places.size);
    return places.get(name) % 6;
  };
}

function checked(name) {
  return document.querySelector(`input[name="${name}"]:checked`).value;
}

function named(points, part) {
  return [...new Set(points.flatMap((point) => Object.keys(point[part] ?? {})))];
}

export class History {
  // ask: a path to a document.
  constructor(ask) {
    this.ask = ask;
    const host = by("charts");
    this.requests = new Chart(host, { title: "Requests", unit: "a second", format: number });
    this.latency = new Chart(host, {
      title: "Latency by tier", unit: "95 % are faster", format: seconds, powers: true,
    });
    this.origins = new Chart(host, {
      title: "Rows by origin", unit: "share of rows", format: percent, stacked: true, most: 1,
    });
    this.flight = new Chart(host, { title: "In flight", unit: "requests", format: number, whole: true });
    this.cost = new Chart(host, { title: "Cost", unit: "a second", format: cost });
    this.answer = new Chart(host, { title: "Cost per answer", unit: "successful inferences", format: cost });
    this.tierColour = palette();
    this.originColour = palette(ORIGINS);
    this.due = 0;
    by("range").addEventListener("change", () => {
      this.due = 0;
      this.refresh();
    });
    by("percentile").addEventListener("change", () => this.draw());
  }

  // Ask anew where that would show something new.
  async refresh() {
    if (performance.now() < this.due || this.asking) return;
    this.asking = true;
    const minutes = Number(checked("range"));
    try {
      const found = await this.ask(`history?minutes=${minutes}&points=240`);
      this.due = performance.now() + 1000 * Math.min(30, Math.max(1.9, found.step));
      this.found = { ...found, minutes };
      this.draw();
    } catch {
      // The stream tells that the gateway is away.
      this.due = performance.now() + 5000;
    } finally {
      this.asking = false;
    }
    if (minutes !== Number(checked("range"))) {
      this.due = 0;
      await this.refresh();
    }
  }

  draw() {
    if (!this.found) return;
    const { step, points, minutes } = this.found;
    const to = points.length ? points[points.length - 1].at : Date.now() / 1000;
    const span = { from: to - 60 * minutes, to, step };
    const over = (series, values) => ({
      ...span, series, points: points.map((point) => ({ at: point.at, values: values(point) })),
    });
    this.requests.update(over(
      [{ name: "requests", colour: 0 }, { name: "errors", colour: 4 }],
      (point) => [point.requests_per_second, point.errors_per_second],
    ));

    const chosen = checked("percentile");
    this.latency.unit = `${chosen.slice(1)} % are faster`;
    say(this.latency.figure.querySelector("small"), this.latency.unit);
    const tiers = named(points, "tiers").map((name) => ({ name, colour: this.tierColour(name) }));
    this.latency.update(over(tiers, (point) => tiers.map((one) => point.tiers[one.name]?.[chosen] ?? null)));

    this.origins.update(over(...this.shares(points)));
    this.flight.update(over([{ name: "in flight", colour: 0 }], (point) => [point.in_flight]));
    this.cost.update(over([{ name: "cost", colour: 0 }], (point) => [point.cost_per_second]));
    this.answer.update(over([{ name: "cost", colour: 0 }], (point) => [point.cost_per_success]));
  }

  shares(points) {
    const found = named(points, "by_origin");
    const rank = (name) => (ORIGINS.includes(name) ? ORIGINS.indexOf(name) : 4);
    const origins = found.sort((a, b) => rank(a) - rank(b)).map((name) => ({ name, colour: this.originColour(name) }));
    return [origins, (point) => {
      const rows = Object.values(point.by_origin ?? {}).reduce((sum, one) => sum + one, 0);
      return origins.map((one) => (rows ? (point.by_origin[one.name] ?? 0) / rows : null));
    }];
  }

  kept(keeping) {
    show(by("kept"), !keeping.kept);
    say(by("kept"), `The history is not kept: ${keeping.why || "it ends with the gateway"}`);
  }
}
