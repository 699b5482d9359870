// The page of a log comes alive: this module ties the others together. Without it the page is whole, and looks again by itself.

import { Follow } from "./follow.js";
import { Found } from "./found.js";
import { keys } from "./keys.js";
import { Lines } from "./lines.js";
import * as range from "./range.js";
import { fill, read } from "./row.js";
import { grow } from "./times.js";
import { View } from "./view.js";

const $ = (selector) => document.querySelector(selector);
const job = $("[data-job]").dataset.job;
const root = $("#log");
const form = $(".log-filter");
const lines = new Lines(job);

/** What is known of the job. */
const known = { total: 0, steps: [], start: 0, isFinished: false, firstError: null, ahead: 0 };
/** What the lines are filtered by. */
let filter = { search: "", level: "DEBUG" };
let follow = null;
let isSkipping = false;

/** From how many lines on a watcher that is behind does not wait for each of them. */
const SKIPPED = 2000;

// What there is to see: all lines, whose place is their seq, or those that were found (found.js).

const all = {
  first: 1,
  get last() {
    return known.total;
  },
  get start() {
    return known.start;
  },
  at: (place) => lines.get(place),
  load: (from, to) => lines.load(from, to),
  starts: () => known.steps.map((step) => ({ place: step.seq, step })),
};

let found = null;
const given = () => ({ level: filter.level, ...(filter.search && { search: filter.search }) });
const isFiltered = () => filter.search !== "" || filter.level !== "DEBUG";

// What is known of the job, from the piece of the page that the server makes.

function readHead(head) {
  const { dataset } = head;
  known.total = Math.max(known.total, Number(dataset.total));
  known.start = Number(dataset.start);
  known.steps = JSON.parse(dataset.steps);
  known.isFinished = dataset.finished === "true";
  known.firstError = dataset.firstError ? Number(dataset.firstError) : null;
  if (dataset.now) known.ahead = Number(dataset.now) - Date.now();
  const error = $("#first-error");
  error.hidden = known.firstError === null;
  $("[data-do=fold]").hidden = known.steps.length === 0;
  error.href = known.firstError === null ? "" : `#L${known.firstError}`;
}

let headTimer = 0;
let isHeadAsked = false;
let headNumber = 0;

async function refreshHead() {
  clearTimeout(headTimer);
  isHeadAsked = false;
  if (known.isFinished && document.hidden) {
    headTimer = setTimeout(refreshHead, 30_000);
    return;
  }
  headNumber += 1;
  const number = headNumber;
  try {
    const answer = await fetch(`/logs/${job}/head`);
    const text = await answer.text();
    // An answer that was overtaken tells of the past.
    if (number !== headNumber) return;
    if (answer.ok) {
      const head = new DOMParser().parseFromString(text, "text/html").querySelector("#head");
      const before = $("#head").dataset.state;
      const wasFinished = known.isFinished;
      $("#head").replaceWith(document.adoptNode(head));
      readHead(head);
      if (head.dataset.state !== before) {
        document.title = document.title.replace(/[^·]*$/, ` ${head.dataset.state}`);
        announce(`The job is ${head.dataset.state}.`);
      }
      changed();
      showEnd(head);
      if (wasFinished && !known.isFinished) goOn();
    }
  } catch {
    // The stream says that the server is away.
  }
  headTimer = setTimeout(refreshHead, known.isFinished ? 30_000 : 5000);
}

/** A job that has ended may be run again. A page that nobody looks at asks when somebody does. */
function watchForRerun() {
  document.addEventListener("visibilitychange", () => {
    if (known.isFinished && !document.hidden) refreshHead();
  });
  if (known.isFinished) headTimer = setTimeout(refreshHead, 30_000);
}

/** The job is run again: the page is live as it was. */
function goOn() {
  setFollow(view.follows);
  listen();
}

/** Lines came: durations and steps may be others. Once a second is enough. */
function refreshHeadSoon() {
  if (isHeadAsked || known.isFinished) return;
  isHeadAsked = true;
  clearTimeout(headTimer);
  headTimer = setTimeout(refreshHead, 1000);
}

function showEnd({ dataset }) {
  const end = $("#end");
  end.textContent = dataset.end ?? "";
  end.className = `log-end ${dataset.state}`;
}

// What is said, to those who see and to those who hear.

function say(text) {
  $("#notice").textContent = text;
  $("#notice").hidden = text === "";
}

const announce = (text) => ($("#live").textContent = text);

let heard = 0;
let hearTimer = 0;

/** New lines are counted for those who hear the page, and not read out one by one. */
function count() {
  heard += 1;
  hearTimer ||= setTimeout(() => {
    announce(heard === 1 ? "1 new line" : `${heard} new lines`);
    [heard, hearTimer] = [0, 0];
  }, 5000);
}

// The window, and following.

const view = new View(root, all, { more, drawn });

function more() {
  found?.more(view.follows);
}

function drawn() {
  if (found) found.trim(view.place);
  else lines.trim(view.place);
  $("#empty").hidden = found ? found.size > 0 || !found.isWhole : known.total > 0;
  $("#empty").textContent = found ? "No such lines here." : "No lines yet.";
  grow(document, Date.now() + known.ahead);
  $(".log-foot").hidden = known.isFinished && view.isAtEnd;
  mark();
}

/** More lines were found, or looking for them failed. */
function grown(error) {
  if (error) return say("The log cannot be read at the moment.");
  changed();
  if (found.isWhole) listen();
}

let isChanging = false;
function changed() {
  if (isChanging) return;
  isChanging = true;
  requestAnimationFrame(() => {
    isChanging = false;
    view.layout();
  });
}

function setFollow(on) {
  view.follows = on;
  const button = $("[data-do=follow]");
  button.ariaPressed = String(on);
  const [yes, no] = known.isFinished ? ["At the end", "To the end"] : ["Following", "Follow"];
  button.textContent = on ? yes : no;
  if (on) view.ask();
}

/** Scrolling up stops the following, and reaching the end resumes it. */
function watchScrolling() {
  let last = scrollY;
  addEventListener(
    "scroll",
    () => {
      const isUp = scrollY < last - 1;
      last = scrollY;
      if (!view.follows && !isUp && view.isAtEnd && !known.isFinished && isSettled()) setFollow(true);
    },
    { passive: true },
  );
  const stop = () => view.follows && setFollow(false);
  addEventListener("wheel", (event) => event.deltaY < 0 && stop(), { passive: true });
  let finger = 0;
  addEventListener("touchstart", (event) => (finger = event.touches[0].clientY), { passive: true });
  addEventListener("touchmove", (event) => event.touches[0].clientY > finger + 4 && stop(), { passive: true });
  addEventListener("keydown", (event) => ["ArrowUp", "PageUp", "Home"].includes(event.key) && stop());
  // A scroll bar that is drawn tells of itself only by where it went.
  addEventListener("scrollend", () => {
    if (view.follows && !view.isAtEnd && document.activeElement?.tagName !== "INPUT") view.ask();
  });
  addEventListener("pointerdown", (event) => event.clientX >= document.documentElement.clientWidth && stop());
}

const isSettled = () => !found || found.isWhole;

/** Listens for new lines, behind those that are there. */
function listen() {
  follow?.stop();
  follow = null;
  if (known.isFinished || !isSettled()) return;
  const after = found ? found.next : known.total;
  follow = new Follow(job, { ...given(), after }, {
    line(line) {
      if (found) {
        found.put(line);
      } else {
        lines.put(line);
      }
      known.total = Math.max(known.total, line.seq);
      if (isSkipping) {
        isSkipping = false;
        say("");
      }
      count();
      changed();
      refreshHeadSoon();
    },
    behind(behind, after) {
      if (found || behind < SKIPPED) {
        say(`Catching up: ${behind.toLocaleString("en")} lines behind.`);
        isSkipping = true;
        return;
      }
      // All lines have a place, and are fetched where somebody looks: the stream need not bring those that nobody sees.
      known.total = Math.max(known.total, after + behind);
      follow.skipTo(known.total);
      changed();
    },
    end() {
      say("");
      refreshHead().then(() => setFollow(view.follows));
    },
    damaged(text) {
      say(`The log is damaged: ${text}.`);
    },
    lost() {
      say("The connection is lost; trying again.");
      announce("The connection is lost; trying again.");
    },
    back() {
      if (!$("#notice").hidden) announce("Connected again.");
      say("");
      refreshHeadSoon();
    },
  });
}

// Search and level, in the address.

function applyFilter(replaceAddress = true) {
  const data = new FormData(form);
  filter = { search: data.get("search"), level: data.get("level") };
  if (replaceAddress) {
    const query = new URLSearchParams();
    if (filter.search) query.set("search", filter.search);
    if (filter.level !== "DEBUG") query.set("level", filter.level);
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
  }
  for (const link of document.querySelectorAll("a.download")) {
    const address = new URL(link.href);
    address.searchParams.set("level", filter.level);
    if (filter.search) address.searchParams.set("search", filter.search);
    else address.searchParams.delete("search");
    link.href = address;
  }
  found?.stop();
  found = isFiltered() ? new Found(known, (after, limit, signal) => lines.page({ ...given(), after, limit }, signal), grown) : null;
  view.show(found ?? all);
  if (found) found.more(view.follows);
  listen();
}

/** Shows where the text that was searched for is, where browsers can do that. */
function mark() {
  if (!("highlights" in CSS)) return;
  const needle = filter.search.toLowerCase();
  const ranges = [];
  if (needle) {
    for (const message of root.querySelectorAll(".message")) {
      const walker = document.createTreeWalker(message, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.data.toLowerCase();
        if (text.length !== node.data.length) continue;
        for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length)) {
          ranges.push(new StaticRange({ startContainer: node, startOffset: at, endContainer: node, endOffset: at + needle.length }));
        }
      }
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

// Lines that are chosen.

let chosen = null;

function choose(wanted) {
  chosen = wanted;
  view.choose(wanted);
  history.replaceState(null, "", wanted ? range.format(wanted) : `${location.pathname}${location.search}`);
}

/** Shows what the address names. */
async function goToHash() {
  chosen = range.parse(location.hash);
  view.choose(chosen);
  if (chosen) await goTo(chosen.from);
}

async function goTo(seq) {
  setFollow(false);
  if (found) {
    const place = found.placeOf(seq);
    if (place >= 0) return view.to(place);
    clearFilter();
  }
  await view.to(seq);
}

function clearFilter() {
  form.elements.search.value = "";
  form.elements.level.value = "DEBUG";
  applyFilter();
}

function firstError() {
  if (known.firstError === null) return announce("There is no error.");
  choose({ from: known.firstError, to: known.firstError, anchor: known.firstError });
  return goTo(known.firstError);
}

/** The chosen lines as text, or all that are shown. */
async function copy() {
  const query = new URLSearchParams({ ...given(), format: "text" });
  let text;
  if (chosen) {
    await lines.load(chosen.from, chosen.to);
    const copied = [];
    for (let seq = chosen.from; seq <= chosen.to; seq += 1) {
      const line = lines.get(seq)?.cut ? await lines.whole(seq) : lines.get(seq);
      if (line) copied.push(line.spans.map((span) => span.text).join(""));
    }
    text = copied.join("\n");
  } else {
    text = await (await fetch(`/api/v1/jobs/${job}/logs/download?${query}`)).text();
  }
  await navigator.clipboard.writeText(text);
  announce("Copied.");
  const button = $("[data-do=copy]");
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

// Folding.

function toggle(seq) {
  if (!view.folded.delete(seq)) view.folded.add(seq);
  setFollow(false);
  view.layout();
}

function foldAll() {
  const fold = view.folded.size < known.steps.length;
  view.folded = new Set(fold ? known.steps.map((step) => step.seq) : []);
  $("[data-do=fold]").textContent = fold ? "Unfold all" : "Fold all";
  setFollow(false);
  view.layout();
}

/** Goes to the next step, or the one before. */
function step(by) {
  const here = found ? (found.seqAt(view.place) ?? 1) : view.place;
  const next = by > 0 ? known.steps.find(({ seq }) => seq > here) : known.steps.findLast(({ seq }) => seq < here);
  if (next) goTo(next.seq);
}

function setTimes(times) {
  view.times = times;
  root.dataset.times = times;
  $("[data-do=times]").value = times;
  localStorage.setItem("docket.times", times);
  view.redraw();
}

const TIMES = ["clock", "relative", "off"];

const map = [
  { keys: ["?"], label: "this map", run: () => $("#keys").showModal() },
  { keys: ["/"], label: "search", run: () => form.elements.search.select() },
  { keys: ["e"], label: "first error", run: firstError },
  { keys: ["f", "G"], label: "to the end, and follow", run: () => setFollow(true) },
  { keys: ["g"], label: "to the beginning", run: () => (setFollow(false), scrollTo(0, 0)) },
  { keys: ["]"], label: "next step", run: () => step(1) },
  { keys: ["["], label: "step before", run: () => step(-1) },
  { keys: ["o"], label: "fold or unfold all steps", run: foldAll },
  { keys: ["t"], label: "times: of day, since start, off", run: () => setTimes(TIMES[(TIMES.indexOf(view.times) + 1) % 3]) },
  { keys: ["c"], label: "copy the chosen lines, or all", run: copy },
  { keys: ["x"], label: "show all lines again", run: () => (clearFilter(), chosen && goTo(chosen.from)) },
  { keys: ["Esc"], label: "choose no line", run: () => choose(null) },
];

function start() {
  for (const item of root.querySelectorAll("li")) lines.put(read(item));
  for (const shown of document.querySelectorAll("[data-do][hidden], .scripted[hidden]")) shown.hidden = false;
  for (const pages of document.querySelectorAll(".log-pages")) pages.remove();
  readHead($("#head"));
  const asked = new URLSearchParams(location.search);
  filter = { search: form.elements.search.value, level: form.elements.level.value };
  view.takeOver();
  const times = localStorage.getItem("docket.times");
  if (TIMES.includes(times) && times !== "clock") setTimes(times);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    applyFilter();
  });
  let typing = 0;
  form.elements.search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(applyFilter, 300);
  });
  form.elements.level.addEventListener("change", () => applyFilter());
  addEventListener("hashchange", goToHash);
  document.addEventListener("click", clicked);
  $("[data-do=times]").addEventListener("change", (event) => setTimes(event.target.value));
  keys(map, $("#keys"));
  watchScrolling();
  setInterval(() => !known.isFinished && grow(document, Date.now() + known.ahead), 1000);
  if (isFiltered()) applyFilter(false);
  else {
    view.layout();
    listen();
  }
  const after = Number(asked.get("after"));
  if (range.parse(location.hash)) goToHash();
  else if (after > 0 && !found) view.to(after + 1);
  else setFollow(!known.isFinished);
  if (!known.isFinished) headTimer = setTimeout(refreshHead, 2000);
  watchForRerun();
  document.documentElement.dataset.alive = "log";
}

async function clicked(event) {
  const { target } = event;
  const heading = target.closest("[data-step]");
  if (heading) return toggle(Number(heading.dataset.step));
  const seq = target.closest("a.seq");
  if (seq && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    getSelection().removeAllRanges();
    const number = Number(seq.textContent);
    setFollow(false);
    return choose(event.shiftKey ? range.extend(chosen, number) : range.extend(null, number));
  }
  const whole = target.closest("button[data-whole]");
  if (whole) {
    const message = whole.closest(".message");
    whole.disabled = true;
    const line = await lines.whole(Number(whole.dataset.whole));
    if (line) fill(message, line);
    return view.ask();
  }
  if (target.closest("#first-error")) {
    event.preventDefault();
    return firstError();
  }
  switch (target.closest("[data-do]")?.dataset.do) {
    case "fold":
      return foldAll();
    case "copy":
      return copy();
    case "keys":
      return $("#keys").showModal();
    case "follow":
      return setFollow(!view.follows);
  }
}

start();
