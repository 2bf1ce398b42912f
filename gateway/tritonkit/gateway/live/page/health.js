// The state of the service in one sentence: well, degraded or failing, and why.

import { TRAFFIC } from "./controls.js";
import { clock, percent, plural } from "./format.js";

const RECENT = 600;
const MOST = 5;
// Of requests: fewer that fail, are refused or get less are told, and the service is well.
const FEW = 0.01;

function named(one) {
  return one.endpoint ? `${one.model} in ${one.endpoint}` : one.model;
}

function listed(names) {
  if (names.length <= 2) return names.join(" and ");
  return `${names[0]}, ${names[1]} and ${names.length - 2} more`;
}

// What fails, and what is less than it should be, the worst first. `kind` is what is told
// anew when it changes; the numbers beside it change all the time.
function findings(state) {
  const failing = [];
  const degraded = [];
  const few = [];
  const { requests, endpoints, breakers, stores, budgets, limits, alerts, controls } = state;

  const share = (rate) => (requests.per_second > 0 ? Math.max(0, rate) / requests.per_second : 0);
  // What few requests met is told, and leaves the service well.
  const tell = (part, kind, text) => {
    if (part >= FEW) degraded.push({ kind, text });
    else if (part > 0) few.push({ kind, text });
  };

  const down = endpoints.filter((one) => !one.up).map((one) => one.endpoint);
  if (down.length && down.length === endpoints.length) {
    failing.push({ kind: "endpoints", text: down.length === 1 ? `${down[0]} is down` : "every server is down" });
  } else if (down.length) {
    degraded.push({ kind: `down ${down}`, text: `${listed(down)} ${down.length === 1 ? "is" : "are"} down` });
  }

  const silent = stores.filter((one) => !one.up).map((one) => one.store);
  if (silent.length) {
    const verb = silent.length === 1 ? "does" : "do";
    degraded.push({ kind: `silent ${silent}`, text: `${listed(silent)} ${verb} not answer` });
  }

  // What is wrong with a caller's request is no failure of the service.
  const refused = requests.refused_per_second;
  const failed = share(requests.errors_per_second - refused);
  if (failed >= 0.5) failing.push({ kind: "errors", text: `${percent(failed)} of requests fail` });
  else tell(failed, "errors", `${percent(failed)} of requests fail`);
  tell(share(refused), "refused", `${percent(share(refused))} of requests are refused`);

  const open = breakers.filter((one) => one.state !== "closed");
  if (open.length) {
    const names = open.map((one) => `${named(one)} (${one.state})`);
    const what = open.length === 1 ? "a breaker is" : "breakers are";
    degraded.push({ kind: `breakers ${names}`, text: `${what} not closed: ${listed(names)}` });
  }

  const less = state.degraded.reduce((sum, one) => sum + one.count, 0);
  if (less) {
    const what = `${plural(less, "answer was", "answers were")} less than asked for`;
    const { reason } = state.degraded[0];
    const text = `${what}${state.degraded.length > 1 ? ", mostly" : ":"} ${reason}`;
    tell(share(less / state.seconds), `less ${reason}`, text);
  }

  const spent = budgets.filter((one) => one.left !== null && one.left <= 0 && one.limit > 0).map((one) => one.quota);
  if (spent.length) degraded.push({ kind: `spent ${spent}`, text: `nothing is left of ${listed(spent)}` });

  const unread = budgets.filter((one) => one.left === null && !one.apart).map((one) => one.quota);
  if (unread.length) degraded.push({ kind: `unread ${unread}`, text: `nobody can tell what is left of ${listed(unread)}` });

  const full = limits.filter((one) => one.waiting > 0 && one.in_flight >= one.allowed).map((one) => one.model);
  if (full.length) degraded.push({ kind: `full ${full}`, text: `requests wait for a place at ${listed(full)}` });

  for (const kind of ["drift", "tokens"]) {
    const last = alerts.find((one) => one.kind === kind && state.at - one.at < RECENT);
    if (last) degraded.push({ kind: `${kind} ${last.at}`, text: `an alert at ${clock(last.at, "minute")}: ${last.text}` });
  }

  const faults = controls.faults
    .filter((one) => one.on && !TRAFFIC.includes(one.kind))
    .map((one) => one.label);
  if (faults.length) degraded.push({ kind: `faults ${faults}`, text: `on purpose, ${listed(faults)}` });
  const off = controls.layers.filter((one) => !one.on).map((one) => one.label);
  if (off.length) degraded.push({ kind: `off ${off}`, text: `switched off: ${listed(off)}` });
  return { failing, degraded, few };
}

export function health(state) {
  const { failing, degraded, few } = findings(state);
  const all = [...failing, ...degraded, ...few];
  const level = failing.length ? "failing" : degraded.length ? "degraded" : "well";
  const key = [level, ...[...failing, ...degraded].map((one) => one.kind)].join("|");
  if (!all.length) {
    const sentence = state.requests.per_second > 0
      ? "every request of the last minute was answered in full."
      : "no request came in the last minute.";
    return { level, key, sentence };
  }
  const told = all.slice(0, MOST).map((one) => one.text);
  if (all.length > MOST) told.push(`${all.length - MOST} more`);
  const first = level === "well" ? "nearly every request of the last minute was answered in full; " : "";
  return { level, key, sentence: `${first}${told.join("; ")}.` };
}
