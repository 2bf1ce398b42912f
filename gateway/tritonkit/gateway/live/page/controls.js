// Layers that are on or off, and faults on purpose; only where the gateway allows it.

import { by, el, say, show } from "./dom.js";
import { countdown } from "./format.js";
import { post } from "./state.js";

// How the value of a fault is shown: a factor, a unit, and the ends of its field.
const VALUES = {
  slow: { factor: 1000, unit: "ms", step: 10, max: 60000, label: "Delay in milliseconds" },
  fail: { factor: 100, unit: "%", step: 5, max: 100, label: "Share of requests in percent" },
  rate: { factor: 1, unit: "/s", step: 1, max: 10000, label: "Requests a second" },
  skew: { factor: 1, unit: "", step: 0.1, max: 5, label: "Zipf's exponent" },
};

// Controls that steer a traffic generator, and break nothing.
export const TRAFFIC = ["rate", "skew", "burst"];

export class Controls {
  constructor() {
    this.layers = new Map();
    this.faults = new Map();
    this.traffic = new Map();
  }

  update(state) {
    const { controls, at } = state;
    this.at = at;
    show(by("controls"), controls.allowed);
    for (const link of document.querySelectorAll("[data-controls]")) show(link, controls.allowed);
    if (!controls.allowed) return;
    this.list(by("layers"), this.layers, controls.layers, (one) => this.layer(one));
    const steers = (one) => TRAFFIC.includes(one.kind);
    const traffic = controls.faults.filter(steers);
    this.list(by("faults"), this.faults, controls.faults.filter((one) => !steers(one)), (one) => this.fault(one));
    this.list(by("traffic"), this.traffic, traffic, (one) => this.fault(one));
    show(by("traffic-part"), traffic.length > 0);
  }

  list(host, held, wanted, make) {
    const names = new Set(wanted.map((one) => one.name));
    for (const [name, item] of held) {
      if (names.has(name)) continue;
      item.node.remove();
      held.delete(name);
    }
    for (const one of wanted) {
      if (!held.has(one.name)) {
        held.set(one.name, make(one));
        host.append(held.get(one.name).node);
      }
      held.get(one.name).update(one);
    }
  }

  toggle(label, change) {
    const word = el("span", { class: "word" });
    const button = el("button", {
      type: "button", role: "switch", "aria-label": label, class: "switch",
      onclick: () => change(button.getAttribute("aria-checked") !== "true"),
    }, el("span", { class: "knob", "aria-hidden": "true" }), word);
    const turn = (on) => {
      button.setAttribute("aria-checked", String(on));
      say(word, on ? "on" : "off");
    };
    return { button, turn };
  }

  layer({ name, label }) {
    const { button, turn } = this.toggle(label, (on) => this.send("switch", { layer: name, on }));
    const node = el("li", {}, el("span", { class: "label" }, label), button);
    return { node, update: (one) => turn(one.on) };
  }

  fault({ name, label, kind }) {
    const shape = VALUES[kind];
    const left = el("span", { class: "left" });
    const field = shape && el("input", {
      type: "number", min: 0, max: shape.max, step: shape.step, required: true,
      "aria-label": `${shape.label}: ${label}`,
      onchange: () => {
        const turned = button.getAttribute("aria-checked") === "true";
        if (turned && Number(field.value) !== shown) set(true);
      },
    });
    const set = (on) => {
      if (on && field && !field.reportValidity()) return;
      const value = field ? { value: Number(field.value) / shape.factor } : {};
      this.send("fault", { name, on, ...(on ? value : {}) });
    };
    const { button, turn } = this.toggle(label, set);
    const node = el(
      "li", {}, el("span", { class: "label" }, label, left),
      field && el("span", { class: "field" }, field, el("span", { "aria-hidden": "true" }, shape.unit)),
      button,
    );
    let shown = null;
    return {
      node,
      update: (one) => {
        turn(one.on);
        node.classList.toggle("active", one.on);
        say(left, one.on && one.until !== null ? `ends in ${countdown(one.until - this.at)}` : "");
        if (!field || one.value === null) return;
        const value = Number((one.value * shape.factor).toPrecision(6));
        // What is being typed stays.
        if (shown === null || (one.on && document.activeElement !== field)) field.value = String(value);
        shown = value;
      },
    };
  }

  async send(path, body) {
    const error = by("controls-error");
    show(error, false);
    try {
      const controls = await post(path, body);
      this.update({ controls, at: this.at });
    } catch (refused) {
      say(error, refused.status ? refused.message : "The gateway cannot be reached.");
      show(error, true);
    }
  }
}
