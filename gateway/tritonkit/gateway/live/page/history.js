// The charts over time, and what the gateway keeps of it.

import { Chart } from "./charts.js";
import { by, say, show } from "./dom.js";
import { cost, number, percent, seconds } from "./format.js";
import { Refused } from "./state.js";

// What lies below stands first; other stores come before what the model computed.
const ORIGINS = ["memory", "redis", "coalesced", "stale", "", "model"];
// The fastest first, and what is no way of its own last; a policy's own tiers are in between.
const TIERS = ["memory", "redis", "", "model", "coalesced", "stale", "mixed", "forwarded", "other"];
const POINTS = 240;
// Of the shortest range, where seconds of their own have few requests.
const FEW = 100;
const FIXED = { memory: 0, redis: 1, model: 5 };

function ordered(names, order) {
  const rank = (name) => order.indexOf(order.includes(name) ? name : "");
  return names.sort((a, b) => rank(a) - rank(b));
}

// Names get a place, for their colour and dash, once, and keep it.
function palette(fixed) {
  const places = new Map(Object.entries(fixed));
  return (name) => {
    if (!places.has(name)) {
      const taken = new Set(places.values());
      let place = 0;
      while (taken.has(place)) place += 1;
      places.set(name, place);
    }
    return { name, place: places.get(name) };
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
    this.tier = palette(FIXED);
    this.origin = palette({ ...FIXED, coalesced: 2, stale: 3 });
    this.due = 0;
    this.failed = "";
    by("range").addEventListener("change", () => {
      this.due = 0;
      this.refresh();
    });
    by("percentile").addEventListener("change", () => this.draw());
  }

  // Ask anew where that would show something new. now: of the gateway's clock.
  async refresh(now = this.now) {
    this.now = now;
    if (performance.now() < this.due || this.asking) return;
    this.asking = true;
    const minutes = Number(checked("range"));
    try {
      const found = await this.ask(`history?minutes=${minutes}&points=${minutes > 5 ? POINTS : FEW}`);
      this.due = performance.now() + 1000 * Math.min(30, Math.max(1.9, found.step));
      this.found = { ...found, minutes };
      this.failed = "";
      this.draw();
    } catch (refused) {
      // That the gateway is away the stream tells.
      this.failed = refused instanceof Refused ? refused.message : "";
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
    const { step, minutes } = this.found;
    // The last step is not over yet, and would look like a fall.
    const over = this.found.points.filter((point) => point.at + step <= this.now - 1);
    const points = over.length ? over : this.found.points;
    const to = points.length ? points[points.length - 1].at : Date.now() / 1000;
    const span = { from: to - 60 * minutes, to, step };
    const drawn = (series, values) => ({
      ...span, series, points: points.map((point) => ({ at: point.at, values: values(point) })),
    });
    this.requests.update(drawn(
      [{ name: "requests", place: 0 }, { name: "errors", place: 4 }],
      (point) => [point.requests_per_second, point.errors_per_second],
    ));

    const chosen = checked("percentile");
    this.latency.unit = `${chosen.slice(1)} % are faster`;
    say(this.latency.figure.querySelector("small"), this.latency.unit);
    const tiers = ordered(named(points, "tiers"), TIERS).map(this.tier);
    this.latency.update(drawn(tiers, (point) => tiers.map((one) => point.tiers[one.name]?.[chosen] ?? null)));

    this.origins.update(drawn(...this.shares(points)));
    this.flight.update(drawn([{ name: "in flight", place: 0 }], (point) => [point.in_flight]));
    this.cost.update(drawn([{ name: "cost", place: 0 }], (point) => [point.cost_per_second]));
    this.answer.update(drawn([{ name: "cost", place: 0 }], (point) => [point.cost_per_success]));
  }

  shares(points) {
    const origins = ordered(named(points, "by_origin"), ORIGINS).map(this.origin);
    return [origins, (point) => {
      const rows = Object.values(point.by_origin ?? {}).reduce((sum, one) => sum + one, 0);
      return origins.map((one) => (rows ? (point.by_origin[one.name] ?? 0) / rows : null));
    }];
  }

  kept(keeping) {
    const why = this.failed
      ? `The charts stand still: ${this.failed}`
      : `The history is not kept: ${keeping.why || "it ends with the gateway"}`;
    show(by("kept"), !keeping.kept || this.failed !== "");
    say(by("kept"), why);
  }
}
