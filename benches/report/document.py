"""Writes docs/benchmarks/queue.md and its charts from the figures that rounds.py gathered.

Usage: document.py FIGURES.json FOLDER
"""

import json
import pathlib
import statistics
import sys

from chart import chart

# For each figure: its key in the JSON objects, whether more is better, and how several rounds become one value.
RATE = ("rate", True, statistics.median)
P50 = ("p50_ms", False, statistics.median)
P99 = ("p99_ms", False, statistics.median)
# The promise is about every job, so the worst round counts.
LONGEST = ("longest_ms", False, max)


class Figures:
    """The figures of all rounds."""

    def __init__(self, figures):
        self.figures = figures

    def settings(self, system, database, figure):
        """The settings a system was measured with, each with its figures."""
        found = {}
        for one in self.figures:
            if (one["system"], one["database"], one["figure"]) == (system, database, figure):
                found.setdefault(one.get("setting", ""), []).append(one)
        return found

    def best(self, system, database, figure, kind, only=""):
        """The best value over a system's settings whose name begins with `only`, and that setting; None when it has no such figure."""
        key, more, several = kind
        values = [
            (several([one[key] for one in rounds]), setting)
            for setting, rounds in self.settings(system, database, figure).items()
            if setting.startswith(only)
        ]
        return (max if more else min)(values, default=None)

    def cpu(self, system, database, setting):
        """CPU time per job in microseconds, of the client and of the server."""
        rounds = self.settings(system, database, "end to end")[setting]
        return tuple(statistics.median(one[key] for one in rounds) for key in ("own_cpu_us", "server_cpu_us"))

    def claim(self, database, queued):
        return statistics.median(
            one["ms_per_job"] for one in self.figures if one["figure"] == "claim" and one["database"] == database and one["queued"] == queued
        )


def number(value):
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdict(ratio, target, met):
    return [ratio, target, "yes" if met else "**no**"]


def postgres(figures):
    peers = ["graphile-worker", "pg-boss", "procrastinate"]
    systems = ["docket", *peers]
    rates = {system: figures.best(system, "PostgreSQL", "end to end", RATE) for system in systems}
    cpus = {system: sum(figures.cpu(system, "PostgreSQL", rates[system][1])) for system in systems}
    fastest = max(peers, key=lambda peer: rates[peer][0])
    rate = rates["docket"][0] / rates[fastest][0]
    cpu = cpus["docket"] / cpus[fastest]

    def row(title, values, judged):
        return [title, *(number(values[system]) for system in systems), *judged]

    def waits(figure, kind):
        return {system: figures.best(system, "PostgreSQL", figure, kind)[0] for system in systems}

    p50, p99, longest = waits("pick-up", P50), waits("pick-up", P99), waits("burst", LONGEST)
    best_p50, best_p99, best_longest = (min(waits[peer] for peer in peers) for waits in (p50, p99, longest))
    rows = [
        row("end to end, jobs/s", {s: rates[s][0] for s in systems}, verdict(f"{rate:.2f}", "≥ 1.5", rate >= 1.5)),
        row("CPU per job, µs", cpus, verdict(f"{cpu:.2f}", "≤ 0.75", cpu <= 0.75)),
        row("pick-up p50, ms", p50, verdict(f"{p50['docket'] / best_p50:.2f}", "≤ 3 ms", p50["docket"] <= 3)),
        row("pick-up p99, ms", p99, verdict(f"{p99['docket'] / best_p99:.2f}", "≤ 1", p99["docket"] <= best_p99)),
        row("burst of 200, longest wait, ms", longest, verdict(f"{longest['docket'] / best_longest:.2f}", "≤ 1,000 ms", longest["docket"] <= 1000)),
    ]
    head = ["PostgreSQL", "Docket", *peers, "ratio to the best peer", "target", "met"]
    return table(head, rows), rates, fastest


def sqlite(figures):
    ours = figures.best("docket", "SQLite", "end to end", RATE)
    huey = {mode: figures.best("huey", "SQLite", "end to end", RATE, f"fsync {mode}") for mode in ("off", "on")}
    raw = figures.best("raw loop", "SQLite", "end to end", RATE)
    to_huey, to_raw = ours[0] / huey["off"][0], ours[0] / raw[0]
    measured = [("docket", ours), ("huey", huey["off"]), ("huey", huey["on"]), ("raw loop", raw)]
    values = [number(best[0]) for _, best in measured]
    cpus = [number(sum(figures.cpu(system, "SQLite", best[1]))) for system, best in measured]
    rows = [
        ["end to end, jobs/s", *values, *verdict(f"{to_huey:.2f} of huey without fsync", "≥ 3", to_huey >= 3)],
        ["", "", "", "", "", *verdict(f"{to_raw:.2f} of the raw loop", "≥ 0.33", to_raw >= 1 / 3)],
        ["CPU per job, µs", *cpus, "", "", ""],
    ]
    head = ["SQLite", "Docket", "huey, fsync off", "huey, fsync on", "raw loop", "ratio", "target", "met"]
    bars = [("Docket", ours, "docket"), ("raw loop", raw, "raw loop"), ("huey, fsync off", huey["off"], "huey"), ("huey, fsync on", huey["on"], "huey")]
    return table(head, rows), bars


def claims(figures):
    rows = []
    for database in ("SQLite", "PostgreSQL"):
        short, long = figures.claim(database, 100), figures.claim(database, 100_000)
        rows.append([database, f"{short:.2f}", f"{long:.2f}", *verdict(f"{long / short:.2f}", "≤ 2", long <= 2 * short)])
    return table(["claim, ms per job", "100 queued, 100 locks", "100,000 queued, 10,000 locks", "ratio", "target", "met"], rows)


def everything(figures):
    """Every setting that was measured: medians, and the longest wait of all rounds."""
    rows, seen = [], []
    for one in figures.figures:
        key = one["database"], one["system"], one.get("setting", "")
        if one["figure"] == "claim" or key in seen:
            continue
        seen.append(key)

        def of(figure, name, several=statistics.median):
            values = [x[name] for x in figures.settings(key[1], key[0], figure).get(key[2], [])]
            return number(several(values)) if values else ""

        row = [of("end to end", name) for name in ("rate", "own_cpu_us", "server_cpu_us")]
        row += [of("pick-up", "p50_ms"), of("pick-up", "p99_ms"), of("burst", "longest_ms", max)]
        rows.append([*key, *row])
    rows.sort(key=lambda row: row[0])
    return table(["database", "system", "setting", "jobs/s", "CPU here, µs", "CPU in the server, µs", "p50, ms", "p99, ms", "burst, ms"], rows)


def bars(figures, database, rates):
    """Rows for the two charts, from (label, (rate, setting), system)."""
    rate = [(label, best[0], number(best[0]), system == "docket") for label, best, system in rates]
    cpus = [(label, sum(figures.cpu(system, database, best[1])), system) for label, best, system in rates]
    return rate, [(label, value, number(value), system == "docket") for label, value, system in cpus]


def main(file, folder):
    result = json.loads(pathlib.Path(file).read_text())
    figures = Figures(result["figures"])
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    on_postgres, rates, fastest = postgres(figures)
    on_sqlite, sqlite_rates = sqlite(figures)
    postgres_rates = [("Docket" if system == "docket" else system, best, system) for system, best in rates.items()]
    rate, cpu = zip(bars(figures, "PostgreSQL", postgres_rates), bars(figures, "SQLite", sqlite_rates))
    titles = "PostgreSQL", "SQLite"
    (folder / "queue-rate.svg").write_text(chart("Jobs per second, end to end", [(f"{t}: jobs per second", r) for t, r in zip(titles, rate)]))
    (folder / "queue-cpu.svg").write_text(chart("CPU time per job", [(f"{t}: CPU µs per job, client and server", r) for t, r in zip(titles, cpu)]))
    settings = ", ".join(f"`{name} = {value}`" for name, value in result["postgres"].items())
    rounds = f"{len(result['load'])} round{'s' * (len(result['load']) > 1)}"
    load = ", ".join(f"{value:.1f}" for value in result["load"])
    (folder / "queue.md").write_text(f"""# The queue beside its peers

    benches/run

{result["machine"]}; {result["date"]}; {", ".join(f"{name} {version}" for name, version in result["versions"].items())}.
PostgreSQL as it comes: {settings}. SQLite in WAL with `synchronous = FULL`, except where huey's fsync is off.
All programs ran one after another on this machine, {rounds}; values are medians, the longest wait of a burst is that of all rounds.
Other programs ran beside (load average before each round: {load}), so read the ratios and the CPU time per job, not the rates.

The job does nothing. Ours also takes a lock of its own and writes one log line; theirs need not. Each system is shown at the setting that was best for
the figure; CPU time is client and server together, at the setting with the most jobs/s. The best peer end to end is {fastest}, and the CPU ratio is to it.
Pick-up and bursts are timed from before the enqueue begins, its commit included, to the start of the job.

{on_postgres}

{on_sqlite}

The raw loop claims and completes 100 rows per transaction through our driver and settings, without locks, leases, attempts or log.

{claims(figures)}

![Jobs per second, end to end](queue-rate.svg)

![CPU time per job](queue-cpu.svg)

## Every setting

{everything(figures)}

Stock apalis-postgres and apalis-sqlite are not measured here: they would add their dependencies to our lock file.
""")


main(*sys.argv[1:])
