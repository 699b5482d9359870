// The keyboard map. Keys of one letter can be turned off: those who speak to their computer type them by accident.

const STORED = "docket.keys";

/** Whether a key belongs to somebody else: a field, a dialog, or a shortcut of the browser. */
function isTaken(event) {
  const { target } = event;
  return (
    event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented ||
    (target instanceof Element && target.closest("input, select, textarea, dialog, [contenteditable]"))
  );
}

/** Listens for `map`, a list of `{ keys, label, run }`, and shows it in `dialog`. */
export function keys(map, dialog) {
  const off = dialog.querySelector("[data-do=keys-off]");
  off.checked = localStorage.getItem(STORED) === "off";
  off.addEventListener("change", () => localStorage.setItem(STORED, off.checked ? "off" : "on"));
  const list = dialog.querySelector("dl");
  for (const { keys, label } of map) {
    const names = document.createElement("dt");
    names.append(...keys.flatMap((key, place) => [...(place ? [" "] : []), Object.assign(document.createElement("kbd"), { textContent: key })]));
    list.append(names, Object.assign(document.createElement("dd"), { textContent: label }));
  }
  const runs = new Map(map.flatMap(({ keys, run }) => keys.map((key) => [key, run])));
  document.addEventListener("keydown", (event) => {
    const run = runs.get(event.key === "Escape" ? "Esc" : event.key);
    if (!run || isTaken(event)) return;
    if (off.checked && event.key.length === 1) return;
    event.preventDefault();
    run();
  });
}
