// The lines that pass a filter: a search of a long log finds what it finds page by page, as far as somebody looks.

export class Found {
  first = 0;
  lines = [];
  /** The last `seq` that was looked at. */
  next = 0;
  isWhole = false;
  #known;
  #page;
  #grown;
  #isUnderWay = false;
  #stop = new AbortController();

  /** `known` is what is known of the job, `page(after, signal)` asks the server, and `grown(error)` hears of what comes. */
  constructor(known, page, grown) {
    this.#known = known;
    this.#page = page;
    this.#grown = grown;
  }

  get last() {
    return this.lines.length - 1;
  }

  get start() {
    return this.#known.start;
  }

  at(place) {
    return this.lines[place];
  }

  load() {
    return Promise.resolve();
  }

  /** Where steps begin, by the number of the first line that was found in them. */
  starts() {
    const { steps } = this.#known;
    const starts = [];
    let place = 0;
    steps.forEach((step, number) => {
      const end = steps[number + 1]?.seq ?? Infinity;
      while (place < this.lines.length && this.lines[place].seq < step.seq) place += 1;
      if (this.lines[place]?.seq < end) starts.push({ place, step });
    });
    return starts;
  }

  /** Looks on. */
  async more() {
    if (this.isWhole || this.#isUnderWay) return;
    this.#isUnderWay = true;
    try {
      const page = await this.#page(this.next, this.#stop.signal);
      this.lines.push(...page.lines);
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
