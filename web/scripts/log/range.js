// Lines in an address: `#L12` or `#L12-L30`. Lines of a job keep their numbers when it is run again, so such a link stays true.

/** The lines that a fragment names, or null. */
export function parse(fragment) {
  const found = /^#L([1-9]\d{0,14})(?:-L([1-9]\d{0,14}))?$/.exec(fragment);
  if (!found) return null;
  const ends = [Number(found[1]), Number(found[2] ?? found[1])];
  return { from: Math.min(...ends), to: Math.max(...ends), anchor: ends[0] };
}

/** The fragment that names lines. */
export const format = ({ from, to }) => (from === to ? `#L${from}` : `#L${from}-L${to}`);

/** The range from where somebody began to choose up to `seq`. */
export function extend(range, seq) {
  const anchor = range?.anchor ?? seq;
  return { from: Math.min(anchor, seq), to: Math.max(anchor, seq), anchor };
}
