// Tables of what stands behind the figures: tiers, origins, servers, guards, experiments.

import { by, el, empty, fill } from "./dom.js";
import { cost, count, lasting, moment, number, percent, seconds } from "./format.js";

const BREAKERS = {
  closed: { text: "closed", sign: "good" },
  "half-open": { text: "half-open", sign: "half" },
  open: { text: "open", sign: "bad" },
};

function n(text, more = {}) {
  return { text, ...more, kind: `n ${more.kind ?? ""}`.trim() };
}

function latency(state) {
  fill(by("latency"), state.latency.map((one) => [
    one.tier || "no tier", n(count(one.requests)),
    ...["p50", "p90", "p95", "p99", "max"].map((name) => n(seconds(one[name]), { kind: name === "p90" ? "far" : "" })),
  ]));
}

function origins(state) {
  const found = Object.entries(state.rows.by_origin);
  const all = found.reduce((sum, [, rows]) => sum + rows, 0);
  fill(by("origins"), all === 0 ? [] : found.map(([origin, rows]) => [
    origin, n(count(rows)), n(percent(rows / all)), { kind: "m", share: rows / all },
  ]));
}

function endpoints(state) {
  fill(by("endpoints"), state.endpoints.map((one) => [
    { text: one.endpoint, kind: "name" },
    one.up ? { text: "up", sign: "good" } : { text: "down", sign: "bad" },
    n(count(one.in_flight)), n(count(one.requests)), n(count(one.failures)),
  ]));
}

function breakers(state) {
  fill(by("breakers"), state.breakers.map((one) => [
    { text: one.model, kind: "name" }, one.endpoint || "everywhere",
    BREAKERS[one.state] ?? { text: one.state, sign: "half" },
  ]));
}

function amount(budget, value) {
  return budget.unit ? count(value) : cost(value);
}

function budgets(state) {
  fill(by("budgets"), state.budgets.map((one) => {
    const known = one.left !== null && one.limit > 0;
    const share = known ? one.left / one.limit : undefined;
    const low = share !== undefined && share < 0.1;
    return [
      { text: one.quota, kind: "name", note: `${one.unit || "cost"} in ${lasting(one.window)}` },
      n(amount(one, one.limit)),
      known ? n(amount(one, one.left), { note: percent(share) }) : n("–", { note: one.apart ? "counted apart" : "cannot be read" }),
      known ? { kind: "m", share, sign: low ? "low" : "" } : { kind: "m" },
      n(count(one.denied)),
    ];
  }));
}

function limits(state) {
  fill(by("limits"), state.limits.map((one) => {
    const share = one.allowed > 0 ? one.in_flight / one.allowed : 1;
    return [
      { text: one.model, kind: "name" }, n(`${count(one.in_flight)} of ${number(one.allowed)}`),
      { kind: "m", share, sign: share >= 1 ? "low" : "" }, n(count(one.waiting)), n(count(one.shed)),
    ];
  }));
}

function experiments(state) {
  fill(by("experiments"), state.experiments.flatMap((one) => one.arms.map((arm, place) => [
    { text: one.name, kind: place ? "again name" : "name" }, arm.arm, n(count(arm.requests), { kind: "far" }),
    n(percent(arm.share)), { kind: "m", share: arm.share },
    { text: place ? "" : one.verdict || "no verdict yet", kind: "verdict" },
  ])));
}

function degraded(state) {
  fill(by("degraded"), state.degraded.map((one) => [
    { text: one.model, kind: "name" }, one.reason, n(count(one.count)),
  ]));
}

let told = "";

function alerts(state) {
  const now = JSON.stringify(state.alerts);
  if (now === told) return;
  told = now;
  const list = by("alerts");
  list.replaceChildren(...state.alerts.map((one) => el(
    "li", {},
    el("time", { datetime: new Date(1000 * one.at).toISOString() }, moment(one.at, state.at)),
    el("span", { class: "kind" }, one.kind),
    el("span", { class: "text" }, one.text),
  )));
  empty(list, state.alerts.length === 0);
}

export function parts(state) {
  for (const part of [latency, origins, endpoints, breakers, budgets, limits, experiments, degraded, alerts]) {
    part(state);
  }
}
