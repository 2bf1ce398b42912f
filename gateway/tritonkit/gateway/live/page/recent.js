// The last requests; each opens into its trace.

import { by, el, empty } from "./dom.js";
import { clock, cost, count, seconds } from "./format.js";

const COLUMNS = 9;

function key(one) {
  return JSON.stringify([one.at, one.seconds, one.id, one.model, one.worker, one.tenant]);
}

function origins(one) {
  const found = Object.entries(one.origins);
  return found.map(([origin, rows]) => (found.length > 1 || rows > 1 ? `${rows} ${origin}` : origin)).join(", ");
}

function answer(one) {
  if (one.error || one.status >= 400) return { sign: "bad", text: one.error || String(one.status) };
  if (one.degraded) return { sign: "half", text: "degraded" };
  return { sign: "good", text: "answered" };
}

// NamesOfErrors may be broken between their words.
function words(text) {
  return text.split(/(?<=[a-z])(?=[A-Z])/).flatMap((part, place) => (place ? [el("wbr"), part] : [part]));
}

// Where no layer counts what is sent, an answer of the model has none, and was sent all the same.
function attempts(one) {
  return count(one.attempts || !one.origins.model ? one.attempts : null);
}

function trace(one) {
  const facts = [
    ["Way", one.route], ["Model", one.version ? `${one.model}, version ${one.version}` : one.model],
    ["Status", String(one.status)], ["Error", one.error], ["Degraded", one.degraded],
    ["Rows", one.rows ? count(one.rows) : ""], ["Rows from", origins(one)], ["Tier", one.tier],
    ["Arms", one.arms.map(([experiment, arm]) => `${experiment}: ${arm}`).join(", ")],
    ["Attempts", attempts(one)], ["Latency", seconds(one.seconds)], ["Cost", cost(one.cost)],
    ["Tenant", one.tenant], ["Request id", one.id], ["Worker", String(one.worker ?? "")],
  ];
  return el("dl", { class: "trace" }, facts.filter(([, text]) => text !== "").map(
    ([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text)),
  ));
}

export class Recent {
  constructor() {
    this.table = by("recent");
    this.body = this.table.tBodies[0];
    this.rows = new Map();
  }

  // Rows that are there already stay: an open trace and the focus with them. What is open
  // or has the focus stays too when it is no longer among the last.
  update(state) {
    const wanted = new Map(state.recent.map((one) => [key(one), one]));
    for (const [name, row] of this.rows) {
      if (wanted.has(name) || row.open || row.main.contains(document.activeElement)) continue;
      row.main.remove();
      this.rows.delete(name);
    }
    let next = this.body.firstElementChild;
    for (const [name, one] of wanted) {
      const row = this.rows.get(name);
      if (row) {
        next = (row.more ?? row.main).nextElementSibling;
        continue;
      }
      const made = this.row(one);
      this.rows.set(name, made);
      this.body.insertBefore(made.main, next);
    }
    empty(this.table, this.rows.size === 0);
  }

  row(one) {
    const found = { open: false, main: null, more: null };
    const { sign, text } = answer(one);
    const button = el("button", {
      type: "button", class: "open", "aria-expanded": "false",
      "aria-label": `Trace of ${one.model || one.route} at ${clock(one.at, "tenth")}`,
      onclick: () => {
        found.open = !found.open;
        button.setAttribute("aria-expanded", String(found.open));
        if (found.open) {
          found.more = el("tr", { class: "more" }, el("td", { colspan: COLUMNS }, trace(one)));
          found.main.after(found.more);
        } else {
          found.more.remove();
          found.more = null;
        }
      },
    });
    found.main = el(
      "tr", {},
      el("td", { class: "toggle" }, button),
      el("td", { class: "time" }, clock(one.at), el("span", { class: "far" }, clock(one.at, "tenth").slice(-2))),
      el("th", { scope: "row", class: "name" }, one.model || one.route),
      el("td", { class: "answer" }, el("span", { class: `sign ${sign}`, "aria-hidden": "true" }), words(text)),
      el("td", { class: "n" }, seconds(one.seconds)),
      el("td", { class: "far" }, origins(one) || "–"),
      el("td", { class: "far" }, one.tier || "–"),
      el("td", { class: "n far" }, attempts(one)),
      el("td", { class: "n far" }, cost(one.cost)),
    );
    return found;
  }
}
