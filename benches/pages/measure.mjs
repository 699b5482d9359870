// Measures pages in Debian's chromium: the log page beside a log viewer from npm and plain text, and how large and how quick the other pages are.
//
// Usage: measure.mjs SERVER TOOLS PEER SMALL LARGE; started by benches/pages/run. SMALL and LARGE are jobs with 10,000 and 1,000,000 lines. Prints JSON.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const [server, tools, peer, small, large] = process.argv.slice(2);
const { chromium } = createRequire(`${tools}/`)("playwright-core");

const ROUNDS = 5;

/** How long anything may take. */
const PATIENCE = 120_000;

/** How long one wheels through a log, and how far with each turn of the wheel. */
const WHEEL_MILLIS = 5000;
const WHEEL_PIXELS = 600;

/** How many places of a long log are jumped to. */
const JUMPS = 20;

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const percentile = (values, share) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];

/** Serves the peer's page, and logs as plain text, compressed where the client takes it as ours are. */
async function servePeers() {
  const files = { "/viewer.js": ["text/javascript", await readFile(join(peer, "viewer.js"))] };
  files["/viewer"] = ["text/html", '<!doctype html><meta charset="utf-8"><title>viewer</title><div id="root"></div><script type="module" src="/viewer.js"></script>'];
  const texts = {};
  for (const job of [small, large]) {
    texts[job] = await (await fetch(`${server}/api/v1/jobs/${job}/logs/download`)).text();
    files[`/text/${job}`] = ["text/plain; charset=utf-8", texts[job]];
  }
  const compressed = new Map();
  const listener = createServer((request, response) => {
    const path = request.url.split("?")[0];
    const [type, body] = files[path] ?? ["text/plain", ""];
    if (!compressed.has(path)) compressed.set(path, gzipSync(body));
    response.writeHead(200, { "content-type": type, "content-encoding": "gzip" });
    response.end(compressed.get(path));
  });
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${listener.address().port}`, stop: () => listener.close() };
}

/** A page in a browser of its own, so that its memory is its own. */
async function open(url) {
  const browser = await chromium.launch({ executablePath: process.env.DOCKET_CHROMIUM ?? "/usr/bin/chromium", chromiumSandbox: false });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(PATIENCE);
  const begun = Date.now();
  await page.goto(url, { waitUntil: "commit" });
  return { browser, page, begun };
}

/** How each of them shows that a line is in view, and what scrolls. */
const kinds = {
  Docket: { line: "#log li", scroller: () => document.scrollingElement },
  "@melloware/react-logviewer": {
    line: ".log-line",
    scroller: () => [...document.querySelectorAll("#root *")].find((one) => one.scrollHeight > one.clientHeight + 100 && getComputedStyle(one).overflowY !== "visible"),
  },
  "plain text": { line: "pre", scroller: () => document.scrollingElement },
};

const isInView = (selector) => {
  for (const found of document.querySelectorAll(selector)) {
    const place = found.getBoundingClientRect();
    if (place.height > 0 && place.bottom > 100 && place.top < innerHeight && found.textContent !== "") return true;
  }
  return false;
};

/** Milliseconds to the first byte and to a view that is full of lines. */
async function firstView(kind, url) {
  const { browser, page } = await open(url);
  await page.waitForFunction(isInView, kinds[kind].line, { polling: "raf" });
  const seen = await page.evaluate(() => performance.now());
  if (kind === "Docket") await page.waitForSelector("html[data-alive=log]");
  const alive = await page.evaluate(() => performance.now());
  const [first] = await page.evaluate(() => performance.getEntriesByType("navigation").map((entry) => entry.responseStart));
  await browser.close();
  return { first, seen, alive };
}

/** Memory of the page: its heap, and what its process holds in all. */
async function memory(browser, page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  await session.send("Performance.enable");
  const { metrics } = await session.send("Performance.getMetrics");
  const heap = metrics.find(({ name }) => name === "JSHeapUsedSize").value;
  const nodes = metrics.find(({ name }) => name === "Nodes").value;
  const whole = await browser.newBrowserCDPSession();
  const { processInfo } = await whole.send("SystemInfo.getProcessInfo");
  const sizes = [];
  for (const { type, id } of processInfo) {
    if (type !== "renderer") continue;
    const rollup = await readFile(`/proc/${id}/smaps_rollup`, "utf8");
    sizes.push(Number(/^Pss: +(\d+)/m.exec(rollup)[1]) * 1024);
  }
  return { heap, nodes, process: Math.max(...sizes) };
}

/** Frame times while one wheels through the log, and how long a view is without lines after a jump. */
async function scroll(kind, page) {
  await page.evaluate(() => {
    globalThis.frames_ = [];
    let last = performance.now();
    const frame = (now) => {
      globalThis.frames_.push(now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  await page.mouse.move(640, 500);
  await page.evaluate(() => (globalThis.frames_.length = 0));
  const end = Date.now() + WHEEL_MILLIS;
  while (Date.now() < end) {
    await page.mouse.wheel(0, WHEEL_PIXELS);
    await page.waitForTimeout(16);
  }
  const wheeled = await page.evaluate(() => globalThis.frames_.splice(0));
  const jumps = [];
  for (let number = 1; number <= JUMPS; number += 1) {
    const share = (number * 7 % JUMPS + 0.5) / JUMPS;
    jumps.push(
      await page.evaluate(
        async ([scroller, selector, inView, share]) => {
          const element = new Function(`return (${scroller})()`)();
          const isInView = new Function(`return ${inView}`)();
          const begun = performance.now();
          element.scrollTop = element.scrollHeight * share;
          do await new Promise(requestAnimationFrame);
          while (!isInView(selector));
          return performance.now() - begun;
        },
        [kinds[kind].scroller.toString(), kinds[kind].line, isInView.toString(), share],
      ),
    );
  }
  const jumped = await page.evaluate(() => globalThis.frames_.splice(0));
  return {
    frame_p50: median(wheeled),
    frame_p99: percentile(wheeled, 0.99),
    frame_max: Math.max(...wheeled),
    jump_p50: median(jumps),
    jump_max: Math.max(...jumps),
    jump_frame_max: Math.max(...jumped),
  };
}

async function logs(figures, texts) {
  const urls = (job) => ({
    Docket: `${server}/logs/${job}`,
    "@melloware/react-logviewer": `${texts.url}/viewer?log=${encodeURIComponent(`/text/${job}`)}`,
    "plain text": `${texts.url}/text/${job}`,
  });
  for (const [kind, url] of Object.entries(urls(small))) {
    const rounds = [];
    for (let round = 0; round < ROUNDS; round += 1) rounds.push(await firstView(kind, url));
    const of = (key) => median(rounds.map((one) => one[key]));
    figures.small.push({ kind, first: of("first"), seen: of("seen"), alive: of("alive") });
    console.error(`10,000 lines, ${kind}: ${of("seen").toFixed(0)} ms`);
  }
  for (const [kind, url] of Object.entries(urls(large))) {
    const figure = { kind };
    figures.large.push(figure);
    const { browser, page } = await open(url);
    try {
      await longLog(figure, browser, page);
    } catch (error) {
      // A tab that runs out of memory, or of time, is a figure, too.
      if (/crashed/i.test(error.message)) figure.failed = "crashed";
      else if (error.name === "TimeoutError") figure.failed = `not in ${PATIENCE / 1000} s`;
      else throw error;
    }
    console.error(`1,000,000 lines, ${JSON.stringify(figure)}`);
    await browser.close();
  }
}

async function longLog(figure, browser, page) {
  const { line, scroller } = kinds[figure.kind];
  await page.waitForFunction(isInView, line, { polling: "raf" });
  figure.seen = await page.evaluate(() => performance.now());
  // One can go to its end.
  await page.waitForFunction((find) => {
    const element = new Function(`return (${find})()`)();
    return element && element.scrollHeight > 10_000_000;
  }, scroller.toString());
  await page.waitForLoadState("load");
  figure.whole = await page.evaluate(() => performance.now());
  figure.before = await memory(browser, page);
  Object.assign(figure, await scroll(figure.kind, page));
  figure.after = await memory(browser, page);
}

/** How many bytes a page is, with what it loads: as they come over the wire, and unpacked. */
async function sizes(figures, texts) {
  const pages = { ...Object.fromEntries(figures.pages.map(({ path }) => [path, `${server}${path}`])) };
  pages["/logs/… of 10,000 lines"] = `${server}/logs/${small}`;
  pages["@melloware/react-logviewer, without the log"] = `${texts.url}/viewer?log=${encodeURIComponent("/text/none")}`;
  for (const [name, url] of Object.entries(pages)) {
    const { browser, page } = await open(url);
    await page.waitForLoadState("networkidle");
    const found = await page.evaluate(() => {
      const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
      const kind = (entry) => (entry.entryType === "navigation" ? "html" : /\.css$/.test(entry.name) ? "css" : /\.js$/.test(entry.name) ? "js" : "other");
      return entries.map((entry) => ({ kind: kind(entry), sent: entry.encodedBodySize, size: entry.decodedBodySize }));
    });
    const sum = (kind, key) => found.filter((one) => one.kind === kind).reduce((sum, one) => sum + one[key], 0);
    const row = { name };
    for (const kind of ["html", "css", "js"]) [row[kind], row[`${kind}_size`]] = [sum(kind, "sent"), sum(kind, "size")];
    figures.sizes.push(row);
    await browser.close();
  }
}

/** Milliseconds to the first byte of a page, one request after the other. */
async function firstBytes(figures) {
  for (const page of figures.pages) {
    const times = [];
    for (let round = 0; round < 50; round += 1) {
      const begun = performance.now();
      const answer = await fetch(`${server}${page.path}`, { headers: { accept: "text/html" } });
      times.push(performance.now() - begun);
      await answer.arrayBuffer();
    }
    page.first = median(times);
  }
}

const paths = ["/", "/packages", "/packages/prelude", "/package-sets", "/package-sets/latest", "/jobs", "/docs"];
const figures = { small: [], large: [], sizes: [], pages: paths.map((path) => ({ path })) };
figures.pages.push({ path: `/logs/${small}` });
const texts = await servePeers();
await firstBytes(figures);
figures.pages.pop();
await sizes(figures, texts);
await logs(figures, texts);
texts.stop();
console.log(JSON.stringify(figures));
