// The lines that pass a filter: a search of a long log finds what it finds page by page, as far as somebody looks. Of what was found only the numbers are
// kept, and the lines near the view: the others are fetched again when somebody scrolls there.

import { KEPT } from "./lines.js";

/** How many lines are asked for at once: a few screens, or as many as the server gives when somebody wants to see the last one. */
const PAGE = 500;
const LARGEST_PAGE = 10_000;

export class Found {
  first = 0;
  #seqs = [];
  /** By place. */
  #lines = new Map();
  /** The last `seq` that was looked at. */
  next = 0;
  isWhole = false;
  #known;
  #page;
  #grown;
  #isUnderWay = false;
  #stop = new AbortController();

  /** `known` is what is known of the job, `page(after, limit, signal)` asks the server, and `grown(error)` hears of what comes. */
  constructor(known, page, grown) {
    this.#known = known;
    this.#page = page;
    this.#grown = grown;
  }

  get last() {
    return this.#seqs.length - 1;
  }

  get start() {
    return this.#known.start;
  }

  get size() {
    return this.#seqs.length;
  }

  at(place) {
    return this.#lines.get(place);
  }

  seqAt(place) {
    return this.#seqs[place];
  }

  /** The place of a line, or -1. */
  placeOf(seq) {
    const place = this.#placeBehind(seq - 1);
    return this.#seqs[place] === seq ? place : -1;
  }

  /** The place of the first line behind `seq`. */
  #placeBehind(seq) {
    let [low, high] = [0, this.#seqs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#seqs[middle] <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Takes a line that comes behind the last. */
  put(line) {
    this.#lines.set(this.#seqs.length, line);
    this.#seqs.push(line.seq);
  }

  /** Gets those of the places `from` to `to` that are not at hand. */
  async load(from, to) {
    let after = this.#seqs[from] - 1;
    while (after < this.#seqs[to]) {
      // One line would be sent in its full length.
      const page = await this.#page(after, Math.max(2, to - from + 1), this.#stop.signal);
      for (const line of page.lines) {
        const place = this.placeOf(line.seq);
        if (place >= 0) this.#lines.set(place, line);
      }
      if (page.next <= after) return;
      after = page.next;
    }
  }

  /** Forgets the lines that are far from the place `centre`. */
  trim(centre) {
    if (this.#lines.size <= KEPT) return;
    for (const place of this.#lines.keys()) {
      if (Math.abs(place - centre) > KEPT / 4) this.#lines.delete(place);
    }
  }

  /** Where steps begin, by the number of the first line that was found in them. */
  starts() {
    const { steps } = this.#known;
    const starts = [];
    steps.forEach((step, number) => {
      const end = steps[number + 1]?.seq ?? Infinity;
      const place = this.#placeBehind(step.seq - 1);
      if (this.#seqs[place] < end) starts.push({ place, step });
    });
    return starts;
  }

  /** Looks on; `toEnd` when it is the last lines that are wanted. */
  async more(toEnd) {
    if (this.isWhole || this.#isUnderWay) return;
    this.#isUnderWay = true;
    try {
      const page = await this.#page(this.next, toEnd ? LARGEST_PAGE : PAGE, this.#stop.signal);
      for (const line of page.lines) this.put(line);
      this.next = page.next;
      this.isWhole = !page.more;
      this.#isUnderWay = false;
      this.#grown();
    } catch (error) {
      this.#isUnderWay = false;
      if (error.name !== "AbortError") this.#grown(error);
    }
  }

  stop() {
    this.#stop.abort();
  }
}
