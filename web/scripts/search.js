// Searches while one types. Without it the form does the same by a button.

const QUIET_MILLIS = 120;

for (const form of document.querySelectorAll("form[data-search]")) {
  const input = form.elements.q;
  const results = document.getElementById(form.dataset.search);
  const status = document.getElementById(`${form.dataset.search}-status`);
  let timer;
  let running;
  let shown = input.value.trim();

  const search = async () => {
    const words = input.value.trim();
    if (words === shown) return;
    running?.abort();
    running = new AbortController();
    const address = words ? `?q=${encodeURIComponent(words)}` : "?";
    try {
      const answer = await fetch(`${form.action}${address}&part=results`, { signal: running.signal });
      if (!answer.ok) return;
      results.innerHTML = await answer.text();
      shown = words;
      history.replaceState(null, "", words ? address : form.action);
      status.textContent = results.querySelector("[data-told]")?.textContent ?? "";
    } catch {
      // Another search began, or the server is away: the button still works.
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, QUIET_MILLIS);
  });
}

// `/` goes to the search field, as in many places.
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const input = document.querySelector("main [type=search]");
  if (!input) return;
  event.preventDefault();
  input.select();
  input.focus();
});
