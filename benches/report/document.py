"""Writes the pages of docs/benchmarks/ and their charts from the figures that rounds.py gathered.

Usage: document.py FIGURES.json FOLDER
"""

import json
import pathlib
import sys

import log_page
import queue_page
import watch_page
from figures import TARGETS, Figures, table

PAGES = {"queue": queue_page, "log": log_page, "watch": watch_page}


def index(result, targets):
    settings = ", ".join(f"`{name} = {value}`" for name, value in result["postgres"].items())
    rounds = f"{len(result['load'])} round{'s' * (len(result['load']) > 1)}"
    load = ", ".join(f"{value:.1f}" for value in result["load"])
    missed = sum(not target.met for target in targets)
    return f"""# Benchmarks

    benches/run

measures it all and writes these pages: [the queue beside its peers](queue.md), [the log's storage](log.md), [live logs](watch.md).
[Formats, import and a publish](registry.md), [the pages](pages.md), [a soak](soak.md) and [what the programs take](footprint.md) are measured by
commands of their own.

{result["machine"]}; {result["date"]}; {", ".join(f"{name} {version}" for name, version in result["versions"].items())}.
PostgreSQL as it comes: {settings}. SQLite in WAL with `synchronous = FULL`, except where a setting says that it is off.
All programs ran one after another on this machine, {rounds} (the end of a log was read in the first alone); values are medians.
Other programs ran beside (load average before each round: {load}), so read the ratios and the CPU times, not the rates.

{len(targets) - missed} of {len(targets)} targets are met.

{table(TARGETS, [target.row() for target in targets])}
"""


def main(file, folder):
    result = json.loads(pathlib.Path(file).read_text())
    figures = Figures(result["figures"])
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    targets = []
    for name, module in PAGES.items():
        text, of_page, charts = module.page(figures)
        (folder / f"{name}.md").write_text(text)
        targets += of_page
        for chart, svg in charts.items():
            (folder / f"{chart}.svg").write_text(svg)
    (folder / "README.md").write_text(index(result, targets))


main(*sys.argv[1:])
