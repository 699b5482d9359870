// What is promised of the other pages, in a real browser.

import { assert, assertEqual, axe, play, until } from "./stage.mjs";

/** Every page of a registry in which `demo` was published and whose last set is 1.0.0; the last one is not there. */
const PAGES = [
  "/",
  "/packages",
  "/packages?q=prel",
  "/packages/demo",
  "/packages/demo/1.0.0",
  "/packages/prelude/dependants",
  "/package-sets",
  "/package-sets/1.0.0",
  "/package-sets/1.0.0?against=1.0.0",
  "/jobs",
  "/jobs?state=failed",
  "/docs",
  "/docs/problems",
  "/legal/takedown",
  "/packages/nobody-has-this",
];

/** A registry with something on every page: a publish, a job that failed, one that runs and one that waits for it. */
async function busy(ask) {
  await ask("publish");
  const failed = await ask("job");
  await ask("start");
  await ask("end", { code: "failed" });
  const running = await ask("job");
  await ask("start");
  const waiting = await ask("job");
  return { failed: failed.id, running: running.id, waiting: waiting.id };
}

const names = (page) => page.$$eval("#results .name", (all) => all.map((name) => name.textContent));

/** The text of a page without what only scripts add. */
const text = (page) => page.$eval("main", (main) => main.innerText.replace(/\s+/g, " ").trim());

/** How far it can be scrolled sideways, in pixels. */
const overhang = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

await play({
  async axe_finds_nothing_on_any_page_in_light_and_dark({ ask, open, shot }) {
    const { failed } = await busy(ask);
    for (const colorScheme of ["light", "dark"]) {
      for (const path of [...PAGES, `/logs/${failed}`]) {
        const page = await open(path, { colorScheme });
        await page.waitForLoadState("load");
        assertEqual(await axe(page), [], `${path} in ${colorScheme}`);
        await shot(page, `page-${colorScheme}${path.replaceAll(/\W/g, "-")}`);
        await page.context().close();
      }
    }
  },

  async a_narrow_screen_needs_no_sideways_scrolling_on_any_page({ ask, open, shot }) {
    await busy(ask);
    for (const path of PAGES) {
      const page = await open(path, { viewport: { width: 320, height: 640 } });
      await page.waitForLoadState("load");
      assertEqual(await overhang(page), 0, path);
      await shot(page, `narrow${path.replaceAll(/\W/g, "-")}`);
      await page.context().close();
    }
  },

  async without_scripts_every_page_says_the_same({ ask, open }) {
    await busy(ask);
    for (const path of PAGES) {
      const [plain, live] = [await open(path, { javaScriptEnabled: false }), await open(path)];
      const added = ["Copy", "Stop updating"];
      const strip = (words) => added.reduce((rest, word) => rest.replaceAll(word, ""), words).replaceAll(/\s+/g, "");
      // Ages and lengths go on while one reads.
      const still = (words) => strip(words).replaceAll(/\d+/g, "0");
      const [shown, wanted] = [await text(plain), await text(live)];
      assert(shown.length > 20, `${path} says something`);
      assertEqual(still(shown), still(wanted), path);
      await plain.context().close();
      await live.context().close();
    }
  },

  async packages_are_found_while_one_types({ ask, open }) {
    await ask("publish");
    const page = await open("/packages");
    assertEqual((await names(page)).toSorted(), ["demo", "prelude"]);
    await page.evaluate(() => (globalThis.sameDocument = true));
    await page.keyboard.press("/");
    await page.keyboard.type("prelu");
    await until("the words in the address", () => page.url().endsWith("/packages?q=prelu"));
    assertEqual(await names(page), ["prelude"]);
    assert((await page.textContent("#results-status")) !== "", "who cannot see them is told how many there are");
    for (let letter = 0; letter < 5; letter++) await page.keyboard.press("Backspace");
    await until("an address without words", () => page.url().endsWith("/packages"));
    assertEqual((await names(page)).toSorted(), ["demo", "prelude"]);
    assert(await page.evaluate(() => globalThis.sameDocument), "nothing was loaded again");
    await page.fill("main [name=q]", "no such words");
    await until("that there are none", async () => (await names(page)).length === 0);
    assert((await page.textContent("#results")).trim() !== "", "it says so");
  },

  async packages_are_found_by_a_plain_form({ ask, open }) {
    await ask("publish");
    const page = await open("/", { javaScriptEnabled: false });
    await page.fill("main [name=q]", "prelude");
    await page.press("main [name=q]", "Enter");
    await page.waitForURL(/\/packages\?q=prelude$/);
    assertEqual(await names(page), ["prelude"]);
    await page.click("#results .name");
    await page.waitForURL(/\/packages\/prelude$/);
  },

  async the_page_of_jobs_is_live({ ask, open, shot }) {
    const page = await open("/jobs");
    await page.evaluate(() => (globalThis.sameDocument = true));
    assert((await page.textContent("[data-live=running]")).includes("Nothing runs"), "nothing runs yet");
    const { id } = await ask("job");
    await ask("start");
    const runs = `[data-live=running] a[href="/logs/${id}"]`;
    await page.waitForSelector(runs);
    const waiting = await ask("job");
    await page.waitForSelector(`[data-live=waiting] a[href="/logs/${waiting.id}"]`);
    assert((await page.textContent("[data-live=waiting]")).includes("package/demo"), "it says why it waits");
    await page.waitForSelector(`[data-live=locks] a[href="/logs/${id}"]`);
    await shot(page, "jobs-live");
    await ask("end", { code: "failed" });
    await page.waitForSelector(`[data-live=list] a[href="/logs/${id}"]`);
    await until("that it runs no more", async () => (await page.$(runs)) === null);
    assert(await page.evaluate(() => globalThis.sameDocument), "nothing was loaded again");
  },

  async a_page_that_was_told_to_stop_asks_for_nothing({ open }) {
    const page = await open("/jobs");
    await page.clock.install();
    await page.reload();
    let asked = 0;
    page.on("request", (request) => (asked += request.resourceType() === "fetch" ? 1 : 0));
    await page.clock.runFor(10_000);
    await until("that it looks again", () => asked > 0);
    await page.click("[data-live-control] button");
    const before = asked;
    await page.clock.runFor(600_000);
    assertEqual(asked, before);
    await page.click("[data-live-control] button");
    await until("that it goes on", () => asked > before);
  },

  async filters_of_jobs_stand_in_the_address({ ask, open }) {
    const { failed } = await busy(ask);
    const page = await open("/jobs");
    await page.selectOption("[name=state]", "failed");
    await page.fill("[name=package]", "demo");
    await page.click("form.filter button");
    await page.waitForURL(/state=failed/);
    const shown = () => page.$$eval("[data-live=list] tbody a", (links) => links.map((link) => link.getAttribute("href")));
    assertEqual(await shown(), [`/logs/${failed}`]);
    const again = await open(new URL(page.url()).pathname + new URL(page.url()).search);
    assertEqual(await again.inputValue("[name=state]"), "failed");
    assertEqual(await again.inputValue("[name=package]"), "demo");
    await page.click("[data-live=list] tbody a");
    await page.waitForURL(`**/logs/${failed}`);
  },

  async everything_is_reached_with_the_keyboard({ ask, open }) {
    await ask("publish");
    const page = await open("/packages/demo");
    await page.keyboard.press("Tab");
    assertEqual(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    assertEqual(await page.evaluate(() => document.activeElement.id), "main");
    const wanted = await page.$$eval("main :is(a, button, input, select, summary)", (all) => all.filter((one) => one.checkVisibility()).length);
    assert(wanted > 5, `there is something to reach: ${wanted}`);
    const reached = new Set();
    for (let press = 0; press < wanted + 5; press++) {
      await page.keyboard.press("Tab");
      const here = await page.evaluate(() => {
        const one = document.activeElement;
        const style = getComputedStyle(one);
        const place = [...document.querySelectorAll("main :is(a, button, input, select, summary)")].indexOf(one);
        return { place, seen: style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) > 0, html: one.outerHTML.slice(0, 100) };
      });
      if (here.place < 0) continue;
      assert(here.seen, `where the keyboard is can be seen at ${here.html}`);
      reached.add(here.place);
    }
    assert(reached.size >= wanted, `${reached.size} of ${wanted} were reached`);
  },

  async commands_are_copied_by_a_button({ ask, open }) {
    await ask("publish");
    const page = await open("/packages/demo");
    await page.click("[data-copy] button");
    await until("the answer", async () => (await page.textContent("[data-copy] button")) === "Copied");
    assertEqual(await page.evaluate(() => navigator.clipboard.readText()), await page.textContent("[data-copy] code"));
  },

  async a_takedown_notice_is_sent_and_its_case_can_be_read({ open, shot }) {
    const page = await open("/legal/takedown", { javaScriptEnabled: false });
    const fields = await page.$$eval("form.fields [name]", (all) => all.filter((one) => one.tabIndex >= 0).map(({ name, type, tagName }) => ({ name, type, tagName })));
    for (const { name, type, tagName } of fields) {
      const value = type === "email" ? "me@example.org" : type === "url" ? "https://example.org/work" : tagName === "TEXTAREA" ? "It is mine, and I say so." : "Words";
      await page.fill(`form.fields [name="${name}"]`, value);
    }
    await shot(page, "takedown-filled");
    await page.click("form.fields button");
    await page.waitForURL(/\/legal\/takedown\/[0-9a-f-]{36}/);
    assert((await text(page)).length > 40, "the page of the case says what happens now");
    const forbidden = await page.$$eval("main", (all) => all.some((main) => main.innerText.includes("me@example.org")));
    assert(!forbidden, "the address of whoever sent it is for trustees");
    await shot(page, "takedown-case");
  },
});
