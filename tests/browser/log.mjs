// What is promised of the page of a log, in a real browser.

import { assert, assertEqual, axe, play, until } from "./stage.mjs";

/** The seqs of the lines in the document. */
const seqs = (page) => page.$$eval("#log li", (items) => items.map((item) => Number(item.id.slice(1))));

/** The messages of the lines in the document. */
const messages = (page) => page.$$eval("#log .message", (all) => all.map((message) => message.textContent));

/** Clicks what leads to another page, and waits until that is there as a whole: a click alone waits for its beginning. */
const go = (page, target) => Promise.all([page.waitForEvent("load"), page.click(target)]);

/** True when the line with this text can be seen. */
const isSeen = (page, text) =>
  page.evaluate((wanted) => {
    const found = [...document.querySelectorAll("#log .message")].find((message) => message.textContent === wanted);
    const place = found?.getBoundingClientRect();
    return Boolean(place && place.bottom > 0 && place.top < innerHeight);
  }, text);

const seen = (page, text) => until(`the line "${text}"`, () => isSeen(page, text));
const state = (page) => page.textContent("#head .state");
const alive = (page) => page.waitForSelector("html[data-alive=log]");

/** Opens the page of a job and waits for its scripts. */
async function openLog(open, id, more = "", options = {}) {
  const page = await open(`/logs/${id}${more}`, options);
  if (options.javaScriptEnabled !== false) await alive(page);
  return page;
}

/** A job that runs. */
async function running(ask) {
  const { id } = await ask("job");
  await ask("start");
  return id;
}

/** A job that failed, with so many lines in two steps. */
async function failed(ask, count = 60) {
  const id = await running(ask);
  await ask("step", { name: "Fetch the source" });
  await ask("lines", { first: 1, count: count / 2 });
  await ask("step", { name: "Compile" });
  await ask("lines", { first: count / 2 + 1, count: count / 2 });
  await ask("line", { level: "WARN", text: "a warning" });
  await ask("end", { code: "failed" });
  return id;
}

const focusPage = (page) => page.evaluate(() => document.activeElement?.blur());

await play({
  async a_finished_log_is_there_at_once_and_whole({ url, ask, open, shot }) {
    const { id } = await ask("publish");
    const page = await openLog(open, id);
    assertEqual(await state(page), "succeeded");
    assertEqual(await page.getAttribute("#head h1 a", "href"), "/packages/demo");
    assert((await page.textContent("#end")).startsWith("This job has succeeded after "), "the end tells the result");
    const facts = await page.textContent(".log-facts");
    for (const fact of ["asked", "by", "waited", "ran", "attempt", id]) assert(facts.includes(fact), `${fact} in ${facts}`);
    const stored = await (await fetch(`${url}/api/v1/jobs/${id}/logs?level=DEBUG&limit=1000`)).json();
    await until("all lines", async () => (await seqs(page)).length === stored.lines.length);
    assertEqual(await messages(page), stored.lines.map((line) => line.message));
    const steps = await page.$$eval(".log-step .name", (names) => names.map((name) => name.textContent));
    assertEqual(steps, stored.steps.map((step) => step.name));
    for (const name of ["Fetch the source", "Plan the build", "Compile", "Pack and upload"]) assert(steps.includes(name), `${name} in ${steps}`);
    assert(stored.steps.every((step) => step.endedAt), "each step has ended");
    await shot(page, "publish-1280");
  },

  async a_running_job_is_followed_to_its_end({ ask, open, shot }) {
    const id = await running(ask);
    await ask("line", { text: "before the page" });
    const page = await openLog(open, id);
    await page.evaluate(() => (globalThis.sameDocument = true));
    await seen(page, "before the page");
    assertEqual(await state(page), "running");
    await ask("step", { name: "Compile" });
    await ask("lines", { first: 1, count: 10 });
    await until("the step", async () => (await page.$$(".log-step")).length === 1);
    assert((await page.textContent(".log-step .length")) !== "", "the step's time runs");
    await ask("lines", { first: 11, count: 290 });
    await seen(page, "line 300 of many");
    assertEqual(await page.getAttribute("[data-do=follow]", "aria-pressed"), "true");
    await shot(page, "running-1280");
    await ask("lines", { first: 301, count: 50 });
    await seen(page, "line 350 of many");
    await ask("end");
    await until("the end", async () => (await page.textContent("#end")).startsWith("This job has succeeded"));
    assertEqual(await state(page), "succeeded");
    assert((await page.title()).endsWith("succeeded"), "the title tells it too");
    assert(await page.evaluate(() => globalThis.sameDocument), "nothing was loaded again");
    const all = await seqs(page);
    assertEqual(all, [...new Set(all)].sort((a, b) => a - b), "each line once, in order");
  },

  async following_stops_when_one_scrolls_up_and_resumes_at_the_end({ ask, open }) {
    const id = await running(ask);
    await ask("lines", { first: 1, count: 500 });
    const page = await openLog(open, id);
    await seen(page, "line 500 of many");
    const pressed = () => page.getAttribute("[data-do=follow]", "aria-pressed");
    await page.mouse.move(600, 500);
    await page.mouse.wheel(0, -2000);
    await until("the end of following", async () => (await pressed()) === "false");
    await until("that it has scrolled", async () => !(await isSeen(page, "line 500 of many")));
    const before = await page.evaluate(() => document.querySelector("#log li").getBoundingClientRect().top + document.querySelector("#log li").offsetTop * 0);
    await ask("lines", { first: 501, count: 100 });
    await until("the new lines", async () => Number(await page.getAttribute("#head", "data-total")) === 600);
    assert(!(await isSeen(page, "line 600 of many")), "the view stays where it was");
    const after = await page.evaluate(() => document.querySelector("#log li").getBoundingClientRect().top);
    assert(Math.abs(after - before) < 2, `the view does not move: ${before}, ${after}`);
    await until("the end by scrolling", async () => {
      await page.mouse.wheel(0, 3000);
      return (await pressed()) === "true";
    });
    await ask("lines", { first: 601, count: 10 });
    await seen(page, "line 610 of many");
  },

  async a_restart_of_the_server_loses_and_doubles_no_line({ ask, open }) {
    const id = await running(ask);
    await ask("lines", { first: 1, count: 50 });
    const page = await openLog(open, id);
    await seen(page, "line 50 of many");
    await ask("stop");
    await page.waitForSelector("#notice:not([hidden])");
    assert((await page.textContent("#notice")).includes("connection is lost"), "the reader is told");
    await ask("lines", { first: 51, count: 30 });
    await ask("resume");
    await seen(page, "line 80 of many");
    await page.waitForSelector("#notice", { state: "hidden" });
    await ask("lines", { first: 81, count: 10 });
    await seen(page, "line 90 of many");
    assertEqual(await seqs(page), Array.from({ length: 90 }, (_, number) => number + 1));
  },

  async a_watcher_that_was_away_for_long_catches_up({ ask, open }) {
    const id = await running(ask);
    await ask("lines", { first: 1, count: 10 });
    const page = await openLog(open, id);
    await seen(page, "line 10 of many");
    await ask("stop");
    await ask("lines", { first: 11, count: 8000 });
    await ask("resume");
    await seen(page, "line 8010 of many");
    await focusPage(page);
    await page.keyboard.press("g");
    await seen(page, "line 1 of many");
    await page.evaluate(() => (location.hash = "#L4000"));
    await seen(page, "line 4000 of many");
    await ask("end");
    await until("the end", async () => (await state(page)) === "succeeded");
  },

  async a_job_that_waits_says_why_until_it_runs({ ask, open, shot }) {
    const { id } = await ask("job");
    const page = await openLog(open, id);
    assertEqual(await state(page), "queued");
    assert((await page.textContent(".why")).includes("It waits for"), "why");
    assertEqual(await page.textContent("#empty"), "No lines yet.");
    await shot(page, "waiting-1280");
    await ask("start");
    await until("that it runs", async () => (await state(page)) === "running");
    await ask("line", { text: "at work" });
    await seen(page, "at work");
    assert(!(await page.textContent("#head")).includes("It waits for"), "it waits no longer");
  },

  async a_link_to_a_range_shows_it_and_survives_a_rerun({ ask, open }) {
    const id = await failed(ask, 3000);
    const page = await openLog(open, id, "#L1201-L1210");
    const chosen = () => page.$$eval("#log li.chosen .message", (all) => all.map((message) => message.textContent));
    const wanted = Array.from({ length: 10 }, (_, number) => `line ${1201 + number} of many`);
    await seen(page, "line 1205 of many");
    assertEqual(await chosen(), wanted);
    await ask("rerun", { id });
    await ask("start");
    await ask("lines", { first: 1, count: 20 });
    await ask("end");
    await page.reload();
    await alive(page);
    await seen(page, "line 1205 of many");
    assertEqual(await chosen(), wanted);
  },

  async lines_are_chosen_by_click_and_shift_click({ ask, open }) {
    const id = await failed(ask);
    const page = await openLog(open, id);
    await page.click("#L12 .seq");
    assertEqual(new URL(page.url()).hash, "#L12");
    await page.click("#L20 .seq", { modifiers: ["Shift"] });
    assertEqual(new URL(page.url()).hash, "#L12-L20");
    await page.click("#L10 .seq", { modifiers: ["Shift"] });
    assertEqual(new URL(page.url()).hash, "#L10-L12");
    assertEqual(await page.$$eval("li.chosen", (all) => all.length), 3);
    await page.click("[data-do=copy]");
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    await until("the copy", async () => (await copied()) === "line 10 of many\nline 11 of many\nline 12 of many");
  },

  async the_search_runs_on_the_server_and_stands_in_the_address({ ask, open, shot }) {
    const id = await running(ask);
    await ask("lines", { first: 1, count: 3000 });
    const page = await openLog(open, id);
    await page.evaluate(() => (globalThis.sameDocument = true));
    await page.fill("[name=search]", "LINE 29");
    await until("what is found", async () => (await messages(page)).length === 111);
    assertEqual(new URL(page.url()).search, "?search=LINE+29");
    assert((await messages(page)).every((message) => message.startsWith("line 29")), "nothing else");
    assert((await page.getAttribute("a.download", "href")).includes("search=LINE+29"), "downloads have the same lines");
    await shot(page, "search-1280");
    await ask("line", { text: "line 29 again" });
    await ask("line", { text: "something else" });
    await until("the new line", async () => (await messages(page)).length === 112);
    await page.selectOption("[name=level]", "WARN");
    await page.waitForSelector("#empty:not([hidden])");
    await ask("line", { level: "WARN", text: "line 29, a warning" });
    await until("the warning", async () => (await messages(page)).join() === "line 29, a warning");
    assert(await page.evaluate(() => globalThis.sameDocument), "nothing was loaded again");
    await page.reload();
    await alive(page);
    await until("the same after a reload", async () => (await messages(page)).join() === "line 29, a warning");
    await page.click("li .seq");
    await focusPage(page);
    await page.keyboard.press("x");
    await until("all lines again", async () => new URL(page.url()).search === "");
    await seen(page, "line 29, a warning");
    await seen(page, "something else");
  },

  async with_a_filter_the_end_is_the_last_line_that_was_found({ ask, open }) {
    const id = await running(ask);
    await ask("lines", { first: 1, count: 12_000 });
    await ask("line", { text: "something else" });
    await ask("end");
    const page = await openLog(open, id, "?search=of+many");
    await until("the first lines", async () => (await messages(page))[0] === "line 1 of many");
    await page.keyboard.press("G");
    await seen(page, "line 12000 of many");
    assert((await seqs(page)).length < 1000, "few lines are in the document");
    await page.keyboard.press("g");
    await seen(page, "line 1 of many");
    // Those in the middle were forgotten meanwhile.
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight / 2));
    await until("lines of the middle", async () => {
      const [first] = await seqs(page);
      return first > 5000 && first < 7000;
    });
  },

  async a_finished_job_that_is_run_again_goes_live({ ask, open }) {
    const id = await failed(ask);
    const page = await openLog(open, id);
    await page.evaluate(() => (globalThis.sameDocument = true));
    assert((await page.textContent("#end")).startsWith("This job has failed"), "the end tells the result");
    await ask("rerun", { id });
    // Somebody looks at the page again.
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await ask("start");
    await until("that it goes on", async () => (await state(page)) !== "failed");
    await until("that no end is told", async () => (await page.textContent("#end")) === "");
    await page.keyboard.press("G");
    await ask("step", { name: "Fetch the source" });
    await ask("line", { text: "once more" });
    await seen(page, "once more");
    await until("that it runs", async () => (await state(page)) === "running");
    await ask("end");
    await until("the end", async () => (await page.textContent("#end")).startsWith("This job has succeeded"));
    const all = await seqs(page);
    assertEqual(all, [...new Set(all)].sort((a, b) => a - b), "each line once, in order");
    assert(await page.evaluate(() => globalThis.sameDocument), "nothing was loaded again");
  },

  async steps_fold_and_tell_how_long_they_took({ ask, open }) {
    const id = await failed(ask);
    const page = await openLog(open, id);
    const [fetched, compiled] = await page.$$(".log-step");
    assert(/\d+ m?s$/.test(await fetched.textContent()), await fetched.textContent());
    assert((await compiled.textContent()).includes("Compile"), "the second step");
    assertEqual((await seqs(page)).length, 62);
    await fetched.click();
    await until("that it folds", async () => (await seqs(page)).length === 32);
    assertEqual(await fetched.getAttribute("aria-expanded"), "false");
    await page.evaluate(() => (location.hash = "#L5"));
    await seen(page, "line 5 of many");
    assertEqual((await seqs(page)).length, 62, "a link unfolds the step it leads into");
  },

  async every_key_does_what_the_map_says({ ask, open }) {
    const id = await failed(ask, 2000);
    const page = await openLog(open, id);
    const press = (key) => page.keyboard.press(key);
    await press("?");
    await page.waitForSelector("#keys[open]");
    assert((await page.textContent("#keys")).includes("first error"), "the map");
    await press("Escape");
    await page.waitForSelector("#keys:not([open])", { state: "attached" });
    await press("e");
    await seen(page, "It does not compile.");
    assertEqual(new URL(page.url()).hash, "#L2002");
    await press("g");
    await seen(page, "line 1 of many");
    await press("]");
    await seen(page, "line 1001 of many");
    await press("[");
    await seen(page, "line 1 of many");
    await press("G");
    await seen(page, "It does not compile.");
    await press("o");
    await until("all folded", async () => (await seqs(page)).length === 0);
    await press("o");
    await until("all unfolded", async () => (await seqs(page)).length > 0);
    await press("t");
    await until("relative times", async () => (await page.textContent("#log time")).startsWith("+"));
    await press("t");
    await until("no times", async () => page.isHidden("#log time"));
    await press("Escape");
    assertEqual(new URL(page.url()).hash, "");
    await press("/");
    assertEqual(await page.evaluate(() => document.activeElement.name), "search");
    await page.keyboard.type("e");
    assertEqual(await page.inputValue("[name=search]"), "e", "a field takes its keys itself");
    await page.fill("[name=search]", "");
    await focusPage(page);
    await press("?");
    await page.check("[data-do=keys-off]");
    await press("Escape");
    await press("e");
    assertEqual(new URL(page.url()).hash, "", "keys that are turned off do nothing");
  },

  async a_long_log_is_scrolled_with_few_lines_in_the_document({ ask, open }) {
    const id = await running(ask);
    const count = 40_000;
    await ask("lines", { first: 1, count });
    await ask("end");
    const page = await openLog(open, id);
    const few = async () => {
      const there = (await seqs(page)).length;
      assert(there < 1000, `${there} lines are in the document`);
    };
    for (const part of [0.25, 0.5, 0.9, 0.1]) {
      await page.evaluate((where) => scrollTo(0, document.documentElement.scrollHeight * where), part);
      await until("lines in view", () =>
        page.evaluate(() => [document.elementFromPoint(600, 300), document.elementFromPoint(600, 700)].every((element) => element?.closest("#log li"))),
      );
      await few();
    }
    // By the wheel, nothing is skipped: the lines in view go on from each other.
    const order = await seqs(page);
    assertEqual(order, Array.from(order, (_, number) => order[0] + number));
    await page.keyboard.press("G");
    await seen(page, `line ${count} of many`);
    await few();
    await page.evaluate(() => (location.hash = "#L20000"));
    await seen(page, "line 20000 of many");
  },

  async text_of_others_stays_text({ ask, open, shot }) {
    const id = await running(ask);
    const wicked = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    const long = `${"long <b>text</b> ".repeat(62_500)}`;
    const lines = [wicked, "\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u001b[2J", "left \u202ethgir\u2066 mark\u200f", long];
    const shown = [wicked, "red \\u{1b}]0;title\\u{7} \\u{1b}[2J", "left \\u{202e}thgir\\u{2066} mark\\u{200f}"];
    for (const text of lines.slice(0, 2)) await ask("line", { text });
    const page = await openLog(open, id);
    // Two were in the page, two come by the stream.
    for (const text of lines.slice(2)) await ask("line", { text });
    await until("all lines", async () => (await seqs(page)).length === 4);
    const check = async () => {
      assertEqual((await messages(page)).slice(0, 3), shown);
      assertEqual(await page.textContent("#log .ink-1"), "red");
      assertEqual(await page.$$eval("#log .message :is(script, img, b)", (all) => all.length), 0);
      assertEqual(await page.$$eval("#log .message .escape", (all) => all[0].textContent), "\\u{1b}");
    };
    await check();
    await shot(page, "wicked-1280");
    const cut = await page.textContent("#L4 .message");
    assert(cut.length < 4100 && cut.endsWith(`${(long.length - 4000).toLocaleString("en")} more characters`), `${cut.length}, ${cut.slice(-40)}`);
    await page.click("#L4 button.whole");
    await until("the whole line", async () => (await page.textContent("#L4 .message")) === long);
    await ask("end");
    await page.reload();
    await alive(page);
    await check();
    const plain = await openLog(open, id, "", { javaScriptEnabled: false });
    assertEqual((await messages(plain)).slice(0, 3), shown);
    await go(plain, "#L4 a.whole");
    assertEqual((await messages(plain))[0].length, long.length);
  },

  async without_scripts_the_page_is_whole({ ask, open, shot }) {
    const id = await running(ask);
    await ask("step", { name: "Fetch the source" });
    await ask("lines", { first: 1, count: 2500 });
    const options = { javaScriptEnabled: false };
    let page = await openLog(open, id, "", options);
    assertEqual((await messages(page)).at(-1), "line 2500 of many", "the newest lines of a job that runs");
    assert(await page.$("noscript meta[http-equiv=refresh], meta[http-equiv=refresh]"), "the page looks again by itself");
    await go(page, "text=Lines before these");
    assertEqual((await messages(page))[0], "line 501 of many");
    await ask("end");
    page = await openLog(open, id, "", options);
    assertEqual((await messages(page))[0], "line 1 of many");
    assert(await page.isHidden("[data-do=follow]"), "nothing is shown that needs scripts");
    await go(page, "text=Go on");
    await go(page, "text=Go on");
    assertEqual((await messages(page)).at(-1), "line 2500 of many");
    await page.fill("[name=search]", "line 77 ");
    await go(page, ".log-filter button");
    assertEqual(await messages(page), ["line 77 of many"]);
    await page.click(".log-step");
    assert(await page.isHidden("#L77"), "steps fold without scripts too");
    await shot(page, "no-scripts-1280");
  },

  async a_narrow_screen_needs_no_sideways_scrolling({ ask, open, shot }) {
    const id = await failed(ask);
    for (const [width, javaScriptEnabled] of [[360, true], [360, false], [768, true]]) {
      const page = await openLog(open, id, "", { viewport: { width, height: 740 }, javaScriptEnabled });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert(wide <= width, `${wide} pixels on a screen of ${width}`);
      await shot(page, `failed-${width}-${javaScriptEnabled ? "scripts" : "plain"}`);
    }
  },

  async axe_finds_nothing_in_light_and_dark({ ask, open, shot }) {
    const id = await running(ask);
    await ask("step", { name: "Fetch the source" });
    for (const level of ["DEBUG", "INFO", "WARN", "NOTICE", "ERROR"]) await ask("line", { level, text: `a line of ${level}` });
    const codes = [...Array(8).keys()].flatMap((number) => [30 + number, 90 + number, 40 + number, 100 + number]);
    await ask("line", { text: codes.map((code) => `\u001b[${code}m colour ${code} \u001b[0m`).join("") });
    await ask("line", { text: "\u001b[1mbold\u001b[0m \u001b[2mdim\u001b[0m \u001b[3mitalic\u001b[0m \u001b[7minverse\u001b[0m \u0007" });
    for (const colorScheme of ["light", "dark"]) {
      const page = await openLog(open, id, "#L2", { colorScheme });
      await page.waitForSelector("li.chosen");
      assertEqual(await axe(page), [], colorScheme);
      await shot(page, `colours-${colorScheme}`);
      await page.keyboard.press("?");
      await page.waitForSelector("#keys[open]");
      await shot(page, `keys-${colorScheme}`);
      assertEqual(await axe(page), [], `${colorScheme}, the map`);
      const small = await openLog(open, id, "", { colorScheme, viewport: { width: 360, height: 740 } });
      // At the beginning, where nothing lies below the bar that stays in view.
      await small.keyboard.press("g");
      await until("the beginning", () => small.evaluate(() => scrollY === 0));
      assertEqual(await axe(small), [], `${colorScheme}, narrow`);
      await shot(small, `colours-${colorScheme}-360`);
      const plain = await openLog(open, id, "", { colorScheme, javaScriptEnabled: true });
      assertEqual(await axe(plain), [], `${colorScheme}, following`);
    }
  },
});
