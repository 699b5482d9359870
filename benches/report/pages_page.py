"""Writes the page of the pages from what benches/pages/run measured.

Usage: pages_page.py FOLDER-OF-FIGURES PAGE.md
"""

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

from figures import TARGETS, Target, number, table

PEER = "@melloware/react-logviewer"


def kilobytes(size):
    return f"{size / 1000:.1f}"


def megabytes(size):
    return f"{size / 1e6:,.0f}"


def small_logs(figures):
    rows = [[one["kind"], number(one["first"]), number(one["seen"]), number(one["alive"])] for one in figures["small"]]
    return table(["10,000 lines", "first byte, ms", "view full of lines, ms", "alive, ms"], rows)


def large_logs(figures):
    """Each page in a column, what was measured in the rows; a tab that crashed has no figures from there on."""
    kinds = figures["large"]

    def row(title, value):
        cells = []
        for one in kinds:
            try:
                cells.append(value(one))
            except KeyError:
                cells.append(one["failed"])
        return [title, *cells]

    rows = [
        row("view full of lines, ms", lambda one: number(one["seen"])),
        row("one can scroll to its end, ms", lambda one: number(one["whole"])),
        row("JS heap then, MB", lambda one: megabytes(one["before"]["heap"])),
        row("memory of the process then, MB", lambda one: megabytes(one["before"]["process"])),
        row("wheeling: frames p50, ms", lambda one: number(one["frame_p50"])),
        row("wheeling: frames p99, ms", lambda one: number(one["frame_p99"])),
        row("jump to another place until lines are seen: p50, ms", lambda one: number(one["jump_p50"])),
        row("jump, longest, ms", lambda one: number(one["jump_max"])),
        row("JS heap after all of it, MB", lambda one: megabytes(one["after"]["heap"])),
        row("memory of the process after all of it, MB", lambda one: megabytes(one["after"]["process"])),
    ]
    return table(["1,000,000 lines", *(one["kind"] for one in kinds)], rows)


def targets(figures):
    large = {one["kind"]: one for one in figures["large"]}
    small = {one["kind"]: one for one in figures["small"]}
    ours, peer = large["Docket"], large[PEER]
    found = []

    def add(figure, value, other, limit, unit):
        told = f"{number(other)} ({PEER})" if other is not None else f"crashed ({PEER})"
        ratio = f"{value / other:.2f}" if other else ""
        found.append(Target(figure, number(value), told, ratio, f"≤ {limit} {unit}", value <= limit))

    add("10,000 lines: view full of lines, ms", small["Docket"]["seen"], small[PEER]["seen"], 1000, "ms")
    add("1,000,000 lines: view full of lines, ms", ours["seen"], peer["seen"], 1000, "ms")
    add("1,000,000 lines: JS heap after scrolling, MB", ours["after"]["heap"] / 1e6, peer["before"]["heap"] / 1e6, 30, "MB")
    add("1,000,000 lines: memory of the process after scrolling, MB", ours["after"]["process"] / 1e6, peer["before"]["process"] / 1e6, 200, "MB")
    add("1,000,000 lines: wheeling, frames p99, ms", ours["frame_p99"], peer.get("frame_p99"), 34, "ms")
    add("1,000,000 lines: jump until lines are seen, p50, ms", ours["jump_p50"], peer.get("jump_p50"), 100, "ms")
    return found


def sizes(figures):
    rows = []
    for one in figures["sizes"]:
        sent = [one["html"], one["css"], one["js"]]
        whole = sum(one[f"{kind}_size"] for kind in ("html", "css", "js"))
        name = one["name"] if one["name"].startswith("@") else f"`{one['name']}`"
        rows.append([name, *map(kilobytes, sent), kilobytes(sum(sent)), kilobytes(whole)])
    return table(["page", "HTML, kB", "CSS, kB", "JS, kB", "together, kB", "not compressed, kB"], rows)


def rates(folder, figures):
    first = {page["path"]: page.get("first") for page in figures["pages"]}
    rows = []
    for line in (folder / "rates.json").read_text().splitlines():
        one = json.loads(line)
        name = one["name"]
        time = f"{first[name]:.1f}" if first.get(name) else ""
        rows.append([f"`{name}`", number(one["plain"]), number(one["compressed"]), time])
    return table(["page", "requests/s", "requests/s, compressed", "first byte, ms"], rows)


def machine():
    memory = re.search(r"MemTotal: +(\d+)", pathlib.Path("/proc/meminfo").read_text())
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {int(memory[1]) / 2**20:.0f} GiB, {platform.freedesktop_os_release()['PRETTY_NAME']}"


def main(folder, page):
    folder = pathlib.Path(folder)
    file = folder / "pages.json"
    figures = json.loads(file.read_text())
    date = datetime.date.fromtimestamp(file.stat().st_mtime).isoformat()
    git = ["git", "log", "-1", "--format=%h", "--", "crates", "api", "web", "Cargo.lock"]
    commit = subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
    peer = json.loads((folder / "package.json").read_text())["dependencies"][PEER]
    found = targets(figures)
    text = f"""# Pages

    benches/pages/run

measures the pages with the real registry imported (1,215 packages, 501 package sets) and writes this page. {machine()}; {date}; Docket {commit}, {PEER} {peer},
{(folder / "browser").read_text().strip()}. SQLite. Server, browser and wrk share the cores; the load average before them was
{(folder / "load").read_text().strip()}: the more it was, the more the proportions count and the less the times do.

## A long log in the browser

The same log in three pages: ours; {PEER}, the log viewer for React that is downloaded most from npm among those that are still looked after, built with esbuild
and given the address of the text; and the text alone in the browser, which is what most CI services call "raw". All of them come compressed. "Alive" is when the scripts have taken over; the others have
nothing more to do then. Each long log is opened in a browser of its own, wheeled through for five seconds, and sent to twenty places all over it. A frame of 16.7 ms is one of 60 a second.

{table(TARGETS, [target.row() for target in found])}

{small_logs(figures)}

{large_logs(figures)}

Our page is as small for a log of a million lines as for one of ten thousand, because it has the lines near the view only, and asks for others as somebody comes near them. The others hold
all of it. A tab that "crashed" ran out of memory.

## Sizes

What a first visit loads, as chromium gets it.

{sizes(figures)}

## Rates

`wrk -t1 -c8`, on the same two cores; and the median time to the first byte of one request after the other. `/healthz/live` answers with a word: it is what the server and wrk could do at most.

{rates(folder, figures)}
"""
    pathlib.Path(page).write_text(text)


main(*sys.argv[1:])
