// One line as an element. Whatever a line holds, it becomes text here and nothing else.

import { clock, relative } from "./times.js";

const make = (name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

/** Fills `element` with the pieces of a message. */
export function fill(element, line) {
  element.replaceChildren(
    ...line.spans.map((span) => (span.class ? make("span", span.class, span.text) : document.createTextNode(span.text))),
  );
  if (line.cut) {
    const more = make("button", "whole", `${line.cut.toLocaleString("en")} more characters`);
    more.type = "button";
    more.dataset.whole = line.seq;
    element.append(more);
  }
}

/** The text of the time column. */
export const time = (line, times, start) => (times === "relative" ? relative(line.timestamp, start) : clock(line.timestamp));

/** Makes the element of a line. */
export function row(line, { times, start, chosen }) {
  const item = make("li", `level-${line.level.toLowerCase()}`);
  item.id = `L${line.seq}`;
  if (chosen && line.seq >= chosen.from && line.seq <= chosen.to) item.classList.add("chosen");
  const seq = make("a", "seq", String(line.seq));
  seq.href = `#L${line.seq}`;
  const at = make("time", "", time(line, times, start));
  at.dateTime = line.timestamp;
  at.title = line.timestamp;
  const message = make("span", "message");
  fill(message, line);
  item.append(seq, at, make("span", "level", line.level), message);
  return item;
}

/** Reads a line back from the element that the server made. */
export function read(item) {
  const message = item.querySelector(".message");
  const whole = message.querySelector("a.whole");
  return {
    seq: Number(item.id.slice(1)),
    timestamp: item.querySelector("time").dateTime,
    level: item.querySelector(".level").textContent,
    cut: whole ? Number(whole.dataset.cut) : 0,
    spans: [...message.childNodes]
      .filter((node) => node !== whole)
      .map((node) => ({ text: node.textContent, class: node.className ?? "" })),
  };
}
