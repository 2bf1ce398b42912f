// Two texts, their similarity, and what each of them took.

import { by, el, empty, say, show } from "./dom.js";
import { clock, cost, count, seconds } from "./format.js";
import { get, post } from "./state.js";

const KEPT = 8;

export class Tester {
  constructor() {
    this.form = by("tester-form");
    this.results = [];
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.compare();
    });
  }

  // Once a connection stands: what can be asked.
  async open() {
    let found = { models: [], layers: [] };
    try {
      found = await get("models");
    } catch {
      // Without the right to it there is no tester.
    }
    const select = by("tester-model");
    const before = select.value;
    select.replaceChildren(...found.models.map((name) => el("option", { value: name }, name)));
    if (found.models.includes(before)) select.value = before;
    const chosen = this.bypass();
    by("tester-layers").querySelector("fieldset").replaceChildren(
      el("legend", { class: "hidden" }, "Layers that these two requests go without"),
      ...found.layers.map((one) => {
        const box = el("input", { type: "checkbox", value: one.name });
        box.checked = chosen.includes(one.name);
        return el("label", {}, box, el("span", {}, one.label));
      }),
    );
    show(by("tester-layers"), found.layers.length > 0);
    show(this.form, found.models.length > 0);
    empty(this.form, found.models.length === 0);
  }

  bypass() {
    return [...by("tester-layers").querySelectorAll("input:checked")].map((box) => box.value);
  }

  async compare() {
    const button = this.form.querySelector("button");
    const error = by("tester-error");
    if (button.getAttribute("aria-disabled") === "true") return;
    // It keeps the focus, which a disabled button would lose.
    button.setAttribute("aria-disabled", "true");
    show(error, false);
    try {
      const found = await post("compare", {
        model: by("tester-model").value, a: by("tester-a").value, b: by("tester-b").value,
        priority: by("tester-priority").value, bypass: this.bypass(),
      });
      this.results.unshift({ at: Date.now() / 1000, ...found });
      this.results.length = Math.min(KEPT, this.results.length);
      this.draw();
    } catch (refused) {
      say(error, refused.status ? refused.message : "The gateway cannot be reached.");
      show(error, true);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  draw() {
    const [{ similarity }] = this.results;
    show(by("tester-result"), true);
    say(by("similarity"), similarity.toFixed(3));
    const mark = by("similarity-track").firstElementChild;
    mark.style.width = `${100 * Math.min(1, Math.max(0, similarity))}%`;
    by("tester-table").tBodies[0].replaceChildren(...this.results.flatMap((one) => ["a", "b"].map((side) => {
      const took = one[side];
      return el(
        "tr", { class: side === "a" ? "first" : "" },
        el("th", { scope: "row" }, side === "a" ? "first" : "second", el("small", {}, clock(one.at))),
        el("td", {}, took.cache || "model", took.degraded ? el("small", {}, took.degraded) : null),
        el("td", {}, took.tier || "–"),
        el("td", { class: "n" }, seconds(took.seconds)),
        el("td", { class: "n" }, cost(took.cost)),
        el("td", { class: "n" }, count(took.attempts || took.cache !== "model" ? took.attempts : null)),
      );
    })));
  }
}
