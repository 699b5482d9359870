// Times and lengths of time, said as the server says them (api/src/logs/outline.rs).

/** A length in milliseconds: `85 ms`, `3.2 s`, `2 min 5 s`, `1 h 5 min`. */
export function length(millis) {
  const whole = Math.max(0, Math.floor(millis));
  const secs = Math.floor(whole / 1000);
  if (whole < 1000) return `${whole} ms`;
  if (secs < 60) return `${secs}.${Math.floor((whole % 1000) / 100)} s`;
  if (secs < 3600) return `${Math.floor(secs / 60)} min ${secs % 60} s`;
  return `${Math.floor(secs / 3600)} h ${Math.floor((secs % 3600) / 60)} min`;
}

/** The time of the day of `2026-08-18T07:02:11.004Z`. */
export const clock = (timestamp) => timestamp.slice(11, 23);

/** How long after `start` (milliseconds) a line was written. */
export function relative(timestamp, start) {
  const millis = Date.parse(timestamp) - start;
  const sign = millis < 0 ? "-" : "+";
  return `${sign}${(Math.abs(millis) / 1000).toFixed(3)} s`;
}

/** Lets lengths that still grow do so; `now` is the server's time. */
export function grow(root, now) {
  for (const shown of root.querySelectorAll(".length[data-since]")) {
    const since = Number(shown.dataset.since);
    // Tenths of a second that run by are only restless.
    const millis = Math.max(0, now - since);
    const text = length(millis < 1000 || millis >= 60_000 ? millis : Math.floor(millis / 1000) * 1000);
    if (shown.textContent !== text) shown.textContent = text;
  }
}
