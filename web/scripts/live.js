// Keeps the parts of a page that change up to date: fetches the same page again and takes over what is different.
// Nothing flickers, since what is the same stays; a button stops it.

const EVERY_MILLIS = 3000;
const SLOWEST_MILLIS = 60000;

let wait = EVERY_MILLIS;
let paused = false;
let timer;

const next = () => {
  clearTimeout(timer);
  if (!paused) timer = setTimeout(look, wait);
};

// The same link of the new part gets the focus that the old one had.
const replace = (old, fresh) => {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const href = focused?.getAttribute("href");
  old.replaceChildren(...fresh.childNodes);
  if (href) [...old.querySelectorAll("a")].find((link) => link.getAttribute("href") === href)?.focus({ preventScroll: true });
};

const look = async () => {
  const selection = getSelection();
  const selecting = selection && !selection.isCollapsed;
  if (document.hidden || selecting) return next();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.querySelector(`[data-live="${old.dataset.live}"]`);
      if (fresh && fresh.innerHTML !== old.innerHTML) replace(old, fresh);
    }
    wait = EVERY_MILLIS;
  } catch {
    wait = Math.min(wait * 2, SLOWEST_MILLIS);
  }
  next();
};

const control = document.querySelector("[data-live-control]");
if (control) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  const show = () => { button.textContent = paused ? "Update live" : "Stop updating"; };
  button.addEventListener("click", () => {
    paused = !paused;
    show();
    if (!paused) wait = EVERY_MILLIS;
    next();
    if (!paused) look();
  });
  show();
  control.append(button);
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused) { wait = EVERY_MILLIS; clearTimeout(timer); look(); }
});
next();
