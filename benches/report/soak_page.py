"""Writes docs/benchmarks/soak.md and its chart from the figures of `cargo bench --bench soak`.

Usage: soak_page.py FIGURES.json FOLDER
"""

import datetime
import json
import os
import pathlib
import platform
import statistics
import sys

from chart import STYLE
from figures import table

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 260, 48, 28, 34
# Memory is flat when it grows by no more than this, in MB a minute, after the first quarter of the time.
FLAT = 0.5


def megabytes(sample):
    return sample["own_kib"] / 1024


def slope(samples):
    """Megabytes a minute, by least squares."""
    return statistics.linear_regression([sample["seconds"] / 60 for sample in samples], [megabytes(sample) for sample in samples]).slope


def chart(samples, warm):
    """The memory of its own over time; what comes before `warm` seconds is not counted."""
    most_seconds, most = samples[-1]["seconds"], 1.15 * max(map(megabytes, samples))
    x = lambda seconds: LEFT + (WIDTH - LEFT - 16) * seconds / most_seconds
    y = lambda value: TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most)
    line = " ".join(f"{x(sample['seconds']):.1f},{y(megabytes(sample)):.1f}" for sample in samples)
    steps = [step for step in range(0, int(most) + 1, 20 if most > 60 else 10)]
    grid = [f'<path class="grid" d="M{LEFT} {y(step):.1f}H{WIDTH - 16}"/><text class="label" x="{LEFT - 8}" y="{y(step) + 4:.1f}">{step}</text>' for step in steps]
    minutes = range(0, int(most_seconds // 60) + 1, 1 if most_seconds <= 720 else 5)
    times = [f'<text class="middle" x="{x(60 * minute):.1f}" y="{HEIGHT - 8}">{minute}</text>' for minute in minutes]
    style = STYLE + """
  polyline { fill: none; stroke: #0a7f64; stroke-width: 2 }
  .grid { stroke: #8c959f; stroke-opacity: 0.35 }
  .middle { text-anchor: middle }
  .warm { fill-opacity: 0.15 }
  @media (prefers-color-scheme: dark) { polyline { stroke: #3fb995 } }
"""
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="Memory of the server over time">',
        f"<style>{style}</style>",
        '<text class="title" x="0" y="18">Memory of the server, MB, by minutes at full load</text>',
        f'<rect class="warm" x="{LEFT}" y="{TOP}" width="{x(warm) - LEFT:.1f}" height="{HEIGHT - TOP - BOTTOM}"/>',
        *grid, *times, f'<polyline points="{line}"/>', "</svg>",
    ]) + "\n"


def machine():
    memory = next(line for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, {int(memory.split()[1]) / 2**20:.0f} GiB, Linux {platform.release().split('-')[0]}; {datetime.date.today()}; load average at the end: {load}"


def page(result):
    samples, after = result["samples"], result["after"]
    warm = samples[-1]["seconds"] / 4
    counted = [sample for sample in samples if sample["seconds"] >= warm]
    growth, last = slope(counted), samples[-1]
    verdict = "flat" if growth <= FLAT else "NOT flat"
    moments = [samples[round(part * (len(samples) - 1) / 8)] for part in range(9)]
    rows = [
        [f"{sample['seconds'] / 60:.1f}", f"{megabytes(sample):.1f}", str(sample["open_files"]), str(sample["threads"]), f"{sample['database_bytes'] / 2**20:.1f}",
         f"{sample['published']:,}", f"{sample['requests']:,}", f"{sample['watched']:,}"]
        for sample in moments + [after]
    ]
    rows[-1][0] = "ten seconds after the end"
    return f"""# Soak

    benches/run --soak

The real `docketd`, in one process on SQLite, at full load for {last['seconds'] / 60:.0f} minutes: {result['publishers']} authors publish small packages one after the other, {result['readers']} clients read pages, logs,
feeds and tarballs as fast as they can, {result['newcomers']} connect anew for each request (and go away in the middle of each third answer), and {result['watchers']} follow the newest job, half by websocket and
half by event stream. All of them share the cores with the server. {machine()}.

**Memory is {verdict}**: {growth:+.2f} MB a minute after the first quarter ({FLAT} MB a minute or less counts as flat), from {megabytes(counted[0]):.0f} MB to {megabytes(last):.0f} MB,
while the database grew from {counted[0]['database_bytes'] / 2**20:.1f} MB to {last['database_bytes'] / 2**20:.1f} MB.

![Memory of the server over time](soak.svg)

{table(["minutes", "memory, MB", "open files", "threads", "database, MB", "published", "requests", "logs watched"], rows)}

Memory is what the process has for itself (`RssAnon`); the program's own pages, {last['file_kib'] / 1024:.0f} MB with line tables for backtraces, are shared and do not change.

What comes first are the texts of the licences, 50 MB, when the first licence is looked at, and what every connection and every thread keeps for its next use.
What grew with the registry, by 2 to 3 MB a minute, was mended when it was found:

- Each publish read all manifests to make its build plan: lists that were longer each time, in the memory of whatever thread made them. It reads those that the
  plan can hold.
- The caches that SQLite has for each of its connections: a page that is read often is soon in all of them. Connections for reading keep 64 KiB each and leave the
  rest to the cache of the system.
- Each connection of SQLite is a thread, and each thread has memory that it does not use at the moment. There are 8 for reading on two processors in place of 16: 10 MB
  less, which no longer grow by 0.3 to 0.5 MB a minute.

As many requests were answered in the same time with each of these.
"""


def main(file, folder):
    result = json.loads(pathlib.Path(file).read_text())
    folder = pathlib.Path(folder)
    (folder / "soak.md").write_text(page(result))
    (folder / "soak.svg").write_text(chart(result["samples"], result["samples"][-1]["seconds"] / 4))


main(*sys.argv[1:])
