// The connection: documents, and the stream of states that comes back by itself.

const BASE = new URL("../", import.meta.url);
const KEY = "tritonkit token";
const SILENCE = 6000;
const LONGEST = 10;

export class Refused extends Error {
  constructor(status, text, after) {
    super(text);
    this.status = status;
    this.after = after;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

function headers(more = {}) {
  const held = token.get();
  return held ? { ...more, Authorization: `Bearer ${held}` } : more;
}

async function refusal(answer) {
  let text = `${answer.status} ${answer.statusText}`.trim();
  try {
    const said = await answer.json();
    if (typeof said.error === "string") text = said.error;
  } catch {
    // Whatever answers in front of the gateway need not speak JSON.
  }
  return new Refused(answer.status, text, Number(answer.headers.get("Retry-After")) || 0);
}

async function asked(path, options) {
  const answer = await fetch(new URL(path, BASE), { cache: "no-store", ...options });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

export function get(path) {
  return asked(path, { headers: headers() });
}

export function post(path, body) {
  return asked(path, {
    method: "POST", body: JSON.stringify(body), headers: headers({ "Content-Type": "application/json" }),
  });
}

// Text of a server-sent stream into events; what is unfinished waits for the rest.
export function parser(tell) {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    let event = "message";
    let data = [];
    let retry = "";
    let begin = 0;
    lines.forEach((line, place) => {
      if (line === "") {
        if (retry) tell("retry", retry);
        if (data.length) tell(event, data.join("\n"));
        [event, data, retry, begin] = ["message", [], "", place + 1];
        return;
      }
      const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (field === "event") event = value;
      else if (field === "data") data.push(value);
      else if (field === "retry" && /^\d+$/.test(value)) retry = value;
    });
    rest = [...lines.slice(begin), rest].join("\n");
  };
}

// Tells `state` of each document, and `link` of "opening", "live", "away" (with the seconds
// until the next try) and "token" (with what was said).
export class Stream {
  constructor({ state, link }) {
    this.state = state;
    this.link = link;
    this.turn = 0;
    this.retry = 2;
  }

  // Begin anew; an older stream ends.
  async open() {
    const turn = (this.turn += 1);
    this.abort?.abort();
    let failed = 0;
    this.link("opening");
    while (turn === this.turn) {
      try {
        await this.follow(turn, () => {
          failed = 0;
        });
      } catch (error) {
        if (turn !== this.turn) return;
        if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
          this.link("token", error);
          return;
        }
        if (error instanceof Refused) this.retry = Math.max(this.retry, error.after);
      }
      if (turn !== this.turn) return;
      const wait = Math.min(LONGEST, this.retry * 2 ** failed);
      failed += 1;
      for (let left = Math.ceil(wait); left > 0 && turn === this.turn; left -= 1) {
        this.link("away", left);
        await new Promise((done) => setTimeout(done, (1000 * wait) / Math.ceil(wait)));
      }
      if (turn === this.turn) this.link("again");
    }
  }

  async follow(turn, came) {
    const abort = new AbortController();
    this.abort = abort;
    let watch = setTimeout(() => abort.abort(), SILENCE);
    try {
      const answer = await fetch(new URL("events", BASE), {
        cache: "no-store", signal: abort.signal, headers: headers({ Accept: "text/event-stream" }),
      });
      if (!answer.ok) throw await refusal(answer);
      const feed = parser((event, data) => {
        if (event === "retry") this.retry = Math.min(LONGEST, Number(data) / 1000);
        if (event !== "state" || turn !== this.turn) return;
        came();
        this.link("live");
        try {
          this.state(JSON.parse(data));
        } catch (error) {
          // A mistake of the page is no reason to connect again.
          reportError(error);
        }
      });
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watch);
        watch = setTimeout(() => abort.abort(), SILENCE);
        feed(decoder.decode(value, { stream: true }));
      }
    } finally {
      clearTimeout(watch);
      abort.abort();
    }
  }
}
