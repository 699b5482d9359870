"""The page of live logs: from a line written to a websocket client having it."""

from chart import chart
from figures import TARGETS, Target, number, table

DATABASES = ["PostgreSQL", "SQLite"]
# Milliseconds: p50, p99.
ONE_PROCESS = (10, 50)
WATCHERS = {"4 lines/s": 150, "20 lines/s": 1000}
WATCHER_KIB = 16


def latencies(figures):
    """The targets, every pace, and the chart's panels. The slowest pace counts."""
    targets, rows, panels = [], [], []
    for database in DATABASES:
        found = {}
        for processes, times in (("one process", 1), ("two processes", 2)):
            paces = figures.medians(database, f"latency, {processes}", "p50_ms", "p90_ms", "p99_ms", "max_ms")
            if not paces:
                continue
            found[processes] = paces
            rows += [[database, processes, pace, *(f"{value:.2f}" for value in values)] for pace, *values in paces]
            for name, place, limit in (("p50", 1, ONE_PROCESS[0]), ("p99", 3, ONE_PROCESS[1])):
                worst, limit = max(pace[place] for pace in paces), limit * times
                targets.append(Target(f"{database}: line to websocket, {processes}, {name}, ms", f"{worst:.2f}", "", "", f"≤ {limit} ms", worst <= limit))
        bars = [
            (f"{pace}, {name}", pace_values[place], f"{pace_values[place]:.1f} ({processes})", processes == "one process")
            for processes, paces in found.items()
            for pace, *pace_values in paces
            for name, place in (("p50", 0), ("p99", 2))
        ]
        panels.append((f"{database}: milliseconds from written to received", bars))
    return targets, table(["database", "writer and server", "lines", "p50, ms", "p90, ms", "p99, ms", "max, ms"], rows), panels


def watchers(figures):
    targets, rows = [], []
    for database in DATABASES:
        found = figures.medians(database, "watchers", "watchers", "deliveries", "p50_ms", "p99_ms", "max_ms", "kib_per_watcher", "own_cpu_us")
        for setting, count, deliveries, p50, p99, most, kib, cpu in found:
            title = f"{database}: {count:,.0f} watchers, {setting}"
            limit = WATCHERS[setting]
            targets.append(Target(f"{title}, p99, ms", number(p99), "", "", f"≤ {limit:,} ms", p99 <= limit))
            targets.append(Target(f"{title}, KiB of memory for each", number(kib), "", "", f"≤ {WATCHER_KIB} KiB", kib <= WATCHER_KIB))
            rows.append([database, setting, f"{deliveries:,.0f}, none missing", *map(number, (p50, p99, most, kib, cpu))])
    return targets, table(["database", "lines", "deliveries", "p50, ms", "p99, ms", "max, ms", "KiB per watcher", "server's CPU per delivery, µs"], rows)


def page(figures):
    """The page's text, its targets and its charts by name."""
    latency_targets, every_latency, panels = latencies(figures)
    watcher_targets, every_watcher = watchers(figures)
    text = f"""# Live logs

Server and watchers are two processes that share the cores. A line carries the time at which it was written, and the client, which reads websocket frames and does little else,
subtracts that from the time at which it has it.

## One watcher

With one process, the server runs the job too. With two, the job runs in another process than the server (that of the watcher), with its own connections to PostgreSQL, so the server hears of
lines by NOTIFY. Lines come one at a time, ten at a time and a hundred at a time; of the three the slowest counts.

{table(TARGETS, [target.row() for target in latency_targets])}

{every_latency}

![Milliseconds from written to received](watch-latency.svg)

## Five thousand watchers of one job

The bench fails if a watcher misses a line or sees one twice. The memory is what the server's process had more, at the most, than before the first watcher came; what the kernel keeps
for each connection is not in it.

{table(TARGETS, [target.row() for target in watcher_targets])}

{every_watcher}
"""
    return text, [*latency_targets, *watcher_targets], {"watch-latency": chart("Milliseconds from written to received", panels)}
