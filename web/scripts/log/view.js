// The window onto the log: only what is near the view is in the document, however long the log is.
//
// The log is a column of blocks: the headings of steps, and up to a hundred lines each. Blocks that are far away are only a height, measured
// when they were here last and guessed before. Whatever changes above, what is looked at stays where it is.

import { row } from "./row.js";
import { length } from "./times.js";

const BLOCK_LINES = 100;

/** The height of a line that was never here, in pixels; and of a heading. */
const LINE = 24;
const HEADING = 37;

/** Browsers know no element that is higher than some 17 million pixels: what is far away is guessed to be less high, then. */
const HIGHEST = 14_000_000;

export class View {
  #root;
  #source;
  #options;
  #blocks = [];
  #tops = [0];
  #heights = new Map();
  #mounted = new Map();
  #above = document.createElement("div");
  #below = document.createElement("div");
  #asked = false;
  #width = 0;

  folded = new Set();
  chosen = null;
  times = "clock";

  /**
   * `source` says what there is: `first` and `last` (places), `at(place)`, `load(from, to)`, `starts()` (places at which steps begin), `start` (milliseconds).
   * `options` has `more()`, called near the end, and `drawn()`, called after each change.
   */
  constructor(root, source, options) {
    this.#root = root;
    this.#source = source;
    this.#options = options;
    this.follows = false;
  }

  /** Puts itself in the place of what the server sent. */
  takeOver() {
    this.#root.replaceChildren(this.#above, this.#below);
    addEventListener("scroll", () => this.ask(), { passive: true });
    addEventListener("resize", () => this.ask());
  }

  /** Shows another column of lines. */
  show(source) {
    this.#source = source;
    this.#clear();
    this.layout();
  }

  #clear() {
    for (const element of this.#mounted.values()) element.remove();
    this.#mounted.clear();
    this.#heights.clear();
  }

  /** Draws everything again, because lines look different now. */
  redraw() {
    for (const element of this.#mounted.values()) element.remove();
    this.#mounted.clear();
    this.draw();
  }

  /** Makes the column again: there are more lines, other steps, or others are folded. */
  layout() {
    const { first, last } = this.#source;
    const starts = this.#source.starts().filter(({ place }) => place <= last);
    if (!starts.length || starts[0].place > first) starts.unshift({ place: first, step: null });
    this.#blocks = [];
    starts.forEach(({ place, step }, number) => {
      const end = (starts[number + 1]?.place ?? last + 1) - 1;
      const from = Math.max(place, first);
      if (step) this.#blocks.push({ key: `s${step.seq}`, place: from, step, count: end - from + 1 });
      if (step && this.folded.has(step.seq)) return;
      for (let at = from; at <= end; at += BLOCK_LINES) {
        this.#blocks.push({ key: `l${at}`, place: at, from: at, to: Math.min(at + BLOCK_LINES - 1, end) });
      }
    });
    const keys = new Set(this.#blocks.map((block) => block.key));
    for (const [key, element] of this.#mounted) {
      if (!keys.has(key)) this.#unmount(key, element);
    }
    this.ask();
  }

  #unmount(key, element) {
    element.remove();
    this.#mounted.delete(key);
  }

  #measure() {
    const lines = this.#source.last - this.#source.first + 1;
    const guess = Math.min(LINE, HIGHEST / Math.max(1, lines));
    this.#tops = [0];
    let top = 0;
    for (const block of this.#blocks) {
      top += this.#heights.get(block.key) ?? (block.step ? HEADING : (block.to - block.from + 1) * guess);
      this.#tops.push(top);
    }
  }

  /** The block at this height of the column. */
  #blockAt(height) {
    let [low, high] = [0, this.#blocks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= height) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  /** Draws soon, once for all who ask. */
  ask() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.draw();
    });
  }

  draw() {
    if (this.#root.clientWidth !== this.#width) {
      this.#width = this.#root.clientWidth;
      this.#heights.clear();
    }
    // What is drawn for the first time has other heights than were guessed, so there may be room for more.
    for (let round = 0; round < 4 && this.#drawOnce(); round += 1);
    const end = this.#tops.at(-1);
    if (this.follows) this.toEnd();
    if (this.#root.getBoundingClientRect().top + end < innerHeight + 2000) this.#options.more();
    this.#options.drawn();
  }

  /** True when heights came out otherwise than they were guessed. */
  #drawOnce() {
    this.#measure();
    const anchor = this.#anchor();
    const top = -this.#root.getBoundingClientRect().top;
    const margin = innerHeight;
    const end = Math.max(0, this.#tops.at(-1) - 1);
    let [from, to] = [this.#blockAt(Math.min(top - margin, end)), this.#blockAt(Math.min(top + innerHeight + margin, end))];
    if (this.follows) [from, to] = [this.#blockAt(Math.max(0, end - 2 * innerHeight)), this.#blocks.length - 1];
    const wanted = new Set(this.#blocks.slice(from, to + 1).map((block) => block.key));
    for (const [key, element] of this.#mounted) if (!wanted.has(key)) this.#unmount(key, element);
    let before = this.#above;
    for (const block of this.#blocks.slice(from, to + 1)) {
      const element = this.#mount(block);
      if (before.nextSibling !== element) before.after(element);
      before = element;
    }
    let changed = false;
    for (const block of this.#blocks.slice(from, to + 1)) {
      const height = this.#mounted.get(block.key).getBoundingClientRect().height;
      const known = this.#heights.get(block.key);
      if (known === undefined || Math.abs(known - height) > 0.5) {
        this.#heights.set(block.key, height);
        changed = true;
      }
    }
    this.#measure();
    this.#above.style.height = `${this.#tops[from] ?? 0}px`;
    this.#below.style.height = `${Math.max(0, this.#tops.at(-1) - (this.#tops[to + 1] ?? 0))}px`;
    if (anchor && anchor.element.isConnected && !this.follows) {
      const moved = anchor.element.getBoundingClientRect().top - anchor.top;
      if (Math.abs(moved) > 0.5) scrollBy({ top: moved, behavior: "instant" });
    }
    return changed;
  }

  /** What is at the top of the view, and where. */
  #anchor() {
    for (const block of this.#blocks) {
      const element = this.#mounted.get(block.key);
      if (!element) continue;
      const place = element.getBoundingClientRect();
      if (place.bottom < 0) continue;
      if (place.top > innerHeight) return null;
      const line = [...element.children].find((child) => child.getBoundingClientRect().bottom > 0);
      const seen = element.localName === "ol" && line ? line : element;
      return { element: seen, top: seen.getBoundingClientRect().top };
    }
    return null;
  }

  #mount(block) {
    const { key } = block;
    let element = this.#mounted.get(key);
    if (block.step) {
      element ??= this.#heading(block);
      this.#fillHeading(element, block);
    } else {
      element = this.#lines(block, element);
    }
    this.#mounted.set(key, element);
    return element;
  }

  #heading({ step }) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "log-step";
    button.dataset.step = step.seq;
    for (const name of ["name", "dim", "lines-count", "length"]) {
      button.append(Object.assign(document.createElement("span"), { className: name }));
    }
    return button;
  }

  #fillHeading(button, { step, count }) {
    const [name, attempt, lines, took] = button.children;
    const set = (element, text) => {
      if (element.textContent !== text) element.textContent = text;
    };
    button.ariaExpanded = String(!this.folded.has(step.seq));
    set(name, step.name);
    set(attempt, step.attempt > 1 ? `attempt ${step.attempt}` : "");
    set(lines, count === 1 ? "1 line" : `${count.toLocaleString("en")} lines`);
    const started = Date.parse(step.startedAt);
    if (step.endedAt) {
      delete took.dataset.since;
      set(took, length(Date.parse(step.endedAt) - started));
    } else {
      took.dataset.since = started;
    }
  }

  #lines(block, element) {
    const { from, to } = block;
    let missing = false;
    for (let place = from; place <= to && !missing; place += 1) missing = !this.#source.at(place);
    if (missing) {
      this.#source.load(from, to).then(
        () => this.ask(),
        () => setTimeout(() => this.ask(), 2000),
      );
      if (element) return element;
      const pending = document.createElement("div");
      pending.className = "pending";
      pending.style.height = `${this.#heights.get(block.key) ?? (to - from + 1) * LINE}px`;
      return pending;
    }
    if (element?.localName !== "ol") {
      element?.remove();
      element = Object.assign(document.createElement("ol"), { className: "log-lines" });
      element.dataset.to = from - 1;
    }
    const rows = [];
    for (let place = Number(element.dataset.to) + 1; place <= to; place += 1) {
      rows.push(row(this.#source.at(place), { times: this.times, start: this.#source.start, chosen: this.chosen }));
    }
    if (rows.length) element.append(...rows);
    // A step that became known ends the block before it.
    while (element.children.length > to - from + 1) element.lastChild.remove();
    element.start = Number(element.firstChild?.id.slice(1) ?? 1);
    element.dataset.to = to;
    return element;
  }

  /** Marks the chosen lines. */
  choose(range) {
    this.chosen = range;
    for (const item of this.#root.querySelectorAll("li")) {
      const seq = Number(item.id.slice(1));
      item.classList.toggle("chosen", Boolean(range && seq >= range.from && seq <= range.to));
    }
  }

  toEnd() {
    const end = document.documentElement.scrollHeight - innerHeight;
    if (Math.abs(scrollY - end) > 1) scrollTo({ top: end, behavior: "instant" });
  }

  /** True when the end of the log is in view. */
  get isAtEnd() {
    return document.documentElement.scrollHeight - innerHeight - scrollY < 60;
  }

  /** The place of the first line in view. */
  get place() {
    const top = -this.#root.getBoundingClientRect().top + 80;
    return this.#blocks[this.#blockAt(top)]?.place ?? this.#source.first;
  }

  /** Scrolls to the line at `place`; the step that it is in unfolds. */
  async to(place) {
    const bounded = Math.min(Math.max(place, this.#source.first), this.#source.last);
    const inside = this.#source.starts().filter((start) => start.place <= bounded).at(-1);
    if (inside?.step) this.folded.delete(inside.step.seq);
    this.layout();
    const number = this.#blocks.findIndex((block) => block.from <= bounded && bounded <= block.to);
    if (number < 0) return;
    const block = this.#blocks[number];
    await this.#source.load(block.from, block.to);
    // Twice: heights around it are known only then.
    for (let round = 0; round < 2; round += 1) {
      this.#measure();
      const inBlock = (bounded - block.from) * LINE;
      const root = this.#root.getBoundingClientRect().top + scrollY;
      const item = this.#mounted.get(block.key)?.children[bounded - block.from];
      if (item?.localName === "li") item.scrollIntoView({ block: "center", behavior: "instant" });
      else scrollTo({ top: root + this.#tops[number] + inBlock - innerHeight / 2, behavior: "instant" });
      this.draw();
    }
    this.#mounted.get(block.key)?.children[bounded - block.from]?.scrollIntoView({ block: "center", behavior: "instant" });
  }
}
