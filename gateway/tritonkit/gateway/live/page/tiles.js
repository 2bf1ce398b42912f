// The figures of the last minute.

import { by, el, say } from "./dom.js";
import { cost, count, number, percent, seconds } from "./format.js";

const TILES = [
  ["Requests", (state) => [number(state.requests.per_second), "/s", `${count(state.requests.total)} in all`]],
  ["Hit share", (state) => [percent(state.rows.hit_share), "", `of ${number(state.rows.per_second)} rows/s`]],
  ["p50", (state) => [...time(state, "p50"), "half are faster"]],
  ["p95", (state) => [...time(state, "p95"), "95 % are faster"]],
  ["p99", (state) => [...time(state, "p99"), "99 % are faster"]],
  ["Errors", (state) => {
    const { errors, errors_per_second: rate, per_second: all } = state.requests;
    return [percent(all > 0 ? rate / all : 0), "", `${count(errors)} in all`, rate > 0];
  }],
  ["Cost", (state) => [cost(state.cost.per_second), "/s", `${cost(state.cost.total)} in all`]],
  ["Cost per answer", (state) => [cost(state.cost.per_success), "", "successful inferences"]],
];

function time(state, name) {
  return seconds(state.overall?.[name]).split(" ");
}

export class Tiles {
  constructor() {
    this.parts = TILES.map(([name, read]) => {
      const value = el("span", { class: "value" });
      const unit = el("span", { class: "unit" });
      const note = el("dd", { class: "note" });
      const tile = el("div", { class: "tile" }, el("dt", {}, name), el("dd", {}, value, " ", unit), note);
      by("tiles").append(tile);
      return { read, value, unit, note, tile };
    });
  }

  update(state) {
    for (const { read, value, unit, note, tile } of this.parts) {
      const [figure, measure = "", more, bad = false] = read(state);
      say(value, figure);
      say(unit, measure);
      say(note, more);
      tile.classList.toggle("bad", bad);
    }
  }
}
