// The page: what comes from the gateway goes to its parts.

import { Controls } from "./controls.js";
import { by, say, show } from "./dom.js";
import { clock, count, lasting, plural } from "./format.js";
import { health } from "./health.js";
import { History } from "./history.js";
import { parts } from "./parts.js";
import { Recent } from "./recent.js";
import { watch } from "./scroll.js";
import { get, Stream, token } from "./state.js";
import { Tester } from "./tester.js";
import { Tiles } from "./tiles.js";

const WORDS = { well: "Well", degraded: "Degraded", failing: "Failing" };
const QUIET = 8000;

for (const node of document.querySelectorAll(".scroll")) {
  watch(node, node.closest(".panel").querySelector("h2").textContent);
}

const tiles = new Tiles();
const recent = new Recent();
const tester = new Tester();
const controls = new Controls();
const history = new History(get);

let last = null;
let paused = false;

// What a screen reader says by itself: what changed, not every figure, and not too often.
const said = { key: "", at: -QUIET, timer: 0 };

function tell(key, text) {
  if (said.key === key) return;
  said.key = key;
  clearTimeout(said.timer);
  const wait = Math.max(0, said.at + QUIET - performance.now());
  said.timer = setTimeout(() => {
    said.at = performance.now();
    say(by("said"), text);
  }, wait);
}

function title(word) {
  document.title = word ? `${word}: tritonkit gateway` : "tritonkit gateway";
}

function draw(state) {
  const { level, key, sentence } = health(state);
  // The title of a tab that is not in sight says it too; the rest is drawn when it is.
  title(level === "well" ? "" : WORDS[level]);
  if (document.hidden) return;
  show(by("figures"), true);
  by("health").dataset.level = level;
  say(by("level"), `${WORDS[level]}:`);
  say(by("sentence"), sentence);
  say(
    by("about"),
    `${plural(state.workers, "worker", "workers")}, up ${lasting(state.uptime)}, `
      + `${count(state.requests.in_flight)} in flight, figures of ${clock(state.at)}`,
  );
  tell(key, `${WORDS[level]}: ${sentence}`);
  tiles.update(state);
  parts(state);
  recent.update(state);
  controls.update(state);
  history.kept(state.history);
  history.refresh(state.at);
}

function link(kind, more) {
  const node = by("link");
  const text = {
    opening: "Connecting", again: "Connecting again", away: "Away", token: "Token needed",
    live: paused ? "Paused" : "Live",
  }[kind];
  node.dataset.link = kind === "live" && paused ? "paused" : kind;
  say(by("link-text"), text);
  // Figures that stand still tell nothing of now.
  if (node.dataset.link !== "live" && kind !== "opening") title(text);
  show(by("token"), kind === "token");
  show(by("forget"), token.get() !== "" && kind !== "token");
  const away = kind === "away" || kind === "again";
  by("figures").classList.toggle("old", away);
  show(by("away"), away);
  if (away) {
    const since = last ? `The figures are of ${clock(last.at)}. ` : "";
    const next = kind === "away" ? `Next try in ${more} s.` : "Trying now.";
    say(by("away"), `The gateway cannot be reached. ${since}${next}`);
    tell("away", "The gateway cannot be reached. The page tries again by itself.");
  }
  if (kind === "token") {
    show(by("figures"), false);
    say(by("token-title"), token.get() ? `The token was refused: ${more.message}` : "A token is needed");
    by("token-field").focus();
    tell("token", "A token is needed.");
  }
}

let opened = false;

const stream = new Stream({
  state: (state) => {
    last = state;
    if (!opened) {
      opened = true;
      tester.open();
    }
    if (!paused) draw(state);
  },
  link: (kind, more) => {
    if (kind !== "live") opened = false;
    link(kind, more);
  },
});

by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").setAttribute("aria-pressed", String(paused));
  if (by("link").dataset.link === "live" || by("link").dataset.link === "paused") link("live");
  if (!paused && last) draw(last);
});

document.addEventListener("visibilitychange", () => {
  if (!paused && last) draw(last);
});

by("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token.set(by("token-field").value.trim());
  by("token-field").value = "";
  stream.open();
});

by("forget").addEventListener("click", () => {
  token.set("");
  location.reload();
});

stream.open();
