// How a test in the browser is played: one function, one registry of its own, one browser. See README.md.

import { createRequire } from "node:module";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

const tools = process.env.DOCKET_BROWSER_TOOLS;
const url = process.env.DOCKET_URL;

/** How long anything may take before the test says that it never will. Generous: a busy machine is no failure. */
const DEADLINE = Number(process.env.DOCKET_BROWSER_DEADLINE ?? 60) * 1000;

/** Asks the harness for something and waits for the answer. */
function asker() {
  const waiting = [];
  const answers = createInterface({ input: process.stdin });
  answers.on("line", (line) => waiting.shift()(JSON.parse(line)));
  let ours = false;
  // Whoever answers is gone when the harness failed or was killed: nobody wants the rest.
  answers.on("close", () => ours || process.exit(1));
  const ask = (what, more = {}) =>
    new Promise((resolve) => {
      waiting.push(resolve);
      process.stdout.write(`${JSON.stringify({ ask: what, ...more })}\n`);
    });
  const close = () => {
    ours = true;
    answers.close();
  };
  return { ask, close };
}

export function assert(condition, text) {
  if (!condition) throw new Error(text);
}

export function assertEqual(left, right, text = "they differ") {
  const [a, b] = [JSON.stringify(left), JSON.stringify(right)];
  assert(a === b, `${text}: ${a} is not ${b}`);
}

/** Waits until `condition` returns something. */
export async function until(what, condition) {
  const end = Date.now() + DEADLINE;
  for (;;) {
    const found = await condition();
    if (found) return found;
    assert(Date.now() < end, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What axe finds on a page. Nothing is left out. */
export async function axe(page) {
  const path = createRequire(`${tools}/`).resolve("axe-core/axe.min.js");
  await page.evaluate(await readFile(path, "utf8"));
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`).join("; ")}`);
}

/**
 * Plays the test whose name the command line has, or lists the names with `--list`.
 *
 * A test gets `url`, `ask`, `open(path, options)` for a page in a window of its own, and `shot(page, name)`. It fails also when a page asks
 * another host for something, when its policy is hurt, or when a script of it throws.
 */
export async function play(tests) {
  const name = process.argv[2];
  if (name === "--list") return console.log(Object.keys(tests).join("\n"));
  const { chromium } = createRequire(`${tools}/`)("playwright-core");
  const browser = await chromium.launch({
    executablePath: process.env.DOCKET_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    chromiumSandbox: false,
  });
  const { ask, close } = asker();
  const troubles = [];
  const pages = [];
  const open = async (path, options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light", ...options });
    context.setDefaultTimeout(DEADLINE);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await context.newPage();
    pages.push(page);
    page.on("request", (request) => {
      if (!request.url().startsWith(`${url}/`)) troubles.push(`the page asks for ${request.url()}`);
    });
    page.on("pageerror", (error) => troubles.push(`a script failed: ${error.stack}`));
    page.on("dialog", (dialog) => troubles.push(`a page opened a dialog: ${dialog.message()}`));
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) troubles.push(message.text());
    });
    const web = process.env.DOCKET_WEB;
    if (web) await page.route(/\/(scripts|styles)\/[\w/.-]+$/, (route) => route.fulfill({ path: join(web, new URL(route.request().url()).pathname) }));
    await page.goto(`${url}${path}`);
    return page;
  };
  const shots = process.env.DOCKET_SHOTS;
  const shot = async (page, file) => {
    if (!shots) return;
    await mkdir(shots, { recursive: true });
    await page.screenshot({ path: join(shots, `${file}.png`) });
  };
  try {
    await tests[name]({ url, ask, open, shot });
    assertEqual(troubles, [], "pages made trouble");
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    for (const trouble of troubles) console.error(trouble);
    for (const [number, page] of pages.entries()) await shot(page, `failed-${name}-${number}`).catch(() => {});
    process.exitCode = 1;
  } finally {
    await browser.close();
    close();
  }
}
