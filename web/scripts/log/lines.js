// The lines that are at hand, by `seq`; the others are fetched when they are needed.

/** How many lines are kept: those around what is looked at. */
export const KEPT = 20_000;

export class Lines {
  #job;
  #lines = new Map();
  #under = new Map();

  constructor(job) {
    this.#job = job;
  }

  get size() {
    return this.#lines.size;
  }

  get(seq) {
    return this.#lines.get(seq);
  }

  put(line) {
    this.#lines.set(line.seq, line);
  }

  /** Asks for a page of the log, in pieces. */
  async page(parameters, signal) {
    const query = new URLSearchParams({ spans: true, ...parameters });
    const answer = await fetch(`/api/v1/jobs/${this.#job}/logs?${query}`, { signal });
    if (!answer.ok) throw new Error(`the log cannot be read: ${answer.status}`);
    return answer.json();
  }

  /** True when all of these are at hand. */
  has(from, to) {
    for (let seq = from; seq <= to; seq += 1) if (!this.#lines.has(seq)) return false;
    return true;
  }

  /** Gets those of `from` to `to` that are not at hand. Calls for the same lines share one request. */
  load(from, to) {
    while (from <= to && this.#lines.has(from)) from += 1;
    while (from <= to && this.#lines.has(to)) to -= 1;
    if (from > to) return Promise.resolve();
    const key = `${from}-${to}`;
    let request = this.#under.get(key);
    if (!request) {
      request = this.#fetch(from, to).finally(() => this.#under.delete(key));
      this.#under.set(key, request);
    }
    return request;
  }

  async #fetch(from, to) {
    // One line would be sent in its full length.
    const limit = Math.max(2, to - from + 1);
    const page = await this.page({ after: from - 1, level: "DEBUG", limit });
    for (const line of page.lines) if (!this.#lines.has(line.seq)) this.put(line);
    for (let seq = from; seq <= Math.min(to, page.removed ?? 0); seq += 1) {
      if (!this.#lines.has(seq)) this.put(removed(seq));
    }
  }

  /** One line in its full length. */
  async whole(seq) {
    const page = await this.page({ after: seq - 1, level: "DEBUG", limit: 1 });
    return page.lines.find((line) => line.seq === seq);
  }

  /** Forgets what is far from `centre`. */
  trim(centre) {
    if (this.#lines.size <= KEPT) return;
    for (const seq of this.#lines.keys()) {
      if (Math.abs(seq - centre) > KEPT / 4) this.#lines.delete(seq);
    }
  }
}

/** What stands in the place of a line that was removed for good. */
const removed = (seq) => ({
  seq,
  timestamp: "1970-01-01T00:00:00.000Z",
  level: "DEBUG",
  cut: 0,
  spans: [{ text: "(removed: the job ended too long ago)", class: "" }],
});
