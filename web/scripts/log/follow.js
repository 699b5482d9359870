// Following a job by the event stream, from a `seq` on, through restarts of the server: nothing is missed and nothing comes twice.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;

export class Follow {
  #address;
  #parameters;
  #events;
  #source = null;
  #timer = 0;
  #pause = FIRST_PAUSE;
  #stopped = false;

  /**
   * `events` has `line(line)`, `behind(count, after)`, `end(success)`, `damaged(text)`, `lost()` and `back()`.
   * `parameters.after` is the last line at hand.
   */
  constructor(job, parameters, events) {
    this.#address = `/api/v1/jobs/${job}/logs/events`;
    this.#parameters = { ...parameters };
    this.#events = events;
    this.#connect();
    addEventListener("online", this.#now);
  }

  /** Goes on behind another line, without those before it. */
  skipTo(after) {
    if (after <= this.#parameters.after) return;
    this.#parameters.after = after;
    this.#source?.close();
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#source?.close();
    removeEventListener("online", this.#now);
  }

  #now = () => {
    if (this.#stopped || !this.#timer) return;
    clearTimeout(this.#timer);
    this.#connect();
  };

  #connect() {
    this.#timer = 0;
    const query = new URLSearchParams({ ...this.#parameters, spans: true });
    // A new source each time: one that resumes by itself gives up for good when a proxy answers with an error.
    const source = new EventSource(`${this.#address}?${query}`);
    this.#source = source;
    const data = (listener) => (event) => {
      if (source === this.#source) listener(JSON.parse(event.data));
    };
    source.addEventListener("open", () => {
      if (source === this.#source) this.#events.back();
    });
    source.addEventListener(
      "message",
      data((line) => {
        this.#pause = FIRST_PAUSE;
        if (line.seq <= this.#parameters.after) return;
        this.#parameters.after = line.seq;
        this.#events.line(line);
      }),
    );
    source.addEventListener("behind", data(({ behind }) => this.#events.behind(behind, this.#parameters.after)));
    source.addEventListener(
      "end",
      data(({ success }) => {
        this.stop();
        this.#events.end(success);
      }),
    );
    source.addEventListener("damaged", (event) => {
      this.stop();
      this.#events.damaged(event.data);
    });
    source.addEventListener("error", () => {
      source.close();
      if (this.#stopped || source !== this.#source) return;
      this.#events.lost();
      // Not all at once, when a server comes back to many watchers.
      this.#timer = setTimeout(() => this.#connect(), this.#pause * (0.75 + Math.random() / 2));
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    });
  }
}
